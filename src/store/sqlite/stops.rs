//! What is remembered of placements and caps, and what that stops.

use rusqlite::{OptionalExtension, params};

use super::{
    identity::{self, by_identity},
    row::{Read, us},
    writer::Tx,
};
use crate::{
    domain::placement::{Away, Bearing},
    store::{
        Accepted, Admission,
        stops::{Remembered, Stop, concerns},
    },
};

/// What stops a message that is sound by itself.
pub(super) fn stops(
    tx: &Tx<'_, '_>,
    message: &Accepted,
    admission: &Admission,
) -> rusqlite::Result<Option<Stop>> {
    if !concerns(message) {
        return Ok(None);
    }
    Ok(remembered(tx, message)?.stops(&[admission]).remove(&0))
}

fn remembered(tx: &Tx<'_, '_>, message: &Accepted) -> rusqlite::Result<Remembered> {
    let mut remembered = Remembered::default();
    if let Some((placed, _)) = message.bearing {
        let away = tx
            .prepare(
                "-- store::placement
                 SELECT opted_out, special FROM placement WHERE key = ?1",
            )?
            .query_row([&placed.0[..]], |row| {
                let (opted_out, special) =
                    (row.instant_or_none("opted_out")?, row.instant_or_none("special")?);
                Ok(Away { opted_out, special })
            })
            .optional()?;
        remembered.away.extend(away.map(|away| (placed, away)));
    }
    if let Some(spend) = &message.spends {
        let spent = tx
            .prepare(
                "-- store::spent
                 SELECT oere FROM spent WHERE sum = ?1",
            )?
            .query_row([&spend.sum], |row| row.get(0))
            .optional()?;
        remembered.spent.extend(spent.map(|spent| (spend.sum.clone(), spent)));
    }
    let identity = (message.envelope.source.to_string(), message.envelope.id.to_string());
    let is_taken = tx
        .prepare(by_identity!(
            "-- store::placement taken
             SELECT 1 FROM ",
            ""
        ))?
        .exists(params![identity.0, identity.1, identity::number(&identity.1)])?;
    remembered.taken.extend(is_taken.then_some(identity));
    Ok(remembered)
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
