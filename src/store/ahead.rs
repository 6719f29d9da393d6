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

/// One pending delivery of a backlog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ahead {
    pub delivery: DeliveryId,
    pub message_id: String,
    /// With its version.
    pub kind: String,
    pub due: Timestamp,
    /// Whether a promise is open on it: one that was waived is delivered in its turn all the same.
    pub promised: bool,
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
