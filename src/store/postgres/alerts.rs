//! Alerts: opened, acknowledged and resolved by key, by one node at a time (a lock, and a unique open key under it);
//! each change in a log that notifiers read by cursor.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{
    fail::Fail,
    row::{Read, unreadable},
    work::Tx,
};
use crate::{
    domain::alert::{Change, Condition},
    store::{Commanded, json, numbers::us},
};

/// Makes the open alerts under `names` equal to `conditions`.
pub(super) async fn reconcile(
    tx: &mut Tx<'_>,
    names: &[&'static str],
    conditions: &[Condition],
    now: Timestamp,
) -> Result<Vec<(Change, Condition)>, Fail> {
    let mut open = open_under(tx, names).await?;
    let mut changes = Vec::new();
    for mut condition in conditions.iter().cloned() {
        if let Some((_, known)) = open.get(&condition.key) {
            condition.since = condition.since.min(known.since);
        }
        match open.remove(&condition.key) {
            None => {
                let alert = insert(tx, &condition, now).await?;
                tx.logs.alert(alert, us(now), Change::Opened, json(&condition));
                changes.push((Change::Opened, condition));
            }
            // The words and the beginning may become truer while it is open; that is no change to tell.
            Some((alert, known)) if known != condition => update(tx, alert, &condition).await?,
            Some(_) => {}
        }
    }
    for (alert, condition) in open.into_values() {
        tx.session.execute("UPDATE alert SET resolved_at = $2 WHERE seq = $1", &[&alert, &us(now)]).await?;
        tx.logs.alert(alert, us(now), Change::Resolved, json(&condition));
        changes.push((Change::Resolved, condition));
    }
    Ok(changes)
}

async fn open_under(tx: &Tx<'_>, names: &[&'static str]) -> Result<BTreeMap<String, (i64, Condition)>, Fail> {
    let rows = tx
        .session
        .query(
            "SELECT seq, key, condition FROM alert WHERE resolved_at IS NULL AND name = ANY($1)",
            &[&names],
        )
        .await?;
    let mut open = BTreeMap::new();
    for row in rows {
        let condition = row.json("condition")?.ok_or_else(|| unreadable("condition"))?;
        open.insert(row.value("key")?, (row.value("seq")?, condition));
    }
    Ok(open)
}

async fn insert(tx: &Tx<'_>, condition: &Condition, now: Timestamp) -> Result<i64, Fail> {
    let row = tx
        .session
        .query_opt(
            "INSERT INTO alert (key, name, condition, opened_at) VALUES ($1, $2, $3, $4) RETURNING seq",
            &[&condition.key, &condition.name, &json(condition), &us(now)],
        )
        .await?;
    row.ok_or(Fail::Again)?.value("seq")
}

async fn update(tx: &Tx<'_>, alert: i64, condition: &Condition) -> Result<(), Fail> {
    tx.session.execute("UPDATE alert SET condition = $2 WHERE seq = $1", &[&alert, &json(condition)]).await?;
    Ok(())
}

pub(super) async fn acknowledge(
    tx: &mut Tx<'_>,
    key: &str,
    by: &str,
    now: Timestamp,
) -> Result<Commanded, Fail> {
    let found = tx
        .session
        .query_opt(
            "SELECT seq, acknowledged_at, condition FROM alert WHERE key = $1 AND resolved_at IS NULL",
            &[&key],
        )
        .await?;
    let Some(row) = found else { return Ok(Commanded::NotFound) };
    if row.instant_or_none("acknowledged_at")?.is_some() {
        return Ok(Commanded::Already);
    }
    let alert: i64 = row.value("seq")?;
    tx.session.execute("UPDATE alert SET acknowledged_at = $2 WHERE seq = $1", &[&alert, &us(now)]).await?;
    tx.logs.alert(alert, us(now), Change::Acknowledged, row.value("condition")?);
    tx.logs.audit(us(now), by, "alerts ack", key);
    Ok(Commanded::Done)
}
