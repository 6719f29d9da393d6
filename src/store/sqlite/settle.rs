//! Ends a lease: the attempt, the delivery's move, the promise and the answer, in one transaction.

use rusqlite::{OptionalExtension, params};

use super::{
    accept::{log_answer, log_event},
    clocks,
    fallback::{self, CameTo},
    row::{delivery_seq, message_of, us},
    writer::Tx,
};
use crate::{
    domain::{AnswerOutcome, DeliveryId, HoldReason, Outcome},
    store::{Lease, Next, Settled, Settlement, clocks::Happened, fallback::Came, json as to_json, told},
};

/// The number of a delivery, by the id the world knows.
pub(super) fn number(tx: &Tx<'_, '_>, delivery: DeliveryId) -> rusqlite::Result<Option<i64>> {
    let message: Option<i64> = tx
        .prepare(
            "-- store::number
             SELECT seq FROM message WHERE receipt = ?1",
        )?
        .query_row([delivery.receipt().uuid().as_bytes()], |row| row.get(0))
        .optional()?;
    Ok(message.map(|message| delivery_seq(message, delivery.ordinal())))
}

pub(super) fn settle(tx: &mut Tx<'_, '_>, settlement: &Settlement) -> rusqlite::Result<Settled> {
    let lease = &settlement.lease;
    let seq = lease.number;
    if !tx.leases.holds(seq, lease.token) {
        return Ok(Settled::LeaseLost);
    }
    if !move_delivery(tx, seq, settlement)? {
        return Ok(Settled::LeaseLost);
    }
    tx.leases.end_with_commit(seq);
    let round = lease.rounds;
    let tie = match lease.partner {
        Some(other) => Some(fallback::tie(tx, seq, other.number, lease.clocks)?),
        None => None,
    };
    let came = match Came::of(settlement) {
        Some(came) => {
            let whom = (lease.answers, &*lease.party);
            fallback::comes(tx, (seq, tie.as_ref()), came, settlement.now, whom)?
        }
        None => CameTo { promise: None, is_final: false },
    };
    match (&settlement.next, &settlement.record.outcome) {
        (Next::Delivered, Outcome::Delivered(proof)) => {
            let data = told::delivered(proof.receipt.as_deref(), round);
            answer(tx, seq, lease, AnswerOutcome::Delivered, settlement, &data)?;
        }
        (Next::Dead(fault), _) if came.is_final => {
            let data = told::failed(fault, round);
            answer(tx, seq, lease, AnswerOutcome::Failed, settlement, &data)?;
        }
        _ => {}
    }
    log_event(
        tx,
        message_of(seq),
        Some(seq),
        us(settlement.now),
        "attempt",
        Some(&told::attempt(settlement, came.promise)),
    )?;
    let (promised, clocks) = tie.map_or((seq, lease.clocks), |tie| (tie.first, tie.clocks));
    if clocks > 0
        && let Some(what) = Happened::of_next(&settlement.next)
        && (came.is_final || what != Happened::Died)
    {
        clocks::hear(tx, promised, what, settlement.now)?;
    }
    if matches!(settlement.next, Next::Delivered | Next::Dead(_)) {
        release_next(tx, lease.ordering_key)?;
    }
    Ok(Settled::Done)
}

/// Moves the delivery to where the attempt brought it. False where it is pending no more.
fn move_delivery(tx: &Tx<'_, '_>, seq: i64, settlement: &Settlement) -> rusqlite::Result<bool> {
    let moved = settlement.moved();
    let changed = tx.execute(
        "-- store::settle
         UPDATE delivery SET state = ?2, phase = ?3, hold = ?4, next_attempt_at = coalesce(?5, next_attempt_at),
             settled_at = ?6, fault = ?7, attempts = attempts + 1, crashes = crashes + ?8
         WHERE seq = ?1 AND state = 0",
        params![
            seq,
            moved.state,
            moved.phase,
            moved.hold,
            moved.next_attempt.map(us),
            moved.settled.map(us),
            moved.fault.map(to_json),
            moved.crashed,
        ],
    )?;
    Ok(changed == 1)
}

fn answer(
    tx: &Tx<'_, '_>,
    seq: i64,
    lease: &Lease,
    outcome: AnswerOutcome,
    settlement: &Settlement,
    data: &str,
) -> rusqlite::Result<()> {
    if !lease.answers.wants(outcome) {
        return Ok(());
    }
    log_answer(tx, &lease.party, message_of(seq), Some(seq), outcome, us(settlement.now), Some(data))
}

/// Lets the next delivery of an ordering key go, unless one is under way: the next may be an older one that a
/// person sent again.
pub(super) fn release_next(tx: &Tx<'_, '_>, key: Option<i64>) -> rusqlite::Result<()> {
    let Some(key) = key else { return Ok(()) };
    let head: Option<(i64, Option<String>)> = tx
        .prepare(
            "-- store::release_next head
             SELECT seq, hold FROM delivery WHERE ordering_key = ?1 AND state = 0 ORDER BY seq LIMIT 1",
        )?
        .query_row([key], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    // Most often nobody waits, or the head does not wait for its turn.
    let Some((head, Some(hold))) = head else { return Ok(()) };
    if hold != HoldReason::Order.name() {
        return Ok(());
    }
    tx.execute(
        "-- store::release_next
         UPDATE delivery SET phase = 0, hold = NULL
         WHERE seq = ?2
             AND NOT EXISTS (SELECT 1 FROM delivery WHERE ordering_key = ?1 AND state = 0 AND (hold IS NULL OR hold = ?3))",
        params![key, head, HoldReason::Mailbox.name()],
    )?;
    Ok(())
}
