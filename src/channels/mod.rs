//! Ways out, one file each: a channel knows a parcel, not a message or a table.

use futures_util::future::BoxFuture;
use jiff::Timestamp;

use crate::domain::{DeliveryId, Fault, Outcome, Parcel};

pub mod amqp;
pub mod file;
pub mod http;
pub mod mailbox;

/// What a channel is handed for one attempt: the stored bytes, and the words for its headers.
#[derive(Debug, Clone)]
pub struct Consignment {
    /// The idempotency key: the same at every attempt.
    pub delivery: DeliveryId,
    pub parcel: Parcel,
    /// The CloudEvents `type` of the message.
    pub event_type: String,
    /// The CloudEvents `source` of the message.
    pub source: String,
    /// The sender's message id.
    pub message_id: String,
    pub correlation_id: Option<String>,
    pub traceparent: Option<String>,
    /// When this attempt starts.
    pub now: Timestamp,
}

/// One way of reaching one receiver.
pub trait Channel: Send + Sync {
    /// Sends one parcel. Never fails: what went wrong is part of the outcome. The caller bounds it in time,
    /// and drops it when the time is up: a channel that cannot say then whether it sent answers `NoAnswer`
    /// by its own, shorter, time-outs.
    fn send<'a>(&'a self, consignment: &'a Consignment) -> BoxFuture<'a, Outcome>;

    /// Can it be reached? For `kassebro doctor` and `receivers test`. Sends no message.
    fn probe(&self) -> BoxFuture<'_, Result<(), Fault>>;
}
