//! What interview records promise.

use std::slice::from_ref;

use serde_json::json;

use super::{Timeliness::*, *};
use crate::kinds::{find, testing};

const EXAMPLE: &str = "schemas/examples/interview_record.v1/valid-job-interview.json";

#[test]
fn every_rule_is_found_at_its_place() {
    testing::check_table(
        EXAMPLE,
        &[
            (&[], &[]),
            (&[("/data/citizen/cpr", json!("0000000000"))], &["/data/citizen/cpr cpr.unknown"]),
            (&[("/data/heldAt", json!(null))], &["/data/heldAt interview_record.held-at"]),
            (&[("/data/status", json!("absent"))], &["/data/heldAt interview_record.not-held"]),
            (&[("/data/status", json!("cancelled"))], &["/data/heldAt interview_record.not-held"]),
            (&[("/data/status", json!("absent")), ("/data/heldAt", json!(null))], &[]),
            (&[("/data/heldAt", json!("2026-11-02T10:15:00+01:00"))], &[]),
            (
                &[("/data/heldAt", json!("2026-11-02T09:15:00.000000001Z"))],
                &["/data/heldAt interview_record.held-later"],
            ),
            (
                &[("/data/registrationDate", json!("2026-10-31"))],
                &["/data/heldAt interview_record.before-registration"],
            ),
            (
                &[("/data/participants/0/role", json!("<b>Chef</b>"))],
                &["/data/participants/0/role text.html"],
            ),
            (&[("/data/bookingReference", json!("0707614285"))], &["/data/bookingReference text.cpr"]),
            (&[("/data/caseworker/phone", json!("112"))], &["/data/caseworker/phone phone.danish"]),
        ],
    );
}

#[test]
fn late_is_told_by_the_danish_day() {
    let deadline = ("/data/deadline", json!("2026-10-29"));
    testing::check_table(
        EXAMPLE,
        &[
            (&[deadline.clone(), ("/data/heldAt", json!("2026-10-29T22:59:59Z"))], &[]),
            (
                &[deadline, ("/data/heldAt", json!("2026-10-29T23:00:00Z"))],
                &["/data/heldAt interview_record.late"],
            ),
        ],
    );
}

#[test]
fn an_a_kasses_first_interview_is_within_two_weeks_of_the_registration() {
    // It was held on 30 October.
    let (two_weeks, more) =
        (("/data/registrationDate", json!("2026-10-16")), ("/data/registrationDate", json!("2026-10-15")));
    let from_jobcenter =
        [("/source", json!("urn:dk:jobcenter:0101")), ("/receiver", json!("urn:dk:akasse:3f")), more.clone()];
    testing::check_table(
        EXAMPLE,
        &[
            (&[two_weeks], &[]),
            (from_ref(&more), &["/data/heldAt interview_record.first-late"]),
            (&[more.clone(), ("/data/sequenceNumber", json!(2))], &[]),
            (&[more.clone(), ("/data/sequenceNumber", json!(null))], &[]),
            (&from_jobcenter, &[]),
        ],
    );
}

#[test]
fn both_sides_took_part_in_a_joint_interview() {
    let joint = ("/data/type", json!("jointInterview"));
    let there = |sides: &[(&str, bool)]| {
        let one = |(organisation, participated): &(&str, bool)| json!({"organisation": organisation, "role": "Rådgiver", "participated": participated});
        ("/data/participants", sides.iter().map(one).collect::<Value>())
    };
    let missing: &[&str] = &["/data/participants interview_record.joint"];
    testing::check_table(
        EXAMPLE,
        &[
            (&[joint.clone(), there(&[("akasse", true), ("jobcenter", true)])], &[]),
            (&[joint.clone(), there(&[("akasse", true), ("jobcenter", false)])], missing),
            (&[joint.clone(), there(&[("jobcenter", true), ("other", true)])], missing),
            (&[joint.clone(), ("/data/participants", json!(null))], missing),
            // Nobody is expected where it was not held.
            (&[joint, ("/data/status", json!("cancelled")), ("/data/heldAt", json!(null))], &[]),
        ],
    );
}

#[test]
fn a_report_counts_type_month_and_timeliness() {
    let count = |changes: &[(&str, Value)]| {
        let mut value = testing::read_example(EXAMPLE);
        for (pointer, to) in changes {
            match to {
                Value::Null => drop(value["data"].as_object_mut().unwrap().remove(*pointer)),
                to => value["data"][*pointer] = to.clone(),
            }
        }
        let figure = figure(&testing::event(&value)).unwrap();
        (figure.interview.as_str().to_owned(), figure.month.to_string(), figure.timeliness)
    };
    let of = |interview: &str, month: &str, timeliness| (interview.to_owned(), month.to_owned(), timeliness);
    assert_eq!(count(&[]), of("jobInterview", "2026-10", InTime));
    let new_month = [("heldAt", json!("2026-10-31T23:30:00Z")), ("deadline", json!("2026-10-31"))];
    assert_eq!(count(&new_month), of("jobInterview", "2026-11", Late));
    let absent = [("status", json!("absent")), ("heldAt", json!(null)), ("type", json!("cvInterview"))];
    assert_eq!(count(&absent), of("cvInterview", "2026-10", NotHeld));
    let unplanned = [("status", json!("cancelled")), ("heldAt", json!(null)), ("plannedAt", json!(null))];
    assert_eq!(count(&unplanned), of("jobInterview", "2026-11", NotHeld));
}

#[test]
fn only_interviews_are_counted() {
    for kind in crate::kinds::KINDS {
        let event = testing::event(&testing::generated(kind.name, 3));
        assert_eq!((kind.figure)(&event).is_some(), kind.name == KIND.name, "{}", kind.name);
    }
}

#[test]
fn a_report_says_late_where_the_sender_is_warned() {
    for (day, late) in [("2026-10-29", true), ("2026-10-30", false), ("2026-10-31", false)] {
        let mut value = testing::read_example(EXAMPLE);
        value["data"]["deadline"] = json!(day);
        let event = testing::event(&value);
        let warned = KIND.check(&event, testing::soon_after(&event));
        assert_eq!(warned.iter().any(|v| v.rule == "interview_record.late"), late, "{day}");
        assert_eq!(figure(&event).unwrap().timeliness == Late, late, "{day}");
    }
}

#[test]
fn every_type_that_the_schemas_name_is_known() {
    for name in ["interview_record", "appointment"] {
        let kind = find(&crate::domain::KindId::new(name, 1)).unwrap();
        let schema: Value = serde_json::from_str(kind.schema).unwrap();
        let types = schema["properties"]["type"]["enum"].as_array().unwrap();
        assert_eq!(types.len(), 12, "{name}");
        for named in types {
            let known = InterviewType::deserialize(named).unwrap();
            assert_eq!(serde_json::to_value(known).unwrap(), *named);
        }
    }
}
