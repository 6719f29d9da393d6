//! Who is placed with an a-kasse, as far as messages tell; and what is spent.

use rusqlite::{OptionalExtension, params};

use super::{
    row::{Read, us},
    writer::Tx,
};
use crate::{
    domain::placement::{Bearing, Stop, stop},
    store::Accepted,
};

/// What stops a message that is sound by itself. One that was taken before is none that could be stopped.
pub(super) fn stops(tx: &Tx<'_, '_>, message: &Accepted) -> rusqlite::Result<Option<Stop>> {
    let stop = match not_placed(tx, message)? {
        None if passes(tx, message)? => Stop::Cap,
        None => return Ok(None),
        Some(stop) => stop,
    };
    let known = tx
        .prepare(
            "-- store::placement known
             SELECT 1 FROM message WHERE source = ?1 AND id = ?2 AND state = 0",
        )?
        .exists(params![message.envelope.source.to_string(), message.envelope.id.as_str()])?;
    Ok((!known).then_some(stop))
}

/// Whether it would pass its cap.
fn passes(tx: &Tx<'_, '_>, message: &Accepted) -> rusqlite::Result<bool> {
    let Some(spend) = &message.spends else { return Ok(false) };
    let so_far: Option<i64> = tx
        .prepare(
            "-- store::spent
             SELECT oere FROM spent WHERE sum = ?1",
        )?
        .query_row([&spend.sum], |row| row.get(0))
        .optional()?;
    Ok(spend.passes(so_far.unwrap_or(0)))
}

/// What stops a message of a placement.
fn not_placed(tx: &Tx<'_, '_>, message: &Accepted) -> rusqlite::Result<Option<Stop>> {
    let Some((placed, Bearing::Within)) = message.bearing else { return Ok(None) };
    let found = tx
        .prepare(
            "-- store::placement
             SELECT opted_out, special FROM placement WHERE key = ?1",
        )?
        .query_row([&placed.0[..]], |row| {
            Ok((row.instant_or_none("opted_out")?, row.instant_or_none("special")?))
        })
        .optional()?;
    Ok(found.and_then(|(opted_out, special)| stop(opted_out, special, message.envelope.time)))
}

/// What the accepted message with the number `seq` changes.
pub(super) fn changes(tx: &Tx<'_, '_>, seq: i64, message: &Accepted) -> rusqlite::Result<()> {
    if let Some(spend) = &message.spends {
        tx.execute(
            "-- store::spent more
             INSERT INTO spent (sum, oere) VALUES (?1, ?2) ON CONFLICT (sum) DO UPDATE SET oere = oere + ?2",
            params![spend.sum, spend.price],
        )?;
    }
    let Some((placed, bearing)) = message.bearing else { return Ok(()) };
    let key = &placed.0[..];
    match bearing {
        Bearing::Within => {}
        Bearing::OptsOut(from) => {
            tx.execute(
                "-- store::placement opted out
                 INSERT INTO placement (key, opted_out, message) VALUES (?1, ?2, ?3)
                 ON CONFLICT (key) DO UPDATE SET opted_out = ?2, message = ?3",
                params![key, us(from), seq],
            )?;
        }
        Bearing::OptsIn => {
            tx.execute(
                "-- store::placement opted in
                 UPDATE placement SET opted_out = NULL, message = ?2 WHERE key = ?1",
                params![key, seq],
            )?;
        }
        Bearing::SpecialEffort(Some(from)) => {
            tx.execute(
                "-- store::placement special
                 INSERT INTO placement (key, special, message) VALUES (?1, ?2, ?3)
                 ON CONFLICT (key) DO UPDATE SET special = ?2, message = ?3",
                params![key, us(from), seq],
            )?;
        }
        Bearing::SpecialEffort(None) => {
            tx.execute(
                "-- store::placement not special
                 UPDATE placement SET special = NULL, message = ?2 WHERE key = ?1 AND special IS NOT NULL",
                params![key, seq],
            )?;
        }
    }
    Ok(())
}
