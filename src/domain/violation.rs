//! One thing that is wrong with a message, in the words its sender needs to mend it.

use serde::{Deserialize, Serialize};

use super::FaultCode;

/// A sentence in both languages that people here read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    pub da: String,
    pub en: String,
}

impl Text {
    pub fn new(da: impl Into<String>, en: impl Into<String>) -> Self {
        Self { da: da.into(), en: en.into() }
    }
}

/// Whether a violation stops the message or only accompanies it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The message is invalid.
    Error,
    /// The message is taken; the sender is told.
    Warning,
}

/// One violated rule. An answer carries all of a message's violations at once, never only the first.
///
/// `actual` is masked by whoever fills it: it may show a code or a length, never a person
/// ([`Violation::masked`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Violation {
    /// RFC 6901 JSON Pointer into the event, e.g. `/data/offer/startDate`; empty for the whole.
    pub pointer: String,
    /// Stable id of the rule: a schema keyword (`schema.required`) or a rule of the kind
    /// (`complaint.guidance-handed-out`).
    pub rule: String,
    pub code: FaultCode,
    pub severity: Severity,
    /// What would have been right, in a few words or a pattern.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub expected: String,
    /// What came, masked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actual: Option<String>,
    pub message: Text,
    /// The nearest error code of STAR's interfaces, where one is publicly known (unverified).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub star_code: Option<u32>,
}

impl Violation {
    pub fn error(
        pointer: impl Into<String>,
        rule: impl Into<String>,
        code: FaultCode,
        message: Text,
    ) -> Self {
        Self {
            pointer: pointer.into(),
            rule: rule.into(),
            code,
            severity: Severity::Error,
            expected: String::new(),
            actual: None,
            message,
            star_code: None,
        }
    }

    pub fn warning(
        pointer: impl Into<String>,
        rule: impl Into<String>,
        code: FaultCode,
        message: Text,
    ) -> Self {
        Self { severity: Severity::Warning, ..Self::error(pointer, rule, code, message) }
    }

    pub fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = expected.into();
        self
    }

    /// Sets `actual` to something that cannot be a person: a code, a date, a number of characters.
    pub fn actual(mut self, actual: impl Into<String>) -> Self {
        self.actual = Some(actual.into());
        self
    }

    /// Sets `actual` to the shape of a value that may be personal: its length and nothing else.
    pub fn masked(self, value: &str) -> Self {
        let characters = value.chars().count();
        self.actual(format!("({characters} characters)"))
    }

    pub fn star(mut self, code: u32) -> Self {
        self.star_code = Some(code);
        self
    }

    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}
