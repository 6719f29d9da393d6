//! A kind's data as XML and back.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn kind() -> KindId {
    KindId::new("job_order", 1)
}

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "title": {"type": "string"},
            "count": {"type": "integer"},
            "hours": {"type": ["number", "null"]},
            "urgent": {"$ref": "#/$defs/flag"},
            "level": {"enum": [1, 2]},
            "company": {"$ref": "#/$defs/company"},
            "candidates": {"type": "array", "items": {"$ref": "#/$defs/company"}},
            "notes": {"$ref": "#/$defs/notes"},
            "circle": {"$ref": "#/$defs/circle"}
        },
        "allOf": [{"if": {"properties": {"count": {}}}, "then": {"properties": {"extra": {"type": "integer"}}}}],
        "$defs": {
            "flag": {"type": "boolean"},
            "company": {"allOf": [
                {"properties": {"name": {"type": "string"}}},
                {"oneOf": [{"properties": {"cvr": {"type": "string"}}}, {"properties": {"size": {"type": "integer"}}}]}
            ]},
            "notes": {"type": "array", "items": {"type": "string"}},
            "circle": {"$ref": "#/$defs/circle"}
        }
    })
}

fn read_text(inner: &str) -> Result<Value, Vec<Violation>> {
    let document = format!("<JobOrder xmlns='urn:dk:kassebro:job_order:v1'>{inner}</JobOrder>");
    read_document(&document)
}

fn read_document(document: &str) -> Result<Value, Vec<Violation>> {
    let element = xml::read(document.as_bytes(), &Limits::default()).unwrap();
    let mut violations = Vec::new();
    read(&element, &kind(), &schema(), &Limits::default(), &mut violations).ok_or(violations)
}

#[test]
fn each_element_becomes_what_its_schema_says() {
    for (inner, data) in [
        ("", json!({})),
        ("<title>007</title>", json!({"title": "007"})),
        ("<title/>", json!({"title": ""})),
        ("<count> 7\n</count><extra>3</extra>", json!({"count": 7, "extra": 3})),
        ("<hours>37.5</hours><level>2</level>", json!({"hours": 37.5, "level": 2})),
        ("<urgent>true</urgent>", json!({"urgent": true})),
        ("<urgent>0</urgent>", json!({"urgent": false})),
        (
            "<company><name>A</name><cvr>13585628</cvr></company>",
            json!({"company": {"name": "A", "cvr": "13585628"}}),
        ),
        ("<company><size>3</size></company>", json!({"company": {"size": 3}})),
        ("<company/>", json!({"company": {}})),
        ("<notes>a</notes><title>t</title><notes>b</notes>", json!({"notes": ["a", "b"], "title": "t"})),
        ("<candidates><size>1</size></candidates>", json!({"candidates": [{"size": 1}]})),
        ("<circle>x</circle>", json!({"circle": "x"})),
    ] {
        assert_eq!(read_text(inner), Ok(data), "{inner}");
    }
}

#[test]
fn a_text_that_does_not_fit_stays_for_the_schema_to_report() {
    for (inner, data) in [
        ("<count>seven</count>", json!({"count": "seven"})),
        ("<count>12345678901234567890123</count>", json!({"count": "12345678901234567890123"})),
        ("<count>007</count>", json!({"count": "007"})),
        ("<urgent>ja</urgent>", json!({"urgent": "ja"})),
        ("<company>A</company>", json!({"company": "A"})),
    ] {
        assert_eq!(read_text(inner), Ok(data), "{inner}");
    }
}

#[test]
fn what_is_not_the_kinds_is_reported_where_it_stands() {
    for (inner, rule, pointer) in [
        ("<colour>red</colour>", "xml.element", "/data/colour"),
        ("<company><nick>A</nick></company>", "xml.element", "/data/company/nick"),
        ("<candidates/><candidates><x/></candidates>", "xml.element", "/data/candidates/1/x"),
        ("<title><b/></title>", "xml.element", "/data/title/b"),
        ("<title>a</title><title>b</title>", "xml.repeated-element", "/data/title"),
        ("<title xmlns=''>a</title>", "xml.namespace", "/data/title"),
        ("<x:title xmlns:x='urn:dk:kassebro:complaint:v1'>a</x:title>", "xml.namespace", "/data/title"),
    ] {
        let violations = read_text(inner).unwrap_err();
        assert_eq!((violations[0].rule.as_str(), violations[0].pointer.as_str()), (rule, pointer), "{inner}");
    }
    let many = read_text("<a/><b/><c/>").unwrap_err();
    assert_eq!(many.len(), 3);
    assert!(read_text(&"<a/>".repeat(1000)).unwrap_err().len() <= VIOLATIONS_MAX);
}

#[test]
fn the_root_is_the_kind_in_its_namespace() {
    for document in [
        "<JobOrder/>",
        "<Joborder xmlns='urn:dk:kassebro:job_order:v1'/>",
        "<JobOrder xmlns='urn:dk:kassebro:job_order:v2'/>",
        "<Complaint xmlns='urn:dk:kassebro:complaint:v1'/>",
    ] {
        assert_eq!(read_document(document).unwrap_err()[0].rule, "xml.root", "{document}");
    }
}

#[test]
fn what_xml_cannot_carry_is_not_written() {
    for (data, pointer) in [
        (json!({"a": null}), "/data/a"),
        (json!({"a": [[1]]}), "/data/a"),
        (json!({"a b": 1}), "/data/a b"),
        (json!({"a": {"b": "\u{1}"}}), "/data/a/b"),
        (json!([1]), "/data"),
    ] {
        assert_eq!(write(&kind(), &data), Err(NotXml { pointer: pointer.to_owned() }), "{data}");
    }
}

fn company() -> impl Strategy<Value = Value> {
    ("[ -~æøå\r\n\t]{0,20}", any::<i64>()).prop_map(|(name, size)| json!({"name": name, "size": size}))
}

proptest! {
    #[test]
    fn data_is_read_back_from_the_xml_it_is_written_as(
        title in "[ -~æøå<&>\r\n\t]{0,30}",
        count in any::<i64>(),
        quarters in -10_000i32..10_000,
        urgent in any::<bool>(),
        company in company(),
        candidates in proptest::collection::vec(company(), 1..4),
        notes in proptest::collection::vec("[ -~]{0,5}", 1..4),
    ) {
        let hours = f64::from(quarters * 2 + 1) / 4.0;
        let data = json!({
            "title": title, "count": count, "hours": hours, "urgent": urgent,
            "company": company, "candidates": candidates, "notes": notes,
        });
        let document = write(&kind(), &data).unwrap();
        prop_assert_eq!(read_document(&document), Ok(data));
    }
}
