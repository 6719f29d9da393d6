//! What holds for every kind: its examples, its formats, its schema.

use std::{fs, path::Path};

use super::*;
use crate::{
    codec::{Limits, Raw, Transport, decode},
    intake::{Rules, examine},
    tools::generate,
};

/// Every example of a kind: file name without its ending, and the structured `CloudEvent`.
fn examples(kind: &Kind) -> Vec<(String, serde_json::Value)> {
    let folder = format!("schemas/examples/{}", kind.id());
    let files = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(&folder)).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter_map(|name| name.strip_suffix(".json").map(str::to_owned)).collect();
    names.sort();
    names
        .into_iter()
        .map(|name| (name.clone(), testing::read_example(&format!("{folder}/{name}.json"))))
        .collect()
}

#[test]
fn a_valid_example_passes_its_rules_and_every_format_of_its_kind() {
    for kind in KINDS {
        let examples = examples(kind);
        let valid: Vec<_> = examples.iter().filter(|(name, _)| name.starts_with("valid-")).collect();
        assert!(valid.len() >= 3, "{} has too few valid examples", kind.id());
        for (name, value) in valid {
            assert_eq!(testing::schema_violations(value), [] as [String; 0], "{name}");
            let event = testing::event(value);
            let violations = kind.check(&event, testing::soon_after(&event));
            assert!(!violations.iter().any(Violation::is_error), "{name}: {violations:?}");
            for format in kind.formats.iter().copied() {
                assert!(kind.render(&event, format).is_ok(), "{name}: {:?}", kind.render(&event, format));
            }
        }
    }
}

#[test]
fn an_invalid_example_has_exactly_the_violations_beside_it() {
    let rules = Rules::compile_kinds();
    for kind in KINDS {
        let examples = examples(kind);
        let invalid: Vec<_> = examples.iter().filter(|(name, _)| name.starts_with("invalid-")).collect();
        assert!(invalid.len() >= 8, "{} has too few invalid examples", kind.id());
        for (name, value) in invalid {
            let now = testing::soon_after_text(&value["time"]);
            let examined = examine(&rules, &Limits::default(), value.to_string().as_bytes(), now);
            assert!(examined.event.is_none(), "{name} has only warnings");
            let violations = examined.violations.into_iter();
            let found = testing::lines(violations.map(|v| format!("{}\t{}", v.pointer, v.rule)));
            let beside = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join(format!("schemas/examples/{}/{name}.expected", kind.id()));
            let expected = fs::read_to_string(beside).unwrap();
            assert_eq!(found, expected.lines().collect::<Vec<_>>(), "{name}");
        }
    }
}

#[test]
fn an_opt_out_stops_the_placements_messages_and_no_complaint_receipt_or_decision() {
    let bears = |name: &str| {
        let kind = KINDS.iter().find(|kind| kind.name == name).unwrap();
        (kind.bears)(&testing::event(&testing::generated(name, 3)))
    };
    for name in [
        "complaint",
        "receipt",
        "decision",
        "complaint_outcome",
        "back_referral",
        "recommendation",
        "job_order",
    ] {
        assert_eq!(bears(name), None, "{name}");
    }
    for name in [
        "interview_record",
        "appointment",
        "periodic_condition",
        "sickness_follow_up",
        "risk_notice",
        "handover_report",
        "course_referral",
        "workshop_referral",
        "joint_interview_wish",
    ] {
        assert_eq!(bears(name), Some(Bearing::Within), "{name}");
    }
    assert!(matches!(bears("opt_out"), Some(Bearing::OptsOut(_))));
    assert!(matches!(bears("placement"), Some(Bearing::SpecialEffort(_))));
}

#[test]
fn every_valid_example_goes_to_xml_and_back_unchanged() {
    for kind in KINDS {
        let compiled = crate::codec::Schema::compile(kind.schema).unwrap();
        for (name, value) in examples(kind).iter().filter(|(name, _)| name.starts_with("valid-")) {
            let event = testing::event(value);
            let xml = kind.render(&event, Format::Kombit).unwrap().body;
            let raw = Raw { body: &xml, content_type: None, headers: &[], transport: Transport::File };
            let again = decode(&raw, &Limits::default(), &|_| Some(compiled.document())).unwrap().event;
            assert_eq!(again, event, "{} {name}", kind.id());
        }
    }
}

#[test]
fn a_kinds_example_is_one_of_its_valid_examples_and_can_be_told_of_others() {
    let now: Timestamp = testing::NOW.parse().unwrap();
    for kind in KINDS {
        let example: serde_json::Value = serde_json::from_str(kind.example).unwrap();
        let found =
            examples(kind).into_iter().any(|(name, value)| name.starts_with("valid-") && value == example);
        assert!(found, "{}", kind.id());
        let told = testing::generated(kind.name, 5);
        assert_eq!(testing::schema_violations(&told), [] as [String; 0], "{}", kind.id());
        let event = testing::event(&told);
        let errors: Vec<_> = kind.check(&event, now).into_iter().filter(Violation::is_error).collect();
        assert_eq!(errors, [], "{}", kind.id());
    }
}

/// Messages of the kinds that are made of many parts.
const GENERATED: u64 = 10_000;

#[test]
fn every_generated_message_renders_and_reads_back() {
    let now = testing::NOW.parse().unwrap();
    for seed in 0..GENERATED {
        let name = generate::KINDS[usize::try_from(seed % 3).unwrap()];
        let event = testing::event(&testing::generated(name, seed));
        let kind = find(&event.envelope.kind).unwrap();
        let errors: Vec<_> = kind.check(&event, now).into_iter().filter(Violation::is_error).collect();
        assert_eq!(errors, [], "{name} {seed}");
        let rendered = kind.render(&event, kind.format());
        assert!(rendered.is_ok(), "{name} {seed}: {rendered:?}");
    }
}

#[test]
fn generated_messages_pass_their_schemas() {
    for seed in 0..600 {
        for name in generate::KINDS {
            assert_eq!(
                testing::schema_violations(&testing::generated(name, seed)),
                [] as [String; 0],
                "{name} {seed}"
            );
        }
    }
}

#[test]
fn the_same_event_becomes_the_same_bytes() {
    for name in generate::KINDS {
        let value = testing::generated(name, 11);
        let (event, again) = (testing::event(&value), testing::event(&value));
        let kind = find(&event.envelope.kind).unwrap();
        for format in kind.formats.iter().copied() {
            assert_eq!(kind.render(&event, format), kind.render(&again, format));
        }
    }
}

#[test]
fn a_format_of_another_kind_is_not_offered() {
    for name in generate::KINDS {
        let event = testing::event(&testing::generated(name, 1));
        let kind = find(&event.envelope.kind).unwrap();
        for format in Format::ALL {
            let offered = kind.offers(format);
            assert_eq!(kind.render(&event, format).is_ok(), offered, "{name} {format}");
        }
    }
}

/// Every part of a schema that describes a value, with its place.
fn parts(place: &str, schema: &serde_json::Value, found: &mut Vec<(String, serde_json::Value)>) {
    found.push((place.to_owned(), schema.clone()));
    for group in ["properties", "$defs"] {
        for (name, part) in schema[group].as_object().into_iter().flatten() {
            parts(&format!("{place}/{group}/{name}"), part, found);
        }
    }
    if let Some(items) = schema.get("items") {
        parts(&format!("{place}/items"), items, found);
    }
}

#[test]
fn every_value_in_a_schema_is_explained_and_bounded() {
    for kind in KINDS {
        let mut found = Vec::new();
        parts(&kind.id().to_string(), &serde_json::from_str(kind.schema).unwrap(), &mut found);
        for (place, part) in found {
            let has = |keyword: &str| part.get(keyword).is_some();
            let bounded = match part["type"].as_str() {
                Some("object") => part["additionalProperties"] == false,
                Some("array") => has("maxItems") && has("items"),
                Some("string") => has("maxLength") || has("enum"),
                Some("integer") => has("minimum") && has("maximum"),
                Some("boolean") => true,
                None => has("$ref"),
                Some(other) => panic!("{place} is of the type {other}"),
            };
            assert!(bounded, "{place} has no bound");
            let explained = has("title") && has("description");
            assert!(explained || place.ends_with("/items"), "{place} is not explained");
        }
    }
}

/// Every choice that a schema offers below `schema`, with the pointer of its value below `place`.
fn choices(
    place: &str,
    schema: &serde_json::Value,
    root: &serde_json::Value,
) -> Vec<(String, Vec<serde_json::Value>)> {
    let referred = schema["$ref"].as_str().and_then(|to| root.pointer(to.trim_start_matches('#')));
    let schema = referred.unwrap_or(schema);
    let mut found: Vec<_> =
        schema["enum"].as_array().map(|choices| (place.to_owned(), choices.clone())).into_iter().collect();
    for (name, part) in schema["properties"].as_object().into_iter().flatten() {
        found.extend(choices(&format!("{place}/{name}"), part, root));
    }
    if let Some(items) = schema.get("items") {
        found.extend(choices(&format!("{place}/0"), items, root));
    }
    found
}

#[test]
fn every_choice_that_a_schema_offers_can_be_read() {
    for kind in KINDS {
        let schema: serde_json::Value = serde_json::from_str(kind.schema).unwrap();
        let examples = examples(kind);
        for (pointer, choices) in choices("/data", &schema, &schema) {
            let holding = examples
                .iter()
                .find(|(name, value)| name.starts_with("valid-") && value.pointer(&pointer).is_some());
            let (_, holding) = holding.unwrap_or_else(|| panic!("no example has {pointer}"));
            for choice in choices {
                let mut value = holding.clone();
                *value.pointer_mut(&pointer).unwrap() = choice.clone();
                let event = testing::event(&value);
                let found = kind.check(&event, testing::soon_after(&event));
                assert!(!found.iter().any(|v| v.rule == "data.value"), "{} {pointer} {choice}", kind.id());
            }
        }
    }
}

#[test]
fn every_price_that_a_schema_asks_for_is_found_for_the_caps() {
    let mut priced = Vec::new();
    for kind in KINDS.iter().filter(|kind| kind.schema.contains("\"priceOere\"")) {
        let valid = examples(kind).into_iter().filter(|(name, _)| name.starts_with("valid-"));
        assert!(valid.filter_map(|(_, value)| price(&testing::event(&value))).count() > 0, "{}", kind.name);
        priced.push(kind.name);
    }
    assert_eq!(priced, ["recommendation", "course_referral"]);
    assert_eq!(price(&testing::event(&testing::generated("complaint", 1))), None);
}
