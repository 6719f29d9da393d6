//! Attributes that make an envelope, and each way they do not.

use serde_json::json;

use super::*;

fn sound() -> Map<String, Value> {
    let Value::Object(attributes) = json!({
        "specversion": "1.0", "id": "a-1", "source": "urn:dk:akasse:3f", "type": "dk.kassebro.complaint.v1",
        "time": "2026-03-02T09:30:00+01:00", "receiver": "urn:dk:jobcenter:0101",
    }) else {
        unreachable!("an object literal")
    };
    attributes
}

/// Pointer and rule of each violation.
type Faults = Vec<(String, String)>;

fn read_with(name: &str, value: Value) -> Result<(Envelope, Vec<String>), Faults> {
    let mut attributes = sound();
    attributes.insert(name.to_owned(), value);
    let mut violations = Vec::new();
    let read = read(attributes, &Limits::default(), &mut violations);
    match read.envelope {
        Some(envelope) if violations.is_empty() => Ok((envelope, read.ignored)),
        _ => Err(violations.into_iter().map(|v| (v.pointer, v.rule)).collect()),
    }
}

#[test]
fn sound_attributes_make_an_envelope() {
    let (envelope, ignored) = read_with("subject", json!("sag 2026-17")).unwrap();
    assert_eq!(envelope.kind, KindId::new("complaint", 1));
    assert_eq!(envelope.time.to_string(), "2026-03-02T08:30:00Z");
    assert_eq!(envelope.subject.as_deref(), Some("sag 2026-17"));
    assert_eq!(ignored, [""; 0]);
}

#[test]
fn every_fault_is_reported_at_once() {
    let mut violations = Vec::new();
    let read = read(Map::new(), &Limits::default(), &mut violations);
    assert!(read.envelope.is_none());
    let pointers: Vec<_> = violations.iter().map(|v| v.pointer.as_str()).collect();
    assert_eq!(pointers, ["/specversion", "/id", "/source", "/type", "/time", "/receiver"]);
    assert!(violations.iter().all(|v| v.code == FaultCode::EnvelopeWrong));
}

#[test]
fn each_attribute_is_checked_where_it_stands() {
    let long = "x".repeat(201);
    for (name, value) in [
        ("specversion", json!("0.3")),
        ("specversion", json!(1.0)),
        ("id", json!("")),
        ("id", json!("a b")),
        ("id", json!(7)),
        ("id", Value::Null),
        ("source", json!("3f")),
        ("source", json!("urn:dk:akasse:0101")),
        ("type", json!("dk.kassebro.complaint")),
        ("type", json!("com.example.complaint.v1")),
        ("time", json!("2026-03-02T09:30:00")),
        ("time", json!("2026-03-02")),
        ("time", json!("2026-03-02 09:30:00Z")),
        ("time", json!("2026-02-30T09:30:00Z")),
        ("time", json!("2026-03-02T24:30:00Z")),
        ("time", json!("2026-03-02T09:30:00.Z")),
        ("time", json!("2026-03-02T09:30:00.0123456789Z")),
        ("time", json!("2026-03-02T09:30:00+0100")),
        ("time", json!("2026-03-02T09:30:00+01:00[Europe/Copenhagen]")),
        ("time", json!("+002026-03-02T09:30:00Z")),
        ("time", json!("２026-03-02T09:30:00Z")),
        ("recordedtime", json!("yesterday")),
        ("receiver", json!("urn:dk:jobcenter:0411")),
        ("agreement", json!("")),
        ("subject", json!(long)),
        ("subject", json!("line\nbreak")),
        ("subject", json!({"a": 1})),
        ("subject", json!("cpr 070761-4285")),
        ("correlationid", json!(["a"])),
        ("causationid", json!("")),
    ] {
        let faults = read_with(name, value.clone()).unwrap_err();
        assert_eq!(faults, [(format!("/{name}"), format!("envelope.{name}"))], "{name}: {value}");
    }
}

#[test]
fn extensions_are_listed_and_others_refused() {
    assert_eq!(read_with("myext1", json!("x")).unwrap().1, ["myext1"]);
    assert_eq!(read_with("flag", json!(true)).unwrap().1, ["flag"]);
    assert_eq!(read_with("dataschema", json!("urn:x")).unwrap().1, [""; 0]);
    assert_eq!(read_with("Anything", Value::Null).unwrap().1, [""; 0]);
    for (name, value) in [
        ("MyExt", json!("x")),
        ("my_ext", json!("x")),
        ("", json!("x")),
        ("obj", json!({})),
        ("list", json!([])),
    ] {
        assert_eq!(
            read_with(name, value).unwrap_err(),
            [(format!("/{name}"), "envelope.extension".to_owned())]
        );
    }
    assert_eq!(read_with(&"x".repeat(21), json!("x")).unwrap_err()[0].1, "envelope.extension");
}

#[test]
fn the_number_of_attributes_is_bounded() {
    let attributes = (0..65).map(|i| (format!("x{i}"), json!(1))).collect();
    let mut violations = Vec::new();
    read(attributes, &Limits::default(), &mut violations);
    assert_eq!(violations[0].code, FaultCode::TooDeep);
}

#[test]
fn a_trace_that_cannot_be_followed_refuses_nothing() {
    let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    assert_eq!(read_with("traceparent", json!(good)).unwrap().0.traceparent.as_deref(), Some(good));
    for bad in [json!("00-4bf9"), json!(7), json!(format!("{good}-x"))] {
        assert_eq!(read_with("traceparent", bad).unwrap().0.traceparent, None);
    }
    let (alone, ignored) = read_with("tracestate", json!("rojo=1")).unwrap();
    assert_eq!((alone.tracestate, ignored.len()), (None, 0), "it belongs to a traceparent");
}

#[test]
fn times_are_read_with_any_offset_to_the_nanosecond() {
    for (text, utc) in [
        ("2026-03-02T09:30:00Z", "2026-03-02T09:30:00Z"),
        ("2026-03-02T09:30:00.5+01:00", "2026-03-02T08:30:00.5Z"),
        ("2026-03-02T09:30:00.123456789-05:30", "2026-03-02T15:00:00.123456789Z"),
        ("2024-02-29T23:59:59Z", "2024-02-29T23:59:59Z"),
    ] {
        assert_eq!(timestamp(text).map(|t| t.to_string()).as_deref(), Some(utc), "{text}");
    }
}

#[test]
fn a_cpr_number_is_seen_in_a_text() {
    for text in ["0707614285", "070761-4285", "sag 070761 4285 x", "x0707614285y", "6707614285"] {
        assert!(holds_cpr(text), "{text}");
    }
    for text in
        ["", "1234567890", "00707614285", "07076142", "0707-614285", "070761--4285", "2026-03-02", "æ070761"]
    {
        assert!(!holds_cpr(text), "{text}");
    }
}
