//! Second ways that were let go.

use jiff::Timestamp;
use rusqlite::Connection;

use crate::store::{
    sqlite::row::{Read, us},
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
