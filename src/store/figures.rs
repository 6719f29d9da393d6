//! Key figures (nøgletal): what both engines count over a period, and what they make of what they counted.
//!
//! Interviews are counted from a narrow table that is written with each message; everything else from messages,
//! promises and events themselves. What is kept in memory grows with the number of parties, kinds and agreements, and
//! by 32 bytes for each group of interviews (month, parties, kind, teller), of which there are [`GROUPS_MAX`] at the
//! most; never with the number of messages.

use jiff::Timestamp;
use serde::Serialize;

use super::{Accepted, parse_json};
use crate::domain::{
    case::{CaseState, CaseStep},
    figure::{Figure, Month, Timeliness},
    party::PartyKind,
    sla::Standing,
    spread::{Spread, bounds},
};

mod groups;
mod interviews;

use groups::Groups;
pub use interviews::{InterviewGroups, Of};

/// Groups of interviews that one report holds at the most: 13 MB.
pub const GROUPS_MAX: usize = 400_000;

/// Which figures are asked for. Every `Some` narrows.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The first and the last month: interviews count in theirs.
    pub months: (Month, Month),
    /// Messages count that were received from here on…
    pub from: Timestamp,
    /// …and before this.
    pub to: Timestamp,
    /// A party's code.
    pub akasse: Option<String>,
    /// A party's code.
    pub jobcenter: Option<String>,
    pub agreement: Option<String>,
    /// A kind of message, with or without its version. It narrows everything but the interviews.
    pub kind: Option<String>,
    /// A kind of interview. It narrows the interviews only.
    pub interview: Option<String>,
    /// What is unmet stands as it did then.
    pub now: Timestamp,
}

/// Everything that was counted, each list in the order of its fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyFigures {
    /// The store's last message, and the configuration generation that judged it; 0 where there is none.
    pub last_message: i64,
    pub generation: u64,
    pub interviews: InterviewGroups,
    pub outcomes: Vec<Outcomes>,
    pub volumes: Vec<Volume>,
    pub senders: Vec<Sender>,
    pub decisions: Vec<Decisions>,
}

/// Interviews of one month between two parties, told by one of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interviews {
    pub month: Month,
    pub jobcenter: String,
    pub interview: String,
    pub akasse: String,
    /// The jobcenter told of them: they are its own.
    pub own: bool,
    pub counts: Counts,
}

/// Interviews by how they were held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Counts {
    pub in_time: u64,
    pub late: u64,
    pub not_held: u64,
}

/// How the promises of one name, of one kind under one agreement stand.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcomes {
    /// `None`: under no agreement.
    pub agreement: Option<String>,
    pub kind: String,
    /// The promise's name.
    pub promise: String,
    pub met: u64,
    pub met_late: u64,
    /// Unmet and past its deadline.
    pub breached: u64,
    pub open: u64,
    pub waived: u64,
    /// It ended unmet: dead or cancelled.
    pub ended: u64,
}

/// How many messages of one kind came in one way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Volume {
    /// `None`: of what was refused the kind is not known for certain.
    pub kind: Option<String>,
    pub way: String,
    pub accepted: u64,
    pub refused: u64,
}

/// How long messages of one kind were on their way from their business time to us.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sender {
    /// The party's code.
    pub party: String,
    pub kind: String,
    pub messages: u64,
    /// Within so many seconds half of them came; at most a tenth too much. `None`: more than a year.
    pub median_seconds: Option<i64>,
    pub p95_seconds: Option<i64>,
    /// They had used more than half of the time they are promised before we had them.
    pub half_used: u64,
}

/// How long one jobcenter or a-kasse took to decide upon messages of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Decisions {
    /// The code of the party that decides.
    pub party: String,
    pub kind: String,
    /// Accepted in the period, decided or not.
    pub messages: u64,
    pub granted: u64,
    pub refused: u64,
    /// From our acceptance to the reply that decided; read as in [`Sender`].
    pub median_seconds: Option<i64>,
    pub p95_seconds: Option<i64>,
}

impl Counts {
    pub fn add(&mut self, timeliness: Timeliness, count: u64) {
        *match timeliness {
            Timeliness::InTime => &mut self.in_time,
            Timeliness::Late => &mut self.late,
            Timeliness::NotHeld => &mut self.not_held,
        } += count;
    }

    pub fn join(&mut self, other: Self) {
        self.in_time += other.in_time;
        self.late += other.late;
        self.not_held += other.not_held;
    }

    pub fn held(self) -> u64 {
        self.in_time + self.late
    }
}

/// A message's figure as the tables keep it.
pub(super) struct Row<'m> {
    pub(super) figure: &'m Figure,
    pub(super) jobcenter: &'m str,
    pub(super) akasse: &'m str,
    pub(super) own: bool,
}

/// What is written of a message; `None` where it says nothing, or goes between others than these two sides.
pub(super) fn row(message: &Accepted) -> Option<Row<'_>> {
    let figure = message.figure.as_ref()?;
    let (source, receiver) = (&message.envelope.source, &message.envelope.receiver);
    let own = source.kind() == PartyKind::Jobcenter;
    let (jobcenter, akasse) = if own { (source, receiver) } else { (receiver, source) };
    let fits = jobcenter.kind() == PartyKind::Jobcenter && akasse.kind() == PartyKind::Akasse;
    fits.then(|| Row { figure, jobcenter: jobcenter.code(), akasse: akasse.code(), own })
}

/// The URN of a party by its code, as messages have it.
pub(super) fn urn(code: Option<&String>) -> Option<String> {
    code.map(|code| {
        crate::domain::Party::from_code(code).map_or_else(|_| code.clone(), |party| party.to_string())
    })
}

/// A party's code, from its URN.
fn code(urn: &str) -> &str {
    urn.rsplit(':').next().unwrap_or(urn)
}

/// Puts what the engines read into groups.
#[derive(Default)]
pub(super) struct Fold {
    bounds: Vec<i64>,
    interviews: InterviewGroups,
    /// By kind, way, source and receiver: where their volume, sender and case lie.
    alike: Groups<4, Option<[usize; 3]>>,
    /// By agreement (none has the empty name), kind and promise.
    outcomes: Groups<3, Outcomes>,
    /// By kind and way.
    volumes: Groups<2, Volume>,
    /// By way.
    refused: Groups<1, u64>,
    /// By party and kind.
    senders: Groups<2, (Spread, u64)>,
    /// By party and kind.
    cases: Groups<2, Case>,
}

#[derive(Default)]
struct Case {
    messages: u64,
    granted: u64,
    refused: u64,
    took: Option<Spread>,
}

/// The envelope of messages that are alike.
pub(super) struct Alike<'a> {
    pub(super) kind: &'a str,
    /// URNs.
    pub(super) source: &'a str,
    pub(super) receiver: &'a str,
    pub(super) way: &'a str,
    pub(super) count: u64,
}

impl Fold {
    pub(super) fn new() -> Self {
        Self { bounds: bounds(), ..Self::default() }
    }

    /// Interviews, in the order of their fields.
    pub(super) fn interviews(&mut self, of: Of<'_>, timeliness: Timeliness, count: u32) {
        self.interviews.add(of, timeliness, count);
    }

    /// Accepted messages that came `late` seconds after their business time (a place among the bounds).
    pub(super) fn messages(&mut self, alike: &Alike<'_>, late: usize, half_used: bool) {
        let lie = self.alike.of([alike.kind, alike.way, alike.source, alike.receiver]);
        let [volume, sender, case] = *lie.get_or_insert_with(|| {
            [
                self.volumes.place([alike.kind, alike.way]),
                self.senders.place([code(alike.source), alike.kind]),
                self.cases.place([code(alike.receiver), alike.kind]),
            ]
        });
        self.volumes.at(volume).accepted += alike.count;
        let (spread, half) = self.senders.at(sender);
        spread.add(late, alike.count);
        *half += if half_used { alike.count } else { 0 };
        self.cases.at(case).messages += alike.count;
    }

    pub(super) fn refused(&mut self, way: &str, count: u64) {
        *self.refused.of([way]) += count;
    }

    pub(super) fn place(&self, seconds: i64) -> usize {
        Spread::place(&self.bounds, seconds)
    }

    /// Promises that stand alike. An unknown word is none of ours and counts as open.
    pub(super) fn promises(
        &mut self,
        agreement: Option<&str>,
        (kind, promise): (&str, &str),
        standing: &str,
        count: u64,
    ) {
        let outcomes = self.outcomes.of([agreement.unwrap_or_default(), kind, promise]);
        let is = |one: Standing| standing == one.name();
        *match standing {
            _ if is(Standing::Met) => &mut outcomes.met,
            _ if is(Standing::MetLate) => &mut outcomes.met_late,
            _ if is(Standing::Breached) => &mut outcomes.breached,
            _ if is(Standing::Waived) => &mut outcomes.waived,
            _ if is(Standing::Ended) => &mut outcomes.ended,
            _ => &mut outcomes.open,
        } += count;
    }

    /// What a reply decided of a message that was accepted `seconds` before. False where it decided nothing.
    pub(super) fn decision(&mut self, receiver: &str, kind: &str, told: &str, seconds: i64) -> bool {
        let Some(granted) = decided(told) else { return false };
        let place = self.place(seconds.max(0));
        let case = self.cases.of([code(receiver), kind]);
        *if granted { &mut case.granted } else { &mut case.refused } += 1;
        case.took.get_or_insert_default().add(place, 1);
        true
    }

    pub(super) fn finish(self, last: Option<(i64, i64)>) -> KeyFigures {
        let (last_message, generation) = last.unwrap_or_default();
        let accepted = self.volumes.sorted();
        let mut volumes: Vec<Volume> =
            accepted.map(|([kind, way], volume)| Volume { kind: Some(kind), way, ..volume }).collect();
        volumes.extend(self.refused.sorted().map(|([way], refused)| Volume {
            way,
            refused,
            ..Volume::default()
        }));
        let senders = self.senders.sorted().map(|([party, kind], (spread, half_used))| Sender {
            party,
            kind,
            messages: spread.count(),
            median_seconds: spread.within(50),
            p95_seconds: spread.within(95),
            half_used,
        });
        let cases = self
            .cases
            .sorted()
            .filter_map(|(key, case)| Some((key, case.took?, case.messages, case.granted, case.refused)));
        let decisions = cases.map(|([party, kind], took, messages, granted, refused)| Decisions {
            party,
            kind,
            messages,
            granted,
            refused,
            median_seconds: took.within(50),
            p95_seconds: took.within(95),
        });
        let outcomes = self.outcomes.sorted().map(|([agreement, kind, promise], counts)| Outcomes {
            agreement: Some(agreement).filter(|id| !id.is_empty()),
            kind,
            promise,
            ..counts
        });
        KeyFigures {
            last_message,
            generation: u64::try_from(generation).unwrap_or_default(),
            interviews: self.interviews,
            outcomes: outcomes.collect(),
            volumes,
            senders: senders.collect(),
            decisions: decisions.collect(),
        }
    }
}

/// Whether the event of a reply grants (`true`) or refuses (`false`); `None` where it decides nothing, or what it
/// says changed nothing. Who tells only of what follows a grant has granted.
fn decided(told: &str) -> Option<bool> {
    let told = parse_json(told);
    let step: CaseStep = serde_json::from_value(told["step"].clone()).ok()?;
    let says = CaseState::from_name(told["says"].as_str()?)?;
    match says {
        _ if step != CaseStep::Moved => None,
        CaseState::Granted | CaseState::ActivityCreated | CaseState::Published => Some(true),
        CaseState::Refused => Some(false),
        CaseState::Received | CaseState::InProcess | CaseState::Incomplete | CaseState::Closed => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_step_that_moved_decides() {
        let told = |says: &str, step: &str| decided(&format!(r#"{{"says":"{says}","step":"{step}"}}"#));
        assert_eq!(told("granted", "moved"), Some(true));
        assert_eq!(told("published", "moved"), Some(true));
        assert_eq!(told("refused", "moved"), Some(false));
        for (says, step) in
            [("granted", "contradicts"), ("refused", "late"), ("closed", "moved"), ("in_process", "moved")]
        {
            assert_eq!(told(says, step), None, "{says} {step}");
        }
        assert_eq!(decided("not json"), None);
    }
}
