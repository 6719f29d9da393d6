//! One try of a delivery, and what the channel judged of it.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Fault;

/// What one attempt came to, as the channel judged it. The knowledge is where the decision is: nobody else
/// reads a status code.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The receiver has it.
    Delivered(Proof),
    /// The parcel lies where the receiver fetches it; it has it once it acknowledges (pull mailbox).
    Deposited,
    /// It did not get there, or we cannot know.
    Fault {
        fault: Fault,
        /// The receiver's answer code, where there was one.
        status: Option<u16>,
        /// What the receiver asked for (`Retry-After`): a floor for the next attempt.
        retry_after: Option<SignedDuration>,
    },
}

impl Outcome {
    pub fn fault(fault: Fault) -> Self {
        Self::Fault { fault, status: None, retry_after: None }
    }

    pub fn is_delivered(&self) -> bool {
        matches!(self, Self::Delivered(_))
    }
}

/// What shows that the receiver has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Proof {
    /// The answer code (HTTP), or `None` where the channel has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The receiver's own receipt id, at most 200 characters, where its answer named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    /// SHA-256 of the answer's body, in hex, where there was one (of at most 64 KiB).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_sha256: Option<String>,
    /// The receiver already had it (a configured 409 or 412).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub already_had_it: bool,
    /// A receipt is still to come: the receiver said so (202), or the channel knows of no receiver (RabbitMQ, file).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub receipt_follows: bool,
    /// Only the way there has it (a broker, a folder): the promise "at the jobcenter" waits for the receipt.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_transit: bool,
}

/// One attempt as it stands in the history.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptRecord {
    pub started: Timestamp,
    pub took: SignedDuration,
    pub outcome: Outcome,
}
