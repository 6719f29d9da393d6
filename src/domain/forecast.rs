//! Which pending deliveries will miss their deadline, from how their receiver stands, what waits for it in deadline
//! order, and how fast it works. A view that is reckoned anew each time: no delivery is marked.
//!
//! **How long it takes until the receiver works again.** A pause has no end before a person ends it. A maintenance
//! window ends when it says. An outage of unknown length is taken to last as long again as it has lasted, and no less
//! than [`OUTAGE_MIN`]: without knowledge of its cause, any instant of looking is as likely in its first half as in its
//! second (Gott's and Lindy's rule), and so half of all outages end sooner than this says and half later. A short one
//! endangers only what is due within minutes, and one that goes on reaches further ahead each minute.
//!
//! **Afterwards** the backlog is worked off in deadline order at the measured pace, after a slow start. What is overdue
//! already goes before it.
//!
//! **Exactness.** Due times come in slices. Of a slice in which one would be late all count as late, so that none that
//! is endangered is left out; a slice is one due time as long as what might be endangered is a thousand or less.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{
    circuit::Circuit,
    maintenance::{Maintenance, over},
    pace::Pace,
};

/// An outage that began just now is taken to last at least so long.
pub const OUTAGE_MIN: SignedDuration = SignedDuration::from_mins(5);
/// The pace of a receiver that has settled nothing yet: what the usual permits come to at more than a second each.
const UNMEASURED: Pace = Pace { per_second: 10.0, busy: 0.0, able: 10.0, took: 1.0 };
/// After an outage permits double from one: about so many attempts' time passes before all are used.
const SLOW_START: f64 = 4.0;
/// A receiver that is given so many permits again after an outage has taken three parcels one after the other.
const STEADY: u32 = 4;
/// An alert that is open stays so unless nothing would be late at this share of the pace.
const CAUTIOUS: f64 = 0.8;

/// Pending deliveries with due times between two instants, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    pub first: Timestamp,
    pub last: Timestamp,
    pub count: u64,
}

/// Why deliveries will be late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case", tag = "cause")]
pub enum Cause {
    /// More waits than the receiver settles in the time.
    Backlog,
    /// It does not take parcels since then.
    Outage { since: Timestamp },
    /// A window lasts until then.
    Maintenance { until: Timestamp },
    /// A person paused it.
    Pause,
}

/// Pending deliveries of one receiver that will be late for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Late {
    /// The first due time, and the last.
    pub from: Timestamp,
    pub until: Timestamp,
    pub count: u64,
    /// How many are sent before the first of them.
    pub before: u64,
    #[serde(flatten)]
    pub cause: Cause,
}

impl Late {
    /// About the place of the one that is due then: as if they were spread evenly over their due times.
    pub fn place(&self, due: Timestamp) -> u64 {
        let span = self.until.as_microsecond() - self.from.as_microsecond();
        let part = (due.as_microsecond() - self.from.as_microsecond()).clamp(0, span.max(0));
        let share = if span > 0 { i128::from(part) * i128::from(self.count) / i128::from(span) } else { 0 };
        self.before + u64::try_from(share).unwrap_or(0).clamp(1, self.count.max(1))
    }
}

/// A receiver as the forecast sees it at one instant.
#[derive(Debug, Clone, PartialEq)]
pub struct Outlook {
    now: Timestamp,
    health: Health,
    paused: bool,
    /// Not over yet, in order.
    windows: Vec<Maintenance>,
    /// `None`: not measured yet.
    pace: Option<Pace>,
}

/// What the circuit says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    Works,
    Recovers { permits: u32 },
    Down { since: Timestamp },
}

/// Which of the things that stand in a receiver's way are reckoned with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum With {
    Nothing,
    Outage,
    OutageAndWindows,
}

impl Outlook {
    /// `windows` are the receiver's own, in any order; those that are over say nothing.
    pub fn new(
        circuit: &Circuit,
        paused: bool,
        windows: impl IntoIterator<Item = Maintenance>,
        pace: Option<Pace>,
        now: Timestamp,
    ) -> Self {
        let mut windows: Vec<_> = windows.into_iter().filter(|window| window.until > now).collect();
        windows.sort_by_key(|window| (window.from, window.until));
        let health = match circuit {
            Circuit::Closed { .. } => Health::Works,
            Circuit::Recovering { permits } => Health::Recovers { permits: *permits },
            Circuit::Open { since, .. } => Health::Down { since: *since },
        };
        Self { now, health, paused, windows, pace: pace.filter(|pace| pace.able > 0.0) }
    }

    /// The same receiver a little slower than it was measured: for telling that a danger is really over.
    pub fn cautious(&self) -> Self {
        let pace = self.reckoned();
        let slower = Pace { able: pace.able * CAUTIOUS, took: pace.took / CAUTIOUS, ..pace };
        Self { pace: Some(slower), ..self.clone() }
    }

    /// Whether the receiver has shown that it works: while something waits, an alert is not resolved before.
    pub fn is_steady(&self) -> bool {
        let shaky = match self.health {
            Health::Works => false,
            Health::Recovers { permits } => permits < STEADY,
            Health::Down { .. } => true,
        };
        !shaky && !self.paused
    }

    /// When an outage is taken to be over. `None`: there is none.
    pub fn outage_until(&self) -> Option<Timestamp> {
        let Health::Down { since } = self.health else { return None };
        let lasted = self.now.duration_since(since);
        Some(self.now.checked_add(lasted.max(OUTAGE_MIN)).unwrap_or(Timestamp::MAX))
    }

    /// When the maintenance that goes on now is over. `None`: none does.
    pub fn maintenance_until(&self) -> Option<Timestamp> {
        over(&self.windows, self.now)
    }

    /// When the `place`-th delivery, counted from 1, has gone. `None`: never, as things stand.
    pub fn done(&self, place: u64) -> Option<Timestamp> {
        self.done_with(place, With::OutageAndWindows).filter(|_| !self.paused)
    }

    fn done_with(&self, place: u64, with: With) -> Option<Timestamp> {
        let outage = self.outage_until().filter(|_| with != With::Nothing);
        let rests = with == With::OutageAndWindows && self.maintenance_until().is_some();
        let slow = outage.is_some() || rests || matches!(self.health, Health::Recovers { .. });
        let (start, fast) = (if slow { SLOW_START } else { 0.0 }, self.reckoned());
        #[expect(clippy::cast_precision_loss, reason = "a place beyond 2^52 is no place")]
        let seconds = fast.took * (1.0 + start) + place as f64 / fast.able;
        let mut work = SignedDuration::try_from_secs_f64(seconds).unwrap_or(SignedDuration::MAX);
        let mut at = outage.unwrap_or(self.now);
        if with == With::OutageAndWindows {
            for window in self.windows.iter().filter(|window| window.until > window.from) {
                let until_then = window.from.duration_since(at);
                if work <= until_then {
                    break;
                }
                if window.until > at {
                    work -= until_then.max(SignedDuration::ZERO);
                    at = window.until;
                }
            }
        }
        at.checked_add(work).ok()
    }

    /// Nothing that is due later than this can be late, with so many pending; `None`: everything can.
    pub fn horizon(&self, pending: u64) -> Option<Timestamp> {
        self.done(pending)
    }

    /// What will be late of these slices, which are in order and due after now; `overdue` deliveries go before them.
    pub fn late(&self, overdue: u64, slices: &[Slice]) -> Vec<Late> {
        let mut late: Vec<Late> = Vec::new();
        let mut before = overdue;
        for slice in slices {
            let last = before + slice.count;
            if let Some(cause) = self.cause(last, slice.first) {
                match late.last_mut() {
                    Some(known) if known.cause == cause && known.before + known.count == before => {
                        known.until = slice.last;
                        known.count += slice.count;
                    }
                    _ => late.push(Late {
                        from: slice.first,
                        until: slice.last,
                        count: slice.count,
                        before,
                        cause,
                    }),
                }
            }
            before = last;
        }
        late
    }

    /// Why what waits for the delivery at that place would miss that deadline. `None`: it would not.
    pub fn cause(&self, place: u64, due: Timestamp) -> Option<Cause> {
        let misses = |with| self.done_with(place, with).is_none_or(|done| done > due);
        if misses(With::Nothing) {
            Some(Cause::Backlog)
        } else if self.paused {
            Some(Cause::Pause)
        } else if let (Health::Down { since }, true) = (self.health, misses(With::Outage)) {
            Some(Cause::Outage { since })
        } else if misses(With::OutageAndWindows) {
            let until = self.windows.iter().map(|w| w.until).filter(|until| *until > due).min();
            Some(Cause::Maintenance { until: until.or_else(|| self.windows.last().map(|w| w.until))? })
        } else {
            None
        }
    }

    /// How fast it works; `None` before that was measured.
    pub fn pace(&self) -> Option<Pace> {
        self.pace
    }

    fn reckoned(&self) -> Pace {
        self.pace.unwrap_or(UNMEASURED)
    }
}

impl Cause {
    /// The bounded word for labels.
    pub fn name(self) -> &'static str {
        match self {
            Self::Backlog => "backlog",
            Self::Outage { .. } => "outage",
            Self::Maintenance { .. } => "maintenance",
            Self::Pause => "pause",
        }
    }
}

#[cfg(test)]
mod tests;
