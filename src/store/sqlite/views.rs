//! The read models of this engine.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter, types::Type};

use super::{
    Sqlite,
    row::{Read, delivery_id, json, unreadable, us},
};
use crate::{
    domain::{
        Answer, AnswerOutcome, DeliveryId, Fault, Parcel, ReceiptId,
        alert::{Alert, Change, Condition},
        message::TYPE_PREFIX,
        sla::Standing,
    },
    store::{
        Conservation, LaneState, LoggedAnswer, MailboxItem, StoreError, parse_json,
        views::{
            AlertChange, Backlog, DeliveryView, Endangered, EventView, MessageFilter, MessageLine,
            MessageView, PromiseView, RawMessage, Views,
        },
    },
};

/// The word for a delivery's state.
const STATES: [&str; 4] = ["pending", "delivered", "dead", "cancelled"];

/// A message's derived state: the first of invalid, pending, dead, cancelled, delivered that applies.
const DERIVED: &str = "CASE WHEN m.state = 1 THEN 'invalid' ELSE coalesce((
    SELECT CASE min(CASE d.state WHEN 0 THEN 0 WHEN 2 THEN 1 WHEN 3 THEN 2 ELSE 3 END)
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
/// ties messages together. Each by an index; the sender's id is looked up under every sender, of whom there are few.
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
             WITH RECURSIVE sender(source) AS (
                 SELECT min(source) FROM message WHERE state = 0
                 UNION ALL
                 SELECT (SELECT min(source) FROM message WHERE state = 0 AND source > sender.source)
                 FROM sender WHERE sender.source IS NOT NULL)
             SELECT i.seq FROM sender JOIN message i ON i.state = 0 AND i.source = sender.source AND i.id = {text}
             UNION ALL SELECT seq FROM message WHERE state = 1 AND id = {text}
             UNION ALL SELECT seq FROM message WHERE receipt = X'{receipt}'
             {ties})"
    )
}

fn messages(connection: &Connection, filter: &MessageFilter) -> rusqlite::Result<Vec<MessageLine>> {
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

fn message(
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

fn select_deliveries(
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
            })
        })?
        .collect()
}

fn select_promises(
    connection: &Connection,
    rest: &str,
    params: impl rusqlite::Params,
    now: Timestamp,
) -> rusqlite::Result<Vec<PromiseView>> {
    let sql = format!(
        "-- store::promises
         SELECT p.promise, p.starts_at, p.due_at, p.met_at, p.ended_at, d.receiver, d.attempts, d.state, d.next_attempt_at,
             m.receipt, m.id, m.kind, m.received_at
         FROM deadline p JOIN delivery d ON d.seq = p.seq / 16 JOIN message m ON m.seq = d.seq / 256 {rest}"
    );
    connection
        .prepare_cached(&sql)?
        .query_map(params, |row| {
            let (starts, due, met) =
                (row.instant("starts_at")?, row.instant("due_at")?, row.instant_or_none("met_at")?);
            let ended = row.instant_or_none("ended_at")?.is_some();
            let state = usize::from(row.get::<_, u8>("state")?);
            Ok(PromiseView {
                receipt_id: row.receipt("receipt")?,
                message_id: row.get("id")?,
                kind: row.get("kind")?,
                receiver: row.get("receiver")?,
                promise: row.get("promise")?,
                starts,
                received: row.instant("received_at")?,
                due,
                met,
                standing: Standing::of(starts, due, met, ended, now).name().to_owned(),
                attempts: row.get("attempts")?,
                next_attempt: if state == 0 { row.instant_or_none("next_attempt_at")? } else { None },
                state: (*STATES.get(state).ok_or_else(|| unreadable("state", Type::Integer, "unknown"))?)
                    .to_owned(),
            })
        })?
        .collect()
}

fn endangered(connection: &Connection) -> rusqlite::Result<Vec<Endangered>> {
    connection
        .prepare_cached(
            "-- store::endangered
             SELECT d.receiver, m.kind, p.promise, p.step, count(*) AS count, min(p.due_at) AS earliest,
                 (SELECT min(q.starts_at + (q.due_at - q.starts_at) * q.step / 100) FROM deadline q WHERE q.seq = p.seq) AS reached, m.receipt
             FROM deadline p JOIN delivery d ON d.seq = p.seq / 16 JOIN message m ON m.seq = d.seq / 256
             WHERE p.step >= 75 AND p.met_at IS NULL AND p.ended_at IS NULL
             GROUP BY d.receiver, m.kind, p.promise, p.step ORDER BY earliest",
        )?
        .query_map([], |row| {
            Ok(Endangered {
                receiver: row.get("receiver")?,
                kind: row.get("kind")?,
                promise: row.get("promise")?,
                step: row.get("step")?,
                count: row.get("count")?,
                earliest: row.instant("earliest")?,
                reached: row.instant("reached")?,
                // SQLite takes bare columns from the row that gave the minimum.
                example: row.receipt("receipt")?,
            })
        })?
        .collect()
}

fn backlogs(connection: &Connection) -> rusqlite::Result<Vec<Backlog>> {
    connection
        .prepare_cached(
            "-- store::backlogs
             SELECT receiver, sum(state = 0) AS pending, sum(state = 2) AS dead, sum(phase IS 2) AS held,
                 min(CASE WHEN state = 0 THEN seq END) AS oldest, min(CASE WHEN state = 0 THEN due_at END) AS nearest
             FROM (SELECT receiver, state, phase, seq, due_at FROM delivery WHERE phase = 0
                   UNION ALL SELECT receiver, state, phase, seq, due_at FROM delivery WHERE phase = 1
                   UNION ALL SELECT receiver, state, phase, seq, due_at FROM delivery WHERE phase = 2
                   UNION ALL SELECT receiver, state, phase, seq, due_at FROM delivery WHERE state = 2)
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

fn condition(row: &Row<'_>) -> rusqlite::Result<Condition> {
    json(row, "condition")?.ok_or_else(|| unreadable("condition", Type::Null, "it is missing"))
}

fn answers(
    connection: &Connection,
    party: &str,
    after: i64,
    most: u32,
) -> rusqlite::Result<Vec<LoggedAnswer>> {
    connection
        .prepare_cached(
            "-- store::answers
             SELECT a.seq, a.party, a.outcome, a.at, a.delivery, a.data, m.receipt, m.id, m.kind, m.findings,
                 coalesce((SELECT due_at FROM delivery WHERE seq = a.delivery),
                     (SELECT min(due_at) FROM delivery d WHERE d.seq BETWEEN m.seq * 256 AND m.seq * 256 + 255)) AS due
             FROM answer a JOIN message m ON m.seq = a.message WHERE a.party = ?1 AND a.seq > ?2 ORDER BY a.seq LIMIT ?3",
        )?
        .query_map(params![party, after, most], answer)?
        .collect()
}

/// Rebuilds an answer from the log and what it is about.
fn answer(row: &Row<'_>) -> rusqlite::Result<LoggedAnswer> {
    let receipt = row.receipt("receipt")?;
    let word: String = row.get("outcome")?;
    let outcome = AnswerOutcome::from_name(&word).ok_or_else(|| unreadable("outcome", Type::Text, &word))?;
    let at = row.instant("at")?;
    let data: serde_json::Value = json(row, "data")?.unwrap_or_default();
    let mut errors = match outcome {
        AnswerOutcome::Accepted | AnswerOutcome::Rejected => row.violations("findings")?,
        _ => vec![],
    };
    if let Ok(fault) = serde_json::from_value::<Fault>(data["fault"].clone()) {
        errors.push(fault_violation(&fault));
    }
    let mut answer = Answer::new(receipt, row.get("id")?, outcome, errors);
    answer.deadline = row.instant_or_none("due")?;
    answer.delivery_id = row.get::<_, Option<i64>>("delivery")?.map(|seq| delivery_id(receipt, seq));
    if outcome == AnswerOutcome::Delivered {
        answer.delivered_at = Some(at);
        answer.receiver_receipt = data["receipt"].as_str().map(str::to_owned);
    }
    Ok(LoggedAnswer { seq: row.get("seq")?, party: row.get("party")?, kind: row.get("kind")?, at, answer })
}

/// A delivery's fault, in the form in which senders read errors.
fn fault_violation(fault: &Fault) -> crate::domain::Violation {
    let text = crate::domain::Text::new(
        format!("Leveringen mislykkedes: {}", fault.detail),
        format!("The delivery failed: {}", fault.detail),
    );
    crate::domain::Violation::error("", format!("delivery.{}", fault.class().name()), fault.code, text)
}

fn mailbox(connection: &Connection, receivers: &[String], most: u32) -> rusqlite::Result<Vec<MailboxItem>> {
    let mut items = Vec::new();
    for receiver in receivers {
        let mut statement = connection.prepare_cached(
            "-- store::mailbox
             SELECT d.seq, d.receiver, d.due_at, d.format, d.format_version, p.content_type, p.body, m.receipt, m.source, m.id, m.kind
             FROM delivery d JOIN parcel p ON p.seq = d.seq JOIN message m ON m.seq = d.seq / 256
             WHERE d.receiver = ?1 AND d.phase = 2 AND d.hold = 'mailbox' ORDER BY d.due_at LIMIT ?2",
        )?;
        let rows = statement.query_map(params![receiver, most], |row| {
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
                },
            })
        })?;
        for row in rows {
            items.push(row?);
        }
    }
    items.sort_by_key(|item| item.due);
    items.truncate(most as usize);
    Ok(items)
}

fn conservation(connection: &Connection) -> rusqlite::Result<Conservation> {
    let sql = format!(
        "-- store::conservation
         SELECT count(*), coalesce(sum(derived = 'delivered'), 0), coalesce(sum(derived = 'dead'), 0),
             coalesce(sum(derived = 'pending'), 0), coalesce(sum(derived = 'invalid'), 0), coalesce(sum(derived = 'cancelled'), 0)
         FROM (SELECT {DERIVED} AS derived FROM message m)"
    );
    connection.prepare_cached(&sql)?.query_row([], |row| {
        Ok(Conservation {
            taken: row.get(0)?,
            delivered: row.get(1)?,
            dead: row.get(2)?,
            pending: row.get(3)?,
            invalid: row.get(4)?,
            cancelled: row.get(5)?,
        })
    })
}

impl Views for Sqlite {
    fn messages(&self, filter: MessageFilter) -> BoxFuture<'_, Result<Vec<MessageLine>, StoreError>> {
        self.readers.read(move |c| messages(c, &filter))
    }

    fn message(
        &self,
        id: String,
        party: Option<String>,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Option<MessageView>, StoreError>> {
        self.readers.read(move |c| message(c, &id, party.as_deref(), now))
    }

    fn raw(&self, receipt: ReceiptId) -> BoxFuture<'_, Result<Option<RawMessage>, StoreError>> {
        self.readers.read(move |c| {
            c.prepare_cached(
                "-- store::raw
                 SELECT party, way, content_type, headers, raw, received_at FROM message WHERE receipt = ?1 AND raw IS NOT NULL",
            )?
            .query_row([receipt.uuid().as_bytes()], |row| {
                Ok(RawMessage {
                    party: row.get("party")?,
                    way: row.get("way")?,
                    content_type: row.get("content_type")?,
                    headers: json(row, "headers")?.unwrap_or_default(),
                    raw: Bytes::from(row.get::<_, Vec<u8>>("raw")?),
                    received: row.instant("received_at")?,
                })
            })
            .optional()
        })
    }

    fn deliveries(
        &self,
        state: Option<String>,
        receiver: Option<String>,
        most: u32,
    ) -> BoxFuture<'_, Result<Vec<DeliveryView>, StoreError>> {
        let state =
            state.and_then(|word| (0u8..).zip(STATES).find(|(_, s)| *s == word)).map(|(place, _)| place);
        self.readers.read(move |c| {
            select_deliveries(
                c,
                "WHERE (?1 IS NULL OR d.state = ?1) AND (?2 IS NULL OR d.receiver = ?2) ORDER BY d.seq DESC LIMIT ?3",
                params![state, receiver, most],
            )
        })
    }

    fn promises(
        &self,
        open: bool,
        most: u32,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Vec<PromiseView>, StoreError>> {
        let rest = if open {
            "WHERE p.met_at IS NULL AND p.ended_at IS NULL ORDER BY p.due_at LIMIT ?1"
        } else {
            "WHERE 1 = 1 ORDER BY p.due_at LIMIT ?1"
        };
        self.readers.read(move |c| select_promises(c, rest, params![most], now))
    }

    fn endangered(&self) -> BoxFuture<'_, Result<Vec<Endangered>, StoreError>> {
        self.readers.read(endangered)
    }

    fn backlogs(&self) -> BoxFuture<'_, Result<Vec<Backlog>, StoreError>> {
        self.readers.read(backlogs)
    }

    fn lanes(&self) -> BoxFuture<'_, Result<Vec<LaneState>, StoreError>> {
        self.readers.read(|c| {
            c.prepare_cached(
                "-- store::lanes\n SELECT receiver, circuit, paused FROM lane ORDER BY receiver",
            )?
            .query_map([], |row| {
                Ok(LaneState {
                    receiver: row.get("receiver")?,
                    circuit: json(row, "circuit")?.unwrap_or_default(),
                    paused: row.get("paused")?,
                })
            })?
            .collect()
        })
    }

    fn open_alerts(&self) -> BoxFuture<'_, Result<Vec<Alert>, StoreError>> {
        self.readers.read(|c| {
            c.prepare_cached(
                "-- store::open_alerts
                 SELECT condition, opened_at, acknowledged_at, resolved_at FROM alert WHERE resolved_at IS NULL ORDER BY seq",
            )?
            .query_map([], |row| {
                Ok(Alert {
                    condition: condition(row)?,
                    opened: row.instant("opened_at")?,
                    acknowledged: row.instant_or_none("acknowledged_at")?,
                    resolved: row.instant_or_none("resolved_at")?,
                })
            })?
            .collect()
        })
    }

    fn alert_changes(&self, after: i64, most: u32) -> BoxFuture<'_, Result<Vec<AlertChange>, StoreError>> {
        self.readers.read(move |c| {
            c.prepare_cached(
                "-- store::alert_changes
                 SELECT seq, at, what, condition FROM alert_change WHERE seq > ?1 ORDER BY seq LIMIT ?2",
            )?
            .query_map(params![after, most], |row| {
                let change = match row.get::<_, String>("what")?.as_str() {
                    "opened" => Change::Opened,
                    "acknowledged" => Change::Acknowledged,
                    "resolved" => Change::Resolved,
                    other => return Err(unreadable("what", Type::Text, other)),
                };
                Ok((row.get("seq")?, row.instant("at")?, change, condition(row)?))
            })?
            .collect()
        })
    }

    fn answers(
        &self,
        party: String,
        after: i64,
        most: u32,
    ) -> BoxFuture<'_, Result<Vec<LoggedAnswer>, StoreError>> {
        self.readers.read(move |c| answers(c, &party, after, most))
    }

    fn cursor(&self, name: String) -> BoxFuture<'_, Result<i64, StoreError>> {
        self.readers.read(move |c| {
            c.prepare_cached("-- store::cursor\n SELECT seq FROM cursor WHERE name = ?1")?
                .query_row([name], |row| row.get(0))
                .optional()
                .map(Option::unwrap_or_default)
        })
    }

    fn mailbox(
        &self,
        receivers: Vec<String>,
        most: u32,
    ) -> BoxFuture<'_, Result<Vec<MailboxItem>, StoreError>> {
        self.readers.read(move |c| mailbox(c, &receivers, most))
    }

    fn delivery_receiver(&self, delivery: DeliveryId) -> BoxFuture<'_, Result<Option<String>, StoreError>> {
        self.readers.read(move |c| {
            c.prepare_cached(
                "-- store::delivery_receiver
                 SELECT d.receiver FROM message m JOIN delivery d ON d.seq = m.seq * 256 + ?2 WHERE m.receipt = ?1",
            )?
            .query_row(params![delivery.receipt().uuid().as_bytes(), delivery.ordinal()], |row| row.get(0))
            .optional()
        })
    }

    fn conservation(&self) -> BoxFuture<'_, Result<Conservation, StoreError>> {
        self.readers.read(conservation)
    }

    fn sla_totals(&self, now: Timestamp) -> BoxFuture<'_, Result<BTreeMap<String, i64>, StoreError>> {
        self.readers.read(move |c| {
            c.prepare_cached(
                "-- store::sla_totals
                 SELECT CASE WHEN met_at IS NOT NULL AND met_at <= due_at THEN 'met' WHEN met_at IS NOT NULL THEN 'met_late'
                     WHEN ended_at IS NOT NULL THEN 'ended' WHEN due_at <= ?1 THEN 'breached' ELSE 'open' END AS standing, count(*)
                 FROM deadline GROUP BY standing",
            )?
            .query_map([us(now)], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect()
        })
    }
}
