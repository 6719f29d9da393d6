//! How much of a queue lies in memory: the prefetch follows the largest bodies, from the first one on.

use crate::support::{
    broker::Broker,
    eventually::eventually,
    scene::{Plan, SOON, messages},
    session::QueueKind,
};

/// Waits until the fund's queue has a consumer with that prefetch.
async fn prefetch_is(broker: &Broker, queue: &str, prefetch: u64) {
    eventually(&format!("the prefetch of {queue} is {prefetch}"), SOON, async || {
        let consumers = broker.list("consumers");
        let ours = consumers.iter().find(|consumer| consumer["queue"]["name"] == queue)?;
        (ours["prefetch_count"] == prefetch).then_some(())
    })
    .await;
}

/// A body of so many bytes, which no kind has.
fn large(bytes: usize) -> Vec<u8> {
    vec![b' '; bytes]
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_of_the_largest_bodies_as_64_mebibytes_hold_are_prefetched_at_most() {
    const LARGEST: usize = 8 * 1024 * 1024;
    let plan = Plan::new().queues(QueueKind::Classic).with("INTAKE__BODY_BYTES_MAX", &LARGEST.to_string());
    let scene = plan.start().await;
    let queue = scene.fund.queue_in();
    // Before any was seen, the largest that may come is reckoned with.
    prefetch_is(&scene.broker, &queue, 8).await;
    // The usual ones are small: it grows.
    for (_, body) in messages(64, "small") {
        scene.fund.publish(&body).await;
    }
    prefetch_is(&scene.broker, &queue, 1_000).await;
    // The first large one is enough.
    scene.fund.publish(&large(LARGEST)).await;
    prefetch_is(&scene.broker, &queue, 8).await;
    // Nothing was lost on the way.
    scene.until("all are stored", |kept| kept.messages.len() == 65).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_usual_limit_it_starts_at_64_and_a_body_over_the_limit_lowers_it_at_once() {
    let scene = Plan::new().queues(QueueKind::Classic).start().await;
    let queue = scene.fund.queue_in();
    prefetch_is(&scene.broker, &queue, 64).await;
    // Over the limit it is refused, and it was in memory all the same.
    scene.fund.publish(&large(3 * 1024 * 1024)).await;
    prefetch_is(&scene.broker, &queue, 16).await;
}
