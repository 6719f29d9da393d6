//! Configurations, nodes, and promises that get another deadline.

use deadpool_postgres::Client;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde_json::Value;
use tokio_postgres::Row;

use super::{
    Postgres, clocks,
    fail::Fail,
    mixed_up,
    row::{Read, unreadable},
    session::Session,
    views::rows,
    work::{Ask, Told, Tx},
};
use crate::store::{
    StoreError,
    generations::{
        self, ASK_FORGOTTEN, Generation, Generations, How, KeptGeneration, NODE_FORGOTTEN, NewGeneration,
        NodeReport, OpenPromise, Order, PromisePlace, Recompute, ReloadAsked,
    },
    json as text,
    numbers::{DEADLINES, us},
};

impl Generations for Postgres {
    fn configure(&self, order: Order) -> BoxFuture<'_, Result<i64, StoreError>> {
        Box::pin(async move {
            match self.ask(Ask::Configure(order)).await? {
                Told::Number(number) => Ok(number),
                _ => Err(mixed_up()),
            }
        })
    }

    fn generations(&self, most: u32) -> BoxFuture<'_, Result<Vec<Generation>, StoreError>> {
        self.readers.read(move |client| async move {
            let sql = "SELECT number, hash, activated_at, who, how, repeats, node FROM generation
                 ORDER BY number DESC LIMIT $1";
            rows(&client, sql, &[&i64::from(most)]).await?.iter().map(line).collect()
        })
    }

    fn generation(&self, number: Option<u64>) -> BoxFuture<'_, Result<Option<KeptGeneration>, StoreError>> {
        let number = number.map(|number| i64::try_from(number).unwrap_or(i64::MAX));
        self.readers.read(move |client| async move {
            let sql = "SELECT * FROM generation WHERE $1::bigint IS NULL OR number = $1 ORDER BY number DESC LIMIT 1";
            let found = rows(&client, sql, &[&number]).await?;
            found.first().map(kept).transpose()
        })
    }

    fn nodes(&self) -> BoxFuture<'_, Result<Vec<NodeReport>, StoreError>> {
        self.readers.read(|client| async move {
            rows(&client, "SELECT * FROM node ORDER BY name", &[]).await?.iter().map(node).collect()
        })
    }

    fn reload_asked(
        &self,
        node: String,
        after: i64,
    ) -> BoxFuture<'_, Result<Option<ReloadAsked>, StoreError>> {
        self.readers.read(move |client| async move {
            let sql = "SELECT * FROM reload_ask WHERE seq > $2 AND (node IS NULL OR node = $1) ORDER BY seq DESC LIMIT 1";
            let found = rows(&client, sql, &[&node, &after]).await?;
            found.first().map(reload_asked).transpose()
        })
    }

    fn open_promises(
        &self,
        after: PromisePlace,
        most: u32,
    ) -> BoxFuture<'_, Result<Vec<OpenPromise>, StoreError>> {
        self.readers.read(move |client| async move { open_promises(&client, after, most).await })
    }
}

fn number(row: &Row, column: &'static str) -> Result<u64, Fail> {
    u64::try_from(row.value::<i64>(column)?).map_err(|_| unreadable(column))
}

fn number_or_none(row: &Row, column: &'static str) -> Result<Option<u64>, Fail> {
    let found: Option<i64> = row.value(column)?;
    found.map(|number| u64::try_from(number).map_err(|_| unreadable(column))).transpose()
}

fn how(row: &Row) -> Result<How, Fail> {
    serde_json::from_value(Value::String(row.value("how")?)).map_err(|_| unreadable("how"))
}

fn line(row: &Row) -> Result<Generation, Fail> {
    Ok(Generation {
        number: number(row, "number")?,
        activated: row.instant("activated_at")?,
        by: row.value("who")?,
        how: how(row)?,
        of: number_or_none(row, "repeats")?,
        node: row.value("node")?,
        hash: row.value("hash")?,
    })
}

fn kept(row: &Row) -> Result<KeptGeneration, Fail> {
    Ok(KeptGeneration {
        line: line(row)?,
        source: row.json("source")?.unwrap_or_default(),
        effective: row.json("effective")?.unwrap_or_default(),
    })
}

fn node(row: &Row) -> Result<NodeReport, Fail> {
    Ok(NodeReport {
        node: row.value("name")?,
        generation: number(row, "generation")?,
        roles: row.value("roles")?,
        started: row.instant("started_at")?,
        since: row.instant("since")?,
        seen: row.instant("seen_at")?,
        asked: row.value("asked")?,
        failed: row.json("failed")?.unwrap_or_default(),
    })
}

fn reload_asked(row: &Row) -> Result<ReloadAsked, Fail> {
    Ok(ReloadAsked {
        seq: row.value("seq")?,
        at: row.instant("at")?,
        by: row.value("who")?,
        how: how(row)?,
        of: number_or_none(row, "repeats")?,
        node: row.value("node")?,
    })
}

async fn open_promises(client: &Client, after: PromisePlace, most: u32) -> Result<Vec<OpenPromise>, Fail> {
    let sql =
        "SELECT p.seq, p.next_step_at, p.promise, p.starts_at, p.due_at, d.receiver, m.receipt, m.id, m.kind,
             m.agreement, m.occurred_at, m.received_at,
             EXISTS (SELECT 1 FROM delivery s WHERE s.seq = d.other_way AND s.hold = 'fallback') AS second_held
         FROM deadline p JOIN delivery d ON d.seq = p.seq / 16 JOIN message m ON m.seq = d.seq / 256
         WHERE p.next_step_at IS NOT NULL AND p.seq % 16 = 0 AND p.next_step_at >= $1 AND (p.next_step_at, p.seq) > ($1, $2)
         ORDER BY p.next_step_at, p.seq LIMIT $3";
    let found = rows(client, sql, &[&after.0, &after.1, &i64::from(most)]).await?;
    let read = |row: &Row| {
        let received = row.instant("received_at")?;
        Ok(OpenPromise {
            number: row.value("seq")?,
            place: (row.value("next_step_at")?, row.value("seq")?),
            receipt: row.receipt("receipt")?,
            message_id: row.value("id")?,
            kind: row.value("kind")?,
            agreement: row.value("agreement")?,
            receiver: row.value("receiver")?,
            promise: row.value("promise")?,
            starts: row.instant("starts_at")?,
            due: row.instant("due_at")?,
            occurred: row.instant_or_none("occurred_at")?.unwrap_or(received),
            received,
            second_held: row.value("second_held")?,
        })
    };
    found.iter().map(read).collect()
}

pub(super) async fn perform(tx: &mut Tx<'_>, order: &Order) -> Result<i64, Fail> {
    match order {
        Order::Activate { generation, now } => activate(tx.session, generation, *now).await,
        Order::Report(report) => self::report(tx.session, report).await.map(|()| 0),
        Order::Leave { node } => {
            tx.session.execute("DELETE FROM node WHERE name = $1", &[node]).await?;
            Ok(0)
        }
        Order::Ask(ask) => {
            // Numbers are committed in their order: nobody reads a later one and never sees an earlier.
            tx.session.client.query(&tx.session.statements.lock, &[&tx.session.locks.generations()]).await?;
            let sql = "INSERT INTO reload_ask (at, who, how, repeats, node) VALUES ($1, $2, $3, $4, $5) RETURNING seq";
            let of = ask.of.map(signed);
            let found =
                tx.session.query(sql, &[&us(ask.at), &ask.by, &ask.how.name(), &of, &ask.node]).await?;
            tx.logs.audit(us(ask.at), &ask.by, "reload_asked", &generations::asked(ask));
            let seq: i64 = found.first().ok_or(Fail::Again)?.value("seq")?;
            let before = ask.at.checked_sub(ASK_FORGOTTEN).unwrap_or(Timestamp::MIN);
            let sql = "DELETE FROM reload_ask WHERE seq < $1 AND at < $2";
            tx.session.execute(sql, &[&seq, &us(before)]).await?;
            Ok(seq)
        }
        Order::Audit { what, about, by, now } => {
            tx.logs.audit(us(*now), by, what, about);
            Ok(0)
        }
        Order::Recompute(all) => recompute(tx, all).await,
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Nodes that start together take turns.
async fn activate(session: &Session, new: &NewGeneration, now: Timestamp) -> Result<i64, Fail> {
    session.client.query(&session.statements.lock, &[&session.locks.generations()]).await?;
    let newest = "SELECT number, hash FROM generation ORDER BY number DESC LIMIT 1";
    let number = match session.query_opt(newest, &[]).await? {
        None => 1,
        Some(row) => {
            let number: i64 = row.value("number")?;
            if row.value::<String>("hash")? == new.hash {
                return Ok(number);
            }
            number + 1
        }
    };
    let of = new.of.map(signed);
    let sql =
        "INSERT INTO generation (number, hash, activated_at, who, how, repeats, node, source, effective)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let (source, effective) = (text(&new.source), text(&new.effective));
    session
        .execute(
            sql,
            &[&number, &new.hash, &us(now), &new.by, &new.how.name(), &of, &new.node, &source, &effective],
        )
        .await?;
    Ok(number)
}

async fn report(session: &Session, report: &NodeReport) -> Result<(), Fail> {
    let failed = (!report.failed.is_null()).then(|| text(&report.failed));
    let sql = "INSERT INTO node (name, generation, roles, started_at, since, seen_at, asked, failed)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (name) DO UPDATE SET generation = $2, roles = $3, since = $5, seen_at = $6, asked = $7, failed = $8";
    let (started, since, seen) = (us(report.started), us(report.since), us(report.seen));
    session
        .execute(
            sql,
            &[
                &report.node,
                &signed(report.generation),
                &report.roles,
                &started,
                &since,
                &seen,
                &report.asked,
                &failed,
            ],
        )
        .await?;
    let before = report.seen.checked_sub(NODE_FORGOTTEN).unwrap_or(Timestamp::MIN);
    session.execute("DELETE FROM node WHERE seen_at < $1", &[&us(before)]).await?;
    Ok(())
}

async fn recompute(tx: &mut Tx<'_>, all: &Recompute) -> Result<i64, Fail> {
    let mut moved = 0;
    for one in &all.moves {
        let sql = "SELECT step, starts_at FROM deadline
             WHERE seq = $1 AND due_at = $2 AND next_step_at IS NOT NULL FOR UPDATE";
        let Some(open) = tx.session.query_opt(sql, &[&one.number, &us(one.old_due)]).await? else { continue };
        let (step, old_starts) = (open.small("step")?, open.instant("starts_at")?);
        let next = one.to.course.next_step(step).map(|(_, at)| us(at));
        let [half, risk, near] =
            one.to.course.shares.map_or([None; 3], |shares| shares.map(|at| Some(us(at))));
        let sql =
            "UPDATE deadline SET starts_at = $2, due_at = $3, next_step_at = $4, at_50 = $5, at_75 = $6,
             at_90 = $7, basis = $8 WHERE seq = $1";
        let (starts, due, basis) =
            (us(one.to.course.starts), us(one.to.course.due), &one.to.promise.terms.basis);
        tx.session.execute(sql, &[&one.number, &starts, &due, &next, &half, &risk, &near, basis]).await?;
        clocks::says_now(tx.session, one.number, &one.to.promise).await?;
        let delivery = one.number / DEADLINES;
        let sql =
            "UPDATE delivery SET due_at = $2, expires_at = $3 WHERE seq = $1 AND state = 0 AND due_at = $4";
        let expires = one.expires.map(us);
        tx.session.execute(sql, &[&delivery, &us(one.to.course.due), &expires, &us(one.old_due)]).await?;
        // A second way's time moves with the deadline.
        let sql =
            "UPDATE delivery SET due_at = $2, expires_at = $3, next_attempt_at = next_attempt_at + $2 - $4,
                 early_at = early_at + $2 - $4
             WHERE seq = (SELECT f.other_way FROM delivery f WHERE f.seq = $1) AND hold = 'fallback'";
        tx.session.execute(sql, &[&delivery, &us(one.to.course.due), &expires, &us(one.old_due)]).await?;
        tx.logs.of_delivery(delivery, us(all.now), "recomputed", generations::moved(one, all, old_starts));
        moved += 1;
    }
    if moved > 0 {
        tx.logs.audit(us(all.now), &all.by, "promises_recomputed", &generations::moves(moved, all));
    }
    Ok(moved)
}
