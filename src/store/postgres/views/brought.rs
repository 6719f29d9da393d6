//! What others than lanes brought about, looked up by number.

use deadpool_postgres::Client;

use super::rows;
use crate::store::{
    brought::{Brought, MetPromise, TOLD_MAX, Taken, lead_time},
    postgres::{fail::Fail, row::Read},
};

pub(super) async fn brought(client: &Client, delivered: &[i64], met: &[i64]) -> Result<Brought, Fail> {
    let mut brought = Brought { is_more: delivered.len() + met.len() == TOLD_MAX, ..Brought::default() };
    if !delivered.is_empty() {
        let sql = "SELECT m.kind, d.receiver, coalesce(m.occurred_at, m.received_at) AS since, d.settled_at AS until
             FROM delivery d JOIN message m ON m.seq = d.seq / 256
             WHERE d.seq = ANY ($1) AND d.settled_at IS NOT NULL ORDER BY d.seq";
        for row in rows(client, sql, &[&delivered]).await? {
            brought.delivered.push(Taken {
                kind: row.value("kind")?,
                receiver: row.value("receiver")?,
                lead_time: lead_time(row.value("since")?, row.value("until")?),
            });
        }
    }
    if !met.is_empty() {
        let sql =
            "SELECT m.kind, d.receiver, p.met_at > p.due_at AS late, m.received_at >= p.due_at AS came_late
             FROM deadline p JOIN delivery d ON d.seq = p.seq / 16 JOIN message m ON m.seq = d.seq / 256
             WHERE p.seq = ANY ($1) AND p.met_at IS NOT NULL ORDER BY p.seq";
        for row in rows(client, sql, &[&met]).await? {
            brought.met.push(MetPromise {
                kind: row.value("kind")?,
                receiver: row.value("receiver")?,
                is_late: row.value("late")?,
                came_late: row.value("came_late")?,
            });
        }
    }
    Ok(brought)
}
