//! What a watcher sees, and what people are told: provider-free, opened and resolved by key.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub use told::{EVENT_TYPE, Reason};

mod told;

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

/// The alert of a receiver whose circuit is open.
pub const CIRCUIT_OPEN: &str = "KassebroCircuitOpen";
/// The alert that always fires.
pub const WATCHDOG: &str = "KassebroWatchdog";

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
    /// The targets that are told. `None`: every target that is told of what names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub targets: Option<BTreeSet<String>>,
    /// Who is told besides while nobody acknowledges it, the first first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub climb: Vec<Climb>,
}

/// Where an alert goes that nobody acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Climb {
    /// From when it was opened.
    pub after: SignedDuration,
    pub targets: BTreeSet<String>,
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
            targets: None,
            climb: vec![],
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

    /// As it is kept while it is open: its earliest beginning, and everybody who was told of it, so that whoever
    /// heard of it hears of its end.
    #[must_use]
    pub fn kept(mut self, known: &Self) -> Self {
        self.since = self.since.min(known.since);
        self.targets = match (self.targets, &known.targets) {
            (Some(now), Some(before)) => Some(now.union(before).cloned().collect()),
            _ => None,
        };
        self
    }
}

/// What people did about an open alert, and how far it climbed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Handling {
    pub acknowledged: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acknowledged_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assigned_to: Option<String>,
    /// Nobody is told of it again before, but for its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snoozed_until: Option<Timestamp>,
    /// What the last of them wrote.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// How many of the condition's `climb` were told.
    pub climbed: usize,
}

/// What a person does about an open alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Touch {
    /// Somebody looks at it: it climbs no further and is not repeated.
    Acknowledge,
    Assign {
        to: String,
    },
    Snooze {
        until: Timestamp,
    },
    Unsnooze,
}

impl Touch {
    /// The command, as the audit names it.
    pub fn command(&self) -> &'static str {
        match self {
            Self::Acknowledge => "alerts ack",
            Self::Assign { .. } => "alerts assign",
            Self::Snooze { .. } => "alerts snooze",
            Self::Unsnooze => "alerts unsnooze",
        }
    }
}

impl Handling {
    /// Does it; `None` where it was so already.
    pub fn touch(&mut self, touch: &Touch, by: &str, note: Option<&str>, now: Timestamp) -> Option<Change> {
        let change = match touch {
            Touch::Acknowledge if self.acknowledged.is_some() => return None,
            Touch::Acknowledge => {
                self.acknowledged = Some(now);
                self.acknowledged_by = Some(by.to_owned());
                Change::Acknowledged
            }
            Touch::Assign { to } if self.assigned_to.as_ref() == Some(to) => return None,
            Touch::Assign { to } => {
                self.assigned_to = Some(to.clone());
                Change::Assigned
            }
            Touch::Snooze { until } if self.snoozed_until == Some(*until) => return None,
            Touch::Snooze { until } => {
                self.snoozed_until = Some(*until);
                Change::Snoozed
            }
            Touch::Unsnooze if !self.is_snoozed(now) => return None,
            Touch::Unsnooze => {
                self.snoozed_until = None;
                Change::Unsnoozed
            }
        };
        if let Some(note) = note {
            self.note = Some(note.to_owned());
        }
        Some(change)
    }

    pub fn is_snoozed(&self, now: Timestamp) -> bool {
        self.snoozed_until.is_some_and(|until| now < until)
    }

    /// When it climbs next, and to whom, unless somebody acknowledges it before. A snooze puts it off.
    pub fn next_climb<'c>(&self, climb: &'c [Climb], opened: Timestamp) -> Option<(Timestamp, &'c Climb)> {
        let next = climb.get(self.climbed).filter(|_| self.acknowledged.is_none())?;
        let at = opened.checked_add(next.after).unwrap_or(Timestamp::MAX);
        Some((self.snoozed_until.map_or(at, |until| at.max(until)), next))
    }

    /// Climbs as far as it should have by now. Those who are told besides; none where it stays.
    pub fn climb(&mut self, climb: &[Climb], opened: Timestamp, now: Timestamp) -> BTreeSet<String> {
        let mut targets = BTreeSet::new();
        while let Some((at, next)) = self.next_climb(climb, opened) {
            if at > now {
                break;
            }
            targets.extend(next.targets.iter().cloned());
            self.climbed += 1;
        }
        targets
    }
}

/// An alert: a condition that was opened, and perhaps resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    /// Ascending in the order in which alerts were opened.
    pub number: i64,
    #[serde(flatten)]
    pub condition: Condition,
    pub opened: Timestamp,
    #[serde(flatten)]
    pub handling: Handling,
    pub resolved: Option<Timestamp>,
}

/// What changed about an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    Opened,
    /// Nobody acknowledged it in time: others are told too.
    Escalated,
    Acknowledged,
    Assigned,
    Snoozed,
    Unsnoozed,
    Resolved,
}

impl Change {
    pub const ALL: [Self; 7] = [
        Self::Opened,
        Self::Escalated,
        Self::Acknowledged,
        Self::Assigned,
        Self::Snoozed,
        Self::Unsnoozed,
        Self::Resolved,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Escalated => "escalated",
            Self::Acknowledged => "acknowledged",
            Self::Assigned => "assigned",
            Self::Snoozed => "snoozed",
            Self::Unsnoozed => "unsnoozed",
            Self::Resolved => "resolved",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|change| change.name() == name)
    }
}

/// Who made a change and what it says; nothing where the gateway opened or resolved.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Particulars {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// To whom it was assigned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Until when it is snoozed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The targets it climbed to.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub targets: BTreeSet<String>,
}

impl Particulars {
    pub fn of(touch: &Touch, by: &str, note: Option<&str>) -> Self {
        let (to, until) = match touch {
            Touch::Assign { to } => (Some(to.clone()), None),
            Touch::Snooze { until } => (None, Some(*until)),
            Touch::Acknowledge | Touch::Unsnooze => (None, None),
        };
        Self { by: Some(by.to_owned()), note: note.map(str::to_owned), to, until, targets: BTreeSet::new() }
    }

    pub fn climbed(targets: BTreeSet<String>) -> Self {
        Self { targets, ..Self::default() }
    }
}

/// A change as it stands in the log that notifiers read by cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertChange {
    /// Ascending within the log.
    pub seq: i64,
    /// The alert's number.
    pub alert: i64,
    pub at: Timestamp,
    pub change: Change,
    /// As it was then.
    pub condition: Condition,
    pub particulars: Particulars,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes)
    }

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn climb() -> Vec<Climb> {
        [(10, "b"), (20, "c")]
            .map(|(minutes, target)| Climb {
                after: SignedDuration::from_mins(minutes),
                targets: set(&[target]),
            })
            .into()
    }

    #[test]
    fn what_nobody_acknowledges_climbs_step_by_step_and_all_at_once_after_a_downtime() {
        let mut handling = Handling::default();
        assert!(handling.climb(&climb(), at(0), at(9)).is_empty());
        assert_eq!(handling.climb(&climb(), at(0), at(10)), set(&["b"]));
        assert!(handling.climb(&climb(), at(0), at(19)).is_empty(), "each once");
        assert_eq!(handling.climb(&climb(), at(0), at(20)), set(&["c"]));
        assert!(handling.climb(&climb(), at(0), at(99)).is_empty(), "there is nobody above");
        assert_eq!(Handling::default().climb(&climb(), at(0), at(60)), set(&["b", "c"]));
    }

    #[test]
    fn an_acknowledgement_ends_the_climb_and_a_snooze_puts_it_off() {
        let mut handling = Handling::default();
        handling.touch(&Touch::Snooze { until: at(15) }, "anna", None, at(1)).unwrap();
        assert!(handling.climb(&climb(), at(0), at(14)).is_empty());
        assert_eq!(handling.climb(&climb(), at(0), at(15)), set(&["b"]));
        assert_eq!(handling.touch(&Touch::Unsnooze, "anna", None, at(16)), None, "it is over");
        handling.touch(&Touch::Assign { to: "bo".into() }, "anna", None, at(16)).unwrap();
        assert_eq!(handling.next_climb(&climb(), at(0)).map(|(when, _)| when), Some(at(20)));
        let change = handling.touch(&Touch::Acknowledge, "bo", Some("on it"), at(17));
        assert_eq!((change, handling.note.as_deref()), (Some(Change::Acknowledged), Some("on it")));
        assert!(handling.climb(&climb(), at(0), at(99)).is_empty());
        assert_eq!(handling.touch(&Touch::Acknowledge, "cy", None, at(18)), None);
        assert_eq!(handling.acknowledged_by.as_deref(), Some("bo"), "the first stands");
    }

    #[test]
    fn whoever_was_told_is_kept_until_the_end() {
        let condition = |targets: Option<&[&str]>| Condition {
            targets: targets.map(set),
            ..Condition::new("KassebroTest", Urgency::Info, &[], at(5))
        };
        assert_eq!(condition(Some(&["a"])).kept(&condition(Some(&["b"]))).targets, Some(set(&["a", "b"])));
        assert_eq!(condition(Some(&["a"])).kept(&condition(None)).targets, None);
        for change in Change::ALL {
            assert_eq!(Change::from_name(change.name()), Some(change));
        }
    }
}
