//! Promises that people must look at: in danger, and to be given up.

use jiff::Timestamp;
use serde::Serialize;

use crate::domain::{DeliveryId, ReceiptId, sla::Course};

/// Open promises past a step, counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endangered {
    pub receiver: String,
    pub kind: String,
    pub agreement: Option<String>,
    pub promise: String,
    /// The highest step passed, in percent; 0 where none is.
    pub step: u8,
    pub count: i64,
    /// The earliest due time among them. They lie between the same two of the instants that were asked for.
    pub earliest: Timestamp,
    /// The way of that promise's clock.
    pub course: Course,
    /// The message of that promise.
    pub example: ReceiptId,
}

/// Second ways that were let go, counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fallbacks {
    /// The receiver of the first way.
    pub first: String,
    /// The receiver of the second.
    pub second: String,
    pub count: i64,
    /// How many of them are on their way still.
    pub pending: i64,
    /// When the first of them was let go.
    pub since: Timestamp,
    /// The latest message among them.
    pub example: ReceiptId,
}

/// Somebody asked that the promises of a delivery be waived, and nobody has agreed yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WaiverRequest {
    pub delivery_id: DeliveryId,
    pub kind: String,
    pub receiver: String,
    pub by: String,
    pub reason: String,
    pub at: Timestamp,
}
