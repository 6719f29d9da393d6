//! Ends leases: the attempts, the deliveries' moves, the promises and the answers, all in a few statements.

use std::collections::{BTreeSet, HashSet};

use super::{
    deadlines::{self, End, Ending, Of},
    fail::Fail,
    row::Read,
    work::Tx,
};
use crate::{
    domain::{AnswerOutcome, HoldReason, Outcome},
    store::{
        Next, Settled, Settlement, json as to_json,
        numbers::{message_of, us},
        told,
    },
};

/// A lease's token as the tables keep it.
pub(super) fn token(token: u64) -> i64 {
    token.cast_signed()
}

pub(super) async fn settle(tx: &mut Tx<'_>, settlements: &[&Settlement]) -> Result<Vec<Settled>, Fail> {
    let mut held = move_deliveries(tx, settlements).await?;
    // The first of two under one lease is the one that counts.
    let counts: Vec<bool> = settlements.iter().map(|s| held.remove(&s.lease.number)).collect();
    let counted = || settlements.iter().zip(&counts).filter(|(_, counts)| **counts).map(|(s, _)| *s);
    let endings: Vec<Ending<'_>> = counted().filter_map(ending).collect();
    let mut ended = deadlines::end(tx, &endings).await?;
    let mut freed = BTreeSet::new();
    for settlement in counted() {
        let seq = settlement.lease.number;
        let promise = ended.remove(&seq).map(|ended| ended.tell(&mut tx.logs));
        tell(tx, settlement, promise);
        if matches!(settlement.next, Next::Delivered | Next::Dead(_)) {
            freed.extend(settlement.lease.ordering_key);
        }
    }
    release_next(tx, &freed.into_iter().collect::<Vec<_>>()).await?;
    Ok(counts.into_iter().map(|counts| if counts { Settled::Done } else { Settled::LeaseLost }).collect())
}

/// Moves the deliveries whose lease is still held to where their attempts brought them, and says which.
async fn move_deliveries(tx: &Tx<'_>, settlements: &[&Settlement]) -> Result<HashSet<i64>, Fail> {
    let mut columns = Columns::default();
    for settlement in settlements {
        columns.add(settlement);
    }
    let rows = tx
        .session
        .query(
            "UPDATE delivery d SET state = u.state, phase = u.phase, hold = u.hold,
                 next_attempt_at = coalesce(u.at, d.next_attempt_at), settled_at = u.settled_at, fault = u.fault,
                 attempts = d.attempts + 1, crashes = d.crashes + u.crash,
                 lease_node = NULL, lease_token = NULL, leased_until = NULL
             FROM unnest($1::bigint[], $2::bigint[], $3::smallint[], $4::smallint[], $5::text[], $6::bigint[],
                 $7::bigint[], $8::text[], $9::integer[])
                 AS u (seq, token, state, phase, hold, at, settled_at, fault, crash)
             WHERE d.seq = u.seq AND d.lease_token = u.token AND d.state = 0 RETURNING d.seq",
            &[
                &columns.seq,
                &columns.token,
                &columns.state,
                &columns.phase,
                &columns.hold,
                &columns.at,
                &columns.settled_at,
                &columns.fault,
                &columns.crash,
            ],
        )
        .await?;
    rows.iter().map(|row| row.value("seq")).collect()
}

#[derive(Default)]
struct Columns {
    seq: Vec<i64>,
    token: Vec<i64>,
    state: Vec<i16>,
    phase: Vec<Option<i16>>,
    hold: Vec<Option<&'static str>>,
    at: Vec<Option<i64>>,
    settled_at: Vec<Option<i64>>,
    fault: Vec<Option<String>>,
    crash: Vec<i32>,
}

impl Columns {
    fn add(&mut self, settlement: &Settlement) {
        // Two under one lease are one row to the database; the second finds nothing.
        if self
            .seq
            .iter()
            .zip(&self.token)
            .any(|(seq, held)| *seq == settlement.lease.number && *held == token(settlement.lease.token))
        {
            return;
        }
        self.seq.push(settlement.lease.number);
        self.token.push(token(settlement.lease.token));
        let moved = settlement.moved();
        self.state.push(moved.state);
        self.phase.push(moved.phase);
        self.hold.push(moved.hold);
        self.at.push(moved.next_attempt.map(us));
        self.settled_at.push(moved.settled.map(us));
        self.fault.push(moved.fault.map(to_json));
        self.crash.push(i32::from(moved.crashed));
    }
}

/// How the delivery's promise ends, if it does.
fn ending(settlement: &Settlement) -> Option<Ending<'_>> {
    let end = match (&settlement.next, &settlement.record.outcome) {
        (Next::Delivered, Outcome::Delivered(proof)) if !proof.in_transit => End::Met,
        (Next::Dead(_), _) => End::Ended,
        _ => return None,
    };
    let lease = &settlement.lease;
    let of = Of { delivery: lease.number, answers: lease.answers, party: &lease.party };
    Some(Ending { of, end, now: settlement.now })
}

fn tell(tx: &mut Tx<'_>, settlement: &Settlement, promise: Option<&'static str>) {
    let lease = &settlement.lease;
    let (seq, at) = (lease.number, us(settlement.now));
    let answer = match (&settlement.next, &settlement.record.outcome) {
        (Next::Delivered, Outcome::Delivered(proof)) => {
            Some((AnswerOutcome::Delivered, told::delivered(proof.receipt.as_deref(), lease.rounds)))
        }
        (Next::Dead(fault), _) => Some((AnswerOutcome::Failed, told::failed(fault, lease.rounds))),
        _ => None,
    };
    if let Some((outcome, data)) = answer
        && lease.answers.wants(outcome)
    {
        let about = (message_of(seq), Some(seq));
        tx.logs.answer(&lease.party, about, outcome, at, Some(data));
    }
    tx.logs.of_delivery(seq, at, "attempt", told::attempt(settlement, promise));
}

/// Lets the next delivery of each ordering key go, unless one is under way: the next may be an older one that a
/// person sent again.
pub(super) async fn release_next(tx: &Tx<'_>, keys: &[i64]) -> Result<(), Fail> {
    if keys.is_empty() {
        return Ok(());
    }
    tx.session
        .execute(
            "UPDATE delivery d SET phase = 0, hold = NULL
             FROM (SELECT k, (SELECT o.seq FROM delivery o WHERE o.ordering_key = k AND o.state = 0
                       ORDER BY o.seq LIMIT 1) AS seq FROM unnest($1::bigint[]) k) AS head
             WHERE d.seq = head.seq AND d.phase = 2 AND d.hold = $2
                 AND NOT EXISTS (SELECT 1 FROM delivery o WHERE o.ordering_key = head.k AND o.state = 0
                     AND (o.hold IS NULL OR o.hold = $3))",
            &[&keys, &HoldReason::Order.name(), &HoldReason::Mailbox.name()],
        )
        .await?;
    Ok(())
}
