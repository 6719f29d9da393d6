//! Second ways that were let go.

use deadpool_postgres::Client;
use jiff::Timestamp;
use tokio_postgres::Row;

use super::rows;
use crate::store::{
    numbers::us,
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
