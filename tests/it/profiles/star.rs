//! The profile `star`: the citizen in a header and nowhere else, 412, error codes, the citizen's order.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::{ADA, BO, about, answers, send};
use crate::support::{
    receiver::{Plays, Receiver, Taken, answer},
    stand_ins::{post, star},
    world::{Plan, World, attempts},
};

const SETTINGS: &str =
    "profile = \"star\"\nstar = { organisation_type = \"5\", organisation_codes = { 3f = \"067\" } }\n";

async fn world(receiver: &Receiver) -> World {
    let log = "[log]\nlevel = \"debug\"\n[retry]\nfirst = \"200ms\"\n[circuit]\nfailures = 3\nprobe_first = \"200ms\"\n\
               [watch]\nperiod = \"100ms\"\n[stop]\ngrace = \"2s\"\n";
    Plan::new().pace(log).http("0101", &receiver.url(), SETTINGS).start().await
}

fn stand_in() -> Receiver {
    Receiver::start(Plays::Judges(star::judge))
}

fn id(taken: &Taken) -> &str {
    taken.header("x-requestId").unwrap()
}

/// Requests that the stand-in found something against.
fn deviations(receiver: &Receiver) -> Vec<(u16, u32, &'static str)> {
    let taken = receiver.taken();
    (0..taken.len()).filter_map(|at| star::check(&taken[at], &taken[..at]).err()).collect()
}

#[tokio::test]
async fn the_stand_in_catches_what_a_sender_does_against_the_rules() {
    let receiver = stand_in();
    let body = |happened: &str, text: &str, document: &str| {
        json!({
            "beskedIdentifier": "b-1", "beskedtype": "dk.kassebro.recommendation.v1",
            "haendelsestidspunkt": happened, "beskedTypeIdentifier": 11, "overskrift": "Indstilling", "tekst": text,
            "dokumenter": [{ "indhold": BASE64_STANDARD.encode(document) }],
        })
        .to_string()
    };
    let (early, late) = ("2026-03-02T09:00:00Z", "2026-03-02T10:00:00Z");
    let good = body(late, "Tekst", "<Indstilling/>");
    let organisation = [("x-organisationTypeIdentifier", "5"), ("x-organisationCode", "067")];
    let json = ("content-type", "application/json");
    let asks = |address: &str, id: &str, citizen: &str, body: &str| {
        let own = [("x-requestId", id), ("x-civilregistrationIdentifier", citizen), json];
        post(&receiver, address, &[&own[..], &organisation[..]].concat(), body)
    };
    let taken = asks("/inbox", "id-1", ADA, &good);
    assert_eq!((taken.status, taken.deviation.clone()), (200, None), "{taken:?}");
    let again = asks("/inbox", "id-1", ADA, &good);
    assert_eq!((again.status, again.deviation), (412, None), "the same once more");
    assert_eq!(asks("/inbox", &"x".repeat(46), BO, &good).deviation, None, "46 characters are enough");

    let deviation = |answered: crate::support::stand_ins::Answered| answered.deviation.unwrap_or_default();
    let caught = [
        deviation(asks("/inbox", &"x".repeat(47), ADA, &good)),
        deviation(asks("/inbox", "id-2", "6707614285", &good)),
        deviation(asks("/inbox", "id-2", "070761-4285", &good)),
        deviation(asks(&format!("/inbox?cpr={ADA}"), "id-2", ADA, &good)),
        deviation(asks("/inbox", "id-2", ADA, &body(late, &format!("om {ADA}"), "<Indstilling/>"))),
        deviation(asks("/inbox", "id-2", ADA, &body(late, "om 070761-4285", "<Indstilling/>"))),
        deviation(asks("/inbox", "id-2", ADA, &body(late, "Tekst", &format!("<Cpr>{ADA}</Cpr>")))),
        deviation(asks("/inbox", "id-1", ADA, &body(late, "Noget andet", "<Indstilling/>"))),
        deviation(asks("/inbox", "id-3", ADA, &body(early, "Tekst", "<Indstilling/>"))),
        deviation(post(
            &receiver,
            "/inbox",
            &[&[("x-civilregistrationIdentifier", ADA), json], &organisation[..]].concat(),
            &good,
        )),
        deviation(post(
            &receiver,
            "/inbox",
            &[&[("x-requestId", "id-4"), json], &organisation[..]].concat(),
            &good,
        )),
        deviation(post(
            &receiver,
            "/inbox",
            &[("x-requestId", "id-4"), ("x-civilregistrationIdentifier", ADA), json],
            &good,
        )),
        deviation(asks("/inbox", "id-5", ADA, "<Indstilling/>")),
    ];
    assert_eq!(
        caught,
        [
            "an x-requestId over 46 characters",
            "a CPR number that OIO's pattern excludes",
            "a CPR number that OIO's pattern excludes",
            "a CPR number in the address",
            "the citizen's CPR number in the body",
            "the citizen's CPR number in the body",
            "the citizen's CPR number in the body",
            "another body under the same x-requestId",
            "out of the citizen's order",
            "no x-requestId",
            "no x-civilregistrationIdentifier",
            "no organisation",
            "not JSON",
        ]
    );
}

#[tokio::test]
async fn the_citizen_stands_in_the_header_and_nowhere_else() {
    let receiver = stand_in();
    let mut world = world(&receiver).await;
    assert_eq!(send(&world, &about(&world, "recommendation", "r", ADA, 20)), 202);
    assert_eq!(send(&world, &about(&world, "complaint", "c", BO, 10)), 202);
    for (id, citizen) in [("r", ADA), ("c", BO)] {
        let view = world.reaches(id, "delivered").await;
        assert_eq!(view.promises[0].standing, "met");
        let taken = receiver.taken();
        let request = taken.iter().find(|t| star::citizen(t) == Some(citizen)).unwrap();
        assert_eq!(self::id(request), view.deliveries[0].delivery_id.to_string());
        assert_eq!(request.header("x-organisationCode"), Some("067"));
        assert_eq!(request.head.matches(citizen).count(), 1, "once, in its header");
        assert_eq!(answers(&world, id).last().unwrap()["receiverReceipt"], self::id(request));
    }
    assert_eq!(deviations(&receiver), []);
    world.gateway.stop().await;
    let run = |arguments: &[&str]| {
        let output = world.gateway.command(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let seen = [
        world.gateway.log(),
        run(&["messages", "show", "r", "--json"]),
        run(&["messages", "list", "--json"]),
        run(&["deliveries", "list", "--json"]),
    ];
    assert!(seen[0].contains("DEBUG"), "debug lines are there");
    for (place, text) in seen.iter().enumerate() {
        assert!(!text.contains(ADA) && !text.contains(BO), "place {place}");
    }
    let listed: Value = serde_json::from_str(&run(&["receivers", "list", "--json"])).unwrap();
    let line = &listed[0];
    assert_eq!((&line["profile"], &line["format"]), (&json!("star"), &json!("star")));
    assert_eq!(line["alreadyHave"], json!([409, 412]));
}

/// Takes what it answers 503 to: the second attempt of the same is one that it has.
fn takes_it_and_says_503(taken: &Taken, earlier: &[Taken]) -> String {
    if earlier.iter().any(|before| id(before) == id(taken)) {
        star::judge(taken, earlier)
    } else {
        answer(503, "", "")
    }
}

#[tokio::test]
async fn what_it_has_already_counts_as_delivered() {
    let receiver = Receiver::start(Plays::Judges(takes_it_and_says_503));
    let world = world(&receiver).await;
    send(&world, &about(&world, "recommendation", "one", ADA, 5));
    let view = world.reaches("one", "delivered").await;
    assert_eq!((receiver.taken().len(), view.deliveries[0].attempts), (2, 2));
    let last = view.history.iter().rfind(|event| event.what == "attempt").unwrap();
    assert_eq!(
        (&last.data["proof"]["status"], &last.data["proof"]["alreadyHadIt"]),
        (&json!(412), &json!(true))
    );
    assert_eq!(deviations(&receiver), []);
}

/// What the first recommendation about Bo gets, by its heading number.
fn validation(_: &Taken, _: &[Taken]) -> String {
    star::refuses(400, 1014)
}

fn internal(_: &Taken, _: &[Taken]) -> String {
    star::refuses(400, 1011)
}

fn not_authorised(_: &Taken, _: &[Taken]) -> String {
    star::refuses(400, 4575)
}

#[tokio::test]
async fn a_validation_code_refuses_for_good_and_is_told_to_the_sender() {
    let receiver = Receiver::start(Plays::Judges(validation));
    let world = world(&receiver).await;
    send(&world, &about(&world, "recommendation", "one", ADA, 5));
    let view = world.reaches("one", "dead").await;
    assert_eq!(view.deliveries[0].attempts, 1);
    world.tells("one", &["accepted", "failed"]).await;
    let failed = answers(&world, "one").pop().unwrap();
    assert_eq!(failed["errors"][0]["starCode"], 1014);
    assert_eq!(failed["errors"][0]["code"], "GW2001");
    let detail = failed["errors"][0]["message"]["en"].as_str().unwrap();
    assert!(detail.contains("STAR code 1014"), "{detail}");
    assert!(!failed.to_string().contains(ADA), "what the service wrote is not repeated");
}

#[tokio::test]
async fn an_internal_error_is_tried_again_whatever_the_status() {
    let receiver = Receiver::start(Plays::Judges(internal));
    let world = world(&receiver).await;
    send(&world, &about(&world, "recommendation", "one", ADA, 5));
    let view = world.attempted("one", 2).await;
    assert!(
        attempts(&view).iter().all(|(outcome, code, _)| outcome == "unavailable" && code == "GW2102"),
        "{view:?}"
    );
    receiver.plays(Plays::Judges(star_receipt));
    world.reaches("one", "delivered").await;
}

fn star_receipt(taken: &Taken, _: &[Taken]) -> String {
    star::receipt(taken)
}

#[tokio::test]
async fn a_missing_right_holds_the_lane_and_nothing_dies_of_it() {
    let receiver = Receiver::start(Plays::Judges(not_authorised));
    let world = world(&receiver).await;
    send(&world, &about(&world, "recommendation", "one", ADA, 9));
    world.alerted(&["KassebroCircuitOpen"]).await;
    send(&world, &about(&world, "recommendation", "two", BO, 5));
    let view = world.attempted("one", 3).await;
    assert!(
        attempts(&view).iter().all(|(outcome, code, _)| outcome == "receiver_fault" && code == "GW2051"),
        "{view:?}"
    );
    receiver.plays(Plays::Judges(star_receipt));
    world.reaches("one", "delivered").await;
    world.reaches("two", "delivered").await;
    world.alerted(&[]).await;
}

/// The first recommendation about Ada is not taken twice; everything else is judged.
fn failing_head(taken: &Taken, earlier: &[Taken]) -> String {
    if let Err((_, _, deviation)) = star::check(taken, earlier) {
        return star::refuses(400, if deviation.is_empty() { 1 } else { 1014 });
    }
    let is_head = |taken: &Taken| {
        star::citizen(taken) == Some(ADA) && String::from_utf8_lossy(&taken.body).contains("\"first\"")
    };
    let tries = earlier.iter().filter(|before| is_head(before)).count();
    if is_head(taken) && tries < 2 { answer(503, "", "") } else { star::receipt(taken) }
}

#[tokio::test]
async fn a_failing_message_holds_back_the_next_of_the_citizen_and_domain_and_no_other() {
    let receiver = Receiver::start(Plays::Judges(failing_head));
    let world = world(&receiver).await;
    for (kind, citizen, id, seconds) in [
        ("recommendation", ADA, "first", 40),
        ("recommendation", ADA, "next", 30),
        ("recommendation", BO, "other", 20),
        ("complaint", ADA, "domain", 10),
    ] {
        assert_eq!(send(&world, &about(&world, kind, id, citizen, seconds)), 202);
    }
    for id in ["first", "next", "other", "domain"] {
        world.reaches(id, "delivered").await;
    }
    assert_eq!(deviations(&receiver), [], "the stand-in saw each citizen's order");
    let order: Vec<String> = receiver
        .taken()
        .iter()
        .map(|taken| {
            serde_json::from_slice::<Value>(&taken.body).unwrap()["beskedIdentifier"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    let places = |id: &str| -> Vec<usize> { (0..order.len()).filter(|at| order[*at] == id).collect() };
    assert_eq!((places("first").len(), places("next").len()), (3, 1), "{order:?}");
    assert!(places("next")[0] > places("first")[2], "the next waited: {order:?}");
    for id in ["other", "domain"] {
        assert!(places(id)[0] < places("first")[2], "{id} did not wait: {order:?}");
    }
}

#[tokio::test]
async fn a_number_that_the_pattern_excludes_waits_for_a_person_and_one_in_a_caseworkers_text_is_refused() {
    let receiver = stand_in();
    let world = world(&receiver).await;
    assert_eq!(send(&world, &about(&world, "complaint", "replacement", "6707614285", 5)), 202);
    assert_eq!(world.view("replacement").await.deliveries[0].hold.as_deref(), Some("person"));
    let mut told = about(&world, "recommendation", "told", ADA, 5);
    told["data"]["motivation"]["description"] = format!("Nummeret er {ADA}").into();
    assert_eq!(send(&world, &told), 422);
    let rejected = answers(&world, "told").remove(0);
    assert_eq!(rules(&rejected), ["format.cpr-in-body"]);
    assert_eq!(receiver.taken().len(), 0);
}

fn rules(answer: &Value) -> Vec<&str> {
    let errors = answer["errors"].as_array().unwrap();
    errors.iter().filter(|e| e["severity"] == "error").filter_map(|e| e["rule"].as_str()).collect()
}

#[tokio::test]
async fn a_complaint_whose_words_tell_the_number_is_taken_and_a_person_lets_it_go() {
    let receiver = stand_in();
    let world = world(&receiver).await;
    let mut told = about(&world, "complaint", "told", ADA, 5);
    told["data"]["text"] = format!("Mit nummer er {ADA}. Skriv 070761-4285 på svaret.").into();
    assert_eq!(send(&world, &told), 202, "a complaint is not refused for the citizen's own words");
    let accepted = answers(&world, "told").remove(0);
    let warned = |answer: &Value| {
        answer["errors"].as_array().unwrap().iter().any(|warning| {
            warning["rule"] == "format.cpr-in-body"
                && warning["severity"] == "warning"
                && warning["pointer"] == "/data/text"
        })
    };
    assert!(accepted["outcome"] == "accepted" && warned(&accepted), "{accepted}");

    // At once, and not when its time runs out.
    world.alerted(&["KassebroDeliveriesHeld"]).await;
    let run = |arguments: &[&str]| {
        let output = world.gateway.command(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let held: Value =
        serde_json::from_str(&run(&["deliveries", "list", "--state", "held", "--json"])).unwrap();
    assert_eq!((&held[0]["messageId"], &held[0]["hold"]), (&json!("told"), &json!("person")));
    assert_eq!(held[0]["fault"]["code"], "GW1109");
    let shown = run(&["messages", "show", "told"]);
    assert!(shown.contains("/data/text") && shown.contains("GW1109"), "{shown}");
    assert!(run(&["alerts", "list"]).contains("takes in a header only"));
    assert_eq!(receiver.taken().len(), 0);

    run(&["deliveries", "retry", held[0]["deliveryId"].as_str().unwrap()]);
    let view = world.reaches("told", "delivered").await;
    assert_eq!(view.promises[0].standing, "met");
    assert_eq!(deviations(&receiver), []);
    let sent = receiver.taken().remove(0);
    assert_eq!(star::citizen(&sent), Some(ADA));
    let message: Value = serde_json::from_slice(&sent.body).unwrap();
    assert_eq!(message["indhold"]["text"], "Mit nummer er [CPR-nr.]. Skriv [CPR-nr.] på svaret.");
    world.alerted(&[]).await;
    let kept = run(&["messages", "show", "told", "--raw"]);
    assert!(kept.contains("070761-4285"), "the complaint itself is kept as it came");
}
