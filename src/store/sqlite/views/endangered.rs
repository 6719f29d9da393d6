//! Promises in danger: counted in groups, over ranges of the indices of what is open.

use std::fmt::Write as _;

use rusqlite::{Connection, params_from_iter};

use crate::{
    domain::{ladder::Reach, sla::AT_RISK},
    store::{
        numbers::{delivery_id, us},
        sqlite::{clocks, row::Read},
        views::{Endangered, WaiverRequest},
    },
};

pub(super) fn endangered(connection: &Connection, reach: &Reach) -> rusqlite::Result<Vec<Endangered>> {
    // How many of the instants it is due after: those between the same two are one group.
    let mut band = "0".to_owned();
    for place in 1..=reach.due.len() {
        write!(band, " + (p.due_at > ?{place})").expect("a String takes everything");
    }
    let last = reach.due.len();
    let columns = "SELECT seq, promise, step, starts_at, due_at, at_50, at_75, at_90 FROM deadline";
    // What stands still endangers nobody.
    let open = "met_at IS NULL AND ended_at IS NULL AND paused_at IS NULL";
    let mut of = format!("{columns} WHERE step >= {AT_RISK} AND {open}");
    if last > 0 {
        write!(of, " UNION ALL {columns} WHERE step < {AT_RISK} AND {open} AND due_at <= ?{last}")
            .expect("a String takes everything");
    }
    if reach.share < AT_RISK {
        write!(of, " UNION ALL {columns} WHERE step = 50 AND {open}").expect("a String takes everything");
        if last > 0 {
            write!(of, " AND due_at > ?{last}").expect("a String takes everything");
        }
    }
    // SQLite takes bare columns from the row that gave the minimum.
    let sql = format!(
        "-- store::endangered
         SELECT d.receiver, m.kind, m.agreement, p.promise, p.step, {band} AS band, count(*) AS count,
             min(p.due_at) AS earliest, p.starts_at, p.due_at, p.at_50, p.at_75, p.at_90, m.receipt
         FROM ({of}) p JOIN delivery d ON d.seq = p.seq / 16 JOIN message m ON m.seq = d.seq / 256
         GROUP BY d.receiver, m.kind, m.agreement, p.promise, p.step, band
         ORDER BY earliest, d.receiver, m.kind, m.agreement, p.promise"
    );
    let reaches = |group: &Endangered| {
        group.step >= reach.share || reach.due.last().is_some_and(|last| group.earliest <= *last)
    };
    let groups: rusqlite::Result<Vec<Endangered>> = connection
        .prepare_cached(&sql)?
        .query_map(params_from_iter(reach.due.iter().map(|at| us(*at))), |row| {
            Ok(Endangered {
                receiver: row.get("receiver")?,
                kind: row.get("kind")?,
                agreement: row.get("agreement")?,
                promise: row.get("promise")?,
                step: row.get("step")?,
                count: row.get("count")?,
                earliest: row.instant("earliest")?,
                course: clocks::course(row)?,
                example: row.receipt("receipt")?,
            })
        })?
        .collect();
    Ok(groups?.into_iter().filter(reaches).collect())
}

pub(super) fn waiver_requests(connection: &Connection) -> rusqlite::Result<Vec<WaiverRequest>> {
    connection
        .prepare_cached(
            "-- store::waiver_requests
             SELECT w.delivery, w.who, w.reason, w.at, d.receiver, m.kind, m.receipt FROM waiver_request w
             JOIN delivery d ON d.seq = w.delivery JOIN message m ON m.seq = w.delivery / 256
             WHERE EXISTS (SELECT 1 FROM deadline p WHERE p.seq BETWEEN w.delivery * 16 AND w.delivery * 16 + 15
                 AND p.met_at IS NULL AND p.ended_at IS NULL)
             ORDER BY w.at, w.delivery",
        )?
        .query_map([], |row| {
            Ok(WaiverRequest {
                delivery_id: delivery_id(row.receipt("receipt")?, row.get("delivery")?),
                kind: row.get("kind")?,
                receiver: row.get("receiver")?,
                by: row.get("who")?,
                reason: row.get("reason")?,
                at: row.instant("at")?,
            })
        })?
        .collect()
}
