//! What an attempt came to: judged, counted, and told to the circuit.

use jiff::Timestamp;
use tracing::{debug, info, warn};

use super::Lane;
use crate::{
    dispatch::{judge, watched},
    domain::{AttemptRecord, FaultClass, Outcome, circuit::Circuit, fault::Follows},
    store::{LaneState, Lease, Next, Settlement},
    telemetry::InState,
};

impl Lane {
    /// Judges an attempt that ended, and keeps its settlement for the next batch.
    pub(super) async fn finish(&mut self, (lease, record): (Lease, AttemptRecord)) {
        let now = self.desk.clock.now();
        watched::attempted(&self.desk.metrics, &self.config.receiver, &record);
        if !self.circuit.is_open() {
            self.measured.ended(record.took, is_settled(&record.outcome));
        }
        self.note(&record.outcome, lease.due, now).await;
        let (policy, profile) = (&self.config.retry, self.config.ambiguous);
        let next = judge(&lease, &record.outcome, policy, profile, now, self.desk.clock.chance());
        let next = self.put_off(next, lease.due, now);
        match &next {
            Next::Dead(fault) => {
                warn!(delivery.id = %lease.delivery, receiver = %self.config.receiver, fault = %fault.code,
                    "Delivery {} to {} is dead: {fault}", lease.delivery, self.config.receiver);
            }
            Next::Retry { at } => {
                debug!(delivery.id = %lease.delivery, receiver = %self.config.receiver, next = %at,
                    "Delivery {} to {} is tried again", lease.delivery, self.config.receiver);
            }
            Next::Delivered | Next::Hold(_) => {}
        }
        self.finished.push(Settlement { lease, record, next, now });
    }

    /// Moves the circuit, and stores it where its state changed.
    async fn note(&mut self, outcome: &Outcome, due: Timestamp, now: Timestamp) {
        let before = self.circuit.clone();
        match outcome {
            // A refusal is an answer: the receiver works.
            outcome if is_settled(outcome) => self.circuit.succeeded(self.config.permits),
            Outcome::Delivered(_) | Outcome::Deposited => {}
            Outcome::Fault { fault, retry_after, .. } => match fault.class() {
                FaultClass::Refused
                | FaultClass::Malformed
                | FaultClass::Invalid
                | FaultClass::Unroutable
                | FaultClass::Internal
                | FaultClass::Expired => {}
                class @ (FaultClass::ReceiverFault
                | FaultClass::Unavailable
                | FaultClass::Throttled
                | FaultClass::Ambiguous) => {
                    let waiting = [self.nearest_deadline, self.ready.nearest_deadline()];
                    let nearest = waiting.into_iter().flatten().fold(due, Timestamp::min);
                    let at_once = class.follows() == Follows::HoldLane || retry_after.is_some();
                    self.circuit.failed(fault, at_once, Some(nearest), &self.config.circuit, now);
                    self.circuit.wait_at_least(*retry_after, now);
                }
            },
        }
        if before.name() == self.circuit.name() && !self.circuit.is_open() || before == self.circuit {
            return;
        }
        self.moved(&before, "");
        let lane =
            LaneState { receiver: self.config.receiver.clone(), circuit: self.circuit.clone(), paused: None };
        match self.desk.store.save_lane(lane, now).await {
            Ok(()) => self.shared.wrote(&self.circuit, self.desk.clock.monotonic()),
            Err(error) => {
                warn!(receiver = %self.config.receiver, error = %error, "Keeping the circuit failed; the next change does");
            }
        }
    }

    /// Takes the circuit as another node left it in the table.
    pub(super) fn adopt(&mut self) {
        let news = self.shared.news(&self.standing.borrow(), &self.config.receiver);
        if let Some(circuit) = news {
            let before = std::mem::replace(&mut self.circuit, circuit);
            self.moved(&before, ", as another node found");
        }
    }

    /// Says that the circuit moved; what waits for the receiver goes on where it came back.
    fn moved(&mut self, before: &Circuit, how: &str) {
        if before.is_open() && !self.circuit.is_open() {
            self.wake_all = true;
            self.look = true;
        }
        if before.name() != self.circuit.name() {
            let into = InState { receiver: self.config.receiver.clone(), state: self.circuit.name() };
            self.desk.metrics.gauges.circuit_transitions.get_or_create(&into).inc();
            info!(receiver = %self.config.receiver, circuit = self.circuit.name(),
                "The circuit of {} is {}{how}", self.config.receiver, self.circuit.name());
        }
    }
}

/// Whether the receiver did its work: it took the parcel, or refused it.
fn is_settled(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Delivered(_) | Outcome::Deposited => true,
        Outcome::Fault { fault, .. } => matches!(
            fault.class(),
            FaultClass::Refused | FaultClass::Malformed | FaultClass::Invalid | FaultClass::Unroutable
        ),
    }
}
