//! Takes due deliveries of one receiver, earliest deadline first. What another node is taking is passed over.
//!
//! No two of one ordering key are leased at once, whoever asks: of a key, at most one delivery is not held, and
//! that changes only under the key's lock.

use jiff::Timestamp;
use tokio_postgres::types::ToSql;

use super::{fail::Fail, row::Read, settle, work::Tx};
use crate::{
    domain::{answer::Subscription, message::TYPE_PREFIX},
    store::{
        Accepted, Lease, LeaseAsk, Leased, NewDelivery, Partner,
        numbers::{delivery_id, us},
    },
};

/// Deliveries whose waiting time is over that are made ready in one go.
const WAKE_MAX: i64 = 1_000;

const WAKE: &str = "UPDATE delivery SET phase = 0 WHERE seq IN (
         SELECT seq FROM delivery WHERE receiver = $1 AND phase = 1 AND next_attempt_at <= $2
         ORDER BY next_attempt_at LIMIT $3 FOR UPDATE SKIP LOCKED)";

/// For a probe: the waiting delivery with the nearest deadline, where that is nearer than the nearest ready one's.
const WAKE_FOR_PROBE: &str = "WITH nearest AS MATERIALIZED (
         SELECT seq, due_at FROM delivery WHERE receiver = $1 AND phase = 1
         ORDER BY due_at, seq LIMIT 1 FOR UPDATE SKIP LOCKED)
     UPDATE delivery d SET phase = 0 FROM nearest n WHERE d.seq = n.seq AND NOT EXISTS (
         SELECT 1 FROM delivery r WHERE r.receiver = $1 AND r.phase = 0 AND r.due_at <= n.due_at
             AND (r.leased_until IS NULL OR r.leased_until <= $2))";

/// The `MATERIALIZED` keeps the choice from being made a second time, which would lock more than asked for.
pub(super) const LEASE: &str = "WITH head AS MATERIALIZED (
         SELECT seq FROM delivery
         WHERE receiver = $1 AND phase = 0 AND due_at <= $2 AND due_at > $7 AND (leased_until IS NULL OR leased_until <= $3)
         ORDER BY due_at, seq LIMIT $4 FOR UPDATE SKIP LOCKED),
     taken AS (
         UPDATE delivery d SET lease_node = $5, lease_token = nextval('lease_token'), leased_until = $6
         FROM head WHERE d.seq = head.seq RETURNING d.*)
     SELECT d.seq, d.lease_token, d.due_at, d.expires_at, d.attempts, d.crashes, d.rounds, d.clocks, d.ordering_key, d.format,
         d.format_version, p.content_type, p.body, p.citizen, m.receipt, m.source, m.id, m.kind, m.correlation, m.traceparent,
         m.party, m.answers, m.occurred_at, m.received_at, m.tracestate, d.other_way, o.ordering_key AS other_key
     FROM taken d JOIN parcel p ON p.seq = d.seq JOIN message m ON m.seq = d.seq / 256
         LEFT JOIN delivery o ON o.seq = d.other_way
     ORDER BY d.due_at, d.seq";

const NEXT_DUE: &str = "SELECT next_attempt_at FROM delivery WHERE receiver = $1 AND phase = 1
     ORDER BY next_attempt_at LIMIT 1";

type Params<'a, const N: usize> = [&'a (dyn ToSql + Sync); N];

pub(super) async fn lease_due(tx: &mut Tx<'_>, ask: &LeaseAsk) -> Result<Leased, Fail> {
    let session = tx.session;
    let (wake, lease, next_due) =
        (session.statement(WAKE).await?, session.statement(LEASE).await?, session.statement(NEXT_DUE).await?);
    let wake_by = if ask.wake_all { i64::MAX } else { us(ask.now) };
    let (due_by, due_after) = (ask.due_by.map_or(i64::MAX, us), ask.due_after.map_or(i64::MIN, us));
    let (now, until, most) = (us(ask.now), us(ask.until), i64::from(ask.most));
    let to_wake: Params<'_, 3> = [&ask.receiver, &wake_by, &WAKE_MAX];
    let to_lease: Params<'_, 7> = [&ask.receiver, &due_by, &now, &most, &session.node, &until, &due_after];
    let waiting: Params<'_, 1> = [&ask.receiver];
    if ask.probe {
        session.execute(WAKE_FOR_PROBE, &[&ask.receiver, &now]).await?;
    }
    // Sent in this order, one behind the other: one round trip for the three.
    let (woken, taken, next) = futures_util::join!(
        session.client.execute(&wake, &to_wake),
        session.client.query(&lease, &to_lease),
        session.client.query_opt(&next_due, &waiting)
    );
    woken?;
    let leases = taken?.iter().map(|row| read(row, ask)).collect::<Result<Vec<_>, Fail>>()?;
    let next_due = match next? {
        Some(row) => Some(row.instant("next_attempt_at")?),
        None => None,
    };
    assert!(leases.len() <= ask.most as usize, "more was leased than asked for");
    if leases.len() < ask.most as usize && ask.due_by.is_none() && ask.due_after.is_none() {
        tx.handing.caught_up(&ask.receiver, ask.now);
    }
    Ok(Leased { nearest_deadline: leases.first().map(|lease| lease.due), leases, next_due })
}

fn read(row: &tokio_postgres::Row, ask: &LeaseAsk) -> Result<Lease, Fail> {
    let seq: i64 = row.value("seq")?;
    Ok(Lease {
        delivery: delivery_id(row.receipt("receipt")?, seq),
        number: seq,
        token: row.value::<i64>("lease_token")?.cast_unsigned(),
        until: ask.until,
        parcel: row.parcel()?,
        attempts: row.count("attempts")?,
        clocks: row.small("clocks")?,
        partner: match row.value("other_way")? {
            Some(number) => Some(Partner { number, ordering_key: row.value("other_key")? }),
            None => None,
        },
        crashes: row.count("crashes")?,
        rounds: row.count("rounds")?,
        ordering_key: row.value("ordering_key")?,
        due: row.instant("due_at")?,
        expires: row.instant_or_none("expires_at")?,
        event_type: format!("{TYPE_PREFIX}{}", row.value::<String>("kind")?),
        source: row.value("source")?,
        message_id: row.value("id")?,
        correlation_id: row.value("correlation")?,
        traceparent: row.value("traceparent")?,
        tracestate: row.value("tracestate")?,
        occurred: row.instant("occurred_at")?,
        received: row.instant("received_at")?,
        party: row.value("party")?,
        answers: Subscription(row.small("answers")?),
    })
}

/// The token of the lease that a delivery is stored with: below zero, where the sequence of all later ones never comes,
/// and a delivery is stored once.
pub(super) fn first_token(delivery: i64) -> i64 {
    -delivery
}

/// Leases a delivery that is stored now to its lane, where that takes it. Says until when.
pub(super) fn hand_over(
    tx: &mut Tx<'_>,
    message: &Accepted,
    seq: i64,
    delivery: &NewDelivery,
) -> Option<Timestamp> {
    let now = message.arrived.received;
    let slot = tx.handing.slot(&delivery.receiver, delivery.parcel.body.len(), now)?;
    let until = slot.until;
    let token = first_token(seq).cast_unsigned();
    tx.handing.fill(slot, Lease::of_new(message, delivery, seq, token, until));
    Some(until)
}

/// A lease's number and token, as [`release`] wants them.
pub(super) fn held(lease: &Lease) -> (i64, i64) {
    (lease.number, settle::token(lease.token))
}

/// Hands leases back: they are due again at once.
pub(super) async fn release(tx: &Tx<'_>, leases: &[(i64, i64)]) -> Result<(), Fail> {
    let (numbers, tokens): (Vec<i64>, Vec<i64>) = leases.iter().copied().unzip();
    tx.session
        .execute(
            "UPDATE delivery d SET lease_node = NULL, lease_token = NULL, leased_until = NULL
             FROM unnest($1::bigint[], $2::bigint[]) AS u (seq, token)
             WHERE d.seq = u.seq AND d.lease_token = u.token",
            &[&numbers, &tokens],
        )
        .await?;
    Ok(())
}
