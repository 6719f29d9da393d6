//! Second ways that were let go, and those that a forecast may let go.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use crate::store::{
    ahead::{Standby, StandbyAsk},
    sqlite::row::{Read, delivery_id, us},
    views::Fallbacks,
};

pub(super) fn fallbacks(connection: &Connection, since: Timestamp) -> rusqlite::Result<Vec<Fallbacks>> {
    connection
        .prepare_cached(
            "-- store::fallbacks
             SELECT g.*, m.receipt FROM (
                 SELECT o.receiver AS first, d.receiver AS second, count(*) AS count, sum(d.state = 0) AS pending,
                     min(d.released_at) AS earliest, max(d.seq) AS latest
                 FROM delivery d JOIN delivery o ON o.seq = d.other_way WHERE d.released_at > ?1
                 GROUP BY o.receiver, d.receiver) AS g
             JOIN message m ON m.seq = g.latest / 256 ORDER BY g.first, g.second",
        )?
        .query_map([us(since)], |row| {
            Ok(Fallbacks {
                first: row.get("first")?,
                second: row.get("second")?,
                count: row.get("count")?,
                pending: row.get("pending")?,
                since: row.instant("earliest")?,
                example: row.receipt("receipt")?,
            })
        })?
        .collect()
}

pub(super) fn standbys(connection: &Connection, ask: &StandbyAsk) -> rusqlite::Result<Vec<Standby>> {
    let StandbyAsk { first, now, from, until, most } = ask;
    connection
        .prepare_cached(
            "-- store::standbys
             SELECT d.seq, d.due_at, d.other_way, m.receipt FROM delivery d INDEXED BY delivery_early
             JOIN delivery o ON o.seq = d.other_way JOIN message m ON m.seq = d.seq / 256
             WHERE d.hold = 'fallback' AND d.first_receiver = ?1 AND d.early_at <= ?2 AND d.due_at BETWEEN ?3 AND ?4
                 AND o.state = 0 AND (o.hold IS NULL OR o.hold = 'order')
             ORDER BY d.early_at, d.due_at, d.seq LIMIT ?5",
        )?
        .query_map(params![first, us(*now), us(*from), us(*until), most], |row| {
            Ok(Standby {
                number: row.get("seq")?,
                first: delivery_id(row.receipt("receipt")?, row.get("other_way")?),
                due: row.instant("due_at")?,
            })
        })?
        .collect()
}
