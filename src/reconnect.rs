//! How long to wait before connecting again: short at first, longer while it fails, never in step with others.
//!
//! For connections of this process only. When a delivery is tried again is a row in the store, not this.

use std::time::Duration;

use backoff::{
    SystemClock, backoff::Backoff, exponential::ExponentialBackoff, exponential::ExponentialBackoffBuilder,
};

/// The waits between the tries of one connection.
#[derive(Debug, Clone)]
pub struct Reconnect {
    waits: ExponentialBackoff<SystemClock>,
    max: Duration,
}

impl Reconnect {
    /// Waits that begin near `initial` and double up to `max`, each varied by the share `jitter` (0 to 0.9)
    /// either way. No wait is longer than `max`: a broker that is back is found within it.
    pub fn new(initial: Duration, max: Duration, jitter: f64) -> Self {
        let jitter = jitter.clamp(0.0, 0.9);
        let middle_max = max.div_f64(1.0 + jitter);
        let waits = ExponentialBackoffBuilder::new()
            .with_initial_interval(initial.min(middle_max))
            .with_max_interval(middle_max)
            .with_multiplier(2.0)
            .with_randomization_factor(jitter)
            .with_max_elapsed_time(None)
            .build();
        Self { waits, max }
    }

    /// What brokers and stores are reconnected by: from 200 ms up to 5 s, a half either way.
    pub fn usual() -> Self {
        Self::new(Duration::from_millis(200), Duration::from_secs(5), 0.5)
    }

    /// How long to wait before the next try.
    #[expect(clippy::should_implement_trait, reason = "it never ends, so it is no iterator to collect from")]
    pub fn next(&mut self) -> Duration {
        self.waits.next_backoff().unwrap_or(self.max).min(self.max)
    }

    /// Begins anew. For when a session stood, not already when it connected: a broker that drops every
    /// session at once would otherwise be hammered.
    pub fn reset(&mut self) {
        self.waits.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_bound_and_stay_under_it() {
        let mut reconnect = Reconnect::new(Duration::from_millis(100), Duration::from_secs(5), 0.0);
        let waits: Vec<_> = (0..9).map(|_| reconnect.next().as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
    }

    #[test]
    fn waits_differ_and_never_pass_the_bound() {
        let mut reconnect = Reconnect::usual();
        let waits: Vec<_> = (0..200).map(|_| reconnect.next()).collect();
        assert!(
            waits.iter().all(|wait| *wait <= Duration::from_secs(5) && *wait >= Duration::from_millis(90))
        );
        assert!(waits[20..].windows(2).any(|pair| pair[0] != pair[1]), "jitter keeps two gateways apart");
        assert!(waits[20..].iter().any(|wait| *wait > Duration::from_secs(3)));
    }

    #[test]
    fn a_session_that_stood_begins_anew() {
        let mut reconnect = Reconnect::new(Duration::from_millis(100), Duration::from_secs(5), 0.0);
        for _ in 0..6 {
            reconnect.next();
        }
        reconnect.reset();
        assert_eq!(reconnect.next(), Duration::from_millis(100));
    }
}
