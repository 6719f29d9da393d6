//! Two ways to one party, as this engine reads and writes them. What follows from what is in
//! [`crate::store::fallback`].
//!
//! Who ends one of two ways holds their lock: it touches both rows, and two nodes that each ended one would wait for
//! each other.

use jiff::Timestamp;
use tokio_postgres::Row;

use super::{
    deadlines::{self, End, Ending, Of},
    fail::Fail,
    row::Read,
    settle::release_next,
    work::Tx,
};
use crate::store::{
    Partner, Release, Released, Settlement,
    fallback::{self, Came, Ends, Other, Reason, Then, Tie},
    numbers::{delivery_id, message_of, us},
};

/// What something came to, for the event that tells of it.
pub(super) struct CameTo {
    /// How the promise ended, if it did.
    pub(super) promise: Option<&'static str>,
    /// Nothing is left that could deliver it.
    pub(super) is_final: bool,
}

/// What is locked where one of two ways ends: both, and the line that the other stands in.
pub(super) fn locks(delivery: i64, other: Partner) -> impl Iterator<Item = i64> {
    [delivery.min(other.number)].into_iter().chain(other.ordering_key)
}

/// A delivery's other way, kept as it is until the commit.
pub(super) async fn tie(tx: &Tx<'_>, delivery: i64, other: i64, clocks: u8) -> Result<Tie, Fail> {
    let sql = "SELECT state, hold, ordering_key, receiver, clocks FROM delivery WHERE seq = $1 FOR UPDATE";
    let row = tx.session.query_opt(sql, &[&other]).await?.ok_or(Fail::Again)?;
    let hold: Option<String> = row.value("hold")?;
    let its_clocks = row.small("clocks")?;
    let other = Other {
        number: other,
        state: row.value("state")?,
        held_back: fallback::is_held_back(hold.as_deref()),
        ordering_key: row.value("ordering_key")?,
        receiver: row.value("receiver")?,
    };
    Ok(Tie::new(delivery, clocks, its_clocks, other))
}

/// Ends the promise that a delivery is delivered where what it came to does, and does to its other way what follows.
pub(super) async fn comes(
    tx: &mut Tx<'_>,
    (of, tie): (Of<'_>, Option<&Tie>),
    came: Came,
    now: Timestamp,
) -> Result<CameTo, Fail> {
    let follows = fallback::follows(came, tie);
    let promised = tie.map_or(of.delivery, |tie| tie.first);
    let mut promise = None;
    if let Some(ends) = follows.promise {
        let ending = Ending { of: Of { delivery: promised, ..of }, end: End::from(ends), now };
        let mut ended = deadlines::end(tx, &[ending]).await?;
        promise = ended.remove(&promised).map(|ended| ended.tell(&mut tx.logs));
    }
    if let Some(how) = promise
        && promised != of.delivery
    {
        let sql = "SELECT receipt FROM message WHERE seq = $1";
        let row = tx.session.query_opt(sql, &[&message_of(of.delivery)]).await?.ok_or(Fail::Again)?;
        let (name, told) = fallback::ended_by_second(how, delivery_id(row.receipt("receipt")?, of.delivery));
        tx.logs.of_delivery(promised, us(now), name, told);
    }
    if let Some(tie) = tie {
        then(tx, &tie.other, follows.other, now).await?;
    }
    Ok(CameTo { promise, is_final: follows.is_final })
}

/// What a settlement of one of two ways comes to. The delivery has moved already.
pub(super) async fn settled(
    tx: &mut Tx<'_>,
    settlement: &Settlement,
    other: Partner,
) -> Result<(CameTo, Tie), Fail> {
    let lease = &settlement.lease;
    let tie = tie(tx, lease.number, other.number, lease.clocks).await?;
    let came_to = match Came::of(settlement) {
        Some(came) => {
            let of = Of { delivery: lease.number, answers: lease.answers, party: &lease.party };
            comes(tx, (of, Some(&tie)), came, settlement.now).await?
        }
        None => CameTo { promise: None, is_final: false },
    };
    Ok((came_to, tie))
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

async fn then(tx: &mut Tx<'_>, other: &Other, then: Then, now: Timestamp) -> Result<(), Fail> {
    match then {
        Then::Nothing => {}
        Then::Due => {
            let sql = "UPDATE delivery SET next_attempt_at = least(next_attempt_at, $2) WHERE seq = $1";
            tx.session.execute(sql, &[&other.number, &us(now)]).await?;
        }
        Then::Cancel(why) => {
            let sql =
                "UPDATE delivery SET state = 3, phase = NULL, hold = NULL, settled_at = $2 WHERE seq = $1";
            tx.session.execute(sql, &[&other.number, &us(now)]).await?;
            tx.logs.of_delivery(other.number, us(now), "cancelled", fallback::cancelled(why));
            if let Some(key) = other.ordering_key {
                release_next(tx.session, &[key]).await?;
                tx.hints.insert(other.receiver.clone());
            }
        }
    }
    Ok(())
}

/// Lets the promise of both run again that ended with the second way, where a person has that tried again.
pub(super) async fn resume(tx: &mut Tx<'_>, tie: &Tie, by: &str, now: Timestamp) -> Result<(), Fail> {
    if !tie.resumes() {
        return Ok(());
    }
    deadlines::resume(tx, tie.first).await?;
    let told = serde_json::json!({ "by": by }).to_string();
    tx.logs.of_delivery(tie.first, us(now), "fallback_resumed", told);
    Ok(())
}

/// Lets those go of the second ways that are held; `$1` is now.
macro_rules! released {
    ($which:literal) => {
        concat!(
            "WITH due AS MATERIALIZED (
                 SELECT seq FROM delivery WHERE hold = 'fallback' AND ",
            $which,
            " FOR UPDATE SKIP LOCKED),
             released AS (
                 UPDATE delivery d SET phase = 0, hold = NULL, released_at = $1,
                     next_attempt_at = least(d.next_attempt_at, $1)
                 FROM due WHERE d.seq = due.seq RETURNING d.seq, d.receiver, d.next_attempt_at, d.other_way)
             SELECT r.seq, r.receiver, r.next_attempt_at, o.receiver AS first, o.state, m.receipt, m.kind
             FROM released r JOIN delivery o ON o.seq = r.other_way JOIN message m ON m.seq = r.seq / 256
             ORDER BY r.next_attempt_at, r.seq"
        )
    };
}

/// Lets second ways go, in due order, but for those that another node is just letting go or cancelling.
pub(super) async fn release(tx: &mut Tx<'_>, which: &Release, now: Timestamp) -> Result<Vec<Released>, Fail> {
    let rows = match which {
        Release::Due(most) => {
            let sql = released!("next_attempt_at <= $1 ORDER BY next_attempt_at, seq LIMIT $2");
            tx.session.query(sql, &[&us(now), &i64::from(*most)]).await?
        }
        Release::Foreseen(all) => {
            let numbers: Vec<i64> = all.iter().map(|one| one.number).collect();
            tx.session.query(released!("seq = ANY ($2) ORDER BY seq"), &[&us(now), &numbers]).await?
        }
    };
    let mut all = Vec::with_capacity(rows.len());
    for row in &rows {
        let (seq, released) = read(row, which)?;
        tx.logs.of_delivery(seq, us(now), "fallback_released", released.told());
        tx.hints.insert(released.receiver.clone());
        all.push(released);
    }
    Ok(all)
}

fn read(row: &Row, which: &Release) -> Result<(i64, Released), Fail> {
    let seq: i64 = row.value("seq")?;
    let receipt = row.receipt("receipt")?;
    let foreseen = which.foreseen(seq);
    let released = Released {
        delivery: delivery_id(receipt, seq),
        receipt,
        kind: row.value("kind")?,
        first: row.value("first")?,
        receiver: row.value("receiver")?,
        reason: Reason::of(row.value("state")?, foreseen.is_some()),
        due_at: row.instant("next_attempt_at")?,
        foreseen,
    };
    Ok((seq, released))
}
