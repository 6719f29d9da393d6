//! What comes through RabbitMQ is stored, then acknowledged, then delivered and answered; each message once.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::SignedDuration;
use kassebro::{
    codec::kombit,
    domain::{Envelope, Event, KindId, alert::Change},
    store::{
        Views,
        sqlite::{Mode, Sqlite},
    },
};
use lapin::{BasicProperties, types::AMQPValue};
use serde_json::Value;

use crate::support::{
    command::run,
    eventually::{eventually, stays},
    rounds,
    scene::{FUND, OTHER, Plan, Scene, body, event, headers, messages, only},
    session::{Published, QueueKind},
};

#[tokio::test]
async fn a_message_is_stored_delivered_acknowledged_and_answered() {
    for kind in [QueueKind::Quorum, QueueKind::Classic] {
        let mut scene = Plan::new().queues(kind).start().await;
        let sent = messages(3, "m");
        for (_, body) in &sent {
            scene.fund.publish(body).await;
        }
        let ids = ids(&sent);
        let kept = scene.delivered(3).await;
        scene.assert_conserved(&kept, &ids);
        for (id, body) in &sent {
            assert_eq!(only(&kept, id).raw, *body, "the bytes are kept as they came");
            assert_eq!(only(&kept, id).party, FUND);
            assert_eq!(only(&kept, id).deliveries[0].attempts, 1, "once on a good day");
        }

        let answers = scene.answers(&scene.fund, 3).await;
        let keys: BTreeSet<_> = scene.inbox.taken().into_iter().map(|(key, _)| key).collect();
        for answer in &answers {
            let data = &answer["data"];
            assert_eq!(answer["type"], "dk.kassebro.answer.v1");
            assert_eq!(answer["receiver"], "urn:dk:akasse:3f");
            assert_eq!(answer["correlationid"], data["messageId"]);
            assert_eq!(data["outcome"], "delivered");
            let words = ["class", "transport", "business"].map(|word| data[word].as_str().unwrap());
            assert_eq!(words, ["ok", "OK", "AFLEVERET"]);
            assert!(keys.contains(data["deliveryId"].as_str().unwrap()), "{data}");
            assert!(data["deadline"].is_string(), "{data}");
        }
        let answered: BTreeSet<_> = answers.iter().map(|a| a["correlationid"].as_str().unwrap()).collect();
        assert_eq!(answered, ids.iter().map(String::as_str).collect());
        assert!(scene.broker.admin.fetch(&scene.fund.queue_out()).await.is_none(), "each is answered once");

        let shown = scene.shown("m-1").expect("it is there for its sender");
        assert_eq!(shown["state"], "delivered", "{shown}");
        let others = scene.http_as(&scene.other).get("/v1/messages/m-1").unwrap();
        assert_eq!(others.status, 404, "another party's message is not there");
        scene.stop_with_nothing_left().await;
    }
}

#[tokio::test]
async fn binary_mode_and_a_kombit_envelope_are_as_good_as_structured_mode() {
    let mut scene = Plan::new().start().await;
    let complaint = |id: &str| {
        let mut event = event("complaint", 7, id);
        // The envelope has no place for it.
        event.as_object_mut().unwrap().remove("subject");
        event
    };
    scene.fund.publish(complaint("structured").to_string().as_bytes()).await;
    for (id, prefix) in [("underscore", "cloudEvents_"), ("colon", "cloudEvents:")] {
        let (properties, data) = binary(&scene, &complaint(id), prefix);
        scene.fund.publish_with(properties, &data).await;
    }
    let xml = kombit::write(&read(&complaint("kombit"))).unwrap();
    let as_xml = || scene.fund.properties().with_content_type("application/xml".into());
    scene.fund.publish_with(as_xml(), xml.as_bytes()).await;
    // The same message once more, each time in another syntax than the first.
    let (properties, data) = binary(&scene, &complaint("kombit"), "cloudEvents_");
    scene.fund.publish_with(properties, &data).await;
    let xml = kombit::write(&read(&complaint("structured"))).unwrap();
    scene.fund.publish_with(as_xml(), xml.as_bytes()).await;

    let kept = scene
        .until("four messages and two duplicates", |kept| {
            kept.delivered() == 4 && kept.happened("duplicate") == 2
        })
        .await;
    let ids = ["structured", "underscore", "colon", "kombit"].map(str::to_owned);
    scene.assert_conserved(&kept, &ids);
    scene.stop_with_nothing_left().await;
}

#[tokio::test]
async fn a_duplicate_is_taken_once_and_delivered_once() {
    let mut scene = Plan::new().start().await;
    let body = body("complaint", 1, "twice");
    scene.fund.publish(&body).await;
    scene.delivered(1).await;
    scene.fund.publish(&body).await;
    let kept = scene.until("the duplicate is noted", |kept| kept.happened("duplicate") == 1).await;
    scene.assert_conserved(&kept, &["twice".to_owned()]);
    assert_eq!(scene.inbox.handle.stats().attempts, 1);
    assert_eq!(scene.answers(&scene.fund, 1).await.len(), 1);
    scene.stop_with_nothing_left().await;
}

#[tokio::test]
async fn the_same_id_with_another_body_is_refused_and_the_first_is_untouched() {
    let mut scene = Plan::new().start().await;
    let first = body("complaint", 1, "reused");
    scene.fund.publish(&first).await;
    scene.delivered(1).await;
    scene.fund.publish(&body("complaint", 2, "reused")).await;
    let kept = scene.until("the second is refused", |kept| kept.invalid().count() == 1).await;
    scene.assert_conserved(&kept, &["reused".to_owned()]);
    assert_eq!(kept.accepted().next().unwrap().raw, first);
    assert_eq!(kept.invalid().next().unwrap().rules, ["identity.reused"]);

    let answers = scene.answers(&scene.fund, 2).await;
    let rejected = answers.iter().find(|a| a["data"]["outcome"] == "rejected").expect("one is rejected");
    assert_eq!(rejected["correlationid"], "reused");
    assert_eq!(rejected["data"]["business"], "AFVIST");
    assert_eq!(rejected["data"]["errors"][0]["rule"], "identity.reused");
    scene.stop_with_nothing_left().await;
}

/// A step that shares no divisor with the number of places comes to every place once.
const STEP: usize = 7919;

/// F35.
#[tokio::test]
async fn every_message_three_times_and_shuffled_is_delivered_once() {
    let mut scene = Plan::new().start().await;
    let sent = messages(rounds(40), "thrice");
    let count = sent.len();
    let places = count * 3;
    for turn in 0..places {
        scene.fund.publish(&sent[turn * STEP % places % count].1).await;
    }
    let kept = scene
        .until("all are delivered and all others noted", |kept| {
            kept.delivered() == count && kept.happened("duplicate") == 2 * count
        })
        .await;
    scene.assert_conserved(&kept, &ids(&sent));
    assert_eq!(scene.inbox.handle.stats().attempts, count as u64);
    scene.stop_with_nothing_left().await;
}

#[tokio::test]
async fn what_another_user_puts_into_a_queue_is_that_users_and_is_not_answered_there() {
    let mut scene = Plan::new().start().await;
    // In the fund's own words, too: the body decides nothing.
    for (place, into) in [("3f.message", "intruder-1"), ("3f.complaint", "intruder-2")] {
        let published =
            scene.other.publish_to(place, scene.other.properties(), &body("complaint", 1, into)).await;
        assert_eq!(published.unwrap(), Published::Confirmed);
    }
    // By sender-selected distribution: the key is its own, the copy goes elsewhere.
    let mut table = headers(&[]);
    let copies = vec![AMQPValue::LongString("3f.message".into())];
    table.insert("CC".into(), AMQPValue::FieldArray(copies.into()));
    let properties = scene.other.properties().with_headers(table);
    scene.other.publish_to("nowhere", properties, &body("complaint", 1, "intruder-3")).await.unwrap();
    scene.fund.publish(&body("complaint", 1, "good")).await;

    let kept = scene
        .until("three are refused and the good one is delivered", |kept| {
            kept.invalid().count() == 3 && kept.delivered() == 1
        })
        .await;
    for intruder in kept.invalid() {
        assert_eq!(
            (intruder.party.as_str(), &intruder.rules[..]),
            (OTHER, &["party.amqp-user".to_owned()][..])
        );
    }
    let answers = scene.answers(&scene.fund, 1).await;
    assert_eq!(answers[0]["correlationid"], "good");
    assert_eq!(kept.answers.len(), 1, "nobody is told of the others: {:?}", kept.answers);
    assert!(scene.shown("intruder-1").is_none(), "nor does the fund find it");
    scene.stop_with_nothing_left().await;
}

#[tokio::test]
async fn what_came_astray_is_alerted_until_none_came_for_an_hour_also_over_a_restart() {
    let mut scene = Plan::new().start().await;
    let mut table = headers(&[]);
    let copies = vec![AMQPValue::LongString("3f.message".into())];
    table.insert("BCC".into(), AMQPValue::FieldArray(copies.into()));
    let properties = scene.other.properties().with_headers(table);
    for number in 0..3 {
        let message = body("complaint", 1, &format!("intruder-{number}"));
        scene.other.publish_to("nowhere", properties.clone(), &message).await.unwrap();
    }
    scene.fund.publish_with(BasicProperties::default(), &body("complaint", 1, "nobodys")).await;
    let alerts = |scene: &Scene| {
        let store = Sqlite::open(&scene.gateway.folder().join("kassebro.db"), Mode::Tool).unwrap();
        async move {
            let changes = store.alert_changes(0, 1_000).await.unwrap();
            let ours = changes.into_iter().filter(|told| told.condition.name == "KassebroMessagesAstray");
            ours.map(|told| (told.condition.labels["party"].clone(), told.change)).collect::<Vec<_>>()
        }
    };
    let open = [(OTHER.to_owned(), Change::Opened), ("unknown".to_owned(), Change::Opened)];
    let opened = eventually("both are alerted", Duration::from_secs(20), async || {
        let mut found = alerts(&scene).await;
        found.sort_by(|one, other| one.0.cmp(&other.0));
        (found.len() == 2).then_some(found)
    })
    .await;
    assert_eq!(opened, open, "one alert for each party, however many messages");
    let shown = run(&mut scene.gateway.command(&["--json", "alerts", "list"])).exits(0).json();
    let of_other = shown.as_array().unwrap().iter().find(|alert| alert["labels"]["party"] == OTHER).unwrap();
    assert_eq!((&of_other["labels"]["queue_of"], &of_other["urgency"]), (&"3f".into(), &"warning".into()));
    assert!(of_other["summary"].as_str().unwrap().starts_with("3 messages"), "{of_other}");

    scene.gateway.kill();
    scene.gateway.restart().await;
    stays("the restart neither resolves nor repeats it", Duration::from_secs(2), 2, async || {
        alerts(&scene).await.len()
    })
    .await;
    scene.gateway.set_clock(SignedDuration::from_mins(61));
    let resolved = eventually("both are resolved", Duration::from_secs(20), async || {
        let found = alerts(&scene).await;
        (found.len() == 4).then_some(found)
    })
    .await;
    assert!(resolved[2..].iter().all(|(_, change)| *change == Change::Resolved), "{resolved:?}");
}

#[tokio::test]
async fn a_message_without_user_id_is_refused() {
    let mut scene = Plan::new().start().await;
    scene.fund.publish_with(BasicProperties::default(), &body("complaint", 1, "nobodys")).await;
    let kept = scene.until("it is refused", |kept| kept.invalid().count() == 1).await;
    let refused = kept.invalid().next().unwrap();
    assert_eq!(refused.rules, ["party.amqp-user"]);
    assert_eq!(refused.party, "unknown");
    assert_eq!(kept.answers, []);
    scene.stop_with_nothing_left().await;
}

#[tokio::test]
async fn a_message_for_a_receiver_that_nobody_knows_is_refused_with_the_reason() {
    let mut scene = Plan::new().start().await;
    let mut astray = event("complaint", 1, "astray");
    astray["receiver"] = "urn:dk:jobcenter:0707".into();
    scene.fund.publish(astray.to_string().as_bytes()).await;
    let answers = scene.answers(&scene.fund, 1).await;
    assert_eq!(answers[0]["data"]["outcome"], "rejected");
    assert_eq!(answers[0]["correlationid"], "astray");
    let errors = answers[0]["data"]["errors"].as_array().unwrap();
    let no_route = errors.iter().find(|e| e["rule"] == "route.none").expect("the reason");
    assert_eq!(no_route["pointer"], "/receiver");
    assert!(no_route["message"]["da"].is_string() && no_route["message"]["en"].is_string(), "{no_route}");
    assert_eq!(scene.kept().delivered(), 0);
    // A rejected message claims no identity: mended, it is taken under the same id.
    scene.fund.publish(&body("complaint", 1, "astray")).await;
    scene.delivered(1).await;
    scene.stop_with_nothing_left().await;
}

#[tokio::test]
async fn many_messages_are_committed_and_acknowledged_in_batches() {
    let mut scene = Plan::new().start().await;
    assert!(scene.gateway.stop().await.success());
    let sent = messages(rounds(300), "many");
    for (_, body) in &sent {
        scene.fund.publish(body).await;
    }
    scene.gateway.restart().await;
    let kept = scene.delivered(sent.len()).await;
    scene.assert_conserved(&kept, &ids(&sent));
    let metrics = scene.gateway.http().get("/metrics").unwrap().body;
    let commits = metrics
        .lines()
        .find(|line| line.contains("commit") && line.contains("_count") && line.contains("intake"))
        .and_then(|line| line.rsplit(' ').next()?.parse::<usize>().ok())
        .expect("commits are counted");
    assert!(commits < sent.len() / 2, "{commits} commits for {} messages", sent.len());
    let answered: BTreeMap<_, _> = scene
        .answers(&scene.fund, sent.len())
        .await
        .into_iter()
        .map(|answer| {
            (answer["correlationid"].as_str().unwrap().to_owned(), answer["data"]["outcome"].clone())
        })
        .collect();
    assert_eq!(answered.len(), sent.len(), "each is answered");
    scene.stop_with_nothing_left().await;
}

#[tokio::test]
async fn a_queue_that_is_gone_is_named_by_readiness_which_stays_ready() {
    let scene = Plan::new().start().await;
    let queue = scene.fund.queue_in();
    scene.broker.admin.delete_queue(&queue).await;
    let readiness = eventually("readiness names the queue", Duration::from_secs(20), async || {
        let answer = scene.gateway.http().get("/readyz").ok()?;
        answer.body.contains(&queue).then_some(answer)
    })
    .await;
    assert_eq!(readiness.status, 200, "HTTP and deliveries go on: {}", readiness.body);
}

fn ids(messages: &[(String, Vec<u8>)]) -> Vec<String> {
    messages.iter().map(|(id, _)| id.clone()).collect()
}

/// An event in binary mode.
fn binary(scene: &Scene, event: &Value, prefix: &str) -> (BasicProperties, Vec<u8>) {
    let names: Vec<String> = ["specversion", "id", "source", "type", "time", "receiver"]
        .iter()
        .map(|name| format!("{prefix}{name}"))
        .collect();
    let values: Vec<(&str, &str)> =
        names.iter().map(|name| (name.as_str(), event[&name[prefix.len()..]].as_str().unwrap())).collect();
    let properties = scene
        .fund
        .properties()
        .with_content_type("application/json; charset=utf-8".into())
        .with_headers(headers(&values));
    (properties, event["data"].to_string().into_bytes())
}

fn read(event: &Value) -> Event {
    let text = |name: &str| event[name].as_str().unwrap();
    Event {
        envelope: Envelope {
            id: text("id").parse().unwrap(),
            source: text("source").parse().unwrap(),
            kind: KindId::from_event_type(text("type")).unwrap(),
            time: text("time").parse().unwrap(),
            recorded: None,
            receiver: text("receiver").parse().unwrap(),
            agreement: None,
            subject: None,
            correlation_id: None,
            causation_id: None,
            traceparent: None,
            tracestate: None,
        },
        data: event["data"].clone(),
    }
}
