//! Promises and their clocks: when something is due, and which warnings have fallen due by now.
//!
//! Everything is an instant. "1 døgn" (København agreement, Klagesagsbehandling) is read as 24 elapsed hours
//! from the a-kasse's receipt: nights, weekends and daylight saving do not stop it.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// The shares of the budget, in percent, at which a promise warns. The last is the breach.
pub const STEPS: [u8; 4] = [50, 75, 90, 100];
/// From this share on a promise is at risk, and the sender is told.
pub const AT_RISK: u8 = 75;
/// At this share it is breached.
pub const BREACHED: u8 = 100;

/// What a message of a kind is promised: that the receiver has it within a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promise {
    /// The promise's name, e.g. `delivered`.
    pub name: String,
    /// The budget, from the start of the clock; positive.
    pub within: SignedDuration,
}

/// One promise of one message: the clock that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clocked {
    pub promise: String,
    /// The message's `time`, or its receipt here where `time` lies up to five minutes ahead.
    pub starts: Timestamp,
    pub due: Timestamp,
}

impl Promise {
    /// Starts the clock at `starts`.
    pub fn start(&self, starts: Timestamp) -> Clocked {
        let due = starts.checked_add(self.within).unwrap_or(Timestamp::MAX);
        Clocked { promise: self.name.clone(), starts, due }
    }
}

/// The instant at which `step` percent of the budget between `starts` and `due` are used.
pub fn step_instant(starts: Timestamp, due: Timestamp, step: u8) -> Timestamp {
    if step >= BREACHED {
        return due;
    }
    let budget = due.as_microsecond() - starts.as_microsecond();
    let used = i128::from(budget) * i128::from(step) / 100;
    let used = i64::try_from(used).expect("a share of an i64 below 100 % fits an i64");
    Timestamp::from_microsecond(starts.as_microsecond() + used).expect("it lies between two valid instants")
}

/// The first step after `passed` (0 for none), with its instant. `None` once the breach is recorded.
pub fn next_step(starts: Timestamp, due: Timestamp, passed: u8) -> Option<(u8, Timestamp)> {
    STEPS.into_iter().find(|step| *step > passed).map(|step| (step, step_instant(starts, due, step)))
}

/// Every step after `passed` whose instant has come by `now`, in order.
pub fn steps_due(
    starts: Timestamp,
    due: Timestamp,
    passed: u8,
    now: Timestamp,
) -> impl Iterator<Item = (u8, Timestamp)> {
    STEPS
        .into_iter()
        .filter(move |step| *step > passed)
        .map(move |step| (step, step_instant(starts, due, step)))
        .take_while(move |(_, at)| *at <= now)
}

/// How a promise stands. Derived, never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    OnTrack,
    AtRisk,
    Breached,
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
        starts: Timestamp,
        due: Timestamp,
        met: Option<Timestamp>,
        unmet: Option<Unmet>,
        now: Timestamp,
    ) -> Self {
        match met {
            Some(at) if at <= due => Self::Met,
            Some(_) => Self::MetLate,
            None if unmet == Some(Unmet::Waived) => Self::Waived,
            None if unmet == Some(Unmet::Ended) => Self::Ended,
            None if now >= due => Self::Breached,
            None if now >= step_instant(starts, due, AT_RISK) => Self::AtRisk,
            None => Self::OnTrack,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::OnTrack => "on_track",
            Self::AtRisk => "at_risk",
            Self::Breached => "breached",
            Self::Met => "met",
            Self::MetLate => "met_late",
            Self::Ended => "ended",
            Self::Waived => "waived",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day() -> Promise {
        Promise { name: "delivered".into(), within: SignedDuration::from_hours(24) }
    }

    #[test]
    fn a_day_is_24_elapsed_hours_over_both_nights_of_daylight_saving() {
        for (start, due) in [
            ("2025-03-29T14:00+01:00", "2025-03-30T15:00+02:00"),
            ("2025-10-25T14:00+02:00", "2025-10-26T13:00+01:00"),
            ("2025-10-25T02:30+02:00", "2025-10-26T02:30+02:00"),
        ] {
            assert_eq!(day().start(start.parse().unwrap()).due, due.parse().unwrap(), "{start}");
        }
    }

    #[test]
    fn a_message_that_waited_twenty_hours_has_passed_two_steps() {
        let clocked = day().start("2026-11-01T00:00Z".parse().unwrap());
        let now = "2026-11-01T20:00Z".parse().unwrap();
        let due: Vec<_> = steps_due(clocked.starts, clocked.due, 0, now).collect();
        assert_eq!(
            due,
            [(50, "2026-11-01T12:00Z".parse().unwrap()), (75, "2026-11-01T18:00Z".parse().unwrap())]
        );
        assert_eq!(
            next_step(clocked.starts, clocked.due, 75),
            Some((90, "2026-11-01T21:36Z".parse().unwrap()))
        );
    }

    #[test]
    fn a_step_has_come_at_its_very_instant_and_not_before() {
        let clocked = day().start("2026-11-01T00:00Z".parse().unwrap());
        for step in STEPS {
            let instant = step_instant(clocked.starts, clocked.due, step);
            let passed = |now| steps_due(clocked.starts, clocked.due, 0, now).map(|(step, _)| step).last();
            assert_eq!(passed(instant), Some(step));
            assert_ne!(passed(instant - SignedDuration::from_nanos(1)), Some(step));
        }
    }

    #[test]
    fn a_breached_promise_has_no_further_step() {
        let clocked = day().start(Timestamp::UNIX_EPOCH);
        assert_eq!(next_step(clocked.starts, clocked.due, 100), None);
    }

    #[test]
    fn a_promise_met_in_time_is_met_and_stays_so() {
        let clocked = day().start(Timestamp::UNIX_EPOCH);
        let hours = |h| Timestamp::from_second(h * 3600).unwrap();
        let standing = |met: Option<i64>, unmet, now| {
            Standing::of(clocked.starts, clocked.due, met.map(hours), unmet, hours(now))
        };
        assert_eq!(standing(None, None, 17), Standing::OnTrack);
        assert_eq!(standing(None, None, 18), Standing::AtRisk);
        assert_eq!(standing(None, None, 24), Standing::Breached);
        assert_eq!(standing(Some(24), None, 99), Standing::Met);
        assert_eq!(standing(Some(25), None, 99), Standing::MetLate);
        assert_eq!(standing(None, Some(Unmet::Ended), 99), Standing::Ended);
        assert_eq!(standing(None, Some(Unmet::Waived), 99), Standing::Waived);
    }

    proptest! {
        #[test]
        fn steps_come_in_order_within_the_budget(start in 0i64..4_000_000_000, budget in 1i64..10_000_000) {
            let starts = Timestamp::from_second(start).unwrap();
            let due = Timestamp::from_second(start + budget).unwrap();
            let steps: Vec<_> = steps_due(starts, due, 0, Timestamp::MAX).collect();
            prop_assert_eq!(steps.len(), STEPS.len());
            prop_assert!(steps.is_sorted_by_key(|(_, at)| *at));
            prop_assert!(steps.iter().all(|(_, at)| *at >= starts && *at <= due));
        }
    }
}
