//! What is owed where an agreement has a second way.

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    config,
    domain::{Format, ReceiptId},
    intake::admit,
    store::{Accepted, Admission, Arrived, OtherWay, Way},
    tools::generate,
};

const DEPLOYMENT: &str = r#"
[[party]]
code = "3f"

[[receiver]]
name = "kbh"
party = "0101"
format = "cloudevents"
channel = "mailbox"

[[receiver]]
name = "kbh-2"
party = "0101"
fallback_only = true
channel = "mailbox"

[[receiver]]
name = "norddjurs"
party = "0707"
channel = "mailbox"

[[agreement]]
id = "both"
akasse = "3f"
jobcenters = ["0101", "0707"]
valid_from = "2024-01-01"

[agreement.promises.recommendation]
within = "24h"
fallback = { receiver = "kbh-2", at = "4h left" }
"#;

fn now() -> Timestamp {
    "2026-11-22T10:00:00Z".parse().unwrap()
}

fn accepted(kind: &str, to: &str, change: impl FnOnce(&mut Value)) -> Accepted {
    accepted_by(DEPLOYMENT, kind, to, change)
}

fn accepted_by(deployment: &str, kind: &str, to: &str, change: impl FnOnce(&mut Value)) -> Accepted {
    let settings = config::from_text("test.toml", deployment).unwrap_or_else(|e| panic!("{:?}", e.0));
    let rules = config::rules(&settings, 1).unwrap();
    let happened = now() - SignedDuration::from_hours(1);
    let to = format!("urn:dk:jobcenter:{to}");
    let mut event = generate::event(kind, 1, "m-1", "urn:dk:akasse:3f", &to, happened);
    change(&mut event);
    let arrived = Arrived {
        receipt: ReceiptId::from_fresh(Uuid::from_u128(1 << 8)),
        party: "3f".into(),
        way: Way::Http,
        received: now(),
        sent: None,
        content_type: Some("application/cloudevents+json".into()),
        headers: vec![],
        raw: Bytes::from(event.to_string()),
        generation: 1,
        in_hand: None,
    };
    match admit(&rules, arrived) {
        Admission::Accepted(message) => *message,
        Admission::Invalid(message) => panic!("{:?}", message.violations),
    }
}

/// How often it is warned that the second way cannot carry it.
fn unfit(message: &Accepted) -> usize {
    message.warnings.iter().filter(|warning| warning.rule == "fallback.unfit").count()
}

#[test]
fn a_second_way_is_owed_with_the_first_and_has_its_time() {
    let message = accepted("recommendation", "0101", |_| ());
    let [first, second] = &message.deliveries[..] else { panic!("{:?}", message.deliveries) };
    assert_eq!((first.receiver.as_str(), second.receiver.as_str()), ("kbh", "kbh-2"));
    assert_eq!(first.other_way, Some(OtherWay { ordinal: 2, release: None, early: None }));
    let release = now() + SignedDuration::from_hours(19);
    let early = Some(now() + SignedDuration::from_hours(11));
    assert_eq!(
        second.other_way,
        Some(OtherWay { ordinal: 1, release: Some(release), early }),
        "half of its day"
    );
    assert_eq!(second.promise.course, first.promise.course);
    let formats = [first.parcel.format, second.parcel.format];
    assert_eq!(formats, [Format::Cloudevents, Format::Beskedmodul], "each as its receiver reads it");
    assert!(first.ordering_key.is_some() && second.ordering_key.is_none(), "it stands in no line");
    assert_eq!(unfit(&message), 0);
}

#[test]
fn a_forecast_lets_it_go_before_its_time_or_not_at_all() {
    let early = |when: &str| {
        let deployment = DEPLOYMENT.replace("at = \"4h left\"", when);
        accepted_by(&deployment, "recommendation", "0101", |_| ()).deliveries[1].other_way.unwrap().early
    };
    let happened = now() - SignedDuration::from_hours(1);
    let after = |hours| Some(happened + SignedDuration::from_hours(hours));
    assert_eq!(early("at = \"4h left\", when_predicted = \"10h left\""), after(14));
    assert_eq!(early("at = \"4h left\", when_predicted = \"75%\""), after(18));
    assert_eq!(early("at = \"4h left\", when_predicted = \"never\""), None);
    assert_eq!(early("at = \"4h left\", when_predicted = \"90%\""), None, "that comes after its time");
    assert_eq!(early("at = \"50%\""), None);
}

#[test]
fn another_party_of_the_agreement_and_another_kind_have_none() {
    let message = accepted("recommendation", "0707", |_| ());
    assert_eq!(message.deliveries.iter().map(|d| &*d.receiver).collect::<Vec<_>>(), ["norddjurs"]);
    assert_eq!(message.deliveries[0].other_way, None);
    assert_eq!(accepted("complaint", "0101", |_| ()).deliveries.len(), 1);
}

#[test]
fn what_the_second_way_cannot_carry_goes_by_the_first_with_a_warning() {
    let replaced = |event: &mut Value| event["data"]["citizen"]["cpr"] = json!("6707614285");
    let message = accepted("recommendation", "0101", replaced);
    assert_eq!(message.deliveries.len(), 1);
    assert_eq!((message.deliveries[0].other_way, &message.deliveries[0].hold), (None, &None));
    assert_eq!(unfit(&message), 1);
}
