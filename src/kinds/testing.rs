//! What the tests of kinds and formats share: events from examples and from the generator.

use std::{collections::BTreeMap, fs, path::Path, sync::LazyLock};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{Direction, KINDS};
use crate::{
    domain::{
        Envelope, Event,
        case::{CaseState, Said},
    },
    tools::generate,
};

/// The instant at which generated messages happen.
pub(crate) const NOW: &str = "2026-11-02T09:15:00Z";

/// A generated message of that kind.
pub(crate) fn generated(kind: &str, seed: u64) -> Value {
    let time = NOW.parse().unwrap();
    let (mut from, mut to) = ("urn:dk:akasse:3f", "urn:dk:jobcenter:0101");
    if KINDS.iter().any(|known| known.name == kind && known.direction == Direction::ToAkasse) {
        std::mem::swap(&mut from, &mut to);
    }
    generate::event(kind, seed, &format!("m-{seed}"), from, to, time)
}

/// A structured `CloudEvent` as an event.
pub(crate) fn event(value: &Value) -> Event {
    let text = |name: &str| value[name].as_str().map(str::to_owned);
    Event {
        envelope: Envelope {
            id: value["id"].as_str().unwrap().parse().unwrap(),
            source: value["source"].as_str().unwrap().parse().unwrap(),
            kind: crate::domain::KindId::from_event_type(value["type"].as_str().unwrap()).unwrap(),
            time: value["time"].as_str().unwrap().parse().unwrap(),
            recorded: text("recordedtime").map(|at| at.parse().unwrap()),
            receiver: value["receiver"].as_str().unwrap().parse().unwrap(),
            agreement: text("agreement"),
            subject: text("subject"),
            correlation_id: text("correlationid"),
            causation_id: text("causationid"),
            traceparent: text("traceparent"),
            tracestate: text("tracestate"),
        },
        data: value["data"].clone(),
    }
}

/// A minute after it happened.
pub(crate) fn soon_after(event: &Event) -> Timestamp {
    event.envelope.time + SignedDuration::from_mins(1)
}

/// A minute after a structured event's `time`.
pub(crate) fn soon_after_text(time: &Value) -> Timestamp {
    time.as_str().unwrap().parse::<Timestamp>().unwrap() + SignedDuration::from_mins(1)
}

pub(crate) fn read_example(path: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    serde_json::from_str(&fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
        .unwrap()
}

/// Sets a value by its pointer, adding the last key where it is missing; null takes it away.
fn set(value: &mut Value, pointer: &str, to: Value) {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match value.pointer_mut(parent).unwrap() {
        Value::Object(map) if to.is_null() => drop(map.remove(key)),
        Value::Object(map) => drop(map.insert(key.to_owned(), to)),
        Value::Array(items) => items[key.parse::<usize>().unwrap()] = to,
        other => panic!("{pointer} is under {other}"),
    }
}

/// Changes of an example, and the violations that follow: `<pointer> <rule>`, in order.
type Row<'t> = (&'t [(&'t str, Value)], &'t [&'t str]);

/// Changes the example by each row, and compares what its kind finds with what the row says.
pub(crate) fn check_table(example: &str, rows: &[Row<'_>]) {
    for (changes, expected) in rows {
        let mut value = read_example(example);
        for (pointer, to) in *changes {
            set(&mut value, pointer, to.clone());
        }
        assert_eq!(schema_violations(&value), [] as [String; 0], "{changes:?} must pass the schema");
        let event = event(&value);
        let kind = super::find(&event.envelope.kind).unwrap();
        let found = lines(
            kind.check(&event, soon_after(&event)).into_iter().map(|v| format!("{} {}", v.pointer, v.rule)),
        );
        assert_eq!(found, *expected, "{changes:?}");
    }
}

/// What the example, so changed, says of the case that it answers.
pub(crate) fn says(example: &str, changes: &[(&str, Value)]) -> Option<CaseState> {
    said(example, changes).map(|said| said.state)
}

/// What the example, changed so, says of another message.
pub(crate) fn said(example: &str, changes: &[(&str, Value)]) -> Option<Said> {
    let mut value = read_example(example);
    for (pointer, to) in changes {
        set(&mut value, pointer, to.clone());
    }
    let event = event(&value);
    (super::find(&event.envelope.kind).unwrap().says)(&event)
}

pub(crate) fn lines(found: impl Iterator<Item = String>) -> Vec<String> {
    let mut found: Vec<_> = found.collect();
    found.sort();
    found
}

/// What the schema of its kind says against a structured `CloudEvent`: `<pointer> schema.<keyword>`. A missing
/// or unexpected property is named by its own pointer.
pub(crate) fn schema_violations(value: &Value) -> Vec<String> {
    use jsonschema::error::ValidationErrorKind as Kind;
    static VALIDATORS: LazyLock<BTreeMap<String, jsonschema::Validator>> = LazyLock::new(|| {
        let compiled = KINDS.iter().map(|kind| (kind.id().event_type(), validator(kind.schema)));
        compiled.collect()
    });
    let validator = &VALIDATORS[value["type"].as_str().unwrap()];
    let mut found = Vec::new();
    for error in validator.iter_errors(&value["data"]) {
        let pointer = format!("/data{}", error.instance_path().as_str());
        let rule = format!("schema.{}", error.kind().keyword());
        match error.kind() {
            Kind::Required { property } => {
                found.push(format!("{pointer}/{} {rule}", property.as_str().unwrap()));
            }
            Kind::AdditionalProperties { unexpected } => {
                found.extend(unexpected.iter().map(|name| format!("{pointer}/{name} {rule}")));
            }
            _ => found.push(format!("{pointer} {rule}")),
        }
    }
    found
}

/// Formats are checked, and one that the validator does not know is a mistake in the schema rather than
/// nothing. Mail addresses have a pattern of their own beside their format.
pub(crate) fn validator(schema: &str) -> jsonschema::Validator {
    let schema = serde_json::from_str(schema).unwrap();
    let options = jsonschema::options().should_validate_formats(true).should_ignore_unknown_formats(false);
    options.with_format("idn-email", |_: &str| true).build(&schema).unwrap()
}
