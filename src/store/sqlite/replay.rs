//! Writes down that a person had a stored message taken again, or a corrected one in its place.

use jiff::Timestamp;
use rusqlite::OptionalExtension;
use serde_json::json;

use super::{Sqlite, StoreError, accept::log_event, commands::audit, row::us};
use crate::domain::ReceiptId;

impl Sqlite {
    /// Tells it in the first arrival's history and in the audit, in one transaction. `again` is the receipt of
    /// the new arrival; a duplicate repeats the receipt that was accepted.
    ///
    /// # Errors
    /// The store cannot commit.
    pub async fn replayed(
        &self,
        first: ReceiptId,
        again: ReceiptId,
        by: String,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let told = json!({ "by": by, "receipt": again });
        self.taken_again(first, "replayed", told, "messages replay", by, now).await
    }

    /// As [`Sqlite::replayed`], of a corrected message that a person gave in the first one's place, and why.
    ///
    /// # Errors
    /// The store cannot commit.
    pub async fn edited(
        &self,
        first: ReceiptId,
        corrected: ReceiptId,
        reason: String,
        by: String,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let told = json!({ "by": by, "receipt": corrected, "reason": reason });
        self.taken_again(first, "edited", told, "messages edit", by, now).await
    }

    async fn taken_again(
        &self,
        first: ReceiptId,
        what: &'static str,
        told: serde_json::Value,
        command: &'static str,
        by: String,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(move |tx| {
            let message: Option<i64> = tx
                .prepare(
                    "-- store::taken_again
                     SELECT seq FROM message WHERE receipt = ?1",
                )?
                .query_row([first.uuid().as_bytes()], |row| row.get(0))
                .optional()?;
            if let Some(message) = message {
                log_event(tx, message, None, us(now), what, Some(&told.to_string()))?;
            }
            audit(tx, &by, command, &first.to_string(), now)
        })
        .await
    }
}
