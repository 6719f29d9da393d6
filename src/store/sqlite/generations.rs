//! Configurations, nodes, and promises that get another deadline.

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params, types::Type};
use serde_json::Value;

use super::{
    Sqlite,
    accept::log_event,
    clocks,
    commands::audit,
    row::{DEADLINES, Read, json, message_of, unreadable, us},
    writer::Tx,
};
use crate::store::{
    StoreError,
    generations::{
        self, ASK_FORGOTTEN, Generation, Generations, How, KeptGeneration, NODE_FORGOTTEN, NewGeneration,
        NodeReport, OpenPromise, Order, PromisePlace, Recompute, ReloadAsked,
    },
    json as text,
};

impl Generations for Sqlite {
    fn configure(&self, order: Order) -> BoxFuture<'_, Result<i64, StoreError>> {
        self.write(move |tx| perform(tx, &order))
    }

    fn generations(&self, most: u32) -> BoxFuture<'_, Result<Vec<Generation>, StoreError>> {
        self.readers.read(move |c| {
            c.prepare_cached(
                "-- store::generations
                 SELECT number, hash, activated_at, who, how, repeats, node FROM generation ORDER BY number DESC LIMIT ?1",
            )?
            .query_map([most], line)?
            .collect()
        })
    }

    fn generation(&self, number: Option<u64>) -> BoxFuture<'_, Result<Option<KeptGeneration>, StoreError>> {
        let number = number.map(|number| i64::try_from(number).unwrap_or(i64::MAX));
        self.readers.read(move |c| {
            c.prepare_cached(
                "-- store::generation
                 SELECT * FROM generation WHERE ?1 IS NULL OR number = ?1 ORDER BY number DESC LIMIT 1",
            )?
            .query_row([number], |row| {
                Ok(KeptGeneration {
                    line: line(row)?,
                    source: json(row, "source")?.unwrap_or_default(),
                    effective: json(row, "effective")?.unwrap_or_default(),
                })
            })
            .optional()
        })
    }

    fn nodes(&self) -> BoxFuture<'_, Result<Vec<NodeReport>, StoreError>> {
        self.readers.read(nodes)
    }

    fn reload_asked(
        &self,
        node: String,
        after: i64,
    ) -> BoxFuture<'_, Result<Option<ReloadAsked>, StoreError>> {
        self.readers.read(move |c| {
            c.prepare_cached(
                "-- store::reload_asked
                 SELECT * FROM reload_ask WHERE seq > ?2 AND (node IS NULL OR node = ?1) ORDER BY seq DESC LIMIT 1",
            )?
            .query_row(params![node, after], |row| {
                Ok(ReloadAsked {
                    seq: row.get("seq")?,
                    at: row.instant("at")?,
                    by: row.get("who")?,
                    how: how(row)?,
                    of: number_or_none(row, "repeats")?,
                    node: row.get("node")?,
                })
            })
            .optional()
        })
    }

    fn open_promises(
        &self,
        after: PromisePlace,
        most: u32,
    ) -> BoxFuture<'_, Result<Vec<OpenPromise>, StoreError>> {
        self.readers.read(move |c| open_promises(c, after, most))
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn number(row: &Row<'_>, column: &str) -> rusqlite::Result<u64> {
    number_or_none(row, column)?.ok_or_else(|| unreadable(column, Type::Null, "it is missing"))
}

fn number_or_none(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<u64>> {
    let found: Option<i64> = row.get(column)?;
    found
        .map(|number| u64::try_from(number).map_err(|e| unreadable(column, Type::Integer, &e.to_string())))
        .transpose()
}

fn how(row: &Row<'_>) -> rusqlite::Result<How> {
    let word: String = row.get("how")?;
    serde_json::from_value(Value::String(word)).map_err(|e| unreadable("how", Type::Text, &e.to_string()))
}

fn line(row: &Row<'_>) -> rusqlite::Result<Generation> {
    Ok(Generation {
        number: number(row, "number")?,
        activated: row.instant("activated_at")?,
        by: row.get("who")?,
        how: how(row)?,
        of: number_or_none(row, "repeats")?,
        node: row.get("node")?,
        hash: row.get("hash")?,
    })
}

fn nodes(connection: &Connection) -> rusqlite::Result<Vec<NodeReport>> {
    connection
        .prepare_cached("-- store::nodes\nSELECT * FROM node ORDER BY name")?
        .query_map([], |row| {
            Ok(NodeReport {
                node: row.get("name")?,
                generation: number(row, "generation")?,
                roles: row.get("roles")?,
                started: row.instant("started_at")?,
                since: row.instant("since")?,
                seen: row.instant("seen_at")?,
                asked: row.get("asked")?,
                failed: json(row, "failed")?.unwrap_or_default(),
            })
        })?
        .collect()
}

fn open_promises(
    connection: &Connection,
    after: PromisePlace,
    most: u32,
) -> rusqlite::Result<Vec<OpenPromise>> {
    connection
        .prepare_cached(
            "-- store::open_promises_after
             SELECT p.seq, p.next_step_at, p.promise, p.starts_at, p.due_at, d.receiver, m.receipt, m.id, m.kind,
                 m.agreement, m.occurred_at, m.received_at,
                 EXISTS (SELECT 1 FROM delivery s WHERE s.seq = d.other_way AND s.hold = 'fallback') AS second_held
             FROM deadline p JOIN delivery d ON d.seq = p.seq / 16 JOIN message m ON m.seq = d.seq / 256
             WHERE p.next_step_at IS NOT NULL AND p.seq % 16 = 0 AND (p.next_step_at, p.seq) > (?1, ?2)
             ORDER BY p.next_step_at, p.seq LIMIT ?3",
        )?
        .query_map(params![after.0, after.1, most], |row| {
            let received = row.instant("received_at")?;
            Ok(OpenPromise {
                number: row.get("seq")?,
                place: (row.get("next_step_at")?, row.get("seq")?),
                receipt: row.receipt("receipt")?,
                message_id: row.get("id")?,
                kind: row.get("kind")?,
                agreement: row.get("agreement")?,
                receiver: row.get("receiver")?,
                promise: row.get("promise")?,
                starts: row.instant("starts_at")?,
                due: row.instant("due_at")?,
                occurred: row.instant_or_none("occurred_at")?.unwrap_or(received),
                received,
                second_held: row.get("second_held")?,
            })
        })?
        .collect()
}

fn perform(tx: &Tx<'_, '_>, order: &Order) -> rusqlite::Result<i64> {
    match order {
        Order::Activate { generation, now } => activate(tx, generation, *now),
        Order::Report(report) => self::report(tx, report).map(|()| 0),
        Order::Leave { node } => {
            tx.execute("-- store::node_leaves\nDELETE FROM node WHERE name = ?1", [node]).map(|_| 0)
        }
        Order::Ask(ask) => {
            tx.execute(
                "-- store::ask_reload
                 INSERT INTO reload_ask (at, who, how, repeats, node) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![us(ask.at), ask.by, ask.how.name(), ask.of.map(signed), ask.node],
            )?;
            let seq: i64 = tx
                .prepare("-- store::last_reload_ask\nSELECT max(seq) FROM reload_ask")?
                .query_row([], |row| row.get(0))?;
            audit(tx, &ask.by, "reload_asked", &generations::asked(ask), ask.at)?;
            let before = ask.at.checked_sub(ASK_FORGOTTEN).unwrap_or(Timestamp::MIN);
            tx.execute(
                "-- store::forget_reload_asks
                 DELETE FROM reload_ask WHERE seq < ?1 AND at < ?2",
                params![seq, us(before)],
            )?;
            Ok(seq)
        }
        Order::Audit { what, about, by, now } => audit(tx, by, what, about, *now).map(|()| 0),
        Order::Recompute(moves) => recompute(tx, moves),
    }
}

fn activate(tx: &Tx<'_, '_>, new: &NewGeneration, now: Timestamp) -> rusqlite::Result<i64> {
    let newest: Option<(i64, String)> = tx
        .prepare(
            "-- store::newest_generation\nSELECT number, hash FROM generation ORDER BY number DESC LIMIT 1",
        )?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let number = match newest {
        Some((number, hash)) if hash == new.hash => return Ok(number),
        newest => newest.map_or(1, |(number, _)| number + 1),
    };
    tx.execute(
        "-- store::add_generation
         INSERT INTO generation (number, hash, activated_at, who, how, repeats, node, source, effective)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            number,
            new.hash,
            us(now),
            new.by,
            new.how.name(),
            new.of.map(signed),
            new.node,
            text(&new.source),
            text(&new.effective)
        ],
    )?;
    Ok(number)
}

fn report(tx: &Tx<'_, '_>, report: &NodeReport) -> rusqlite::Result<()> {
    let failed = (!report.failed.is_null()).then(|| text(&report.failed));
    tx.execute(
        "-- store::report_node
         INSERT INTO node (name, generation, roles, started_at, since, seen_at, asked, failed)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (name) DO UPDATE SET generation = ?2, roles = ?3, since = ?5, seen_at = ?6, asked = ?7, failed = ?8",
        params![
            report.node,
            signed(report.generation),
            report.roles,
            us(report.started),
            us(report.since),
            us(report.seen),
            report.asked,
            failed
        ],
    )?;
    let before = report.seen.checked_sub(NODE_FORGOTTEN).unwrap_or(Timestamp::MIN);
    tx.execute("-- store::forget_nodes\nDELETE FROM node WHERE seen_at < ?1", [us(before)])?;
    Ok(())
}

fn recompute(tx: &Tx<'_, '_>, all: &Recompute) -> rusqlite::Result<i64> {
    let mut moved = 0;
    for one in &all.moves {
        let open: Option<(u8, Timestamp)> = tx
            .prepare(
                "-- store::open_promise
                 SELECT step, starts_at FROM deadline WHERE seq = ?1 AND due_at = ?2 AND next_step_at IS NOT NULL",
            )?
            .query_row(params![one.number, us(one.old_due)], |row| Ok((row.get("step")?, row.instant("starts_at")?)))
            .optional()?;
        let Some((step, old_starts)) = open else { continue };
        let next = one.to.course.next_step(step).map(|(_, at)| us(at));
        let shares = one.to.course.shares.map_or([None; 3], |shares| shares.map(|at| Some(us(at))));
        tx.execute(
            "-- store::move_promise
             UPDATE deadline SET starts_at = ?2, due_at = ?3, next_step_at = ?4, at_50 = ?5, at_75 = ?6, at_90 = ?7,
                 basis = ?8 WHERE seq = ?1",
            params![
                one.number,
                us(one.to.course.starts),
                us(one.to.course.due),
                next,
                shares[0],
                shares[1],
                shares[2],
                one.to.promise.terms.basis
            ],
        )?;
        clocks::says_now(tx, one.number, &one.to.promise)?;
        let delivery = one.number / DEADLINES;
        tx.execute(
            "-- store::move_delivery
             UPDATE delivery SET due_at = ?2, expires_at = ?3 WHERE seq = ?1 AND state = 0 AND due_at = ?4",
            params![delivery, us(one.to.course.due), one.expires.map(us), us(one.old_due)],
        )?;
        // A second way's time moves with the deadline.
        tx.execute(
            "-- store::move_second_way
             UPDATE delivery SET due_at = ?2, expires_at = ?3, next_attempt_at = next_attempt_at + ?2 - ?4,
                 early_at = early_at + ?2 - ?4
             WHERE seq = (SELECT f.other_way FROM delivery f WHERE f.seq = ?1) AND hold = 'fallback'",
            params![delivery, us(one.to.course.due), one.expires.map(us), us(one.old_due)],
        )?;
        let told = generations::moved(one, all, old_starts);
        log_event(tx, message_of(delivery), Some(delivery), us(all.now), "recomputed", Some(&told))?;
        moved += 1;
    }
    if moved > 0 {
        audit(tx, &all.by, "promises_recomputed", &generations::moves(moved, all), all.now)?;
    }
    Ok(moved)
}
