//! Health, metrics and the page: for those who watch.

use std::{sync::Arc, time::Duration};

use serde_json::json;

use super::{
    broken::{Accepting, Broken},
    rig::{INBOX, Rig, config, event},
};
use crate::{
    domain::{Fault, FaultCode, circuit::Circuit},
    store::LaneState,
};

#[tokio::test]
async fn ready_says_what_is_degraded_and_stays_ready() {
    let rig = Rig::new();
    assert_eq!(rig.get("", "/readyz").await.json()["status"], "pass");
    let now = super::rig::NOW.parse().unwrap();
    let fault = Fault::new(FaultCode::ConnectFailed, "refused");
    let circuit = Circuit::Open { since: now, probe_at: now, probes: 1, fault };
    rig.desk.store.save_lane(LaneState { receiver: INBOX.into(), circuit, paused: None }, now).await.unwrap();
    rig.desk.health.degrade("broker", "not connected");
    rig.clock.advance(Duration::from_secs(1));
    let reply = rig.get("", "/readyz").await;
    assert_eq!((reply.status.as_u16(), &reply.json()["status"]), (200, &json!("warn")));
    let degraded = json!([{ "part": "receiver/kbh", "why": "not reached: GW2101" }, { "part": "broker", "why": "not connected" }]);
    assert_eq!(reply.json()["degraded"], degraded);
    rig.desk.health.restore("broker");
    assert_eq!(rig.get("", "/readyz").await.json()["degraded"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn not_ready_without_a_store_that_commits_or_a_valid_configuration() {
    for accepting in [Accepting::Fails, Accepting::Hangs] {
        let rig = Rig::with(config(), |inner| Arc::new(Broken { inner, accepting }));
        let (reply, _) = rig.meanwhile(rig.get("", "/readyz")).await;
        assert_eq!(
            (reply.status.as_u16(), &reply.json()["checks"]["store"]["status"]),
            (503, &json!("fail"))
        );
        assert_eq!(rig.get("", "/livez").await.status, 200, "it lives all the same");
    }
    let rig = Rig::new();
    rig.desk.health.configuration(Some("receiver kbh has no url".into()));
    let reply = rig.get("", "/readyz").await;
    assert_eq!(
        (reply.status.as_u16(), &reply.json()["checks"]["configuration"]["output"]),
        (503, &json!("receiver kbh has no url"))
    );
    rig.desk.health.configuration(None);
    assert_eq!(rig.get("", "/readyz").await.status, 200);
}

#[tokio::test]
async fn the_store_is_asked_once_a_second_however_many_ask() {
    let rig = Rig::new();
    rig.get("", "/readyz").await;
    let now = super::rig::NOW.parse().unwrap();
    rig.desk.store.pause(INBOX.into(), Some("moving house".into()), "someone".into(), now).await.unwrap();
    assert_eq!(rig.get("", "/readyz").await.json()["degraded"], json!([]), "the answer of a moment ago");
    rig.clock.advance(Duration::from_secs(1));
    assert_eq!(rig.get("", "/readyz").await.json()["degraded"][0]["why"], "paused by a person");
}

#[tokio::test]
async fn metrics_are_open_metrics_and_the_page_links_the_contract() {
    let rig = Rig::new();
    rig.send("3f", &event("complaint", "3f", "m-1")).await;
    let metrics = rig.get("", "/metrics").await;
    assert_eq!(metrics.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(metrics.text().contains("kassebro_messages_received_total{party=\"3f\""), "{}", metrics.text());
    assert!(metrics.text().ends_with("# EOF\n"));
    let page = rig.get("", "/").await;
    for link in ["/openapi.json", "/asyncapi.json", "/readyz", "/metrics"] {
        assert!(page.text().contains(&format!("href=\"{link}\"")), "{link}");
    }
    assert!(page.header("content-security-policy").contains("default-src 'none'"));
    for reply in [&page, &metrics] {
        assert_eq!(
            (reply.header("x-content-type-options"), reply.header("x-frame-options")),
            ("nosniff", "DENY")
        );
    }
    assert_eq!(rig.get("3f", "/v1/answers").await.header("cache-control"), "no-store");
}
