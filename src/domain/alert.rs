//! What a watcher sees, and what people are told: provider-free, opened and resolved by key.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How soon someone should look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Urgency {
    Info,
    Warning,
    Critical,
}

impl Urgency {
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// Something that should be known now. The same key is the same condition: seen again it stays one alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// Identity: the name and its labels, e.g. `KassebroSlaBreached/complaint/kbh`.
    pub key: String,
    /// CamelCase, as Prometheus names alerts.
    pub name: String,
    pub urgency: Urgency,
    /// Bounded values only: receiver, kind, promise. Never a message id or a person.
    pub labels: BTreeMap<String, String>,
    /// One sentence: what happened, what the gateway does next.
    pub summary: String,
    /// Ids and numbers for whoever looks.
    pub description: String,
    /// When it truly began: a deadline's due time, also when it was noticed later.
    pub since: Timestamp,
}

impl Condition {
    pub fn new(name: &str, urgency: Urgency, labels: &[(&str, &str)], since: Timestamp) -> Self {
        let values: Vec<&str> = labels.iter().map(|(_, value)| *value).collect();
        Self {
            key: std::iter::once(name).chain(values).collect::<Vec<_>>().join("/"),
            name: name.to_owned(),
            urgency,
            labels: labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            summary: String::new(),
            description: String::new(),
            since,
        }
    }

    pub fn summary(mut self, summary: impl Into<String>) -> Self {
        self.summary = summary.into();
        self
    }

    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }
}

/// An alert: a condition that was opened, and perhaps resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    #[serde(flatten)]
    pub condition: Condition,
    pub opened: Timestamp,
    pub acknowledged: Option<Timestamp>,
    pub resolved: Option<Timestamp>,
}

/// What changed about an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    Opened,
    Acknowledged,
    Resolved,
}

impl Change {
    pub fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Acknowledged => "acknowledged",
            Self::Resolved => "resolved",
        }
    }
}
