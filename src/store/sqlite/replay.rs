//! Writes down that a person had a stored message taken again.

use jiff::Timestamp;
use rusqlite::OptionalExtension;

use super::{accept::log_event, commands::audit, row::us, writer::Tx};
use crate::{
    domain::ReceiptId,
    store::{TakenAgain, told},
};

/// Tells it in the first arrival's history and in the audit.
pub(super) fn taken_again(
    tx: &Tx<'_, '_>,
    first: ReceiptId,
    again: ReceiptId,
    how: &TakenAgain,
    by: &str,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let (what, told, command) = told::taken_again(how, again, by);
    let message: Option<i64> = tx
        .prepare(
            "-- store::taken_again
             SELECT seq FROM message WHERE receipt = ?1",
        )?
        .query_row([first.uuid().as_bytes()], |row| row.get(0))
        .optional()?;
    if let Some(message) = message {
        log_event(tx, message, None, us(now), what, Some(&told))?;
    }
    audit(tx, by, command, &first.to_string(), now)
}
