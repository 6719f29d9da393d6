//! Lists of messages, and everything about one.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

use super::deliveries::{select_deliveries, select_promises};
use crate::{
    domain::{ReceiptId, case::CaseState},
    store::{
        ahead::show_maintenance,
        parse_json,
        sqlite::{
            identity,
            lanes::maintenance,
            row::{Read, delivery_id, us},
        },
        views::{EventView, MessageFilter, MessageLine, MessageView},
    },
};

/// A message's derived state: the first of invalid, pending, dead, cancelled, delivered that applies. Of two ways one
/// is left out: a second that is held back or was not needed, and the one that failed where the other did not.
pub(super) const DERIVED: &str = "CASE WHEN m.state = 1 THEN 'invalid' ELSE coalesce((
    SELECT CASE min(CASE WHEN d.hold = 'fallback' THEN 3
            WHEN d.state > 1 AND EXISTS (SELECT 1 FROM delivery o WHERE o.seq = d.other_way AND o.state = 1) THEN 3
            WHEN d.state = 0 THEN 0 WHEN d.state = 2 THEN 1 WHEN d.state = 3 THEN 2 ELSE 3 END)
        WHEN 0 THEN 'pending' WHEN 1 THEN 'dead' WHEN 2 THEN 'cancelled' ELSE 'delivered' END
    FROM delivery d WHERE d.seq BETWEEN m.seq * 256 AND m.seq * 256 + 255), 'pending') END";

const DUE: &str =
    "(SELECT min(d.due_at) FROM delivery d WHERE d.seq BETWEEN m.seq * 256 AND m.seq * 256 + 255)";

fn line(row: &Row<'_>) -> rusqlite::Result<MessageLine> {
    Ok(MessageLine {
        receipt_id: row.receipt("receipt")?,
        message_id: row.get("id")?,
        party: row.get("party")?,
        kind: row.get("kind")?,
        receiver: row.get("receiver")?,
        received: row.instant("received_at")?,
        state: row.get("derived")?,
        due: row.instant_or_none("due")?,
    })
}

/// The messages that a text names: by a receipt's or a delivery's id, by the sender's id, and with `wide` by what
/// ties messages together. Each by an index.
fn by_id(id: &str, text: &str, wide: bool) -> String {
    // Written out rather than bound: what is left of a UUID is hexadecimal digits and nothing else.
    let receipt = id.parse::<uuid::Uuid>().ok().map(|u| ReceiptId::from_fresh(u).uuid().simple().to_string());
    let receipt = receipt.unwrap_or_default();
    let ties = if wide {
        format!(
            "UNION ALL SELECT seq FROM message WHERE correlation = {text}
             UNION ALL SELECT seq FROM message WHERE subject = {text}"
        )
    } else {
        String::new()
    };
    format!(
        "m.seq IN (
             {}
             UNION ALL SELECT seq FROM message WHERE state = 1 AND id = {text}
             UNION ALL SELECT seq FROM message WHERE receipt = X'{receipt}'
             {ties})",
        identity::of_anybody(text, identity::number(id)),
    )
}

pub(super) fn messages(
    connection: &Connection,
    filter: &MessageFilter,
) -> rusqlite::Result<Vec<MessageLine>> {
    let mut conditions = vec!["1 = 1".to_owned()];
    let mut values: Vec<rusqlite::types::Value> = Vec::new();
    let mut narrow = |sql: &str, value: rusqlite::types::Value| {
        values.push(value);
        conditions.push(sql.replace('?', &format!("?{}", values.len())));
    };
    if let Some(kind) = &filter.kind {
        narrow("(m.kind = ? OR m.kind LIKE ? || '.v%')", kind.clone().into());
    }
    if let Some(party) = &filter.party {
        narrow("m.party = ?", party.clone().into());
    }
    if let Some(receiver) = &filter.receiver {
        narrow(
            "(m.receiver = ? OR EXISTS (SELECT 1 FROM delivery d WHERE d.seq BETWEEN m.seq * 256 AND m.seq * 256 + 255 AND d.receiver = ?))",
            receiver.clone().into(),
        );
    }
    if let Some(id) = &filter.id {
        narrow(&by_id(id, "?", true), id.clone().into());
    }
    if let Some(before) = filter.before {
        narrow(
            "m.seq < (SELECT seq FROM message WHERE receipt = ?)",
            before.uuid().as_bytes().to_vec().into(),
        );
    }
    let derived = filter.state.as_ref().map_or_else(String::new, |state| {
        values.push(state.clone().into());
        format!("WHERE derived = ?{}", values.len())
    });
    let sql = format!(
        "-- store::messages
         SELECT * FROM (SELECT m.seq, m.receipt, m.id, m.party, m.kind, m.receiver, m.received_at, {DERIVED} AS derived, {DUE} AS due
             FROM message m WHERE {} ORDER BY m.seq DESC) {derived} LIMIT {}",
        conditions.join(" AND "),
        filter.most,
    );
    connection.prepare(&sql)?.query_map(params_from_iter(values), line)?.collect()
}

pub(super) fn message(
    connection: &Connection,
    id: &str,
    party: Option<&str>,
    now: Timestamp,
) -> rusqlite::Result<Option<MessageView>> {
    let sql = format!(
        "-- store::message
         SELECT m.*, length(m.raw) AS raw_bytes, {DERIVED} AS derived, {DUE} AS due FROM message m
         WHERE {} AND (?2 IS NULL OR m.party = ?2) ORDER BY m.state, m.seq DESC LIMIT 1",
        by_id(id, "?1", false)
    );
    let found = connection
        .prepare(&sql)?
        .query_row(params![id, party], |row| {
            let seq: i64 = row.get("seq")?;
            let view = MessageView {
                line: line(row)?,
                way: row.get("way")?,
                source: row.get("source")?,
                subject: row.get("subject")?,
                agreement: row.get("agreement")?,
                correlation_id: row.get("correlation")?,
                case: row.get::<_, Option<String>>("case_state")?.as_deref().and_then(CaseState::from_name),
                causation_id: row.get("causation")?,
                occurred: row.instant_or_none("occurred_at")?,
                recorded: row.instant_or_none("recorded_at")?,
                sent: row.instant_or_none("sent_at")?,
                generation: row.get::<_, i64>("generation")?.unsigned_abs(),
                content_type: row.get("content_type")?,
                raw_bytes: row.get::<_, Option<i64>>("raw_bytes")?.unwrap_or(0).unsigned_abs(),
                findings: row.violations("findings")?,
                deliveries: vec![],
                promises: vec![],
                history: vec![],
            };
            Ok((seq, view))
        })
        .optional()?;
    let Some((seq, mut view)) = found else { return Ok(None) };
    let span = params![seq * 256, seq * 256 + 255];
    view.deliveries = select_deliveries(connection, "WHERE d.seq BETWEEN ?1 AND ?2 ORDER BY d.seq", span)?;
    show_maintenance(&mut view.deliveries, &maintenance(connection)?, now);
    let span = params![seq * 4096, seq * 4096 + 4095, us(now)];
    view.promises =
        select_promises(connection, "WHERE p.seq BETWEEN ?1 AND ?2 AND ?3 > 0 ORDER BY p.due_at", span, now)?;
    view.history = history(connection, seq, view.line.receipt_id)?;
    Ok(Some(view))
}

fn history(connection: &Connection, message: i64, receipt: ReceiptId) -> rusqlite::Result<Vec<EventView>> {
    connection
        .prepare_cached(
            "-- store::history
             SELECT at, what, delivery, data FROM event WHERE message = ?1 ORDER BY seq LIMIT 1000",
        )?
        .query_map([message], |row| {
            let delivery: Option<i64> = row.get("delivery")?;
            let data: Option<String> = row.get("data")?;
            Ok(EventView {
                at: row.instant("at")?,
                what: row.get("what")?,
                delivery_id: delivery.map(|seq| delivery_id(receipt, seq)),
                data: data.as_deref().map_or(serde_json::Value::Null, parse_json),
            })
        })?
        .collect()
}
