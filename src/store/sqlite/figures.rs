//! Writes what counts in the key figures, in the transaction of its message.

use rusqlite::{OptionalExtension, params};
use uuid::Uuid;

use super::{
    identity::{self, by_identity},
    writer::Tx,
};
use crate::{
    domain::ReceiptId,
    store::{Accepted, figures},
};

/// Writes the message's figure. `seq` is the message's number. A record that names an earlier one of the same sender
/// as its cause takes that one's place, and the place of whatever has taken it before.
pub(super) fn write(tx: &Tx<'_, '_>, seq: i64, message: &Accepted) -> rusqlite::Result<()> {
    let Some(row) = figures::row(message) else { return Ok(()) };
    let first = replace(tx, seq, message)?;
    tx.execute(
        "-- store::figures
         INSERT INTO figure (message, first, latest, month, jobcenter, akasse, own, interview, timeliness, agreement)
         VALUES (?1, ?2, ?1, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            seq,
            first,
            row.figure.month.number(),
            row.jobcenter,
            row.akasse,
            row.own,
            row.figure.interview.as_str(),
            row.figure.timeliness.number(),
            message.agreement,
        ],
    )?;
    Ok(())
}

/// The first record of the interview. The one that counted so far does not count any more.
fn replace(tx: &Tx<'_, '_>, seq: i64, message: &Accepted) -> rusqlite::Result<i64> {
    let Some(cause) = &message.envelope.causation_id else { return Ok(seq) };
    let source = message.envelope.source.to_string();
    // A person's correction names the receipt, a sender its own id.
    let receipt = cause.parse::<Uuid>().ok().map(|id| ReceiptId::from_fresh(id).uuid().into_bytes());
    let first: Option<i64> = tx
        .prepare(by_identity!(
            "-- store::figures first
             SELECT f.first FROM figure f WHERE f.message IN (SELECT seq FROM ",
            " UNION ALL SELECT seq FROM message WHERE receipt = ?4 AND source = ?1 AND state = 0)
             ORDER BY f.message LIMIT 1"
        ))?
        .query_row(params![source, cause, identity::number(cause), receipt], |row| row.get(0))
        .optional()?;
    let Some(first) = first else { return Ok(seq) };
    tx.execute(
        "-- store::figures replace
         UPDATE figure SET replaced = 1 WHERE message = (SELECT latest FROM figure WHERE message = ?1)",
        params![first],
    )?;
    tx.execute(
        "-- store::figures latest
         UPDATE figure SET latest = ?2 WHERE message = ?1",
        params![first, seq],
    )?;
    Ok(first)
}
