//! `POST /v1/messages`: each status, and what the caller reads with it.

use std::sync::Arc;

use axum::body::Body;
use serde_json::{Value, json};

use super::{
    broken::{Accepting, Broken},
    rig::{Reply, Rig, config, event, invalid, request},
};
use crate::api::problem::PROBLEM_BYTES_MAX;

async fn send_with(rig: &Rig, headers: &[(&str, &str)], body: impl Into<Body>) -> Reply {
    let mut request = request("3f", "/v1/messages").method("POST");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    rig.ask(request.body(body.into()).unwrap()).await
}

/// The headers of an event in binary mode, without those named.
fn binary<'e>(event: &'e Value, without: &[&str]) -> Vec<(&'static str, &'e str)> {
    [
        ("ce-specversion", "specversion"),
        ("ce-id", "id"),
        ("ce-source", "source"),
        ("ce-type", "type"),
        ("ce-time", "time"),
        ("ce-receiver", "receiver"),
        ("content-type", "datacontenttype"),
    ]
    .into_iter()
    .filter(|(header, _)| !without.contains(header))
    .map(|(header, attribute)| (header, event[attribute].as_str().unwrap()))
    .collect()
}

#[tokio::test]
async fn a_message_is_stored_before_it_is_answered_202() {
    let rig = Rig::new();
    for kind in crate::tools::generate::KINDS {
        let reply = rig.send("3f", &event(kind, "3f", kind)).await;
        assert_eq!(reply.status, 202, "{}", reply.text());
        let answer = reply.json();
        assert_eq!((&answer["outcome"], &answer["messageId"]), (&json!("accepted"), &json!(kind)));
        assert!(answer["deadline"].is_string());
        let found = rig.get("3f", reply.header("location")).await;
        assert_eq!(found.json()["receiptId"], answer["receiptId"]);
        assert_eq!(found.json()["state"], "pending");
    }
    assert_eq!(rig.taken().await, 3);
}

#[tokio::test]
async fn a_duplicate_gets_the_first_answer_byte_for_byte() {
    let rig = Rig::new();
    // Its time lies ahead, so the clock starts at receipt: finer than the store keeps.
    let mut event = event("complaint", "3f", "m-1");
    event["time"] = json!("2026-11-02T09:16:00Z");
    let first = rig.send("3f", &event).await;
    assert_eq!(first.status, 202, "{}", first.text());
    rig.clock.advance(std::time::Duration::from_hours(1));
    for _ in 0..2 {
        let again = rig.send("3f", &event).await;
        assert_eq!((again.status.as_u16(), &again.body), (200, &first.body));
        assert_eq!(again.header("location"), first.header("location"));
    }
    assert_eq!(rig.taken().await, 1);
}

#[tokio::test]
async fn the_same_id_with_another_body_is_a_conflict() {
    let rig = Rig::new();
    rig.send("3f", &event("complaint", "3f", "m-1")).await;
    let reply = rig.send("3f", &event("job_order", "3f", "m-1")).await;
    assert_eq!((reply.status.as_u16(), reply.rules()), (409, vec!["identity.reused".to_owned()]));
    assert_eq!(reply.json()["type"], "https://kassebro.dk/problems/conflict");
}

#[tokio::test]
async fn a_rejected_message_is_told_everything_at_once_and_may_come_again() {
    let rig = Rig::new();
    let mut bad = invalid("3f", "m-1");
    bad["data"].as_object_mut().unwrap().remove("guidance");
    let reply = rig.send("3f", &bad).await;
    assert_eq!((reply.status.as_u16(), reply.header("content-type")), (422, "application/problem+json"));
    let problem = reply.json();
    assert_eq!(problem["status"], 422);
    assert_eq!(
        (&problem["messageId"], &problem["outcome"], &problem["business"]),
        (&json!("m-1"), &json!("rejected"), &json!("AFVIST"))
    );
    assert_eq!(problem["errors"].as_array().unwrap().len(), 2, "{problem:#}");
    let stored = rig.get("3f", problem["instance"].as_str().unwrap()).await;
    assert_eq!(
        (&stored.json()["state"], &stored.json()["receiptId"]),
        (&json!("invalid"), &problem["receiptId"])
    );
    assert_eq!(rig.send("3f", &event("complaint", "3f", "m-1")).await.status, 202);
}

#[tokio::test]
async fn a_problem_speaks_the_callers_language() {
    let rig = Rig::new();
    let titles = [
        ("da-DK", "da", "Beskeden er afvist"),
        ("en", "en", "The message is rejected"),
        ("fr", "en", "The message is rejected"),
    ];
    for (asked, spoken, title) in titles {
        let headers = [("content-type", "application/cloudevents+json"), ("accept-language", asked)];
        let reply = send_with(&rig, &headers, "{}").await;
        assert_eq!((reply.header("content-language"), &reply.json()["title"]), (spoken, &json!(title)));
    }
}

#[tokio::test]
async fn without_a_known_key_nothing_is_read() {
    let rig = Rig::new();
    let body = event("complaint", "3f", "m-1").to_string();
    for value in ["", "Bearer", "Bearer ", "Bearer key-none", "Basic key-3f", "key-3f"] {
        let request = request("", "/v1/messages").method("POST").header("authorization", value);
        let reply = rig.ask(request.body(body.clone().into()).unwrap()).await;
        assert_eq!(
            (reply.status.as_u16(), reply.header("www-authenticate")),
            (401, "Bearer realm=\"kassebro\""),
            "{value}"
        );
    }
    let twice = request("3f", "/v1/messages").method("POST").header("authorization", "Bearer key-krifa");
    assert_eq!(rig.ask(twice.body(body.into()).unwrap()).await.status, 401);
    assert_eq!(rig.taken().await, 0);
}

#[tokio::test]
async fn a_message_that_speaks_for_another_party_is_403() {
    let rig = Rig::new();
    let reply = rig.send("krifa", &event("complaint", "3f", "m-1")).await;
    assert_eq!((reply.status.as_u16(), reply.rules()), (403, vec!["party.source".to_owned()]));
    let mut worse = invalid("3f", "m-2");
    worse["source"] = json!("urn:dk:akasse:foa");
    assert_eq!(rig.send("3f", &worse).await.status, 422, "not that alone");
    assert_eq!(rig.send("3f", &event("complaint", "3f", "m-1")).await.status, 202, "the id is not taken");
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_whether_announced_or_not() {
    let rig = Rig::new();
    let large = vec![b' '; 200 * 1024 + 1];
    let announced = send_with(&rig, &[("content-length", "204801")], large.clone()).await;
    assert_eq!(announced.status, 413);
    let stream = futures_util::stream::iter(
        large.chunks(1024).map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec())).collect::<Vec<_>>(),
    );
    let unannounced =
        send_with(&rig, &[("content-type", "application/json")], Body::from_stream(stream)).await;
    assert_eq!(unannounced.status, 413);
    assert_eq!(rig.taken().await, 0);
}

#[tokio::test]
async fn a_content_type_that_is_not_read_is_415_and_says_what_is() {
    let rig = Rig::new();
    for content_type in
        ["text/plain", "application/cloudevents-batch+json", "application/json; charset=latin1"]
    {
        let reply = send_with(&rig, &[("content-type", content_type)], "{}").await;
        assert_eq!(reply.status, 415, "{content_type}");
        assert_eq!(
            reply.header("accept-post"),
            "application/cloudevents+json, application/json, application/xml"
        );
        assert!(reply.json()["receiptId"].is_string(), "it arrived, and can be found");
    }
    let zipped = send_with(&rig, &[("content-encoding", "gzip")], "{}").await;
    assert_eq!((zipped.status.as_u16(), zipped.header("accept-encoding")), (415, "identity"));
    let mut inside = event("complaint", "3f", "m-1");
    inside["datacontenttype"] = json!("text/plain");
    assert_eq!(rig.send("3f", &inside).await.status, 422, "the request itself is of a type that is read");
}

#[tokio::test]
async fn binary_mode_and_xml_are_taken_like_structured_json() {
    let rig = Rig::new();
    let event = event("complaint", "3f", "m-1");
    let first = rig.send("3f", &event).await;
    assert_eq!(first.status, 202);
    let mut headers = binary(&event, &[]);
    headers.extend(event["subject"].as_str().map(|subject| ("ce-subject", subject)));
    let again = send_with(&rig, &headers, event["data"].to_string()).await;
    assert_eq!(
        (again.status.as_u16(), &again.body),
        (200, &first.body),
        "the same message in another syntax"
    );
    let kombit = "<Haendelsesbesked xmlns=\"urn:oio:besked:kuvert:1.0\"/>";
    let reply = send_with(&rig, &[("content-type", "application/xml")], kombit).await;
    assert_eq!(reply.status, 422, "read as KOMBIT's envelope, and empty: {}", reply.text());
    assert!(reply.rules().iter().any(|rule| rule.starts_with("envelope.")), "{:?}", reply.rules());
}

#[tokio::test]
async fn an_idempotency_key_is_the_messages_id_or_refused() {
    let rig = Rig::new();
    let event = event("complaint", "3f", "m-1");
    let structured = |key| [("content-type", "application/cloudevents+json"), ("idempotency-key", key)];
    let reply = send_with(&rig, &structured("m-2"), event.to_string()).await;
    assert_eq!((reply.status.as_u16(), reply.rules()), (422, vec!["envelope.idempotency-key".to_owned()]));
    assert_eq!(send_with(&rig, &structured("\"m-1\""), event.to_string()).await.status, 202);
    let mut headers = binary(&event, &["ce-id"]);
    headers.extend(event["subject"].as_str().map(|subject| ("ce-subject", subject)));
    headers.push(("idempotency-key", "m-1"));
    let lent = send_with(&rig, &headers, event["data"].to_string()).await;
    assert_eq!(lent.status, 200, "the key served as the id: {}", lent.text());
    let mut own = binary(&event, &["ce-id"]);
    own.extend([("x-old-number", "m-3"), ("idempotency-key", "m-3")]);
    let old = send_with(&rig, &own, event["data"].to_string()).await;
    assert_eq!(
        (old.status.as_u16(), &old.json()["messageId"]),
        (202, &json!("m-3")),
        "an old system's own header"
    );
}

#[tokio::test]
async fn a_key_is_never_kept() {
    let rig = Rig::new();
    let reply = rig.send("3f", &event("complaint", "3f", "m-1")).await;
    let receipt = reply.json()["receiptId"].as_str().unwrap().parse().unwrap();
    let raw = rig.desk.store.raw(receipt).await.unwrap().unwrap();
    assert_eq!(raw.headers, [], "not even where a configuration names the header");
}

#[tokio::test]
async fn one_party_over_its_cap_is_429_and_the_others_pass() {
    let one = crate::api::Config { requests_max: 1, ..config() };
    let rig = Rig::with(one, |store| store);
    let never = futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>();
    let slow = request("3f", "/v1/messages").method("POST").body(Body::from_stream(never)).unwrap();
    let mut slow = Box::pin(rig.ask(slow));
    assert!(futures_util::poll!(&mut slow).is_pending());
    let reply = rig.send("3f", &event("complaint", "3f", "m-1")).await;
    assert_eq!((reply.status.as_u16(), reply.header("retry-after")), (429, "1"));
    assert_eq!(rig.send("krifa", &event("complaint", "krifa", "m-1")).await.status, 202);
    rig.clock.advance(config().body_timeout);
    assert_eq!(slow.await.status, 408, "a body that does not come is not waited for");
    assert_eq!(rig.send("3f", &event("complaint", "3f", "m-1")).await.status, 202, "the place is free again");
}

#[tokio::test]
async fn nothing_is_accepted_while_the_store_cannot_commit() {
    for (how, at_least) in [(Accepting::Fails, 0), (Accepting::Hangs, 20)] {
        let rig = Rig::with(config(), |store| Arc::new(Broken { inner: store, accepting: how }));
        let (reply, waited) = rig.meanwhile(rig.send("3f", &event("complaint", "3f", "m-1"))).await;
        assert_eq!((reply.status.as_u16(), reply.header("retry-after")), (503, "5"), "{how:?}");
        assert!(!reply.text().contains("accepted") && !reply.text().contains("disk"), "{}", reply.text());
        assert!((at_least..at_least + 60).contains(&waited.as_secs()), "{how:?}: {waited:?}");
    }
}

#[tokio::test]
async fn a_problem_stays_within_64_kib_and_says_what_it_left_out() {
    let rig = Rig::new();
    let mut event = event("complaint", "3f", "m-1");
    for number in 0..300 {
        event["data"][format!("{number:03}{}", "ø".repeat(60))] = json!({ "x": "y".repeat(100) });
    }
    let reply = rig.send("3f", &event).await;
    assert_eq!(reply.status, 422);
    assert!(reply.body.len() <= PROBLEM_BYTES_MAX, "{}", reply.body.len());
    let problem = reply.json();
    let shown = problem["errors"].as_array().unwrap().len() as u64;
    let omitted = problem["errorsOmitted"].as_u64().unwrap_or(0);
    assert!(shown > 10 && shown + omitted >= 100, "{shown} shown, {omitted} left out");
}
