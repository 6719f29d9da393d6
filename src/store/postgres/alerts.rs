//! Alerts: opened, handled by people and resolved by key, by one node at a time (a lock, and a unique open key under
//! it); each change in a log that notifiers read by cursor.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tokio_postgres::Row;

use super::{
    fail::Fail,
    row::{Read, unreadable},
    work::Tx,
};
use crate::{
    domain::alert::{Alert, AlertChange, Change, Condition, Handling, Particulars, Touch},
    store::{Commanded, json, numbers::us},
};

/// Makes the open alerts under `names` equal to `conditions`, and lets what nobody acknowledged climb.
pub(super) async fn reconcile(
    tx: &mut Tx<'_>,
    names: &[&'static str],
    conditions: &[Condition],
    now: Timestamp,
) -> Result<Vec<(Change, Condition)>, Fail> {
    let mut open = open_under(tx, names).await?;
    let mut changes = Vec::new();
    for condition in conditions {
        let Some(mut known) = open.remove(&condition.key) else {
            let alert = insert(tx, condition, now).await?;
            log(tx, alert, Change::Opened, condition, &Particulars::default(), now);
            changes.push((Change::Opened, condition.clone()));
            continue;
        };
        let mut condition = condition.clone().kept(&known.condition);
        let climbed = known.handling.climb(&condition.climb, known.opened, now);
        if !climbed.is_empty()
            && let Some(targets) = &mut condition.targets
        {
            targets.extend(climbed.iter().cloned());
        }
        // The words and the beginning may become truer while it is open; that is no change to tell.
        if known.condition != condition {
            update(tx, known.number, &condition).await?;
        }
        if !climbed.is_empty() {
            handle(tx, known.number, &known.handling).await?;
            log(tx, known.number, Change::Escalated, &condition, &Particulars::climbed(climbed), now);
            changes.push((Change::Escalated, condition));
        }
    }
    for alert in open.into_values() {
        tx.session
            .execute("UPDATE alert SET resolved_at = $2 WHERE seq = $1", &[&alert.number, &us(now)])
            .await?;
        log(tx, alert.number, Change::Resolved, &alert.condition, &Particulars::default(), now);
        changes.push((Change::Resolved, alert.condition));
    }
    Ok(changes)
}

async fn open_under(tx: &Tx<'_>, names: &[&'static str]) -> Result<BTreeMap<String, Alert>, Fail> {
    let rows = tx
        .session
        .query(
            "SELECT seq, condition, handling, opened_at, acknowledged_at, resolved_at FROM alert
             WHERE resolved_at IS NULL AND name = ANY($1)",
            &[&names],
        )
        .await?;
    let mut open = BTreeMap::new();
    for row in &rows {
        let alert = alert(row)?;
        open.insert(alert.condition.key.clone(), alert);
    }
    Ok(open)
}

fn condition(row: &Row) -> Result<Condition, Fail> {
    row.json("condition")?.ok_or_else(|| unreadable("condition"))
}

/// The alert of a row with all its columns.
pub(super) fn alert(row: &Row) -> Result<Alert, Fail> {
    let handling: Option<Handling> = row.json("handling")?;
    Ok(Alert {
        number: row.value("seq")?,
        condition: condition(row)?,
        opened: row.instant("opened_at")?,
        handling: Handling {
            acknowledged: row.instant_or_none("acknowledged_at")?,
            ..handling.unwrap_or_default()
        },
        resolved: row.instant_or_none("resolved_at")?,
    })
}

/// The change of a row with all its columns.
pub(super) fn change(row: &Row) -> Result<AlertChange, Fail> {
    let what: String = row.value("what")?;
    Ok(AlertChange {
        seq: row.value("seq")?,
        alert: row.value("alert")?,
        at: row.instant("at")?,
        change: Change::from_name(&what).ok_or_else(|| unreadable("what"))?,
        condition: condition(row)?,
        particulars: row.json("particulars")?.unwrap_or_default(),
    })
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

async fn handle(tx: &Tx<'_>, alert: i64, handling: &Handling) -> Result<(), Fail> {
    let acknowledged = handling.acknowledged.map(us);
    tx.session
        .execute(
            "UPDATE alert SET handling = $2, acknowledged_at = $3 WHERE seq = $1",
            &[&alert, &json(handling), &acknowledged],
        )
        .await?;
    Ok(())
}

fn log(
    tx: &mut Tx<'_>,
    alert: i64,
    change: Change,
    condition: &Condition,
    particulars: &Particulars,
    now: Timestamp,
) {
    let particulars = (*particulars != Particulars::default()).then(|| json(particulars));
    tx.logs.alert(alert, us(now), change, (json(condition), particulars));
}

/// Does what a person asks about the open alert with that key.
pub(super) async fn touch(
    tx: &mut Tx<'_>,
    key: &str,
    touch: &Touch,
    (by, note): (&str, Option<&str>),
    now: Timestamp,
) -> Result<Commanded, Fail> {
    let found = tx
        .session
        .query_opt(
            "SELECT seq, condition, handling, opened_at, acknowledged_at, resolved_at FROM alert
             WHERE key = $1 AND resolved_at IS NULL",
            &[&key],
        )
        .await?;
    let Some(row) = found else { return Ok(Commanded::NotFound) };
    let mut alert = alert(&row)?;
    let Some(change) = alert.handling.touch(touch, by, note, now) else { return Ok(Commanded::Already) };
    handle(tx, alert.number, &alert.handling).await?;
    log(tx, alert.number, change, &alert.condition, &Particulars::of(touch, by, note), now);
    tx.logs.audit(us(now), by, touch.command(), key);
    Ok(Commanded::Done)
}
