//! JSON Schema: compiled once, and every violation in words that its sender can act on.

use jsonschema::{
    JsonType, PatternOptions, ValidationError, Validator,
    error::{TypeKind, ValidationErrorKind as Kind},
};
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
            .with_format("idn-email", is_mail_address)
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
    let tells_apart =
        |error: &ValidationError| matches!(error.kind(), Kind::Type { .. } | Kind::Constant { .. });
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
        Violation::error(pointer, format!("schema.{keyword}"), FaultCode::SchemaViolation, message)
            .expected(expected);
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
        Kind::OneOfNotValid { context } | Kind::OneOfMultipleValid { context } => {
            format!("one of {} forms", context.len())
        }
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

/// A mail address, letters beyond ASCII allowed (RFC 6531): something on both sides of one `@`, no spaces, and
/// a domain of labels. Whether it is anybody's, only mail can tell.
fn is_mail_address(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    let label = |label: &str| {
        let inner = label.chars().all(|c| c.is_alphanumeric() || c == '-');
        (1..=63).contains(&label.len()) && inner && !label.starts_with('-') && !label.ends_with('-')
    };
    let local_fits = (1..=64).contains(&local.len())
        && !local.chars().any(|c| {
            c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '(' | ')' | ',' | ';' | '"')
        });
    local_fits && domain.split('.').all(label)
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
mod tests;
