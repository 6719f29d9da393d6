//! The one place that remembers: whole operations over messages, deliveries, deadlines, answers and alerts.
//!
//! Intake writes obligations, dispatch leases and settles them, watch compares deadlines with the clock; they
//! meet here and nowhere else. Each operation is one transaction (or joins others in one: the engine commits
//! what is queued together), and none is open across a network call (invariant I4). Time comes in as `now`.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde_json::Value;

use crate::domain::{
    Answer, AttemptRecord, DeliveryId, Envelope, Fault, HoldReason, Parcel, ReceiptId, Violation,
    alert::{Change, Condition},
    answer::Subscription,
    circuit::Circuit,
    sla::Clocked,
};

#[cfg(test)]
mod conformance;
pub mod hints;
pub mod sqlite;
pub mod views;

pub use hints::Hints;
pub use views::Views;

/// What went wrong with the store itself. Never caused by a message's content (invariant I7).
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// It cannot commit just now: intake pauses, nothing is answered "accepted". Waiting may help.
    #[error("the store cannot commit: {0}")]
    Unavailable(Arc<str>),
    /// A value does not fit the tables: nothing was written, and waiting does not help (invariant I7 says that
    /// intake judged it before; this is the net under it).
    #[error("a value does not fit the store: {0}")]
    Content(Arc<str>),
    /// It is not ours to use, or not readable: the process stops. Waiting does not help.
    #[error("the store cannot be used: {0}")]
    Unusable(Arc<str>),
    /// A row holds what no version of ours writes.
    #[error("the store holds an unreadable value in {column} of {table} row {row}")]
    Corrupt { table: &'static str, column: &'static str, row: i64 },
}

/// How a message came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Amqp,
    Http,
    Spool,
    Local,
}

impl Way {
    pub fn name(self) -> &'static str {
        match self {
            Self::Amqp => "amqp",
            Self::Http => "http",
            Self::Spool => "spool",
            Self::Local => "local",
        }
    }
}

/// What every arrival has, readable or not.
#[derive(Debug, Clone)]
pub struct Arrived {
    pub receipt: ReceiptId,
    /// The code of the party whose credential brought it.
    pub party: String,
    pub way: Way,
    pub received: Timestamp,
    /// The sender's word for when it was sent; shown, never reckoned with.
    pub sent: Option<Timestamp>,
    pub content_type: Option<String>,
    /// The envelope's headers in binary mode, as JSON; empty otherwise.
    pub headers: Vec<(String, String)>,
    /// The bytes exactly as they came.
    pub raw: Bytes,
    /// The configuration generation that judged it.
    pub generation: u64,
}

/// An accepted message with everything it owes.
#[derive(Debug, Clone)]
pub struct Accepted {
    pub arrived: Arrived,
    pub envelope: Envelope,
    /// SHA-256 of the canonical form: what makes two arrivals under one id the same message.
    pub hash: [u8; 32],
    /// The agreement it goes under, where one was found.
    pub agreement: Option<String>,
    pub warnings: Vec<Violation>,
    pub answers: Subscription,
    /// At most 255.
    pub deliveries: Vec<NewDelivery>,
}

/// One delivery an accepted message owes.
#[derive(Debug, Clone)]
pub struct NewDelivery {
    pub receiver: String,
    pub parcel: Parcel,
    /// Deliveries with the same key keep their order.
    pub ordering_key: Option<i64>,
    pub promise: Clocked,
    /// Days after the deadline at which it dies; `None`: never.
    pub expires: Option<Timestamp>,
    /// It waits for a person from the start, and why.
    pub hold: Option<(HoldReason, Fault)>,
}

/// A message that was refused: stored and searchable, claiming no identity.
#[derive(Debug, Clone)]
pub struct Invalid {
    pub arrived: Arrived,
    /// What could be read of it.
    pub message_id: Option<String>,
    pub source: Option<String>,
    pub kind: Option<String>,
    pub receiver: Option<String>,
    pub violations: Vec<Violation>,
    pub answers: Subscription,
}

/// What admission made of a raw message.
#[derive(Debug, Clone)]
pub enum Admission {
    Accepted(Box<Accepted>),
    Invalid(Box<Invalid>),
}

/// What the store made of an admission, in the same order as they were handed in.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// Stored now.
    Accepted(Answer),
    /// The same message was stored before: its first answer again.
    Duplicate(Answer),
    /// The same id with another body: stored as invalid.
    Conflict(Answer),
    /// Stored as invalid.
    Rejected(Answer),
}

impl Verdict {
    pub fn answer(&self) -> &Answer {
        match self {
            Self::Accepted(a) | Self::Duplicate(a) | Self::Conflict(a) | Self::Rejected(a) => a,
        }
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Accepted(_) => "accepted",
            Self::Duplicate(_) => "duplicate",
            Self::Conflict(_) => "conflict",
            Self::Rejected(_) => "rejected",
        }
    }
}

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
    /// What waits for its next attempt waits no longer: the clock by which it waits was set back.
    pub wake_all: bool,
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
    /// Deliveries with the same key keep their order.
    pub ordering_key: Option<i64>,
    /// The party that sent the message, and what it wants to be told.
    pub party: String,
    pub answers: Subscription,
    /// Attempts that crashed in our own code.
    pub crashes: u32,
    pub due: Timestamp,
    pub expires: Option<Timestamp>,
    pub event_type: String,
    pub source: String,
    pub message_id: String,
    pub correlation_id: Option<String>,
    pub traceparent: Option<String>,
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

/// Whether a settlement took effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    Done,
    /// The lease had run out and someone else holds the delivery, or it is settled: nothing was changed.
    LeaseLost,
}

/// A step of a promise that was passed and recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepPassed {
    pub receipt: ReceiptId,
    pub kind: String,
    pub receiver: String,
    pub promise: String,
    pub step: u8,
    /// When it truly was due.
    pub due_at: Timestamp,
}

/// An answer as it stands in a party's log.
#[derive(Debug, Clone)]
pub struct LoggedAnswer {
    /// Ascending within the log; the cursor of `GET /v1/answers`.
    pub seq: i64,
    pub party: String,
    pub kind: Option<String>,
    pub at: Timestamp,
    pub answer: Answer,
}

/// A parcel waiting in a mailbox.
#[derive(Debug, Clone)]
pub struct MailboxItem {
    pub delivery: DeliveryId,
    pub receiver: String,
    pub event_type: String,
    pub source: String,
    pub message_id: String,
    pub due: Timestamp,
    pub parcel: Parcel,
}

/// What a person or a receiver asks of a delivery.
#[derive(Debug, Clone)]
pub enum Command {
    /// Try again now, also when dead.
    Retry(DeliveryId),
    /// Will not be tried again, and why.
    Cancel { delivery: DeliveryId, reason: Option<String> },
    /// The receiver says it has it (mailbox acknowledgement, business receipt).
    Confirm { delivery: DeliveryId, receipt: Option<String>, by: String },
    /// The receiver says that it refuses it.
    Refuse { delivery: DeliveryId, fault: Fault, by: String },
}

/// What became of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commanded {
    Done,
    /// Nothing to do: it already was so.
    Already,
    /// No such delivery.
    NotFound,
    /// Its state does not allow it.
    NotNow,
}

/// How a receiver's lane stands, kept over restarts.
#[derive(Debug, Clone, PartialEq)]
pub struct LaneState {
    pub receiver: String,
    pub circuit: Circuit,
    /// Paused by a person, and why.
    pub paused: Option<String>,
}

/// A message in hand: the evidence kept while a redelivered message is judged, so that a crash leaves a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InHand {
    /// SHA-256 of queue, headers and body.
    pub key: [u8; 32],
    pub now: Timestamp,
    pub way: Way,
    pub party: String,
}

/// Where the gateway stands with itself: one query's answer to "is nothing lost?".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Conservation {
    /// Messages taken (acknowledged or answered), duplicates not counted.
    pub taken: i64,
    pub delivered: i64,
    pub dead: i64,
    pub pending: i64,
    pub invalid: i64,
    pub cancelled: i64,
}

impl Conservation {
    /// Every taken message is in exactly one place.
    pub fn holds(&self) -> bool {
        self.taken == self.delivered + self.dead + self.pending + self.invalid + self.cancelled
    }
}

/// The durable boundary. Two engines ship; tests wrap one to inject faults.
pub trait Store: Views + Send + Sync {
    /// Stores a batch in one transaction. Content never fails it.
    fn accept(&self, batch: Vec<Admission>) -> BoxFuture<'_, Result<Vec<Verdict>, StoreError>>;

    /// Takes due deliveries: the head of each ordering key, earliest deadline first.
    fn lease_due(&self, ask: LeaseAsk) -> BoxFuture<'_, Result<Leased, StoreError>>;

    /// Ends leases with their outcomes: attempts appended, deliveries moved, deadlines met, answers logged.
    /// After an error nothing was changed, and the same settlements may be handed in again.
    fn settle(&self, settlements: Arc<Vec<Settlement>>) -> BoxFuture<'_, Result<Vec<Settled>, StoreError>>;

    /// Hands leases back untouched: no attempt is counted.
    fn release(&self, leases: Vec<Lease>) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Records up to `most` steps whose instant has come, in due order, each once.
    fn advance_deadlines(
        &self,
        now: Timestamp,
        most: u32,
    ) -> BoxFuture<'_, Result<Vec<StepPassed>, StoreError>>;

    /// Opens what `conditions` has and is not open, resolves what is open under `names` and is not in it.
    fn reconcile_alerts(
        &self,
        names: Vec<&'static str>,
        conditions: Vec<Condition>,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Vec<(Change, Condition)>, StoreError>>;

    fn acknowledge_alert(
        &self,
        key: String,
        by: String,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Commanded, StoreError>>;

    fn command(
        &self,
        command: Command,
        by: String,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Commanded, StoreError>>;

    fn save_lane(&self, lane: LaneState, now: Timestamp) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Pauses (`Some(reason)`) or resumes a receiver.
    fn pause(
        &self,
        receiver: String,
        reason: Option<String>,
        by: String,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Moves a named reader of a log forward. Never back.
    fn set_cursor(&self, name: String, seq: i64) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Marks a redelivered message as in hand and says how often it was before.
    fn take_in_hand(&self, mark: InHand) -> BoxFuture<'_, Result<u32, StoreError>>;

    /// The message left the hand in good order.
    fn put_down(&self, key: [u8; 32]) -> BoxFuture<'_, Result<(), StoreError>>;

    /// The bells this store rings after a commit.
    fn hints(&self) -> &Hints;

    /// Whether a commit succeeds now.
    fn check(&self) -> BoxFuture<'_, Result<(), StoreError>>;
}

/// Serialises something that always can be.
pub(crate) fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("plain data of ours serialises")
}

/// Reads JSON that we wrote.
pub(crate) fn parse_json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
}
