//! RabbitMQ dies, stops, falls silent, cuts off or loses the queue: consuming comes back, nothing is lost.

use std::time::Duration;

use serde_json::Value;

use crate::support::{
    chaos::Proxy,
    eventually::{eventually, stays},
    node::Node,
    scene::{Plan, SOON, Scene, messages},
};

type Messages = [(String, Vec<u8>)];

async fn publish(scene: &Scene, messages: &Messages) {
    for (_, body) in messages {
        scene.fund.publish(body).await;
    }
}

async fn assert_all_delivered(scene: &Scene, messages: &Messages) {
    let kept = scene.delivered(messages.len()).await;
    scene.assert_conserved(&kept, &messages.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>());
}

/// F30.
#[tokio::test]
async fn a_broker_that_is_killed_or_stopped_is_found_again_with_everything_in_it() {
    let node = Node::start().await;
    let mut scene = Plan::new().on(&node.address).start().await;
    let sent = messages(60, "m");
    publish(&scene, &sent[..20]).await;
    node.kill().await;
    node.start_again().await;
    reconnect(&mut scene).await;
    publish(&scene, &sent[20..40]).await;
    assert_all_delivered(&scene, &sent[..40]).await;
    node.stop().await;
    node.start_again().await;
    reconnect(&mut scene).await;
    publish(&scene, &sent[40..]).await;
    assert_all_delivered(&scene, &sent).await;
    assert_all_answered(&scene, sent.len()).await;
    scene.stop_with_nothing_left().await;
}

async fn reconnect(scene: &mut Scene) {
    scene.broker.reconnect().await;
    scene.fund.reconnect().await;
}

/// However often each came.
async fn assert_all_answered(scene: &Scene, count: usize) {
    let mut answered = std::collections::BTreeSet::new();
    eventually(&format!("{count} messages are answered"), SOON, async || {
        while let Some(fetched) = scene.broker.admin.fetch(&scene.fund.queue_out()).await {
            let answer: Value = serde_json::from_slice(&fetched.body).expect("an answer is JSON");
            answered.insert(answer["correlationid"].to_string());
        }
        (answered.len() == count).then_some(())
    })
    .await;
}

/// F33 and F34.
#[tokio::test]
async fn a_closed_channel_and_a_memory_alarm_lose_nothing() {
    let node = Node::start().await;
    let mut scene = Plan::new().on(&node.address).start().await;
    let sent = messages(40, "m");
    publish(&scene, &sent[..10]).await;
    assert_all_delivered(&scene, &sent[..10]).await;
    let close = "[rabbit_channel:send_command(P, {'channel.close', 406, <<\"enough\">>, 0, 0}) || P <- rabbit_channel:list()].";
    node.ctl(&["eval", close]).await;
    reconnect(&mut scene).await;
    publish(&scene, &sent[10..20]).await;
    assert_all_delivered(&scene, &sent[..20]).await;
    assert!(scene.gateway.log().contains("ended; connecting again"), "the channel was closed");
    assert_all_answered(&scene, 20).await;

    // Published while nobody takes them, because the alarm stops whoever publishes.
    assert!(scene.gateway.stop().await.success());
    publish(&scene, &sent[20..]).await;
    node.ctl(&["set_vm_memory_high_watermark", "0.00001"]).await;
    scene.gateway.restart().await;
    assert_all_delivered(&scene, &sent).await;
    let out = scene.fund.queue_out();
    stays("answers wait", Duration::from_secs(1), 0, async || scene.broker.admin.depth(&out).await).await;
    node.ctl(&["set_vm_memory_high_watermark", "0.3"]).await;
    assert_all_answered(&scene, 20).await;
    scene.stop_with_nothing_left().await;
}

/// F31.
#[tokio::test]
async fn connections_that_are_closed_are_made_again() {
    let mut scene = Plan::new().start().await;
    let sent = messages(60, "m");
    publish(&scene, &sent[..30]).await;
    // The management interface hears of a connection a little later. One for each queue, one for answers.
    eventually("the gateway's connections are closed", SOON, async || {
        (scene.broker.close_connections("kassebro ") >= 3).then_some(())
    })
    .await;
    publish(&scene, &sent[30..]).await;
    assert_all_delivered(&scene, &sent).await;
    assert_all_answered(&scene, sent.len()).await;
    scene.stop_with_nothing_left().await;
}

/// F37.
#[tokio::test]
async fn a_queue_that_is_deleted_and_made_again_is_consumed_again() {
    let mut scene = Plan::new().start().await;
    let sent = messages(20, "m");
    publish(&scene, &sent[..10]).await;
    assert_all_delivered(&scene, &sent[..10]).await;
    scene.broker.admin.delete_queue(&scene.fund.queue_in()).await;
    eventually("the gateway sees it", SOON, async || {
        scene.gateway.log().contains("the queue was deleted or moved").then_some(())
    })
    .await;
    scene.apply_topology().await;
    publish(&scene, &sent[10..]).await;
    assert_all_delivered(&scene, &sent).await;
    scene.stop_with_nothing_left().await;
}

/// F32.
#[tokio::test]
async fn a_broker_that_falls_silent_is_left_and_found_again() {
    let shared = crate::support::setting("KASSEBRO_TEST_AMQP");
    let (_, rest) = shared.split_once('@').expect("credentials");
    let address = rest.split('/').next().expect("host and port").parse().expect("an address");
    let proxy = Proxy::before(address);
    let mut scene = Plan::new().through(proxy.address()).with_short_heartbeats().start().await;
    let sent = messages(20, "m");
    publish(&scene, &sent[..10]).await;
    assert_all_delivered(&scene, &sent[..10]).await;
    proxy.hold_answers();
    eventually("the gateway gives up waiting", Duration::from_secs(30), async || {
        scene.gateway.log().contains("Consuming kassebro.in.3f ended").then_some(())
    })
    .await;
    publish(&scene, &sent[10..]).await;
    proxy.cut();
    assert_all_delivered(&scene, &sent).await;
    assert_all_answered(&scene, sent.len()).await;
    scene.stop_with_nothing_left().await;
}
