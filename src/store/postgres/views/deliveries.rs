//! Deliveries, their promises, what waits for whom, and what lies in mailboxes.

use deadpool_postgres::{Client, GenericClient};
use jiff::Timestamp;
use tokio_postgres::{Row, types::ToSql};

use super::{row, rows};
use crate::{
    domain::{
        DeliveryId,
        message::TYPE_PREFIX,
        sla::{Standing, Unmet},
    },
    store::{
        MailboxItem,
        numbers::delivery_id,
        postgres::{
            clocks::course,
            fail::Fail,
            row::{Read, unreadable},
        },
        told::STATES,
        views::{Backlog, DeadGroup, DeliveryView, HeldGroup, PromiseView, Which},
    },
};

fn state(row: &Row) -> Result<&'static str, Fail> {
    let place = usize::from(row.small("state")?);
    STATES.get(place).copied().ok_or_else(|| unreadable("state"))
}

/// When it is tried next; nothing where it has ended.
fn next_attempt(row: &Row, state: &str) -> Result<Option<Timestamp>, Fail> {
    if state == STATES[0] { row.instant_or_none("next_attempt_at") } else { Ok(None) }
}

/// The first way of a second.
fn second_way_of(row: &Row) -> Result<Option<DeliveryId>, Fail> {
    let (seq, other): (i64, Option<i64>) = (row.value("seq")?, row.value("other_way")?);
    let receipt = row.receipt("receipt")?;
    Ok(other.filter(|other| *other < seq).map(|other| delivery_id(receipt, other)))
}

pub(super) async fn deliveries(
    client: &impl GenericClient,
    rest: &str,
    params: &[&(dyn ToSql + Sync)],
) -> Result<Vec<DeliveryView>, Fail> {
    let sql = format!(
        "SELECT d.*, m.receipt, m.id, m.kind FROM delivery d JOIN message m ON m.seq = d.seq / 256 {rest}"
    );
    let read = |row: &Row| {
        let state = state(row)?;
        Ok(DeliveryView {
            delivery_id: delivery_id(row.receipt("receipt")?, row.value("seq")?),
            message_id: row.value("id")?,
            kind: row.value("kind")?,
            receiver: row.value("receiver")?,
            format: row.value("format")?,
            state: state.to_owned(),
            hold: row.value("hold")?,
            attempts: row.count("attempts")?,
            due: row.instant("due_at")?,
            next_attempt: next_attempt(row, state)?,
            settled: row.instant_or_none("settled_at")?,
            fault: row.fault("fault")?,
            second_way_of: second_way_of(row)?,
            released: row.instant_or_none("released_at")?,
            early: row.instant_or_none("early_at")?,
        })
    };
    rows(client, &sql, params).await?.iter().map(read).collect()
}

pub(super) async fn promises(
    client: &impl GenericClient,
    rest: &str,
    params: &[&(dyn ToSql + Sync)],
    now: Timestamp,
) -> Result<Vec<PromiseView>, Fail> {
    let sql = format!(
        "SELECT p.promise, p.starts_at, p.due_at, p.at_50, p.at_75, p.at_90, p.paused_at, p.basis, d.seq,
             p.met_at, p.ended_at, p.waived, d.receiver, d.attempts, d.state,
             d.next_attempt_at, m.receipt, m.id, m.kind, m.received_at
         FROM deadline p JOIN delivery d ON d.seq = p.seq / 16 JOIN message m ON m.seq = d.seq / 256 {rest}"
    );
    let read = |row: &Row| {
        let (course, met) = (course(row)?, row.instant_or_none("met_at")?);
        let paused = row.instant_or_none("paused_at")?;
        let how = if row.value("waived")? { Unmet::Waived } else { Unmet::Ended };
        let unmet = row.instant_or_none("ended_at")?.map(|_| how);
        let state = state(row)?;
        Ok(PromiseView {
            receipt_id: row.receipt("receipt")?,
            delivery_id: delivery_id(row.receipt("receipt")?, row.value("seq")?),
            message_id: row.value("id")?,
            kind: row.value("kind")?,
            receiver: row.value("receiver")?,
            promise: row.value("promise")?,
            starts: course.starts,
            received: row.instant("received_at")?,
            due: course.due,
            paused,
            basis: row.value("basis")?,
            met,
            standing: Standing::of(course, met, unmet, paused.is_some(), now).name().to_owned(),
            attempts: row.count("attempts")?,
            next_attempt: next_attempt(row, state)?,
            state: state.to_owned(),
        })
    };
    rows(client, &sql, params).await?.iter().map(read).collect()
}

pub(super) async fn backlogs(client: &Client) -> Result<Vec<Backlog>, Fail> {
    let rows = rows(
        client,
        "SELECT b.*, m.received_at AS oldest FROM (
                 SELECT receiver, count(*) FILTER (WHERE state = 0) AS pending, count(*) FILTER (WHERE state = 2) AS dead,
                     count(*) FILTER (WHERE phase = 2) AS held, min(seq) FILTER (WHERE state = 0) AS first,
                     min(due_at) FILTER (WHERE state = 0) AS nearest
                 FROM (SELECT receiver, state, phase, seq, due_at FROM delivery WHERE phase = 0
                       UNION ALL SELECT receiver, state, phase, seq, due_at FROM delivery WHERE phase = 1
                       UNION ALL SELECT receiver, state, phase, seq, due_at FROM delivery WHERE phase = 2 AND hold <> 'fallback'
                       UNION ALL SELECT receiver, state, phase, seq, due_at FROM delivery WHERE state = 2) AS d
                 GROUP BY receiver) AS b
             LEFT JOIN message m ON m.seq = b.first / 256",
            &[],
        )
        .await?;
    let read = |row: &Row| {
        Ok(Backlog {
            receiver: row.value("receiver")?,
            pending: row.value("pending")?,
            dead: row.value("dead")?,
            held: row.value("held")?,
            oldest: row.instant_or_none("oldest")?,
            nearest_deadline: row.instant_or_none("nearest")?,
        })
    };
    rows.iter().map(read).collect()
}

pub(super) async fn mailbox(
    client: &Client,
    receivers: &[String],
    most: u32,
) -> Result<Vec<MailboxItem>, Fail> {
    let rows = rows(
        client,
        "SELECT d.seq, d.receiver, d.due_at, d.format, d.format_version, p.content_type, p.body, p.citizen, m.receipt,
                 m.source, m.id, m.kind
             FROM (SELECT i.* FROM unnest($1::text[]) r CROSS JOIN LATERAL (
                       SELECT * FROM delivery WHERE receiver = r AND phase = 2 AND hold = 'mailbox'
                       ORDER BY due_at LIMIT $2) AS i
                   ORDER BY i.due_at LIMIT $2) AS d
             JOIN parcel p ON p.seq = d.seq JOIN message m ON m.seq = d.seq / 256 ORDER BY d.due_at, d.seq",
        &[&receivers, &i64::from(most)],
    )
    .await?;
    rows.iter().map(mailbox_item).collect()
}

/// What lies in a mailbox under one delivery's id.
pub(super) async fn parcel(client: &Client, delivery: DeliveryId) -> Result<Option<MailboxItem>, Fail> {
    let found = row(
        client,
        "SELECT d.seq, d.receiver, d.due_at, d.format, d.format_version, p.content_type, p.body, p.citizen, m.receipt,
                 m.source, m.id, m.kind
             FROM message m JOIN delivery d ON d.seq = m.seq * 256 + $2 JOIN parcel p ON p.seq = d.seq
             WHERE m.receipt = $1 AND d.phase = 2 AND d.hold = 'mailbox'",
        &[&delivery.receipt().uuid(), &i64::from(delivery.ordinal())],
    )
    .await?;
    found.as_ref().map(mailbox_item).transpose()
}

fn mailbox_item(row: &Row) -> Result<MailboxItem, Fail> {
    Ok(MailboxItem {
        delivery: delivery_id(row.receipt("receipt")?, row.value("seq")?),
        receiver: row.value("receiver")?,
        event_type: format!("{TYPE_PREFIX}{}", row.value::<String>("kind")?),
        source: row.value("source")?,
        message_id: row.value("id")?,
        due: row.instant("due_at")?,
        parcel: row.parcel()?,
    })
}

pub(super) async fn held_groups(client: &Client) -> Result<Vec<HeldGroup>, Fail> {
    let rows = rows(
        client,
        "SELECT d.receiver, m.kind, d.fault::json ->> 'code' AS code, count(*) AS count, min(d.due_at) AS earliest
             FROM delivery d JOIN message m ON m.seq = d.seq / 256
             WHERE d.phase = 2 AND d.hold = 'person' AND d.fault IS NOT NULL
             GROUP BY 1, 2, 3 ORDER BY earliest",
        &[],
    )
    .await?;
    let read = |row: &Row| {
        let code: String = row.value("code")?;
        Ok(HeldGroup {
            receiver: row.value("receiver")?,
            kind: row.value("kind")?,
            code: code.parse().map_err(|_| unreadable("fault"))?,
            count: row.value("count")?,
            earliest_due: row.instant("earliest")?,
        })
    };
    rows.iter().map(read).collect()
}

pub(super) async fn dead_groups(client: &Client) -> Result<Vec<DeadGroup>, Fail> {
    let rows = rows(
        client,
        "SELECT d.receiver, m.kind, d.fault::json ->> 'code' AS code, count(*) AS count, min(d.settled_at) AS first,
                 max(d.settled_at) AS last, min(d.due_at) AS earliest
             FROM delivery d JOIN message m ON m.seq = d.seq / 256 WHERE d.state = 2
             GROUP BY 1, 2, 3 ORDER BY earliest",
        &[],
    )
    .await?;
    let read = |row: &Row| {
        let code: String = row.value("code")?;
        Ok(DeadGroup {
            receiver: row.value("receiver")?,
            kind: row.value("kind")?,
            code: code.parse().map_err(|_| unreadable("fault"))?,
            count: row.value("count")?,
            first: row.instant("first")?,
            last: row.instant("last")?,
            earliest_due: row.instant("earliest")?,
        })
    };
    rows.iter().map(read).collect()
}

pub(super) async fn which(
    client: &Client,
    which: &Which,
    after: Option<DeliveryId>,
    most: u32,
) -> Result<Vec<DeliveryId>, Fail> {
    let receipt = after.map(|id| id.receipt().uuid());
    let ordinal = after.map(|id| i64::from(id.ordinal()));
    let (condition, values) = match which {
        Which::Held(reason) => (
            "d.phase = 2 AND d.hold = $4 AND $5::text IS NULL AND $6::text IS NULL",
            [Some(reason.name().to_owned()), None, None],
        ),
        Which::Dead { receiver, kind, code } => (
            "d.state = 2 AND d.receiver = $4 AND m.kind = $5 AND d.fault::json ->> 'code' = $6",
            [Some(receiver.clone()), Some(kind.clone()), Some(code.to_string())],
        ),
    };
    let sql = format!(
        "SELECT d.seq, m.receipt FROM delivery d JOIN message m ON m.seq = d.seq / 256
         WHERE d.seq > coalesce((SELECT seq * 256 + $2::bigint FROM message WHERE receipt = $1::uuid), 0)
             AND {condition} ORDER BY d.seq LIMIT $3"
    );
    let [first, second, third] = values;
    let rows = rows(client, &sql, &[&receipt, &ordinal, &i64::from(most), &first, &second, &third]).await?;
    rows.iter().map(|row| Ok(delivery_id(row.receipt("receipt")?, row.value("seq")?))).collect()
}
