//! Configurations as the gateway ran them, which node runs which, and who asked for another.
//!
//! What a configuration holds is no business of the store's: it keeps it as JSON and compares hashes.

use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::StoreError;
use crate::domain::{ReceiptId, sla::Clocked};

/// A node that has not reported for so long is gone.
pub const NODE_SILENT: SignedDuration = SignedDuration::from_mins(1);
/// Rows of nodes that are gone are forgotten after this.
pub(super) const NODE_FORGOTTEN: SignedDuration = SignedDuration::from_hours(1);

/// Requests for a reload are forgotten after this; the newest stays, so that no number is given twice. Whoever asked
/// waits for minutes.
pub(super) const ASK_FORGOTTEN: SignedDuration = SignedDuration::from_hours(24);

/// How a generation came into force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    Start,
    Reload,
    Rollback,
}

impl How {
    pub fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Reload => "reload",
            Self::Rollback => "rollback",
        }
    }
}

/// A configuration that comes into force on a node.
#[derive(Debug, Clone, PartialEq)]
pub struct NewGeneration {
    /// The same for two that come to the same.
    pub hash: String,
    pub by: String,
    pub how: How,
    /// The generation it repeats, where it is a rollback.
    pub of: Option<u64>,
    pub node: String,
    /// What it was read from.
    pub source: Value,
    /// Every setting that is in force, without secrets.
    pub effective: Value,
}

/// A generation in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Generation {
    /// Ascending, from 1.
    pub number: u64,
    pub activated: Timestamp,
    pub by: String,
    pub how: How,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<u64>,
    /// The first node that ran it.
    pub node: String,
    pub hash: String,
}

/// A generation with what it holds.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptGeneration {
    pub line: Generation,
    pub source: Value,
    pub effective: Value,
}

/// What a node says of itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeReport {
    pub node: String,
    /// The generation it runs.
    pub generation: u64,
    pub roles: String,
    pub started: Timestamp,
    /// Since when it runs that generation.
    pub since: Timestamp,
    /// When it last said so.
    pub seen: Timestamp,
    /// The last request for a reload that it has worked on.
    pub asked: i64,
    /// Why its last reload failed and when, as the node itself wrote it; `Null` where it did not.
    pub failed: Value,
}

impl NodeReport {
    pub fn is_there(&self, now: Timestamp) -> bool {
        now.duration_since(self.seen) <= NODE_SILENT
    }
}

/// Somebody's word that nodes should read their configuration again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReloadAsked {
    /// Ascending. Not looked at when it is handed in.
    pub seq: i64,
    pub at: Timestamp,
    pub by: String,
    pub how: How,
    pub of: Option<u64>,
    /// Only that node; `None`: every one.
    pub node: Option<String>,
}

/// An open promise of being delivered that is not breached, with what its deadline is reckoned from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenPromise {
    pub number: i64,
    /// Where the next page begins.
    pub place: PromisePlace,
    pub receipt: ReceiptId,
    pub message_id: String,
    /// With its version: `complaint.v1`.
    pub kind: String,
    pub agreement: Option<String>,
    pub receiver: String,
    pub promise: String,
    pub starts: Timestamp,
    pub due: Timestamp,
    pub occurred: Timestamp,
    pub received: Timestamp,
    /// A second way is held for it, whose time moves with the deadline.
    pub second_held: bool,
}

/// A place in the order of open promises: by the instant of their next step, and their number.
pub type PromisePlace = (i64, i64);

/// A promise that gets another deadline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    pub number: i64,
    /// What is promised now.
    pub to: Clocked,
    /// The deadline it has: where it is another meanwhile, nothing is moved.
    pub old_due: Timestamp,
    /// Until when its delivery is tried.
    pub expires: Option<Timestamp>,
}

/// Moves that are made together, and whose word that is.
#[derive(Debug, Clone)]
pub struct Recompute {
    pub moves: Vec<Move>,
    /// Whose rules say so.
    pub generation: u64,
    pub by: String,
    pub reason: String,
    pub now: Timestamp,
}

/// What is written down about configurations.
#[derive(Debug, Clone)]
pub enum Order {
    /// Gives the number: of the newest generation if it is the same, of a new one else.
    Activate { generation: Box<NewGeneration>, now: Timestamp },
    /// A node says what it runs.
    Report(Box<NodeReport>),
    /// A node ends in good order.
    Leave { node: String },
    /// Gives the request's number, writes it into the audit, and forgets old ones.
    Ask(Box<ReloadAsked>),
    /// Writes into the audit what a person did with configurations.
    Audit { what: &'static str, about: String, by: String, now: Timestamp },
    /// Gives how many were moved: those that are met, ended, waived or breached are not.
    Recompute(Box<Recompute>),
}

/// The part of the store that knows of configurations.
pub trait Generations {
    /// Writes something down, in one transaction. What the number means is said with each order; 0 where nothing is.
    fn configure(&self, order: Order) -> BoxFuture<'_, Result<i64, StoreError>>;

    /// The newest first.
    fn generations(&self, most: u32) -> BoxFuture<'_, Result<Vec<Generation>, StoreError>>;

    /// The one of that number, or the newest.
    fn generation(&self, number: Option<u64>) -> BoxFuture<'_, Result<Option<KeptGeneration>, StoreError>>;

    /// Every node that reported lately, by name.
    fn nodes(&self) -> BoxFuture<'_, Result<Vec<NodeReport>, StoreError>>;

    /// The newest request after that one to this node, or to every one. Requests to others are none of its business.
    fn reload_asked(
        &self,
        node: String,
        after: i64,
    ) -> BoxFuture<'_, Result<Option<ReloadAsked>, StoreError>>;

    /// Open promises of being delivered that are not breached, after a place.
    fn open_promises(
        &self,
        after: PromisePlace,
        most: u32,
    ) -> BoxFuture<'_, Result<Vec<OpenPromise>, StoreError>>;
}

/// What the history says of a promise that was moved.
pub(super) fn moved(one: &Move, of: &Recompute, old_starts: Timestamp) -> String {
    super::json(&serde_json::json!({
        "promise": one.to.promise.name(),
        "oldStarts": old_starts,
        "oldDue": one.old_due,
        "starts": one.to.course.starts,
        "due": one.to.course.due,
        "generation": of.generation,
        "by": of.by,
        "reason": of.reason,
    }))
}

/// What the audit says of moves that were made.
pub(super) fn moves(count: i64, of: &Recompute) -> String {
    super::json(&serde_json::json!({ "promises": count, "generation": of.generation, "reason": of.reason }))
}

/// What the audit says of a request.
pub(super) fn asked(ask: &ReloadAsked) -> String {
    super::json(&serde_json::json!({ "how": ask.how, "of": ask.of, "node": ask.node }))
}
