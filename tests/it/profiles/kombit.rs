//! The profile `kombit`: the envelope, and the `StandardRetur` that decides, over HTTP and over RabbitMQ.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

use super::{ADA, BO, about, answers, send};
use crate::support::{
    broker::Broker,
    eventually::eventually,
    receiver::{Plays, Receiver, Taken},
    stand_ins::{
        beskedfordeler::{Beskedfordeler, Way},
        kombit, post, said,
    },
    world::{Plan, SOON, World, attempts},
};

async fn over_http(plays: Plays) -> (World, Receiver) {
    let receiver = Receiver::start(plays);
    let world = Plan::new().http("0101", &receiver.url(), "profile = \"kombit\"\n").start().await;
    (world, receiver)
}

async fn over_amqp(broker: &Broker) -> World {
    let settings = format!(
        "channel = \"amqp\"\nprofile = \"kombit\"\nurl = \"{}\"\nrouting_key = \"{{kind}}\"\nattempt_timeout = \"12s\"\n\
         connect_timeout = \"2s\"\nconfirm_timeout = \"3s\"\nanswer_timeout = \"1500ms\"\n",
        broker.uri()
    );
    Plan::new().receiver("0101", &settings).start().await
}

/// A message as the profile sends it.
async fn sample() -> String {
    let (world, receiver) = over_http(Plays::Judges(kombit::judge)).await;
    send(&world, &about(&world, "recommendation", "sample", ADA, 5));
    world.reaches("sample", "delivered").await;
    String::from_utf8(receiver.taken().remove(0).body).unwrap()
}

/// What a sender may do against the rules, and what the stand-in says of it; the first is well.
fn deviations(good: &str) -> Vec<(String, &'static str)> {
    let (before, rest) = good.split_once("<k:Filtreringsdata>").unwrap();
    let (filter, after) = rest.split_once("</k:Filtreringsdata>").unwrap();
    let (delivery, after) = after.split_once("</k:Leveranceinformation>").unwrap();
    let swapped = format!(
        "{before}{delivery}</k:Leveranceinformation><k:Filtreringsdata>{filter}</k:Filtreringsdata>{after}"
    );
    vec![
        (good.to_owned(), ""),
        (good.replacen("sample", "", 1), "no BeskedId"),
        (swapped, "elements out of order"),
        (
            good.replacen("<k:BeskedVersion>", "<k:Prioritet/><k:BeskedVersion>", 1),
            "an element that the envelope does not have",
        ),
        (good.replacen("besked:kuvert:1.0", "besked:kuvert:2.0", 1), "no Haendelsesbesked"),
        (good.replacen("</k:Haendelsesbesked>", "", 1), "no Haendelsesbesked"),
        (good.replacen("sagdok:3.0.0", "sagdok:2.0.0", 1), "a value without its identifier or time"),
        (good.replacen("Beskeddata>", "Beskeddata><a/>", 1), "not one message in Beskeddata"),
        (good.replace("urn:dk:akasse:3f", "urn:dk:akasse:hk"), "another body under the same BeskedId"),
    ]
}

#[tokio::test]
async fn the_stand_in_over_http_catches_what_a_sender_does_against_the_rules() {
    let receiver = Receiver::start(Plays::Judges(kombit::judge));
    for (body, deviation) in deviations(&sample().await) {
        let answered = post(&receiver, "/inbox", &[("content-type", "application/xml")], &body);
        assert_eq!(answered.deviation.as_deref().unwrap_or_default(), deviation, "{answered:?}");
        let meant = match deviation {
            "" => (200, true, false),
            "no BeskedId" => (400, false, false),
            _ => (200, false, true),
        };
        let has = |code: &str| answered.body.contains(&format!("<n:StatusKode>{code}<"));
        assert_eq!((answered.status, has("20"), has("41")), meant, "{answered:?}");
    }
}

fn unparseable(_: &Taken, _: &[Taken]) -> String {
    said(200, None, "application/xml", &kombit::standard_return(41, "om 070761-4285"))
}

fn unknown(_: &Taken, _: &[Taken]) -> String {
    said(200, None, "application/xml", &kombit::standard_return(99, "prøv senere"))
}

fn page(_: &Taken, _: &[Taken]) -> String {
    said(200, None, "text/html", "<html><body>20</body></html>")
}

fn bad_request(_: &Taken, _: &[Taken]) -> String {
    said(400, None, "text/plain", "BeskedId mangler")
}

#[tokio::test]
async fn over_http_the_standard_return_decides_and_not_the_status() {
    let (world, receiver) = over_http(Plays::Judges(unparseable)).await;
    send(&world, &about(&world, "recommendation", "refused", ADA, 9));
    world.reaches("refused", "dead").await;
    world.tells("refused", &["accepted", "failed"]).await;
    let failed = answers(&world, "refused").pop().unwrap().to_string();
    assert!(failed.contains("StatusKode 41") && !failed.contains("4285"), "{failed}");

    receiver.plays(Plays::Judges(bad_request));
    send(&world, &about(&world, "recommendation", "bad", ADA, 8));
    world.reaches("bad", "dead").await;

    for (plays, id, outcome) in [
        (unknown as fn(&Taken, &[Taken]) -> String, "unknown", "unavailable"),
        (page, "page", "receiver_fault"),
    ] {
        receiver.plays(Plays::Judges(plays));
        send(&world, &about(&world, "recommendation", id, BO, 7));
        let view = world.attempted(id, 2).await;
        assert!(attempts(&view).iter().all(|(found, ..)| found == outcome), "{view:?}");
        receiver.plays(Plays::Judges(kombit::judge));
        let view = world.reaches(id, "delivered").await;
        assert_eq!(view.promises[0].standing, "on_track", "the Beskedfordeler is not the jobcenter");
    }
    let last = receiver.taken().pop().unwrap();
    assert_eq!(kombit::check(&last.body, std::iter::empty()), Ok(()));
}

#[tokio::test]
async fn the_stand_in_over_rabbitmq_catches_what_a_sender_does_against_the_rules() {
    let broker = Broker::fresh().await;
    let stand_in = Beskedfordeler::start(&broker, Way::Judges).await;
    let good = sample().await;
    for (body, deviation) in deviations(&good) {
        let code = if deviation.is_empty() { 20 } else { 41 };
        assert_eq!(stand_in.ask(body.as_bytes(), |p| p).await, (code, deviation.to_owned()));
    }
    let other = good.replace("sample", "other");
    for (deviation, change) in stand_in.wrong_properties() {
        assert_eq!(stand_in.ask(other.as_bytes(), change).await, (41, deviation.to_owned()));
    }
}

#[tokio::test]
async fn over_rabbitmq_the_answer_to_the_question_decides() {
    let broker = Broker::fresh().await;
    let mut stand_in = Beskedfordeler::start(&broker, Way::Judges).await;
    let world = over_amqp(&broker).await;
    send(&world, &about(&world, "recommendation", "taken", ADA, 9));
    let view = world.reaches("taken", "delivered").await;
    assert_eq!(view.promises[0].standing, "on_track", "the Beskedfordeler is not the jobcenter");
    assert_eq!(view.deliveries[0].attempts, 1);
    let seen = stand_in.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].deviation, "");
    assert_eq!(seen[0].message_id, view.deliveries[0].delivery_id.to_string());
    assert_eq!(seen[0].routing_key, "recommendation");

    stand_in.plays(Way::Says(41));
    send(&world, &about(&world, "recommendation", "refused", ADA, 8));
    world.reaches("refused", "dead").await;

    stand_in.plays(Way::Says(99));
    send(&world, &about(&world, "recommendation", "later", BO, 7));
    let view = world.attempted("later", 1).await;
    assert_eq!(attempts(&view)[0].0, "unavailable");
    stand_in.plays(Way::Judges);
    world.reaches("later", "delivered").await;
    // Each question had a channel of its own, and gave it back. The broker's word comes every few seconds.
    let asked = u64::try_from(stand_in.seen().len()).unwrap();
    eventually("no question left its channel open", SOON, async || {
        let ours = broker.connections("kassebro to 0101").pop()?;
        let heard = ours["recv_oct"].as_u64()? > asked * 1_000;
        (heard && ours["channels"] == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn no_answer_over_rabbitmq_is_unknown_and_is_asked_again_under_the_same_id() {
    let broker = Broker::fresh().await;
    let mut stand_in = Beskedfordeler::start(&broker, Way::KeepsSilent).await;
    let world = over_amqp(&broker).await;
    send(&world, &about(&world, "recommendation", "one", ADA, 9));
    let view = world.attempted("one", 1).await;
    assert_eq!((attempts(&view)[0].0.as_str(), attempts(&view)[0].1.as_str()), ("ambiguous", "GW2401"));
    stand_in.plays(Way::Judges);
    let view = world.reaches("one", "delivered").await;
    let seen = stand_in.seen();
    assert!(seen.len() >= 2);
    let id = view.deliveries[0].delivery_id.to_string();
    assert!(seen.iter().all(|message| message.message_id == id && message.body == seen[0].body));
    drop(stand_in);
    broker.admin.delete_queue("beskedfordeler").await;
    send(&world, &about(&world, "recommendation", "astray", ADA, 5));
    let view = world.attempted("astray", 1).await;
    assert_eq!(attempts(&view)[0].1, "GW2054", "no queue takes it: the receiver's fault");
    world.alerted(&["KassebroCircuitOpen"]).await;
}
