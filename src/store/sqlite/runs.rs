//! When a gateway was up.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::{
    row::{Read, us},
    writer::Tx,
};
use crate::store::{Beat, clocks::RUNS_KEPT, views::RunView};

/// Says that the run is up; its first word forgets runs that nobody asks for any more.
pub(super) fn beat(tx: &Tx<'_, '_>, beat: &Beat) -> rusqlite::Result<()> {
    let run = beat.run.as_bytes();
    let known = tx.execute(
        "-- store::beat
         UPDATE run SET seen_at = max(seen_at, ?2), in_order = ?3 WHERE id = ?1",
        params![run, us(beat.now), beat.ends],
    )?;
    if known == 1 {
        return Ok(());
    }
    tx.execute(
        "-- store::beat first
         INSERT INTO run (id, node, started_at, seen_at, in_order) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![run, beat.node, us(beat.started), us(beat.now), beat.ends],
    )?;
    let kept = beat.now.checked_sub(RUNS_KEPT).unwrap_or(Timestamp::MIN);
    tx.execute(
        "-- store::beat forget
         DELETE FROM run WHERE seen_at < ?1",
        [us(kept)],
    )?;
    Ok(())
}

/// The runs that were up at some time from `from` on, and the first of all.
pub(super) fn since(connection: &Connection, from: Timestamp) -> rusqlite::Result<Vec<RunView>> {
    connection
        .prepare_cached(
            "-- store::runs
             SELECT started_at, seen_at, in_order FROM run
             WHERE seen_at >= ?1 OR started_at = (SELECT min(started_at) FROM run) ORDER BY started_at",
        )?
        .query_map([us(from)], |row| {
            Ok(RunView {
                started: row.instant("started_at")?,
                seen: row.instant("seen_at")?,
                in_order: row.get("in_order")?,
            })
        })?
        .collect()
}
