//! What others than lanes brought about, looked up by number.

use rusqlite::{Connection, OptionalExtension};

use crate::store::brought::{Brought, MetPromise, TOLD_MAX, Taken, lead_time};

pub(super) fn brought(connection: &Connection, delivered: &[i64], met: &[i64]) -> rusqlite::Result<Brought> {
    let is_more = delivered.len() + met.len() == TOLD_MAX;
    let mut brought = Brought { is_more, ..Brought::default() };
    let mut find = connection.prepare_cached(
        "-- store::brought delivered
         SELECT m.kind, d.receiver, coalesce(m.occurred_at, m.received_at), d.settled_at
         FROM delivery d JOIN message m ON m.seq = d.seq / 256 WHERE d.seq = ?1 AND d.settled_at IS NOT NULL",
    )?;
    for delivery in delivered {
        let taken = find
            .query_row([delivery], |row| {
                let lead_time = lead_time(row.get(2)?, row.get(3)?);
                Ok(Taken { kind: row.get(0)?, receiver: row.get(1)?, lead_time })
            })
            .optional()?;
        brought.delivered.extend(taken);
    }
    let mut find = connection.prepare_cached(
        "-- store::brought met
         SELECT m.kind, d.receiver, p.met_at > p.due_at, m.received_at >= p.due_at
         FROM deadline p JOIN delivery d ON d.seq = p.seq / 16 JOIN message m ON m.seq = d.seq / 256
         WHERE p.seq = ?1 AND p.met_at IS NOT NULL",
    )?;
    for promise in met {
        let met = find
            .query_row([promise], |row| {
                let (kind, receiver) = (row.get(0)?, row.get(1)?);
                Ok(MetPromise { kind, receiver, is_late: row.get(2)?, came_late: row.get(3)? })
            })
            .optional()?;
        brought.met.extend(met);
    }
    Ok(brought)
}
