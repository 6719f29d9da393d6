//! Receivers that are not called: a mailbox, a folder, a queue. The promise is met by their own word.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::support::{
    broker::Broker,
    eventually::eventually,
    folder,
    session::QueueKind,
    world::{FUND, Plan, SOON, World},
};

const CODE: &str = "0101";

fn fetched(world: &World) -> Vec<Value> {
    let answer = world.as_party(CODE).get("/v1/mailbox").unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    serde_json::from_str::<Value>(&answer.body).unwrap()["parcels"].as_array().unwrap().clone()
}

fn receipt(world: &World, delivery: &str, business: &str) -> u16 {
    let body = json!({ "deliveryId": delivery, "business": business, "receiptId": "JC-1" });
    world.as_party(CODE).call("POST", "/v1/receipts", &body.to_string()).unwrap().status
}

#[tokio::test]
async fn a_mailbox_keeps_the_parcel_until_it_is_acknowledged_and_that_meets_the_promise() {
    let mut world = Plan::new().receiver(CODE, "channel = \"mailbox\"").start().await;
    world.send("one", CODE);
    let parcel = eventually("it lies there", SOON, async || fetched(&world).pop()).await;
    let delivery = parcel["deliveryId"].as_str().unwrap().to_owned();
    assert_eq!(parcel["messageId"], "one");
    let body = BASE64_STANDARD.decode(parcel["body"].as_str().unwrap()).unwrap();
    let whole = world.as_party(CODE).get(&format!("/v1/mailbox/{delivery}")).unwrap();
    assert_eq!(whole.body.as_bytes(), body);
    assert_eq!(world.view("one").await.promises[0].standing, "on_track", "fetching is not having");
    assert_eq!(world.told("one"), ["accepted"]);
    world.gateway.kill();
    world.gateway.restart().await;
    assert_eq!(fetched(&world), [parcel], "what is not acknowledged lies there still");
    let ack = format!("/v1/mailbox/{delivery}/ack");
    assert_eq!(world.as_party(FUND).call("POST", &ack, "").unwrap().status, 404, "it is not theirs");
    assert_eq!(world.as_party(CODE).call("POST", &ack, "").unwrap().status, 204);
    assert_eq!(world.as_party(CODE).call("POST", &ack, "").unwrap().status, 204, "saying so twice is once");
    assert!(fetched(&world).is_empty());
    let view = world.view("one").await;
    assert_eq!((view.line.state.as_str(), view.promises[0].standing.as_str()), ("delivered", "met"));
    world.tells("one", &["accepted", "delivered"]).await;
    eventually("monitoring counts what was fetched as it does what was sent", SOON, async || {
        let metrics = world.gateway.http().get("/metrics").ok()?.body;
        let counted = |name: &str, more: &str| {
            let series =
                format!("kassebro_{name}_total{{kind=\"complaint.v1\",receiver=\"{CODE}\"{more}}} 1");
            metrics.lines().any(|line| line == series)
        };
        (counted("messages_delivered", "") && counted("sla_outcomes", ",outcome=\"met\",cause=\"none\""))
            .then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_file_is_dropped_whole_and_the_business_receipt_meets_the_promise() {
    let drop = folder("drop");
    let settings = format!("channel = \"file\"\nfolder = \"{}\"", drop.path().display());
    let world = Plan::new().receiver(CODE, &settings).start().await;
    world.send("one", CODE);
    let view = world.reaches("one", "delivered").await;
    let delivery = view.deliveries[0].delivery_id.to_string();
    assert_eq!(view.promises[0].standing, "on_track", "a folder is nobody's word");
    let names = || {
        let entries = std::fs::read_dir(drop.path()).unwrap().map(|entry| entry.unwrap().path());
        entries.collect::<Vec<_>>()
    };
    assert_eq!(names().len(), 1);
    assert_eq!(names()[0].file_stem().unwrap().to_str(), Some(delivery.as_str()));
    assert_eq!(receipt(&world, &delivery, "MODTAGET"), 204);
    assert_eq!(world.view("one").await.promises[0].standing, "met");
    assert_eq!(receipt(&world, &delivery, "MODTAGET"), 200, "a second one is kept and changes nothing");
    world.tells("one", &["accepted", "delivered"]).await;
}

#[tokio::test]
async fn a_queue_is_only_the_way_there_and_the_business_receipt_meets_the_promise() {
    let broker = Broker::fresh().await;
    broker.admin.declare_queue("inbox", QueueKind::Quorum).await;
    let settings =
        format!("channel = \"amqp\"\nurl = \"{}\"\nexchange = \"\"\nrouting_key = \"inbox\"", broker.uri());
    let world = Plan::new().receiver(CODE, &settings).start().await;
    world.send("one", CODE);
    let view = world.reaches("one", "delivered").await;
    let delivery = view.deliveries[0].delivery_id.to_string();
    assert_eq!(view.promises[0].standing, "on_track");
    let fetched = eventually("it lies in the queue", SOON, async || broker.admin.fetch("inbox").await).await;
    let id = fetched.properties.message_id().as_ref().unwrap();
    assert_eq!(id.as_str(), delivery);
    assert_eq!(receipt(&world, &delivery, "ACCEPTERET"), 204);
    assert_eq!(world.view("one").await.promises[0].standing, "met");
}

#[tokio::test]
async fn a_queue_that_is_missing_holds_the_lane_and_gets_it_once_it_is_there() {
    let broker = Broker::fresh().await;
    let settings =
        format!("channel = \"amqp\"\nurl = \"{}\"\nexchange = \"\"\nrouting_key = \"later\"", broker.uri());
    let world = Plan::new().receiver(CODE, &settings).start().await;
    world.send("one", CODE);
    world.attempted("one", 2).await;
    world.alerted(&["KassebroCircuitOpen"]).await;
    assert_eq!(world.state("one").await, "pending");
    broker.admin.declare_queue("later", QueueKind::Classic).await;
    world.reaches("one", "delivered").await;
    world.alerted(&[]).await;
}
