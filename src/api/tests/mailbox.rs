//! The mailbox and the receipts: fetched, acknowledged once, refused, and kept when they come late.

use std::time::Duration;

use axum::body::Body;
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::rig::{INBOX, JOBS, Rig, event, request};

async fn waiting(rig: &Rig) -> Vec<Value> {
    rig.get("0101", "/v1/mailbox").await.json()["parcels"].as_array().unwrap().clone()
}

/// A complaint in the jobcenter's mailbox: its delivery's id.
async fn deposited(rig: &Rig, id: &str) -> String {
    assert_eq!(rig.send("3f", &event("complaint", "3f", id)).await.status, 202);
    rig.deposit(INBOX).await[0].to_string()
}

async fn state(rig: &Rig, id: &str) -> Value {
    rig.get("3f", &format!("/v1/messages/{id}")).await.json()["state"].clone()
}

#[tokio::test]
async fn a_parcel_lies_there_until_it_is_acknowledged_once_or_twice() {
    let rig = Rig::new();
    let delivery = deposited(&rig, "m-1").await;
    for _ in 0..2 {
        let parcels = waiting(&rig).await;
        assert_eq!(
            (parcels.len(), &parcels[0]["deliveryId"]),
            (1, &json!(delivery)),
            "fetching takes nothing away"
        );
    }
    let parcel = waiting(&rig).await.remove(0);
    assert_eq!((&parcel["messageId"], &parcel["type"]), (&json!("m-1"), &json!("dk.kassebro.complaint.v1")));
    let body = BASE64_STANDARD.decode(parcel["body"].as_str().unwrap()).unwrap();
    let raw = rig.get("0101", &format!("/v1/mailbox/{delivery}")).await;
    assert_eq!((raw.status.as_u16(), raw.body.to_vec()), (200, body));
    assert_eq!(
        (raw.header("content-type"), raw.header("idempotency-key")),
        (parcel["contentType"].as_str().unwrap(), &*delivery)
    );
    for _ in 0..2 {
        let reply = rig.post("0101", &format!("/v1/mailbox/{delivery}/ack"), &json!({})).await;
        assert_eq!((reply.status.as_u16(), reply.text()), (204, String::new()));
    }
    assert_eq!(waiting(&rig).await, [] as [Value; 0]);
    assert_eq!(rig.get("0101", &format!("/v1/mailbox/{delivery}")).await.status, 404);
    assert_eq!(state(&rig, "m-1").await, "delivered");
}

#[tokio::test]
async fn a_page_holds_at_most_what_was_asked_for_over_all_receivers() {
    let rig = Rig::new();
    deposited(&rig, "m-1").await;
    rig.send("3f", &event("job_order", "3f", "j-1")).await;
    rig.deposit(JOBS).await;
    assert_eq!(waiting(&rig).await.len(), 2);
    let one = rig.get("0101", "/v1/mailbox?max=1").await.json();
    assert_eq!(one["parcels"].as_array().unwrap().len(), 1);
    assert_eq!(rig.get("0101", "/v1/mailbox?max=one").await.status, 400);
}

#[tokio::test]
async fn each_of_many_parcels_is_fetched_by_its_id() {
    let rig = Rig::new();
    let mut lying = Vec::new();
    for number in 0..30 {
        lying.push(deposited(&rig, &format!("m-{number}")).await);
        rig.clock.advance(Duration::from_secs(1));
    }
    let page = waiting(&rig).await;
    assert_eq!(page.len(), 20, "a page");
    assert!(page.iter().all(|parcel| parcel["deliveryId"] != lying[29]));
    for delivery in &lying {
        let reply = rig.get("0101", &format!("/v1/mailbox/{delivery}")).await;
        assert_eq!((reply.status.as_u16(), reply.header("idempotency-key")), (200, &**delivery));
    }
    assert_eq!(rig.get("3f", &format!("/v1/mailbox/{}", lying[29])).await.status, 404, "another's");
}

#[tokio::test]
async fn a_waiting_fetcher_sees_a_parcel_within_a_second() {
    let rig = Rig::new();
    rig.send("3f", &event("complaint", "3f", "m-1")).await;
    let mut fetch = Box::pin(rig.get("0101", "/v1/mailbox?wait=30"));
    let early = tokio::time::timeout(Duration::from_millis(50), &mut fetch).await;
    assert!(early.is_err(), "nothing lies there yet");
    rig.deposit(INBOX).await;
    rig.clock.advance(Duration::from_secs(1));
    let reply = tokio::time::timeout(Duration::from_secs(10), fetch).await.expect("it looked again");
    assert_eq!(reply.json()["parcels"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_receipt_confirms_or_refuses_a_delivery_and_the_sender_is_told() {
    for (business, state_then, outcome) in [
        ("MODTAGET", "delivered", "delivered"),
        ("AFLEVERET", "delivered", "delivered"),
        ("ACCEPTERET", "delivered", "delivered"),
        ("AFVIST", "dead", "failed"),
        ("FEJLET", "dead", "failed"),
    ] {
        let rig = Rig::new();
        let delivery = deposited(&rig, "m-1").await;
        let receipt = json!({ "deliveryId": delivery, "business": business, "receiptId": "jc-77", "text": "Sagen er oprettet" });
        assert_eq!(rig.post("0101", "/v1/receipts", &receipt).await.status, 204, "{business}");
        assert_eq!(state(&rig, "m-1").await, state_then, "{business}");
        let answer = rig.get("3f", "/v1/answers").await.json()["answers"][0]["data"].clone();
        assert_eq!(
            (&answer["outcome"], &answer["deliveryId"]),
            (&json!(outcome), &json!(delivery)),
            "{business}"
        );
        if outcome == "delivered" {
            assert_eq!(answer["receiverReceipt"], "jc-77");
        } else {
            assert_eq!(answer["errors"][0]["code"], "GW2001");
            assert!(answer.to_string().contains("Sagen er oprettet"), "{answer}");
        }
    }
}

#[tokio::test]
async fn the_data_of_a_receipt_message_are_taken_as_they_are() {
    let rig = Rig::new();
    let delivery = deposited(&rig, "m-1").await;
    let receipt = json!({
        "deliveryId": delivery,
        "level": "business",
        "business": "AFVIST",
        "receivedAt": "2026-01-02T09:30:00+01:00",
        "text": "Bilag mangler",
        "errors": [{ "code": "JC-7", "text": "ingen fuldmagt" }],
    });
    assert_eq!(rig.post("0101", "/v1/receipts", &receipt).await.status, 204);
    let answer = rig.get("3f", "/v1/answers").await.json()["answers"][0]["data"].to_string();
    assert!(answer.contains("Bilag mangler; JC-7 ingen fuldmagt"), "{answer}");
}

#[tokio::test]
async fn a_late_or_contradicting_receipt_is_kept_and_changes_nothing() {
    let rig = Rig::new();
    let delivery = deposited(&rig, "m-1").await;
    let says = |business: &str| json!({ "deliveryId": delivery, "business": business });
    assert_eq!(rig.post("0101", "/v1/receipts", &says("AFVIST")).await.status, 204);
    for (path, body) in
        [("/v1/receipts".to_owned(), says("ACCEPTERET")), (format!("/v1/mailbox/{delivery}/ack"), json!({}))]
    {
        let reply = rig.post("0101", &path, &body).await;
        assert_eq!(reply.status, 200, "{path}");
        assert_eq!(
            reply.json(),
            json!({ "deliveryId": delivery, "kept": true, "changed": false, "state": "dead" })
        );
    }
    let history = rig.get("3f", "/v1/messages/m-1").await.json()["history"].clone();
    let receipts = history.as_array().unwrap().iter().filter(|event| event["what"] == "receipt").count();
    assert_eq!(receipts, 3, "{history:#}");
    assert_eq!(state(&rig, "m-1").await, "dead");
}

#[tokio::test]
async fn a_receipt_that_cannot_be_read_is_refused_without_repeating_it() {
    let rig = Rig::new();
    let delivery = deposited(&rig, "m-1").await;
    let long = "x".repeat(501);
    for receipt in [
        json!({ "deliveryId": delivery }),
        json!({ "deliveryId": delivery, "business": "MAYBE" }),
        json!({ "deliveryId": delivery, "business": "AFVIST", "reason": "unknown member" }),
        json!({ "deliveryId": delivery, "business": "AFVIST", "text": long }),
        json!({ "deliveryId": delivery, "business": "AFVIST", "text": "" }),
        json!({ "deliveryId": delivery, "business": "AFVIST", "text": "om 070761-4285" }),
        json!({ "deliveryId": delivery, "business": "AFVIST", "receiptId": "a\u{0}b" }),
        json!({ "deliveryId": delivery, "business": "AFVIST", "level": "transport" }),
        json!({ "deliveryId": delivery, "business": "MODTAGET", "receivedAt": "2999-01-01T00:00:00Z" }),
        json!({ "deliveryId": delivery, "business": "AFVIST", "errors": [{ "code": "E1", "text": "om 070761-4285" }] }),
        json!({ "deliveryId": delivery, "business": "AFVIST", "errors": vec![json!({ "code": "E", "text": "x" }); 51] }),
    ] {
        let reply = rig.post("0101", "/v1/receipts", &receipt).await;
        assert_eq!(reply.status, 422, "{receipt}");
        assert!(!reply.text().contains("4285") && !reply.text().contains("MAYBE"), "{}", reply.text());
    }
    let plain = request("0101", "/v1/receipts").method("POST").header("content-type", "text/plain");
    assert_eq!(rig.ask(plain.body(Body::from("{}")).unwrap()).await.status, 415);
    let large = request("0101", "/v1/receipts").method("POST").header("content-type", "application/json");
    assert_eq!(rig.ask(large.body(Body::from(vec![b' '; 17 * 1024])).unwrap()).await.status, 413);
    assert_eq!(state(&rig, "m-1").await, "pending");
}
