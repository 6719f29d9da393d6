//! The disk is full, slow, or fails: what cannot be committed is not taken, what was taken is not lost, and it
//! goes on by itself or through a restart.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

use std::{fs, time::Duration};

use kassebro::tools::inbox::Behaviour;

use super::assert_conserved_or_set_aside;
use crate::support::{
    command::run,
    disk::Disk,
    eventually::{eventually, stays},
    scene::{Plan, SOON, Scene, body, event, messages},
};

/// What `lifecycle::EXIT_CRASH` says: a supervisor starts the process again.
const CRASHED: i32 = 70;

type Messages = [(String, Vec<u8>)];

async fn publish(scene: &Scene, messages: &Messages) {
    for (_, body) in messages {
        scene.fund.publish(body).await;
    }
}

/// Sends each over HTTP once; those that were not taken.
fn post(scene: &Scene, messages: &Messages) -> Vec<(String, Vec<u8>)> {
    let refused = messages.iter().filter(|(id, body)| match scene.post(body) {
        Some(202) => {
            assert_eq!(scene.kept().of(id).len(), 1, "{id} was answered as taken");
            false
        }
        status => {
            assert!(matches!(status, None | Some(503)), "{status:?}");
            true
        }
    });
    refused.cloned().collect()
}

/// Sends each until it is taken.
async fn post_all(scene: &Scene, messages: &Messages) {
    for (id, body) in messages {
        eventually(&format!("{id} is taken"), SOON, async || {
            (scene.post(body).is_some_and(|status| status < 300)).then_some(())
        })
        .await;
    }
}

/// Everything that was sent is delivered, once, and every page of the store is sound.
async fn assert_whole(scene: &mut Scene, sent: &Messages) {
    let kept = super::settled(scene, sent.len()).await;
    assert_conserved_or_set_aside(scene, &kept, sent);
    scene.stop_with_nothing_left().await;
    assert!(scene.conservation().await.holds());
    let examined = run(&mut scene.gateway.command(&["--json", "doctor", "--deep"])).json();
    let pages =
        examined.as_array().unwrap().iter().find(|finding| finding["what"] == "store's pages").unwrap();
    assert_eq!(pages["standing"], "ok", "{pages}");
}

/// Lets the disk fail as ordered while messages come in both ways, and judges what came of it.
async fn fails(order: &str, ends: bool) {
    let disk = Disk::new();
    let mut scene = Plan::new().on_disk(&disk).start().await;
    let sent = messages(90, "m");
    let (before, rest) = sent.split_at(30);
    let (queued, posted) = rest.split_at(30);
    publish(&scene, before).await;
    scene.delivered(before.len()).await;

    disk.order(order);
    publish(&scene, queued).await;
    let mut refused = post(&scene, posted);
    eventually(&format!("{order} happens"), SOON, async || (disk.faults() > 0).then_some(())).await;
    if ends {
        let status = scene.gateway.end().await;
        assert_eq!(status.code(), Some(CRASHED), "it stops, and says why: {status}");
        disk.heal();
        scene.gateway.restart().await;
    } else {
        disk.heal();
    }
    refused.retain(|(_, body)| scene.post(body).is_none_or(|status| status >= 300));
    post_all(&scene, &refused).await;
    assert_whole(&mut scene, &sent).await;
}

/// F41. What a failed sync leaves on the disk nobody knows, so the process ends and its successor writes
/// everything that is committed anew.
#[tokio::test]
async fn a_sync_that_fails_ends_the_process_and_nothing_that_was_taken_is_lost() {
    fails("sync EIO -wal 1", true).await;
}

#[tokio::test]
async fn a_disk_that_syncs_nothing_is_not_served_from_and_nothing_is_taken_on_it() {
    fails("sync EIO -wal 0", true).await;
}

/// F42.
#[tokio::test]
async fn writes_that_fail_are_not_taken_and_taking_goes_on_by_itself() {
    for order in ["write EIO -wal 3", "write ENOSPC -wal 3"] {
        fails(order, false).await;
    }
}

/// F42.
#[tokio::test]
async fn writes_that_come_out_short_are_finished() {
    fails("write short any 0", false).await;
}

/// F44.
#[tokio::test]
async fn a_slow_disk_slows_and_loses_nothing() {
    fails("sync slow any 12", false).await;
}

/// While the disk takes no write at all: not ready, nothing taken, nothing acknowledged.
#[tokio::test]
async fn while_no_write_succeeds_nothing_is_answered_accepted_and_the_queue_keeps_its_messages() {
    for order in ["write EIO any 0", "write ENOSPC any 0"] {
        let disk = Disk::new();
        let mut scene = Plan::new().on_disk(&disk).start().await;
        disk.order(order);
        let sent = messages(20, "m");
        let (queued, posted) = sent.split_at(10);
        publish(&scene, queued).await;
        assert_eq!(post(&scene, posted).len(), posted.len(), "none of them is taken");
        is_not_ready(&scene).await;
        let queue = scene.fund.queue_in();
        eventually("the queue has them back", SOON, async || {
            (scene.broker.admin.count(&queue).await == (10, 0)).then_some(())
        })
        .await;
        assert_eq!(scene.kept().messages.len(), 0);
        disk.heal();
        scene.gateway.ready().await;
        post_all(&scene, posted).await;
        assert_whole(&mut scene, &sent).await;
    }
}

/// What the disk has room for.
const ROOM: usize = 24 * 1024 * 1024;
/// Characters in the attachment of a long message.
const LONG: usize = 100_000;

/// A complaint that takes room.
fn long(id: &str) -> Vec<u8> {
    let mut event = event("complaint", 1, id);
    event["data"]["attachments"] = serde_json::json!([
        { "fileName": "klage.txt", "mediaType": "text/plain", "content": "QUJD".repeat(LONG / 4) }
    ]);
    event.to_string().into_bytes()
}

async fn is_not_ready(scene: &Scene) {
    eventually("the gateway is not ready", SOON, async || {
        (scene.gateway.http().get("/readyz").ok()?.status == 503).then_some(())
    })
    .await;
}

/// F40.
#[tokio::test]
async fn a_full_disk_pauses_taking_gives_up_its_reserve_and_recovers_by_itself() {
    let disk = Disk::new();
    let mut scene = Plan::new().on_disk(&disk).start().await;
    let reserve = scene.gateway.folder().join("kassebro.db.reserve");
    assert!(reserve.exists(), "room is set aside");
    // What is taken waits until no more can be taken.
    scene.inbox.handle.behave(Behaviour { status: 503, ..Behaviour::default() }).unwrap();
    disk.order(&format!("room {ROOM}"));
    let (mut taken, mut refused) = (Vec::new(), Vec::new());
    while reserve.exists() {
        let id = format!("http-{}", taken.len() + refused.len());
        let message = (id.clone(), long(&id));
        match scene.post(&message.1) {
            Some(202) => taken.push(message),
            status => {
                assert_eq!(status, Some(503));
                refused.push(message);
            }
        }
        assert!(taken.len() + refused.len() < ROOM / LONG, "the disk is never full");
    }
    assert!(taken.len() > 8, "it was not full at {}", taken.len());
    assert_eq!(refused.len(), 1, "the first that does not fit gives the reserve up");
    assert_eq!(
        scene.post(&body("complaint", 1, "small")),
        Some(503),
        "the room left is not for new messages"
    );
    is_not_ready(&scene).await;
    scene.inbox.handle.behave(Behaviour::default()).unwrap();
    eventually("what was taken goes on to its receiver", SOON, async || {
        (scene.kept().delivered() == taken.len()).then_some(())
    })
    .await;

    // Not a byte is left.
    disk.order("room 1");
    is_not_ready(&scene).await;
    let queued = messages(10, "amqp");
    publish(&scene, &queued).await;
    eventually("taking is paused", SOON, async || {
        scene.gateway.log().contains("The store cannot commit; nothing is taken until it can").then_some(())
    })
    .await;
    stays("nothing is taken", Duration::from_secs(1), taken.len(), async || scene.kept().messages.len())
        .await;
    assert_eq!(scene.post(&refused[0].1), Some(503));

    // Room is back.
    disk.heal();
    scene.gateway.ready().await;
    post_all(&scene, &refused).await;
    eventually("room is set aside again", SOON, async || {
        fs::metadata(&reserve).is_ok_and(|reserve| reserve.len() > 1_000_000).then_some(())
    })
    .await;
    assert_whole(&mut scene, &[taken, refused, queued].concat()).await;
}
