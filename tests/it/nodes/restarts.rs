//! Two nodes that are replaced one after the other while messages come in.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{delivered, on};
use crate::support::{
    database::Database,
    eventually::eventually,
    gateway::Gateway,
    scene::{Fund, SOON, Served, body},
};

/// Messages that may be under way: the load is as much as goes through.
const AHEAD_MAX: u64 = 60;
const ROUNDS: usize = 3;

/// Publishes for as long as `work` goes on; gives the ids.
async fn under_load(fund: &Fund, inbox: &Served, label: &str, work: impl Future<Output = ()>) -> Vec<String> {
    let over = AtomicBool::new(false);
    let before = inbox.handle.stats().unique;
    let publishing = async {
        let mut sent = Vec::new();
        while !over.load(Ordering::Relaxed) {
            let number = sent.len() as u64;
            let id = format!("{label}-{number}");
            fund.publish(&body("complaint", number, &id)).await;
            sent.push(id);
            eventually("the nodes keep up", SOON, async || {
                (number < inbox.handle.stats().unique - before + AHEAD_MAX).then_some(())
            })
            .await;
        }
        sent
    };
    let working = async {
        work.await;
        over.store(true, Ordering::Relaxed);
    };
    tokio::join!(publishing, working).0
}

/// Waits until messages flow again through whoever serves.
async fn flows(inbox: &Served) {
    let before = inbox.handle.stats().unique;
    eventually("messages flow", SOON, async || (inbox.handle.stats().unique > before + 20).then_some(()))
        .await;
}

async fn replaced(gateway: &mut Gateway, inbox: &Served) {
    flows(inbox).await;
    assert!(gateway.stop().await.success());
    flows(inbox).await;
    gateway.restart().await;
}

#[tokio::test]
async fn nodes_that_are_replaced_in_turn_under_load_lose_and_double_nothing() {
    let database = Database::fresh().await;
    let mut scene = on(&database).start().await;
    let mut second = scene.another().await;
    let (first, inbox) = (&mut scene.gateway, &scene.inbox);
    let mut sent = under_load(&scene.fund, inbox, "term", async {
        for _ in 0..ROUNDS {
            replaced(first, inbox).await;
            replaced(&mut second, inbox).await;
        }
    })
    .await;
    let kept = delivered(&database, sent.len()).await;
    scene.assert_conserved(&kept, &sent);
    let stats = scene.inbox.handle.stats();
    assert_eq!((stats.duplicates, stats.attempts), (0, sent.len() as u64), "an orderly stop repeats nothing");
    // One dies, and the other goes on; what it had leased is free when it is back.
    let inbox = &scene.inbox;
    sent.extend(
        under_load(&scene.fund, inbox, "kill", async {
            flows(inbox).await;
            second.kill();
            flows(inbox).await;
            second.restart().await;
            flows(inbox).await;
        })
        .await,
    );
    let kept = delivered(&database, sent.len()).await;
    scene.assert_conserved(&kept, &sent);
    assert_eq!((kept.told("delivered"), kept.in_hand), (sent.len(), 0));
    assert!(second.stop().await.success());
    scene.stop_with_nothing_left().await;
}
