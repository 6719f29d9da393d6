//! Read models for the terminal, the API and the watchers. Reading never waits for the writer.

use std::collections::BTreeMap;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

mod danger;
mod held;
pub(super) mod known;
mod promised;

pub use danger::{Endangered, Fallbacks, WaiverRequest};
pub use held::{HELD, HeldGroup};
pub use promised::{ClockView, PromiseView};

use super::{
    Arrived, Conservation, LaneState, LoggedAnswer, MailboxItem, StoreError,
    ahead::{Ahead, Behind, BehindAsk, Sliced, SlicesAsk, Standby, StandbyAsk},
    brought::Brought,
    figures::{Asked, KeyFigures},
    standing::{OpenPromises, Waived},
};
use crate::domain::{
    DeliveryId, Fault, FaultCode, HoldReason, ReceiptId, Violation,
    alert::{Alert, AlertChange},
    case::CaseState,
    ladder::Reach,
    maintenance::Maintenance,
    pace::Paced,
};

/// One line of a list of messages.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageLine {
    pub receipt_id: ReceiptId,
    pub message_id: Option<String>,
    pub party: String,
    pub kind: Option<String>,
    pub receiver: Option<String>,
    pub received: Timestamp,
    /// Derived: `invalid`, `pending`, `delivered`, `dead`, `cancelled`.
    pub state: String,
    pub due: Option<Timestamp>,
}

/// Which messages a list shows; every field narrows.
#[derive(Debug, Clone, Default)]
pub struct MessageFilter {
    pub state: Option<String>,
    pub kind: Option<String>,
    pub party: Option<String>,
    pub receiver: Option<String>,
    /// Message id, receipt id, delivery id, correlation id or subject, whole.
    pub id: Option<String>,
    /// Only older than this receipt (keyset paging).
    pub before: Option<ReceiptId>,
    pub most: u32,
}

/// Everything about one message.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageView {
    #[serde(flatten)]
    pub line: MessageLine,
    pub way: String,
    pub source: Option<String>,
    pub subject: Option<String>,
    pub agreement: Option<String>,
    pub correlation_id: Option<String>,
    /// How the matter stands at its receiver, by what return messages said.
    pub case: Option<CaseState>,
    /// The message that led to this one, where its sender or a person said so.
    pub causation_id: Option<String>,
    pub occurred: Option<Timestamp>,
    pub recorded: Option<Timestamp>,
    pub sent: Option<Timestamp>,
    pub generation: u64,
    pub content_type: Option<String>,
    pub raw_bytes: u64,
    pub findings: Vec<Violation>,
    pub deliveries: Vec<DeliveryView>,
    pub promises: Vec<PromiseView>,
    pub history: Vec<EventView>,
}

/// One delivery of a message.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryView {
    pub delivery_id: DeliveryId,
    pub message_id: String,
    pub kind: String,
    pub receiver: String,
    pub format: String,
    pub state: String,
    pub hold: Option<String>,
    pub attempts: u32,
    pub due: Timestamp,
    pub next_attempt: Option<Timestamp>,
    pub settled: Option<Timestamp>,
    pub fault: Option<Fault>,
    /// The first way, where it is a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub second_way_of: Option<DeliveryId>,
    /// When it was let go as a second way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub released: Option<Timestamp>,
    /// From when on a forecast lets it go as a second way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early: Option<Timestamp>,
}

/// A time in which a process of the gateway was up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunView {
    pub started: Timestamp,
    /// When it was last known to be up.
    pub seen: Timestamp,
    /// It ended in good order then.
    pub in_order: bool,
}

/// One event of a message's history.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EventView {
    pub at: Timestamp,
    pub what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery_id: Option<DeliveryId>,
    #[serde(skip_serializing_if = "Value::is_null")]
    pub data: Value,
}

/// How much waits for one receiver.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Backlog {
    pub receiver: String,
    pub pending: i64,
    pub dead: i64,
    pub held: i64,
    pub oldest: Option<Timestamp>,
    pub nearest_deadline: Option<Timestamp>,
}

/// Complaints that were carried under no agreement, counted by who sent and who receives them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uncovered {
    /// The code of the party that sent them.
    pub party: String,
    /// The receiver's URN.
    pub receiver: String,
    pub count: i64,
    /// When the first of them came.
    pub first: Timestamp,
    /// The latest of them.
    pub example: ReceiptId,
}

/// Messages that lay in another party's queue, counted by that queue and by whose they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Astray {
    /// The code of the party whose queue it is.
    pub queue_of: String,
    /// The code of the party whose user put them there; `unknown` where no party has that user.
    pub party: String,
    pub count: i64,
    /// When the first of them came.
    pub first: Timestamp,
    /// The latest of them.
    pub example: ReceiptId,
}

/// Dead deliveries that died of the same at the same receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadGroup {
    pub receiver: String,
    pub kind: String,
    pub code: FaultCode,
    pub count: i64,
    /// When the first and the last of them died.
    pub first: Timestamp,
    pub last: Timestamp,
    /// The earliest due time among them.
    pub earliest_due: Timestamp,
}

/// Which deliveries are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// Pending and held for that reason.
    Held(HoldReason),
    /// Those of a [`DeadGroup`].
    Dead { receiver: String, kind: String, code: FaultCode },
}

/// The raw bytes of a message, with what is needed to admit them again.
#[derive(Debug, Clone)]
pub struct RawMessage {
    pub party: String,
    pub way: String,
    pub content_type: Option<String>,
    pub headers: Vec<(String, String)>,
    pub raw: bytes::Bytes,
    pub received: Timestamp,
}

/// How much the store occupies, and what is left beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreSize {
    pub bytes: u64,
    /// Free on the disk of its file. `None`: the disk is another machine's.
    pub free: Option<u64>,
}

/// Whose trace is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TraceOf {
    /// An accepted message, by its sender's URN and its id.
    Message {
        source: String,
        id: String,
    },
    Receipt(ReceiptId),
}

/// What can be asked of the store. Lists are bounded by their `most`.
pub trait Views {
    fn messages(&self, filter: MessageFilter) -> BoxFuture<'_, Result<Vec<MessageLine>, StoreError>>;

    /// By receipt id, by a delivery's id, or by a sender's message id (the latest arrival with it).
    fn message(
        &self,
        id: String,
        party: Option<String>,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Option<MessageView>, StoreError>>;

    /// Whether just this (party, bytes, headers) is among the last ten thousand messages, and was accepted. The same again
    /// has the same identity, and would be a duplicate.
    fn has_taken(&self, arrived: Arrived) -> BoxFuture<'_, Result<bool, StoreError>>;

    /// The `traceparent` that an accepted message is kept with: where it was created, by its sender's word or ours.
    fn traceparent(&self, of: TraceOf) -> BoxFuture<'_, Result<Option<String>, StoreError>>;

    fn size(&self) -> BoxFuture<'_, Result<StoreSize, StoreError>>;

    /// What is promised of a message that is not plain: other things than being delivered, and that by a calendar.
    fn clocks(&self, receipt: ReceiptId) -> BoxFuture<'_, Result<Vec<ClockView>, StoreError>>;

    /// The runs of the gateway that were up at some time from `from` on, the first of all among them: before that
    /// nobody knows.
    fn runs(&self, from: Timestamp) -> BoxFuture<'_, Result<Vec<RunView>, StoreError>>;

    fn raw(&self, receipt: ReceiptId) -> BoxFuture<'_, Result<Option<RawMessage>, StoreError>>;

    /// In that state, or [`HELD`], the latest first.
    fn deliveries(
        &self,
        state: Option<String>,
        receiver: Option<String>,
        most: u32,
    ) -> BoxFuture<'_, Result<Vec<DeliveryView>, StoreError>>;

    /// Open promises by deadline, or all with `open = false`.
    fn promises(
        &self,
        open: bool,
        most: u32,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Vec<PromiseView>, StoreError>>;

    /// Open promises within reach, grouped, the earliest due first.
    fn endangered(&self, reach: Reach) -> BoxFuture<'_, Result<Vec<Endangered>, StoreError>>;

    /// How many promises are open, and how many of them stand still by kind and receiver.
    fn standing(&self) -> BoxFuture<'_, Result<OpenPromises, StoreError>>;

    /// Waivers that were made after that place in the audit, the first ones, with the place up to which that is all.
    fn waived(&self, after: i64, most: u32) -> BoxFuture<'_, Result<(Vec<Waived>, i64), StoreError>>;

    /// What others than lanes brought about in this process and was not told before: each once, also where that fails.
    fn brought(&self) -> BoxFuture<'_, Result<Brought, StoreError>>;

    /// Second ways that were let go after that instant, by the receivers of both.
    /// Second ways that a forecast may let go, the longest in danger first.
    fn standbys(&self, ask: StandbyAsk) -> BoxFuture<'_, Result<Vec<Standby>, StoreError>>;

    fn fallbacks(&self, since: Timestamp) -> BoxFuture<'_, Result<Vec<Fallbacks>, StoreError>>;

    /// Waivers that wait for a second person, of promises that are open, the oldest first.
    fn waiver_requests(&self) -> BoxFuture<'_, Result<Vec<WaiverRequest>, StoreError>>;

    fn backlogs(&self) -> BoxFuture<'_, Result<Vec<Backlog>, StoreError>>;

    fn lanes(&self) -> BoxFuture<'_, Result<Vec<LaneState>, StoreError>>;

    /// What lanes measured last, one for each lane of each node.
    fn paces(&self) -> BoxFuture<'_, Result<Vec<Paced>, StoreError>>;

    /// Planned windows, also such as are over and not forgotten yet, by receiver and in order.
    fn maintenance(&self) -> BoxFuture<'_, Result<Vec<Maintenance>, StoreError>>;

    /// A receiver's backlog by due time, counted.
    fn slices(&self, ask: SlicesAsk) -> BoxFuture<'_, Result<Sliced, StoreError>>;

    /// What else is promised of a receiver's backlog and can only be met once it is delivered, the nearest deadline first.
    fn behind(&self, ask: BehindAsk) -> BoxFuture<'_, Result<Vec<Behind>, StoreError>>;

    /// A receiver's backlog with due times from `from` to `until`, both included, in deadline order.
    fn ahead(
        &self,
        receiver: String,
        from: Timestamp,
        until: Timestamp,
        most: u32,
    ) -> BoxFuture<'_, Result<Vec<Ahead>, StoreError>>;

    fn open_alerts(&self) -> BoxFuture<'_, Result<Vec<Alert>, StoreError>>;

    /// The alerts of one key that were open at `from` or later, in order.
    fn alerts_of(&self, key: String, from: Timestamp) -> BoxFuture<'_, Result<Vec<Alert>, StoreError>>;

    /// Changes of alerts after a cursor, in order.
    fn alert_changes(&self, after: i64, most: u32) -> BoxFuture<'_, Result<Vec<AlertChange>, StoreError>>;

    /// The party's answers after a cursor, in order.
    fn answers(
        &self,
        party: String,
        after: i64,
        most: u32,
    ) -> BoxFuture<'_, Result<Vec<LoggedAnswer>, StoreError>>;

    fn cursor(&self, name: String) -> BoxFuture<'_, Result<i64, StoreError>>;

    /// What lies in the mailboxes of these receivers, nearest deadline first.
    fn mailbox(
        &self,
        receivers: Vec<String>,
        most: u32,
    ) -> BoxFuture<'_, Result<Vec<MailboxItem>, StoreError>>;

    /// What lies in its receiver's mailbox under that id, however much else lies there.
    fn parcel(&self, delivery: DeliveryId) -> BoxFuture<'_, Result<Option<MailboxItem>, StoreError>>;

    /// What came astray after that instant, by queue and party.
    fn astray(&self, since: Timestamp) -> BoxFuture<'_, Result<Vec<Astray>, StoreError>>;

    /// Complaints taken after that instant under no agreement, by sender and receiver.
    fn uncovered(&self, since: Timestamp) -> BoxFuture<'_, Result<Vec<Uncovered>, StoreError>>;

    /// What waits for a person, grouped, the earliest due first.
    fn held_groups(&self) -> BoxFuture<'_, Result<Vec<HeldGroup>, StoreError>>;

    /// What is dead, grouped, the earliest due first.
    fn dead_groups(&self) -> BoxFuture<'_, Result<Vec<DeadGroup>, StoreError>>;

    /// Deliveries in the order of their arrival, from the one after `after` on.
    fn which(
        &self,
        which: Which,
        after: Option<DeliveryId>,
        most: u32,
    ) -> BoxFuture<'_, Result<Vec<DeliveryId>, StoreError>>;

    /// The receiver a delivery goes to.
    fn delivery_receiver(&self, delivery: DeliveryId) -> BoxFuture<'_, Result<Option<String>, StoreError>>;

    fn conservation(&self) -> BoxFuture<'_, Result<Conservation, StoreError>>;

    /// Promises by how they stand: `met`, `met_late`, `ended`, `waived`, `breached`, `open`.
    fn sla_totals(&self, now: Timestamp) -> BoxFuture<'_, Result<BTreeMap<String, i64>, StoreError>>;

    /// Counts the key figures of a period, all from one state of the store. In memory it holds a row for each group
    /// of parties, kinds and agreements, whatever the number of messages.
    fn key_figures(&self, asked: Asked) -> BoxFuture<'_, Result<KeyFigures, StoreError>>;
}
