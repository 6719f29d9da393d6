//! What lies ahead of each receiver: its backlog in deadline order.

use deadpool_postgres::Client;
use tokio_postgres::Row;

use super::{row, rows};
use crate::{
    domain::{forecast::Slice, sla::DELIVERED},
    store::{
        ahead::{Ahead, Sliced, SlicesAsk},
        numbers::{delivery_id, us},
        postgres::{fail::Fail, row::Read},
    },
};

/// The parts of a backlog, each in the order of its own index.
const PARTS: [&str; 3] = ["phase = 0", "phase = 1", "phase = 2 AND hold = 'order'"];

fn unsigned(row: &Row, column: &'static str) -> Result<u64, Fail> {
    Ok(row.value::<i64>(column)?.unsigned_abs())
}

pub(super) async fn slices(client: &Client, ask: &SlicesAsk) -> Result<Sliced, Fail> {
    let (now, until, width) = (us(ask.now), ask.until.map_or(i64::MAX, us), ask.width.max(1));
    let counted = PARTS.map(|part| {
        format!(
            "SELECT due_at / $4::bigint AS slice, min(due_at) AS first, max(due_at) AS last, count(*) AS count FROM delivery
             WHERE receiver = $1 AND {part} AND due_at > $2 AND due_at <= $3 GROUP BY 1"
        )
    });
    let sql = format!(
        "SELECT min(first) AS first, max(last) AS last, sum(count)::bigint AS count FROM ({}) AS part
         GROUP BY slice ORDER BY slice",
        counted.join(" UNION ALL ")
    );
    let read = |row: &Row| {
        Ok(Slice { first: row.instant("first")?, last: row.instant("last")?, count: unsigned(row, "count")? })
    };
    let found = rows(client, &sql, &[&ask.receiver, &now, &until, &width]).await?;
    let slices = found.iter().map(read).collect::<Result<_, Fail>>()?;
    let counted = PARTS.map(|part| {
        format!("(SELECT count(*) FROM delivery WHERE receiver = $1 AND {part} AND due_at <= $2)")
    });
    let sql = format!("SELECT {} AS overdue", counted.join(" + "));
    let found = row(client, &sql, &[&ask.receiver, &now]).await?;
    Ok(Sliced { overdue: found.map_or(Ok(0), |row| unsigned(&row, "overdue"))?, slices })
}

pub(super) async fn ahead(
    client: &Client,
    receiver: &str,
    (from, until): (i64, i64),
    most: u32,
) -> Result<Vec<Ahead>, Fail> {
    let parts = PARTS.map(|part| {
        format!(
            "(SELECT seq, due_at FROM delivery WHERE receiver = $1 AND {part} AND due_at BETWEEN $2 AND $3
             ORDER BY due_at, seq LIMIT $4)"
        )
    });
    let sql = format!(
        "SELECT d.seq, d.due_at, m.receipt, m.id, m.kind, EXISTS (SELECT 1 FROM deadline p
             WHERE p.seq = d.seq * 16 AND p.met_at IS NULL AND p.ended_at IS NULL) AS promised
         FROM (SELECT * FROM ({}) AS part ORDER BY due_at, seq LIMIT $4) d JOIN message m ON m.seq = d.seq / 256
         ORDER BY d.due_at, d.seq",
        parts.join(" UNION ALL ")
    );
    let read = |row: &Row| {
        Ok(Ahead {
            delivery: delivery_id(row.receipt("receipt")?, row.value("seq")?),
            message_id: row.value("id")?,
            kind: row.value("kind")?,
            promise: DELIVERED.to_owned(),
            due: row.instant("due_at")?,
            promised: row.value("promised")?,
        })
    };
    rows(client, &sql, &[&receiver, &from, &until, &i64::from(most)]).await?.iter().map(read).collect()
}
