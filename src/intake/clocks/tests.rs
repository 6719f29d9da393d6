//! Which clocks a message starts, and whose it stops.

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    config,
    domain::ReceiptId,
    intake::{Rules, admit},
    kinds::KINDS,
    store::{Accepted, Admission, Arrived, Way},
    tools::generate,
};

const DEPLOYMENT: &str = r#"
[intake]
outside_validity = "flag"

[[party]]
code = "3f"

[[party]]
code = "0101"

[[receiver]]
name = "kbh"
party = "0101"
channel = "mailbox"

[[receiver]]
name = "3f-out"
party = "3f"
channel = "mailbox"

[calendar.office]
weekdays = ["08:00-16:00"]

[promise.recommendation]
within = "8h"
starts = "received"
retry_window = "30d"
also = [
    { name = "answered", within = "4h", calendar = "office", stops = "answered" },
    { name = "decided", within = "5 business days", calendar = "office", starts = "delivered", stops = "decided" },
]

[promise.placement]
within = "24h"
retry_window = "30d"
also = [{ name = "first_interview", within = "14 days", calendar = "every_day", starts = "registration", stops = "interview_record" }]
"#;

/// A Monday at 11 in Denmark.
fn now() -> Timestamp {
    "2026-11-23T10:00:00Z".parse().unwrap()
}

fn rules(text: &str) -> std::sync::Arc<Rules> {
    config::build(&config::from_text("test.toml", text).unwrap(), 7).unwrap().rules
}

fn admitted(party: &str, event: &Value) -> Accepted {
    admitted_by(DEPLOYMENT, party, event)
}

fn admitted_by(text: &str, party: &str, event: &Value) -> Accepted {
    let arrived = Arrived {
        receipt: ReceiptId::from_fresh(Uuid::from_bytes([3; 16])),
        party: party.into(),
        way: Way::Http,
        received: now(),
        sent: None,
        content_type: Some("application/cloudevents+json".into()),
        headers: vec![],
        raw: Bytes::from(event.to_string()),
        generation: 7,
        in_hand: None,
    };
    match admit(&rules(text), arrived) {
        Admission::Accepted(accepted) => *accepted,
        Admission::Invalid(invalid) => panic!("{:#?}", invalid.violations),
    }
}

/// The example of a kind, sent an hour ago.
fn example(kind: &str, from: &str, to: &str) -> Value {
    let kind = KINDS.iter().find(|known| known.name == kind).unwrap();
    let mut event: Value = serde_json::from_str(kind.example).unwrap();
    event["source"] = from.into();
    event["receiver"] = to.into();
    event["time"] = json!((now() - SignedDuration::from_hours(1)).to_string());
    event
}

#[test]
fn each_clock_starts_with_what_its_promise_says() {
    let event = generate::event(
        "recommendation",
        1,
        "m-1",
        "urn:dk:akasse:3f",
        "urn:dk:jobcenter:0101",
        now() - SignedDuration::from_hours(1),
    );
    let message = admitted("3f", &event);
    let delivery = &message.deliveries[0];
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    assert_eq!(delivery.promise.course.starts, now(), "with the arrival");
    let [answered, decided] = &delivery.further[..] else { panic!("two more: {:?}", delivery.further) };
    assert_eq!(answered.starts, Some(now() - SignedDuration::from_hours(1)));
    assert_eq!(answered.promise.start(answered.starts.unwrap()).due, at("2026-11-23T13:00:00Z"));
    assert_eq!((decided.promise.name(), decided.starts), ("decided", None), "with the delivery");
    assert_eq!(decided.promise.start(at("2026-11-23T10:00:00Z")).due, at("2026-11-30T15:00:00Z"));
    assert!(message.meets.is_none() && message.ends_placement.is_none());
}

#[test]
fn a_placement_waits_for_its_first_interview_and_the_end_of_one_for_nothing() {
    let mut placement = example("placement", "urn:dk:jobcenter:0101", "urn:dk:akasse:3f");
    let registration = placement["data"]["registrationDate"].as_str().unwrap().to_owned();
    let message = admitted("0101", &placement);
    let [first] = &message.deliveries[0].further[..] else { panic!("one more") };
    let midnight = crate::kinds::rules::days::begin(registration.parse().unwrap()).unwrap();
    assert_eq!(first.starts, Some(midnight), "in Denmark");
    assert!(first.about.is_some() && message.ends_placement.is_none());
    placement["data"]["action"] = "ended".into();
    let ended = admitted("0101", &placement);
    assert!(ended.deliveries[0].further.is_empty());
    assert_eq!(ended.ends_placement, first.about);
}

#[test]
fn what_is_waited_for_says_between_whom_and_about_whom_it_is() {
    let placement = example("placement", "urn:dk:jobcenter:0101", "urn:dk:akasse:3f");
    let mut interview = example("interview_record", "urn:dk:akasse:3f", "urn:dk:jobcenter:0101");
    interview["data"]["citizen"] = placement["data"]["citizen"].clone();
    let waits = admitted("0101", &placement).deliveries[0].further[0].about;
    let meets = admitted("3f", &interview).meets;
    assert!(meets.is_some());
    assert_eq!(meets.map(|meets| meets.about), waits, "in whichever direction");
    let held: Timestamp = interview["data"]["heldAt"].as_str().unwrap().parse().unwrap();
    assert_eq!(meets.unwrap().happened, Some(held), "and when it was held");
    let mut absent = interview.clone();
    absent["data"]["status"] = "absent".into();
    absent["data"].as_object_mut().unwrap().remove("heldAt");
    assert_eq!(admitted("3f", &absent).meets.unwrap().happened, None, "it was not held");
    interview["data"]["citizen"]["cpr"] = "0103922852".into();
    assert_ne!(admitted("3f", &interview).meets.map(|meets| meets.about), waits);
    let mut deregistered = example("enrolment_status", "urn:dk:jobcenter:0101", "urn:dk:akasse:3f");
    assert!(admitted("0101", &deregistered).ends_placement.is_none(), "it begins");
    deregistered["data"]["status"] = "deregistered".into();
    deregistered["data"]["deregistrationDate"] = json!("2026-11-20");
    assert!(admitted("0101", &deregistered).ends_placement.is_some());
    let opt_out = example("opt_out", "urn:dk:akasse:3f", "urn:dk:jobcenter:0101");
    assert!(admitted("3f", &opt_out).ends_placement.is_some());
}

/// Two groups with a limit, one without, and nobody under 18.
const LIMITED: &str = r#"
[[agreement]]
id = "limited"
akasse = "3f"
jobcenter = "0101"
valid_from = "2020-01-01"

[[agreement.promises.placement.also]]
name = "back_referral"
within = "limit"
starts = "registration"
stops = "back_referral"
clause = "4"

[[agreement.group]]
code = "C"
from_age = 18
to_age = 29
clause = "4"

[[agreement.group]]
code = "A"
from_age = 30
to_age = 59
limit = "26 weeks"
clause = "4"

[[agreement.group]]
code = "B"
from_age = 60
limit = "3 months"
clause = "4"
"#;

#[test]
fn a_promise_to_the_limit_ends_with_the_citizens_last_day_whatever_later_end_is_told() {
    let text = DEPLOYMENT.split("[promise.placement]").next().unwrap().to_owned() + LIMITED;
    let due = |cpr: &str, registered: &str, end: &str, action: &str| {
        let mut placement = example("placement", "urn:dk:jobcenter:0101", "urn:dk:akasse:3f");
        placement["data"]["citizen"]["cpr"] = cpr.into();
        placement["data"]["registrationDate"] = registered.into();
        placement["data"]["startDate"] = registered.into();
        placement["data"]["endDate"] = end.into();
        placement["data"]["action"] = action.into();
        if action == "replacement" {
            placement["data"]["firstEndDate"] = end.into();
        }
        let message = admitted_by(&text, "0101", &placement);
        let further = message.deliveries[0].further.first()?;
        let starts = further.starts.unwrap();
        assert_eq!(starts, crate::kinds::rules::days::begin(registered.parse().unwrap()).unwrap());
        assert!(further.about.is_some());
        Some(further.promise.start(starts).due.to_string())
    };
    // Born on 7 July 1961, 1 March 1992 and 23 September 1996.
    let (of_65, of_34, of_30) = ("0707614285", "0103922852", "2309963999");
    let until = |text: &str| Some(text.to_owned());
    // 26 weeks from Monday 26 October end with Sunday 25 April, in summer time.
    assert_eq!(due(of_34, "2026-10-26", "2027-04-25", "placement"), until("2027-04-25T22:00:00Z"));
    assert_eq!(due(of_34, "2026-10-26", "2027-12-31", "placement"), until("2027-04-25T22:00:00Z"));
    assert_eq!(due(of_34, "2026-10-26", "2027-02-28", "replacement"), until("2027-02-28T23:00:00Z"));
    assert_eq!(due(of_65, "2026-10-26", "2027-04-25", "placement"), until("2027-01-25T23:00:00Z"));
    // Thirty on 23 September 2026: of the group of that day, which sets no limit, and of the other the day after.
    assert_eq!(due(of_30, "2026-09-22", "2027-04-25", "placement"), None);
    assert_eq!(due(of_30, "2026-09-23", "2027-04-25", "placement"), until("2027-03-23T23:00:00Z"));
    assert_eq!(due(of_34, "2026-10-26", "2027-04-25", "ended"), None);
}

/// What goes by dates: the interview with who is sick, the report before the handover, the invitation.
const DATED: &str = r#"
[promise.sickness_follow_up]
within = "24h"
retry_window = "30d"
also = [{ name = "interview", within = "28 days", calendar = "every_day", starts = "sickReportDate", stops = "sickness_follow_up" }]

[promise.contact_notice]
within = "24h"
retry_window = "30d"
also = [{ name = "handover", within = "30d", starts = "before transitionDate", stops = "handover_report" }]

[promise.joint_interview_wish]
within = "24h"
retry_window = "30d"
also = [{ name = "invitation", within = "7d", starts = "before interviewDate", stops = "joint_interview_invitation" }]
"#;

#[test]
fn a_dates_promise_is_due_by_that_date_and_given_only_where_something_is_left_to_come() {
    let text = DEPLOYMENT.to_owned() + DATED;
    let fund = ("3f", "urn:dk:akasse:3f", "urn:dk:jobcenter:0101");
    let office = ("0101", "urn:dk:jobcenter:0101", "urn:dk:akasse:3f");
    let told = |(party, from, to): (&str, &str, &str), kind: &str, fields: &[(&str, Value)]| {
        let mut event = example(kind, from, to);
        for (field, value) in fields {
            event["data"][field] = value.clone();
        }
        event["data"].as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let message = admitted_by(&text, party, &event);
        let promised = message.deliveries[0].further.first().map(|further| {
            assert_eq!(
                further.about,
                message.renews.as_ref().map(|renews| renews.about),
                "it tells of it anew"
            );
            let course = further.promise.start(further.starts.unwrap());
            (course.starts.to_string(), course.due.to_string())
        });
        let meets = message.meets.map(|meets| meets.happened.is_some());
        (promised, message.renews.map(|renews| renews.promises.concat()), meets)
    };
    let whole = |starts: &str, due: &str| Some((starts.to_owned(), due.to_owned()));
    let renews = |name: &str| Some(name.to_owned());
    let sick = |outcome: Value, planned: Value, held: Value| {
        let fields = [
            ("sickReportDate", json!("2026-11-02")),
            ("outcome", outcome),
            ("plannedDate", planned),
            ("heldDate", held),
        ];
        told(fund, "sickness_follow_up", &fields)
    };
    let (null, planned) = (json!(null), json!("2026-11-24"));
    // From the day's midnight in Denmark to the end of the 28th day after it.
    let course = whole("2026-11-01T23:00:00Z", "2026-11-30T23:00:00Z");
    assert_eq!(sick(null.clone(), planned.clone(), null.clone()), (course, renews("interview"), Some(false)));
    assert_eq!(
        sick(json!("stillSick"), planned.clone(), json!("2026-11-20")),
        (None, None, Some(true)),
        "it was held: that is what others wait for"
    );
    for outcome in ["recovered", "sicknessBenefit"] {
        assert_eq!(
            sick(json!(outcome), planned.clone(), null.clone()),
            (None, renews("interview"), Some(false)),
            "nobody is left to speak with"
        );
    }
    let contact = |day: Value| told(office, "contact_notice", &[("transitionDate", day)]);
    // Thirty days before the end of 10 December, and over the change of clocks.
    assert_eq!(
        contact(json!("2026-12-10")),
        (whole("2026-11-10T23:00:00Z", "2026-12-10T23:00:00Z"), renews("handover"), None)
    );
    assert_eq!(
        contact(json!("2026-11-01")),
        (whole("2026-10-02T23:00:00Z", "2026-11-01T23:00:00Z"), renews("handover"), None)
    );
    assert_eq!(contact(null), (None, None, None), "no date, no promise");
    let wish = |wishes: bool| {
        told(
            fund,
            "joint_interview_wish",
            &[("wishes", json!(wishes)), ("interviewDate", json!("2026-12-03"))],
        )
    };
    assert_eq!(
        wish(true),
        (whole("2026-11-26T23:00:00Z", "2026-12-03T23:00:00Z"), renews("invitation"), None)
    );
    assert_eq!(wish(false), (None, renews("invitation"), None), "it is taken back");
    let mut invitation = example("joint_interview_invitation", office.1, office.2);
    assert!(admitted_by(&text, "0101", &invitation).meets.unwrap().happened.is_some());
    invitation["data"]["cancelled"] = json!(true);
    assert!(admitted_by(&text, "0101", &invitation).meets.unwrap().happened.is_none(), "it is off");
}
