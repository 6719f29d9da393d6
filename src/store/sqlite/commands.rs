//! What people and receivers ask of deliveries, lanes and cursors; audited.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};
use serde_json::json;

use super::{
    accept::{log_answer, log_event, whom},
    deadlines::{self, End},
    row::{message_of, us},
    settle::{number, release_next},
    writer::Tx,
};
use crate::{
    domain::{AnswerOutcome, DeliveryId, Fault},
    store::{Command, Commanded, LaneState, json as to_json},
};

const PENDING: i64 = 0;
const DELIVERED: i64 = 1;
const DEAD: i64 = 2;
const CANCELLED: i64 = 3;

/// A delivery as a command finds it.
struct Target {
    seq: i64,
    state: i64,
    ordering_key: Option<i64>,
}

pub(super) fn command(
    tx: &mut Tx<'_>,
    command: &Command,
    by: &str,
    now: Timestamp,
) -> rusqlite::Result<Commanded> {
    let (Command::Retry(delivery)
    | Command::Cancel(delivery)
    | Command::Confirm { delivery, .. }
    | Command::Refuse { delivery, .. }) = command;
    let Some(target) = target(tx, *delivery)? else { return Ok(Commanded::NotFound) };
    match command {
        Command::Retry(_) => retry(tx, &target, by, now),
        Command::Cancel(_) => cancel(tx, &target, by, now),
        Command::Confirm { receipt, by, .. } => confirm(tx, &target, receipt.as_deref(), by, now),
        Command::Refuse { fault, by, .. } => refuse(tx, &target, fault, by, now),
    }
}

fn target(tx: &Tx<'_>, delivery: DeliveryId) -> rusqlite::Result<Option<Target>> {
    let Some(seq) = number(tx, delivery)? else { return Ok(None) };
    tx.prepare(
        "-- store::command target
         SELECT state, ordering_key FROM delivery WHERE seq = ?1",
    )?
    .query_row([seq], |row| Ok(Target { seq, state: row.get(0)?, ordering_key: row.get(1)? }))
    .optional()
}

fn retry(tx: &mut Tx<'_>, target: &Target, by: &str, now: Timestamp) -> rusqlite::Result<Commanded> {
    if !matches!(target.state, PENDING | DEAD) {
        return Ok(Commanded::NotNow);
    }
    tx.execute(
        "-- store::command retry
         UPDATE delivery SET state = 0, phase = 0, hold = NULL, settled_at = NULL, fault = NULL, next_attempt_at = ?2
         WHERE seq = ?1",
        params![target.seq, us(now)],
    )?;
    // A promise that ended with the death runs again, with the same instants.
    tx.execute(
        "-- store::command retry promise
         UPDATE deadline SET ended_at = NULL, next_step_at = CASE WHEN step < 100 THEN due_at END
         WHERE seq BETWEEN ?1 * 16 AND ?1 * 16 + 15 AND ended_at IS NOT NULL",
        [target.seq],
    )?;
    told(tx, target, by, "retried", now)
}

fn cancel(tx: &mut Tx<'_>, target: &Target, by: &str, now: Timestamp) -> rusqlite::Result<Commanded> {
    match target.state {
        CANCELLED => return Ok(Commanded::Already),
        DELIVERED => return Ok(Commanded::NotNow),
        _ => {}
    }
    end_delivery(tx, target, CANCELLED, None, now)?;
    let (party, answers) = whom(tx, message_of(target.seq))?;
    deadlines::end(tx, target.seq, &End::Ended, now, answers, &party)?;
    release_next(tx, target.ordering_key)?;
    told(tx, target, by, "cancelled", now)
}

/// The receiver has it, by its own word. A receipt that comes after the end is kept and changes nothing.
fn confirm(
    tx: &mut Tx<'_>,
    target: &Target,
    receipt: Option<&str>,
    by: &str,
    now: Timestamp,
) -> rusqlite::Result<Commanded> {
    let message = message_of(target.seq);
    let (party, answers) = whom(tx, message)?;
    let data = json!({ "receipt": receipt, "by": by });
    let fresh = target.state == PENDING;
    if fresh {
        end_delivery(tx, target, DELIVERED, None, now)?;
        release_next(tx, target.ordering_key)?;
        if answers.wants(AnswerOutcome::Delivered) {
            let told = json!({ "receipt": receipt }).to_string();
            log_answer(
                tx,
                &party,
                message,
                Some(target.seq),
                AnswerOutcome::Delivered,
                us(now),
                Some(&told),
            )?;
        }
    }
    let met = if matches!(target.state, PENDING | DELIVERED) {
        deadlines::end(tx, target.seq, &End::Met, now, answers, &party)?
    } else {
        None
    };
    let mut told = data;
    if let Some(met) = met {
        told["promise"] = met.into();
    }
    log_event(tx, message, Some(target.seq), us(now), "receipt", Some(&told.to_string()))?;
    Ok(if fresh || met.is_some() { Commanded::Done } else { Commanded::Already })
}

fn refuse(
    tx: &mut Tx<'_>,
    target: &Target,
    fault: &Fault,
    by: &str,
    now: Timestamp,
) -> rusqlite::Result<Commanded> {
    let message = message_of(target.seq);
    let told = json!({ "refused": fault, "by": by }).to_string();
    log_event(tx, message, Some(target.seq), us(now), "receipt", Some(&told))?;
    if target.state != PENDING {
        return Ok(Commanded::Already);
    }
    end_delivery(tx, target, DEAD, Some(fault), now)?;
    let (party, answers) = whom(tx, message)?;
    deadlines::end(tx, target.seq, &End::Ended, now, answers, &party)?;
    if answers.wants(AnswerOutcome::Failed) {
        let data = json!({ "fault": fault }).to_string();
        log_answer(tx, &party, message, Some(target.seq), AnswerOutcome::Failed, us(now), Some(&data))?;
    }
    release_next(tx, target.ordering_key)?;
    Ok(Commanded::Done)
}

fn end_delivery(
    tx: &Tx<'_>,
    target: &Target,
    state: i64,
    fault: Option<&Fault>,
    now: Timestamp,
) -> rusqlite::Result<()> {
    tx.execute(
        "-- store::command end
         UPDATE delivery SET state = ?2, phase = NULL, hold = NULL, settled_at = ?3, fault = coalesce(?4, fault)
         WHERE seq = ?1",
        params![target.seq, state, us(now), fault.map(to_json)],
    )?;
    Ok(())
}

fn told(tx: &Tx<'_>, target: &Target, by: &str, what: &str, now: Timestamp) -> rusqlite::Result<Commanded> {
    let data = json!({ "by": by }).to_string();
    log_event(tx, message_of(target.seq), Some(target.seq), us(now), what, Some(&data))?;
    audit(tx, by, what, &target.seq.to_string(), now)?;
    Ok(Commanded::Done)
}

/// Writes down who did what.
pub(super) fn audit(tx: &Tx<'_>, by: &str, what: &str, about: &str, now: Timestamp) -> rusqlite::Result<()> {
    tx.execute(
        "-- store::audit
         INSERT INTO audit (at, who, what, data) VALUES (?1, ?2, ?3, ?4)",
        params![us(now), by, what, about],
    )?;
    Ok(())
}

/// Keeps the circuit; a pause is a person's and is left as it is.
pub(super) fn save_lane(tx: &mut Tx<'_>, lane: &LaneState, now: Timestamp) -> rusqlite::Result<()> {
    tx.execute(
        "-- store::save_lane
         INSERT INTO lane (receiver, circuit, changed_at) VALUES (?1, ?2, ?3)
         ON CONFLICT (receiver) DO UPDATE SET circuit = ?2, changed_at = ?3",
        params![lane.receiver, to_json(&lane.circuit), us(now)],
    )?;
    Ok(())
}

pub(super) fn pause(
    tx: &mut Tx<'_>,
    receiver: &str,
    reason: Option<&str>,
    by: &str,
    now: Timestamp,
) -> rusqlite::Result<()> {
    tx.execute(
        "-- store::pause
         INSERT INTO lane (receiver, circuit, paused, changed_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (receiver) DO UPDATE SET paused = ?3, changed_at = ?4",
        params![receiver, to_json(&crate::domain::circuit::Circuit::default()), reason, us(now)],
    )?;
    audit(tx, by, if reason.is_some() { "receivers pause" } else { "receivers resume" }, receiver, now)
}

pub(super) fn set_cursor(tx: &mut Tx<'_>, name: &str, seq: i64) -> rusqlite::Result<()> {
    tx.execute(
        "-- store::set_cursor
         INSERT INTO cursor (name, seq) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET seq = max(seq, ?2)",
        params![name, seq],
    )?;
    Ok(())
}
