//! What is about one citizen reaches one receiver in its order; nobody else waits for it.

use std::collections::BTreeMap;

use kassebro::tools::inbox::Behaviour;

use crate::support::{
    receiver::{Plays, Receiver, Taken, answer},
    scene::{Plan, SOON, event},
};

/// Published test numbers.
const ADA: &str = "0707614285";
const BO: &str = "2509479989";
const CITIZENS: [&str; 4] = [ADA, BO, "0103922852", "1509819996"];

/// A message about that citizen.
fn about(kind: &str, citizen: &str, id: &str) -> Vec<u8> {
    let mut event = event(kind, 1, id);
    event["data"]["citizen"]["cpr"] = citizen.into();
    event.to_string().into_bytes()
}

/// The first recommendation about Ada is refused twice; everything else is taken.
fn failing_head(taken: &Taken, earlier: &[Taken]) -> String {
    let about_ada = |taken: &Taken| {
        let body = String::from_utf8_lossy(&taken.body);
        body.contains(ADA) && !is_complaint(&body)
    };
    let key = taken.header("idempotency-key");
    let head = earlier.iter().find(|taken| about_ada(taken)).unwrap_or(taken).header("idempotency-key");
    let tries = earlier.iter().filter(|taken| taken.header("idempotency-key") == key).count();
    if about_ada(taken) && key == head && tries < 2 { answer(503, "", "") } else { answer(202, "", "") }
}

/// The case document's root.
fn is_complaint(body: &str) -> bool {
    body.contains("<Klagesag")
}

#[tokio::test]
async fn a_failing_message_holds_up_the_next_about_the_same_citizen_and_nobody_else() {
    let receiver = Receiver::start(Plays::Judges(failing_head));
    let mut scene = Plan::new().delivering_to(&receiver.url()).start().await;
    for (kind, citizen, id) in [
        ("recommendation", ADA, "first"),
        ("recommendation", ADA, "next"),
        ("recommendation", BO, "other"),
        ("complaint", ADA, "complaint"),
    ] {
        scene.fund.publish(&about(kind, citizen, id)).await;
    }
    let waiting = scene
        .until("the others are delivered while the head fails", |kept| {
            let hold = |id| kept.of(id).first().and_then(|m| m.deliveries[0].hold.clone());
            kept.delivered() == 2 && hold("next").as_deref() == Some("order")
        })
        .await;
    assert_eq!(waiting.of("first")[0].deliveries[0].hold, None, "the head waits for its next attempt only");
    let kept = scene.delivered(4).await;
    let key = |id: &str| kept.of(id)[0].deliveries[0].key.clone();
    let keys: Vec<String> =
        receiver.taken().iter().map(|t| t.header("idempotency-key").unwrap().to_owned()).collect();
    let places = |id: &str| -> Vec<usize> {
        keys.iter().enumerate().filter(|(_, k)| **k == key(id)).map(|(at, _)| at).collect()
    };
    let (first, next) = (places("first"), places("next"));
    assert_eq!((first.len(), next.len()), (3, 1), "{keys:?}");
    assert!(next[0] > first[2], "the next goes when the first is delivered");
    assert!(places("other")[0] < first[2] && places("complaint")[0] < first[2], "the others did not wait");
    scene.stop_with_nothing_left().await;
}

#[tokio::test]
async fn order_holds_for_each_citizen_over_failures_and_a_death() {
    let mut scene = Plan::new().start().await;
    let fails = Behaviour { fail_share: 0.3, fail_status: 503, ..Behaviour::default() };
    scene.inbox.handle.behave(fails).unwrap();
    let mut expected: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for number in 0..5 {
        for citizen in CITIZENS {
            let id = format!("{number}-{}", &citizen[..4]);
            scene.fund.publish(&about("recommendation", citizen, &id)).await;
            expected.entry(citizen).or_default().push(id);
        }
    }
    scene.until("half are delivered", |kept| kept.delivered() >= 10).await;
    scene.gateway.kill();
    scene.gateway.restart().await;
    let kept = scene.until_within(2 * SOON, "all are delivered", |kept| kept.delivered() == 20).await;
    let in_inbox = scene.inbox.taken();
    for (citizen, ids) in expected {
        let places: Vec<usize> = ids
            .iter()
            .map(|id| {
                let key = &kept.of(id)[0].deliveries[0].key;
                in_inbox.iter().position(|(taken, _)| taken == key).unwrap()
            })
            .collect();
        assert!(places.is_sorted(), "the order of those about {}…: {places:?}", &citizen[..2]);
    }
    scene.stop_with_nothing_left().await;
}
