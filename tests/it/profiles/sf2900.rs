//! The profile `sf2900`: the `TransportKvittering` decides, and the jobcenter's business receipt meets the promise.

use serde_json::json;

use super::{ADA, about, answers, send};
use crate::support::{
    receiver::{Plays, Receiver, Taken},
    stand_ins::{post, said, sf2900},
    world::{Plan, World, attempts},
};

async fn world(plays: Plays) -> (World, Receiver) {
    let receiver = Receiver::start(plays);
    let world = Plan::new().http("0101", &receiver.url(), "profile = \"sf2900\"\n").start().await;
    (world, receiver)
}

/// A message as the profile sends it.
async fn sample() -> Taken {
    let (world, receiver) = world(Plays::Judges(sf2900::judge)).await;
    send(&world, &about(&world, "recommendation", "sample", ADA, 5));
    world.reaches("sample", "delivered").await;
    receiver.taken().remove(0)
}

#[tokio::test]
async fn the_stand_in_catches_what_a_sender_does_against_the_rules() {
    let receiver = Receiver::start(Plays::Judges(sf2900::judge));
    let good = String::from_utf8(sample().await.body).unwrap();
    let id = uuid::Uuid::now_v7().to_string();
    let asks = |address: &str, id: &str, content_type: &str, body: &str| {
        post(&receiver, address, &[("x-requestId", id), ("content-type", content_type)], body)
    };
    let xml = "application/xml";
    let taken = asks("/inbox", &id, xml, &good);
    assert_eq!((taken.status, taken.deviation.clone()), (200, None), "{taken:?}");
    assert_eq!(asks("/inbox", &id, xml, &good).deviation, None, "the same once more");
    let fresh = uuid::Uuid::now_v7().to_string();
    let caught = [
        asks("/inbox?cpr=1", &fresh, xml, &good),
        post(&receiver, "/inbox", &[("content-type", xml)], &good),
        asks("/inbox", "b-1", xml, &good),
        asks("/inbox", &fresh, "application/json", &good),
        asks("/inbox", &fresh, xml, "{}"),
        asks("/inbox", &fresh, xml, &good.replacen("GyldighedFra", "GyldighedTil", 2)),
        asks("/inbox", &id, xml, &good.replace("sample", "sumple")),
    ];
    let expected = [
        "not a plain POST",
        "no transaction id",
        "a transaction id that is no UUID",
        "not XML",
        "no envelope",
        "an element is missing",
        "another body under the same transaction id",
    ];
    for (answered, deviation) in caught.iter().zip(expected) {
        assert_eq!(answered.deviation.as_deref(), Some(deviation), "{answered:?}");
        assert!(answered.body.contains(">FEJL<"), "{answered:?}");
    }
}

#[tokio::test]
async fn the_distributor_has_it_with_ok_and_the_jobcenter_with_its_business_receipt() {
    let (world, receiver) = world(Plays::Judges(sf2900::judge)).await;
    for (id, business) in [("one", "AFLEVERET"), ("two", "AFVIST")] {
        send(&world, &about(&world, "recommendation", id, ADA, 5));
        let view = world.reaches(id, "delivered").await;
        assert_eq!(view.promises[0].standing, "on_track", "the distributor is not the jobcenter");
        let delivery = view.deliveries[0].delivery_id.to_string();
        let body = json!({ "deliveryId": delivery, "business": business, "receiptId": "JC-1" }).to_string();
        let answer = world.as_party("0101").call("POST", "/v1/receipts", &body).unwrap();
        assert_eq!(answer.status, 204, "{}", answer.body);
    }
    assert_eq!(world.view("one").await.promises[0].standing, "met");
    world.tells("one", &["accepted", "delivered"]).await;
    assert_eq!(world.state("two").await, "dead");
    let ids: Vec<_> = receiver.taken().iter().map(|t| t.header("x-requestId").unwrap().to_owned()).collect();
    assert_eq!(ids.len(), 2, "{ids:?}");
}

fn error(_: &Taken, _: &[Taken]) -> String {
    let list = "<k:Fejl><k:FejlKode>17</k:FejlKode><k:FejlTekst>om 070761-4285</k:FejlTekst></k:Fejl>";
    said(200, None, "application/xml", &sf2900::receipt("FEJL", list))
}

fn warning(_: &Taken, _: &[Taken]) -> String {
    said(200, None, "application/xml", &sf2900::receipt("ADVARSEL", ""))
}

fn nothing(_: &Taken, _: &[Taken]) -> String {
    said(200, None, "text/html", "<html>OK</html>")
}

#[tokio::test]
async fn an_error_in_the_receipt_refuses_a_warning_does_not_and_without_one_the_lane_is_held() {
    let (world, receiver) = world(Plays::Judges(error)).await;
    send(&world, &about(&world, "recommendation", "refused", ADA, 9));
    world.reaches("refused", "dead").await;
    world.tells("refused", &["accepted", "failed"]).await;
    let failed = answers(&world, "refused").pop().unwrap().to_string();
    assert!(failed.contains("FEJL (17)") && !failed.contains("4285"), "{failed}");
    receiver.plays(Plays::Judges(nothing));
    send(&world, &about(&world, "recommendation", "later", ADA, 8));
    let view = world.attempted("later", 2).await;
    assert!(attempts(&view).iter().all(|(outcome, ..)| outcome == "receiver_fault"), "{view:?}");
    receiver.plays(Plays::Judges(warning));
    world.reaches("later", "delivered").await;
}
