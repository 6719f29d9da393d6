//! Takes due deliveries of one receiver, earliest deadline first.

use bytes::Bytes;
use jiff::Timestamp;
use rusqlite::{OptionalExtension, params, types::Type};

use super::{
    row::{Read, delivery_id, message_of, unreadable, us},
    writer::Tx,
};
use crate::{
    domain::{Parcel, answer::Subscription, message::TYPE_PREFIX},
    store::{Lease, LeaseAsk, Leased, Partner},
};

/// Deliveries whose waiting time is over that are made ready in one go.
const WAKE_MAX: i64 = 1_000;

pub(super) fn lease_due(tx: &mut Tx<'_, '_>, ask: &LeaseAsk) -> rusqlite::Result<Leased> {
    let waking = |due: &Timestamp| ask.wake_all || *due <= ask.now;
    if next_due(tx, &ask.receiver)?.is_some_and(|due| waking(&due)) {
        wake(tx, ask)?;
    }
    let mut ready = heads(tx, ask)?;
    if ask.probe && wake_for_probe(tx, ask, ready.first().map(|(_, due)| *due))? {
        ready = heads(tx, ask)?;
    }
    let mut leased = Leased::default();
    for (seq, due) in ready {
        leased.nearest_deadline.get_or_insert(due);
        if leased.leases.len() == ask.most as usize {
            break;
        }
        if let Some(token) = tx.leases.take(seq, ask.now, ask.until) {
            match fetch(tx, seq, token, ask.until) {
                Ok(lease) => leased.leases.push(lease),
                Err(error) => {
                    tx.leases.end(seq, token);
                    return Err(error);
                }
            }
        }
    }
    leased.next_due = next_due(tx, &ask.receiver)?;
    if leased.leases.len() < ask.most as usize && ask.due_by.is_none() && ask.due_after.is_none() {
        tx.handing.caught_up(&ask.receiver, ask.now);
    }
    assert!(leased.leases.len() <= ask.most as usize, "more was leased than asked for");
    Ok(leased)
}

/// Makes ready what has waited long enough.
fn wake(tx: &Tx<'_, '_>, ask: &LeaseAsk) -> rusqlite::Result<()> {
    tx.execute(
        "-- store::wake
         UPDATE delivery SET phase = 0 WHERE seq IN (
             SELECT seq FROM delivery WHERE receiver = ?1 AND phase = 1 AND next_attempt_at <= ?2 LIMIT ?3)",
        params![ask.receiver, if ask.wake_all { i64::MAX } else { us(ask.now) }, WAKE_MAX],
    )?;
    Ok(())
}

/// Makes ready the waiting delivery with the nearest deadline, where that is nearer than the nearest ready one's. True
/// where it did.
fn wake_for_probe(tx: &Tx<'_, '_>, ask: &LeaseAsk, ready: Option<Timestamp>) -> rusqlite::Result<bool> {
    let woken = tx.execute(
        "-- store::wake for a probe
         UPDATE delivery SET phase = 0 WHERE due_at < ?2 AND seq = (
             SELECT seq FROM delivery WHERE receiver = ?1 AND phase = 1 ORDER BY due_at, seq LIMIT 1)",
        params![ask.receiver, ready.map_or(i64::MAX, us)],
    )?;
    Ok(woken > 0)
}

/// The ready deliveries that nobody holds, by deadline; one more than asked for at the most.
fn heads(tx: &Tx<'_, '_>, ask: &LeaseAsk) -> rusqlite::Result<Vec<(i64, Timestamp)>> {
    let mut statement = tx.prepare(
        "-- store::lease_due
         SELECT seq, due_at FROM delivery WHERE receiver = ?1 AND phase = 0 AND due_at <= ?2 AND due_at > ?3
         ORDER BY due_at, seq",
    )?;
    let due_by = ask.due_by.map_or(i64::MAX, us);
    let due_after = ask.due_after.map_or(i64::MIN, us);
    let mut rows = statement.query(params![ask.receiver, due_by, due_after])?;
    let mut heads = Vec::new();
    while let Some(row) = rows.next()? {
        let seq: i64 = row.get(0)?;
        if !tx.leases.is_held(seq, ask.now) {
            heads.push((seq, row.instant(1)?));
        }
        if heads.len() > ask.most as usize {
            break;
        }
    }
    Ok(heads)
}

fn fetch(tx: &Tx<'_, '_>, seq: i64, token: u64, until: Timestamp) -> rusqlite::Result<Lease> {
    tx.prepare(
        "-- store::lease_due fetch
         SELECT d.due_at, d.expires_at, d.attempts, d.crashes, d.rounds, d.ordering_key, d.format, d.format_version,
             p.content_type, p.body, m.receipt, m.source, m.id, m.kind, m.correlation, m.traceparent, m.party, m.answers,
             p.citizen, m.occurred_at, m.received_at, d.clocks, m.tracestate, d.other_way,
             (SELECT o.ordering_key FROM delivery o WHERE o.seq = d.other_way)
         FROM delivery d JOIN parcel p ON p.seq = d.seq JOIN message m ON m.seq = ?2
         WHERE d.seq = ?1",
    )?
    .query_row(params![seq, message_of(seq)], |row| {
        let format: String = row.get(6)?;
        Ok(Lease {
            delivery: delivery_id(row.receipt(10)?, seq),
            number: seq,
            token,
            until,
            parcel: Parcel {
                format: format.parse().map_err(|e: String| unreadable("format", Type::Text, &e))?,
                format_version: row.get(7)?,
                content_type: row.get::<_, String>(8)?.into(),
                body: Bytes::from(row.get::<_, Vec<u8>>(9)?),
                citizen: row.citizen(18)?,
            },
            attempts: row.get(2)?,
            clocks: row.get(21)?,
            partner: match row.get(23)? {
                Some(number) => Some(Partner { number, ordering_key: row.get(24)? }),
                None => None,
            },
            crashes: row.get(3)?,
            rounds: row.get(4)?,
            ordering_key: row.get(5)?,
            due: row.instant(0)?,
            expires: row.instant_or_none(1)?,
            event_type: format!("{TYPE_PREFIX}{}", row.get::<_, String>(13)?),
            source: row.get(11)?,
            message_id: row.get(12)?,
            correlation_id: row.get(14)?,
            traceparent: row.get(15)?,
            tracestate: row.get(22)?,
            party: row.get(16)?,
            answers: Subscription(row.get(17)?),
            occurred: row.instant(19)?,
            received: row.instant(20)?,
        })
    })
}

fn next_due(tx: &Tx<'_, '_>, receiver: &str) -> rusqlite::Result<Option<Timestamp>> {
    tx.prepare(
        "-- store::next_due
         SELECT next_attempt_at FROM delivery WHERE receiver = ?1 AND phase = 1 ORDER BY next_attempt_at LIMIT 1",
    )?
    .query_row([receiver], |row| row.instant(0))
    .optional()
}

/// Hands leases back: they are due again at once.
pub(super) fn release(tx: &mut Tx<'_, '_>, leases: &[Lease]) {
    for lease in leases {
        tx.leases.end(lease.number, lease.token);
    }
}
