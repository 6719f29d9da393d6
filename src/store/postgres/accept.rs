//! Stores what was admitted, all batches of a group with the same few statements.

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap},
};

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::{deadlines, fail::Fail, placement, reply, row::Read, work::Tx};
use crate::{
    domain::{
        Answer, AnswerOutcome, HoldReason,
        sla::{next_step, steps_due},
    },
    store::{
        Accepted, Admission, Invalid, NewDelivery, Verdict, json,
        numbers::{DEADLINES, delivery_seq, kept, us},
        told,
    },
};

mod insert;

/// A message's identity: the sender's name and the sender's id.
type Identity = (String, String);

/// An accepted message, with the words that the tables want.
struct Fresh<'a> {
    /// In the batch.
    place: usize,
    message: &'a Accepted,
    source: String,
    kind: String,
    receiver: String,
    /// Its number, once it has its identity.
    seq: i64,
}

impl Fresh<'_> {
    fn identity(&self) -> Identity {
        (self.source.clone(), self.message.envelope.id.to_string())
    }
}

/// A delivery that is owed now.
struct Owed<'a> {
    seq: i64,
    message: &'a Accepted,
    delivery: &'a NewDelivery,
    hold: Option<HoldReason>,
    starts: Timestamp,
    due: Timestamp,
    /// The steps of its promise that had passed when it came in.
    steps: Vec<(u8, Timestamp)>,
    output_hash: Vec<u8>,
}

/// The ordering keys of a batch.
pub(super) fn keys(batch: &[Admission]) -> impl Iterator<Item = i64> + '_ {
    let accepted = batch.iter().filter_map(|admission| match admission {
        Admission::Accepted(message) => Some(message),
        Admission::Invalid(_) => None,
    });
    accepted.flat_map(|message| message.deliveries.iter().filter_map(|d| d.ordering_key))
}

/// About how much of a message goes to the database.
pub(super) fn bytes(admission: &Admission) -> usize {
    match admission {
        Admission::Accepted(message) => {
            let parcels: usize = message.deliveries.iter().map(|d| d.parcel.body.len()).sum();
            message.arrived.raw.len() + parcels
        }
        Admission::Invalid(message) => message.arrived.raw.len(),
    }
}

/// Judges the batch in its order, also within itself.
pub(super) async fn accept(tx: &mut Tx<'_>, batch: &[&Admission]) -> Result<Vec<Verdict>, Fail> {
    let stopped = placement::stops(tx, batch).await?;
    if stopped.is_empty() {
        return accept_judged(tx, batch).await;
    }
    let judged: Vec<Cow<'_, Admission>> = batch
        .iter()
        .enumerate()
        .map(|(place, admission)| match (admission, stopped.get(&place)) {
            (Admission::Accepted(message), Some(stop)) => {
                Cow::Owned(Admission::Invalid(Box::new(told::stopped(message, *stop))))
            }
            _ => Cow::Borrowed(*admission),
        })
        .collect();
    let judged: Vec<&Admission> = judged.iter().map(AsRef::as_ref).collect();
    accept_judged(tx, &judged).await
}

async fn accept_judged(tx: &mut Tx<'_>, batch: &[&Admission]) -> Result<Vec<Verdict>, Fail> {
    let mut fresh = fresh(batch);
    let (taken, known) = claim(tx, &mut fresh).await?;
    let owed = owe(tx, &taken).await?;
    insert::accepted(tx.session, &taken, &owed).await?;
    let mut invalid: Vec<(usize, Invalid)> = batch
        .iter()
        .enumerate()
        .filter_map(|(place, admission)| match admission {
            Admission::Invalid(message) => Some((place, (**message).clone())),
            Admission::Accepted(_) => None,
        })
        .collect();
    let mut verdicts: Vec<Option<Verdict>> = batch.iter().map(|_| None).collect();
    let mut conflicts = BTreeSet::new();
    for (message, first) in same_identity(tx, &known).await? {
        if first.hash == message.message.hash {
            let way = json(&message.message.arrived.way.name());
            let at = us(message.message.arrived.received);
            tx.logs.event(first.seq, at, "duplicate", Some(way));
            verdicts[message.place] = Some(Verdict::Duplicate(first.answer));
        } else {
            conflicts.insert(message.place);
            invalid.push((message.place, told::reused(message.message, &first.answer)));
        }
    }
    invalid.sort_by_key(|(place, _)| *place);
    let numbers = insert::invalid(tx.session, &invalid).await?;
    // In the order of the batch, for that is the order of the answers.
    let mut taken = taken.into_iter().peekable();
    let mut owed = owed.into_iter().peekable();
    let mut invalid = invalid.into_iter().zip(numbers).peekable();
    for (place, verdict) in verdicts.iter_mut().enumerate() {
        if let Some(message) = taken.next_if(|message| message.place == place) {
            tell_accepted(tx, message);
            while let Some(delivery) = owed.next_if(|d| std::ptr::eq(d.message, message.message)) {
                tell_owed(tx, &delivery);
            }
            placement::changes(tx, message.seq, message.message).await?;
            if let Some(said) = &message.message.reply {
                reply::reply(tx, message.seq, message.message, said).await?;
            }
            *verdict = Some(Verdict::Accepted(told::first_answer(message.message)));
        } else if let Some(((_, message), seq)) = invalid.next_if(|((at, _), _)| *at == place) {
            tell_invalid(tx, &message, seq);
            let answer = told::refusal(&message);
            *verdict = Some(if conflicts.contains(&place) {
                Verdict::Conflict(answer)
            } else {
                Verdict::Rejected(answer)
            });
        }
    }
    Ok(verdicts.into_iter().map(|verdict| verdict.expect("each admission was judged")).collect())
}

fn fresh<'a>(batch: &[&'a Admission]) -> Vec<Fresh<'a>> {
    let accepted = batch.iter().enumerate().filter_map(|(place, admission)| match admission {
        Admission::Accepted(message) => Some((place, message)),
        Admission::Invalid(_) => None,
    });
    accepted
        .map(|(place, message)| Fresh {
            place,
            message,
            source: message.envelope.source.to_string(),
            kind: message.envelope.kind.to_string(),
            receiver: message.envelope.receiver.to_string(),
            seq: 0,
        })
        .collect()
}

type Claimed<'f, 'a> = (Vec<&'f Fresh<'a>>, Vec<&'f Fresh<'a>>);

/// Gives each message a number under its identity; apart come those whose identity is taken. Waits for another
/// node that is just taking the same one.
async fn claim<'f, 'a>(tx: &Tx<'_>, fresh: &'f mut Vec<Fresh<'a>>) -> Result<Claimed<'f, 'a>, Fail> {
    if fresh.is_empty() {
        return Ok((vec![], vec![]));
    }
    let sources: Vec<&str> = fresh.iter().map(|f| f.source.as_str()).collect();
    let ids: Vec<&str> = fresh.iter().map(|f| f.message.envelope.id.as_str()).collect();
    let hashes: Vec<&[u8]> = fresh.iter().map(|f| &f.message.hash[..]).collect();
    let rows = tx
        .session
        .query(
            "INSERT INTO identity (source, id, message, hash)
             SELECT source, id, nextval('message_seq'), hash
             FROM (SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[]) WITH ORDINALITY
                 AS u (source, id, hash, place) ORDER BY place) f
             ON CONFLICT (source, id) DO NOTHING RETURNING source, id, message",
            &[&sources, &ids, &hashes],
        )
        .await?;
    let mut numbers: HashMap<Identity, i64> = HashMap::with_capacity(rows.len());
    for row in rows {
        numbers.insert((row.value("source")?, row.value("id")?), row.value("message")?);
    }
    for message in fresh.iter_mut() {
        // The first of a batch has it, and those after it are the same or another under its name.
        message.seq = numbers.remove(&message.identity()).unwrap_or(0);
    }
    Ok(fresh.iter().partition(|message| message.seq != 0))
}

/// Everything the messages owe. What has an ordering key waits behind what is pending under it.
async fn owe<'a>(tx: &Tx<'_>, taken: &[&Fresh<'a>]) -> Result<Vec<Owed<'a>>, Fail> {
    let keys: BTreeSet<i64> =
        taken.iter().flat_map(|f| f.message.deliveries.iter().filter_map(|d| d.ordering_key)).collect();
    let mut pending = pending(tx, keys).await?;
    let mut owed = Vec::new();
    for message in taken {
        let now = message.message.arrived.received;
        for (ordinal, delivery) in (1..=u8::MAX).zip(&message.message.deliveries) {
            let behind = delivery.ordering_key.is_some_and(|key| !pending.insert(key));
            let hold = match &delivery.hold {
                Some((reason, _)) => Some(*reason),
                None => behind.then_some(HoldReason::Order),
            };
            let (starts, due) = (kept(delivery.promise.starts), kept(delivery.promise.due));
            owed.push(Owed {
                seq: delivery_seq(message.seq, ordinal),
                message: message.message,
                delivery,
                hold,
                starts,
                due,
                steps: steps_due(starts, due, 0, now).collect(),
                output_hash: Sha256::digest(&delivery.parcel.body).to_vec(),
            });
        }
    }
    Ok(owed)
}

/// Which of the keys have something pending.
async fn pending(tx: &Tx<'_>, keys: BTreeSet<i64>) -> Result<BTreeSet<i64>, Fail> {
    if keys.is_empty() {
        return Ok(keys);
    }
    let keys: Vec<i64> = keys.into_iter().collect();
    let rows = tx
        .session
        .query(
            "SELECT k FROM unnest($1::bigint[]) k
             WHERE EXISTS (SELECT 1 FROM delivery WHERE ordering_key = k AND state = 0)",
            &[&keys],
        )
        .await?;
    rows.iter().map(|row| row.value("k")).collect()
}

/// What the tables say of the message that has an identity.
struct First {
    seq: i64,
    hash: Vec<u8>,
    answer: Answer,
}

/// For each message whose identity is taken: the one that has it.
async fn same_identity<'f, 'a>(
    tx: &Tx<'_>,
    known: &[&'f Fresh<'a>],
) -> Result<Vec<(&'f Fresh<'a>, First)>, Fail> {
    if known.is_empty() {
        return Ok(vec![]);
    }
    let sources: Vec<&str> = known.iter().map(|f| f.source.as_str()).collect();
    let ids: Vec<&str> = known.iter().map(|f| f.message.envelope.id.as_str()).collect();
    let rows = tx
        .session
        .query(
            "SELECT m.seq, i.hash, m.receipt, m.id, m.findings,
                 (SELECT min(d.due_at) FROM delivery d WHERE d.seq BETWEEN m.seq * 256 AND m.seq * 256 + 255) AS due
             FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS u (source, id, place)
             JOIN identity i ON i.source = u.source AND i.id = u.id JOIN message m ON m.seq = i.message
             ORDER BY u.place",
            &[&sources, &ids],
        )
        .await?;
    if rows.len() != known.len() {
        return Err(Fail::Again);
    }
    let first = |row: &tokio_postgres::Row| -> Result<First, Fail> {
        let findings = row.violations("findings")?;
        let mut answer =
            Answer::new(row.receipt("receipt")?, row.value("id")?, AnswerOutcome::Accepted, findings);
        answer.deadline = row.instant_or_none("due")?;
        Ok(First { seq: row.value("seq")?, hash: row.value("hash")?, answer })
    };
    known.iter().zip(&rows).map(|(message, row)| Ok((*message, first(row)?))).collect()
}

fn tell_accepted(tx: &mut Tx<'_>, message: &Fresh<'_>) {
    let Accepted { arrived, answers, .. } = message.message;
    if answers.wants(AnswerOutcome::Accepted) {
        let at = us(arrived.received);
        tx.logs.answer(&arrived.party, (message.seq, None), AnswerOutcome::Accepted, at, None);
    }
}

fn tell_owed(tx: &mut Tx<'_>, owed: &Owed<'_>) {
    tx.hints.insert(owed.delivery.receiver.clone());
    let Accepted { arrived, answers, .. } = owed.message;
    let promise = &owed.delivery.promise.promise;
    let of = deadlines::Of { delivery: owed.seq, answers: *answers, party: &arrived.party };
    deadlines::record(&mut tx.logs, &of, promise, &owed.steps, arrived.received);
}

fn tell_invalid(tx: &mut Tx<'_>, message: &Invalid, seq: i64) {
    let Invalid { arrived, answers, .. } = message;
    if answers.wants(AnswerOutcome::Rejected) {
        let at = us(arrived.received);
        tx.logs.answer(&arrived.party, (seq, None), AnswerOutcome::Rejected, at, None);
    }
}

/// The key of a delivery's only promise.
fn deadline_seq(delivery: i64) -> i64 {
    delivery * DEADLINES
}

/// The step that comes next after those that have passed.
fn next(owed: &Owed<'_>) -> (i16, Option<i64>) {
    let passed = owed.steps.last().map_or(0, |(step, _)| *step);
    (i16::from(passed), next_step(owed.starts, owed.due, passed).map(|(_, at)| us(at)))
}
