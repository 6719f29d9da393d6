//! JSON Schema: compiled once, and every violation in words that its sender can act on.

use jsonschema::{JsonType, PatternOptions, ValidationError, Validator, error::{TypeKind, ValidationErrorKind as Kind}};
use serde_json::Value;

use super::{limits::VIOLATIONS_MAX, pointer};
use crate::domain::{FaultCode, Violation};

mod words;

/// Characters of a pattern or a list of choices that a violation shows.
const EXPECTED_CHARACTERS_MAX: usize = 300;

/// A compiled schema (draft 2020-12 unless it says otherwise).
pub struct Schema {
    validator: Validator,
    document: Value,
}

/// A schema that cannot be used. Schemas ship with the program, so this is a fault in the program.
#[derive(Debug, thiserror::Error)]
pub enum SchemaFault {
    #[error("the schema is not JSON")]
    NotJson(#[source] serde_json::Error),
    #[error("the schema is not a JSON Schema that can be used: {0}")]
    NotASchema(String),
}

impl Schema {
    /// Compiles a schema. Nothing is fetched: a reference to another document is a fault. Formats are
    /// asserted, unknown ones are a fault; patterns run in linear time, so look-around and back-references
    /// are a fault too.
    ///
    /// # Errors
    /// See [`SchemaFault`].
    pub fn compile(text: &str) -> Result<Self, SchemaFault> {
        let document: Value = serde_json::from_str(text).map_err(SchemaFault::NotJson)?;
        let validator = jsonschema::options()
            .offline()
            .should_validate_formats(true)
            .should_ignore_unknown_formats(false)
            .with_pattern_options(PatternOptions::regex())
            .build(&document)
            .map_err(|error| SchemaFault::NotASchema(error.to_string()))?;
        Ok(Self { validator, document })
    }

    /// The schema's own text as a value, for publishing it and for reading XML by it.
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// Every violation of the schema, at most [`VIOLATIONS_MAX`]; none where the data fit.
    ///
    /// `at` is where the data stand in the event (`/data`); pointers continue from there, and a missing
    /// member's pointer is its own. `actual` says type and size, never a value.
    pub fn validate(&self, data: &Value, at: &str) -> Vec<Violation> {
        if self.validator.is_valid(data) {
            return Vec::new();
        }
        let mut violations = Vec::new();
        for error in self.validator.iter_errors(data) {
            report(&error, at, &mut violations);
            if violations.len() >= VIOLATIONS_MAX {
                violations.truncate(VIOLATIONS_MAX);
                break;
            }
        }
        violations
    }
}

impl std::fmt::Debug for Schema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let id = self.document.get("$id").and_then(Value::as_str).unwrap_or("without $id");
        write!(f, "Schema({id})")
    }
}

fn report(error: &ValidationError, at: &str, violations: &mut Vec<Violation>) {
    let here = format!("{at}{}", error.instance_path().as_str());
    match error.kind() {
        Kind::Required { property } => {
            let missing = pointer::join(&here, property.as_str().unwrap_or_default());
            violations.push(violation(missing, "required", "present".into(), None));
        }
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            for name in unexpected {
                let known = "a member of the kind's schema".to_owned();
                violations.push(violation(pointer::join(&here, name), "additionalProperties", known, None));
            }
        }
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => match meant_branch(context) {
            Some(branch) => branch.iter().for_each(|error| report(error, at, violations)),
            None => violations.push(plain(error, here)),
        },
        _ => violations.push(plain(error, here)),
    }
}

/// The one branch of `oneOf` or `anyOf` that the sender can have meant: the only one whose errors are not
/// about the kind of value or about a constant that tells the branches apart.
fn meant_branch<'a>(context: &'a [Vec<ValidationError<'static>>]) -> Option<&'a [ValidationError<'static>]> {
    let tells_apart = |error: &ValidationError| matches!(error.kind(), Kind::Type { .. } | Kind::Constant { .. });
    let mut meant = context.iter().filter(|branch| !branch.is_empty() && !branch.iter().any(tells_apart));
    let first = meant.next()?;
    meant.next().is_none().then_some(first)
}

fn plain(error: &ValidationError, here: String) -> Violation {
    violation(here, error.kind().keyword(), expected(error.kind()), Some(shape(error.instance())))
}

fn violation(pointer: String, keyword: &str, expected: String, actual: Option<String>) -> Violation {
    let message = words::message(keyword, &expected);
    let mut violation =
        Violation::error(pointer, format!("schema.{keyword}"), FaultCode::SchemaViolation, message).expected(expected);
    violation.actual = actual;
    violation
}

/// What the keyword asks for, in as few words as it can be said.
fn expected(kind: &Kind) -> String {
    let text = match kind {
        Kind::Pattern { pattern } => pattern.clone(),
        Kind::Enum { options } => match &**options {
            Value::Array(options) => options.iter().map(choice).collect::<Vec<_>>().join(" | "),
            other => choice(other),
        },
        Kind::Constant { expected_value } => choice(expected_value),
        Kind::Format { format } => format.clone(),
        Kind::MaxItems { limit }
        | Kind::MinItems { limit }
        | Kind::MaxLength { limit }
        | Kind::MinLength { limit }
        | Kind::MaxProperties { limit }
        | Kind::MinProperties { limit } => limit.to_string(),
        Kind::AdditionalItems { limit } => limit.to_string(),
        Kind::Maximum { limit }
        | Kind::Minimum { limit }
        | Kind::ExclusiveMaximum { limit }
        | Kind::ExclusiveMinimum { limit } => limit.to_string(),
        Kind::MultipleOf { multiple_of } => multiple_of.to_string(),
        Kind::Type { kind } => types(kind),
        Kind::OneOfNotValid { context } | Kind::OneOfMultipleValid { context } => format!("one of {} forms", context.len()),
        Kind::AnyOf { context } => format!("any of {} forms", context.len()),
        Kind::ContentEncoding { content_encoding } => content_encoding.clone(),
        Kind::ContentMediaType { content_media_type } => content_media_type.clone(),
        Kind::UniqueItems => "no item twice".into(),
        _ => String::new(),
    };
    text.chars().take(EXPECTED_CHARACTERS_MAX).collect()
}

fn choice(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn types(kind: &TypeKind) -> String {
    let names: Vec<&str> = match kind {
        TypeKind::Single(one) => vec![one.as_str()],
        TypeKind::Multiple(several) => several.iter().map(JsonType::as_str).collect(),
    };
    names.join(" | ")
}

/// Type and size of a value; nothing of what it says.
fn shape(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(_) => "boolean".into(),
        Value::Number(_) => "number".into(),
        Value::String(text) => format!("({} characters)", text.chars().count()),
        Value::Array(items) => format!("array of {}", items.len()),
        Value::Object(members) => format!("object of {}", members.len()),
    }
}

#[cfg(test)]
mod tests {
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
    fn a_pattern_made_to_be_slow_is_answered_at_once() {
        let schema = Schema::compile(r#"{"type": "string", "pattern": "^(a+)+$"}"#).unwrap();
        let text = format!("{}!", "a".repeat(100_000));
        assert_eq!(schema.validate(&json!(text), "/data")[0].rule, "schema.pattern");
    }
}
