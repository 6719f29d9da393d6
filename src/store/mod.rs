//! The one place that remembers: whole operations over messages, deliveries, deadlines, answers and alerts.
//!
//! Intake writes obligations, dispatch leases and settles them, watch compares deadlines with the clock; they
//! meet here and nowhere else. Each operation is one transaction (or joins others in one: the engine commits
//! what is queued together), and none is open across a network call (invariant I4). Time comes in as `now`.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use uuid::Uuid;

use crate::domain::{
    Answer, DeliveryId, Fault, Parcel, ReceiptId,
    alert::{Change, Condition, Touch},
    circuit::Circuit,
    pace::Pace,
};

mod admission;
pub mod ahead;
pub mod brought;
pub mod calls;
mod clocks;
#[cfg(test)]
pub(crate) mod conformance;
mod fallback;
pub mod figures;
mod forget;
pub mod generations;
pub mod handover;
pub mod hints;
mod lease;
mod numbers;
mod place;
pub mod postgres;
mod reply;
pub mod sqlite;
pub mod standing;
mod stops;
mod told;
pub mod views;

pub use admission::{
    Accepted, Admission, Arrived, Invalid, Meets, NewDelivery, OtherWay, Renews, Verdict, Way,
};
pub use calls::Calls;
pub use fallback::{Foreseen, Release, Released};
pub use forget::{Forget, Forgotten, Stage};
pub use generations::Generations;
pub use handover::HandOver;
pub use hints::Hints;
pub use lease::{Lease, LeaseAsk, Leased, Next, Partner, Settled, Settlement};
pub use place::Place;
pub use views::Views;

/// For what a store is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The gateway: may create and migrate the tables. The SQLite engine is alone with its file.
    Daemon,
    /// A command beside a running gateway: short transactions, never migrates.
    Tool,
}

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
    /// The `traceparent` of the message that it answers.
    pub traceparent: Option<String>,
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
    /// Its open promises end, neither met nor breached, and why. It is delivered all the same.
    Waive { delivery: DeliveryId, reason: String },
    /// Somebody asks that its promises be waived, and why: another has to agree.
    RequestWaiver { delivery: DeliveryId, reason: String },
    /// Another than who asked agrees: they are waived. [`Commanded::NotNow`] where it is the same, or nobody asked.
    ApproveWaiver(DeliveryId),
}

impl Command {
    pub fn delivery(&self) -> DeliveryId {
        match self {
            Self::Retry(delivery)
            | Self::ApproveWaiver(delivery)
            | Self::Cancel { delivery, .. }
            | Self::Confirm { delivery, .. }
            | Self::Refuse { delivery, .. }
            | Self::Waive { delivery, .. }
            | Self::RequestWaiver { delivery, .. } => *delivery,
        }
    }
}

/// How a person had a stored message taken again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TakenAgain {
    /// As it was, by the rules of now.
    Replayed,
    /// A corrected one was given in its place, and why.
    Edited { reason: String },
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

/// That a process which watches is up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beat {
    /// The run's own id: a process that starts again is another run.
    pub run: Uuid,
    /// Which process it is, for people.
    pub node: String,
    pub started: Timestamp,
    pub now: Timestamp,
    /// It ends here, in good order.
    pub ends: bool,
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
pub trait Store: Views + Generations + Send + Sync {
    /// Stores a batch in one transaction. Content never fails it.
    fn accept(&self, batch: Vec<Admission>) -> BoxFuture<'_, Result<Vec<Verdict>, StoreError>>;

    /// Takes due deliveries: the head of each ordering key, earliest deadline first.
    fn lease_due(&self, ask: LeaseAsk) -> BoxFuture<'_, Result<Leased, StoreError>>;

    /// Ends leases with their outcomes: attempts appended, deliveries moved, deadlines met, answers logged. Where it
    /// is [`Settled::LeaseLost`] nothing changes, and what lease there still is stays as it is.
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

    /// Lets second ways go, each once.
    fn release_fallbacks(
        &self,
        which: Release,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Vec<Released>, StoreError>>;

    /// Opens what `conditions` has and is not open, resolves what is open under `names` and is not in it, and lets
    /// what nobody acknowledged in time climb.
    fn reconcile_alerts(
        &self,
        names: Vec<&'static str>,
        conditions: Vec<Condition>,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Vec<(Change, Condition)>, StoreError>>;

    /// Does what a person asks about the open alert with that key.
    fn touch_alert(
        &self,
        key: String,
        touch: Touch,
        by: String,
        note: Option<String>,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Commanded, StoreError>>;

    /// Gives a command, and rings the receiver's bell and that of the sender's answers where it did something.
    fn command(
        &self,
        command: Command,
        by: String,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Commanded, StoreError>>;

    fn save_lane(&self, lane: LaneState, now: Timestamp) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Pauses (`Some(reason)`) or resumes a receiver. Where a resumed one's circuit is open, its probe is due at once.
    fn pause(
        &self,
        receiver: String,
        reason: Option<String>,
        by: String,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Keeps what this node's lanes measured.
    fn save_paces(&self, paces: Vec<(String, Pace)>, now: Timestamp)
    -> BoxFuture<'_, Result<(), StoreError>>;

    /// Plans a maintenance window or cancels a receiver's. [`Commanded::NotNow`]: it is over already, or the receiver
    /// has as many as it may ([`ahead::WINDOWS_MAX`]).
    fn maintain(
        &self,
        asked: ahead::Maintain,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Commanded, StoreError>>;

    /// Writes down that this process is up, or that it ends in good order.
    fn beat(&self, beat: Beat) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Moves a named reader of a log forward. Never back.
    fn set_cursor(&self, name: String, seq: i64) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Whether this node is the one that tells the world from that cursor. One is, for as long as it goes on asking;
    /// some seconds after it last did, any other may be. A cursor that is read before this is asked may be old.
    fn lead(&self, cursor: String) -> BoxFuture<'_, Result<bool, StoreError>>;

    /// Marks a redelivered message as in hand, and says how many processes had it in hand when they ended. That of
    /// a node that lives does not count.
    fn take_in_hand(&self, mark: InHand) -> BoxFuture<'_, Result<u32, StoreError>>;

    /// The message left the hand in good order.
    fn put_down(&self, key: [u8; 32]) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Lets a lane of this process have what is stored for it leased and handed over at once, for `lease_for`
    /// from the moment of storing. `None`: this engine leases by [`Store::lease_due`] only.
    fn hand_over(&self, _receiver: String, _lease_for: SignedDuration) -> Option<HandOver> {
        None
    }

    /// Writes into the history and the audit that a person had a stored message taken again. `again` is the
    /// receipt of the new arrival; a duplicate repeats the receipt that was accepted.
    fn taken_again(
        &self,
        first: ReceiptId,
        again: ReceiptId,
        how: TakenAgain,
        by: String,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<(), StoreError>>;

    /// The bells this store rings after a commit.
    fn hints(&self) -> &Hints;

    /// The calls of this process that wait for the store's answer; `None`: the engine does not count them.
    fn calls(&self) -> Option<&Calls> {
        None
    }

    /// Forgets a slice of what is older than it must be kept. What is owed is never forgotten.
    fn forget(&self, slice: Forget) -> BoxFuture<'_, Result<Forgotten, StoreError>>;

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
