//! The power fails: what was written and not synced is gone, all of it or some, and everything that was
//! acknowledged is there.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use super::{assert_conserved_or_set_aside, settled};
use crate::support::{
    disk::Disk,
    eventually::eventually,
    rounds,
    scene::{Plan, SOON, Scene, messages},
};

/// What becomes of the sectors that were written and never synced.
#[derive(Debug, Clone, Copy)]
enum Unsynced {
    Gone,
    /// Each by chance.
    Torn,
}

/// The power fails again and again under load, at moments and with losses that the seed gives. Says how much was in
/// doubt when it did.
async fn fails_under_load(seed: u64, unsynced: Unsynced) -> usize {
    eprintln!("seed {seed}, what is not synced is {unsynced:?}");
    let mut chance = chance(seed);
    let disk = Disk::new();
    let mut scene = Plan::new().on_disk(&disk).start().await;
    // So that most of the time something is written and not yet synced.
    disk.order("sync slow -wal 0");
    let sent = messages(75, "m");
    let (queued, posted) = sent.split_at(60);
    for (_, body) in queued {
        scene.fund.publish(body).await;
    }
    let mut posted = posted.iter();
    let mut answered = BTreeSet::new();
    let mut in_doubt = 0;
    for round in 0..3 {
        let before = scene.inbox.handle.stats().attempts;
        let until = before + chance() % 16;
        for (id, body) in posted.by_ref().take(5) {
            assert_eq!(scene.post(body), Some(202), "{id} is taken");
            answered.insert(id.clone());
        }
        eventually(&format!("round {round} is on its way"), SOON, async || {
            let stats = scene.inbox.handle.stats();
            (stats.attempts >= until || stats.unique >= (queued.len() + answered.len()) as u64).then_some(())
        })
        .await;
        scene.gateway.kill();
        let acknowledged = acknowledged(&scene, queued).await;
        let lost = disk.lose_power(scene.gateway.folder(), || match unsynced {
            Unsynced::Gone => false,
            Unsynced::Torn => chance().is_multiple_of(2),
        });
        eprintln!("round {round}: {lost:?}");
        in_doubt += lost.in_doubt;
        scene.gateway.restart().await;
        let kept = scene.kept();
        for id in &answered {
            assert_eq!(kept.of(id).len(), 1, "{id} was answered as taken: {kept}");
        }
        let over_queue = queued.iter().filter(|(id, _)| !kept.of(id).is_empty()).count();
        let aside = kept.invalid().count();
        assert!(over_queue + aside >= acknowledged, "{acknowledged} were acknowledged: {kept}");
    }
    disk.heal();
    let kept = settled(&scene, sent.len()).await;
    assert_conserved_or_set_aside(&scene, &kept, &sent);
    scene.stop_with_nothing_left().await;
    assert!(scene.conservation().await.holds());
    in_doubt
}

/// How many of what was published the broker does not have any more.
async fn acknowledged(scene: &Scene, queued: &[(String, Vec<u8>)]) -> usize {
    let queue = scene.fund.queue_in();
    let left = eventually("the broker noticed", SOON, async || {
        let (messages, consumers) = scene.broker.admin.count(&queue).await;
        (consumers == 0).then_some(messages)
    })
    .await;
    queued.len() - usize::try_from(left).unwrap()
}

/// F43.
#[tokio::test]
async fn after_a_loss_of_power_everything_that_was_acknowledged_is_there() {
    let mut in_doubt = 0;
    for seed in 0..rounds(2) {
        for unsynced in [Unsynced::Gone, Unsynced::Torn] {
            in_doubt += fails_under_load(seed as u64, unsynced).await;
        }
    }
    assert!(in_doubt > 0, "the power never failed with anything unsynced");
}

/// After a sync that failed the kernel takes pages for written that are not. Whoever reads them sees what the
/// next loss of power takes away.
#[tokio::test]
async fn a_loss_of_power_after_a_failed_sync_of_the_log_loses_nothing_that_was_acknowledged() {
    let disk = Disk::new();
    let mut scene = Plan::new().on_disk(&disk).start().await;
    disk.order("sync EIO -wal 1");
    let sent = messages(60, "m");
    let (queued, posted) = sent.split_at(30);
    for (_, body) in queued {
        scene.fund.publish(body).await;
    }
    assert_eq!(scene.gateway.end().await.code(), Some(70), "a sync failed");
    disk.heal();
    scene.gateway.restart().await;
    settled(&scene, queued.len()).await;
    for (id, body) in posted {
        assert_eq!(scene.post(body), Some(202), "{id} is taken");
    }
    scene.gateway.kill();
    loses_nothing(&disk, &mut scene, &sent).await;
}

/// The same at a checkpoint, of which the last comes with the stop.
#[tokio::test]
async fn a_loss_of_power_after_a_failed_checkpoint_loses_nothing_that_was_acknowledged() {
    for order in ["sync EIO kassebro.db 1", "sync EIO kassebro.db 0", "write EIO kassebro.db 0"] {
        let disk = Disk::new();
        let mut scene = Plan::new().on_disk(&disk).start().await;
        let sent = messages(30, "m");
        for (_, body) in &sent {
            scene.fund.publish(body).await;
        }
        scene.delivered(sent.len()).await;
        disk.order(order);
        assert!(scene.gateway.stop().await.success(), "a checkpoint is no condition of a stop");
        assert!(disk.faults() > 0, "{order}");
        disk.heal();
        loses_nothing(&disk, &mut scene, &sent).await;
    }
}

/// The power fails of a gateway that has ended; its successor has everything.
async fn loses_nothing(disk: &Disk, scene: &mut Scene, sent: &[(String, Vec<u8>)]) {
    eprintln!("{:?}", disk.lose_power(scene.gateway.folder(), || false));
    scene.gateway.restart().await;
    let kept = scene.kept();
    assert_eq!(kept.messages.len(), sent.len(), "each was acknowledged: {kept}");
    let kept = settled(scene, sent.len()).await;
    assert_conserved_or_set_aside(scene, &kept, sent);
    scene.stop_with_nothing_left().await;
}

/// Numbers that a seed gives.
fn chance(seed: u64) -> impl FnMut() -> u64 {
    let mut drawn = 0;
    move || {
        drawn += 1;
        let digest = Sha256::digest(format!("{seed} {drawn}"));
        u64::from_le_bytes(digest[..8].try_into().unwrap())
    }
}
