//! Promises and their clocks: when something is due, and which warnings have fallen due by now.
//!
//! Everything is an instant. "1 døgn" (København agreement, Klagesagsbehandling) is read as 24 elapsed hours
//! from the a-kasse's receipt: nights, weekends and daylight saving do not stop it. A promise in business time is
//! reckoned by its calendar once, when its clock starts or goes on; what warns, breaches and reports by it compares
//! instants like any other.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

mod promise;

pub use promise::{Budget, CalendarOf, DELIVERED, Further, Promise, Starts, Stops, Terms, Within};

/// The shares of the budget, in percent, at which a promise warns. The last is the breach.
pub const STEPS: [u8; 4] = [50, 75, 90, 100];
/// From this share on a promise is at risk, and the sender is told.
pub const AT_RISK: u8 = 75;
/// At this share it is breached.
pub const BREACHED: u8 = 100;
/// Promises of a message beside that of being delivered; a delivery has room for as many.
pub const FURTHER_MAX: usize = 15;

/// The way of a clock: when it started, when each step falls due, and when it is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Course {
    pub starts: Timestamp,
    pub due: Timestamp,
    /// The instants of the steps before the last, where they are no plain shares of the time between: in business
    /// time, and once the clock stood still.
    pub shares: Option<[Timestamp; 3]>,
}

impl Course {
    /// One whose steps are shares of the time between two instants.
    pub fn between(starts: Timestamp, due: Timestamp) -> Self {
        Self { starts, due, shares: None }
    }

    /// The instant at which `step` percent of the budget are used. Of what is no step: by the time between.
    pub fn step_instant(&self, step: u8) -> Timestamp {
        if step >= BREACHED {
            return self.due;
        }
        let place = STEPS.iter().position(|known| *known == step);
        if let (Some(shares), Some(place)) = (self.shares, place) {
            return shares[place];
        }
        step_instant(self.starts, self.due, step)
    }

    /// The first step after `passed` (0 for none), with its instant. `None` once the breach is recorded.
    pub fn next_step(&self, passed: u8) -> Option<(u8, Timestamp)> {
        STEPS.into_iter().find(|step| *step > passed).map(|step| (step, self.step_instant(step)))
    }

    /// Every step after `passed` whose instant has come by `now`, in order.
    pub fn steps_due(self, passed: u8, now: Timestamp) -> impl Iterator<Item = (u8, Timestamp)> {
        STEPS
            .into_iter()
            .filter(move |step| *step > passed)
            .map(move |step| (step, self.step_instant(step)))
            .take_while(move |(_, at)| *at <= now)
    }

    /// The last step that has come by `now`; 0 for none.
    pub fn passed(self, now: Timestamp) -> u8 {
        self.steps_due(0, now).last().map_or(0, |(step, _)| step)
    }
}

/// The promise that a message is at its receiver: the clock that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clocked {
    /// What is said of it. Shared: every message of a kind has the same.
    pub promise: std::sync::Arc<Promise>,
    /// From the message's `time`, or its receipt here where `time` lies up to five minutes ahead.
    pub course: Course,
}

/// The instant at which `step` percent of the time between `starts` and `due` are used.
pub fn step_instant(starts: Timestamp, due: Timestamp, step: u8) -> Timestamp {
    if step >= BREACHED {
        return due;
    }
    let budget = due.as_microsecond() - starts.as_microsecond();
    let used = i128::from(budget) * i128::from(step) / 100;
    let used = i64::try_from(used).expect("a share of an i64 below 100 % fits an i64");
    Timestamp::from_microsecond(starts.as_microsecond() + used).expect("it lies between two valid instants")
}

/// How a promise stands. Derived, never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    OnTrack,
    AtRisk,
    Breached,
    /// Its clock stands still: somebody else has to do something first.
    Paused,
    Met,
    MetLate,
    /// Ended without being met: the delivery died or was cancelled.
    Ended,
    /// A person waived it while it was open: it is neither met nor breached, whatever comes.
    Waived,
}

/// How a promise ended that was not met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmet {
    /// With its delivery.
    Ended,
    /// By a person's word.
    Waived,
}

impl Standing {
    pub fn of(
        course: Course,
        met: Option<Timestamp>,
        unmet: Option<Unmet>,
        is_paused: bool,
        now: Timestamp,
    ) -> Self {
        match met {
            Some(at) if at <= course.due => Self::Met,
            Some(_) => Self::MetLate,
            None if unmet == Some(Unmet::Waived) => Self::Waived,
            None if unmet == Some(Unmet::Ended) => Self::Ended,
            None if is_paused => Self::Paused,
            None if now >= course.due => Self::Breached,
            None if now >= course.step_instant(AT_RISK) => Self::AtRisk,
            None => Self::OnTrack,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::OnTrack => "on_track",
            Self::AtRisk => "at_risk",
            Self::Breached => "breached",
            Self::Paused => "paused",
            Self::Met => "met",
            Self::MetLate => "met_late",
            Self::Ended => "ended",
            Self::Waived => "waived",
        }
    }
}

#[cfg(test)]
mod tests;
