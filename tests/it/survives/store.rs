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
