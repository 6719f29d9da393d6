//! What promises wait for and has come: messages of a kind about a citizen, kept so that a promise which is stored after
//! them is met by them all the same, and counted where a promise waits for several.
//!
//! What counts is when a thing happened by the message's own dates, and not when the message came: only what happened
//! when the clock had started. A record that corrects an earlier one of its sender stands in its place. Both engines read
//! the rows and ask here, so that the outcome is the same in whichever order messages come.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::json;

use super::{Clock, Happened, Line, State, kept};
use crate::{
    domain::{
        placement::Placed,
        sla::{Further, Promise, Starts, Stops},
    },
    store::{Accepted, NewDelivery, numbers::message_of},
};

/// Records about one citizen that are read at the most, the latest of them.
pub(in crate::store) const CAME_MAX: i64 = 1_000;

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Came {
    pub(in crate::store) message: i64,
    /// The first record of the same thing.
    pub(in crate::store) first: i64,
    pub(in crate::store) receipt: String,
    /// `None`: it says that the thing did not happen.
    pub(in crate::store) happened: Option<Timestamp>,
    pub(in crate::store) received: Timestamp,
}

/// The count after a record that changed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Counted<'a> {
    pub(in crate::store) count: usize,
    pub(in crate::store) by: &'a Came,
}

/// How the count went for a promise of the message `own`, in the order of the records, until as many happened as are
/// wanted. Who promises another message of its own kind has not kept that by the message itself, nor by a correction of it,
/// unless the message told that the thing had not happened yet.
pub(in crate::store) fn counted(came: &[Came], own: i64, since: Timestamp, wanted: u16) -> Vec<Counted<'_>> {
    let mut happened = BTreeSet::new();
    let mut counts = Vec::new();
    let to_come = came.iter().any(|by| by.message == own && by.happened.is_none());
    for by in came.iter().filter(|by| by.message != own && (by.first != own || to_come)) {
        let changed = if by.happened.is_some_and(|at| at >= since) {
            happened.insert(by.first)
        } else {
            happened.remove(&by.first)
        };
        if changed {
            counts.push(Counted { count: happened.len(), by });
        }
        if happened.len() >= usize::from(wanted) {
            break;
        }
    }
    counts
}

/// Which changes of a count the history is to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Tell {
    /// All: the clock starts with them.
    All,
    /// That of a record which is stored now.
    Only(i64),
    /// The last: some may have come while nobody counted.
    Last,
}

impl Clock {
    /// Whose records of what kind it counts, where it counts any.
    pub(in crate::store) fn counts(&self) -> Option<(Placed, &str)> {
        match &self.promise.terms.stops {
            Stops::Kind(kind) => Some((self.about?, kind)),
            _ => None,
        }
    }

    /// Whether what happened may have let it begin or go on beside records that it has not counted.
    pub(in crate::store) fn recounts(&self, what: Happened<'_>) -> bool {
        let starts_now = what == Happened::Delivered && self.promise.terms.starts == Starts::Delivered;
        self.state == State::Begun && (starts_now || what == Happened::Retried)
    }

    /// Counts the records that have come, and is met by the one that makes them enough: when that one came.
    pub(in crate::store) fn count(&mut self, came: &[Came], tell: Tell, now: Timestamp) -> Vec<Line> {
        let open = self.run.as_ref().filter(|run| run.is_open());
        let Some(starts) = open.map(|run| run.course.starts) else { return vec![] };
        let (now, wanted) = (kept(now), self.promise.terms.count);
        let counts = counted(came, message_of(self.delivery()), starts, wanted);
        let is_told = |place: usize, counted: &Counted<'_>| match tell {
            Tell::All => true,
            Tell::Only(message) => counted.by.message == message,
            Tell::Last => place + 1 == counts.len(),
        };
        let told =
            counts.iter().enumerate().filter(|(place, counted)| wanted > 1 && is_told(*place, counted));
        let mut lines: Vec<Line> = told
            .map(|(_, Counted { count, by })| {
                let says = json!({ "count": count, "of": wanted, "by": by.receipt, "received": by.received });
                ("sla_counted", self.says(says))
            })
            .collect();
        if let Some(last) = counts.last().filter(|last| last.count >= usize::from(wanted)) {
            let at = kept(last.by.received).max(starts).min(now);
            lines.extend(self.meet(at, Some(&last.by.receipt), now));
        }
        lines
    }
}

/// What a promise waits for: about whom, and the kind.
pub(in crate::store) fn awaited<'a>(promise: &'a Promise, further: &Further) -> Option<(Placed, &'a str)> {
    match &promise.terms.stops {
        Stops::Kind(kind) => Some((further.about?, kind)),
        _ => None,
    }
}

/// Whom records and promises of the message are about, where what it brings and what others wait for must not pass each
/// other by unseen.
pub(in crate::store) fn abouts(message: &Accepted) -> impl Iterator<Item = Placed> {
    let further = |delivery: &NewDelivery| delivery.further.iter().find_map(|further| further.about);
    let waits = message.deliveries.iter().find_map(further);
    let renews = message.renews.as_ref().map(|renews| renews.about);
    message.meets.map(|meets| meets.about).into_iter().chain(waits).chain(renews)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + hour * 3600).unwrap()
    }

    fn came(message: i64, first: i64, happened: Option<i64>) -> Came {
        let receipt = format!("r-{message}");
        Came { message, first, receipt, happened: happened.map(at), received: at(100 + message) }
    }

    fn counts(all: &[Came], wanted: u16) -> Vec<(usize, i64)> {
        counted(all, 99, at(10), wanted).iter().map(|counted| (counted.count, counted.by.message)).collect()
    }

    #[test]
    fn what_happened_before_the_clock_started_or_not_at_all_does_not_count() {
        let all = [came(1, 1, Some(9)), came(2, 2, None), came(3, 3, Some(10)), came(4, 4, Some(50))];
        assert_eq!(counts(&all, 3), [(1, 3), (2, 4)]);
        assert_eq!(counts(&all, 1), [(1, 3)], "and it is met by the first that does");
    }

    #[test]
    fn a_promise_of_the_next_is_not_met_by_its_own_message() {
        let all = [came(1, 1, Some(12)), came(2, 1, Some(13)), came(3, 3, Some(20))];
        let met: Vec<_> = counted(&all, 1, at(10), 1).iter().map(|counted| counted.by.message).collect();
        assert_eq!(met, [3]);
    }

    #[test]
    fn what_was_planned_is_kept_by_a_correction_that_tells_of_it() {
        let held = [came(1, 1, None), came(2, 1, Some(12))];
        let met: Vec<_> = counted(&held, 1, at(10), 1).iter().map(|counted| counted.by.message).collect();
        assert_eq!(met, [2]);
        let planned_again = [came(1, 1, None), came(2, 1, None)];
        assert!(counted(&planned_again, 1, at(10), 1).is_empty());
    }

    #[test]
    fn a_correction_stands_in_the_place_of_what_it_corrects() {
        let all = [came(1, 1, Some(12)), came(2, 1, Some(13)), came(3, 3, Some(20)), came(4, 3, None)];
        assert_eq!(counts(&all, 3), [(1, 1), (2, 3), (1, 4)]);
    }
}
