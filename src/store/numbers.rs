//! Values as every engine's tables keep them: instants in microseconds UTC, numbers that carry their owner's.

use jiff::Timestamp;

use crate::domain::{DeliveryId, ReceiptId};

/// A delivery's number is its message's times this, plus its ordinal.
const DELIVERIES: i64 = 256;
/// A deadline's number is its delivery's times this, plus its place.
pub(super) const DEADLINES: i64 = 16;

pub(super) fn us(at: Timestamp) -> i64 {
    at.as_microsecond()
}

/// The instant as the tables keep it: what is told at once must not differ from what is read later.
pub(super) fn kept(at: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(us(at)).expect("an instant rounded to microseconds is an instant")
}

pub(super) fn delivery_seq(message: i64, ordinal: u8) -> i64 {
    message * DELIVERIES + i64::from(ordinal)
}

pub(super) fn message_of(delivery: i64) -> i64 {
    delivery / DELIVERIES
}

/// Its place among its message's deliveries, counted from 1.
pub(super) fn ordinal(delivery: i64) -> u8 {
    u8::try_from(delivery % DELIVERIES).expect("a remainder of 256 fits a byte")
}

/// The delivery's id, from its message's receipt and its own number.
pub(super) fn delivery_id(receipt: ReceiptId, seq: i64) -> DeliveryId {
    receipt.delivery(ordinal(seq))
}
