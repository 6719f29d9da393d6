//! What waits for a person.

use jiff::Timestamp;
use serde::Serialize;

use crate::domain::FaultCode;

/// Pending, and held until a person decides: in lists it stands among the states of deliveries.
pub const HELD: &str = "held";

/// Deliveries to one receiver that wait for a person because of the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HeldGroup {
    pub receiver: String,
    pub kind: String,
    pub code: FaultCode,
    pub count: i64,
    /// The earliest due time among them.
    pub earliest_due: Timestamp,
}
