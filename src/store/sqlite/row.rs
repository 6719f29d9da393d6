//! Reads and writes values as the tables keep them.

use std::fmt;

use jiff::Timestamp;
use rusqlite::{Row, RowIndex, types::Type};
use uuid::Uuid;

use crate::domain::{Cpr, Fault, ReceiptId, Violation};
pub(super) use crate::store::numbers::{DEADLINES, delivery_id, delivery_seq, kept, message_of, us};

/// A column by its name, or by its place where a row is read for each message: names are searched for.
pub(super) trait Column: RowIndex + fmt::Display + Copy {}

impl<T: RowIndex + fmt::Display + Copy> Column for T {}

/// Reads the columns of ours that need more than a cast. A value that none of our versions writes is an error
/// of the row, never a panic.
pub(super) trait Read {
    fn instant(&self, column: impl Column) -> rusqlite::Result<Timestamp>;
    fn instant_or_none(&self, column: impl Column) -> rusqlite::Result<Option<Timestamp>>;
    fn receipt(&self, column: impl Column) -> rusqlite::Result<ReceiptId>;
    fn citizen(&self, column: impl Column) -> rusqlite::Result<Option<Cpr>>;
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

    fn citizen(&self, column: impl Column) -> rusqlite::Result<Option<Cpr>> {
        let Some(digits) = self.get::<_, Option<String>>(column)? else { return Ok(None) };
        Cpr::parse(&digits).map(Some).map_err(|e| unreadable(column, Type::Text, &e.to_string()))
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
