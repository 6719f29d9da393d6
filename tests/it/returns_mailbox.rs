//! What jobcentres say back: it reaches the a-kasse whole, with the message it answers, and goes no other way.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

use base64::{Engine, prelude::BASE64_STANDARD};
use kassebro::{
    kinds::{Direction, KINDS, Kind},
    tools::generate,
};
use serde_json::Value;

use crate::support::{
    eventually::eventually,
    world::{FUND, Plan, SOON, World},
};

const CODE: &str = "0101";
const AKASSE: &str = "urn:dk:akasse:3f";
const JOBCENTER: &str = "urn:dk:jobcenter:0101";

fn returns() -> impl Iterator<Item = &'static Kind> {
    KINDS.iter().copied().filter(|kind| kind.direction == Direction::ToAkasse)
}

/// A message of the kind about somebody of its own, so that none waits for another.
fn told(world: &World, kind: &Kind, source: &str, receiver: &str) -> Value {
    let place = KINDS.iter().position(|known| known.name == kind.name).unwrap();
    generate::event(kind.name, place as u64, kind.name, source, receiver, world.now())
}

fn post(world: &World, party: &str, event: &Value) -> (u16, String) {
    let answer = world.as_party(party).call("POST", "/v1/messages", &event.to_string()).unwrap();
    (answer.status, answer.body)
}

fn fetched(world: &World) -> Vec<Value> {
    let answer = world.as_party(FUND).get("/v1/mailbox").unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    serde_json::from_str::<Value>(&answer.body).unwrap()["parcels"].as_array().unwrap().clone()
}

#[tokio::test]
async fn what_a_jobcentre_says_back_reaches_the_akasse_with_the_message_it_answers() {
    let akasse = format!("[[receiver]]\nparty = \"{FUND}\"\nchannel = \"mailbox\"\n");
    let world = Plan::new().receiver(CODE, "channel = \"mailbox\"").and(&akasse).start().await;
    let sent: Vec<Value> = returns().map(|kind| told(&world, kind, JOBCENTER, AKASSE)).collect();
    assert!(sent.len() >= 7, "{sent:?}");
    for event in &sent {
        let (status, body) = post(&world, CODE, event);
        assert_eq!(status, 202, "{body}");
    }
    let parcels = eventually("all lie there", SOON, async || {
        Some(fetched(&world)).filter(|parcels| parcels.len() == sent.len())
    })
    .await;
    for event in &sent {
        let parcel = parcels.iter().find(|parcel| parcel["messageId"] == event["id"]).unwrap();
        let body = BASE64_STANDARD.decode(parcel["body"].as_str().unwrap()).unwrap();
        let had: Value = serde_json::from_slice(&body).unwrap();
        for name in ["type", "source", "receiver", "correlationid", "data"] {
            assert_eq!(had[name], event[name], "{} {name}", event["id"]);
        }
    }
    let answering = sent.iter().filter(|event| event["correlationid"].is_string());
    assert!(answering.count() >= 6, "nearly all of them answer something");
}

#[tokio::test]
async fn who_chose_the_jobcentre_gets_no_more_of_the_akasses_messages_until_that_is_taken_back() {
    let world = Plan::new().receiver(CODE, "channel = \"mailbox\"").start().await;
    let kind = |name: &str| KINDS.iter().copied().find(|kind| kind.name == name).unwrap();
    let citizen = told(&world, kind("opt_out"), AKASSE, JOBCENTER)["data"]["citizen"].clone();
    let say = |name: &str, id: &str, action: Option<&str>| {
        let mut event = told(&world, kind(name), AKASSE, JOBCENTER);
        event["id"] = id.into();
        event["data"]["citizen"] = citizen.clone();
        if let Some(action) = action {
            event["data"]["action"] = action.into();
            let day = &world.now().to_string()[..10];
            (event["data"]["effectiveFrom"], event["data"]["statedOn"]) = (day.into(), day.into());
        }
        post(&world, FUND, &event)
    };
    assert_eq!(say("interview_record", "before", None).0, 202);
    let (status, body) = say("opt_out", "out", Some("optOut"));
    assert_eq!(status, 202, "{body}");
    for name in ["interview_record", "handover_report", "course_referral"] {
        let (status, body) = say(name, &format!("stopped-{name}"), None);
        assert_eq!(status, 422, "{name}: {body}");
        assert!(body.contains("placement.opted-out"), "{body}");
    }
    for name in ["complaint", "back_referral"] {
        assert_eq!(say(name, &format!("goes-on-{name}"), None).0, 202, "{name}");
    }
    assert_eq!(say("opt_out", "in", Some("withdrawal")).0, 202);
    assert_eq!(say("interview_record", "after", None).0, 202);
}

#[tokio::test]
async fn an_akasse_cannot_say_what_is_the_jobcentres_to_say() {
    let world = Plan::new().receiver(CODE, "channel = \"mailbox\"").start().await;
    for kind in returns() {
        let (status, body) = post(&world, FUND, &told(&world, kind, AKASSE, JOBCENTER));
        assert_eq!(status, 422, "{}: {body}", kind.name);
        assert!(body.contains("kind.direction"), "{}: {body}", kind.name);
    }
}
