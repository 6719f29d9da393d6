//! Violations of a schema: where, why, and without the value.

use serde_json::json;

use super::*;

fn schema() -> Schema {
    Schema::compile(
        r##"{
          "$id": "urn:dk:kassebro:test:v1",
          "type": "object",
          "additionalProperties": false,
          "required": ["cpr", "name"],
          "properties": {
            "cpr": {"type": "string", "pattern": "^[0-9]{10}$"},
            "name": {"type": "string", "minLength": 2, "maxLength": 5},
            "day": {"type": "string", "format": "date"},
            "form": {"enum": ["written", "oral"]},
            "count": {"type": "integer", "minimum": 1, "maximum": 10},
            "list": {"type": "array", "maxItems": 2, "uniqueItems": true, "items": {"$ref": "#/$defs/pair"}},
            "either": {"oneOf": [
              {"type": "object", "required": ["kind", "a"], "properties": {"kind": {"const": "a"}, "a": {"type": "string"}}},
              {"type": "object", "required": ["kind", "b"], "properties": {"kind": {"const": "b"}, "b": {"type": "integer"}}}
            ]}
          },
          "$defs": {"pair": {"type": "object", "required": ["x"], "properties": {"x": {"type": ["string", "null"]}}}}
        }"##,
    )
    .unwrap()
}

fn found(data: &Value) -> Vec<(String, String, String)> {
    let mut found: Vec<_> =
        schema().validate(data, "/data").into_iter().map(|v| (v.pointer, v.rule, v.expected)).collect();
    found.sort();
    found
}

#[test]
fn data_that_fit_have_no_violations() {
    let data = json!({"cpr": "0707614285", "name": "Per", "day": "2026-02-28", "form": "oral", "count": 3});
    assert_eq!(found(&data), []);
}

#[test]
fn each_violation_has_pointer_rule_and_expectation() {
    let base = json!({"cpr": "0707614285", "name": "Per"});
    for (name, value, pointer, rule, expected) in [
        ("cpr", json!("070761-428"), "/data/cpr", "schema.pattern", "^[0-9]{10}$"),
        ("name", json!("P"), "/data/name", "schema.minLength", "2"),
        ("name", json!("Peterson"), "/data/name", "schema.maxLength", "5"),
        ("name", json!(7), "/data/name", "schema.type", "string"),
        ("day", json!("2026-02-29"), "/data/day", "schema.format", "date"),
        ("form", json!("sung"), "/data/form", "schema.enum", "written | oral"),
        ("count", json!(0), "/data/count", "schema.minimum", "1"),
        ("count", json!(11), "/data/count", "schema.maximum", "10"),
        ("count", json!("3"), "/data/count", "schema.type", "integer"),
        ("list", json!([{"x": "1"}, {"x": "2"}, {"x": "3"}]), "/data/list", "schema.maxItems", "2"),
        ("list", json!([{"x": "1"}, {"x": "1"}]), "/data/list", "schema.uniqueItems", "no item twice"),
        ("list", json!([{"x": "1"}, {}]), "/data/list/1/x", "schema.required", "present"),
        ("list", json!([{"x": 1}]), "/data/list/0/x", "schema.type", "null | string"),
        ("either", json!({"kind": "b", "b": "1"}), "/data/either", "schema.oneOf", "one of 2 forms"),
        ("either", json!({"kind": "b"}), "/data/either/b", "schema.required", "present"),
        ("either", json!({"kind": "c"}), "/data/either", "schema.oneOf", "one of 2 forms"),
        ("a/b", json!(1), "/data/a~1b", "schema.additionalProperties", "a member of the kind's schema"),
    ] {
        let mut data = base.clone();
        data[name] = value;
        assert_eq!(found(&data), [(pointer.into(), rule.into(), expected.into())], "{data}");
    }
}

#[test]
fn all_violations_come_at_once_and_their_number_is_bounded() {
    assert_eq!(found(&json!({"count": 99, "extra": 1, "form": 2})).len(), 5);
    let many: serde_json::Map<String, Value> = (0..1000).map(|i| (format!("x{i}"), json!(1))).collect();
    assert_eq!(schema().validate(&Value::Object(many), "/data").len(), VIOLATIONS_MAX);
}

#[test]
fn no_violation_shows_a_value() {
    let secret = "2509479989";
    let data = json!({
        "cpr": format!("{secret}x"), "name": format!("Hemmelig {secret}"), "day": secret, "form": secret,
        "count": secret, "list": [secret, {"x": 1}], "either": {"kind": secret},
    });
    let violations = schema().validate(&data, "/data");
    assert!(violations.len() >= 6);
    let shown = serde_json::to_string(&violations).unwrap();
    assert!(!shown.contains(secret) && !shown.contains("Hemmelig"), "{shown}");
}

#[test]
fn a_schema_that_reaches_out_or_is_slow_is_not_compiled() {
    for text in [
        "{",
        r#"{"type": "text"}"#,
        r#"{"$ref": "https://example.org/other.json"}"#,
        r#"{"$ref": "file:///etc/hostname"}"#,
        r#"{"type": "string", "format": "no-such-format"}"#,
        r#"{"type": "string", "pattern": "^(?=a).*$"}"#,
        r#"{"type": "string", "pattern": "(a)\\1"}"#,
    ] {
        assert!(Schema::compile(text).is_err(), "{text}");
    }
}

#[test]
fn a_mail_address_may_have_danish_letters() {
    for address in ["a@b.dk", "søren.ål@kommune-øst.dk", "a+b@x"] {
        assert!(is_mail_address(address), "{address}");
    }
    for address in
        ["", "a", "@b.dk", "a@", "a@b..dk", "a b@c.dk", "a@b@c.dk", "a@-b.dk", "<a@b.dk>", "a@b.dk,c@d.dk"]
    {
        assert!(!is_mail_address(address), "{address}");
    }
}

#[test]
fn a_pattern_made_to_be_slow_is_answered_at_once() {
    let schema = Schema::compile(r#"{"type": "string", "pattern": "^(a+)+$"}"#).unwrap();
    let text = format!("{}!", "a".repeat(100_000));
    assert_eq!(schema.validate(&json!(text), "/data")[0].rule, "schema.pattern");
}
