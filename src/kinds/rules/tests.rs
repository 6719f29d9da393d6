//! The shared rules, one by one.

use serde_json::json;

use super::*;
use crate::kinds::testing;

fn rules(check: impl FnOnce(&mut Findings)) -> Vec<(String, bool)> {
    let mut findings = Findings::new("2026-11-22T12:00:00+01:00".parse().unwrap());
    check(&mut findings);
    findings.finish().into_iter().map(|v| (v.rule.clone(), v.is_error())).collect()
}

#[test]
fn a_cpr_number_is_judged_on_the_day_of_receipt() {
    for (text, expected) in [
        ("0707614285", None),
        ("2509479989", None),
        ("2311143995", Some(("cpr.age", false))),
        ("6707614285", Some(("cpr.replacement", false))),
        ("0000000000", Some(("cpr.unknown", true))),
        ("3002000000", Some(("cpr.not-a-date", true))),
        ("2110525629", Some(("cpr.future", true))),
        ("070761-4285", Some(("cpr.ten-digits", true))),
    ] {
        let found = rules(|findings| findings.cpr("/data/citizen/cpr", text));
        let expected: Vec<_> = expected.into_iter().map(|(rule, error)| (rule.to_owned(), error)).collect();
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn no_violation_shows_the_person() {
    let mut findings = Findings::new("2026-11-22T12:00:00+01:00".parse().unwrap());
    for text in ["2110525629", "6707614285", "2311143995"] {
        findings.cpr("/data/citizen/cpr", text);
    }
    let shown = serde_json::to_string(&findings.finish()).unwrap();
    for text in ["2110525629", "6707614285", "2311143995"] {
        assert!(!shown.contains(text) && !shown.contains(&text[..6]), "{shown}");
    }
}

#[test]
fn tags_are_told_from_mathematics() {
    for text in ["<b>x</b>", "x<br/>", "a <!-- x --> b", "<?x?>", "</p>"] {
        assert!(holds_a_tag(text), "{text}");
    }
    for text in ["løn < 200 kr. og > 100", "a<b", "<3", "x -> y", "<>", ""] {
        assert!(!holds_a_tag(text), "{text}");
    }
}

#[test]
fn a_person_is_told_from_a_case_number() {
    for text in ["0707614285", "070761-4285", "sag 070761 4285.", "670761-4285", "x0707614285x"] {
        assert!(names_a_person(text), "{text}");
    }
    for text in [
        "2023-0255159-3",
        "2023025515",
        "00707614285",
        "1234567890",
        "070761-42855",
        "0000000000",
        "æ070761",
        "",
    ] {
        assert!(!names_a_person(text), "{text}");
    }
}

#[test]
fn telephone_numbers_texts_and_contents_are_judged() {
    use Severity::{Error, Warning};
    assert_eq!(rules(|f| f.phone("/p", "+45 20 12 34 56", Error)), []);
    assert_eq!(rules(|f| f.phone("/p", "+46 20123456", Warning)), [("phone.danish".to_owned(), false)]);
    assert_eq!(rules(|f| f.text("/t", "<b>!</b>", Error)), [("text.html".to_owned(), true)]);
    assert_eq!(rules(|f| f.text("/t", "070761-4285", Error)), [("text.cpr".to_owned(), false)]);
    assert_eq!(rules(|f| f.base64("/c", "UHLDuHZl")), []);
    assert_eq!(rules(|f| f.base64("/c", "UHLDuHZl=")), [("attachment.base64".to_owned(), true)]);
    assert_eq!(rules(|f| f.cvr("/c", "13585628")), []);
    assert_eq!(rules(|f| f.cvr("/c", "13585627")), [("cvr.check-digit".to_owned(), true)]);
}

#[test]
fn a_number_with_a_decimal_point_is_told_by_its_place() {
    let mut value = testing::generated("job_order", 1);
    value["data"]["openings"] = json!(2.0);
    let event = testing::event(&value);
    let violations = crate::kinds::find(&event.envelope.kind)
        .unwrap()
        .check(&event, "2026-11-22T12:00:00Z".parse().unwrap());
    assert_eq!(
        (violations[0].pointer.as_str(), violations[0].rule.as_str()),
        ("/data/openings", "data.value")
    );
}
