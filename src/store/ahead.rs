//! What lies ahead of each receiver: its pace, its maintenance, and its backlog in deadline order.

use jiff::Timestamp;

use super::views::DeliveryView;
use crate::domain::{
    DeliveryId,
    forecast::Slice,
    maintenance::{self, Maintenance},
};

/// Windows that one receiver may have at a time.
pub const WINDOWS_MAX: i64 = 64;

/// Which part of a receiver's backlog is asked for.
#[derive(Debug, Clone)]
pub struct SlicesAsk {
    pub receiver: String,
    /// What is due by then is overdue, and only counted.
    pub now: Timestamp,
    /// Nothing that is due later; `None`: everything.
    pub until: Option<Timestamp>,
    /// Microseconds of due time in one slice; 1 makes each due time a slice of its own.
    pub width: i64,
}

/// A receiver's backlog by due time: what its lane will send as soon as it may. What waits for a person, an agreement
/// or the receiver's own fetching is no lane's backlog.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sliced {
    pub overdue: u64,
    /// In order; none is empty.
    pub slices: Vec<Slice>,
}

impl Sliced {
    /// How many go before the last of those that are due by then, that one included.
    pub fn place(&self, due: Timestamp) -> u64 {
        let before = self.slices.iter().take_while(|slice| slice.first <= due);
        self.overdue + before.map(|slice| slice.count).sum::<u64>()
    }
}

/// One pending delivery of a backlog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ahead {
    pub delivery: DeliveryId,
    pub message_id: String,
    /// With its version.
    pub kind: String,
    /// The promise's name.
    pub promise: String,
    pub due: Timestamp,
    /// Whether a promise is open on it: one that was waived is delivered in its turn all the same.
    pub promised: bool,
}

/// What else is promised of a pending delivery and can only be met once it is delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behind {
    /// The promise and its own deadline.
    pub ahead: Ahead,
    /// The deadline by which its delivery stands in its lane's order.
    pub goes_by: Timestamp,
}

/// Which of them are asked for.
#[derive(Debug, Clone)]
pub struct BehindAsk {
    pub receiver: String,
    /// What was due by then is late already.
    pub now: Timestamp,
    /// Nothing that is due later; `None`: everything.
    pub until: Option<Timestamp>,
    /// Of so many deliveries at the most, the first in their lane's order.
    pub most: u32,
}

/// Which second ways are asked for that a forecast may let go.
#[derive(Debug, Clone)]
pub struct StandbyAsk {
    /// The receiver of the first way.
    pub first: String,
    /// Those of which enough of the promise's time is used by then.
    pub now: Timestamp,
    /// When the promise is due: between these two, both included.
    pub from: Timestamp,
    pub until: Timestamp,
    pub most: u32,
}

/// A second way that is held while its first waits in its lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standby {
    pub number: i64,
    pub first: DeliveryId,
    pub due: Timestamp,
}

/// What a person asks of a receiver's maintenance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Maintain {
    /// This window is added.
    Plan(Maintenance),
    /// No window is left.
    Cancel { receiver: String, by: String },
}

impl Maintain {
    pub fn receiver(&self) -> &str {
        match self {
            Self::Plan(window) => &window.receiver,
            Self::Cancel { receiver, .. } => receiver,
        }
    }

    /// For the audit: who, what, and about what.
    pub(super) fn told(&self) -> (&str, &'static str, String) {
        match self {
            Self::Plan(window) => {
                let Maintenance { receiver, from, until, reason, by } = window;
                (by, "receivers maintain", format!("{receiver} {from} to {until}: {reason}"))
            }
            Self::Cancel { receiver, by } => (by, "receivers maintain --cancel", receiver.clone()),
        }
    }
}

/// Shows deliveries that would go now as waiting for the end of their receiver's maintenance.
pub fn show_maintenance(deliveries: &mut [DeliveryView], windows: &[Maintenance], now: Timestamp) {
    for delivery in deliveries.iter_mut().filter(|d| d.settled.is_none() && d.hold.is_none()) {
        if windows.iter().any(|window| window.receiver == delivery.receiver && window.covers(now)) {
            delivery.hold = Some(maintenance::HOLD.to_owned());
        }
    }
}
