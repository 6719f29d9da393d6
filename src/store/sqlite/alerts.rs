//! Alerts: opened, handled by people and resolved by key, each change in a log that notifiers read by cursor.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params, types::Type};

use super::{
    row::{Read, json as read_json, unreadable, us},
    writer::Tx,
};
use crate::{
    domain::alert::{Alert, AlertChange, Change, Condition, Handling, Particulars, Touch},
    store::{Commanded, json},
};

/// Makes the open alerts under `names` equal to `conditions`, and lets what nobody acknowledged climb.
pub(super) fn reconcile(
    tx: &mut Tx<'_, '_>,
    names: &[&'static str],
    conditions: &[Condition],
    now: Timestamp,
) -> rusqlite::Result<Vec<(Change, Condition)>> {
    let mut open: BTreeMap<String, Alert> = open(tx.statements.connection)?
        .into_iter()
        .filter(|alert| names.contains(&alert.condition.name.as_str()))
        .map(|alert| (alert.condition.key.clone(), alert))
        .collect();
    let mut changes = Vec::new();
    for condition in conditions {
        let Some(mut known) = open.remove(&condition.key) else {
            let alert = insert(tx, condition, now)?;
            log(tx, alert, Change::Opened, condition, &Particulars::default(), now)?;
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
            update(tx, known.number, &condition)?;
        }
        if !climbed.is_empty() {
            handle(tx, known.number, &known.handling)?;
            log(tx, known.number, Change::Escalated, &condition, &Particulars::climbed(climbed), now)?;
            changes.push((Change::Escalated, condition));
        }
    }
    for alert in open.into_values() {
        tx.execute(
            "-- store::resolve_alert
             UPDATE alert SET resolved_at = ?2 WHERE seq = ?1",
            params![alert.number, us(now)],
        )?;
        log(tx, alert.number, Change::Resolved, &alert.condition, &Particulars::default(), now)?;
        changes.push((Change::Resolved, alert.condition));
    }
    Ok(changes)
}

/// The open alerts, the oldest first.
pub(super) fn open(connection: &Connection) -> rusqlite::Result<Vec<Alert>> {
    connection
        .prepare_cached(
            "-- store::open_alerts
             SELECT seq, condition, handling, opened_at, acknowledged_at, resolved_at FROM alert
             WHERE resolved_at IS NULL ORDER BY seq",
        )?
        .query_map([], alert)?
        .collect()
}

/// Those of one key that were open after `from`, in order.
pub(super) fn of(connection: &Connection, key: &str, from: Timestamp) -> rusqlite::Result<Vec<Alert>> {
    connection
        .prepare_cached(
            "-- store::alerts_of
             SELECT seq, condition, handling, opened_at, acknowledged_at, resolved_at FROM alert
             WHERE key = ?1 AND (resolved_at IS NULL OR resolved_at > ?2) ORDER BY seq",
        )?
        .query_map(params![key, us(from)], alert)?
        .collect()
}

fn condition(row: &Row<'_>) -> rusqlite::Result<Condition> {
    read_json(row, "condition")?.ok_or_else(|| unreadable("condition", Type::Null, "it is missing"))
}

fn alert(row: &Row<'_>) -> rusqlite::Result<Alert> {
    let handling: Option<Handling> = read_json(row, "handling")?;
    Ok(Alert {
        number: row.get("seq")?,
        condition: condition(row)?,
        opened: row.instant("opened_at")?,
        handling: Handling {
            acknowledged: row.instant_or_none("acknowledged_at")?,
            ..handling.unwrap_or_default()
        },
        resolved: row.instant_or_none("resolved_at")?,
    })
}

/// Changes after a cursor, in order.
pub(super) fn changes(connection: &Connection, after: i64, most: u32) -> rusqlite::Result<Vec<AlertChange>> {
    connection
        .prepare_cached(
            "-- store::alert_changes
             SELECT seq, alert, at, what, condition, particulars FROM alert_change WHERE seq > ?1 ORDER BY seq LIMIT ?2",
        )?
        .query_map(params![after, most], |row| {
            let what: String = row.get("what")?;
            let change = Change::from_name(&what).ok_or_else(|| unreadable("what", Type::Text, &what))?;
            Ok(AlertChange {
                seq: row.get("seq")?,
                alert: row.get("alert")?,
                at: row.instant("at")?,
                change,
                condition: condition(row)?,
                particulars: read_json(row, "particulars")?.unwrap_or_default(),
            })
        })?
        .collect()
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

fn handle(tx: &Tx<'_, '_>, alert: i64, handling: &Handling) -> rusqlite::Result<()> {
    tx.execute(
        "-- store::handle_alert
         UPDATE alert SET handling = ?2, acknowledged_at = ?3 WHERE seq = ?1",
        params![alert, json(handling), handling.acknowledged.map(us)],
    )?;
    Ok(())
}

fn log(
    tx: &Tx<'_, '_>,
    alert: i64,
    change: Change,
    condition: &Condition,
    particulars: &Particulars,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let particulars = (*particulars != Particulars::default()).then(|| json(particulars));
    tx.execute(
        "-- store::alert_change
         INSERT INTO alert_change (alert, at, what, condition, particulars) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![alert, us(now), change.name(), json(condition), particulars],
    )?;
    Ok(())
}

/// Does what a person asks about the open alert with that key.
pub(super) fn touch(
    tx: &mut Tx<'_, '_>,
    key: &str,
    touch: &Touch,
    (by, note): (&str, Option<&str>),
    now: Timestamp,
) -> rusqlite::Result<Commanded> {
    let found = tx
        .prepare(
            "-- store::touch_alert
             SELECT seq, condition, handling, opened_at, acknowledged_at, resolved_at FROM alert
             WHERE key = ?1 AND resolved_at IS NULL",
        )?
        .query_row([key], alert)
        .optional()?;
    let Some(mut alert) = found else { return Ok(Commanded::NotFound) };
    let Some(change) = alert.handling.touch(touch, by, note, now) else { return Ok(Commanded::Already) };
    handle(tx, alert.number, &alert.handling)?;
    log(tx, alert.number, change, &alert.condition, &Particulars::of(touch, by, note), now)?;
    super::commands::audit(tx, by, touch.command(), key, now)?;
    Ok(Commanded::Done)
}
