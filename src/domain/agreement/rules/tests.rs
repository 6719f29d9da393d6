//! Each demand that an agreement can make, kept and not kept.

use jiff::civil::date;
use serde_json::json;

use super::{
    super::{Phase, tests::agreement},
    *,
};
use crate::domain::KindId;

/// A message about someone born on 1961-07-07.
fn event(kind: &str, at: &str, data: Value) -> Event {
    let envelope = crate::domain::Envelope {
        id: "m-1".parse().unwrap(),
        source: "urn:dk:akasse:krifa".parse().unwrap(),
        kind: KindId::new(kind, 1),
        time: at.parse().unwrap(),
        recorded: None,
        receiver: "urn:dk:jobcenter:0101".parse().unwrap(),
        agreement: None,
        subject: None,
        correlation_id: None,
        causation_id: None,
        traceparent: None,
        tracestate: None,
    };
    Event { envelope, data }
}

fn found(agreement: &Agreement, event: &Event) -> Vec<Violation> {
    let citizen = Cpr::parse("0707614285").unwrap();
    let mut violations = Vec::new();
    agreement.rules_for(&event.envelope.kind.name).check(event, Some(&citizen), &mut violations);
    violations
}

fn with_field(toml: &str) -> Agreement {
    let own: KindRules = toml::from_str(toml).unwrap();
    let mut agreement = agreement("norddjurs", date(1990, 1, 1), None);
    agreement.rules.insert("recommendation".into(), own);
    agreement
}

const NOW: &str = "2026-11-22T10:00:00Z";

#[test]
fn a_field_is_kept_where_it_is_there_and_has_the_agreed_value() {
    for (rule, data, kept) in [
        ("pointer = \"/data/a\"", json!({"a": 1}), true),
        ("pointer = \"/data/a\"", json!({"a": false}), true),
        ("pointer = \"/data/a\"", json!({"a": {"b": 1}}), true),
        ("pointer = \"/data/a/b\"", json!({"a": {"b": "x"}}), true),
        ("pointer = \"/data/a\"", json!({}), false),
        ("pointer = \"/data/a\"", json!({"a": null}), false),
        ("pointer = \"/data/a\"", json!({"a": " "}), false),
        ("pointer = \"/data/a\"", json!({"a": []}), false),
        ("pointer = \"/data/a\"\nequals = true", json!({"a": true}), true),
        ("pointer = \"/data/a\"\nequals = true", json!({"a": false}), false),
        ("pointer = \"/data/a\"\nequals = true", json!({}), false),
        ("pointer = \"/data/a\"\none_of = [\"x\", 7]", json!({"a": 7}), true),
        ("pointer = \"/data/a\"\none_of = [\"x\", 7]", json!({"a": "y"}), false),
        ("pointer = \"/data/a\"\nat_most = 30", json!({"a": 30}), true),
        ("pointer = \"/data/a\"\nat_most = 30", json!({"a": 30.5}), false),
        ("pointer = \"/data/a\"\nat_most = 30", json!({"a": "30"}), false),
        ("pointer = \"/data/a\"\nwhen = { pointer = \"/data/b\" }", json!({}), true),
        ("pointer = \"/data/a\"\nwhen = { pointer = \"/data/b\" }", json!({"b": 0}), false),
        (
            "pointer = \"/data/a\"\nwhen = { pointer = \"/data/b\", one_of = [\"x\"] }",
            json!({"b": "y"}),
            true,
        ),
        (
            "pointer = \"/data/a\"\nwhen = { pointer = \"/data/b\", one_of = [\"x\"] }",
            json!({"b": "x"}),
            false,
        ),
    ] {
        let agreement = with_field(&format!("[[field]]\nclause = \"Tilbud\"\n{rule}"));
        let violations = found(&agreement, &event("recommendation", NOW, data.clone()));
        assert_eq!(violations.is_empty(), kept, "{rule} {data}");
        assert!(found(&agreement, &event("job_order", NOW, data)).is_empty(), "another kind");
    }
}

#[test]
fn a_violation_names_agreement_and_clause_in_both_languages() {
    let agreement = with_field(
        "[[field]]\npointer = \"/data/a\"\nclause = \"Oplysninger til indstilling, 4\"\none_of = [1, 2]",
    );
    let violation = found(&agreement, &event("recommendation", NOW, json!({}))).remove(0);
    let begins = "norddjurs (Oplysninger til indstilling, 4): ";
    assert!(violation.message.da.starts_with(&format!("Aftalen {begins}")), "{violation:?}");
    assert!(violation.message.en.starts_with(&format!("Agreement {begins}")), "{violation:?}");
    let expected = ("/data/a", "agreement.field", FaultCode::AgreementRefuses, "one of 1, 2");
    assert_eq!((&*violation.pointer, &*violation.rule, violation.code, &*violation.expected), expected);
    assert!(violation.is_error());
}

#[test]
fn a_complaint_and_a_mild_rule_are_only_warned_of() {
    let mild = with_field("[[field]]\npointer = \"/data/a\"\nclause = \"c\"\nseverity = \"warning\"");
    assert!(!found(&mild, &event("recommendation", NOW, json!({})))[0].is_error());
    let mut strict = with_field("[[field]]\npointer = \"/data/a\"\nclause = \"c\"");
    let own = strict.rules["recommendation"].clone();
    strict.rules.insert("complaint".into(), own);
    assert!(!found(&strict, &event("complaint", NOW, json!({})))[0].is_error());
}

/// København 2009, where the citizen is 30 from 1991-07-07 on.
fn placed() -> Agreement {
    let group = |code: &str, from, to| super::super::Group {
        code: code.into(),
        from_age: Some(from),
        to_age: to,
        limit: None,
        clause: "4. Målgrupper".into(),
    };
    let mut agreement = agreement("kbh", date(1990, 1, 1), None);
    agreement.groups = vec![group("A", 30, Some(59)), group("B", 60, None)];
    agreement.clauses.groups = "4. Målgrupper".into();
    agreement
}

#[test]
fn who_is_outside_the_target_groups_is_refused_except_for_what_everyone_is_due() {
    let (young, of_age) = ("1991-07-06T12:00:00Z", "1991-07-07T12:00:00Z");
    for (kind, at, expected) in [
        ("interview_record", young, Some("agreement.group")),
        ("interview_record", of_age, None),
        ("complaint", young, None),
        ("receipt", young, None),
        ("decision", young, None),
        ("back_referral", young, None),
        ("opt_out", young, None),
    ] {
        let violations = found(&placed(), &event(kind, at, json!({})));
        assert_eq!(violations.first().map(|v| v.rule.as_str()), expected, "{kind} {at}");
    }
    let violation = found(&placed(), &event("interview_record", young, json!({}))).remove(0);
    assert_eq!(violation.expected, "aged 30-59 or 60-");
    assert_eq!(violation.actual, None, "nobody's age is told");
    assert!(violation.message.da.contains("(4. Målgrupper)"));
    let mut about_nobody = Vec::new();
    placed().rules_for("job_order").check(&event("job_order", young, json!({})), None, &mut about_nobody);
    assert_eq!(about_nobody, [], "a message about no citizen");
}

#[test]
fn a_group_waits_for_its_phase() {
    let mut agreement = placed();
    agreement.phases = vec![Phase {
        name: "fase 2".into(),
        from: date(1992, 1, 1),
        kinds: vec![],
        groups: vec!["A".into()],
        clause: "Løsning".into(),
    }];
    for (at, expected) in [("1991-12-31T12:00:00Z", Some("agreement.phase")), ("1992-01-01T12:00:00Z", None)]
    {
        let violations = found(&agreement, &event("interview_record", at, json!({})));
        assert_eq!(violations.first().map(|v| v.rule.as_str()), expected, "{at}");
    }
}

#[test]
fn who_is_under_special_effort_is_left_out() {
    let mut agreement = agreement("lo", date(1990, 1, 1), None);
    let rules = |agreement: &Agreement, data| {
        let violations = found(agreement, &event("interview_record", NOW, data));
        violations.into_iter().map(|v| (v.pointer, v.rule)).collect::<Vec<_>>()
    };
    assert!(rules(&agreement, json!({"specialEffort": true})).is_empty(), "it says nothing of that");
    agreement.special_effort = Some("Forudsætninger".into());
    for pointer in SPECIAL_EFFORT {
        let data = match pointer {
            "/data/specialEffort" => |said| json!({"specialEffort": said}),
            _ => |said| json!({"citizen": {"specialEffort": said}}),
        };
        let expected = [(pointer.to_owned(), "agreement.special-effort".to_owned())];
        assert_eq!(rules(&agreement, data(true)), expected);
        assert!(rules(&agreement, data(false)).is_empty());
    }
    assert!(rules(&agreement, json!({})).is_empty());
    let leaves = found(&agreement, &event("back_referral", NOW, json!({"specialEffort": true})));
    assert_eq!(leaves, [], "that is how one leaves");
}
