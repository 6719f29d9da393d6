//! Writes down that a person had a stored message taken again.

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
        self.write(move |tx| {
            let message: Option<i64> = tx
                .prepare(
                    "-- store::replayed
                     SELECT seq FROM message WHERE receipt = ?1",
                )?
                .query_row([first.uuid().as_bytes()], |row| row.get(0))
                .optional()?;
            if let Some(message) = message {
                let told = json!({ "by": by, "receipt": again }).to_string();
                log_event(tx, message, None, us(now), "replayed", Some(&told))?;
            }
            audit(tx, &by, "messages replay", &first.to_string(), now)
        })
        .await
    }
}
