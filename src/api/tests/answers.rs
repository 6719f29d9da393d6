//! `GET /v1/answers`: in order, by cursor, and awake when something comes.

use std::time::Duration;

use serde_json::{Value, json};

use super::rig::{Rig, config, event, invalid};
use crate::clock::Clock;

fn ids(page: &Value) -> Vec<String> {
    page["answers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|answer| answer["data"]["messageId"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn answers_come_in_order_after_the_cursor() {
    let rig = Rig::new();
    for number in 1..=3 {
        rig.send("3f", &invalid("3f", &format!("m-{number}"))).await;
    }
    let page = rig.get("3f", "/v1/answers").await.json();
    assert_eq!(ids(&page), ["m-1", "m-2", "m-3"]);
    let first = &page["answers"][0];
    assert_eq!(first["type"], "dk.kassebro.answer.v1");
    assert_eq!(first["correlationid"], "m-1");
    assert_eq!(first["id"], format!("{}.rejected", first["data"]["receiptId"].as_str().unwrap()));
    let after =
        rig.get("3f", &format!("/v1/answers?after={}", first["cursor"].as_str().unwrap())).await.json();
    assert_eq!(ids(&after), ["m-2", "m-3"]);
    let end = page["next"].as_str().unwrap();
    let none = rig.get("3f", &format!("/v1/answers?after={end}")).await.json();
    assert_eq!(none, json!({ "answers": [], "next": end }));
}

#[tokio::test]
async fn a_waiting_caller_is_woken_by_a_new_answer() {
    let rig = Rig::new();
    let mut waiting = Box::pin(rig.get("3f", "/v1/answers?wait=60"));
    // The clock stands still: only the bell can wake it. It may look once before it waits.
    let early = tokio::time::timeout(Duration::from_millis(50), &mut waiting).await;
    assert!(early.is_err(), "there is nothing yet");
    rig.send("krifa", &invalid("krifa", "theirs")).await;
    rig.send("3f", &invalid("3f", "m-1")).await;
    let page = tokio::time::timeout(Duration::from_secs(10), waiting).await.expect("the bell woke it").json();
    assert_eq!(ids(&page), ["m-1"]);
    assert_eq!(rig.clock.monotonic(), Duration::ZERO);
}

#[tokio::test]
async fn a_caller_waits_as_long_as_it_asks_and_never_longer_than_a_minute() {
    let rig = Rig::new();
    let none = json!({ "answers": [], "next": "0" });
    assert_eq!(rig.get("3f", "/v1/answers?wait=0").await.json(), none, "at once");
    for (asked, waits) in [("3", 3), ("3600", 60)] {
        let (reply, waited) = rig.meanwhile(rig.get("3f", &format!("/v1/answers?wait={asked}"))).await;
        assert_eq!((reply.status.as_u16(), reply.json()), (200, none.clone()));
        // The clock runs on while the last look is on its way.
        assert!((waits..waits + 60).contains(&waited.as_secs()), "{asked}: {waited:?}");
    }
}

#[tokio::test]
async fn waiting_callers_are_capped_and_hinder_no_sending() {
    let few = crate::api::Config { waiting_max: 1, requests_max: 1, ..config() };
    let rig = Rig::with(few, |store| store);
    let mut waiting = Box::pin(rig.get("3f", "/v1/answers?wait=60"));
    assert!(tokio::time::timeout(Duration::from_millis(50), &mut waiting).await.is_err());
    assert_eq!(rig.get("3f", "/v1/answers?wait=60").await.status, 429);
    assert_eq!(rig.send("3f", &event("complaint", "3f", "m-1")).await.status, 202);
    rig.stop.request();
    assert_eq!(waiting.await.status, 200, "a stop ends the waiting");
}

#[tokio::test]
async fn a_query_that_cannot_be_read_is_400() {
    let rig = Rig::new();
    for query in ["after=x", "after=-1", "wait=long", "page=2"] {
        let reply = rig.get("3f", &format!("/v1/answers?{query}")).await;
        assert_eq!(reply.status, 400, "{query}");
    }
    assert_eq!(rig.get("3f", "/v1/answers?after=18446744073709551615").await.json()["answers"], json!([]));
}
