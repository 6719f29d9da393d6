//! One party sees and settles nothing of another's.

use serde_json::json;

use super::rig::{INBOX, Rig, event, invalid};

#[tokio::test]
async fn an_a_kasse_does_not_see_another_ones_message() {
    let rig = Rig::new();
    let receipt =
        rig.send("krifa", &event("complaint", "krifa", "shared-id")).await.json()["receiptId"].clone();
    for id in [receipt.as_str().unwrap(), "shared-id", "nothing", "%00", &"x".repeat(300)] {
        let reply = rig.get("3f", &format!("/v1/messages/{id}")).await;
        assert_eq!(reply.status, 404, "{id}");
        assert_eq!(reply.json()["title"], "Not found");
    }
    assert_eq!(
        rig.send("3f", &event("complaint", "3f", "shared-id")).await.status,
        202,
        "an id is one's own"
    );
    let mine = rig.get("3f", "/v1/messages/shared-id").await.json();
    assert_eq!(mine["party"], "3f");
    assert_ne!(mine["receiptId"], receipt);
}

#[tokio::test]
async fn a_messages_state_never_shows_its_content() {
    let rig = Rig::new();
    let event = event("complaint", "3f", "m-1");
    rig.send("3f", &event).await;
    let shown = rig.get("3f", "/v1/messages/m-1").await.text();
    for personal in [&event["data"]["citizen"]["cpr"], &event["data"]["concerns"]["description"]] {
        let personal = personal.as_str().unwrap();
        assert!(!shown.contains(personal), "{personal} stands in {shown}");
    }
}

#[tokio::test]
async fn an_a_kasse_does_not_read_another_ones_answers() {
    let rig = Rig::new();
    rig.send("krifa", &invalid("krifa", "m-1")).await;
    assert_eq!(rig.get("3f", "/v1/answers").await.json()["answers"], json!([]));
    assert_eq!(rig.get("krifa", "/v1/answers").await.json()["answers"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn nobody_else_fetches_acknowledges_or_answers_a_jobcenters_parcel() {
    let rig = Rig::new();
    rig.send("3f", &event("complaint", "3f", "m-1")).await;
    let delivery = rig.deposit(INBOX).await[0];
    for party in ["3f", "krifa", "0707"] {
        assert_eq!(rig.get(party, "/v1/mailbox").await.json()["parcels"], json!([]), "{party}");
        assert_eq!(rig.get(party, &format!("/v1/mailbox/{delivery}")).await.status, 404, "{party}");
        let acknowledged = rig.post(party, &format!("/v1/mailbox/{delivery}/ack"), &json!({})).await;
        assert_eq!(acknowledged.status, 404, "{party}");
        for business in ["ACCEPTERET", "AFVIST"] {
            let receipt = json!({ "deliveryId": delivery, "business": business });
            assert_eq!(rig.post(party, "/v1/receipts", &receipt).await.status, 404, "{party} {business}");
        }
    }
    for unknown in ["m-1", "01900000-0000-7000-8000-000000000001", "01900000-0000-7000-8000-000000000000"] {
        assert_eq!(
            rig.post("0101", &format!("/v1/mailbox/{unknown}/ack"), &json!({})).await.status,
            404,
            "{unknown}"
        );
    }
    let message = rig.get("3f", "/v1/messages/m-1").await.json();
    assert_eq!(
        (&message["state"], &message["deliveries"][0]["hold"]),
        (&json!("pending"), &json!("mailbox"))
    );
}
