//! What lanes measured, and when their receivers are in maintenance.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    commands::audit,
    row::{Read, json, us},
    writer::Tx,
};
use crate::{
    domain::{
        circuit::Circuit,
        maintenance::Maintenance,
        pace::{Pace, Paced},
    },
    store::{
        Commanded,
        ahead::{Maintain, WINDOWS_MAX},
    },
};

/// Keeps the latest pace of each lane.
pub(super) fn save_paces(
    tx: &mut Tx<'_, '_>,
    paces: &[(String, Pace)],
    now: Timestamp,
) -> rusqlite::Result<()> {
    for (receiver, pace) in paces {
        tx.execute(
            "-- store::save_pace
             INSERT INTO pace (receiver, per_second, busy, able, took, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (receiver) DO UPDATE SET per_second = ?2, busy = ?3, able = ?4, took = ?5, at = ?6",
            params![receiver, pace.per_second, pace.busy, pace.able, pace.took, us(now)],
        )?;
    }
    Ok(())
}

/// A person says that the receiver is back: where its circuit is open it is probed at once.
pub(super) fn probe_now(tx: &Tx<'_, '_>, receiver: &str, now: Timestamp) -> rusqlite::Result<()> {
    let circuit = tx
        .prepare("-- store::circuit of a receiver\n SELECT circuit FROM lane WHERE receiver = ?1")?
        .query_row([receiver], |row| json::<Circuit>(row, "circuit"))
        .optional()?;
    if let Some(mut circuit) = circuit.flatten().filter(Circuit::is_open) {
        circuit.probe_now(now);
        tx.execute(
            "-- store::probe now\n UPDATE lane SET circuit = ?2 WHERE receiver = ?1",
            params![receiver, crate::store::json(&circuit)],
        )?;
    }
    Ok(())
}

pub(super) fn paces(connection: &Connection) -> rusqlite::Result<Vec<Paced>> {
    connection
        .prepare_cached(
            "-- store::paces
             SELECT receiver, per_second, busy, able, took, at FROM pace ORDER BY receiver",
        )?
        .query_map([], |row| {
            Ok(Paced {
                receiver: row.get("receiver")?,
                pace: Pace {
                    per_second: row.get("per_second")?,
                    busy: row.get("busy")?,
                    able: row.get("able")?,
                    took: row.get("took")?,
                },
                at: row.instant("at")?,
            })
        })?
        .collect()
}

/// Adds a window or takes all away; those that are over are forgotten, and stand in the audit.
pub(super) fn maintain(tx: &mut Tx<'_, '_>, asked: &Maintain, now: Timestamp) -> rusqlite::Result<Commanded> {
    tx.execute(
        "-- store::maintenance over
         DELETE FROM maintenance WHERE until_at <= ?1",
        [us(now)],
    )?;
    let changed = match asked {
        Maintain::Plan(window) => {
            let left: i64 = tx
                .prepare(
                    "-- store::maintenance count
                     SELECT count(*) FROM maintenance WHERE receiver = ?1",
                )?
                .query_row([&window.receiver], |row| row.get(0))?;
            if left >= WINDOWS_MAX || window.until <= now.max(window.from) {
                return Ok(Commanded::NotNow);
            }
            tx.execute(
                "-- store::maintain
                 INSERT INTO maintenance (receiver, from_at, until_at, reason, who) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT DO NOTHING",
                params![window.receiver, us(window.from), us(window.until), window.reason, window.by],
            )?
        }
        Maintain::Cancel { receiver, .. } => tx.execute(
            "-- store::maintenance cancel
             DELETE FROM maintenance WHERE receiver = ?1",
            [receiver],
        )?,
    };
    if changed == 0 {
        return Ok(Commanded::Already);
    }
    let (by, what, about) = asked.told();
    audit(tx, by, what, &about, now)?;
    Ok(Commanded::Done)
}

pub(super) fn maintenance(connection: &Connection) -> rusqlite::Result<Vec<Maintenance>> {
    connection
        .prepare_cached(
            "-- store::maintenance
             SELECT receiver, from_at, until_at, reason, who FROM maintenance ORDER BY receiver, from_at, until_at",
        )?
        .query_map([], |row| {
            Ok(Maintenance {
                receiver: row.get("receiver")?,
                from: row.instant("from_at")?,
                until: row.instant("until_at")?,
                reason: row.get("reason")?,
                by: row.get("who")?,
            })
        })?
        .collect()
}
