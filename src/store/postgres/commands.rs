//! What people and receivers ask of deliveries, lanes and cursors; audited.

use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

mod receipts;
mod waiver;

use super::{
    clocks,
    deadlines::{self, Of},
    fail::Fail,
    fallback::{self, CameTo},
    row::Read,
    session::Session,
    settle::release_next,
    work::Tx,
};
use crate::{
    domain::{AnswerOutcome, DeliveryId, Fault, HoldReason, answer::Subscription, circuit::Circuit},
    store::{
        Command, Commanded, LaneState,
        clocks::Happened,
        fallback::{CANCELLED, Came, DEAD, DELIVERED, PENDING, Tie},
        hints, json as to_json,
        numbers::{DEADLINES, message_of, ordinal, us},
        told,
    },
};

/// A delivery as a command finds it.
struct Target {
    seq: i64,
    state: i16,
    ordering_key: Option<i64>,
    hold: Option<String>,
    receiver: String,
    /// How often it was tried again after its death.
    rounds: u32,
    /// How many promises it has beside being delivered.
    clocks: u8,
    party: String,
    answers: Subscription,
    /// The other of two ways.
    tie: Option<Tie>,
}

impl Target {
    /// The delivery that has the promise.
    fn promised(&self) -> i64 {
        self.tie.as_ref().map_or(self.seq, |tie| tie.first)
    }

    /// Tells its clocks. True where one of them changed.
    async fn hears(&self, tx: &mut Tx<'_>, what: Happened<'_>, now: Timestamp) -> Result<bool, Fail> {
        let clocks = self.tie.as_ref().map_or(self.clocks, |tie| tie.clocks);
        Ok(clocks > 0 && clocks::hear(tx, self.promised(), what, now).await?)
    }

    /// Does what follows for the promise and for the other way.
    async fn comes(&self, tx: &mut Tx<'_>, came: Came, now: Timestamp) -> Result<CameTo, Fail> {
        let of = Of { delivery: self.seq, answers: self.answers, party: &self.party };
        fallback::comes(tx, (of, self.tie.as_ref()), came, now).await
    }
}

/// The ordering keys of deliveries, and what is locked of two ways; a delivery keeps both for ever.
pub(super) async fn keys(session: &Session, deliveries: &[DeliveryId]) -> Result<Vec<i64>, Fail> {
    let receipts: Vec<Uuid> = deliveries.iter().map(|d| d.receipt().uuid()).collect();
    let ordinals: Vec<i64> = deliveries.iter().map(|d| i64::from(d.ordinal())).collect();
    let rows = session
        .query(
            "SELECT k.key FROM unnest($1::uuid[], $2::bigint[]) AS u (receipt, ordinal)
             JOIN message m ON m.receipt = u.receipt JOIN delivery d ON d.seq = m.seq * 256 + u.ordinal
             LEFT JOIN delivery o ON o.seq = d.other_way
             CROSS JOIN LATERAL (VALUES (d.ordering_key), (o.ordering_key),
                 (CASE WHEN o.seq IS NOT NULL THEN least(d.seq, o.seq) END)) AS k (key)
             WHERE k.key IS NOT NULL",
            &[&receipts, &ordinals],
        )
        .await?;
    rows.iter().map(|row| row.value("key")).collect()
}

pub(super) async fn command(
    tx: &mut Tx<'_>,
    command: &Command,
    by: &str,
    now: Timestamp,
) -> Result<Commanded, Fail> {
    let Some(target) = target(tx, command.delivery()).await? else { return Ok(Commanded::NotFound) };
    let target = match target.tie.as_ref().and_then(|tie| tie.meant(command, target.seq, target.state)) {
        Some(other) => {
            let id = command.delivery().receipt().delivery(ordinal(other));
            self::target(tx, id).await?.unwrap_or(target)
        }
        None => target,
    };
    let commanded = match command {
        Command::Retry(_) => retry(tx, &target, by, now).await,
        Command::Cancel { reason, .. } => cancel(tx, &target, reason.as_deref(), by, now).await,
        Command::Confirm { receipt, by, .. } => {
            receipts::confirm(tx, &target, receipt.as_deref(), by, now).await
        }
        Command::Refuse { fault, by, .. } => receipts::refuse(tx, &target, fault, by, now).await,
        Command::Waive { reason, .. } => waive(tx, &target, reason, by, now).await,
        Command::RequestWaiver { reason, .. } => waiver::request(tx, &target, reason, by, now).await,
        Command::ApproveWaiver(_) => waiver::approve(tx, &target, by, now).await,
    }?;
    // The lane may have something to do, the sender something to read.
    if commanded == Commanded::Done {
        tx.hints.insert(hints::answers(&target.party));
        tx.hints.insert(target.receiver);
    }
    Ok(commanded)
}

/// Finds the delivery and keeps it as it is until the commit.
async fn target(tx: &Tx<'_>, delivery: DeliveryId) -> Result<Option<Target>, Fail> {
    let found = tx
        .session
        .query_opt(
            "SELECT d.seq, d.state, d.ordering_key, d.hold, d.receiver, d.rounds, d.clocks, d.other_way, m.party, m.answers
             FROM message m JOIN delivery d ON d.seq = m.seq * 256 + $2 WHERE m.receipt = $1 FOR UPDATE OF d",
            &[&delivery.receipt().uuid(), &i64::from(delivery.ordinal())],
        )
        .await?;
    let Some(row) = found else { return Ok(None) };
    let (seq, clocks) = (row.value("seq")?, row.small("clocks")?);
    let tie = match row.value("other_way")? {
        Some(other) => Some(fallback::tie(tx, seq, other, clocks).await?),
        None => None,
    };
    Ok(Some(Target {
        seq,
        state: row.value("state")?,
        ordering_key: row.value("ordering_key")?,
        hold: row.value("hold")?,
        receiver: row.value("receiver")?,
        rounds: row.count("rounds")?,
        clocks,
        party: row.value("party")?,
        answers: Subscription(row.small("answers")?),
        tie,
    }))
}

async fn retry(tx: &mut Tx<'_>, target: &Target, by: &str, now: Timestamp) -> Result<Commanded, Fail> {
    let waits_its_turn = target.hold.as_deref() == Some(HoldReason::Order.name());
    if !matches!(target.state, PENDING | DEAD) || waits_its_turn || is_forgotten(tx, target.seq).await? {
        return Ok(Commanded::NotNow);
    }
    // Its successors went on without it: it goes as soon as the one that is under way has ended.
    let behind = match target.ordering_key {
        Some(key) if target.state == DEAD || target.hold.is_some() => under_way(tx, key, target.seq).await?,
        _ => false,
    };
    let phase: i16 = if behind { 2 } else { 0 };
    let hold = behind.then_some(HoldReason::Order.name());
    // A lease that an attempt under way still holds stays as it is.
    tx.session
        .execute(
            "UPDATE delivery SET state = 0, phase = $3, hold = $4, settled_at = NULL, fault = NULL,
                 next_attempt_at = $2, rounds = rounds + $5,
                 released_at = CASE WHEN hold = 'fallback' THEN $2 ELSE released_at END WHERE seq = $1",
            &[&target.seq, &us(now), &phase, &hold, &i32::from(target.state == DEAD)],
        )
        .await?;
    match &target.tie {
        Some(tie) if tie.first != target.seq => fallback::resume(tx, tie, by, now).await?,
        _ => deadlines::resume(tx, target.seq).await?,
    }
    target.hears(tx, Happened::Retried, now).await?;
    Ok(told(tx, target, by, "retried", None, now))
}

/// Whether another delivery of the key is on its way, or lies where the receiver fetches it.
async fn under_way(tx: &Tx<'_>, key: i64, but: i64) -> Result<bool, Fail> {
    let found = tx
        .session
        .query_opt(
            "SELECT 1 FROM delivery
             WHERE ordering_key = $1 AND state = 0 AND seq <> $2 AND (hold IS NULL OR hold = $3) LIMIT 1",
            &[&key, &but, &HoldReason::Mailbox.name()],
        )
        .await?;
    Ok(found.is_some())
}

/// Whether its content is not kept any more.
async fn is_forgotten(tx: &Tx<'_>, delivery: i64) -> Result<bool, Fail> {
    let kept = tx.session.query_opt("SELECT 1 FROM parcel WHERE seq = $1", &[&delivery]).await?;
    Ok(kept.is_none())
}

async fn cancel(
    tx: &mut Tx<'_>,
    target: &Target,
    reason: Option<&str>,
    by: &str,
    now: Timestamp,
) -> Result<Commanded, Fail> {
    match target.state {
        CANCELLED => return Ok(Commanded::Already),
        DELIVERED => return Ok(Commanded::NotNow),
        _ => {}
    }
    end_delivery(tx, target, CANCELLED, None, now).await?;
    if target.comes(tx, Came::Cancelled, now).await?.is_final {
        target.hears(tx, Happened::Died, now).await?;
    }
    let_next_go(tx, target).await?;
    Ok(told(tx, target, by, "cancelled", reason, now))
}

fn answer(tx: &mut Tx<'_>, target: &Target, outcome: AnswerOutcome, data: String, now: Timestamp) {
    if target.answers.wants(outcome) {
        let about = (message_of(target.seq), Some(target.seq));
        tx.logs.answer(&target.party, about, outcome, us(now), Some(data));
    }
}

async fn let_next_go(tx: &Tx<'_>, target: &Target) -> Result<(), Fail> {
    release_next(tx.session, target.ordering_key.as_slice()).await
}

/// Whether it only lies on the way (a queue, a folder): then "delivered" is not final, whether or not a person
/// waived its promise.
async fn has_open_promise(tx: &Tx<'_>, target: &Target) -> Result<bool, Fail> {
    let found = tx
        .session
        .query_opt(
            "SELECT 1 FROM deadline WHERE seq = $1 AND met_at IS NULL AND (ended_at IS NULL OR waived)",
            &[&(target.promised() * DEADLINES)],
        )
        .await?;
    Ok(found.is_some())
}

/// A person gives the sender's promise up; the delivery goes on.
async fn waive(
    tx: &mut Tx<'_>,
    target: &Target,
    reason: &str,
    by: &str,
    now: Timestamp,
) -> Result<Commanded, Fail> {
    let waived = target.comes(tx, Came::Waived, now).await?.promise.is_some();
    if target.hears(tx, Happened::Waived, now).await? || waived {
        return Ok(told(tx, target, by, "waived", Some(reason), now));
    }
    let waived = tx
        .session
        .query_opt(
            "SELECT 1 FROM deadline WHERE seq BETWEEN $1 AND $1 + 15 AND waived LIMIT 1",
            &[&(target.seq * DEADLINES)],
        )
        .await?;
    Ok(if waived.is_some() { Commanded::Already } else { Commanded::NotNow })
}

async fn end_delivery(
    tx: &Tx<'_>,
    target: &Target,
    state: i16,
    fault: Option<&Fault>,
    now: Timestamp,
) -> Result<(), Fail> {
    tx.session
        .execute(
            "UPDATE delivery SET state = $2, phase = NULL, hold = NULL, settled_at = $3, fault = coalesce($4, fault)
             WHERE seq = $1",
            &[&target.seq, &state, &us(now), &fault.map(to_json)],
        )
        .await?;
    Ok(())
}

fn told(
    tx: &mut Tx<'_>,
    target: &Target,
    by: &str,
    what: &'static str,
    reason: Option<&str>,
    now: Timestamp,
) -> Commanded {
    let mut data = json!({ "by": by });
    if let Some(reason) = reason {
        data["reason"] = reason.into();
    }
    tx.logs.of_delivery(target.seq, us(now), what, data.to_string());
    tx.logs.audit(us(now), by, what, &target.seq.to_string());
    Commanded::Done
}

/// Keeps the circuit; a pause is a person's and is left as it is.
pub(super) async fn save_lane(tx: &Tx<'_>, lane: &LaneState, now: Timestamp) -> Result<(), Fail> {
    tx.session
        .execute(
            "INSERT INTO lane (receiver, circuit, changed_at) VALUES ($1, $2, $3)
             ON CONFLICT (receiver) DO UPDATE SET circuit = excluded.circuit, changed_at = excluded.changed_at",
            &[&lane.receiver, &to_json(&lane.circuit), &us(now)],
        )
        .await?;
    Ok(())
}

pub(super) async fn pause(
    tx: &mut Tx<'_>,
    receiver: &str,
    reason: Option<&str>,
    by: &str,
    now: Timestamp,
) -> Result<(), Fail> {
    tx.session
        .execute(
            "INSERT INTO lane (receiver, circuit, paused, changed_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (receiver) DO UPDATE SET paused = excluded.paused, changed_at = excluded.changed_at",
            &[&receiver, &to_json(&Circuit::default()), &reason, &us(now)],
        )
        .await?;
    if reason.is_none() {
        super::lanes::probe_now(tx.session, receiver, now).await?;
    }
    let what = if reason.is_some() { "receivers pause" } else { "receivers resume" };
    tx.logs.audit(us(now), by, what, receiver);
    Ok(())
}

pub(super) async fn set_cursor(tx: &Tx<'_>, name: &str, seq: i64) -> Result<(), Fail> {
    tx.session
        .execute(
            "INSERT INTO cursor (name, seq) VALUES ($1, $2)
             ON CONFLICT (name) DO UPDATE SET seq = greatest(cursor.seq, excluded.seq)",
            &[&name, &seq],
        )
        .await?;
    Ok(())
}

/// The row is taken by whoever has it, or by anybody once it was not asked for in time. By the database's clock.
pub(super) async fn lead(tx: &Tx<'_>, name: &str) -> Result<bool, Fail> {
    let taken = tx
        .session
        .execute(
            "INSERT INTO cursor (name, seq, reader, read_until) VALUES ($1, 0, $2, now() + interval '15 seconds')
             ON CONFLICT (name) DO UPDATE SET reader = excluded.reader, read_until = excluded.read_until
             WHERE cursor.reader IS NULL OR cursor.reader = excluded.reader OR cursor.read_until < now()",
            &[&name, &tx.session.node],
        )
        .await?;
    Ok(taken == 1)
}
