//! What the AMQP channel makes of a real RabbitMQ: in a queue, in none, or unknown.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

use std::{net::SocketAddr, time::Duration};

use futures_util::future::join_all;
use kassebro::{
    amqp_client::{Broker as Reached, Tls},
    amqp_uri::AmqpUri,
    channels::{
        Channel, amqp,
        amqp_publisher::{Letter, NotPublished, Publisher, Settings},
    },
    clock::{Clock, System},
    domain::{FaultCode, Outcome},
};
use lapin::{
    Connection, ConnectionProperties,
    options::QueueDeclareOptions,
    types::{AMQPValue, FieldTable, ShortString},
};

use crate::support::{
    broker::{Broker, Rights},
    chaos::Proxy,
    consignment,
    eventually::eventually,
    node::Node,
    receiver::{Plays, Receiver},
    session::QueueKind,
};

fn since(begin: Duration) -> Duration {
    System.monotonic().saturating_sub(begin)
}

const SOON: Duration = Duration::from_secs(30);

fn channel(uri: &str, exchange: &str, routing_key: &str) -> amqp::Amqp {
    let toml = format!(
        "url = \"{uri}\"\nexchange = \"{exchange}\"\nrouting_key = \"{routing_key}\"\nconnect_timeout = \"2s\"\nconfirm_timeout = \"3s\""
    );
    amqp::Amqp::new(&toml::from_str(&toml).unwrap(), "0707").unwrap()
}

fn code(outcome: &Outcome) -> Option<FaultCode> {
    match outcome {
        Outcome::Fault { fault, .. } => Some(fault.code),
        _ => None,
    }
}

/// The `scheme://user:password@` and `/vhost` of an address, with another host and port between.
fn at(uri: &str, address: SocketAddr) -> String {
    let (credentials, rest) = uri.split_once('@').unwrap();
    let (_, vhost) = rest.split_once('/').unwrap();
    format!("{credentials}@{address}/{vhost}")
}

fn address(uri: &str) -> SocketAddr {
    let (_, rest) = uri.split_once('@').unwrap();
    rest.split('/').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_parcel_lies_in_the_queue_with_its_key_when_it_counts_as_delivered() {
    let broker = Broker::fresh().await;
    let consignment = consignment::saying("æøå");
    for (queue, kind) in [("quorum", QueueKind::Quorum), ("classic", QueueKind::Classic)] {
        broker.admin.declare_queue(queue, kind).await;
        let outcome = channel(&broker.uri(), "", queue).send(&consignment).await;
        let Outcome::Delivered(proof) = outcome else { panic!("{outcome:?}") };
        assert!(proof.receipt_follows, "in the queue is not yet in the receiver's hands");
        let message = eventually("the parcel is there", SOON, async || broker.admin.fetch(queue).await).await;
        assert_eq!(message.body, "æøå".as_bytes());
        let text = |value: &Option<ShortString>| value.as_ref().map(ToString::to_string);
        let properties = &message.properties;
        assert_eq!(text(properties.message_id()), Some(consignment.delivery.to_string()));
        assert_eq!(text(properties.kind()).as_deref(), Some("dk.kassebro.complaint.v1"));
        assert_eq!(text(properties.content_type()).as_deref(), Some("application/cloudevents+json"));
        assert_eq!(text(properties.correlation_id()).as_deref(), Some("case-7"));
        assert_eq!(*properties.delivery_mode(), Some(2), "persistent");
        let headers = properties.headers().as_ref().expect("the trace is carried on");
        assert!(headers.contains_key("traceparent") && headers.contains_key("tracestate"));
    }
}

/// F39.
#[tokio::test]
async fn what_no_queue_takes_is_not_delivered_and_the_next_one_is() {
    let mut broker = Broker::fresh().await;
    broker.admin.declare_exchange("out").await;
    broker.admin.declare_queue("inbox", QueueKind::Quorum).await;
    let parcel = consignment::saying("{}");
    for (exchange, key) in [("", "no-such-queue"), ("out", "unbound"), ("no-such-exchange", "inbox")] {
        let outcome = channel(&broker.uri(), exchange, key).send(&parcel).await;
        assert_eq!(code(&outcome), Some(FaultCode::ReceiverUnroutable), "{exchange:?} {key:?}: {outcome:?}");
    }
    let named = broker.own_name("reader");
    let rights = Rights { configure: "^$", write: "^$", read: ".*" };
    let uri = broker.add_user(&named, rights);
    let outcome = channel(&uri, "out", "inbox").send(&parcel).await;
    assert_eq!(code(&outcome), Some(FaultCode::ReceiverUnauthorised), "{outcome:?}");

    let mending = channel(&broker.uri(), "out", "inbox");
    assert_eq!(code(&mending.send(&parcel).await), Some(FaultCode::ReceiverUnroutable));
    broker.admin.bind("inbox", "out", "inbox").await;
    assert!(mending.send(&parcel).await.is_delivered(), "over the same connection");
}

#[tokio::test]
async fn a_full_queue_is_busy() {
    let broker = Broker::fresh().await;
    let connection = Connection::connect(&broker.uri(), ConnectionProperties::default()).await.unwrap();
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-length".into(), AMQPValue::LongInt(0));
    arguments.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
    let declaring = connection.create_channel().await.unwrap();
    declaring.queue_declare("full".into(), QueueDeclareOptions::durable(), arguments).await.unwrap();
    let outcome = channel(&broker.uri(), "", "full").send(&consignment::saying("{}")).await;
    assert_eq!(code(&outcome), Some(FaultCode::ReceiverBusy), "{outcome:?}");
}

#[tokio::test]
async fn a_broker_that_is_not_reached_or_refuses_us_was_sent_nothing() {
    let broker = Broker::fresh().await;
    let uri = broker.uri();
    let free: SocketAddr = "127.0.0.1:1".parse().unwrap();
    let wrong_password = uri.replacen('@', "x@", 1);
    let wrong_vhost = format!("{uri}-not-there");
    for (name, uri, meaning) in [
        ("refused", at(&uri, free), FaultCode::ConnectFailed),
        ("wrong password", wrong_password, FaultCode::ReceiverUnauthorised),
        ("no such vhost", wrong_vhost, FaultCode::ReceiverUnauthorised),
    ] {
        let channel = channel(&uri, "", "inbox");
        let outcome = channel.send(&consignment::saying("{}")).await;
        assert_eq!(code(&outcome), Some(meaning), "{name}: {outcome:?}");
        assert_eq!(channel.probe().await.err().map(|fault| fault.code), Some(meaning), "{name}");
        let Outcome::Fault { fault, .. } = outcome else { unreachable!("checked above") };
        let password = uri.split(['@', ':']).nth(2).unwrap();
        assert!(!fault.detail.contains(password), "{}", fault.detail);
    }
    assert_eq!(channel(&uri, "", "inbox").probe().await, Ok(()));
}

#[tokio::test]
async fn a_silent_broker_is_given_up_in_time_and_not_met_with_ever_more_connections() {
    let silent = Receiver::start(Plays::Ignores);
    let uri = format!("amqp://a:b@{}/%2f", silent.address());
    let channel = channel(&uri, "", "inbox");
    let parcel = consignment::saying("{}");
    for _ in 0..3 {
        let started = System.monotonic();
        assert_eq!(code(&channel.send(&parcel).await), Some(FaultCode::ConnectFailed));
        assert!(since(started) < Duration::from_secs(4));
    }
    // Outlasts the pause after a failure, so that a connection is tried for again.
    let tried = System.monotonic();
    eventually("a handshake is waited for again", SOON, async || {
        let started = System.monotonic();
        channel.send(&parcel).await;
        (since(started) > Duration::from_secs(1)).then_some(())
    })
    .await;
    assert!(since(tried) < SOON);
    assert_eq!(silent.connections(), 1, "one handshake at a time");
}

#[tokio::test]
async fn a_connection_lost_before_the_confirm_is_ambiguous_and_the_same_key_comes_again() {
    let broker = Broker::fresh().await;
    broker.admin.declare_queue("inbox", QueueKind::Quorum).await;
    let proxy = Proxy::before(address(&broker.uri()));
    let channel = channel(&at(&broker.uri(), proxy.address()), "", "inbox");
    assert!(channel.send(&consignment::saying("first")).await.is_delivered());
    let parcel = consignment::saying("second");

    proxy.hold_answers();
    let cut = async {
        eventually("the second lies in the queue", SOON, async || {
            (broker.admin.depth("inbox").await == 2).then_some(())
        })
        .await;
        proxy.cut();
    };
    let (outcome, ()) = tokio::join!(channel.send(&parcel), cut);
    assert_eq!(code(&outcome), Some(FaultCode::NoAnswer), "{outcome:?}");

    eventually("the same parcel is confirmed", SOON, async || {
        channel.send(&parcel).await.is_delivered().then_some(())
    })
    .await;
    let mut ids = Vec::new();
    while let Some(message) = broker.admin.fetch("inbox").await {
        ids.push(message.properties.message_id().as_ref().map(ToString::to_string));
    }
    assert_eq!(ids.len(), 3);
    assert_eq!(ids[1], ids[2], "one key, twice");
}

#[tokio::test]
async fn a_confirm_that_does_not_come_is_ambiguous_in_time() {
    let broker = Broker::fresh().await;
    broker.admin.declare_queue("inbox", QueueKind::Quorum).await;
    let proxy = Proxy::before(address(&broker.uri()));
    let channel = channel(&at(&broker.uri(), proxy.address()), "", "inbox");
    assert!(channel.send(&consignment::saying("first")).await.is_delivered());
    proxy.hold_answers();
    let started = System.monotonic();
    let outcome = channel.send(&consignment::saying("second")).await;
    assert_eq!(code(&outcome), Some(FaultCode::NoAnswer), "{outcome:?}");
    assert!(since(started) < Duration::from_secs(5));
}

fn publisher(uri: &str) -> Publisher {
    let settings = Settings {
        broker: Reached::new(AmqpUri::parse(uri).unwrap(), Tls::default(), Duration::from_secs(2)),
        confirm_timeout: Duration::from_secs(20),
    };
    Publisher::new("answers", &settings)
}

fn letter(number: usize, routing_key: &str) -> Letter {
    Letter {
        exchange: "answers".into(),
        routing_key: routing_key.into(),
        message_id: format!("answer-{number}"),
        content_type: "application/cloudevents+json".into(),
        event_type: "dk.kassebro.answer.v1".into(),
        correlation_id: None,
        headers: vec![],
        timestamp: jiff::Timestamp::UNIX_EPOCH,
        body: vec![b'x'; 2000].into(),
    }
}

#[tokio::test]
async fn in_a_large_batch_each_letter_has_its_own_fate() {
    let broker = Broker::fresh().await;
    broker.admin.declare_exchange("answers").await;
    broker.admin.declare_queue("out", QueueKind::Classic).await;
    broker.admin.bind("out", "answers", "3f.*").await;
    let publisher = publisher(&broker.uri());
    let unroutable = |number: usize| number % 3 == 1;
    let batch = |from: usize| -> Vec<_> {
        (from..from + 600)
            .map(|n| letter(n, if unroutable(n) { "nobody.x" } else { "3f.rejected" }))
            .collect()
    };
    let batches: Vec<_> = (0..20).map(|n| batch(n * 600)).collect();
    let fates = join_all(batches.iter().map(|letters| publisher.publish(letters))).await;
    for (number, fate) in fates.into_iter().flatten().enumerate() {
        if unroutable(number) {
            assert!(matches!(fate, Err(NotPublished::Unroutable(_))), "{number}: {fate:?}");
        } else {
            assert_eq!(fate, Ok(()), "{number}");
        }
    }
    eventually("all that were taken lie in the queue", SOON, async || {
        (broker.admin.depth("out").await == 8000).then_some(())
    })
    .await;
    publisher.close().await;
}

#[tokio::test]
async fn a_letter_that_no_broker_can_take_harms_no_other() {
    let broker = Broker::fresh().await;
    broker.admin.declare_exchange("answers").await;
    broker.admin.declare_queue("out", QueueKind::Classic).await;
    broker.admin.bind("out", "answers", "3f.*").await;
    let mut letters = [letter(1, "3f.rejected"), letter(2, "3f.rejected"), letter(3, "3f.rejected")];
    letters[1].message_id = "x".repeat(256);
    let fates = publisher(&broker.uri()).publish(&letters).await;
    assert_eq!((&fates[0], &fates[2]), (&Ok(()), &Ok(())));
    assert!(matches!(fates[1], Err(NotPublished::Refused(_))), "{:?}", fates[1]);
}

/// F30, F34.
#[tokio::test]
async fn an_alarm_and_a_killed_broker_are_outlived() {
    let node = Node::start().await;
    let broker = Broker::fresh_on(node.address.clone()).await;
    broker.admin.declare_queue("inbox", QueueKind::Quorum).await;
    let channel = channel(&broker.uri(), "", "inbox");
    let parcel = consignment::saying("{}");
    assert!(channel.send(&parcel).await.is_delivered());

    node.ctl(&["set_vm_memory_high_watermark", "0.0000001"]).await;
    eventually("the alarm is seen", SOON, async || {
        let outcome = channel.send(&parcel).await;
        (code(&outcome) == Some(FaultCode::ReceiverBusy)).then_some(())
    })
    .await;
    node.ctl(&["set_vm_memory_high_watermark", "0.4"]).await;
    eventually("the alarm is over", SOON, async || channel.send(&parcel).await.is_delivered().then_some(()))
        .await;

    node.kill().await;
    let outcome = channel.send(&parcel).await;
    assert!(!outcome.is_delivered(), "{outcome:?}");
    node.start_again().await;
    eventually("the broker is found again", SOON, async || {
        channel.send(&parcel).await.is_delivered().then_some(())
    })
    .await;
}
