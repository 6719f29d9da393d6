//! The profile `sf2900`: the `TransportKvittering` decides, and the jobcenter's business receipt meets the promise.

use serde_json::json;

use super::{ADA, about, answers, send};
use crate::support::{
    receiver::{Plays, Receiver, Taken},
    stand_ins::{post, said, sf2900},
    world::{Plan, World, attempts},
};

const SETTINGS: &str = "profile = \"sf2900\"\nsf2900 = { senders = { 3f = \"31378028\" }, authority = \"64942212\", \
                        kle = \"15.20.00\", facet = \"G01\" }\n";

async fn world(plays: Plays) -> (World, Receiver) {
    let receiver = Receiver::start(plays);
    let world = Plan::new().http("0101", &receiver.url(), SETTINGS).start().await;
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
    let id = sf2900::transaction(good.as_bytes()).unwrap();
    let xml = "application/xml";
    let asks = |address: &str, content_type: &str, body: &str| {
        post(&receiver, address, &[("content-type", content_type)], body)
    };
    let taken = asks("/inbox", xml, &good);
    assert_eq!((taken.status, taken.deviation.clone()), (200, None), "{taken:?}");
    assert_eq!(asks("/inbox", xml, &good).deviation, None, "the same once more");
    let fresh = good.replace(&id, &uuid::Uuid::now_v7().to_string());
    let changed = |from: &str, to: &str| {
        assert!(fresh.contains(from), "{from}");
        fresh.replacen(from, to, 1)
    };
    let (sender, authority) = (
        "<AfsendendeMyndighed>31378028</AfsendendeMyndighed>",
        "<RoutingMyndighed>64942212</RoutingMyndighed>",
    );
    let choice = "<RoutingValg>";
    let both =
        "<RoutingValg><RoutingModtagerAktoer>5c1d6d2e-0000-4000-8000-000000000001</RoutingModtagerAktoer>";
    for (address, content_type, body, deviation) in [
        ("/inbox?cpr=1", xml, fresh.clone(), "not a plain POST"),
        ("/inbox", "application/json", fresh.clone(), "not XML"),
        ("/inbox", xml, "{}".to_owned(), "no request"),
        ("/inbox", xml, changed("DistributionService/3/types", "DistributionService/1/types"), "no request"),
        (
            "/inbox",
            xml,
            changed("DistributionService/2/types", "DistributionService/1/types"),
            "an element of another namespace",
        ),
        ("/inbox", xml, changed(sender, ""), "an element is missing or out of order"),
        (
            "/inbox",
            xml,
            changed(&format!("{sender}{authority}"), &format!("{authority}{sender}")),
            "an element is missing or out of order",
        ),
        ("/inbox", xml, changed(choice, both), "an element that the schema does not have"),
        ("/inbox", xml, changed("31378028", "3137802"), "an authority that is no CVR number"),
        ("/inbox", xml, changed("15.20.00", "15.20"), "a subject that is not of KLE"),
        ("/inbox", xml, changed("G01", "g1"), "a facet that is not of KLE"),
        (
            "/inbox",
            xml,
            changed("FORMULAR", "BREV"),
            "an object that is none of the three, or not the one that is there",
        ),
        ("/inbox", xml, changed("<ID>", "<ID>x"), "an id that is no UUID"),
        ("/inbox", xml, changed("<FormularIndhold>", "<FormularIndhold>?"), "content that is not base64"),
        ("/inbox", xml, changed("<FormularXML>", "<FormularXML><a/>"), "not one element in FormularXML"),
        ("/inbox", xml, good.replace("sample", "sumple"), "another body under the same transaction id"),
    ] {
        let answered = asks(address, content_type, &body);
        assert_eq!(answered.deviation.as_deref(), Some(deviation), "{answered:?}");
        assert!(answered.body.contains(">FEJL<"), "{answered:?}");
    }
}

#[tokio::test]
async fn what_is_distributed_says_from_whom_to_whom_and_holds_the_message() {
    let (world, receiver) = world(Plays::Judges(sf2900::judge)).await;
    send(&world, &about(&world, "complaint", "klage", ADA, 5));
    let view = world.reaches("klage", "delivered").await;
    let taken = receiver.taken().remove(0);
    assert_eq!(sf2900::check(&taken, &[]), Ok(()));
    let delivery = view.deliveries[0].delivery_id.to_string();
    assert_eq!(sf2900::transaction(&taken.body), Some(delivery), "a copy is known by the delivery's id");
    let body = String::from_utf8(taken.body).unwrap();
    assert!(body.contains("<RoutingKLEEmne>15.20.00</RoutingKLEEmne><RoutingHandlingFacet>G01<"), "{body}");
    let form = body.split_once("<FormularXML>").unwrap().1.split_once("</FormularXML>").unwrap().0;
    assert!(form.contains("klage") && form.contains(ADA), "the message is in the form: {form}");
    assert!(!body.replace(form, "").contains(ADA), "and the person only there");
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
    let ids: std::collections::BTreeSet<_> =
        receiver.taken().iter().map(|t| sf2900::transaction(&t.body).unwrap()).collect();
    assert_eq!(ids.len(), 2, "{ids:?}");
}

fn error(_: &Taken, _: &[Taken]) -> String {
    let list = "<k:Fejl><k:FejlKode>17</k:FejlKode><k:FejlTekst>om 070761-4285</k:FejlTekst></k:Fejl>";
    said(200, None, "application/xml", &sf2900::receipt("FEJL", list))
}

fn warning(_: &Taken, _: &[Taken]) -> String {
    said(200, None, "application/xml", &sf2900::receipt("ADVARSEL", ""))
}

/// What the operation itself answers with, and not a fault of the transport.
fn rejects(_: &Taken, _: &[Taken]) -> String {
    said(200, None, "application/xml", &sf2900::response("AFVIST"))
}

fn accepts(_: &Taken, _: &[Taken]) -> String {
    said(200, None, "application/xml", &sf2900::response("ACCEPTERET"))
}

#[tokio::test]
async fn the_response_of_the_operation_is_read_and_meets_no_promise_by_itself() {
    let (world, receiver) = world(Plays::Judges(accepts)).await;
    send(&world, &about(&world, "recommendation", "taken", ADA, 9));
    let view = world.reaches("taken", "delivered").await;
    assert_eq!(view.promises[0].standing, "on_track", "the distributor is not the jobcenter");
    receiver.plays(Plays::Judges(rejects));
    send(&world, &about(&world, "recommendation", "refused", ADA, 8));
    world.reaches("refused", "dead").await;
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
