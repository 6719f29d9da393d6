//! Marks around a redelivered message while it is judged, so that a crash leaves a trace.

use rusqlite::{OptionalExtension, params};

use super::{row::us, writer::Tx};
use crate::store::InHand;

/// How often the message was already in hand when the process ended.
pub(super) fn take(tx: &mut Tx<'_, '_>, mark: &InHand) -> rusqlite::Result<u32> {
    let before: Option<u32> = tx
        .prepare(
            "-- store::take_in_hand
             SELECT times FROM in_hand WHERE key = ?1",
        )?
        .query_row([mark.key], |row| row.get(0))
        .optional()?;
    tx.execute(
        "-- store::take_in_hand
         INSERT INTO in_hand (key, way, party, first_at, times) VALUES (?1, ?2, ?3, ?4, 1)
         ON CONFLICT (key) DO UPDATE SET times = times + 1",
        params![mark.key, mark.way.name(), mark.party, us(mark.now)],
    )?;
    Ok(before.unwrap_or(0))
}

pub(super) fn put_down(tx: &mut Tx<'_, '_>, key: &[u8; 32]) -> rusqlite::Result<()> {
    tx.execute(
        "-- store::put_down
         DELETE FROM in_hand WHERE key = ?1",
        [key],
    )?;
    Ok(())
}
