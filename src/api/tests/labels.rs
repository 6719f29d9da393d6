//! What senders write cannot make new series: labels come from configuration and closed sets.

use std::collections::BTreeSet;

use axum::body::Body;
use serde_json::{Value, json};

use super::rig::{Rig, event, invalid, request};

/// Every series of the exposition, without its value.
fn series(rig: &Rig) -> BTreeSet<String> {
    let text = rig.desk.metrics.encode();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.rsplit_once(' ').expect("a series and its value").0.to_owned()).collect()
}

/// One of each hostile sort; `seed` makes its words unlike all others.
async fn attack(rig: &Rig, seed: u32) {
    let word = format!("x{seed}");
    let with = |name: &str, value: Value| {
        let mut event = event("complaint", "3f", &format!("m-{seed}-{name}"));
        event[name] = value;
        event
    };
    for event in [
        with("type", format!("dk.kassebro.{word}.v1").into()),
        with("type", format!("dk.kassebro.complaint.v{}", seed + 2).into()),
        with("type", word.clone().into()),
        with("source", format!("urn:dk:akasse:{word}").into()),
        with("receiver", format!("urn:dk:jobcenter:{:04}", 2_000 + seed).into()),
        with("agreement", word.clone().into()),
        with(&word, word.clone().into()),
        with(&word.to_uppercase(), json!({ word.clone(): [] })),
        with("data", json!({ word.clone(): word.clone() })),
        with("datacontenttype", format!("application/{word}").into()),
        with("traceparent", word.clone().into()),
        invalid("3f", &format!("i-{seed}")),
        event("complaint", "3f", "the same"),
        with("data", word.clone().into()),
    ] {
        rig.send("3f", &event).await;
    }
    for body in [format!("{{\"{word}\":"), format!("<{word}>"), format!("<!DOCTYPE {word}>")] {
        let post = request("3f", "/v1/messages")
            .method("POST")
            .header(format!("ce-{word}"), word.as_str())
            .header("content-type", "application/cloudevents+json");
        rig.ask(post.body(Body::from(body)).unwrap()).await;
    }
}

#[tokio::test]
async fn hostile_kinds_parties_and_rules_make_no_new_series() {
    let rig = Rig::new();
    for seed in 0..2 {
        attack(&rig, seed).await;
    }
    let before = series(&rig);
    assert!(before.iter().any(|s| s.contains("messages_rejected_total") && s.contains("rule=\"schema.")));
    assert!(before.iter().any(|s| s.contains("kind=\"unknown\"")));
    for seed in 2..12 {
        attack(&rig, seed).await;
    }
    let after = series(&rig);
    let grown: Vec<_> = after.difference(&before).collect();
    assert!(grown.is_empty(), "{grown:#?}");
    let words = (0..12).find(|seed| after.iter().any(|series| series.contains(&format!("x{seed}"))));
    assert_eq!(words, None, "no word of a sender's stands in a label");
}
