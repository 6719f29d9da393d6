//! What a receiver settles when there is work for it, measured by the lane that serves it.
//!
//! Averages weigh the last minutes most and count only time in which the lane had something under way with a closed
//! circuit: an idle night or an outage does not make a receiver slow.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// What lies so long back counts a third.
const MEMORY: f64 = 300.0;
/// A figure that moved by more than this share is worth writing down.
const NOTICEABLE: f64 = 0.2;
/// Lanes of several nodes are summed; one that has said nothing for so long while another did is gone.
const GONE_AFTER: SignedDuration = SignedDuration::from_mins(10);
/// A receiver gets slower when more is asked of it at once: of the permits that were never all used, so many count.
const PERMITS_COUNTED: f64 = 0.5;

/// How fast one receiver works.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pace {
    /// Deliveries it settles a second while there is work.
    pub per_second: f64,
    /// The share of the time in which there was work, in 0–1.
    pub busy: f64,
    /// What it would settle a second with work for every permit: [`Pace::per_second`], or what half of the permits
    /// come to, whichever is more.
    pub able: f64,
    /// Seconds that an attempt takes.
    pub took: f64,
}

impl Pace {
    /// Whether it moved noticeably from what was written before.
    pub fn differs(&self, before: &Self) -> bool {
        let far = |now: f64, then: f64| (now - then).abs() > NOTICEABLE * then.abs().max(0.001);
        far(self.able, before.able) || far(self.took, before.took) || (self.busy - before.busy).abs() > 0.1
    }
}

/// One lane's pace, as it was last written.
#[derive(Debug, Clone, PartialEq)]
pub struct Paced {
    pub receiver: String,
    pub pace: Pace,
    pub at: Timestamp,
}

/// The pace of a receiver that several lanes serve: their figures summed, attempts as long as they are on average.
/// `None` where none was measured.
pub fn together<'a>(lanes: impl IntoIterator<Item = &'a Paced>) -> Option<Pace> {
    let lanes: Vec<&Paced> = lanes.into_iter().collect();
    let latest = lanes.iter().map(|lane| lane.at).max()?;
    let alive = lanes.iter().filter(|lane| latest.duration_since(lane.at) <= GONE_AFTER);
    let mut sum = Pace { per_second: 0.0, busy: 0.0, able: 0.0, took: 0.0 };
    for Paced { pace, .. } in alive {
        sum.per_second += pace.per_second;
        sum.busy = sum.busy.max(pace.busy);
        sum.able += pace.able;
        sum.took += pace.took * pace.able;
    }
    if sum.able <= 0.0 {
        return None;
    }
    sum.took /= sum.able;
    Some(sum)
}

/// Measures one lane. Times are the monotonic clock's.
#[derive(Debug)]
pub struct Meter {
    permits: f64,
    /// When it was last told of, and whether the lane works since then.
    last: Option<(Duration, bool)>,
    /// Seconds, weighed.
    elapsed: f64,
    busy_of_elapsed: f64,
    /// Of the time with work: seconds, attempts, those that the receiver settled, and how long these took.
    busy: f64,
    attempts: f64,
    settled: f64,
    settling: f64,
}

impl Meter {
    /// For a lane with so many permits.
    pub fn new(permits: u32) -> Self {
        Self {
            permits: f64::from(permits),
            last: None,
            elapsed: 0.0,
            busy_of_elapsed: 0.0,
            busy: 0.0,
            attempts: 0.0,
            settled: 0.0,
            settling: 0.0,
        }
    }

    /// From `at` on the lane has something under way with a circuit that is not open, or not.
    pub fn pass(&mut self, at: Duration, works: bool) {
        let (since, working) = self.last.replace((at, works)).unwrap_or((at, false));
        let passed = at.saturating_sub(since).as_secs_f64();
        let kept = (-passed / MEMORY).exp();
        self.elapsed = self.elapsed * kept + passed;
        self.busy_of_elapsed *= kept;
        if working {
            self.busy_of_elapsed += passed;
            for sum in [&mut self.busy, &mut self.attempts, &mut self.settled, &mut self.settling] {
                *sum *= kept;
            }
            self.busy += passed;
        }
    }

    /// An attempt ended; `settled`: the receiver took it, or refused it, which is work done too.
    pub fn ended(&mut self, took: SignedDuration, settled: bool) {
        self.attempts += 1.0;
        if settled {
            self.settled += 1.0;
            self.settling += took.as_secs_f64().max(0.000_1);
        }
    }

    /// What was measured; `None` before the receiver settled anything.
    pub fn pace(&self) -> Option<Pace> {
        if self.settled < 0.01 {
            return None;
        }
        let took = self.settling / self.settled;
        // Attempts that began and ended between two looks leave no busy time behind.
        let per_second = self.settled / self.busy.max(self.settling / self.permits);
        let share = self.settled / self.attempts.max(self.settled);
        let able = (self.permits * PERMITS_COUNTED).max(1.0) / took * share;
        let busy = if self.elapsed > 0.0 { self.busy_of_elapsed / self.elapsed } else { 0.0 };
        Some(Pace { per_second, busy, able: able.max(per_second), took })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    /// A lane that works for so long with `under_way` attempts at a time of `took` seconds each.
    fn worked(permits: u32, under_way: u32, took: f64, seconds: u32) -> Meter {
        let mut meter = Meter::new(permits);
        meter.pass(Duration::ZERO, true);
        let mut at = 0.0;
        while at < f64::from(seconds) {
            at += took;
            meter.pass(second(at), true);
            for _ in 0..under_way {
                meter.ended(SignedDuration::try_from(second(took)).unwrap(), true);
            }
        }
        meter
    }

    fn near(found: f64, expected: f64) -> bool {
        (found - expected).abs() <= expected.abs() * 0.05
    }

    #[test]
    fn a_full_lane_is_able_to_what_it_does() {
        let pace = worked(8, 8, 0.5, 600).pace().unwrap();
        assert!(near(pace.per_second, 16.0) && near(pace.able, 16.0) && near(pace.took, 0.5), "{pace:?}");
        assert!(near(pace.busy, 1.0), "{pace:?}");
    }

    #[test]
    fn a_lane_with_little_to_do_is_able_to_more_than_it_does() {
        let pace = worked(16, 1, 0.1, 60).pace().unwrap();
        assert!(near(pace.per_second, 10.0) && near(pace.able, 80.0), "{pace:?}");
    }

    #[test]
    fn idle_time_and_outages_make_nobody_slow() {
        let mut meter = worked(4, 4, 0.2, 100);
        let before = meter.pace().unwrap();
        meter.pass(second(100.1), false);
        meter.pass(second(100_000.0), false);
        let after = meter.pace().unwrap();
        assert!(near(after.able, before.able) && near(after.per_second, before.per_second), "{after:?}");
        assert!(after.busy < 0.01, "{after:?}");
    }

    #[test]
    fn what_gets_slower_is_seen_within_minutes() {
        let mut meter = worked(4, 4, 0.1, 600);
        let mut at = 600.0;
        while at < 1_500.0 {
            at += 10.0;
            meter.pass(second(at), true);
            for _ in 0..4 {
                meter.ended(SignedDuration::from_secs(10), true);
            }
        }
        let pace = meter.pace().unwrap();
        assert!(pace.able < 4.0, "forty a second before, less than one now: {pace:?}");
    }

    #[test]
    fn failures_are_no_pace() {
        let mut meter = Meter::new(4);
        meter.pass(Duration::ZERO, true);
        meter.pass(second(10.0), true);
        meter.ended(SignedDuration::from_secs(10), false);
        assert_eq!(meter.pace(), None);
        meter.ended(SignedDuration::from_secs(1), true);
        assert!(near(meter.pace().unwrap().able, 1.0), "one of two is settled: {:?}", meter.pace());
    }

    #[test]
    fn nodes_are_summed_and_those_that_are_gone_forgotten() {
        let pace = |able: f64, took: f64| Pace { per_second: able, busy: 0.5, able, took };
        let at = |minutes: i64| Timestamp::from_second(1_790_000_000 + minutes * 60).unwrap();
        let lane =
            |able, took, minutes| Paced { receiver: "kbh".into(), pace: pace(able, took), at: at(minutes) };
        assert_eq!(together(&[]), None);
        let two = together(&[lane(10.0, 1.0, 0), lane(30.0, 3.0, 5)]).unwrap();
        assert!(near(two.able, 40.0) && near(two.took, 2.5), "{two:?}");
        assert!(near(together(&[lane(10.0, 1.0, 0), lane(30.0, 3.0, 11)]).unwrap().able, 30.0));
        assert!(near(together(&[lane(10.0, 1.0, 0)]).unwrap().able, 10.0), "a quiet receiver keeps its pace");
    }

    #[test]
    fn only_what_moved_is_written_again() {
        let pace = Pace { per_second: 10.0, busy: 0.5, able: 10.0, took: 0.1 };
        assert!(!pace.differs(&pace));
        assert!(!Pace { able: 11.0, ..pace }.differs(&pace));
        assert!(Pace { able: 13.0, ..pace }.differs(&pace));
        assert!(Pace { took: 0.2, ..pace }.differs(&pace));
    }
}
