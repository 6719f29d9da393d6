//! What people and receivers ask of deliveries, lanes and cursors; audited.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};
use serde_json::json;

mod waiver;

use super::{
    accept::{log_answer, log_event, whom},
    clocks, deadlines,
    fallback::{self, CameTo},
    lanes,
    row::{message_of, us},
    settle::{number, release_next},
    writer::Tx,
};
use crate::{
    domain::{AnswerOutcome, Fault, HoldReason},
    store::{
        Command, Commanded, LaneState,
        brought::Note,
        clocks::{Happened, key},
        fallback::{CANCELLED, Came, DEAD, DELIVERED, PENDING, Tie},
        hints, json as to_json, told,
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
    /// The other of two ways.
    tie: Option<Tie>,
}

impl Target {
    /// The delivery that has the promise.
    fn promised(&self) -> i64 {
        self.tie.as_ref().map_or(self.seq, |tie| tie.first)
    }

    /// Tells its clocks. True where one of them changed.
    fn hears(&self, tx: &Tx<'_, '_>, what: Happened<'_>, now: Timestamp) -> rusqlite::Result<bool> {
        let clocks = self.tie.as_ref().map_or(self.clocks, |tie| tie.clocks);
        Ok(clocks > 0 && clocks::hear(tx, self.promised(), what, now)?)
    }

    /// Does what follows for the promise and for the other way.
    fn comes(&self, tx: &mut Tx<'_, '_>, came: Came, now: Timestamp) -> rusqlite::Result<CameTo> {
        let (party, answers) = whom(tx, message_of(self.seq))?;
        fallback::comes(tx, (self.seq, self.tie.as_ref()), came, now, (answers, &party))
    }
}

/// Gives a command; says what became of it and which bells to ring once it is committed: the lane may have
/// something to do, the sender something to read.
pub(super) fn command(
    tx: &mut Tx<'_, '_>,
    command: &Command,
    by: &str,
    now: Timestamp,
) -> rusqlite::Result<(Commanded, Vec<String>)> {
    let Some(seq) = number(tx, command.delivery())? else { return Ok((Commanded::NotFound, vec![])) };
    let Some(target) = target(tx, seq)? else { return Ok((Commanded::NotFound, vec![])) };
    let target = match target.tie.as_ref().and_then(|tie| tie.meant(command, target.seq, target.state)) {
        Some(other) => self::target(tx, other)?.unwrap_or(target),
        None => target,
    };
    let commanded = match command {
        Command::Retry(_) => retry(tx, &target, by, now),
        Command::Cancel { reason, .. } => cancel(tx, &target, reason.as_deref(), by, now),
        Command::Confirm { receipt, by, .. } => confirm(tx, &target, receipt.as_deref(), by, now),
        Command::Refuse { fault, by, .. } => refuse(tx, &target, fault, by, now),
        Command::Waive { reason, .. } => waive(tx, &target, reason, by, now),
        Command::RequestWaiver { reason, .. } => waiver::request(tx, &target, reason, by, now),
        Command::ApproveWaiver(_) => waiver::approve(tx, &target, by, now),
    }?;
    if commanded != Commanded::Done {
        return Ok((commanded, vec![]));
    }
    let (party, _) = whom(tx, message_of(target.seq))?;
    Ok((commanded, vec![target.receiver, hints::answers(&party)]))
}

fn target(tx: &Tx<'_, '_>, seq: i64) -> rusqlite::Result<Option<Target>> {
    let found = tx
        .prepare(
            "-- store::command target
             SELECT state, ordering_key, hold, receiver, rounds, clocks, other_way FROM delivery WHERE seq = ?1",
        )?
        .query_row([seq], |row| {
            let target = Target {
                seq,
                state: row.get("state")?,
                ordering_key: row.get("ordering_key")?,
                hold: row.get("hold")?,
                receiver: row.get("receiver")?,
                rounds: row.get("rounds")?,
                clocks: row.get("clocks")?,
                tie: None,
            };
            Ok((target, row.get::<_, Option<i64>>("other_way")?))
        })
        .optional()?;
    let Some((mut target, other)) = found else { return Ok(None) };
    if let Some(other) = other {
        target.tie = Some(fallback::tie(tx, seq, other, target.clocks)?);
    }
    Ok(Some(target))
}

fn retry(tx: &mut Tx<'_, '_>, target: &Target, by: &str, now: Timestamp) -> rusqlite::Result<Commanded> {
    let waits_its_turn = target.hold.as_deref() == Some(HoldReason::Order.name());
    if !matches!(target.state, PENDING | DEAD) || waits_its_turn || is_forgotten(tx, target.seq)? {
        return Ok(Commanded::NotNow);
    }
    // Its successors went on without it: it goes as soon as the one that is under way has ended.
    let behind = match target.ordering_key {
        Some(key) if target.state == DEAD || target.hold.is_some() => under_way(tx, key, target.seq)?,
        _ => false,
    };
    tx.execute(
        "-- store::command retry
         UPDATE delivery SET state = 0, phase = ?3, hold = ?4, settled_at = NULL, fault = NULL, next_attempt_at = ?2,
             rounds = rounds + ?5, released_at = CASE WHEN hold = 'fallback' THEN ?2 ELSE released_at END
         WHERE seq = ?1",
        params![
            target.seq,
            us(now),
            if behind { 2 } else { 0 },
            behind.then_some(HoldReason::Order.name()),
            i64::from(target.state == DEAD),
        ],
    )?;
    match &target.tie {
        Some(tie) if tie.first != target.seq => fallback::resume(tx, tie, by, now)?,
        _ => deadlines::resume(tx, target.seq)?,
    }
    target.hears(tx, Happened::Retried, now)?;
    told(tx, target, by, "retried", None, now)
}

/// Whether its content is not kept any more.
fn is_forgotten(tx: &Tx<'_, '_>, delivery: i64) -> rusqlite::Result<bool> {
    let kept = tx
        .prepare(
            "-- store::command kept
             SELECT 1 FROM parcel WHERE seq = ?1",
        )?
        .exists([delivery])?;
    Ok(!kept)
}

/// Whether another delivery of the key is on its way, or lies where the receiver fetches it.
fn under_way(tx: &Tx<'_, '_>, key: i64, but: i64) -> rusqlite::Result<bool> {
    tx.prepare(
        "-- store::command under way
         SELECT 1 FROM delivery WHERE ordering_key = ?1 AND state = 0 AND seq <> ?2 AND (hold IS NULL OR hold = ?3)",
    )?
    .exists(params![key, but, HoldReason::Mailbox.name()])
}

fn cancel(
    tx: &mut Tx<'_, '_>,
    target: &Target,
    reason: Option<&str>,
    by: &str,
    now: Timestamp,
) -> rusqlite::Result<Commanded> {
    match target.state {
        CANCELLED => return Ok(Commanded::Already),
        DELIVERED => return Ok(Commanded::NotNow),
        _ => {}
    }
    end_delivery(tx, target, CANCELLED, None, now)?;
    if target.comes(tx, Came::Cancelled, now)?.is_final {
        target.hears(tx, Happened::Died, now)?;
    }
    release_next(tx, target.ordering_key)?;
    told(tx, target, by, "cancelled", reason, now)
}

/// The receiver has it, by its own word. A receipt that comes after the end is kept and changes nothing.
fn confirm(
    tx: &mut Tx<'_, '_>,
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
        tx.handing.note(Note::Delivered(target.seq));
        release_next(tx, target.ordering_key)?;
        if answers.wants(AnswerOutcome::Delivered) {
            let told = told::delivered(receipt, target.rounds);
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
        target.comes(tx, Came::There, now)?.promise
    } else {
        None
    };
    let heard = fresh && target.hears(tx, Happened::Delivered, now)?;
    let heard = target.hears(tx, Happened::Confirmed, now)? || heard;
    let mut told = data;
    if let Some(met) = met {
        tx.handing.note(Note::Met(key(target.promised(), 0)));
        told["promise"] = met.into();
    }
    log_event(tx, message, Some(target.seq), us(now), "receipt", Some(&told.to_string()))?;
    Ok(if fresh || heard || met.is_some() { Commanded::Done } else { Commanded::Already })
}

/// The receiver refuses it. A refusal that comes after a final end is kept and changes nothing.
fn refuse(
    tx: &mut Tx<'_, '_>,
    target: &Target,
    fault: &Fault,
    by: &str,
    now: Timestamp,
) -> rusqlite::Result<Commanded> {
    let message = message_of(target.seq);
    let mut told = json!({ "refused": fault, "by": by });
    if target.state != PENDING && !(target.state == DELIVERED && has_open_promise(tx, target)?) {
        log_event(tx, message, Some(target.seq), us(now), "receipt", Some(&told.to_string()))?;
        return Ok(Commanded::Already);
    }
    end_delivery(tx, target, DEAD, Some(fault), now)?;
    let (party, answers) = whom(tx, message)?;
    if let Some(ended) = target.comes(tx, Came::Refused, now)?.promise {
        told["promise"] = ended.into();
    }
    target.hears(tx, Happened::Died, now)?;
    log_event(tx, message, Some(target.seq), us(now), "receipt", Some(&told.to_string()))?;
    if answers.wants(AnswerOutcome::Failed) {
        let data = told::failed(fault, target.rounds);
        log_answer(tx, &party, message, Some(target.seq), AnswerOutcome::Failed, us(now), Some(&data))?;
    }
    release_next(tx, target.ordering_key)?;
    Ok(Commanded::Done)
}

/// Whether it only lies on the way (a queue, a folder): then "delivered" is not final, whether or not a person
/// waived its promise.
fn has_open_promise(tx: &Tx<'_, '_>, target: &Target) -> rusqlite::Result<bool> {
    tx.prepare(
        "-- store::command open promise
         SELECT 1 FROM deadline
         WHERE seq = ?1 * 16 AND met_at IS NULL AND (ended_at IS NULL OR waived = 1)",
    )?
    .exists([target.promised()])
}

/// A person gives the sender's promise up; the delivery goes on.
fn waive(
    tx: &mut Tx<'_, '_>,
    target: &Target,
    reason: &str,
    by: &str,
    now: Timestamp,
) -> rusqlite::Result<Commanded> {
    let waived = target.comes(tx, Came::Waived, now)?.promise.is_some();
    if target.hears(tx, Happened::Waived, now)? || waived {
        return told(tx, target, by, "waived", Some(reason), now);
    }
    let waived = tx
        .prepare(
            "-- store::command waived
             SELECT 1 FROM deadline WHERE seq BETWEEN ?1 * 16 AND ?1 * 16 + 15 AND waived = 1",
        )?
        .exists([target.seq])?;
    Ok(if waived { Commanded::Already } else { Commanded::NotNow })
}

fn end_delivery(
    tx: &Tx<'_, '_>,
    target: &Target,
    state: i16,
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

fn told(
    tx: &Tx<'_, '_>,
    target: &Target,
    by: &str,
    what: &str,
    reason: Option<&str>,
    now: Timestamp,
) -> rusqlite::Result<Commanded> {
    let mut data = json!({ "by": by });
    if let Some(reason) = reason {
        data["reason"] = reason.into();
    }
    log_event(tx, message_of(target.seq), Some(target.seq), us(now), what, Some(&data.to_string()))?;
    audit(tx, by, what, &target.seq.to_string(), now)?;
    Ok(Commanded::Done)
}

/// Writes down who did what.
pub(super) fn audit(
    tx: &Tx<'_, '_>,
    by: &str,
    what: &str,
    about: &str,
    now: Timestamp,
) -> rusqlite::Result<()> {
    tx.execute(
        "-- store::audit
         INSERT INTO audit (at, who, what, data) VALUES (?1, ?2, ?3, ?4)",
        params![us(now), by, what, about],
    )?;
    Ok(())
}

/// Keeps the circuit; a pause is a person's and is left as it is.
pub(super) fn save_lane(tx: &mut Tx<'_, '_>, lane: &LaneState, now: Timestamp) -> rusqlite::Result<()> {
    tx.execute(
        "-- store::save_lane
         INSERT INTO lane (receiver, circuit, changed_at) VALUES (?1, ?2, ?3)
         ON CONFLICT (receiver) DO UPDATE SET circuit = ?2, changed_at = ?3",
        params![lane.receiver, to_json(&lane.circuit), us(now)],
    )?;
    Ok(())
}

pub(super) fn pause(
    tx: &mut Tx<'_, '_>,
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
    if reason.is_none() {
        lanes::probe_now(tx, receiver, now)?;
    }
    audit(tx, by, if reason.is_some() { "receivers pause" } else { "receivers resume" }, receiver, now)
}

pub(super) fn set_cursor(tx: &mut Tx<'_, '_>, name: &str, seq: i64) -> rusqlite::Result<()> {
    tx.execute(
        "-- store::set_cursor
         INSERT INTO cursor (name, seq) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET seq = max(seq, ?2)",
        params![name, seq],
    )?;
    Ok(())
}

/// Commits something, and something new each time: what changes nothing is committed without touching the disk.
pub(super) fn check(tx: &mut Tx<'_, '_>) -> rusqlite::Result<()> {
    tx.execute(
        "-- store::check
         INSERT INTO cursor (name, seq) VALUES ('check', 1) ON CONFLICT (name) DO UPDATE SET seq = seq + 1",
        [],
    )?;
    Ok(())
}
