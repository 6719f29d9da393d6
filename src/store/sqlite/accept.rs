//! Stores what was admitted: messages with everything they owe, or invalid messages.

use rusqlite::{OptionalExtension, params};
use sha2::{Digest, Sha256};

use super::{
    clocks, deadlines, figures, hand,
    identity::{self, by_identity},
    reply,
    row::{DEADLINES, Read, delivery_seq, kept, message_of, us},
    stops,
    writer::Tx,
};
use crate::{
    domain::{Answer, AnswerOutcome, Cpr, HoldReason, answer::Subscription, sla::Course},
    store::{Accepted, Admission, Arrived, Invalid, Lease, NewDelivery, Verdict, json, told},
};

pub(super) fn accept(tx: &mut Tx<'_, '_>, batch: &[Admission]) -> rusqlite::Result<Vec<Verdict>> {
    batch.iter().map(|admission| accept_any(tx, admission)).collect()
}

fn accept_any(tx: &mut Tx<'_, '_>, admission: &Admission) -> rusqlite::Result<Verdict> {
    put_down(tx, admission)?;
    match admission {
        Admission::Accepted(message) => match stops::stops(tx, message, admission)? {
            Some(stop) => reject(tx, &told::stopped(message, stop)).map(Verdict::Rejected),
            None => accept_one(tx, message),
        },
        Admission::Invalid(message) => reject(tx, message).map(Verdict::Rejected),
    }
}

/// What is stored is in hand no more.
fn put_down(tx: &mut Tx<'_, '_>, admission: &Admission) -> rusqlite::Result<()> {
    match &admission.arrived().in_hand {
        Some(key) => hand::put_down(tx, key),
        None => Ok(()),
    }
}

/// The last resort: the raw bytes, and that they could not be stored as what they are.
pub(super) fn keep_raw(tx: &mut Tx<'_, '_>, admission: &Admission) -> rusqlite::Result<Verdict> {
    put_down(tx, admission)?;
    reject(tx, &told::unstorable(admission)).map(Verdict::Rejected)
}

fn accept_one(tx: &mut Tx<'_, '_>, message: &Accepted) -> rusqlite::Result<Verdict> {
    let number = identity::number(message.envelope.id.as_str());
    if !insert_accepted(tx, message, number)? {
        if let Some(first) = first(tx, message, number)? {
            return same_identity(tx, message, first);
        }
        // Another message has the number, and nobody the identity.
        if !insert_accepted(tx, message, None)? {
            return Err(rusqlite::Error::QueryReturnedNoRows);
        }
    }
    let seq = tx.statements.connection.last_insert_rowid();
    // Before what is owed: a message late on arrival is accepted first and then late.
    if message.answers.wants(AnswerOutcome::Accepted) {
        log_answer(
            tx,
            &message.arrived.party,
            seq,
            None,
            AnswerOutcome::Accepted,
            us(message.arrived.received),
            None,
        )?;
    }
    for (ordinal, delivery) in (1..=u8::MAX).zip(&message.deliveries) {
        owe(tx, message, delivery_seq(seq, ordinal), delivery)?;
    }
    stops::changes(tx, seq, message)?;
    clocks::others_hear(tx, seq, message)?;
    figures::write(tx, seq, message)?;
    if let Some(said) = &message.reply {
        reply::reply(tx, seq, message, said)?;
    }
    Ok(Verdict::Accepted(told::first_answer(message)))
}

/// False where the identity, or only its number, is taken. Where one without a number has the identity, this one gets none
/// either, so that it meets that one.
fn insert_accepted(tx: &Tx<'_, '_>, message: &Accepted, number: Option<i64>) -> rusqlite::Result<bool> {
    let (arrived, envelope) = (&message.arrived, &message.envelope);
    let findings = (!message.warnings.is_empty()).then(|| json(&message.warnings));
    let inserted = tx.execute(
        "-- store::accept
         INSERT INTO message (receipt, state, party, source, id, kind, receiver, agreement, subject, correlation,
             causation, traceparent, occurred_at, recorded_at, sent_at, received_at, way, generation, answers, hash,
             findings, content_type, headers, raw, tracestate, identity)
         VALUES (?1, 0, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24,
             CASE WHEN EXISTS (SELECT 1 FROM message WHERE source = ?3 AND id = ?4 AND state = 0 AND identity IS NULL)
                 THEN NULL ELSE ?25 END)
         ON CONFLICT (identity) WHERE identity IS NOT NULL DO NOTHING
         ON CONFLICT (source, id) WHERE state = 0 AND identity IS NULL DO NOTHING",
        params![
            arrived.receipt.uuid().as_bytes(),
            arrived.party,
            envelope.source.to_string(),
            envelope.id.as_str(),
            envelope.kind.to_string(),
            envelope.receiver.to_string(),
            message.agreement,
            envelope.subject,
            envelope.correlation_id,
            envelope.causation_id,
            envelope.traceparent,
            us(envelope.time),
            envelope.recorded.map(us),
            arrived.sent.map(us),
            us(arrived.received),
            arrived.way.name(),
            i64::try_from(arrived.generation).unwrap_or(i64::MAX),
            message.answers.0,
            message.hash,
            findings,
            arrived.content_type,
            headers(arrived),
            &arrived.raw[..],
            envelope.tracestate,
            number,
        ],
    )?;
    Ok(inserted == 1)
}

fn headers(arrived: &Arrived) -> Option<String> {
    (!arrived.headers.is_empty()).then(|| json(&arrived.headers))
}

/// Writes one delivery with its parcel and its deadline.
fn owe(tx: &mut Tx<'_, '_>, message: &Accepted, seq: i64, delivery: &NewDelivery) -> rusqlite::Result<()> {
    let now = message.arrived.received;
    let hold = hold(tx, delivery)?;
    tx.execute(
        "-- store::accept delivery
         INSERT INTO delivery (seq, receiver, state, phase, hold, ordering_key, due_at, next_attempt_at, expires_at,
             fault, format, format_version, output_hash, clocks, other_way, early_at, first_receiver)
         VALUES (?1, ?2, 0, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
        params![
            seq,
            delivery.receiver,
            if hold.is_some() { 2 } else { 0 },
            hold.map(HoldReason::name),
            delivery.ordering_key,
            us(delivery.promise.course.due),
            us(delivery.release().unwrap_or(now)),
            delivery.expires.map(us),
            delivery.hold.as_ref().map(|(_, fault)| json(fault)),
            delivery.parcel.format.name(),
            delivery.parcel.format_version,
            &Sha256::digest(&delivery.parcel.body)[..],
            u8::try_from(delivery.further.len()).unwrap_or(u8::MAX),
            delivery.other_way.map(|other| delivery_seq(message_of(seq), other.ordinal)),
            delivery.early().map(us),
            message.first_receiver(delivery),
        ],
    )?;
    tx.execute(
        "-- store::accept parcel
         INSERT INTO parcel (seq, content_type, body, citizen) VALUES (?1, ?2, ?3, ?4)",
        params![
            seq,
            delivery.parcel.content_type,
            &delivery.parcel.body[..],
            delivery.parcel.citizen.as_ref().map(Cpr::digits),
        ],
    )?;
    if hold.is_none() {
        hand_over(tx, message, seq, delivery);
    }
    if delivery.release().is_some() {
        // The promise is the first way's.
        return Ok(());
    }
    promise(tx, message, seq, delivery)?;
    if !delivery.further.is_empty() || delivery.promise.promise.calendar().is_some() {
        clocks::begin(tx, seq, delivery, now)?;
    }
    Ok(())
}

/// That the receiver has it, with the steps that have passed by now.
fn promise(tx: &Tx<'_, '_>, message: &Accepted, seq: i64, delivery: &NewDelivery) -> rusqlite::Result<()> {
    let now = message.arrived.received;
    let (promise, course) = (&delivery.promise.promise, delivery.promise.course);
    let course = Course { starts: kept(course.starts), due: kept(course.due), ..course };
    let passed = course.passed(now);
    let shares = course.shares.map_or([None; 3], |shares| shares.map(|at| Some(us(at))));
    tx.execute(
        "-- store::accept deadline
         INSERT INTO deadline (seq, promise, starts_at, due_at, step, next_step_at, at_50, at_75, at_90, basis)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            seq * DEADLINES,
            promise.name(),
            us(course.starts),
            us(course.due),
            passed,
            course.next_step(passed).map(|(_, at)| us(at)),
            shares[0],
            shares[1],
            shares[2],
            promise.terms.basis,
        ],
    )?;
    if passed > 0 {
        let steps: Vec<_> = course.steps_due(0, now).collect();
        deadlines::record(
            tx,
            seq,
            promise.name(),
            &steps,
            now,
            Some((message.answers, &message.arrived.party)),
        )?;
    }
    Ok(())
}

/// Leases the delivery to its lane, where that takes it now.
fn hand_over(tx: &mut Tx<'_, '_>, message: &Accepted, seq: i64, delivery: &NewDelivery) {
    let now = message.arrived.received;
    let slot = tx.handing.slot(&delivery.receiver, delivery.parcel.body.len(), now);
    let Some(slot) = slot else { return };
    let Some(token) = tx.leases.take(seq, now, slot.until) else { return };
    let lease = Lease::of_new(message, delivery, seq, token, slot.until);
    tx.handing.fill(slot, lease);
}

/// Why the delivery waits from the start, if it does.
fn hold(tx: &Tx<'_, '_>, delivery: &NewDelivery) -> rusqlite::Result<Option<HoldReason>> {
    if let Some((reason, _)) = &delivery.hold {
        return Ok(Some(*reason));
    }
    if delivery.release().is_some() {
        return Ok(Some(HoldReason::Fallback));
    }
    let Some(key) = delivery.ordering_key else { return Ok(None) };
    let behind = tx
        .prepare(
            "-- store::accept order
             SELECT 1 FROM delivery WHERE ordering_key = ?1 AND state = 0 LIMIT 1",
        )?
        .exists([key])?;
    Ok(behind.then_some(HoldReason::Order))
}

/// The message that has the identity: its number, its hash, and what its sender was told.
type First = (i64, [u8; 32], Answer);

fn first(tx: &Tx<'_, '_>, message: &Accepted, number: Option<i64>) -> rusqlite::Result<Option<First>> {
    let (source, id) = (message.envelope.source.to_string(), message.envelope.id.as_str());
    tx.prepare(by_identity!(
        "-- store::accept first
         SELECT seq, receipt, hash, findings,
             (SELECT min(due_at) FROM delivery WHERE delivery.seq BETWEEN message.seq * 256 AND message.seq * 256 + 255) AS due
         FROM message WHERE seq IN ",
        ""
    ))?
    .query_row(params![source, id, number], |row| {
        let mut answer = Answer::new(
            row.receipt("receipt")?,
            Some(id.to_owned()),
            AnswerOutcome::Accepted,
            row.violations("findings")?,
        );
        answer.deadline = row.instant_or_none("due")?;
        Ok((row.get("seq")?, row.get("hash")?, answer))
    })
    .optional()
}

/// The identity is taken: the same message again, or another one under the same id.
fn same_identity(tx: &mut Tx<'_, '_>, message: &Accepted, first: First) -> rusqlite::Result<Verdict> {
    let (seq, hash, answer) = first;
    if hash == message.hash {
        log_event(
            tx,
            seq,
            None,
            us(message.arrived.received),
            "duplicate",
            Some(&json(&message.arrived.way.name())),
        )?;
        return Ok(Verdict::Duplicate(answer));
    }
    reject(tx, &told::reused(message, &answer)).map(Verdict::Conflict)
}

/// Stores a refused message and logs the answer.
fn reject(tx: &mut Tx<'_, '_>, message: &Invalid) -> rusqlite::Result<Answer> {
    let arrived = &message.arrived;
    tx.execute(
        "-- store::accept invalid
         INSERT INTO message (receipt, state, party, source, id, kind, receiver, sent_at, received_at, way, generation,
             answers, findings, content_type, headers, raw, astray_in)
         VALUES (?1, 1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
        params![
            arrived.receipt.uuid().as_bytes(),
            arrived.party,
            message.source,
            message.message_id,
            message.kind,
            message.receiver,
            arrived.sent.map(us),
            us(arrived.received),
            arrived.way.name(),
            i64::try_from(arrived.generation).unwrap_or(i64::MAX),
            message.answers.0,
            json(&message.violations),
            arrived.content_type,
            headers(arrived),
            &arrived.raw[..],
            message.astray_in,
        ],
    )?;
    let seq = tx.statements.connection.last_insert_rowid();
    if message.answers.wants(AnswerOutcome::Rejected) {
        log_answer(tx, &arrived.party, seq, None, AnswerOutcome::Rejected, us(arrived.received), None)?;
    }
    Ok(told::refusal(message))
}

/// Appends to a party's answers, if it wants to be told.
pub(super) fn log_answer(
    tx: &Tx<'_, '_>,
    party: &str,
    message: i64,
    delivery: Option<i64>,
    outcome: AnswerOutcome,
    at: i64,
    data: Option<&str>,
) -> rusqlite::Result<()> {
    tx.execute(
        "-- store::log_answer
         INSERT INTO answer (party, message, delivery, outcome, at, data) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![party, message, delivery, outcome.name(), at, data],
    )?;
    Ok(())
}

/// Appends to a message's history.
pub(super) fn log_event(
    tx: &Tx<'_, '_>,
    message: i64,
    delivery: Option<i64>,
    at: i64,
    what: &str,
    data: Option<&str>,
) -> rusqlite::Result<()> {
    tx.execute(
        "-- store::log_event
         INSERT INTO event (message, delivery, at, what, data) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![message, delivery, at, what, data],
    )?;
    Ok(())
}

/// Whom an answer about a message goes to, and whether it is wanted.
pub(super) fn whom(tx: &Tx<'_, '_>, message: i64) -> rusqlite::Result<(String, Subscription)> {
    tx.prepare(
        "-- store::whom
         SELECT party, answers FROM message WHERE seq = ?1",
    )?
    .query_row([message], |row| Ok((row.get(0)?, Subscription(row.get(1)?))))
}
