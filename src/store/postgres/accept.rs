//! Stores what was admitted, all batches of a group with the same few statements.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tokio_postgres::Row;

use super::{
    clocks, deadlines,
    fail::Fail,
    lease, reply,
    row::{Read, unreadable},
    session::Session,
    stops,
    work::Tx,
};
use crate::{
    domain::{Answer, AnswerOutcome, HoldReason, sla::Course},
    store::{
        Accepted, Admission, Invalid, NewDelivery, Verdict,
        clocks::has_clocks,
        json,
        numbers::{DEADLINES, delivery_seq, kept, us},
        stops::{Stop, concerns},
        told,
    },
};

mod figures;
pub(super) mod insert;

/// Gives each message a number under its identity. Waits for another node that is just taking the same one.
pub(super) const CLAIM: &str = "INSERT INTO identity (source, id, message, hash)
     SELECT source, id, nextval('message_seq'), hash
     FROM (SELECT unnest($1::text[]) AS source, unnest($2::text[]) AS id, unnest($3::bytea[]) AS hash) f
     ON CONFLICT (id, source) DO NOTHING RETURNING source, id, message";

/// Which of the keys have something pending.
///
/// A subquery that gives a value is worked on for each key, by the index. `EXISTS` would be joined, and a plan made while
/// the table was empty walks over everything that is pending for each key.
pub(super) const PENDING: &str = "SELECT k FROM unnest($1::bigint[]) k
     WHERE (SELECT true FROM delivery WHERE ordering_key = k AND state = 0 LIMIT 1)";

/// An accepted message, with the words that the tables want.
pub(super) struct Fresh<'a> {
    /// In the batch.
    place: usize,
    message: &'a Accepted,
    source: String,
    kind: String,
    receiver: String,
    /// Its number, once it has its identity.
    seq: i64,
}

/// A delivery that is owed now.
struct Owed<'a> {
    seq: i64,
    message: &'a Accepted,
    delivery: &'a NewDelivery,
    hold: Option<HoldReason>,
    /// Until when its lane has it, where that takes it now.
    leased_until: Option<Timestamp>,
    course: Course,
    /// The steps of its promise that had passed when it came in.
    steps: Vec<(u8, Timestamp)>,
    output_hash: Vec<u8>,
}

/// What is stored of accepted messages: a row for each, and those of what they owe.
#[derive(Default)]
pub(super) struct Rows<'a> {
    taken: Vec<Fresh<'a>>,
    owed: Vec<Owed<'a>>,
    written: bool,
}

/// The ordering keys of a batch.
pub(super) fn keys<'a>(batch: &[&'a Admission]) -> impl Iterator<Item = i64> {
    let accepted = batch.iter().copied().filter_map(|admission: &'a Admission| match admission {
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

/// Judges the batch in its order, also within itself. What is accepted comes back as rows that are still to be
/// written, and leased to its lanes where they take it; what is refused is written.
pub(super) async fn judge<'a>(
    tx: &mut Tx<'_>,
    batch: &[&'a Admission],
    fresh: Vec<Fresh<'a>>,
    stopped: &HashMap<usize, Stop>,
    (claimed, pending): (&[Row], &[Row]),
) -> Result<(Vec<Verdict>, Rows<'a>), Fail> {
    let (taken, known) = numbered(fresh, claimed)?;
    let pending: BTreeSet<i64> = pending.iter().map(|row| row.value("k")).collect::<Result<_, Fail>>()?;
    let owed = owe(tx, &taken, pending);
    let mut rows = Rows { taken, owed, written: false };
    if !known.is_empty() {
        // One of them may repeat a message of this very batch.
        rows.write(tx.session).await?;
    }
    let mut invalid: Vec<(usize, Invalid)> = batch
        .iter()
        .enumerate()
        .filter_map(|(place, admission)| match admission {
            Admission::Invalid(message) => Some((place, (**message).clone())),
            Admission::Accepted(message) => Some((place, told::stopped(message, *stopped.get(&place)?))),
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
    let (mut accepted, mut owing) = (rows.taken.iter().peekable(), rows.owed.iter().peekable());
    let mut invalid = invalid.into_iter().zip(numbers).peekable();
    for (place, verdict) in verdicts.iter_mut().enumerate() {
        if let Some(message) = accepted.next_if(|message| message.place == place) {
            tell_accepted(tx, message);
            while let Some(delivery) = owing.next_if(|d| std::ptr::eq(d.message, message.message)) {
                tell_owed(tx, delivery);
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
    let verdicts = verdicts.into_iter().map(|verdict| verdict.expect("each admission was judged")).collect();
    rows.follow(tx).await?;
    Ok((verdicts, rows))
}

impl Rows<'_> {
    /// What the accepted messages mean for others: the message that one answers, the placement of its citizen.
    async fn follow(&mut self, tx: &mut Tx<'_>) -> Result<(), Fail> {
        let follows = |message: &Accepted| {
            let others = concerns(message) || clocks::concerns_others(message);
            others || message.reply.is_some() || message.figure.is_some() || has_clocks(message)
        };
        if !self.taken.iter().any(|fresh| follows(fresh.message)) {
            return Ok(());
        }
        // One of them may be about a message of this very batch.
        self.write(tx.session).await?;
        figures::write(tx.session, &self.taken).await?;
        for Fresh { message, seq, .. } in &self.taken {
            if has_clocks(message) {
                clocks::begin(tx, *seq, message).await?;
            }
            stops::changes(tx, *seq, message).await?;
            if clocks::concerns_others(message) {
                clocks::others_hear(tx, *seq, message).await?;
            }
            if let Some(said) = &message.reply {
                reply::reply(tx, *seq, message, said).await?;
            }
        }
        Ok(())
    }
}

/// Those of the batch that are to be accepted, but for the stopped ones.
pub(super) fn fresh<'a>(batch: &[&'a Admission], stopped: &HashMap<usize, Stop>) -> Vec<Fresh<'a>> {
    let accepted = batch.iter().enumerate().filter_map(|(place, admission)| match admission {
        Admission::Accepted(message) if !stopped.contains_key(&place) => Some((place, message)),
        Admission::Accepted(_) | Admission::Invalid(_) => None,
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

/// Asks for a number for each message.
pub(super) async fn claim(session: &Session, fresh: &[Fresh<'_>]) -> Result<Vec<Row>, Fail> {
    if fresh.is_empty() {
        return Ok(vec![]);
    }
    let sources: Vec<&str> = fresh.iter().map(|f| f.source.as_str()).collect();
    let ids: Vec<&str> = fresh.iter().map(|f| f.message.envelope.id.as_str()).collect();
    let hashes: Vec<&[u8]> = fresh.iter().map(|f| &f.message.hash[..]).collect();
    Ok(session.client.query(&session.statements.claim, &[&sources, &ids, &hashes]).await?)
}

/// Asks which of the messages' ordering keys have something pending.
pub(super) async fn pending(session: &Session, fresh: &[Fresh<'_>]) -> Result<Vec<Row>, Fail> {
    let keys: BTreeSet<i64> =
        fresh.iter().flat_map(|f| f.message.deliveries.iter().filter_map(|d| d.ordering_key)).collect();
    if keys.is_empty() {
        return Ok(vec![]);
    }
    let keys: Vec<i64> = keys.into_iter().collect();
    Ok(session.client.query(&session.statements.pending, &[&keys]).await?)
}

/// Those that got a number; apart come those whose identity is taken.
fn numbered<'a>(
    mut fresh: Vec<Fresh<'a>>,
    claimed: &[Row],
) -> Result<(Vec<Fresh<'a>>, Vec<Fresh<'a>>), Fail> {
    let mut numbers: HashMap<(&str, &str), i64> = HashMap::with_capacity(claimed.len());
    for row in claimed {
        let word = |column| row.try_get::<_, &str>(column).map_err(|_| unreadable(column));
        numbers.insert((word("source")?, word("id")?), row.value("message")?);
    }
    for message in &mut fresh {
        // The first of a batch has it, and those after it are the same or another under its name.
        let identity = (message.source.as_str(), message.message.envelope.id.as_str());
        message.seq = numbers.remove(&identity).unwrap_or(0);
    }
    Ok(fresh.into_iter().partition(|message| message.seq != 0))
}

/// Everything the messages owe. What has an ordering key waits behind what is pending under it; what is ready is
/// leased to its lane, where that has a place.
fn owe<'a>(tx: &mut Tx<'_>, taken: &[Fresh<'a>], mut pending: BTreeSet<i64>) -> Vec<Owed<'a>> {
    let mut owed = Vec::new();
    for Fresh { message, seq, .. } in taken {
        let now = message.arrived.received;
        for (ordinal, delivery) in (1..=u8::MAX).zip(&message.deliveries) {
            let seq = delivery_seq(*seq, ordinal);
            let behind = delivery.ordering_key.is_some_and(|key| !pending.insert(key));
            let hold = match &delivery.hold {
                Some((reason, _)) => Some(*reason),
                None if delivery.release().is_some() => Some(HoldReason::Fallback),
                None => behind.then_some(HoldReason::Order),
            };
            let leased_until =
                if hold.is_none() { lease::hand_over(tx, message, seq, delivery) } else { None };
            let course = delivery.promise.course;
            let course = Course { starts: kept(course.starts), due: kept(course.due), ..course };
            owed.push(Owed {
                seq,
                message,
                delivery,
                hold,
                leased_until,
                course,
                // A second way's promise is the first's.
                steps: match delivery.release() {
                    Some(_) => vec![],
                    None => course.steps_due(0, now).collect(),
                },
                output_hash: Sha256::digest(&delivery.parcel.body).to_vec(),
            });
        }
    }
    owed
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
    known: &'f [Fresh<'a>],
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
    known.iter().zip(&rows).map(|(message, row)| Ok((message, first(row)?))).collect()
}

fn tell_accepted(tx: &mut Tx<'_>, message: &Fresh<'_>) {
    let Accepted { arrived, answers, .. } = message.message;
    if answers.wants(AnswerOutcome::Accepted) {
        let at = us(arrived.received);
        tx.logs.answer(&arrived.party, (message.seq, None), AnswerOutcome::Accepted, at, None);
    }
}

fn tell_owed(tx: &mut Tx<'_>, owed: &Owed<'_>) {
    let Accepted { arrived, answers, .. } = owed.message;
    let promise = owed.delivery.promise.promise.name();
    let of = deadlines::Of { delivery: owed.seq, answers: *answers, party: &arrived.party };
    deadlines::record(&mut tx.logs, &of, promise, &owed.steps, arrived.received, true);
}

fn tell_invalid(tx: &mut Tx<'_>, message: &Invalid, seq: i64) {
    let Invalid { arrived, answers, .. } = message;
    if answers.wants(AnswerOutcome::Rejected) {
        let at = us(arrived.received);
        tx.logs.answer(&arrived.party, (seq, None), AnswerOutcome::Rejected, at, None);
    }
}

/// The key of the promise that it is delivered.
fn deadline_seq(delivery: i64) -> i64 {
    delivery * DEADLINES
}

/// The step that comes next after those that have passed.
fn next(owed: &Owed<'_>) -> (i16, Option<i64>) {
    let passed = owed.steps.last().map_or(0, |(step, _)| *step);
    (i16::from(passed), owed.course.next_step(passed).map(|(_, at)| us(at)))
}
