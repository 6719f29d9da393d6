//! When to try a delivery again: a pure function of the policy, the history and the time that is left.
//!
//! The deadline shapes the schedule. A gap never exceeds a share of the time left, one attempt is guaranteed
//! shortly before the deadline, and after a breach attempts go on at a steady pace.

use jiff::{SignedDuration, Timestamp};

/// The numbers of the schedule. Durations are positive; `share` and `jitter` lie in 0–1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryPolicy {
    /// The gap after the first failure; it doubles with each further one.
    pub first: SignedDuration,
    /// No gap is longer.
    pub longest: SignedDuration,
    /// No gap is shorter, however near the deadline.
    pub shortest: SignedDuration,
    /// No gap is more than this share of the time left to the deadline.
    pub share: f64,
    /// An attempt is guaranteed this long before the deadline.
    pub last_before: SignedDuration,
    /// No gap is longer once the deadline has passed.
    pub after_breach: SignedDuration,
    /// Up to this share is taken off a gap by chance, so that receivers are not met in step.
    pub jitter: f64,
    /// Where the receiver's profile has a schedule that doubles from one second: after the n-th failure no gap
    /// is longer than 2ⁿ − 1 seconds, nor than this.
    pub doubling_until: Option<SignedDuration>,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            first: SignedDuration::from_secs(30),
            longest: SignedDuration::from_hours(1),
            shortest: SignedDuration::from_secs(1),
            share: 0.10,
            last_before: SignedDuration::from_secs(30),
            after_breach: SignedDuration::from_mins(15),
            jitter: 0.10,
            doubling_until: None,
        }
    }
}

/// What the schedule is asked.
#[derive(Debug, Clone, Copy)]
pub struct Failure {
    /// Failed attempts so far, this one included; at least 1.
    pub attempts: u32,
    pub now: Timestamp,
    /// The earliest promise that is still open.
    pub due: Option<Timestamp>,
    /// What the receiver asked for: a floor, except that it never removes the last attempt before a deadline.
    pub retry_after: Option<SignedDuration>,
    /// After this the delivery is dead.
    pub expires: Option<Timestamp>,
    /// Chance, in 0–1.
    pub jitter: f64,
}

/// What follows from a failure that may be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    At(Timestamp),
    /// The retry window is spent.
    Expired,
}

impl RetryPolicy {
    /// The last instant before `due` at which an attempt is guaranteed.
    pub fn last_call(&self, due: Timestamp) -> Timestamp {
        due.checked_sub(self.last_before).unwrap_or(due)
    }

    /// When to try next.
    pub fn after(&self, failure: &Failure) -> Retry {
        let gap = self.gap(failure);
        let mut next = failure.now.checked_add(gap).unwrap_or(Timestamp::MAX);
        if let Some(wait) = failure.retry_after {
            next = next.max(failure.now.checked_add(wait).unwrap_or(Timestamp::MAX));
        }
        if let Some(last_call) = failure.due.map(|due| self.last_call(due))
            && failure.now < last_call
        {
            next = next.min(last_call);
        }
        match failure.expires {
            Some(expires) if next > expires => Retry::Expired,
            _ => Retry::At(next),
        }
    }

    fn gap(&self, failure: &Failure) -> SignedDuration {
        let doublings = failure.attempts.saturating_sub(1).min(20);
        let mut gap = self.first.saturating_mul(1 << doublings).min(self.longest);
        if let Some(longest) = self.doubling_until {
            let doubled = (1_i64 << failure.attempts.clamp(1, 32)) - 1;
            gap = gap.min(SignedDuration::from_secs(doubled)).min(longest);
        }
        if let Some(due) = failure.due {
            let left = due.duration_since(failure.now);
            gap = if left.is_positive() {
                gap.min(left.mul_f64(self.share))
            } else {
                gap.min(self.after_breach)
            };
        }
        let shortened = gap.mul_f64(1.0 - self.jitter * failure.jitter.clamp(0.0, 1.0));
        shortened.max(self.shortest)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const POLICY: fn() -> RetryPolicy = RetryPolicy::default;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + seconds).unwrap()
    }

    fn failure(attempts: u32, now: i64, due: Option<i64>) -> Failure {
        Failure { attempts, now: at(now), due: due.map(at), retry_after: None, expires: None, jitter: 0.0 }
    }

    #[test]
    fn gaps_double_up_to_the_longest() {
        for (attempts, gap) in [(1, 30), (2, 60), (3, 120), (7, 1920), (8, 3600), (50, 3600)] {
            assert_eq!(POLICY().after(&failure(attempts, 0, None)), Retry::At(at(gap)), "{attempts}");
        }
    }

    #[test]
    fn a_doubling_schedule_only_ever_shortens_a_gap() {
        let star = RetryPolicy { doubling_until: Some(SignedDuration::from_secs(10_800)), ..POLICY() };
        let gaps =
            [(1, 1), (2, 3), (3, 7), (5, 31), (10, 1023), (11, 2047), (12, 3600), (4_000_000_000, 3600)];
        for (attempts, gap) in gaps {
            assert_eq!(star.after(&failure(attempts, 0, None)), Retry::At(at(gap)), "{attempts}");
        }
        let patient = RetryPolicy { longest: SignedDuration::from_hours(24), ..star };
        for (attempts, gap) in [(13, 8191), (14, 10_800), (40, 10_800)] {
            assert_eq!(patient.after(&failure(attempts, 0, None)), Retry::At(at(gap)), "{attempts}");
        }
        assert_eq!(
            star.after(&failure(9, 0, Some(1000))),
            Retry::At(at(100)),
            "the deadline shortens it more"
        );
    }

    #[test]
    fn a_gap_is_at_most_a_tenth_of_the_time_left() {
        assert_eq!(POLICY().after(&failure(9, 0, Some(1000))), Retry::At(at(100)));
    }

    #[test]
    fn the_last_attempt_before_the_deadline_is_guaranteed() {
        let patient = RetryPolicy { share: 1.0, ..POLICY() };
        assert_eq!(patient.after(&failure(9, 0, Some(1000))), Retry::At(at(970)));
    }

    #[test]
    fn a_receivers_wish_is_a_floor_but_not_past_the_last_call() {
        let wish = |seconds, due| Failure {
            retry_after: Some(SignedDuration::from_secs(seconds)),
            ..failure(1, 0, due)
        };
        assert_eq!(POLICY().after(&wish(120, None)), Retry::At(at(120)));
        assert_eq!(POLICY().after(&wish(5000, Some(1000))), Retry::At(at(970)));
        let late =
            Failure { retry_after: Some(SignedDuration::from_secs(50)), ..failure(1, 980, Some(1000)) };
        assert_eq!(POLICY().after(&late), Retry::At(at(1030)));
    }

    #[test]
    fn attempts_go_on_after_a_breach() {
        assert_eq!(POLICY().after(&failure(40, 100, Some(0))), Retry::At(at(100 + 900)));
    }

    #[test]
    fn the_window_ends_it() {
        let spent = Failure { expires: Some(at(10)), ..failure(1, 0, None) };
        assert_eq!(POLICY().after(&spent), Retry::Expired);
    }

    /// The comparison that the schedule was made for: a receiver that is down from the message's arrival and
    /// up again at any instant of 24 hours.
    #[test]
    fn hardly_any_recovery_within_the_day_is_missed() {
        let day = 86_400;
        let (mut now, mut attempts, mut missed) = (0, 0, 0);
        while now < day {
            attempts += 1;
            let Retry::At(next) = POLICY().after(&failure(attempts, now, Some(day))) else { unreachable!() };
            let next = next.duration_since(at(0)).as_secs();
            if next >= day {
                missed = day - now;
            }
            now = next;
        }
        assert!((70..200).contains(&attempts), "{attempts}");
        assert!(
            f64::from(i32::try_from(missed).unwrap()) / 86_400.0 < 0.001,
            "{missed} s of the day are missed"
        );
    }

    proptest! {
        #[test]
        fn a_gap_is_bounded_whatever_happened(
            attempts in 1u32..10_000, left in -1_000_000i64..1_000_000, jitter in 0.0f64..1.0, wish in proptest::option::of(0i64..100_000),
        ) {
            let policy = POLICY();
            let question = Failure {
                jitter, retry_after: wish.map(SignedDuration::from_secs), ..failure(attempts, 0, Some(left))
            };
            let Retry::At(next) = policy.after(&question) else { unreachable!() };
            let gap = next.duration_since(at(0));
            prop_assert!(gap > SignedDuration::ZERO);
            if wish.is_none() {
                prop_assert!(gap <= policy.longest);
                if left > 30 {
                    prop_assert!(gap <= SignedDuration::from_secs(left).mul_f64(0.1).max(policy.shortest));
                }
            }
            if left > 30 {
                prop_assert!(next <= policy.last_call(at(left)));
            }
        }
    }
}
