//! Values as the tables keep them: instants in microseconds UTC, numbers that carry their owner's.

use std::fmt;

use jiff::Timestamp;
use rusqlite::{Row, RowIndex, types::Type};
use uuid::Uuid;

use crate::domain::{DeliveryId, Fault, ReceiptId, Violation};

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

/// The delivery's id, from its message's receipt and its own number.
pub(super) fn delivery_id(receipt: ReceiptId, seq: i64) -> DeliveryId {
    receipt.delivery(u8::try_from(seq % DELIVERIES).expect("a remainder of 256 fits a byte"))
}

/// A column by its name, or by its place where a row is read for each message: names are searched for.
pub(super) trait Column: RowIndex + fmt::Display + Copy {}

impl<T: RowIndex + fmt::Display + Copy> Column for T {}

/// Reads the columns of ours that need more than a cast. A value that none of our versions writes is an error
/// of the row, never a panic.
pub(super) trait Read {
    fn instant(&self, column: impl Column) -> rusqlite::Result<Timestamp>;
    fn instant_or_none(&self, column: impl Column) -> rusqlite::Result<Option<Timestamp>>;
    fn receipt(&self, column: impl Column) -> rusqlite::Result<ReceiptId>;
    fn fault(&self, column: &str) -> rusqlite::Result<Option<Fault>>;
    fn violations(&self, column: &str) -> rusqlite::Result<Vec<Violation>>;
}

impl Read for Row<'_> {
    fn instant(&self, column: impl Column) -> rusqlite::Result<Timestamp> {
        self.instant_or_none(column)?.ok_or_else(|| unreadable(column, Type::Null, "it is missing"))
    }

    fn instant_or_none(&self, column: impl Column) -> rusqlite::Result<Option<Timestamp>> {
        let Some(microseconds) = self.get::<_, Option<i64>>(column)? else { return Ok(None) };
        Timestamp::from_microsecond(microseconds)
            .map(Some)
            .map_err(|e| unreadable(column, Type::Integer, &e.to_string()))
    }

    fn receipt(&self, column: impl Column) -> rusqlite::Result<ReceiptId> {
        let bytes: [u8; 16] = self.get(column)?;
        ReceiptId::from_stored(Uuid::from_bytes(bytes))
            .ok_or_else(|| unreadable(column, Type::Blob, "not a receipt id"))
    }

    fn fault(&self, column: &str) -> rusqlite::Result<Option<Fault>> {
        json(self, column)
    }

    fn violations(&self, column: &str) -> rusqlite::Result<Vec<Violation>> {
        json(self, column).map(Option::unwrap_or_default)
    }
}

/// Reads a column of JSON.
pub(super) fn json<T: serde::de::DeserializeOwned>(
    row: &Row<'_>,
    column: &str,
) -> rusqlite::Result<Option<T>> {
    let Some(text) = row.get::<_, Option<String>>(column)? else { return Ok(None) };
    serde_json::from_str(&text).map(Some).map_err(|e| unreadable(column, Type::Text, &e.to_string()))
}

pub(super) fn unreadable(column: impl fmt::Display, kind: Type, why: &str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, kind, format!("column {column}: {why}").into())
}
