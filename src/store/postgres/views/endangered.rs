//! Promises in danger: counted in groups, over ranges of the indices of what is open.

use deadpool_postgres::Client;
use jiff::Timestamp;
use tokio_postgres::Row;

use super::rows;
use crate::{
    domain::{ladder::Reach, sla::AT_RISK},
    store::{
        numbers::{delivery_id, us},
        postgres::{clocks, fail::Fail, row::Read},
        views::{Endangered, WaiverRequest},
    },
};

pub(super) async fn endangered(client: &Client, reach: &Reach) -> Result<Vec<Endangered>, Fail> {
    let due: Vec<i64> = reach.due.iter().map(|at| us(*at)).collect();
    let last = reach.due.last().copied();
    let columns = "SELECT seq, promise, step, starts_at, due_at, at_50, at_75, at_90 FROM deadline";
    // What stands still endangers nobody.
    let open = "met_at IS NULL AND ended_at IS NULL AND paused_at IS NULL";
    // What has half its time used is counted only where a ladder asks for it.
    let half = if reach.share < AT_RISK {
        format!(" UNION ALL {columns} WHERE step = 50 AND {open} AND ($2::bigint IS NULL OR due_at > $2)")
    } else {
        String::new()
    };
    // How many of the instants it is due after: those between the same two are one group.
    let sql = format!(
        "SELECT d.receiver, m.kind, m.agreement, p.promise, p.step,
             (SELECT count(*) FROM unnest($1::bigint[]) t WHERE t < p.due_at) AS band, count(*) AS count,
             min(p.due_at) AS earliest, (array_agg(p.starts_at ORDER BY p.due_at, p.seq))[1] AS starts_at, min(p.due_at) AS due_at,
             (array_agg(p.at_50 ORDER BY p.due_at, p.seq))[1] AS at_50,
             (array_agg(p.at_75 ORDER BY p.due_at, p.seq))[1] AS at_75,
             (array_agg(p.at_90 ORDER BY p.due_at, p.seq))[1] AS at_90,
             (array_agg(m.receipt ORDER BY p.due_at, p.seq))[1] AS receipt
         FROM ({columns} WHERE step >= {AT_RISK} AND {open}
             UNION ALL {columns} WHERE step < {AT_RISK} AND {open} AND due_at <= $2{half}) p
         JOIN delivery d ON d.seq = p.seq / 16 JOIN message m ON m.seq = d.seq / 256
         GROUP BY 1, 2, 3, 4, 5, 6
         ORDER BY earliest, d.receiver, m.kind, m.agreement NULLS FIRST, p.promise"
    );
    let rows = rows(client, &sql, &[&due, &last.map(us)]).await?;
    let groups: Result<Vec<Endangered>, Fail> = rows.iter().map(group).collect();
    let reaches = |group: &Endangered| {
        group.step >= reach.share || last.is_some_and(|last: Timestamp| group.earliest <= last)
    };
    Ok(groups?.into_iter().filter(reaches).collect())
}

fn group(row: &Row) -> Result<Endangered, Fail> {
    Ok(Endangered {
        receiver: row.value("receiver")?,
        kind: row.value("kind")?,
        agreement: row.value("agreement")?,
        promise: row.value("promise")?,
        step: row.small("step")?,
        count: row.value("count")?,
        earliest: row.instant("earliest")?,
        course: clocks::course(row)?,
        example: row.receipt("receipt")?,
    })
}

pub(super) async fn waiver_requests(client: &Client) -> Result<Vec<WaiverRequest>, Fail> {
    let rows = rows(
        client,
        "SELECT w.delivery, w.who, w.reason, w.at, d.receiver, m.kind, m.receipt FROM waiver_request w
         JOIN delivery d ON d.seq = w.delivery JOIN message m ON m.seq = w.delivery / 256
         WHERE EXISTS (SELECT 1 FROM deadline p WHERE p.seq BETWEEN w.delivery * 16 AND w.delivery * 16 + 15
             AND p.met_at IS NULL AND p.ended_at IS NULL)
         ORDER BY w.at, w.delivery",
        &[],
    )
    .await?;
    let read = |row: &Row| {
        Ok(WaiverRequest {
            delivery_id: delivery_id(row.receipt("receipt")?, row.value("delivery")?),
            kind: row.value("kind")?,
            receiver: row.value("receiver")?,
            by: row.value("who")?,
            reason: row.value("reason")?,
            at: row.instant("at")?,
        })
    };
    rows.iter().map(read).collect()
}
