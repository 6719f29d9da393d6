//! What a batch counts, by labels from configuration and closed sets alone.

use std::{collections::HashMap, sync::LazyLock, time::Duration};

use crate::{
    domain::KindId,
    kinds::KINDS,
    store::{Admission, Verdict},
    telemetry::{
        Metrics,
        flow::{Cause, Ended, Stage},
    },
};

/// A kind that is not ours, or could not be read.
const UNKNOWN: &str = "unknown";

/// The label of each version of each kind, by its name.
static LABELS: LazyLock<HashMap<&'static str, Vec<(u16, String)>>> = LazyLock::new(|| {
    let mut labels: HashMap<_, Vec<_>> = HashMap::new();
    for kind in KINDS {
        labels.entry(kind.name).or_default().push((kind.version, kind.id().to_string()));
    }
    labels
});

fn label(kind: &KindId) -> &'static str {
    let versions = LABELS.get(kind.name.as_str()).into_iter().flatten();
    let mut found = versions.filter(|(version, _)| *version == kind.version);
    found.next().map_or(UNKNOWN, |(_, label)| label)
}

/// What is remembered of a batch while the store has it.
pub(super) struct Counted {
    /// Most often one.
    parties: Vec<String>,
    messages: Vec<Message>,
    /// Promises that were over when their message came: its place, and the receiver.
    missed: Vec<(usize, String)>,
}

struct Message {
    /// Its place among the parties.
    party: usize,
    kind: &'static str,
    delay: Option<Duration>,
}

impl Counted {
    pub(super) fn of(admissions: &[Admission]) -> Self {
        let mut counted = Self {
            parties: Vec::with_capacity(1),
            messages: Vec::with_capacity(admissions.len()),
            missed: vec![],
        };
        for admission in admissions {
            let (arrived, kind, happened) = match admission {
                Admission::Accepted(m) => (&m.arrived, label(&m.envelope.kind), Some(m.envelope.time)),
                Admission::Invalid(m) => {
                    let kind = m.kind.as_deref().and_then(|kind| kind.parse().ok());
                    (&m.arrived, kind.as_ref().map_or(UNKNOWN, label), None)
                }
            };
            // What is dated ahead came at once.
            let delay = happened.map(|at| arrived.received.duration_since(at).try_into().unwrap_or_default());
            if let Admission::Accepted(message) = admission {
                let late = message.deliveries.iter().filter(|d| d.promise.course.due <= arrived.received);
                let place = counted.messages.len();
                counted.missed.extend(late.map(|delivery| (place, delivery.receiver.clone())));
            }
            let party = counted.party(&arrived.party);
            counted.messages.push(Message { party, kind, delay });
        }
        counted
    }

    fn party(&mut self, party: &str) -> usize {
        self.parties.iter().position(|known| known == party).unwrap_or_else(|| {
            self.parties.push(party.to_owned());
            self.parties.len() - 1
        })
    }

    /// Counts the verdicts; each message waited so long for the commit.
    pub(super) fn count(&self, metrics: &Metrics, verdicts: &[Verdict], waited: Duration) {
        for (message, verdict) in self.messages.iter().zip(verdicts) {
            let (party, kind) = (self.parties[message.party].as_str(), message.kind);
            let delay = message.delay.filter(|_| matches!(verdict, Verdict::Accepted(_)));
            metrics.flow.stage(Stage::Store, waited);
            metrics.flow.arrived(party, kind, verdict.name(), delay);
            if let Verdict::Rejected(answer) | Verdict::Conflict(answer) = verdict {
                let rule = answer.errors.iter().find(|violation| violation.is_error());
                metrics.flow.rejected(party, kind, rule.map_or(UNKNOWN, |violation| &violation.rule));
            }
        }
        for (place, receiver) in &self.missed {
            if matches!(verdicts.get(*place), Some(Verdict::Accepted(_))) {
                let breached = (Ended::Breached, Cause::Sender);
                metrics.flow.promises_ended(self.messages[*place].kind, receiver, breached, 1);
            }
        }
    }
}
