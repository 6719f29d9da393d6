//! Lists of messages, and everything about one.

use deadpool_postgres::{Client, GenericClient};
use jiff::Timestamp;
use tokio_postgres::{IsolationLevel, Row, types::ToSql};
use uuid::Uuid;

use super::{
    deliveries::{deliveries, promises},
    row, rows,
};
use crate::{
    domain::{ReceiptId, case::CaseState},
    store::{
        ahead::show_maintenance,
        numbers::delivery_id,
        parse_json,
        postgres::{fail::Fail, lanes, row::Read},
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

fn line(row: &Row) -> Result<MessageLine, Fail> {
    Ok(MessageLine {
        receipt_id: row.receipt("receipt")?,
        message_id: row.value("id")?,
        party: row.value("party")?,
        kind: row.value("kind")?,
        receiver: row.value("receiver")?,
        received: row.instant("received_at")?,
        state: row.value("derived")?,
        due: row.instant_or_none("due")?,
    })
}

/// The receipt that a text names, its own or a delivery's.
fn receipt(id: &str) -> Option<Uuid> {
    id.parse::<Uuid>().ok().map(|uuid| ReceiptId::from_fresh(uuid).uuid())
}

/// Conditions that are put together, with their values.
#[derive(Default)]
struct Narrowed {
    conditions: Vec<String>,
    values: Vec<Box<dyn ToSql + Sync + Send>>,
}

impl Narrowed {
    /// Keeps a value, and says how the statement names it.
    fn value(&mut self, value: impl ToSql + Sync + Send + 'static) -> String {
        self.values.push(Box::new(value));
        format!("${}", self.values.len())
    }

    fn by(&mut self, condition: String) {
        self.conditions.push(condition);
    }
}

pub(super) async fn messages(client: &Client, filter: &MessageFilter) -> Result<Vec<MessageLine>, Fail> {
    let mut narrowed = Narrowed::default();
    if let Some(kind) = &filter.kind {
        let kind = narrowed.value(kind.clone());
        narrowed.by(format!("(m.kind = {kind} OR starts_with(m.kind, {kind} || '.v'))"));
    }
    if let Some(party) = &filter.party {
        let party = narrowed.value(party.clone());
        narrowed.by(format!("m.party = {party}"));
    }
    if let Some(receiver) = &filter.receiver {
        let receiver = narrowed.value(receiver.clone());
        narrowed.by(format!(
            "(m.receiver = {receiver} OR EXISTS (SELECT 1 FROM delivery d
                  WHERE d.seq BETWEEN m.seq * 256 AND m.seq * 256 + 255 AND d.receiver = {receiver}))"
        ));
    }
    if let Some(id) = &filter.id {
        let (text, receipt) = (narrowed.value(id.clone()), narrowed.value(receipt(id)));
        narrowed.by(format!(
            "m.seq IN ({} UNION ALL SELECT seq FROM message WHERE correlation = {text}
                 UNION ALL SELECT seq FROM message WHERE subject = {text}
                 UNION ALL SELECT seq FROM message WHERE receipt = {receipt})",
            of_id(&text)
        ));
    }
    if let Some(before) = filter.before {
        let before = narrowed.value(before.uuid());
        narrowed.by(format!("m.seq < (SELECT seq FROM message WHERE receipt = {before})"));
    }
    narrowed.by("true".into());
    let conditions = narrowed.conditions.join(" AND ");
    let derived = match &filter.state {
        Some(state) => format!("WHERE derived = {}", narrowed.value(state.clone())),
        None => String::new(),
    };
    let most = narrowed.value(i64::from(filter.most));
    let sql = format!(
        "SELECT * FROM (SELECT m.seq, m.receipt, m.id, m.party, m.kind, m.receiver, m.received_at, {DERIVED} AS derived,
             {DUE} AS due FROM message m WHERE {conditions} ORDER BY m.seq DESC) AS s {derived} ORDER BY seq DESC LIMIT {most}"
    );
    let values: Vec<&(dyn ToSql + Sync)> =
        narrowed.values.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect();
    rows(client, &sql, &values).await?.iter().map(line).collect()
}

/// Selects the numbers of the messages of an id: accepted ones by their identity, refused ones by themselves.
fn of_id(id: &str) -> String {
    format!(
        "SELECT message FROM identity WHERE id = {id}
         UNION ALL SELECT seq FROM message WHERE id = {id} AND state = 1"
    )
}

/// All of it as it stood at one moment.
pub(super) async fn message(
    client: &mut Client,
    id: &str,
    party: Option<&str>,
    now: Timestamp,
) -> Result<Option<MessageView>, Fail> {
    let tx = client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .await?;
    let sql = format!(
        "SELECT m.*, coalesce(length(m.raw), (SELECT length(p.raw) FROM parcel p WHERE p.seq = m.seq * 256 + 1)) AS raw_bytes,
             {DERIVED} AS derived, {DUE} AS due FROM message m
         WHERE m.seq IN ({} UNION ALL SELECT seq FROM message WHERE receipt = $3)
             AND ($2::text IS NULL OR m.party = $2) ORDER BY m.state, m.seq DESC LIMIT 1",
        of_id("$1")
    );
    let Some(row) = row(&tx, &sql, &[&id, &party, &receipt(id)]).await? else { return Ok(None) };
    let seq: i64 = row.value("seq")?;
    let mut view = view(&row)?;
    let span: (i64, i64) = (seq * 256, seq * 256 + 255);
    view.deliveries =
        deliveries(&tx, "WHERE d.seq BETWEEN $1 AND $2 ORDER BY d.seq", &[&span.0, &span.1]).await?;
    let span: (i64, i64) = (seq * 4096, seq * 4096 + 4095);
    let rest = "WHERE p.seq BETWEEN $1 AND $2 ORDER BY p.due_at, p.seq";
    show_maintenance(&mut view.deliveries, &lanes::maintenance(&tx).await?, now);
    view.promises = promises(&tx, rest, &[&span.0, &span.1], now).await?;
    view.history = history(&tx, seq, view.line.receipt_id).await?;
    tx.commit().await?;
    Ok(Some(view))
}

fn view(row: &Row) -> Result<MessageView, Fail> {
    Ok(MessageView {
        line: line(row)?,
        way: row.value("way")?,
        source: row.value("source")?,
        subject: row.value("subject")?,
        agreement: row.value("agreement")?,
        correlation_id: row.value("correlation")?,
        case: row.value::<Option<String>>("case_state")?.as_deref().and_then(CaseState::from_name),
        causation_id: row.value("causation")?,
        occurred: row.instant_or_none("occurred_at")?,
        recorded: row.instant_or_none("recorded_at")?,
        sent: row.instant_or_none("sent_at")?,
        generation: row.value::<i64>("generation")?.unsigned_abs(),
        content_type: row.value("content_type")?,
        raw_bytes: row.value::<Option<i32>>("raw_bytes")?.unwrap_or(0).unsigned_abs().into(),
        findings: row.violations("findings")?,
        deliveries: vec![],
        promises: vec![],
        history: vec![],
    })
}

async fn history(
    client: &impl GenericClient,
    message: i64,
    receipt: ReceiptId,
) -> Result<Vec<EventView>, Fail> {
    let sql = "SELECT at, what, delivery, data FROM event WHERE message = $1 ORDER BY seq LIMIT 1000";
    let read = |row: &Row| {
        let data: Option<String> = row.value("data")?;
        Ok(EventView {
            at: row.instant("at")?,
            what: row.value("what")?,
            delivery_id: row.value::<Option<i64>>("delivery")?.map(|seq| delivery_id(receipt, seq)),
            data: data.as_deref().map_or(serde_json::Value::Null, parse_json),
        })
    };
    rows(client, sql, &[&message]).await?.iter().map(read).collect()
}
