//! What a lane may do now: as its circuit, a pause and its receiver's maintenance say.

use futures_util::FutureExt;
use jiff::Timestamp;
use tracing::info;

use super::{Lane, Settling, hand_back};
use crate::{
    domain::{
        circuit::{Allowance, Circuit},
        maintenance::over,
    },
    store::Next,
};

/// How many attempts may be under way, and of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct May {
    pub(super) permits: u32,
    /// Only what is due by then; `None`: whatever it is due.
    pub(super) by: Option<Timestamp>,
    /// Only what is due later than then.
    pub(super) after: Option<Timestamp>,
    /// It is to find out whether the receiver is back, with whatever waits for it.
    pub(super) probe: bool,
}

impl Lane {
    /// Only a receiver that works is leased for ahead of what is sent to it now.
    pub(super) fn may_lease_ahead(&self) -> bool {
        matches!(self.circuit, Circuit::Closed { .. }) && !self.is_paused() && !self.resting
    }

    pub(super) fn allowance(&self, under_way: usize, now: Timestamp) -> May {
        if self.resting {
            // The attempt that is guaranteed before a deadline, and nothing else: what is late is late.
            let by = now.checked_add(self.config.retry.last_before).ok();
            return May { permits: self.config.permits, by, after: Some(now), probe: false };
        }
        let allowance = self.circuit.allows(self.config.permits, now);
        let (permits, by) = match allowance {
            Allowance::Permits(permits) => (permits, None),
            Allowance::Probe => {
                let under_way = u32::try_from(under_way).unwrap_or(u32::MAX);
                (under_way.saturating_add(u32::from(under_way == 0)), None)
            }
            Allowance::WaitUntil(_) => (self.config.permits, now.checked_add(self.config.give_way).ok()),
        };
        May { permits, by, after: None, probe: allowance == Allowance::Probe }
    }

    /// When to look at the table again: when something falls due, or the circuit lets a probe go. `None`: nothing is known.
    pub(super) fn next_look(&self) -> Option<Timestamp> {
        let now = self.desk.clock.now();
        let probe = match self.circuit.allows(self.config.permits, now) {
            Allowance::WaitUntil(at) => Some(at),
            Allowance::Permits(_) | Allowance::Probe => None,
        };
        self.due_at.into_iter().chain(probe).min()
    }

    pub(super) fn is_paused(&self) -> bool {
        let standing = self.standing.borrow();
        standing.lanes.get(&self.config.receiver).is_some_and(|lane| lane.paused.is_some())
    }

    /// When the receiver's maintenance is over, if it is in any.
    fn maintenance_until(&self, now: Timestamp) -> Option<Timestamp> {
        over(self.standing.borrow().maintenance.get(&self.config.receiver)?, now)
    }

    /// Takes note of maintenance that begins and ends. When it is over, or cancelled, what waited goes on as after an
    /// outage: nearest deadline first, and slowly at first.
    pub(super) fn rest(&mut self) {
        let until = self.maintenance_until(self.desk.clock.now());
        if until.is_some() == self.resting {
            return;
        }
        self.resting = until.is_some();
        let receiver = &self.config.receiver;
        if let Some(until) = until {
            info!(receiver = %receiver, until = %until, "{receiver} is in maintenance until {until}");
            return;
        }
        info!(receiver = %receiver, "The maintenance of {receiver} is over");
        if matches!(self.circuit, Circuit::Closed { .. }) {
            self.circuit = Circuit::Recovering { permits: 1 };
        }
        self.wake_all = true;
        self.look = true;
    }

    /// In maintenance the next attempt is the guaranteed one before the deadline, where that is still to come, or else
    /// when the maintenance is over.
    pub(super) fn put_off(&self, next: Next, due: Timestamp, now: Timestamp) -> Next {
        match (next, self.maintenance_until(now)) {
            (Next::Retry { at }, Some(until)) if at < until => {
                let last_call = self.config.retry.last_call(due);
                Next::Retry { at: if now < last_call { last_call.min(until) } else { until } }
            }
            (next, _) => next,
        }
    }

    /// Hands back what ran out before it was begun, and all of it where the lane stands still: it waits in the
    /// table, where a nearer deadline passes it by.
    pub(super) fn give_back(&mut self) -> Option<Settling> {
        let mut leases = std::mem::take(&mut self.stale);
        let now = self.desk.clock.now();
        let waits = matches!(self.circuit.allows(self.config.permits, now), Allowance::WaitUntil(_));
        if waits || self.resting || self.is_paused() {
            leases.extend(self.ready.take_all());
        }
        if leases.is_empty() {
            return None;
        }
        let desk = self.desk.clone();
        Some(hand_back(desk, leases).boxed())
    }
}
