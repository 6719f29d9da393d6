//! What admission makes of messages, with the rules of a small deployment.

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::{
    config,
    domain::{Format, HoldReason, ReceiptId, Severity},
    tools::generate,
};

const DEPLOYMENT: &str = r#"
[[party]]
code = "3f"
headers = { "x-msg-id" = "id", "x-event-time" = "time" }
defaults = { specversion = "1.0", type = "dk.kassebro.complaint.v1", source = "urn:dk:akasse:3f", receiver = "urn:dk:jobcenter:0101" }

[[party]]
code = "krifa"

[[agreement]]
id = "kbh-3f"
akasse = "3f"
jobcenter = "0101"
valid_from = "2024-01-01"
valid_to = "2027-12-31"
promises = { recommendation = "48h" }

[[receiver]]
name = "kbh"
party = "0101"
channel = "mailbox"

[[receiver]]
name = "kbh-jobag"
party = "0101"
kinds = ["job_order"]
channel = "mailbox"
"#;

fn rules() -> std::sync::Arc<Rules> {
    let settings = config::from_text("test.toml", DEPLOYMENT).unwrap();
    config::build(&settings, 7).unwrap().rules
}

fn now() -> Timestamp {
    "2026-11-22T10:00:00Z".parse().unwrap()
}

fn event(kind: &str) -> Value {
    generate::event(
        kind,
        1,
        "m-1",
        "urn:dk:akasse:3f",
        "urn:dk:jobcenter:0101",
        now() - SignedDuration::from_hours(1),
    )
}

fn arrived(party: &str, way: Way, headers: &[(&str, &str)], content_type: &str, body: &Value) -> Arrived {
    Arrived {
        receipt: ReceiptId::from_fresh(Uuid::from_bytes([3; 16])),
        party: party.into(),
        way,
        received: now(),
        sent: None,
        content_type: Some(content_type.into()),
        headers: headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
        raw: Bytes::from(body.to_string()),
        generation: 7,
        in_hand: None,
    }
}

fn admitted(party: &str, event: &Value) -> Admission {
    admit(&rules(), arrived(party, Way::Http, &[], "application/cloudevents+json", event))
}

fn accepted(event: &Value) -> Accepted {
    match admitted("3f", event) {
        Admission::Accepted(accepted) => *accepted,
        Admission::Invalid(invalid) => panic!("{:#?}", invalid.violations),
    }
}

/// The rules that refuse a message, in order.
fn refused_by(party: &str, event: &Value) -> Vec<String> {
    match admitted(party, event) {
        Admission::Accepted(_) => vec![],
        Admission::Invalid(invalid) => {
            invalid.violations.into_iter().filter(Violation::is_error).map(|v| v.rule).collect()
        }
    }
}

#[test]
fn every_kind_is_owed_to_its_receiver_with_a_finished_parcel() {
    for (kind, receiver) in [("complaint", "kbh"), ("recommendation", "kbh"), ("job_order", "kbh-jobag")] {
        let message = accepted(&event(kind));
        let receivers: Vec<&str> = message.deliveries.iter().map(|d| d.receiver.as_str()).collect();
        assert_eq!(receivers, [receiver]);
        assert!(!message.deliveries[0].parcel.body.is_empty());
        assert_eq!(message.agreement.as_deref(), Some("kbh-3f"));
        assert_eq!(message.arrived.generation, 7);
    }
}

#[test]
fn a_complaint_has_24_hours_from_the_akasses_receipt() {
    let clock = &accepted(&event("complaint")).deliveries[0].promise;
    assert_eq!(clock.course.starts, now() - SignedDuration::from_hours(1));
    assert_eq!(clock.course.due, now() + SignedDuration::from_hours(23));
    assert_eq!(accepted(&event("complaint")).deliveries[0].expires, None);
}

#[test]
fn an_agreements_promise_goes_before_the_general_one() {
    let delivery = &accepted(&event("recommendation")).deliveries[0];
    assert_eq!(delivery.promise.course.due, now() + SignedDuration::from_hours(47));
    assert_eq!(delivery.expires, Some(delivery.promise.course.due + SignedDuration::from_hours(30 * 24)));
}

#[test]
fn outside_every_agreement_what_is_configured_follows_and_a_complaint_is_carried() {
    let judged = |outside: &str, kind: &str, cpr: Option<&str>| {
        let text = format!("[intake]\noutside_validity = \"{outside}\"\n{DEPLOYMENT}");
        let rules = config::build(&config::from_text("test.toml", &text).unwrap(), 7).unwrap().rules;
        let mut event = event(kind);
        event["time"] = json!("2023-12-31T12:00:00Z");
        if let Some(cpr) = cpr {
            event["data"]["citizen"]["cpr"] = json!(cpr);
        }
        let mut arrived = arrived("3f", Way::Http, &[], "application/cloudevents+json", &event);
        arrived.received = "2023-12-31T13:00:00Z".parse().unwrap();
        match admit(&rules, arrived) {
            Admission::Accepted(mut message) => {
                assert!(message.warnings.iter().any(|w| w.rule == "agreement.validity"));
                Ok(message.deliveries.remove(0).hold.map(|(reason, _)| reason))
            }
            Admission::Invalid(message) => Err(message
                .violations
                .into_iter()
                .filter(Violation::is_error)
                .map(|v| v.rule)
                .collect::<Vec<_>>()),
        }
    };
    let (refused, held) = (Err(vec!["agreement.validity".to_owned()]), Ok(Some(HoldReason::Agreement)));
    for (outside, expected) in [("refuse", refused), ("flag", Ok(None)), ("hold", held)] {
        assert_eq!(judged(outside, "recommendation", None), expected, "{outside}");
        assert_eq!(judged(outside, "complaint", None), Ok(None), "{outside}: a complaint waits for no paper");
    }
    let person = Ok(Some(HoldReason::Person));
    assert_eq!(judged("hold", "recommendation", Some("6707614285")), person, "no agreement helps there");
}

/// What comes of a message where the agreement says more: each violation's rule and whether it stops, or else the
/// format of the parcel.
fn judged_under(more: &str, event: &Value) -> (Vec<(String, bool)>, Option<Format>) {
    let text = DEPLOYMENT.replace("promises = {", &format!("{more}\npromises = {{"));
    let rules = config::build(&config::from_text("test.toml", &text).unwrap(), 7).unwrap().rules;
    let agreed = |found: &[Violation]| {
        let agreed = found.iter().filter(|v| v.rule.starts_with("agreement."));
        agreed.map(|v| (v.rule.clone(), v.is_error())).collect()
    };
    match admit(&rules, arrived("3f", Way::Http, &[], "application/cloudevents+json", event)) {
        Admission::Accepted(message) => {
            (agreed(&message.warnings), Some(message.deliveries[0].parcel.format))
        }
        Admission::Invalid(message) => (agreed(&message.violations), None),
    }
}

#[test]
fn what_an_agreement_in_force_says_of_a_kind_stops_it_and_only_warns_of_a_complaint() {
    let late = "phase = [{ name = \"2\", from = \"2027-01-01\", kinds = [\"recommendation\", \"complaint\"], clause = \"c\" }]";
    let field = "rules = { recommendation = { field = [{ pointer = \"/data/none\", clause = \"c\" }] }, \
                 complaint = { field = [{ pointer = \"/data/none\", clause = \"c\" }] } }";
    for (more, rule) in [
        ("kinds = [\"job_order\", \"recommendation\"]", "agreement.kind"),
        (late, "agreement.phase"),
        (field, "agreement.field"),
    ] {
        let (found, parcel) = judged_under(more, &event("complaint"));
        assert_eq!((found, parcel.is_some()), (vec![(rule.to_owned(), false)], true), "{more}");
    }
    for (more, rule) in [(late, "agreement.phase"), (field, "agreement.field")] {
        let (found, parcel) = judged_under(more, &event("recommendation"));
        assert_eq!((found, parcel), (vec![(rule.to_owned(), true)], None), "{more}");
    }
    let group = "group = [{ code = \"A\", from_age = 100, clause = \"c\" }]";
    assert_eq!(judged_under(group, &event("recommendation")).0, [("agreement.group".to_owned(), true)]);
    assert_eq!(judged_under(group, &event("complaint")).0, []);
    assert_eq!(judged_under(group, &event("job_order")).0, [], "it is about no citizen");
}

#[test]
fn a_receiver_without_a_format_of_its_own_reads_the_agreed_one() {
    assert_eq!(judged_under("", &event("complaint")).1, Some(Format::Klagesag));
    let agreed = "rules = { complaint = { format = \"cloudevents\", clause = \"c\" } }";
    assert_eq!(judged_under(agreed, &event("complaint")).1, Some(Format::Cloudevents));
    assert_eq!(judged_under(agreed, &event("recommendation")).1, Some(Format::Beskedmodul));
}

#[test]
fn outside_its_validity_the_nearest_agreement_says_what_follows() {
    let past = "kinds = []\nvalid_to = \"2026-11-21\"";
    let text = DEPLOYMENT.replace("valid_to = \"2027-12-31\"", past);
    for (said, rule, carried) in
        [("", "agreement.validity", false), ("outside_validity = \"flag\"", "agreement.validity", true)]
    {
        let text = text.replace(
            "promises = {",
            &format!("{said}\nclauses = {{ validity = \"8. Ophør\" }}\npromises = {{"),
        );
        let rules = config::build(&config::from_text("test.toml", &text).unwrap(), 7).unwrap().rules;
        let admission = admit(
            &rules,
            arrived("3f", Way::Http, &[], "application/cloudevents+json", &event("recommendation")),
        );
        let (found, taken) = match admission {
            Admission::Accepted(message) => (message.warnings, true),
            Admission::Invalid(message) => (message.violations, false),
        };
        let violation = found.iter().find(|v| v.rule == rule).expect("it is told");
        assert_eq!(taken, carried, "{said:?} goes before the general setting");
        assert!(violation.message.da.ends_with("Nærmest er aftalen kbh-3f (8. Ophør)."), "{violation:?}");
        assert!(
            violation.message.en.ends_with("The nearest is agreement kbh-3f (8. Ophør)."),
            "{violation:?}"
        );
    }
}

#[test]
fn nobody_speaks_for_another() {
    assert_eq!(refused_by("krifa", &event("complaint")), ["party.source"]);
    assert_eq!(refused_by("stranger", &event("complaint")), ["party.source"]);
}

#[test]
fn a_business_time_lies_at_most_five_minutes_ahead_and_then_the_clock_starts_here() {
    let mut ahead = event("complaint");
    ahead["time"] = json!(now() + SignedDuration::from_mins(5));
    assert_eq!(accepted(&ahead).deliveries[0].promise.course.starts, now());
    ahead["time"] = json!(now() + SignedDuration::from_mins(5) + SignedDuration::from_secs(1));
    assert_eq!(refused_by("3f", &ahead), ["time.ahead"]);
}

#[test]
fn an_old_time_is_taken_for_complaints_only() {
    let old = json!(now() - SignedDuration::from_hours(401 * 24));
    let mut complaint = event("complaint");
    complaint["time"] = old.clone();
    let warnings: Vec<String> = accepted(&complaint).warnings.into_iter().map(|w| w.rule).collect();
    assert!(warnings.contains(&"time.too-old".to_owned()), "{warnings:?}");
    let mut order = event("job_order");
    order["time"] = old;
    assert!(refused_by("3f", &order).contains(&"time.too-old".to_owned()));
}

#[test]
fn outside_every_agreement_a_complaint_is_carried_and_the_rest_refused() {
    let rename = |kind: &str| {
        let mut event = event(kind);
        event["source"] = json!("urn:dk:akasse:krifa");
        event
    };
    assert_eq!(refused_by("krifa", &rename("recommendation")), ["agreement.validity"]);
    let Admission::Accepted(complaint) = admitted("krifa", &rename("complaint")) else {
        panic!("it is carried")
    };
    assert!(
        complaint.warnings.iter().any(|w| w.rule == "agreement.validity" && w.severity == Severity::Warning)
    );
    assert_eq!(complaint.agreement, None);
}

#[test]
fn a_message_is_refused_where_nobody_receives_it_or_the_way_is_wrong() {
    let mut nobody = event("complaint");
    nobody["receiver"] = json!("urn:dk:jobcenter:0707");
    assert_eq!(refused_by("3f", &nobody), ["route.none"]);
    let mut backwards = event("complaint");
    backwards["receiver"] = json!("urn:dk:akasse:krifa");
    assert!(refused_by("3f", &backwards).contains(&"kind.direction".to_owned()));
    let mut unknown = event("complaint");
    unknown["type"] = json!("dk.kassebro.complaint.v9");
    assert!(
        refused_by("3f", &unknown).contains(&"envelope.kind".to_owned()),
        "{:?}",
        refused_by("3f", &unknown)
    );
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let mut wrong = event("complaint");
    wrong["time"] = json!(now() + SignedDuration::from_hours(48));
    wrong["data"]["surprise"] = json!(true);
    wrong["data"]["citizen"] = json!({});
    let rules = refused_by("krifa", &wrong);
    for rule in ["party.source", "time.ahead", "schema.additionalProperties", "schema.required"] {
        assert!(rules.contains(&rule.to_owned()), "{rule} is missing in {rules:?}");
    }
    // What the schema finds does not hide what the citizen's number is.
    wrong["data"]["citizen"] = json!({ "cpr": "3002000000" });
    let rules = refused_by("krifa", &wrong);
    for rule in ["schema.additionalProperties", "cpr.not-a-date"] {
        assert!(rules.contains(&rule.to_owned()), "{rule} is missing in {rules:?}");
    }
    // Also where the envelope itself cannot be read.
    wrong["data"]["citizen"] = json!({});
    wrong["id"] = json!("");
    let rules = refused_by("3f", &wrong);
    assert!(
        rules.iter().any(|r| r == "envelope.id") && rules.iter().any(|r| r == "schema.required"),
        "{rules:?}"
    );
}

#[test]
fn one_citizens_recommendations_keep_their_order_and_complaints_are_never_held() {
    let key = |event: &Value| accepted(event).deliveries[0].ordering_key;
    let first = event("recommendation");
    let mut second = event("recommendation");
    second["id"] = json!("m-2");
    assert!(key(&first).is_some());
    assert_eq!(key(&first), key(&second));
    let stranger =
        generate::event("recommendation", 99, "m-3", "urn:dk:akasse:3f", "urn:dk:jobcenter:0101", now());
    assert_ne!(key(&first), key(&stranger));
    assert_eq!(key(&event("complaint")), None);
}

#[test]
fn a_replacement_number_waits_for_a_person_only_where_the_format_excludes_it() {
    let replaced = |kind: &str| {
        let mut event = event(kind);
        event["data"]["citizen"]["cpr"] = json!("6707614285");
        accepted(&event).deliveries.remove(0).hold
    };
    assert_eq!(replaced("recommendation").map(|(reason, _)| reason), Some(HoldReason::Person));
    assert_eq!(replaced("complaint"), None);
}

#[test]
fn a_legacy_senders_own_headers_stand_for_attributes() {
    let data = event("complaint")["data"].clone();
    let headers = [("x-msg-id", "old-17"), ("x-event-time", "2026-11-22T09:00:00Z")];
    let raw = arrived("3f", Way::Amqp, &headers, "application/json", &data);
    let message = match admit(&rules(), raw) {
        Admission::Accepted(message) => message,
        Admission::Invalid(invalid) => panic!("{:#?}", invalid.violations),
    };
    assert_eq!(message.envelope.id.as_str(), "old-17");
    assert_eq!(message.envelope.time, now() - SignedDuration::from_hours(1));
    assert_eq!(message.envelope.kind.to_string(), "complaint.v1");
}

#[test]
fn what_a_kind_says_for_the_key_figures_goes_into_the_store_with_the_message() {
    use crate::{
        domain::figure::{Figure, Interview, Month, Timeliness},
        kinds::{Kind, complaint},
    };
    assert_eq!(accepted(&event("complaint")).figure, None);
    let counts: &'static Kind = Box::leak(Box::new(Kind {
        figure: |event| {
            Some(Figure {
                month: Month::at(event.envelope.time),
                interview: Interview::new("jobInterview")?,
                timeliness: Timeliness::Late,
            })
        },
        ..complaint::KIND
    }));
    let mut rules = config::rules(&config::from_text("test.toml", DEPLOYMENT).unwrap(), 7).unwrap();
    rules.kinds.get_mut(&counts.id()).unwrap().kind = counts;
    let arrived = arrived("3f", Way::Http, &[], "application/cloudevents+json", &event("complaint"));
    let Admission::Accepted(message) = admit(&rules, arrived) else { panic!("it is valid") };
    let figure = message.figure.expect("the kind says one");
    assert_eq!((figure.month.to_string().as_str(), figure.timeliness), ("2026-11", Timeliness::Late));
}
