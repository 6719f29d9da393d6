//! Ends leases: the attempts, the deliveries' moves, the promises and the answers, all in a few statements.

use std::collections::{BTreeSet, HashSet};

use tokio_postgres::{Row, types::ToSql};

use super::{
    accept::insert::sparse,
    clocks,
    deadlines::{self, End, Ending, Of},
    fail::Fail,
    fallback::{self, CameTo},
    row::Read,
    session::Session,
    work::Tx,
};
use crate::{
    domain::{AnswerOutcome, HoldReason, Outcome},
    store::{
        Next, Settled, Settlement,
        clocks::Happened,
        json as to_json,
        numbers::{message_of, us},
        told,
    },
};

/// Moves the deliveries whose lease is still held to where their attempts brought them, and ends the promises of those
/// that ended. A row for each delivery that moved, and one with a promise for each promise that ended.
pub(super) const SETTLE: &str = "WITH moved AS (
         UPDATE delivery d SET state = u.state, phase = u.phase, hold = u.hold,
             next_attempt_at = coalesce(u.at, d.next_attempt_at), settled_at = u.settled_at, fault = u.fault,
             attempts = d.attempts + 1, crashes = d.crashes + u.crash,
             lease_node = NULL, lease_token = NULL, leased_until = NULL
         FROM (SELECT unnest($1::bigint[]) AS seq, unnest($2::bigint[]) AS token, unnest($3::smallint[]) AS state,
                 unnest($4::smallint[]) AS phase, unnest($5::text[]) AS hold, unnest($6::bigint[]) AS at,
                 unnest($7::bigint[]) AS settled_at, unnest($8::text[]) AS fault, unnest($9::integer[]) AS crash,
                 unnest($10::boolean[]) AS met, unnest($11::bigint[]) AS now) u
         WHERE d.seq = u.seq AND d.lease_token = u.token AND d.state = 0 RETURNING d.seq, u.met, u.now),
     ended AS (
         UPDATE deadline d SET next_step_at = NULL, met_at = CASE WHEN u.met THEN u.now END,
             ended_at = CASE WHEN u.met THEN NULL ELSE u.now END
         FROM moved u
         WHERE u.met IS NOT NULL AND d.seq = u.seq * 16 AND d.met_at IS NULL AND d.ended_at IS NULL
         RETURNING d.seq, d.promise, d.starts_at, d.due_at, d.step, d.at_50, d.at_75, d.at_90)
     SELECT seq, NULL AS promise, NULL::bigint AS starts_at, NULL::bigint AS due_at, NULL::smallint AS step,
         NULL::bigint AS at_50, NULL::bigint AS at_75, NULL::bigint AS at_90 FROM moved
     UNION ALL SELECT * FROM ended";

/// Lets the next delivery of each ordering key go, unless one is under way: the next may be an older one that a
/// person sent again. The keys are locked, so that their lines are as they are read.
///
/// The line is looked at key by key. What is said of the held in the list of conditions would let a plan begin with all
/// that are held.
pub(super) const RELEASE_NEXT: &str = "UPDATE delivery d SET phase = 0, hold = NULL
     FROM unnest($1::bigint[]) k CROSS JOIN LATERAL (
         SELECT o.seq, o.phase, o.hold FROM delivery o WHERE o.ordering_key = k AND o.state = 0
         ORDER BY o.seq LIMIT 1) AS head
     WHERE d.seq = head.seq AND head.phase = 2 AND head.hold = $2
         AND (SELECT true FROM delivery o WHERE o.ordering_key = k AND o.state = 0
             AND (o.hold IS NULL OR o.hold = $3) LIMIT 1) IS NULL";

/// A lease's token as the tables keep it.
pub(super) fn token(token: u64) -> i64 {
    token.cast_signed()
}

/// The ordering keys whose next delivery may go. Those of a lease that was lost are among them: who is next in a line
/// is read from the line alone.
pub(super) fn freed(settlements: &[&Settlement]) -> Vec<i64> {
    let ended = settlements.iter().filter(|s| matches!(s.next, Next::Delivered | Next::Dead(_)));
    ended.filter_map(|s| s.lease.ordering_key).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Asks for the deliveries to be moved.
pub(super) async fn send(session: &Session, columns: &Columns) -> Result<Vec<Row>, Fail> {
    if columns.seq.is_empty() {
        return Ok(vec![]);
    }
    let Columns { seq, token, state, phase, hold, at, settled_at, fault, crash, met, now } = columns;
    let values: [&(dyn ToSql + Sync); 11] =
        [seq, token, state, phase, hold, at, settled_at, fault, crash, met, now];
    Ok(session.client.query(&session.statements.settle, &values).await?)
}

/// What became of each settlement, by the rows that [`send`] brought.
pub(super) async fn judge(
    tx: &mut Tx<'_>,
    settlements: &[&Settlement],
    rows: &[Row],
) -> Result<Vec<Settled>, Fail> {
    let (mut held, mut promises) = (HashSet::with_capacity(settlements.len()), Vec::new());
    for row in rows {
        if row.value::<Option<String>>("promise")?.is_none() {
            held.insert(row.value::<i64>("seq")?);
        } else {
            promises.push(row);
        }
    }
    // The first of two under one lease is the one that counts.
    let counts: Vec<bool> = settlements.iter().map(|s| held.remove(&s.lease.number)).collect();
    let counted = || settlements.iter().zip(&counts).filter(|(_, counts)| **counts).map(|(s, _)| *s);
    let endings: Vec<Ending<'_>> = counted().filter_map(ending).collect();
    let mut ended = deadlines::ended(tx.session, &endings, promises).await?;
    let mut hearing = Vec::new();
    for settlement in counted() {
        let lease = &settlement.lease;
        let (came_to, owner, clocks) = if let Some(other) = lease.partner {
            let (came_to, tie) = fallback::settled(tx, settlement, other).await?;
            (came_to, tie.first, tie.clocks)
        } else {
            let promise = ended.remove(&lease.number).map(|ended| ended.tell(&mut tx.logs));
            (CameTo { promise, is_final: true }, lease.number, lease.clocks)
        };
        tell(tx, settlement, &came_to);
        // Where nothing else is promised, and that is nearly always, nothing is asked for.
        if clocks > 0
            && let Some(what) = Happened::of_next(&settlement.next)
            && (came_to.is_final || what != Happened::Died)
        {
            hearing.push((owner, what, settlement.now));
        }
    }
    for (owner, what, now) in hearing {
        clocks::hear(tx, owner, what, now).await?;
    }
    Ok(counts.into_iter().map(|counts| if counts { Settled::Done } else { Settled::LeaseLost }).collect())
}

/// Settlements, each value in its column.
#[derive(Default)]
pub(super) struct Columns {
    seq: Vec<i64>,
    token: Vec<i64>,
    state: Vec<i16>,
    phase: Vec<Option<i16>>,
    hold: Vec<Option<&'static str>>,
    at: Vec<Option<i64>>,
    settled_at: Vec<Option<i64>>,
    fault: Vec<Option<String>>,
    crash: Vec<i32>,
    /// Whether the promises that end are met; nothing where none ends.
    met: Vec<Option<bool>>,
    now: Vec<i64>,
}

impl Columns {
    pub(super) fn of(settlements: &[&Settlement]) -> Self {
        let (mut columns, mut seen) = (Self::default(), HashSet::with_capacity(settlements.len()));
        for settlement in settlements {
            // Two under one lease are one row to the database; the second finds nothing.
            if seen.insert((settlement.lease.number, settlement.lease.token)) {
                columns.add(settlement);
            }
        }
        // What was delivered at once has none of these.
        columns.phase = sparse(columns.phase.into_iter());
        columns.hold = sparse(columns.hold.into_iter());
        columns.at = sparse(columns.at.into_iter());
        columns.fault = sparse(columns.fault.into_iter());
        columns
    }

    fn add(&mut self, settlement: &Settlement) {
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
        self.met.push(ending(settlement).map(|ending| ending.end == End::Met));
        self.now.push(us(settlement.now));
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
    if lease.partner.is_some() {
        // What follows there is a matter of both ways.
        return None;
    }
    let of = Of { delivery: lease.number, answers: lease.answers, party: &lease.party };
    Some(Ending { of, end, now: settlement.now })
}

fn tell(tx: &mut Tx<'_>, settlement: &Settlement, came_to: &CameTo) {
    let lease = &settlement.lease;
    let (seq, at) = (lease.number, us(settlement.now));
    let answer = match (&settlement.next, &settlement.record.outcome) {
        (Next::Delivered, Outcome::Delivered(proof)) => {
            Some((AnswerOutcome::Delivered, told::delivered(proof.receipt.as_deref(), lease.rounds)))
        }
        (Next::Dead(fault), _) if came_to.is_final => {
            Some((AnswerOutcome::Failed, told::failed(fault, lease.rounds)))
        }
        _ => None,
    };
    if let Some((outcome, data)) = answer
        && lease.answers.wants(outcome)
    {
        let about = (message_of(seq), Some(seq));
        tx.logs.answer(&lease.party, about, outcome, at, Some(data));
    }
    tx.logs.of_delivery(seq, at, "attempt", told::attempt(settlement, came_to.promise));
}

/// Lets the next delivery of each ordering key go; the keys are locked.
pub(super) async fn release_next(session: &Session, keys: &[i64]) -> Result<(), Fail> {
    if !keys.is_empty() {
        let reasons = (HoldReason::Order.name(), HoldReason::Mailbox.name());
        session.client.execute(&session.statements.release_next, &[&keys, &reasons.0, &reasons.1]).await?;
    }
    Ok(())
}
