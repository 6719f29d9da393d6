//! The store cannot commit for a while: nothing is acknowledged meanwhile, and taking goes on by itself.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

use std::time::Duration;

use rusqlite::Connection;

use crate::support::{
    eventually::{eventually, stays},
    scene::{Plan, SOON, Scene, messages},
};

/// Holds the store's write lock until it is dropped.
fn lock(scene: &Scene) -> Connection {
    let connection = Connection::open(scene.gateway.folder().join("kassebro.db")).unwrap();
    connection.busy_timeout(Duration::from_secs(10)).unwrap();
    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    connection
}

/// F45.
#[tokio::test]
async fn while_the_store_is_locked_nothing_is_acknowledged() {
    let mut scene = Plan::new().start().await;
    let locked = lock(&scene);
    let sent = messages(20, "m");
    for (_, body) in &sent {
        scene.fund.publish(body).await;
    }
    let queue = scene.fund.queue_in();
    eventually("all are in hand", SOON, async || (scene.broker.admin.depth(&queue).await == 0).then_some(()))
        .await;
    stays("nothing is taken", Duration::from_secs(1), 0, async || scene.kept().messages.len()).await;
    scene.gateway.kill();
    eventually("the queue has them all back", SOON, async || {
        (scene.broker.admin.count(&queue).await == (20, 0)).then_some(())
    })
    .await;
    drop(locked);
    scene.gateway.restart().await;
    let kept = scene.delivered(sent.len()).await;
    scene.assert_conserved(&kept, &sent.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>());
    scene.stop_with_nothing_left().await;
}

/// F45, for longer than the store itself waits.
#[tokio::test]
async fn a_store_that_cannot_commit_is_not_ready_and_taking_goes_on_by_itself() {
    let mut scene = Plan::new().start().await;
    let locked = lock(&scene);
    let sent = messages(20, "m");
    for (_, body) in &sent {
        scene.fund.publish(body).await;
    }
    eventually("the gateway is not ready", SOON, async || {
        (scene.gateway.http().get("/readyz").ok()?.status == 503).then_some(())
    })
    .await;
    eventually("taking was tried in vain", SOON, async || {
        scene.gateway.log().contains("Consuming kassebro.in.3f ended").then_some(())
    })
    .await;
    assert_eq!(scene.kept().messages.len(), 0);
    drop(locked);
    let kept = scene.delivered(sent.len()).await;
    scene.assert_conserved(&kept, &sent.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>());
    scene.gateway.ready().await;
    scene.stop_with_nothing_left().await;
}

/// A mark counts a crash, and only a crash.
#[tokio::test]
async fn a_message_that_the_store_refuses_for_a_while_is_not_taken_for_one_that_stops_the_process() {
    let mut scene = Plan::new().start().await;
    let store = Connection::open(scene.gateway.folder().join("kassebro.db")).unwrap();
    store.busy_timeout(Duration::from_secs(10)).unwrap();
    store
        .execute_batch(
            "CREATE TRIGGER refuses BEFORE INSERT ON message BEGIN SELECT RAISE(ABORT, 'not now'); END",
        )
        .unwrap();
    let sent = messages(1, "m");
    scene.fund.publish(&sent[0].1).await;
    let refused = |log: &str| log.matches("Consuming kassebro.in.3f ended").count();
    eventually("it is refused again and again", SOON, async || {
        (refused(&scene.gateway.log()) >= 4).then_some(())
    })
    .await;
    for restart in 1..=3 {
        assert!(scene.gateway.stop().await.success());
        scene.gateway.restart().await;
        eventually("and after a stop", SOON, async || {
            (refused(&scene.gateway.log()) >= 4 + restart).then_some(())
        })
        .await;
    }
    store.execute_batch("DROP TRIGGER refuses").unwrap();
    let kept = scene.until("it is taken", |kept| !kept.messages.is_empty()).await;
    assert_eq!(kept.invalid().count(), 0, "it was not set aside: {kept}");
    scene.delivered(1).await;
    scene.stop_with_nothing_left().await;
    assert_eq!(scene.kept().in_hand, 0);
}
