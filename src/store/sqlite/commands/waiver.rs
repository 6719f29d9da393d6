//! Waivers that two people make: one asks, another agrees.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::{Target, told, waive};
use crate::store::{Commanded, numbers::us, sqlite::writer::Tx};

/// Remembers who asked and why, until another agrees.
pub(super) fn request(
    tx: &mut Tx<'_, '_>,
    target: &Target,
    reason: &str,
    by: &str,
    now: Timestamp,
) -> rusqlite::Result<Commanded> {
    let is_open = tx
        .prepare(
            "-- store::command open to waive
             SELECT 1 FROM deadline WHERE seq BETWEEN ?1 * 16 AND ?1 * 16 + 15 AND met_at IS NULL AND ended_at IS NULL",
        )?
        .exists([target.seq])?;
    if !is_open {
        return Ok(Commanded::NotNow);
    }
    let fresh = tx.execute(
        "-- store::command request waiver
         INSERT INTO waiver_request (delivery, who, reason, at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (delivery) DO NOTHING",
        params![target.seq, by, reason, us(now)],
    )?;
    if fresh == 0 {
        return Ok(Commanded::Already);
    }
    told(tx, target, by, "waiver_requested", Some(reason), now)
}

/// Waives what another asked for.
pub(super) fn approve(
    tx: &mut Tx<'_, '_>,
    target: &Target,
    by: &str,
    now: Timestamp,
) -> rusqlite::Result<Commanded> {
    let asked: Option<(String, String)> = tx
        .prepare(
            "-- store::command waiver
             SELECT who, reason FROM waiver_request WHERE delivery = ?1",
        )?
        .query_row([target.seq], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((_, reason)) = asked.filter(|(who, _)| who != by) else { return Ok(Commanded::NotNow) };
    tx.execute(
        "-- store::command waiver done
         DELETE FROM waiver_request WHERE delivery = ?1",
        [target.seq],
    )?;
    waive(tx, target, &reason, by, now)
}
