//! What an agreement demands of a message: applied to every kind alike, after the kind's own rules.

use std::fmt::Write;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Agreement, danish_day};
use crate::domain::{Cpr, Event, FaultCode, Format, Severity, Text, Violation};

/// Where a message says that the citizen is under the jobcenter's special effort (specialindsats): true or false.
pub const SPECIAL_EFFORT: [&str; 2] = ["/data/specialEffort", "/data/citizen/specialEffort"];

/// Kinds that are taken of every citizen: what a complaint, a receipt or a decision says is due to everyone,
/// and who is not in the scheme, or leaves it, is told of by these.
const OF_EVERYONE: [&str; 6] =
    ["complaint", "complaint_outcome", "receipt", "decision", "back_referral", "opt_out"];

/// What an agreement demands of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KindRules {
    /// The only format in which it is handed over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// The channels by which it may go; none named: any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<String>,
    /// Where format and channels are agreed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub clause: String,
    #[serde(rename(deserialize = "field"))]
    pub fields: Vec<FieldRule>,
}

/// One field that an agreement makes mandatory, or whose value it bounds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all(serialize = "camelCase"))]
pub struct FieldRule {
    /// JSON Pointer that begins with `/data/`.
    pub pointer: String,
    pub clause: String,
    #[serde(default = "error")]
    pub severity: Severity,
    /// Only where this is so; none: always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<When>,
    /// The value must be this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equals: Option<Value>,
    /// The value must be one of these; none named: anything that is there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub one_of: Vec<Value>,
    /// The value must be a number no larger than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<i64>,
}

/// When a field's rule applies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all(serialize = "camelCase"))]
pub struct When {
    /// JSON Pointer that begins with `/data/`; the rule applies where something stands there.
    pub pointer: String,
    /// And where it is one of these; none named: whatever it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub one_of: Vec<Value>,
}

fn error() -> Severity {
    Severity::Error
}

impl FieldRule {
    /// Whether the event keeps it.
    fn holds(&self, event: &Event) -> bool {
        let applies = self.when.as_ref().is_none_or(|when| {
            at(event, &when.pointer).is_some_and(|v| when.one_of.is_empty() || when.one_of.contains(v))
        });
        !applies || at(event, &self.pointer).is_some_and(|value| self.accepts(value))
    }

    fn accepts(&self, value: &Value) -> bool {
        let empty = match value {
            Value::Null => true,
            Value::String(text) => text.trim().is_empty(),
            Value::Array(items) => items.is_empty(),
            Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
        };
        // A number of a million at the most has its exact value as a float.
        #[expect(clippy::cast_precision_loss, reason = "the bound is small; configuration checks that")]
        let within = self.at_most.is_none_or(|most| value.as_f64().is_some_and(|n| n <= most as f64));
        !empty
            && within
            && self.equals.as_ref().is_none_or(|wanted| wanted == value)
            && (self.one_of.is_empty() || self.one_of.contains(value))
    }

    /// What would be right, in a few words.
    fn expected(&self) -> String {
        let mut expected = match (&self.equals, self.at_most) {
            (Some(value), _) => value.to_string(),
            (None, Some(most)) => format!("at most {most}"),
            (None, None) if self.one_of.is_empty() => "a value".to_owned(),
            (None, None) => "one of ".to_owned(),
        };
        for (place, value) in self.one_of.iter().enumerate() {
            let _ = write!(expected, "{}{value}", if place == 0 { "" } else { ", " });
        }
        expected
    }
}

impl FieldRule {
    /// What it demands and when, for people.
    pub fn demanded(&self) -> String {
        let Some(when) = &self.when else { return self.expected() };
        let values: Vec<String> = when.one_of.iter().map(ToString::to_string).collect();
        let is = if values.is_empty() { "is given".to_owned() } else { format!("is {}", values.join(", ")) };
        format!("{} where {} {is}", self.expected(), when.pointer)
    }
}

fn at<'e>(event: &'e Event, pointer: &str) -> Option<&'e Value> {
    event.data.pointer(pointer.strip_prefix("/data")?)
}

/// A violation that an agreement causes: both sentences name it and its clause. A complaint is only warned of.
pub fn refused(agreement: &Agreement, clause: &str, kind: &str, found: Refused<'_>) -> Violation {
    let Refused { pointer, rule, da, en } = found;
    let (id, named) = (&agreement.id, if clause.is_empty() { String::new() } else { format!(" ({clause})") });
    let text = Text::new(format!("Aftalen {id}{named}: {da}"), format!("Agreement {id}{named}: {en}"));
    if kind == "complaint" {
        Violation::warning(pointer, rule, FaultCode::AgreementRefuses, text)
    } else {
        Violation::error(pointer, rule, FaultCode::AgreementRefuses, text)
    }
}

/// What is wrong by an agreement, before it is said whose.
#[derive(Debug, Clone, Copy)]
pub struct Refused<'a> {
    pub pointer: &'a str,
    pub rule: &'a str,
    pub da: &'a str,
    pub en: &'a str,
}

/// What an agreement says of one kind.
#[derive(Debug, Clone, Copy)]
pub struct RulesFor<'a> {
    agreement: &'a Agreement,
    kind: &'a str,
    own: Option<&'a KindRules>,
}

impl Agreement {
    /// What it says of a kind; the same call for every kind.
    pub fn rules_for<'a>(&'a self, kind: &'a str) -> RulesFor<'a> {
        RulesFor { agreement: self, kind, own: self.rules.get(kind) }
    }
}

impl RulesFor<'_> {
    /// Whether the message has a fault by the agreement alone. `citizen` is the one it is about, if any. Where
    /// there is none nothing is allocated.
    pub fn check(&self, event: &Event, citizen: Option<&Cpr>, violations: &mut Vec<Violation>) {
        if !OF_EVERYONE.contains(&self.kind) {
            self.check_citizen(event, citizen, violations);
        }
        for field in self.own.into_iter().flat_map(|own| &own.fields) {
            if !field.holds(event) {
                let found = Refused {
                    pointer: &field.pointer,
                    rule: "agreement.field",
                    da: "Feltet mangler eller har ikke den aftalte værdi.",
                    en: "The field is missing or does not have the value that was agreed.",
                };
                let mut violation = self.refused(&field.clause, found).expected(field.expected());
                if field.severity == Severity::Warning {
                    violation.severity = Severity::Warning;
                }
                violations.push(violation);
            }
        }
    }

    fn check_citizen(&self, event: &Event, citizen: Option<&Cpr>, violations: &mut Vec<Violation>) {
        if let (Some(citizen), false) = (citizen, self.agreement.groups.is_empty()) {
            self.check_group(event, citizen, violations);
        }
        let Some(clause) = &self.agreement.special_effort else { return };
        let said = SPECIAL_EFFORT.into_iter().find(|pointer| at(event, pointer) == Some(&Value::Bool(true)));
        if let Some(pointer) = said {
            let found = Refused {
                pointer,
                rule: "agreement.special-effort",
                da: "Borgeren er under jobcentrets specialindsats og er ikke omfattet.",
                en: "The citizen is under the jobcenter's special effort and is left out.",
            };
            violations.push(self.refused(clause, found).expected("false"));
        }
    }

    fn check_group(&self, event: &Event, citizen: &Cpr, violations: &mut Vec<Violation>) {
        const CPR: &str = "/data/citizen/cpr";
        let Some(group) = self.agreement.group_of(citizen, event.envelope.time) else {
            let found = Refused {
                pointer: CPR,
                rule: "agreement.group",
                da: "Borgerens alder hører ikke til aftalens målgruppe.",
                en: "The citizen's age is outside the agreement's target groups.",
            };
            let Agreement { groups, clauses, .. } = self.agreement;
            let ages: Vec<String> = groups.iter().map(super::Group::ages).collect();
            let own = groups.first().map_or("", |group| &group.clause);
            let violation =
                self.refused(if clauses.groups.is_empty() { own } else { &clauses.groups }, found);
            violations.push(violation.expected(format!("aged {}", ages.join(" or "))));
            return;
        };
        if let Some(phase) = self.agreement.awaited_by(group, danish_day(event.envelope.time)) {
            let found = Refused {
                pointer: CPR,
                rule: "agreement.phase",
                da: "Borgerens målgruppe omfattes først fra en senere fase.",
                en: "The citizen's target group is taken only from a later phase on.",
            };
            let violation = self.refused(&phase.clause, found);
            violations.push(violation.expected(format!("{}: from {}", phase.name, phase.from)));
        }
    }

    fn refused(&self, clause: &str, found: Refused<'_>) -> Violation {
        refused(self.agreement, clause, self.kind, found)
    }
}

#[cfg(test)]
mod tests;
