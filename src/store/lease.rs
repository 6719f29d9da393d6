//! What comes out of the store: the right to attempt a delivery, and how it ends.

use jiff::Timestamp;

use super::{
    Accepted, NewDelivery,
    numbers::{delivery_id, delivery_seq, kept, message_of},
};
use crate::domain::{
    AttemptRecord, DeliveryId, Fault, FaultClass, HoldReason, Outcome, Parcel, answer::Subscription,
};

/// Which deliveries a lane asks for.
#[derive(Debug, Clone)]
pub struct LeaseAsk {
    pub receiver: String,
    /// At most so many; at least 1.
    pub most: u32,
    pub now: Timestamp,
    pub until: Timestamp,
    /// Only those due by then (an open circuit gives way to them); `None`: any.
    pub due_by: Option<Timestamp>,
    /// Only those due later than then (a receiver in maintenance is not bothered with what is late anyway); `None`: any.
    pub due_after: Option<Timestamp>,
    /// What waits for its next attempt waits no longer: the clock by which it waits was set back.
    pub wake_all: bool,
    /// A probe of an open circuit: what waits for its next attempt may be taken before its time, where its deadline is
    /// nearer than that of everything that is ready.
    pub probe: bool,
}

/// The right to attempt a delivery until a time. Consumed by settling or handing back.
#[derive(Debug)]
pub struct Lease {
    pub delivery: DeliveryId,
    /// The engine's own number of the delivery.
    pub number: i64,
    pub token: u64,
    pub until: Timestamp,
    pub parcel: Parcel,
    /// Attempts before this one.
    pub attempts: u32,
    /// How often a person had it tried again after its death.
    pub rounds: u32,
    /// Deliveries with the same key keep their order.
    pub ordering_key: Option<i64>,
    /// The party that sent the message, and what it wants to be told.
    pub party: String,
    pub answers: Subscription,
    /// How many promises it has beside being delivered.
    pub clocks: u8,
    /// The other of two ways to the same party.
    pub partner: Option<Partner>,
    /// Attempts that crashed in our own code.
    pub crashes: u32,
    pub due: Timestamp,
    pub expires: Option<Timestamp>,
    pub event_type: String,
    pub source: String,
    pub message_id: String,
    pub correlation_id: Option<String>,
    pub traceparent: Option<String>,
    pub tracestate: Option<String>,
    /// When it happened in the business.
    pub occurred: Timestamp,
    pub received: Timestamp,
}

/// The other way of a delivery that is one of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partner {
    /// The engine's own number of it.
    pub number: i64,
    /// What it holds back may have to go when this one ends.
    pub ordering_key: Option<i64>,
}

impl Lease {
    /// The first lease of a delivery that is stored now, as the table would give it out.
    pub(super) fn of_new(
        message: &Accepted,
        delivery: &NewDelivery,
        number: i64,
        token: u64,
        until: Timestamp,
    ) -> Self {
        let (arrived, envelope) = (&message.arrived, &message.envelope);
        Self {
            delivery: delivery_id(arrived.receipt, number),
            number,
            token,
            until,
            parcel: delivery.parcel.clone(),
            attempts: 0,
            rounds: 0,
            ordering_key: delivery.ordering_key,
            party: arrived.party.clone(),
            answers: message.answers,
            clocks: u8::try_from(delivery.further.len()).unwrap_or(u8::MAX),
            // A second way has no key.
            partner: delivery.other_way.map(|other| Partner {
                number: delivery_seq(message_of(number), other.ordinal),
                ordering_key: None,
            }),
            crashes: 0,
            due: kept(delivery.promise.course.due),
            expires: delivery.expires.map(kept),
            event_type: envelope.kind.event_type(),
            source: envelope.source.to_string(),
            message_id: envelope.id.to_string(),
            correlation_id: envelope.correlation_id.clone(),
            traceparent: envelope.traceparent.clone(),
            tracestate: envelope.tracestate.clone(),
            occurred: kept(envelope.time),
            received: kept(arrived.received),
        }
    }
}

/// What a lane got, and when to look again.
#[derive(Debug, Default)]
pub struct Leased {
    pub leases: Vec<Lease>,
    /// The earliest time at which a waiting delivery of the receiver becomes due.
    pub next_due: Option<Timestamp>,
    /// The nearest deadline of a pending delivery of the receiver that is ready.
    pub nearest_deadline: Option<Timestamp>,
}

/// What follows an attempt.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    Delivered,
    Dead(Fault),
    Retry { at: Timestamp },
    Hold(HoldReason),
}

/// The end of a lease.
#[derive(Debug)]
pub struct Settlement {
    pub lease: Lease,
    pub record: AttemptRecord,
    pub next: Next,
    pub now: Timestamp,
}

/// Where a settlement brings its delivery, as the tables keep it.
pub(super) struct Moved<'a> {
    /// 0 pending, 1 delivered, 2 dead.
    pub(super) state: i16,
    /// 1 waiting, 2 held; nothing where it ended.
    pub(super) phase: Option<i16>,
    pub(super) hold: Option<&'static str>,
    pub(super) next_attempt: Option<Timestamp>,
    pub(super) settled: Option<Timestamp>,
    pub(super) fault: Option<&'a Fault>,
    /// The attempt crashed in our own code.
    pub(super) crashed: bool,
}

impl Settlement {
    pub(super) fn moved(&self) -> Moved<'_> {
        let fault = match &self.record.outcome {
            Outcome::Fault { fault, .. } => Some(fault),
            Outcome::Delivered(_) | Outcome::Deposited => None,
        };
        let (state, phase, hold, next_attempt) = match &self.next {
            Next::Delivered => (1, None, None, None),
            Next::Dead(_) => (2, None, None, None),
            Next::Retry { at } => (0, Some(1), None, Some(*at)),
            Next::Hold(reason) => (0, Some(2), Some(reason.name()), None),
        };
        Moved {
            state,
            phase,
            hold,
            next_attempt,
            settled: (state != 0).then_some(self.now),
            fault: match &self.next {
                Next::Dead(fault) => Some(fault),
                _ => fault,
            },
            crashed: fault.is_some_and(|fault| fault.class() == FaultClass::Internal),
        }
    }
}

/// Whether a settlement took effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    Done,
    /// The lease had run out and someone else holds the delivery, or it is settled: nothing was changed.
    LeaseLost,
}
