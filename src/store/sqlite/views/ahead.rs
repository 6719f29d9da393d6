//! A receiver's backlog in deadline order: counted in slices, or delivery by delivery.

use rusqlite::{Connection, Row, params};

use crate::{
    domain::{forecast::Slice, sla::DELIVERED},
    store::{
        ahead::{Ahead, Sliced, SlicesAsk},
        sqlite::row::{Read, delivery_id, us},
    },
};

/// The parts of a backlog, each in the order of its own index.
const PARTS: [&str; 3] = ["phase = 0", "phase = 1", "phase = 2 AND hold = 'order'"];

fn count(row: &Row<'_>, column: &str) -> rusqlite::Result<u64> {
    Ok(row.get::<_, i64>(column)?.unsigned_abs())
}

pub(super) fn slices(connection: &Connection, ask: &SlicesAsk) -> rusqlite::Result<Sliced> {
    let until = ask.until.map_or(i64::MAX, us);
    let counted = PARTS.map(|part| {
        format!(
            "SELECT due_at / ?4 AS slice, min(due_at) AS first, max(due_at) AS last, count(*) AS count FROM delivery
             WHERE receiver = ?1 AND {part} AND due_at > ?2 AND due_at <= ?3 GROUP BY slice"
        )
    });
    let sql = format!(
        "-- store::slices
         SELECT min(first) AS first, max(last) AS last, sum(count) AS count FROM ({}) GROUP BY slice ORDER BY slice",
        counted.join(" UNION ALL ")
    );
    let slices = connection
        .prepare_cached(&sql)?
        .query_map(params![ask.receiver, us(ask.now), until, ask.width.max(1)], |row| {
            Ok(Slice {
                first: row.instant("first")?,
                last: row.instant("last")?,
                count: count(row, "count")?,
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    let counted = PARTS.map(|part| {
        format!("(SELECT count(*) FROM delivery WHERE receiver = ?1 AND {part} AND due_at <= ?2)")
    });
    let sql = format!("-- store::slices overdue\n SELECT {} AS overdue", counted.join(" + "));
    let overdue = connection
        .prepare_cached(&sql)?
        .query_row(params![ask.receiver, us(ask.now)], |row| count(row, "overdue"))?;
    Ok(Sliced { overdue, slices })
}

pub(super) fn ahead(
    connection: &Connection,
    receiver: &str,
    (from, until): (i64, i64),
    most: u32,
) -> rusqlite::Result<Vec<Ahead>> {
    let parts = PARTS.map(|part| {
        format!(
            "SELECT * FROM (SELECT seq, due_at FROM delivery WHERE receiver = ?1 AND {part} AND due_at BETWEEN ?2 AND ?3
             ORDER BY due_at, seq LIMIT ?4)"
        )
    });
    let sql = format!(
        "-- store::ahead
         SELECT d.seq, d.due_at, m.receipt, m.id, m.kind, EXISTS (SELECT 1 FROM deadline p
             WHERE p.seq = d.seq * 16 AND p.met_at IS NULL AND p.ended_at IS NULL) AS promised
         FROM (SELECT * FROM ({}) ORDER BY due_at, seq LIMIT ?4) d JOIN message m ON m.seq = d.seq / 256
         ORDER BY d.due_at, d.seq",
        parts.join(" UNION ALL ")
    );
    connection
        .prepare_cached(&sql)?
        .query_map(params![receiver, from, until, most], |row| {
            Ok(Ahead {
                delivery: delivery_id(row.receipt("receipt")?, row.get("seq")?),
                message_id: row.get("id")?,
                kind: row.get("kind")?,
                promise: DELIVERED.to_owned(),
                due: row.instant("due_at")?,
                promised: row.get("promised")?,
            })
        })?
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each count is of one index, in its order, and reads no row: a million pending are counted in the time that it
    /// takes to run along it. What waits for its next attempt is looked up; it is few, for an open circuit attempts
    /// nothing.
    #[test]
    fn a_backlog_is_counted_along_its_indexes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        drop(crate::store::sqlite::Sqlite::open(&path, crate::store::Mode::Daemon).unwrap());
        let connection = Connection::open(&path).unwrap();
        let plan = |part: &str| -> String {
            let sql = format!(
                "EXPLAIN QUERY PLAN SELECT due_at / ?4 AS slice, min(due_at), max(due_at), count(*) FROM delivery
                 WHERE receiver = ?1 AND {part} AND due_at > ?2 AND due_at <= ?3 GROUP BY slice"
            );
            let mut statement = connection.prepare(&sql).unwrap();
            let rows =
                statement.query_map(params!["kbh", 0, 1, 1], |row| row.get::<_, String>("detail")).unwrap();
            rows.map(Result::unwrap).collect::<Vec<_>>().join("; ")
        };
        for (part, index) in PARTS.iter().zip(["delivery_ready", "delivery_waiting", "delivery_held"]) {
            let plan = plan(part);
            assert!(plan.starts_with("SEARCH delivery USING") && plan.contains(index), "{part}: {plan}");
            if *part != "phase = 1" {
                assert!(plan.contains("COVERING INDEX"), "{part}: {plan}");
            }
        }
    }
}
