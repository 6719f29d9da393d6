//! Alerts: opened, acknowledged and resolved by key, each change in a log that notifiers read by cursor.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::params;

use super::{
    row::{json as read_json, unreadable, us},
    writer::Tx,
};
use crate::{
    domain::alert::{Change, Condition},
    store::{Commanded, json},
};

/// Makes the open alerts under `names` equal to `conditions`.
pub(super) fn reconcile(
    tx: &mut Tx<'_, '_>,
    names: &[&'static str],
    conditions: &[Condition],
    now: Timestamp,
) -> rusqlite::Result<Vec<(Change, Condition)>> {
    let mut open = open_under(tx, names)?;
    let mut changes = Vec::new();
    for mut condition in conditions.iter().cloned() {
        if let Some((_, known)) = open.get(&condition.key) {
            condition.since = condition.since.min(known.since);
        }
        match open.remove(&condition.key) {
            None => {
                let alert = insert(tx, &condition, now)?;
                log(tx, alert, Change::Opened, &condition, now)?;
                changes.push((Change::Opened, condition));
            }
            // The words and the beginning may become truer while it is open; that is no change to tell.
            Some((alert, known)) if known != condition => update(tx, alert, &condition)?,
            Some(_) => {}
        }
    }
    for (alert, condition) in open.into_values() {
        tx.execute(
            "-- store::resolve_alert
             UPDATE alert SET resolved_at = ?2 WHERE seq = ?1",
            params![alert, us(now)],
        )?;
        log(tx, alert, Change::Resolved, &condition, now)?;
        changes.push((Change::Resolved, condition));
    }
    Ok(changes)
}

fn open_under(
    tx: &Tx<'_, '_>,
    names: &[&'static str],
) -> rusqlite::Result<BTreeMap<String, (i64, Condition)>> {
    let mut statement = tx.prepare(
        "-- store::open_alerts
         SELECT seq, name, key, condition FROM alert WHERE resolved_at IS NULL",
    )?;
    let rows = statement.query_map([], |row| {
        let condition: Option<Condition> = read_json(row, "condition")?;
        let condition =
            condition.ok_or_else(|| unreadable("condition", rusqlite::types::Type::Null, "it is missing"))?;
        Ok((
            row.get::<_, String>("name")?,
            row.get::<_, String>("key")?,
            row.get::<_, i64>("seq")?,
            condition,
        ))
    })?;
    let mut open = BTreeMap::new();
    for row in rows {
        let (name, key, seq, condition) = row?;
        if names.contains(&name.as_str()) {
            open.insert(key, (seq, condition));
        }
    }
    Ok(open)
}

fn insert(tx: &Tx<'_, '_>, condition: &Condition, now: Timestamp) -> rusqlite::Result<i64> {
    tx.execute(
        "-- store::open_alert
         INSERT INTO alert (key, name, condition, opened_at) VALUES (?1, ?2, ?3, ?4)",
        params![condition.key, condition.name, json(condition), us(now)],
    )?;
    Ok(tx.statements.connection.last_insert_rowid())
}

fn update(tx: &Tx<'_, '_>, alert: i64, condition: &Condition) -> rusqlite::Result<()> {
    tx.execute(
        "-- store::update_alert
         UPDATE alert SET condition = ?2 WHERE seq = ?1",
        params![alert, json(condition)],
    )?;
    Ok(())
}

fn log(
    tx: &Tx<'_, '_>,
    alert: i64,
    change: Change,
    condition: &Condition,
    now: Timestamp,
) -> rusqlite::Result<()> {
    tx.execute(
        "-- store::alert_change
         INSERT INTO alert_change (alert, at, what, condition) VALUES (?1, ?2, ?3, ?4)",
        params![alert, us(now), change.name(), json(condition)],
    )?;
    Ok(())
}

pub(super) fn acknowledge(
    tx: &mut Tx<'_, '_>,
    key: &str,
    by: &str,
    now: Timestamp,
) -> rusqlite::Result<Commanded> {
    let found: Vec<(i64, bool, Option<Condition>)> = tx
        .prepare(
            "-- store::acknowledge_alert
             SELECT seq, acknowledged_at IS NOT NULL AS known, condition FROM alert WHERE key = ?1 AND resolved_at IS NULL",
        )?
        .query_map([key], |row| Ok((row.get("seq")?, row.get("known")?, read_json(row, "condition")?)))?
        .collect::<rusqlite::Result<_>>()?;
    match found.into_iter().next() {
        None => Ok(Commanded::NotFound),
        Some((_, true, _)) => Ok(Commanded::Already),
        Some((alert, false, condition)) => {
            tx.execute(
                "-- store::acknowledge_alert
                 UPDATE alert SET acknowledged_at = ?2 WHERE seq = ?1",
                params![alert, us(now)],
            )?;
            if let Some(condition) = condition {
                log(tx, alert, Change::Acknowledged, &condition, now)?;
            }
            super::commands::audit(tx, by, "alerts ack", key, now)?;
            Ok(Commanded::Done)
        }
    }
}
