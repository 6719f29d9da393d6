//! What a scenario consists of.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::Duration,
};

use jiff::Timestamp;
use toml::Value;

use super::bound::Bound;
use crate::{domain::AnswerOutcome, tools::scripted::Step};

/// A scenario that can be played.
#[derive(Debug, Clone)]
pub struct Scenario {
    pub title: String,
    pub start: Timestamp,
    /// How long it is played.
    pub length: Duration,
    /// See [`crate::clock::Leaping`].
    pub step: Duration,
    pub seed: u64,
    /// `None`: the demonstration's own.
    pub config: Option<PathBuf>,
    pub receivers: Vec<Receiver>,
    pub messages: Vec<Message>,
    pub expectations: Vec<Expectation>,
    /// The line of each receiver's, each message's and each expectation's entry.
    pub(super) lines: Lines,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Lines {
    pub(super) receivers: Vec<usize>,
    pub(super) messages: Vec<usize>,
}

/// One receiver's script.
#[derive(Debug, Clone)]
pub struct Receiver {
    pub whom: Whom,
    pub steps: Vec<Step>,
    /// It sends a business receipt so long after it took a parcel.
    pub receipt_after: Option<Duration>,
    /// The receipt refuses, and why.
    pub refuses: Option<String>,
}

/// Whom a script is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whom {
    Name(String),
    /// Every receiver of that party.
    Party(String),
}

/// One message and when it is sent.
#[derive(Debug, Clone)]
pub struct Message {
    pub name: String,
    pub from: String,
    pub content: Content,
    /// After the start, or after the other's delivery.
    pub at: Duration,
    pub after_delivery_of: Option<String>,
    /// So long its `time` lies before it is sent.
    pub waited: Duration,
    /// The message that it answers.
    pub answers: Option<String>,
    /// Values by JSON pointer that are put in place of what is there; `None` takes away.
    pub set: BTreeMap<String, Option<Value>>,
}

/// What a message is made of.
#[derive(Debug, Clone)]
pub enum Content {
    /// A valid message of that kind to that party.
    Generated { kind: String, to: String },
    /// The text of a file, with places for what the scenario knows.
    Text(String),
}

/// What is expected.
#[derive(Debug, Clone)]
pub struct Expectation {
    pub about: About,
    pub claims: Vec<Claim>,
}

#[derive(Debug, Clone)]
pub enum About {
    Message(String),
    Alert { name: String, labels: BTreeMap<String, String> },
}

/// One thing that is claimed.
#[derive(Debug, Clone)]
pub enum Claim {
    Outcome(String),
    /// From the message's `time` to its delivery.
    Within(Duration),
    Attempts(Bound<u32>),
    Answers(Vec<AnswerOutcome>),
    Sla(String),
    /// Rule and pointer of every error, and of no other.
    Errors(BTreeSet<(String, String)>),
    /// After the start; `None`: never.
    Opens(Option<Bound<Duration>>),
    Resolves(Option<Bound<Duration>>),
}

/// What an outcome may be called.
pub const OUTCOMES: [&str; 6] = ["delivered", "rejected", "pending", "dead", "cancelled", "duplicate"];
