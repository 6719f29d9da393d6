//! A cooperation agreement: who, when, which kinds, and what it promises and demands. All of it is data.

use std::{collections::BTreeMap, sync::Arc};

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::{Format, Party, calendar, ladder::At, party::PartyKind, sla::Promise};

pub mod budget;
mod expiry;
mod find;
mod goals;
mod groups;
mod particulars;
mod period;
mod rules;

pub use expiry::expiring;
pub use find::{Found, find};
pub use goals::Goals;
pub use groups::{Group, Phase};
pub use particulars::{Cadence, Cap, Clauses, Contact, Measure, Notice, Particulars, Target};
pub use period::Period;
pub use rules::{FieldRule, KindRules, Refused, RulesFor, SPECIAL_EFFORT, When, refused};

/// What happens to traffic that no agreement in force covers. Complaints are carried all the same, with a
/// warning: the citizen's deadline does not depend on the parties' paperwork.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutsideValidity {
    /// The message is refused.
    #[default]
    Refuse,
    /// The message is taken with a warning.
    Flag,
    /// The message is taken with a warning, and its deliveries wait for an agreement or a person.
    Hold,
}

/// The parties on one side of an agreement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Side {
    /// Every a-kasse, or every jobcenter: a framework.
    Every(PartyKind),
    These(Vec<Party>),
}

impl Side {
    pub fn has(&self, party: &Party) -> bool {
        match self {
            Self::Every(kind) => party.kind() == *kind,
            Self::These(parties) => parties.contains(party),
        }
    }

    /// Whether everybody on the other is on this one too.
    pub fn includes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Every(kind), Self::Every(theirs)) => kind == theirs,
            (Self::These(_), Self::Every(_)) => false,
            (_, Self::These(parties)) => parties.iter().all(|party| self.has(party)),
        }
    }

    /// Whether anybody is on both.
    pub fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Every(kind), Self::Every(theirs)) => kind == theirs,
            (Self::Every(_), Self::These(parties)) => parties.iter().any(|party| self.has(party)),
            (Self::These(parties), _) => parties.iter().any(|party| other.has(party)),
        }
    }
}

/// What an agreement promises of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Agreed {
    /// That the receiver has it; `None`: as is promised in general.
    pub delivered: Option<Arc<Promise>>,
    pub further: Vec<Arc<Promise>>,
    /// The second way, tried when the first endangers the promise.
    pub fallback: Option<Fallback>,
}

/// An agreement's second way for a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fallback {
    /// The receiver's name in configuration.
    pub receiver: String,
    /// From when on it is tried: a share of the promise's time, or so long before its deadline.
    pub at: At,
    /// From when on it is tried where the forecast says that the first way will be late. `None`: a forecast lets
    /// nothing go.
    pub when_predicted: Option<At>,
}

/// One agreement between a-kasser and jobcenters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    /// The id that messages name: 1–60 characters.
    pub id: String,
    pub akasser: Side,
    pub jobcenters: Side,
    /// The first day it is in force, in Danish local time.
    pub valid_from: Date,
    /// The last day it is in force; `None`: until terminated.
    pub valid_to: Option<Date>,
    /// The agreement whose sub-agreement (delaftale) this is: it goes before that one.
    pub under: Option<String>,
    /// It gives way to every other agreement between the same parties (rammer for det lokale samarbejde).
    pub framework: bool,
    /// What happens to traffic that would be its own but for its validity; `None`: the general setting.
    pub outside_validity: Option<OutsideValidity>,
    /// The kinds it takes; empty: every kind.
    pub kinds: Vec<String>,
    /// Promises that replace the general ones, by kind.
    pub promises: BTreeMap<String, Agreed>,
    /// The citizens it is about; none named: everyone.
    pub groups: Vec<Group>,
    /// What is taken only from a day on.
    pub phases: Vec<Phase>,
    /// The clause by which citizens under the jobcenter's special effort (specialindsats) are left out.
    pub special_effort: Option<String>,
    /// What it demands of single kinds.
    pub rules: BTreeMap<String, KindRules>,
    /// Where it says what admission asks of it.
    pub clauses: Clauses,
    /// What admission does not look at.
    pub particulars: Particulars,
}

impl Agreement {
    /// An agreement that says nothing but who and from when: every kind, until terminated.
    pub fn new(id: impl Into<String>, akasser: Side, jobcenters: Side, valid_from: Date) -> Self {
        Self {
            id: id.into(),
            akasser,
            jobcenters,
            valid_from,
            valid_to: None,
            under: None,
            framework: false,
            outside_validity: None,
            kinds: vec![],
            promises: BTreeMap::new(),
            groups: vec![],
            phases: vec![],
            special_effort: None,
            rules: BTreeMap::new(),
            clauses: Clauses::default(),
            particulars: Particulars::default(),
        }
    }

    /// Whether it is in force on that day, both ends included.
    pub fn covers(&self, day: Date) -> bool {
        self.valid_from <= day && self.valid_to.is_none_or(|last| day <= last)
    }

    /// Whether it is between these two, in either direction.
    pub fn between(&self, one: &Party, other: &Party) -> bool {
        (self.akasser.has(one) && self.jobcenters.has(other))
            || (self.akasser.has(other) && self.jobcenters.has(one))
    }

    pub fn takes(&self, kind: &str) -> bool {
        self.kinds.is_empty() || self.kinds.iter().any(|k| k == kind)
    }

    /// Whether it goes before that one: as its sub-agreement, or because that one is a framework.
    pub fn is_under(&self, other: &Self) -> bool {
        self.under.as_ref() == Some(&other.id) || (other.framework && !self.framework)
    }

    /// What it promises a kind instead of the general promise of being delivered.
    pub fn promise(&self, kind: &str) -> Option<&Arc<Promise>> {
        self.promises.get(kind)?.delivered.as_ref()
    }

    /// What else it promises a kind, beyond or instead of what is promised in general.
    pub fn further(&self, kind: &str) -> &[Arc<Promise>] {
        self.promises.get(kind).map_or(&[], |agreed| &agreed.further)
    }

    /// The second way of a kind.
    pub fn fallback(&self, kind: &str) -> Option<&Fallback> {
        self.promises.get(kind)?.fallback.as_ref()
    }

    /// The format it demands for a kind.
    pub fn format(&self, kind: &str) -> Option<Format> {
        self.rules.get(kind).and_then(|rules| rules.format)
    }

    /// The first phase that takes the kind and has not begun; nothing where some phase of the kind has.
    pub fn awaited_phase(&self, kind: &str, day: Date) -> Option<&Phase> {
        let mut of_kind = self.phases.iter().filter(|phase| phase.kinds.iter().any(|k| k == kind));
        let first = of_kind.next()?;
        (first.from > day && of_kind.all(|phase| phase.from > day)).then_some(first)
    }

    /// A kind that both take between the same two on the same day, where neither is under the other.
    /// `every kind` where both take all of them.
    pub fn clashes_with<'a>(&'a self, other: &'a Self) -> Option<&'a str> {
        let apart = self.valid_to.is_some_and(|last| last < other.valid_from)
            || other.valid_to.is_some_and(|last| last < self.valid_from);
        let strangers = !self.akasser.meets(&other.akasser) || !self.jobcenters.meets(&other.jobcenters);
        if apart || strangers || self.is_under(other) || other.is_under(self) {
            return None;
        }
        match (self.kinds.is_empty(), other.kinds.is_empty()) {
            (true, true) => Some("every kind"),
            (true, false) => other.kinds.first().map(String::as_str),
            (false, _) => self.kinds.iter().map(String::as_str).find(|kind| other.takes(kind)),
        }
    }
}

/// Danish local time.
pub fn copenhagen() -> TimeZone {
    calendar::copenhagen().clone()
}

/// The day by Danish clocks.
pub fn danish_day(at: Timestamp) -> Date {
    calendar::copenhagen_date(at)
}

#[cfg(test)]
mod tests;
