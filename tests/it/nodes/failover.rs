//! A PostgreSQL with a synchronous standby: what was acknowledged is there when the standby takes over.

use std::time::Duration;

use super::{delivered, ids, on, publish};
use crate::support::{
    database::{Database, Server},
    eventually::{eventually, stays},
    scene::{SOON, Scene, messages},
};

/// The address of a pair, and the two.
async fn pair() -> (Database, Server, Server) {
    let primary = Server::start().await;
    let standby = primary.standby().await;
    let database = Database::fresh_on(&primary.url_with(&standby)).await;
    (database, primary, standby)
}

/// Sends over HTTP until it is acknowledged, as a sender does; says whether the first answer was one.
async fn send(scene: &Scene, body: &[u8]) -> bool {
    let mut sendings = 0;
    eventually("it is acknowledged", SOON, async || {
        sendings += 1;
        matches!(scene.post(body), Some(200 | 202)).then_some(())
    })
    .await;
    sendings == 1
}

#[tokio::test]
async fn a_standby_that_takes_over_has_every_message_that_was_acknowledged() {
    let (database, primary, standby) = pair().await;
    let mut scene = on(&database).with("HTTP__STORE_TIMEOUT", "6s").start().await;
    let sent = messages(240, "m");
    let (queued, called) = sent.split_at(200);
    let publishing = async {
        for (number, (_, body)) in queued.iter().enumerate() {
            scene.fund.publish(body).await;
            // At a pace that the death falls into.
            eventually("some of it is through", SOON, async || {
                let unique = scene.inbox.handle.stats().unique;
                (unique + 60 > number as u64 || number > 120).then_some(())
            })
            .await;
        }
    };
    let failing = async {
        eventually("messages flow", SOON, async || (scene.inbox.handle.stats().unique > 40).then_some(()))
            .await;
        let mut at_once = 0;
        for (_, body) in &called[..20] {
            at_once += usize::from(send(&scene, body).await);
        }
        assert_eq!(at_once, 20);
        primary.kill().await;
        standby.promote().await;
        for (_, body) in &called[20..] {
            send(&scene, body).await;
        }
    };
    tokio::join!(publishing, failing);
    let kept = delivered(&database, sent.len()).await;
    scene.assert_conserved(&kept, &ids(&sent));
    assert_eq!(kept.told("delivered"), sent.len());
    assert!(scene.gateway.log().contains("Connected to the database again"));
    scene.gateway.ready().await;
    assert!(scene.shown(&sent[239].0).is_some(), "what only reads has found it too");
    scene.stop_with_nothing_left().await;
}

#[tokio::test]
async fn while_the_standby_is_gone_nothing_is_accepted_and_nothing_is_forgotten() {
    let (database, _primary, standby) = pair().await;
    let mut scene = on(&database).start().await;
    let sent = messages(40, "m");
    publish(&scene, &sent[..20]).await;
    delivered(&database, 20).await;
    standby.kill().await;
    publish(&scene, &sent[20..39]).await;
    eventually("a commit is in doubt", SOON, async || {
        scene.gateway.log().contains("The answer to a commit was lost").then_some(())
    })
    .await;
    assert_eq!(scene.post(&sent[39].1), Some(503), "it is told so within the time of a call");
    assert_eq!(scene.gateway.http().get("/readyz").unwrap().status, 503);
    let known = "The commit whose answer was lost is known now";
    stays("the doubt stays a doubt", Duration::from_secs(3), false, async || {
        scene.gateway.log().contains(known)
    })
    .await;
    assert_eq!(scene.inbox.handle.stats().unique, 20, "nothing is sent on the strength of a doubt");
    standby.start_again().await;
    send(&scene, &sent[39].1).await;
    let kept = delivered(&database, sent.len()).await;
    scene.assert_conserved(&kept, &ids(&sent));
    assert_eq!(kept.told("delivered"), sent.len());
    assert!(scene.gateway.log().contains(known));
    scene.stop_with_nothing_left().await;
}
