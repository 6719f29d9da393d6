//! Two ways to one party, as this engine reads and writes them. What follows from what is in
//! [`crate::store::fallback`].

use jiff::Timestamp;
use rusqlite::params;

use super::{
    accept::log_event,
    deadlines::{self, End},
    row::{Read, delivery_id, message_of, us},
    settle::release_next,
    writer::Tx,
};
use crate::{
    domain::answer::Subscription,
    store::{
        Release, Released,
        fallback::{self, Came, Ends, Other, Reason, Then, Tie},
    },
};

/// What something came to, for the event that tells of it.
pub(super) struct CameTo {
    /// How the promise ended, if it did.
    pub(super) promise: Option<&'static str>,
    /// Nothing is left that could deliver it.
    pub(super) is_final: bool,
}

/// A delivery's other way.
pub(super) fn tie(tx: &Tx<'_, '_>, delivery: i64, other: i64, clocks: u8) -> rusqlite::Result<Tie> {
    let (other, its_clocks) = tx
        .prepare(
            "-- store::other way
             SELECT state, hold, ordering_key, receiver, clocks FROM delivery WHERE seq = ?1",
        )?
        .query_row([other], |row| {
            let hold: Option<String> = row.get(1)?;
            let other = Other {
                number: other,
                state: row.get(0)?,
                held_back: fallback::is_held_back(hold.as_deref()),
                ordering_key: row.get(2)?,
                receiver: row.get(3)?,
            };
            Ok((other, row.get::<_, u8>(4)?))
        })?;
    Ok(Tie::new(delivery, clocks, its_clocks, other))
}

/// Ends the promise that a delivery is delivered where what it came to does, and does to its other way what follows.
pub(super) fn comes(
    tx: &mut Tx<'_, '_>,
    (delivery, tie): (i64, Option<&Tie>),
    came: Came,
    now: Timestamp,
    (answers, party): (Subscription, &str),
) -> rusqlite::Result<CameTo> {
    let follows = fallback::follows(came, tie);
    let promised = tie.map_or(delivery, |tie| tie.first);
    let promise = match follows.promise {
        None => None,
        Some(ends) => deadlines::end(tx, promised, &End::from(ends), now, answers, party)?,
    };
    if let Some(how) = promise
        && promised != delivery
    {
        let (name, told) = fallback::ended_by_second(how, id(tx, delivery)?);
        log_event(tx, message_of(promised), Some(promised), us(now), name, Some(&told))?;
    }
    if let Some(tie) = tie {
        then(tx, &tie.other, follows.other, now)?;
    }
    Ok(CameTo { promise, is_final: follows.is_final })
}

impl From<Ends> for End {
    fn from(ends: Ends) -> Self {
        match ends {
            Ends::Met => Self::Met,
            Ends::Unmet => Self::Ended,
            Ends::Waived => Self::Waived,
        }
    }
}

fn id(tx: &Tx<'_, '_>, delivery: i64) -> rusqlite::Result<crate::domain::DeliveryId> {
    tx.prepare(
        "-- store::id of a delivery
         SELECT receipt FROM message WHERE seq = ?1",
    )?
    .query_row([message_of(delivery)], |row| Ok(delivery_id(row.receipt(0)?, delivery)))
}

fn then(tx: &mut Tx<'_, '_>, other: &Other, then: Then, now: Timestamp) -> rusqlite::Result<()> {
    match then {
        Then::Nothing => {}
        Then::Due => {
            tx.execute(
                "-- store::second way is due
                 UPDATE delivery SET next_attempt_at = min(next_attempt_at, ?2) WHERE seq = ?1",
                params![other.number, us(now)],
            )?;
        }
        Then::Cancel(why) => {
            tx.execute(
                "-- store::other way is cancelled
                 UPDATE delivery SET state = 3, phase = NULL, hold = NULL, settled_at = ?2 WHERE seq = ?1",
                params![other.number, us(now)],
            )?;
            let told = fallback::cancelled(why);
            log_event(tx, message_of(other.number), Some(other.number), us(now), "cancelled", Some(&told))?;
            if other.ordering_key.is_some() {
                release_next(tx, other.ordering_key)?;
                tx.handing.ring(other.receiver.clone());
            }
        }
    }
    Ok(())
}

/// Lets the promise of both run again that ended with the second way, where a person has that tried again.
pub(super) fn resume(tx: &Tx<'_, '_>, tie: &Tie, by: &str, now: Timestamp) -> rusqlite::Result<()> {
    if !tie.resumes() {
        return Ok(());
    }
    deadlines::resume(tx, tie.first)?;
    let told = serde_json::json!({ "by": by }).to_string();
    log_event(tx, message_of(tie.first), Some(tie.first), us(now), "fallback_resumed", Some(&told))
}

/// Second ways that are held, and which.
macro_rules! held {
    ($name:literal, $which:literal) => {
        concat!(
            "-- store::release_fallbacks ",
            $name,
            "
             SELECT d.seq, d.receiver, d.next_attempt_at, o.receiver AS first, o.state, m.receipt, m.kind
             FROM delivery d JOIN delivery o ON o.seq = d.other_way JOIN message m ON m.seq = d.seq / 256
             WHERE d.hold = 'fallback' AND ",
            $which
        )
    };
}

/// Lets second ways go, in due order.
pub(super) fn release(
    tx: &mut Tx<'_, '_>,
    which: &Release,
    now: Timestamp,
) -> rusqlite::Result<Vec<Released>> {
    let due = match which {
        Release::Due(most) => held(
            tx,
            held!("due", "d.next_attempt_at <= ?1 ORDER BY d.next_attempt_at, d.seq LIMIT ?2"),
            params![us(now), most],
        )?,
        Release::Foreseen(all) => {
            let mut due = Vec::with_capacity(all.len());
            for one in all {
                due.extend(held(tx, held!("foreseen", "d.seq = ?1"), [one.number])?);
            }
            due
        }
    };
    let mut all = Vec::with_capacity(due.len());
    for (seq, first, mut released) in due {
        released.foreseen = which.foreseen(seq);
        released.reason = Reason::of(first, released.foreseen.is_some());
        released.due_at = released.due_at.min(now);
        tx.execute(
            "-- store::release_fallbacks one
             UPDATE delivery SET phase = 0, hold = NULL, released_at = ?2, next_attempt_at = min(next_attempt_at, ?2)
             WHERE seq = ?1",
            params![seq, us(now)],
        )?;
        let told = released.told();
        log_event(tx, message_of(seq), Some(seq), us(now), "fallback_released", Some(&told))?;
        tx.handing.ring(released.receiver.clone());
        all.push(released);
    }
    Ok(all)
}

/// Second ways that are held, with the state of the first.
fn held(
    tx: &Tx<'_, '_>,
    sql: &'static str,
    params: impl rusqlite::Params,
) -> rusqlite::Result<Vec<(i64, i16, Released)>> {
    tx.prepare(sql)?
        .query_map(params, |row| {
            let seq: i64 = row.get("seq")?;
            let receipt = row.receipt("receipt")?;
            let released = Released {
                delivery: delivery_id(receipt, seq),
                receipt,
                kind: row.get("kind")?,
                first: row.get("first")?,
                receiver: row.get("receiver")?,
                reason: Reason::Time,
                due_at: row.instant("next_attempt_at")?,
                foreseen: None,
            };
            Ok((seq, row.get("state")?, released))
        })?
        .collect()
}
