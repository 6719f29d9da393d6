//! What others than the lanes brought about: a receipt, a return message, whatever a clock waited for. A lane counts what it
//! delivers; this is noted in the transaction that does it and told once, after the commit, to whoever counts it in this
//! process.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Notes that are kept; the oldest go first. So many there are only where nobody asks for them.
const NOTES_MAX: usize = 100_000;
/// Notes that are told in one answer.
pub(super) const TOLD_MAX: usize = 1_000;

/// One thing, as the tables number it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Note {
    /// A receiver has this delivery, by its own word.
    Delivered(i64),
    /// This promise is met.
    Met(i64),
}

/// What is committed and not told yet. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Notes(Arc<Mutex<VecDeque<Note>>>);

impl Notes {
    fn kept(&self) -> MutexGuard<'_, VecDeque<Note>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn keep(&self, notes: impl IntoIterator<Item = Note>) {
        let mut kept = self.kept();
        kept.extend(notes);
        let too_many = kept.len().saturating_sub(NOTES_MAX);
        kept.drain(..too_many);
    }

    /// The oldest, which are gone from here: numbers of deliveries, and of promises.
    pub(super) fn take(&self) -> (Vec<i64>, Vec<i64>) {
        let mut kept = self.kept();
        let most = kept.len().min(TOLD_MAX);
        let (mut delivered, mut met) = (Vec::new(), Vec::new());
        for note in kept.drain(..most) {
            match note {
                Note::Delivered(delivery) => delivered.push(delivery),
                Note::Met(promise) => met.push(promise),
            }
        }
        (delivered, met)
    }
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Brought {
    pub delivered: Vec<Taken>,
    pub met: Vec<MetPromise>,
    /// There may be more at once.
    pub is_more: bool,
}

/// A delivery that its receiver said it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// With its version.
    pub kind: String,
    pub receiver: String,
    /// From when it happened in the business until the receiver said so.
    pub lead_time: Duration,
}

/// A promise that was met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetPromise {
    /// With its version.
    pub kind: String,
    pub receiver: String,
    /// After it was due.
    pub is_late: bool,
    /// It was due before the message came.
    pub came_late: bool,
}

/// Between two instants in microseconds; nothing where the clocks say the reverse.
pub(super) fn lead_time(since: i64, until: i64) -> Duration {
    Duration::from_micros(u64::try_from(until.saturating_sub(since)).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_asks_for_is_bounded_and_the_oldest_goes_first() {
        let notes = Notes::default();
        notes.keep((0..).take(NOTES_MAX + 5).map(Note::Met));
        assert_eq!(notes.take(), (vec![], (5..).take(TOLD_MAX).collect()));
        let rest = Notes::default();
        rest.keep([Note::Met(16), Note::Delivered(1)]);
        assert_eq!(rest.take(), (vec![1], vec![16]));
        assert_eq!(rest.take(), (vec![], vec![]));
    }
}
