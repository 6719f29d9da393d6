//! Second ways that were let go, and those that a forecast may let go.

use deadpool_postgres::Client;
use jiff::Timestamp;
use tokio_postgres::Row;

use super::rows;
use crate::store::{
    ahead::{Standby, StandbyAsk},
    numbers::{delivery_id, us},
    postgres::{fail::Fail, row::Read},
    views::Fallbacks,
};

pub(super) async fn fallbacks(client: &Client, since: Timestamp) -> Result<Vec<Fallbacks>, Fail> {
    let rows = rows(
        client,
        "SELECT g.*, m.receipt FROM (
             SELECT o.receiver AS first, d.receiver AS second, count(*) AS count,
                 count(*) FILTER (WHERE d.state = 0) AS pending, min(d.released_at) AS earliest, max(d.seq) AS latest
             FROM delivery d JOIN delivery o ON o.seq = d.other_way WHERE d.released_at > $1
             GROUP BY o.receiver, d.receiver) AS g
         JOIN message m ON m.seq = g.latest / 256 ORDER BY g.first, g.second",
        &[&us(since)],
    )
    .await?;
    let read = |row: &Row| {
        Ok(Fallbacks {
            first: row.value("first")?,
            second: row.value("second")?,
            count: row.value("count")?,
            pending: row.value("pending")?,
            since: row.instant("earliest")?,
            example: row.receipt("receipt")?,
        })
    };
    rows.iter().map(read).collect()
}

pub(super) async fn standbys(client: &Client, ask: &StandbyAsk) -> Result<Vec<Standby>, Fail> {
    let StandbyAsk { first, now, from, until, most } = ask;
    let rows = rows(
        client,
        "SELECT d.seq, d.due_at, d.other_way, m.receipt FROM delivery d
         JOIN delivery o ON o.seq = d.other_way JOIN message m ON m.seq = d.seq / 256
         WHERE d.hold = 'fallback' AND d.first_receiver = $1 AND d.early_at <= $2 AND d.due_at BETWEEN $3 AND $4
             AND o.state = 0 AND (o.hold IS NULL OR o.hold = 'order')
         ORDER BY d.early_at, d.due_at, d.seq LIMIT $5",
        &[first, &us(*now), &us(*from), &us(*until), &i64::from(*most)],
    )
    .await?;
    let read = |row: &Row| {
        Ok(Standby {
            number: row.value("seq")?,
            first: delivery_id(row.receipt("receipt")?, row.value("other_way")?),
            due: row.instant("due_at")?,
        })
    };
    rows.iter().map(read).collect()
}
