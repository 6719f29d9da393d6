//! Nothing of a person stands where operators and their tools look: not in the log, not in a metric, not in an
//! alert (invariant I10), also when everything is logged.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::scene::{Plan, body, event};

/// Every text in an event's data that could name or describe somebody: all of six characters or more.
fn texts(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if text.chars().count() >= 6 => {
            found.insert(text.clone());
        }
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(members) => members.values().for_each(|member| texts(member, found)),
        _ => {}
    }
}

#[tokio::test]
async fn no_word_of_a_message_stands_in_the_log_the_metrics_or_an_alert() {
    let scene = Plan::new().with("LOG__LEVEL", "debug").start().await;
    let mut people = BTreeSet::new();
    for (seed, kind) in (1..).zip(["complaint", "recommendation", "job_order"].into_iter().cycle().take(9)) {
        texts(&event(kind, seed, "x")["data"]["citizen"], &mut people);
        texts(&event(kind, seed, "x")["data"]["candidates"], &mut people);
        texts(&event(kind, seed, "x")["data"]["text"], &mut people);
        scene.fund.publish(&body(kind, seed, &format!("good-{seed}"))).await;
        // The same with a member that no schema knows, and with a number that is none.
        let mut wrong = event(kind, seed, &format!("bad-{seed}"));
        wrong["data"]["surprise"] = wrong["data"]["citizen"].clone();
        wrong["data"]["citizen"]["cpr"] = "3002008888".into();
        scene.fund.publish(wrong.to_string().as_bytes()).await;
    }
    people.insert("3002008888".into());
    assert!(people.len() > 9, "there is something to look for: {people:?}");
    scene.until("all are there", |kept| kept.messages.len() == 18).await;
    scene.delivered(9).await;
    let metrics = scene.gateway.http().get("/metrics").unwrap().body;
    let alerts = scene.gateway.command(&["alerts", "list", "--json"]).output().unwrap().stdout;
    let seen = [scene.gateway.log(), metrics, String::from_utf8(alerts).unwrap()];
    assert!(seen[0].lines().count() > 20, "debug lines are there: {}", seen[0]);
    for text in &people {
        for place in &seen {
            let line = place.lines().find(|line| line.contains(text.as_str()));
            assert_eq!(line, None, "{text}");
        }
    }
}
