//! What a message is promised, and how it stands.

use jiff::Timestamp;
use serde::Serialize;

use crate::domain::{DeliveryId, ReceiptId, sla::Promise};

/// One promise of a message, with its standing at the time it was asked.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PromiseView {
    pub receipt_id: ReceiptId,
    pub delivery_id: DeliveryId,
    pub message_id: String,
    pub kind: String,
    pub receiver: String,
    pub promise: String,
    pub starts: Timestamp,
    pub received: Timestamp,
    pub due: Timestamp,
    /// Since when its clock stands still, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<Timestamp>,
    /// Who says so: a setting, or an agreement with its clause. Not known of what was promised by an earlier version.
    pub basis: Option<String>,
    pub met: Option<Timestamp>,
    pub standing: String,
    pub attempts: u32,
    pub next_attempt: Option<Timestamp>,
    pub state: String,
}

/// What a promise of a message says that is not plain, and how far its clock is.
#[derive(Debug, Clone)]
pub struct ClockView {
    pub delivery_id: DeliveryId,
    pub promise: Promise,
    /// `waiting` for what starts it, `begun`, or `over`.
    pub state: &'static str,
}
