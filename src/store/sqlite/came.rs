//! What promises wait for and has come, as this engine keeps it. What it means is in [`crate::store::clocks::came`].

use rusqlite::{OptionalExtension, params};
use uuid::Uuid;

use super::{
    identity::{self, by_identity},
    row::{Read, us},
    writer::Tx,
};
use crate::{
    domain::{ReceiptId, placement::Placed},
    store::{
        Accepted, Meets,
        clocks::came::{CAME_MAX, Came},
    },
};

/// Writes that the message came, where a promise may wait for it.
pub(super) fn write(tx: &Tx<'_, '_>, seq: i64, message: &Accepted) -> rusqlite::Result<()> {
    let Some(Meets { about, happened }) = message.meets else { return Ok(()) };
    tx.execute(
        "-- store::came
         INSERT INTO came (message, about, kind, first, happened_at, received_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            seq,
            about.0,
            message.envelope.kind.name.as_str(),
            first(tx, seq, message, about)?,
            happened.map(us),
            us(message.arrived.received),
        ],
    )?;
    Ok(())
}

/// The first record of the thing that the message tells of: its own number, or that of what it corrects.
fn first(tx: &Tx<'_, '_>, seq: i64, message: &Accepted, about: Placed) -> rusqlite::Result<i64> {
    let Some(cause) = &message.envelope.causation_id else { return Ok(seq) };
    // A person's correction names the receipt, a sender its own id.
    let receipt = cause.parse::<Uuid>().ok().map(|id| ReceiptId::from_fresh(id).uuid().into_bytes());
    let first = tx
        .prepare(by_identity!(
            "-- store::came first
             SELECT first FROM came WHERE about = ?5 AND kind = ?6 AND message IN (SELECT seq FROM ",
            " UNION ALL SELECT seq FROM message WHERE receipt = ?4 AND source = ?1 AND state = 0)
             ORDER BY message LIMIT 1"
        ))?
        .query_row(
            params![
                message.envelope.source.to_string(),
                cause,
                identity::number(cause),
                receipt,
                about.0,
                message.envelope.kind.name.as_str()
            ],
            |row| row.get(0),
        )
        .optional()?;
    Ok(first.unwrap_or(seq))
}

/// What has come about a citizen, in its order; of very much the latest.
pub(super) fn about(tx: &Tx<'_, '_>, about: Placed, kind: &str) -> rusqlite::Result<Vec<Came>> {
    let mut came: Vec<Came> = tx
        .prepare(
            "-- store::came about
             SELECT c.message, c.first, c.happened_at, c.received_at, m.receipt
             FROM came c JOIN message m ON m.seq = c.message WHERE c.about = ?1 AND c.kind = ?2
             ORDER BY c.message DESC LIMIT ?3",
        )?
        .query_map(params![about.0, kind, CAME_MAX], |row| {
            Ok(Came {
                message: row.get("message")?,
                first: row.get("first")?,
                receipt: row.receipt("receipt")?.to_string(),
                happened: row.instant_or_none("happened_at")?,
                received: row.instant("received_at")?,
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    came.reverse();
    Ok(came)
}
