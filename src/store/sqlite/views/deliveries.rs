//! Deliveries, their promises, what waits for whom, and what lies in mailboxes.

use bytes::Bytes;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params, types::Type};

use crate::{
    domain::{
        DeliveryId, Parcel,
        message::TYPE_PREFIX,
        sla::{Standing, Unmet},
    },
    store::{
        MailboxItem,
        sqlite::{
            clocks::course,
            row::{Read, delivery_id, unreadable},
        },
        told::STATES,
        views::{Backlog, DeadGroup, DeliveryView, HeldGroup, PromiseView, Which},
    },
};

pub(super) fn select_deliveries(
    connection: &Connection,
    rest: &str,
    params: impl rusqlite::Params,
) -> rusqlite::Result<Vec<DeliveryView>> {
    let sql = format!(
        "-- store::deliveries
         SELECT d.*, m.receipt, m.id, m.kind FROM delivery d JOIN message m ON m.seq = d.seq / 256 {rest}"
    );
    connection
        .prepare_cached(&sql)?
        .query_map(params, |row| {
            let state = usize::from(row.get::<_, u8>("state")?);
            Ok(DeliveryView {
                delivery_id: delivery_id(row.receipt("receipt")?, row.get("seq")?),
                message_id: row.get("id")?,
                kind: row.get("kind")?,
                receiver: row.get("receiver")?,
                format: row.get("format")?,
                state: (*STATES.get(state).ok_or_else(|| unreadable("state", Type::Integer, "unknown"))?)
                    .to_owned(),
                hold: row.get("hold")?,
                attempts: row.get("attempts")?,
                due: row.instant("due_at")?,
                next_attempt: if state == 0 { row.instant_or_none("next_attempt_at")? } else { None },
                settled: row.instant_or_none("settled_at")?,
                fault: row.fault("fault")?,
                second_way_of: second_way_of(row)?,
                released: row.instant_or_none("released_at")?,
                early: row.instant_or_none("early_at")?,
            })
        })?
        .collect()
}

/// The first way of a second.
fn second_way_of(row: &Row<'_>) -> rusqlite::Result<Option<DeliveryId>> {
    let (seq, other): (i64, Option<i64>) = (row.get("seq")?, row.get("other_way")?);
    let receipt = row.receipt("receipt")?;
    Ok(other.filter(|other| *other < seq).map(|other| delivery_id(receipt, other)))
}

pub(super) fn select_promises(
    connection: &Connection,
    rest: &str,
    params: impl rusqlite::Params,
    now: Timestamp,
) -> rusqlite::Result<Vec<PromiseView>> {
    let sql = format!(
        "-- store::promises
         SELECT p.promise, p.starts_at, p.due_at, p.at_50, p.at_75, p.at_90, p.paused_at, p.basis, d.seq,
             p.met_at, p.ended_at, p.waived, d.receiver, d.attempts, d.state, d.next_attempt_at,
             m.receipt, m.id, m.kind, m.received_at
         FROM deadline p JOIN delivery d ON d.seq = p.seq / 16 JOIN message m ON m.seq = d.seq / 256 {rest}"
    );
    connection
        .prepare_cached(&sql)?
        .query_map(params, |row| {
            let (course, met) = (course(row)?, row.instant_or_none("met_at")?);
            let paused = row.instant_or_none("paused_at")?;
            let how = if row.get("waived")? { Unmet::Waived } else { Unmet::Ended };
            let unmet = row.instant_or_none("ended_at")?.map(|_| how);
            let state = usize::from(row.get::<_, u8>("state")?);
            Ok(PromiseView {
                receipt_id: row.receipt("receipt")?,
                delivery_id: delivery_id(row.receipt("receipt")?, row.get("seq")?),
                message_id: row.get("id")?,
                kind: row.get("kind")?,
                receiver: row.get("receiver")?,
                promise: row.get("promise")?,
                starts: course.starts,
                received: row.instant("received_at")?,
                due: course.due,
                paused,
                basis: row.get("basis")?,
                met,
                standing: Standing::of(course, met, unmet, paused.is_some(), now).name().to_owned(),
                attempts: row.get("attempts")?,
                next_attempt: if state == 0 { row.instant_or_none("next_attempt_at")? } else { None },
                state: (*STATES.get(state).ok_or_else(|| unreadable("state", Type::Integer, "unknown"))?)
                    .to_owned(),
            })
        })?
        .collect()
}

pub(super) fn backlogs(connection: &Connection) -> rusqlite::Result<Vec<Backlog>> {
    connection
        .prepare_cached(
            // Each part in the order of its own index: one sort over all of them would hold every row in memory.
            "-- store::backlogs
             SELECT receiver, sum(pending) AS pending, sum(dead) AS dead, sum(held) AS held, min(oldest) AS oldest,
                 min(nearest) AS nearest
             FROM (SELECT receiver, count(*) AS pending, 0 AS dead, 0 AS held, min(seq) AS oldest, min(due_at) AS nearest
                       FROM delivery WHERE phase = 0 GROUP BY receiver
                   UNION ALL SELECT receiver, count(*), 0, 0, min(seq), min(due_at)
                       FROM delivery WHERE phase = 1 GROUP BY receiver
                   UNION ALL SELECT receiver, count(*), 0, count(*), min(seq), min(due_at)
                       FROM delivery WHERE phase = 2 AND hold <> 'fallback' GROUP BY receiver
                   UNION ALL SELECT receiver, 0, count(*), 0, NULL, NULL
                       FROM delivery WHERE state = 2 GROUP BY receiver)
             GROUP BY receiver",
        )?
        .query_map([], |row| {
            Ok((
                Backlog {
                    receiver: row.get("receiver")?,
                    pending: row.get("pending")?,
                    dead: row.get("dead")?,
                    held: row.get("held")?,
                    oldest: None,
                    nearest_deadline: row.instant_or_none("nearest")?,
                },
                row.get::<_, Option<i64>>("oldest")?,
            ))
        })?
        .map(|row| {
            let (mut backlog, oldest) = row?;
            if let Some(seq) = oldest {
                backlog.oldest = connection
                    .prepare_cached("SELECT received_at FROM message WHERE seq = ?1 / 256")?
                    .query_row([seq], |row| row.instant("received_at"))
                    .optional()?;
            }
            Ok(backlog)
        })
        .collect()
}

pub(super) fn mailbox(
    connection: &Connection,
    receivers: &[String],
    most: u32,
) -> rusqlite::Result<Vec<MailboxItem>> {
    let mut items = Vec::new();
    for receiver in receivers {
        let mut statement = connection.prepare_cached(&format!(
            "{MAILBOX} WHERE d.receiver = ?1 AND d.phase = 2 AND d.hold = 'mailbox' ORDER BY d.due_at LIMIT ?2"
        ))?;
        for row in statement.query_map(params![receiver, most], mailbox_item)? {
            items.push(row?);
        }
    }
    items.sort_by_key(|item| item.due);
    items.truncate(most as usize);
    Ok(items)
}

/// What lies in a mailbox under one delivery's id.
pub(super) fn parcel(connection: &Connection, delivery: DeliveryId) -> rusqlite::Result<Option<MailboxItem>> {
    connection
        .prepare_cached(&format!(
            "{MAILBOX} WHERE m.receipt = ?1 AND d.seq = m.seq * 256 + ?2 AND d.phase = 2 AND d.hold = 'mailbox'"
        ))?
        .query_row(params![delivery.receipt().uuid().as_bytes(), delivery.ordinal()], mailbox_item)
        .optional()
}

const MAILBOX: &str = "-- store::mailbox
    SELECT d.seq, d.receiver, d.due_at, d.format, d.format_version, p.content_type, p.body, p.citizen, m.receipt, m.source, m.id,
        m.kind
    FROM delivery d JOIN parcel p ON p.seq = d.seq JOIN message m ON m.seq = d.seq / 256";

fn mailbox_item(row: &Row<'_>) -> rusqlite::Result<MailboxItem> {
    let format: String = row.get("format")?;
    Ok(MailboxItem {
        delivery: delivery_id(row.receipt("receipt")?, row.get("seq")?),
        receiver: row.get("receiver")?,
        event_type: format!("{TYPE_PREFIX}{}", row.get::<_, String>("kind")?),
        source: row.get("source")?,
        message_id: row.get("id")?,
        due: row.instant("due_at")?,
        parcel: Parcel {
            format: format.parse().map_err(|e: String| unreadable("format", Type::Text, &e))?,
            format_version: row.get("format_version")?,
            content_type: row.get::<_, String>("content_type")?.into(),
            body: Bytes::from(row.get::<_, Vec<u8>>("body")?),
            citizen: row.citizen("citizen")?,
        },
    })
}

pub(super) fn held_groups(connection: &Connection) -> rusqlite::Result<Vec<HeldGroup>> {
    connection
        .prepare_cached(
            "-- store::held_groups
             SELECT d.receiver, m.kind, d.fault ->> 'code' AS code, count(*) AS count, min(d.due_at) AS earliest
             FROM delivery d INDEXED BY delivery_held JOIN message m ON m.seq = d.seq / 256
             WHERE d.phase = 2 AND d.hold = 'person' AND d.fault IS NOT NULL
             GROUP BY d.receiver, m.kind, code ORDER BY earliest",
        )?
        .query_map([], |row| {
            let code: String = row.get("code")?;
            Ok(HeldGroup {
                receiver: row.get("receiver")?,
                kind: row.get("kind")?,
                code: code.parse().map_err(|e: String| unreadable("fault", Type::Text, &e))?,
                count: row.get("count")?,
                earliest_due: row.instant("earliest")?,
            })
        })?
        .collect()
}

pub(super) fn dead_groups(connection: &Connection) -> rusqlite::Result<Vec<DeadGroup>> {
    connection
        .prepare_cached(
            "-- store::dead_groups
             SELECT d.receiver, m.kind, d.fault ->> 'code' AS code, count(*) AS count, min(d.settled_at) AS first,
                 max(d.settled_at) AS last, min(d.due_at) AS earliest
             FROM delivery d JOIN message m ON m.seq = d.seq / 256 WHERE d.state = 2
             GROUP BY d.receiver, m.kind, code ORDER BY earliest",
        )?
        .query_map([], |row| {
            let code: String = row.get("code")?;
            Ok(DeadGroup {
                receiver: row.get("receiver")?,
                kind: row.get("kind")?,
                code: code.parse().map_err(|e: String| unreadable("fault", Type::Text, &e))?,
                count: row.get("count")?,
                first: row.instant("first")?,
                last: row.instant("last")?,
                earliest_due: row.instant("earliest")?,
            })
        })?
        .collect()
}

pub(super) fn which(
    connection: &Connection,
    which: &Which,
    after: Option<DeliveryId>,
    most: u32,
) -> rusqlite::Result<Vec<DeliveryId>> {
    let beyond = after.map(|id| (id.receipt().uuid().into_bytes(), id.ordinal()));
    let (receipt, ordinal) = beyond.unzip();
    // Each by its own index: a held delivery is one of a few in a table of many.
    let (index, condition, values) = match which {
        Which::Held(reason) => (
            "delivery_held",
            "d.phase = 2 AND d.hold = ?4 AND ?5 IS NULL AND ?6 IS NULL",
            [Some(reason.name().to_owned()), None, None],
        ),
        Which::Dead { receiver, kind, code } => (
            "delivery_dead",
            "d.state = 2 AND d.receiver = ?4 AND m.kind = ?5 AND d.fault ->> 'code' = ?6",
            [Some(receiver.clone()), Some(kind.clone()), Some(code.to_string())],
        ),
    };
    let [first, second, third] = values;
    connection
        .prepare_cached(&format!(
            "-- store::which
             SELECT d.seq, m.receipt FROM delivery d INDEXED BY {index} JOIN message m ON m.seq = d.seq / 256
             WHERE d.seq > coalesce((SELECT seq * 256 + ?2 FROM message WHERE receipt = ?1), 0) AND {condition}
             ORDER BY d.seq LIMIT ?3"
        ))?
        .query_map(params![receipt, ordinal, most, first, second, third], |row| {
            Ok(delivery_id(row.receipt("receipt")?, row.get("seq")?))
        })?
        .collect()
}
