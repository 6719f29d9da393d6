//! How lanes stand, what those of all nodes measured, and when their receivers are in maintenance.

use deadpool_postgres::{Client, GenericClient};
use jiff::{SignedDuration, Timestamp};
use tokio_postgres::Row;

use super::{fail::Fail, row::Read, session::Session, views::rows, work::Tx};
use crate::{
    domain::{
        circuit::Circuit,
        maintenance::Maintenance,
        pace::{Pace, Paced},
    },
    store::{
        Commanded, LaneState,
        ahead::{Maintain, WINDOWS_MAX},
        numbers::us,
    },
};

/// What a node that is gone measured is forgotten for good after this.
const FORGOTTEN_AFTER: SignedDuration = SignedDuration::from_hours(24 * 7);

/// A person says that the receiver is back: where its circuit is open it is probed at once. The row was locked by the
/// change before.
pub(super) async fn probe_now(session: &Session, receiver: &str, now: Timestamp) -> Result<(), Fail> {
    let found = session.query_opt("SELECT circuit FROM lane WHERE receiver = $1", &[&receiver]).await?;
    let circuit = found.map(|row| row.json::<Circuit>("circuit")).transpose()?.flatten();
    if let Some(mut circuit) = circuit.filter(Circuit::is_open) {
        circuit.probe_now(now);
        let sql = "UPDATE lane SET circuit = $2 WHERE receiver = $1";
        session.execute(sql, &[&receiver, &crate::store::json(&circuit)]).await?;
    }
    Ok(())
}

/// Keeps the latest pace of each of this node's lanes. Those of a node that is gone go in time, but never the last
/// that is known of a receiver.
pub(super) async fn save_paces(tx: &Tx<'_>, paces: &[(String, Pace)], now: Timestamp) -> Result<(), Fail> {
    let session = tx.session;
    for (receiver, pace) in paces {
        session
            .execute(
                "INSERT INTO pace (receiver, node, per_second, busy, able, took, at) VALUES ($1, $2, $3, $4, $5, $6, $7)
                 ON CONFLICT (receiver, node) DO UPDATE SET per_second = excluded.per_second, busy = excluded.busy,
                     able = excluded.able, took = excluded.took, at = excluded.at",
                &[receiver, &session.node, &pace.per_second, &pace.busy, &pace.able, &pace.took, &us(now)],
            )
            .await?;
        let old = us(now.checked_sub(FORGOTTEN_AFTER).unwrap_or(Timestamp::MIN));
        session
            .execute(
                "DELETE FROM pace WHERE receiver = $1 AND node <> $2 AND at < $3",
                &[receiver, &session.node, &old],
            )
            .await?;
    }
    Ok(())
}

/// Adds a window or takes all away; those that are over are forgotten, and stand in the audit.
pub(super) async fn maintain(tx: &mut Tx<'_>, asked: &Maintain, now: Timestamp) -> Result<Commanded, Fail> {
    let session = tx.session;
    session.execute("DELETE FROM maintenance WHERE until_at <= $1", &[&us(now)]).await?;
    let changed = match asked {
        Maintain::Plan(window) => {
            let left = session
                .query_opt(
                    "SELECT count(*) AS count FROM maintenance WHERE receiver = $1",
                    &[&window.receiver],
                )
                .await?;
            let left: i64 = left.map_or(Ok(0), |row| row.value("count"))?;
            if left >= WINDOWS_MAX || window.until <= now.max(window.from) {
                return Ok(Commanded::NotNow);
            }
            session
                .execute(
                    "INSERT INTO maintenance (receiver, from_at, until_at, reason, who) VALUES ($1, $2, $3, $4, $5)
                     ON CONFLICT DO NOTHING",
                    &[&window.receiver, &us(window.from), &us(window.until), &window.reason, &window.by],
                )
                .await?
        }
        Maintain::Cancel { receiver, .. } => {
            session.execute("DELETE FROM maintenance WHERE receiver = $1", &[&receiver]).await?
        }
    };
    if changed == 0 {
        return Ok(Commanded::Already);
    }
    let (by, what, about) = asked.told();
    tx.logs.audit(us(now), by, what, &about);
    tx.hints.insert(asked.receiver().to_owned());
    Ok(Commanded::Done)
}

pub(super) async fn lanes(client: &Client) -> Result<Vec<LaneState>, Fail> {
    let rows = rows(client, "SELECT receiver, circuit, paused FROM lane ORDER BY receiver", &[]).await?;
    let read = |row: &Row| {
        Ok(LaneState {
            receiver: row.value("receiver")?,
            circuit: row.json("circuit")?.unwrap_or_default(),
            paused: row.value("paused")?,
        })
    };
    rows.iter().map(read).collect()
}

pub(super) async fn paces(client: &Client) -> Result<Vec<Paced>, Fail> {
    let sql = "SELECT receiver, per_second, busy, able, took, at FROM pace ORDER BY receiver, node";
    let read = |row: &Row| {
        let figure = |column| row.value::<f64>(column);
        Ok(Paced {
            receiver: row.value("receiver")?,
            pace: Pace {
                per_second: figure("per_second")?,
                busy: figure("busy")?,
                able: figure("able")?,
                took: figure("took")?,
            },
            at: row.instant("at")?,
        })
    };
    rows(client, sql, &[]).await?.iter().map(read).collect()
}

pub(super) async fn maintenance(client: &impl GenericClient) -> Result<Vec<Maintenance>, Fail> {
    let sql = "SELECT receiver, from_at, until_at, reason, who FROM maintenance ORDER BY receiver, from_at, until_at";
    let read = |row: &Row| {
        Ok(Maintenance {
            receiver: row.value("receiver")?,
            from: row.instant("from_at")?,
            until: row.instant("until_at")?,
            reason: row.value("reason")?,
            by: row.value("who")?,
        })
    };
    rows(client, sql, &[]).await?.iter().map(read).collect()
}
