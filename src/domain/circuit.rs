//! The circuit of one receiver: when to leave it alone, when to probe it, how to start again.
//!
//! A circuit never drops anything. Open means that ordinary deliveries wait; probes go on with the message
//! whose deadline is nearest, whether or not its own next attempt is due, and deliveries with little time left pass it by (the lane's `give_way`).

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Fault;

/// The numbers of a circuit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CircuitPolicy {
    /// Failures in a row that open it; at least 1.
    pub failures: u32,
    /// The first wait before a probe; it doubles with each failed one.
    pub probe_first: SignedDuration,
    /// No wait between probes is longer.
    pub probe_longest: SignedDuration,
    /// Nor longer than this share of the time left to the nearest deadline, in 0–1.
    pub share: f64,
}

impl Default for CircuitPolicy {
    fn default() -> Self {
        Self {
            failures: 5,
            probe_first: SignedDuration::from_secs(5),
            probe_longest: SignedDuration::from_mins(5),
            share: 0.10,
        }
    }
}

/// The state of one receiver's circuit. Stored at each change of state, so that a restart keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Circuit {
    /// All permits; `failures` in a row so far.
    Closed { failures: u32 },
    /// Nothing but probes.
    Open { since: Timestamp, probe_at: Timestamp, probes: u32, fault: Fault },
    /// After an outage: a few permits, doubled by each success.
    Recovering { permits: u32 },
}

/// What the lane may do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowance {
    /// Up to so many attempts at a time.
    Permits(u32),
    /// One attempt, with the nearest deadline.
    Probe,
    /// Nothing before then.
    WaitUntil(Timestamp),
}

impl Default for Circuit {
    fn default() -> Self {
        Self::Closed { failures: 0 }
    }
}

impl Circuit {
    /// What may be done at `now` by a lane of `permits`.
    pub fn allows(&self, permits: u32, now: Timestamp) -> Allowance {
        match self {
            Self::Closed { .. } => Allowance::Permits(permits),
            Self::Recovering { permits: few } => Allowance::Permits(permits.min(*few)),
            Self::Open { probe_at, .. } if *probe_at <= now => Allowance::Probe,
            Self::Open { probe_at, .. } => Allowance::WaitUntil(*probe_at),
        }
    }

    /// After a success. `permits` is the lane's whole number: reaching it closes the circuit.
    pub fn succeeded(&mut self, permits: u32) {
        *self = match self {
            Self::Closed { .. } => Self::Closed { failures: 0 },
            Self::Open { .. } => Self::Recovering { permits: 1 },
            Self::Recovering { permits: few } if *few * 2 >= permits => Self::Closed { failures: 0 },
            Self::Recovering { permits: few } => Self::Recovering { permits: *few * 2 },
        };
    }

    /// After a failure that is the receiver's. `at_once` opens it without counting (credentials, certificate);
    /// `nearest` is the nearest deadline waiting for this receiver.
    pub fn failed(
        &mut self,
        fault: &Fault,
        at_once: bool,
        nearest: Option<Timestamp>,
        policy: &CircuitPolicy,
        now: Timestamp,
    ) {
        let (since, probes) = match self {
            Self::Closed { failures } if !at_once && *failures + 1 < policy.failures => {
                *failures += 1;
                return;
            }
            Self::Closed { .. } | Self::Recovering { .. } => (now, 0),
            // Attempts that were under way when it opened are no probes.
            Self::Open { probe_at, .. } if *probe_at > now => return,
            Self::Open { since, probes, .. } => (*since, *probes + 1),
        };
        let probe_at = now.checked_add(policy.wait(probes, nearest, now)).unwrap_or(Timestamp::MAX);
        *self = Self::Open { since, probe_at, probes, fault: fault.clone() };
    }

    /// A receiver that asked for a wait is not probed before it is over.
    pub fn wait_at_least(&mut self, wait: Option<SignedDuration>, now: Timestamp) {
        if let (Self::Open { probe_at, .. }, Some(wait)) = (self, wait) {
            *probe_at = (*probe_at).max(now.checked_add(wait).unwrap_or(Timestamp::MAX));
        }
    }

    /// After the wall clock was set back: the next probe stays as far away as it was.
    pub fn clock_set_back(&mut self, by: SignedDuration) {
        if let Self::Open { since, probe_at, .. } = self {
            *since = since.checked_sub(by).unwrap_or(Timestamp::MIN);
            *probe_at = probe_at.checked_sub(by).unwrap_or(Timestamp::MIN);
        }
    }

    /// A person knows that the receiver is back: it is probed as soon as the lane sees this.
    pub fn probe_now(&mut self, now: Timestamp) {
        if let Self::Open { probe_at, .. } = self {
            *probe_at = (*probe_at).min(now);
        }
    }

    pub fn is_open(&self) -> bool {
        matches!(self, Self::Open { .. })
    }

    /// The word for pages and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Closed { .. } => "closed",
            Self::Open { .. } => "open",
            Self::Recovering { .. } => "recovering",
        }
    }
}

impl CircuitPolicy {
    fn wait(&self, probes: u32, nearest: Option<Timestamp>, now: Timestamp) -> SignedDuration {
        let wait = self.probe_first.saturating_mul(1 << probes.min(16)).min(self.probe_longest);
        match nearest.map(|due| due.duration_since(now)) {
            Some(left) if left.is_positive() => {
                wait.min(left.mul_f64(self.share)).max(SignedDuration::from_secs(1))
            }
            _ => wait,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::FaultCode;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + seconds).unwrap()
    }

    fn fault() -> Fault {
        Fault::new(FaultCode::ReceiverError, "503")
    }

    fn fail(circuit: &mut Circuit, now: i64) {
        circuit.failed(&fault(), false, None, &CircuitPolicy::default(), at(now));
    }

    fn opened() -> Circuit {
        let mut circuit = Circuit::default();
        for _ in 0..5 {
            fail(&mut circuit, 0);
        }
        circuit
    }

    #[test]
    fn five_failures_in_a_row_open_it() {
        let mut circuit = Circuit::default();
        for _ in 0..4 {
            fail(&mut circuit, 0);
        }
        assert_eq!(circuit, Circuit::Closed { failures: 4 });
        circuit.succeeded(8);
        assert_eq!(circuit, Circuit::Closed { failures: 0 });
        assert!(opened().is_open());
    }

    #[test]
    fn a_receivers_own_fault_opens_it_at_once() {
        let mut circuit = Circuit::default();
        circuit.failed(&fault(), true, None, &CircuitPolicy::default(), at(0));
        assert!(circuit.is_open());
    }

    #[test]
    fn probes_wait_longer_each_time_and_never_past_a_tenth_of_the_time_left() {
        let mut circuit = opened();
        assert_eq!(circuit.allows(8, at(4)), Allowance::WaitUntil(at(5)));
        assert_eq!(circuit.allows(8, at(5)), Allowance::Probe);
        fail(&mut circuit, 5);
        assert_eq!(circuit.allows(8, at(6)), Allowance::WaitUntil(at(15)));
        circuit.failed(&fault(), false, Some(at(45)), &CircuitPolicy::default(), at(15));
        assert_eq!(circuit.allows(8, at(15)), Allowance::WaitUntil(at(18)));
    }

    #[test]
    fn attempts_under_way_when_it_opened_do_not_count_as_probes() {
        let mut circuit = opened();
        let before = circuit.clone();
        fail(&mut circuit, 1);
        assert_eq!(circuit, before);
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_put_the_probe_off() {
        let mut circuit = opened();
        circuit.clock_set_back(SignedDuration::from_hours(26));
        assert_eq!(circuit.allows(8, at(4 - 93_600)), Allowance::WaitUntil(at(5 - 93_600)));
        assert_eq!(circuit.allows(8, at(5 - 93_600)), Allowance::Probe);
    }

    #[test]
    fn it_starts_again_slowly() {
        let mut circuit = opened();
        let mut permits = Vec::new();
        for _ in 0..5 {
            circuit.succeeded(8);
            let Allowance::Permits(n) = circuit.allows(8, at(99)) else { unreachable!() };
            permits.push(n);
        }
        assert_eq!(permits, [1, 2, 4, 8, 8]);
        assert_eq!(circuit, Circuit::Closed { failures: 0 });
    }

    #[test]
    fn a_failure_while_recovering_opens_it_again() {
        let mut circuit = Circuit::Recovering { permits: 2 };
        fail(&mut circuit, 9);
        assert!(circuit.is_open());
    }
}
