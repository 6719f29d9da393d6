//! How open promises stand, and what was waived: along indexes that are short or narrow.

use rusqlite::{Connection, params};

use crate::{
    domain::sla::AT_RISK,
    store::{
        ahead::{Ahead, Behind, BehindAsk},
        sqlite::row::{Read, delivery_id, us},
        standing::{OpenPromises, Paused, Waived},
    },
};

pub(super) fn standing(connection: &Connection) -> rusqlite::Result<OpenPromises> {
    let open = "met_at IS NULL AND ended_at IS NULL";
    let count = |name: &str, which: &str| -> rusqlite::Result<i64> {
        let sql =
            format!("-- store::standing {name}\n SELECT count(*) FROM deadline WHERE {which} AND {open}");
        connection.prepare_cached(&sql)?.query_row([], |row| row.get(0))
    };
    let running = count("running", &format!("step < {AT_RISK}"))?;
    let still = count("still", &format!("paused_at IS NOT NULL AND step < {AT_RISK}"))?;
    let sql = format!(
        "-- store::standing paused
         SELECT m.kind, d.receiver, count(*) AS count
         FROM (SELECT seq FROM deadline WHERE paused_at IS NOT NULL AND {open}) p
         JOIN delivery d ON d.seq = p.seq / 16 JOIN message m ON m.seq = d.seq / 256
         GROUP BY m.kind, d.receiver ORDER BY m.kind, d.receiver"
    );
    let paused = connection
        .prepare_cached(&sql)?
        .query_map([], |row| {
            Ok(Paused { kind: row.get("kind")?, receiver: row.get("receiver")?, count: row.get("count")? })
        })?
        .collect::<rusqlite::Result<_>>()?;
    Ok(OpenPromises { on_track: running - still, paused })
}

pub(super) fn waived(connection: &Connection, after: i64, most: u32) -> rusqlite::Result<(Vec<Waived>, i64)> {
    let last: i64 = connection
        .prepare_cached("-- store::waived last\n SELECT coalesce(max(seq), 0) FROM audit")?
        .query_row([], |row| row.get(0))?;
    let waived: Vec<Waived> = connection
        .prepare_cached(
            "-- store::waived
             SELECT a.seq, m.kind, d.receiver, (SELECT count(*) FROM deadline p
                 WHERE p.seq BETWEEN d.seq * 16 AND d.seq * 16 + 15 AND p.waived = 1 AND p.ended_at = a.at) AS count
             FROM audit a JOIN delivery d ON d.seq = CAST(a.data AS INTEGER) JOIN message m ON m.seq = d.seq / 256
             WHERE a.seq > ?1 AND a.seq <= ?2 AND a.what = 'waived' ORDER BY a.seq LIMIT ?3",
        )?
        .query_map(params![after, last, most], |row| {
            Ok(Waived {
                seq: row.get("seq")?,
                kind: row.get("kind")?,
                receiver: row.get("receiver")?,
                count: row.get("count")?,
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    let all = if waived.len() < most as usize { last } else { waived.last().map_or(last, |w| w.seq) };
    Ok((waived, all))
}

pub(super) fn behind(connection: &Connection, ask: &BehindAsk) -> rusqlite::Result<Vec<Behind>> {
    connection
        .prepare_cached(
            "-- store::behind
             SELECT d.seq, d.due_at AS goes_by, m.receipt, m.id, m.kind, p.promise, p.due_at
             FROM (SELECT seq, due_at FROM delivery WHERE receiver = ?1 AND state = 0 AND clocks > 0
                 AND (phase < 2 OR hold = 'order') ORDER BY due_at, seq LIMIT ?4) d
             JOIN clock c ON c.seq BETWEEN d.seq * 16 + 1 AND d.seq * 16 + 15 AND c.state = 1 AND c.awaits IS NULL
             JOIN deadline p ON p.seq = c.seq JOIN message m ON m.seq = d.seq / 256
             WHERE p.met_at IS NULL AND p.ended_at IS NULL AND p.paused_at IS NULL AND p.due_at > ?2 AND p.due_at <= ?3
             ORDER BY p.due_at, p.seq",
        )?
        .query_map(
            params![ask.receiver, us(ask.now), ask.until.map_or(i64::MAX, us), ask.most],
            |row| {
                Ok(Behind {
                    ahead: Ahead {
                        delivery: delivery_id(row.receipt("receipt")?, row.get("seq")?),
                        message_id: row.get("id")?,
                        kind: row.get("kind")?,
                        promise: row.get("promise")?,
                        due: row.instant("due_at")?,
                        promised: true,
                    },
                    goes_by: row.instant("goes_by")?,
                })
            },
        )?
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counting a million open promises runs along one narrow index, and what stands still has one of its own.
    #[test]
    fn what_is_open_is_counted_along_its_indexes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        drop(crate::store::sqlite::Sqlite::open(&path, crate::store::Mode::Daemon).unwrap());
        let connection = Connection::open(&path).unwrap();
        let open = "met_at IS NULL AND ended_at IS NULL";
        for (which, index) in
            [("step < 75", "deadline_near"), ("paused_at IS NOT NULL AND step < 75", "deadline_paused")]
        {
            let sql = format!("EXPLAIN QUERY PLAN SELECT count(*) FROM deadline WHERE {which} AND {open}");
            let plan: String = connection.query_row(&sql, [], |row| row.get("detail")).unwrap();
            assert!(plan.contains(index), "{which}: {plan}");
        }
        let sql = "EXPLAIN QUERY PLAN SELECT seq, due_at FROM delivery WHERE receiver = 'x' AND state = 0 AND clocks > 0
            AND (phase < 2 OR hold = 'order') ORDER BY due_at, seq LIMIT 9";
        let plan: String = connection.query_row(sql, [], |row| row.get("detail")).unwrap();
        assert!(plan.contains("delivery_clocked"), "{plan}");
    }
}
