//! What an agreement says besides what admission looks at: for people, reports and watchers.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::Period;

/// Where an agreement says what admission asks of it. Shown in the violation.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Clauses {
    pub validity: String,
    pub kinds: String,
    pub groups: String,
}

/// What is agreed and needs no gate.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Particulars {
    pub title: String,
    /// The technical framework agreement (rammeaftale) and the sub-agreement (delaftale) at the authority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub framework_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub_agreement_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notice: Option<Notice>,
    pub contacts: Vec<Contact>,
    pub cadences: Vec<Cadence>,
    pub caps: Vec<Cap>,
    pub targets: Vec<Target>,
}

/// How long before its end an agreement is terminated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notice {
    pub ordinary: Period,
    /// Where the other side does not keep what it promised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breach: Option<Period>,
    pub clause: String,
}

/// Where a party is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    /// A party's code, or an office.
    pub of: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The unit's EAN number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gln: Option<String>,
    pub clause: String,
}

/// A meeting or a report that comes again and again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cadence {
    pub what: String,
    pub every: Period,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Date>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Date>,
    pub clause: String,
}

/// The most that may be spent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all(serialize = "camelCase"))]
pub struct Cap {
    /// In whole Danish kroner, for each a-kasse and calendar year. None: a sum is set elsewhere each year.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kroner: Option<u64>,
    /// The kinds whose price counts.
    pub kinds: Vec<String>,
    /// The municipal account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    pub clause: String,
}

/// What the key figures can measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Of the interviews that an a-kasse held, those that were held in time.
    InterviewsInTime,
}

impl Measure {
    /// The kind of message that tells of what is measured.
    pub fn kind(self) -> &'static str {
        match self {
            Self::InterviewsInTime => "interview_record",
        }
    }
}

/// A result that was agreed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all(serialize = "camelCase"))]
pub struct Target {
    pub what: String,
    /// What the key figures measure by it. `None`: it is shown, and nothing is measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<Measure>,
    /// 1–100.
    pub at_least_percent: u8,
    /// Nor less than the jobcenter's own share.
    #[serde(default)]
    pub at_least_own: bool,
    pub clause: String,
}
