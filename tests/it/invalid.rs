//! What cannot be taken is kept with all that is wrong with it, answered, and in nobody's way.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

mod corpus;

use serde_json::Value;

use crate::support::{
    raw_amqp::{Properties, RawSender},
    scene::{FUND, Plan, Scene, body},
};
use corpus::{Bad, STRUCTURED, absurd_properties, bad_bodies};

/// Resident memory may grow by so much over everything here: prefetched bodies, and the store's caches.
const GROWTH_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// F36: bodies.
#[tokio::test]
async fn every_bad_body_is_kept_with_all_its_faults_and_answered_and_its_neighbours_pass() {
    let mut scene = Plan::new().start().await;
    let before = resident_bytes(&scene);
    let bad = bad_bodies();
    for (number, Bad { content_type, body: wrong, .. }) in bad.iter().enumerate() {
        let mut properties = scene.fund.properties();
        if let Some(content_type) = content_type {
            properties = properties.with_content_type((*content_type).into());
        }
        scene.fund.publish_with(properties, wrong).await;
        scene.fund.publish(&body("complaint", 1, &format!("good-{number}"))).await;
    }
    let kept = scene
        .until("every good one is delivered and every bad one kept", |kept| {
            kept.delivered() == bad.len() && kept.invalid().count() == bad.len()
        })
        .await;
    let answers = scene.answers(&scene.fund, 2 * bad.len()).await;
    for (Bad { name, body, id, rules, .. }, message) in bad.iter().zip(kept.invalid()) {
        assert_eq!(message.raw, *body, "{name}: the bytes are kept as they came, in their order");
        assert_eq!(message.id.as_deref(), *id, "{name}");
        assert_eq!(message.rules, *rules, "{name}");
        assert_eq!(message.party, FUND, "{name}");
        let receipt = message.receipt.to_string();
        let answer = answers
            .iter()
            .find(|answer| answer["data"]["receiptId"] == receipt.as_str())
            .unwrap_or_else(|| panic!("{name} is answered"));
        assert_eq!(answer["data"]["outcome"], "rejected", "{name}");
        assert_eq!(answer.get("correlationid").and_then(Value::as_str), *id, "{name}");
        let told: Vec<_> = answer["data"]["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| error["rule"].as_str().unwrap())
            .collect();
        assert_eq!(told, *rules, "{name}: the answer tells all");
        for name in [Some(receipt.as_str()), *id].into_iter().flatten() {
            let shown =
                scene.shown(&name.replace(' ', "%20")).unwrap_or_else(|| panic!("{name} is found over HTTP"));
            assert_eq!(shown["state"], "invalid", "{shown}");
            assert_eq!(shown["findings"].as_array().map(Vec::len), Some(rules.len()), "{shown}");
        }
    }
    let grown = resident_bytes(&scene).saturating_sub(before);
    assert!(grown < GROWTH_BYTES_MAX, "resident memory grew by {grown} bytes");
    scene.stop_with_nothing_left().await;
    assert!(!scene.gateway.log().contains("panicked"), "{}", scene.gateway.log());
}

/// F36: properties. A message is what its content is; what surrounds it absurdly is not looked into.
#[tokio::test]
async fn absurd_properties_stop_neither_the_message_nor_its_neighbours() {
    let mut scene = Plan::new().start().await;
    let before = resident_bytes(&scene);
    let mut sender = RawSender::connect(scene.fund.uri());
    let cases = absurd_properties(scene.fund.user.as_bytes());
    for (number, (_, properties, _)) in cases.iter().enumerate() {
        let absurd = body("complaint", 1, &format!("absurd-{number}"));
        sender.publish("kassebro.messages", "3f.message", properties, &absurd);
        scene.fund.publish(&body("complaint", 1, &format!("good-{number}"))).await;
    }
    // What is a text by the protocol, and is none.
    let plain = Properties::default().content_type(STRUCTURED.as_bytes()).user_id(scene.fund.user.as_bytes());
    sender.publish_bytes(b"kassebro.messages", b"3f.\xff\xfe", &plain, &body("complaint", 1, "astray"));

    let count = 2 * cases.len() + 1;
    let kept = scene
        .until("every message is settled", |kept| kept.messages.len() == count && kept.pending() == 0)
        .await;
    for (number, (name, _, rules)) in cases.iter().enumerate() {
        let id = format!("absurd-{number}");
        let message = kept
            .messages
            .iter()
            .find(|message| String::from_utf8_lossy(&message.raw).contains(&format!("\"{id}\"")))
            .unwrap_or_else(|| panic!("{name} is kept"));
        assert_eq!(message.rules, *rules, "{name}");
        assert_eq!(message.invalid, !rules.is_empty(), "{name}");
    }
    let refused = cases.iter().filter(|(_, _, rules)| !rules.is_empty()).count();
    assert_eq!(kept.delivered(), count - refused, "{kept}");
    let grown = resident_bytes(&scene).saturating_sub(before);
    assert!(grown < GROWTH_BYTES_MAX, "resident memory grew by {grown} bytes");
    scene.stop_with_nothing_left().await;
    assert!(
        !scene.gateway.log().contains("ended; connecting again"),
        "no session broke: {}",
        scene.gateway.log()
    );
}

/// Bytes of memory that the gateway has.
fn resident_bytes(scene: &Scene) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", scene.gateway.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() * 1024
}
