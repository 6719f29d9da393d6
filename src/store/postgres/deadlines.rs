//! Promises against the clock: steps recorded once, with the instant at which they truly fell due.

use std::collections::HashMap;

use jiff::Timestamp;
use tokio_postgres::Row;

use super::{clocks::course, fail::Fail, logs::Logs, row::Read, session::Session, work::Tx};
use crate::{
    domain::{ReceiptId, answer::Subscription, sla::BREACHED},
    store::{
        StepPassed,
        numbers::{DEADLINES, message_of, us},
        told,
    },
};

/// Whose promise it is, and who is told.
#[derive(Clone, Copy)]
pub(super) struct Of<'a> {
    pub(super) delivery: i64,
    pub(super) answers: Subscription,
    pub(super) party: &'a str,
}

/// A promise whose next step has come.
struct Open {
    key: i64,
    promise: String,
    steps: Vec<(u8, Timestamp)>,
    next: Option<Timestamp>,
    receipt: ReceiptId,
    kind: String,
    receiver: String,
    party: String,
    answers: Subscription,
}

/// Takes the promises whose step has come, but for those that another node is just taking.
pub(super) async fn advance(tx: &mut Tx<'_>, now: Timestamp, most: u32) -> Result<Vec<StepPassed>, Fail> {
    let rows = tx
        .session
        .query(
            "WITH due AS MATERIALIZED (
                 SELECT * FROM deadline WHERE next_step_at <= $1 ORDER BY next_step_at LIMIT $2
                 FOR UPDATE SKIP LOCKED)
             SELECT d.seq, d.promise, d.starts_at, d.due_at, d.at_50, d.at_75, d.at_90, d.step, m.receipt, m.kind, m.party, m.answers, y.receiver
             FROM due d JOIN delivery y ON y.seq = d.seq / 16 JOIN message m ON m.seq = y.seq / 256
             ORDER BY d.next_step_at",
            &[&us(now), &i64::from(most)],
        )
        .await?;
    let open = rows.iter().map(|row| read(row, now)).collect::<Result<Vec<Open>, Fail>>()?;
    let steps: Vec<_> =
        open.iter().filter_map(|open| Some((open.key, open.steps.last()?.0, open.next))).collect();
    set_steps(tx.session, &steps).await?;
    let mut passed = Vec::new();
    for open in open {
        let of = Of { delivery: open.key / DEADLINES, answers: open.answers, party: &open.party };
        // Its sender is told of what it waits for: that its message is delivered.
        record(&mut tx.logs, &of, &open.promise, &open.steps, now, open.key % DEADLINES == 0);
        passed.extend(open.steps.into_iter().map(|(step, due_at)| StepPassed {
            receipt: open.receipt,
            kind: open.kind.clone(),
            receiver: open.receiver.clone(),
            promise: open.promise.clone(),
            step,
            due_at,
        }));
    }
    // One promise may have passed several steps, with another's between them.
    passed.sort_by_key(|step| step.due_at);
    Ok(passed)
}

fn read(row: &Row, now: Timestamp) -> Result<Open, Fail> {
    let (course, step) = (course(row)?, row.small("step")?);
    let steps: Vec<_> = course.steps_due(step, now).collect();
    let last = steps.last().map_or(step, |(step, _)| *step);
    Ok(Open {
        key: row.value("seq")?,
        promise: row.value("promise")?,
        next: course.next_step(last).map(|(_, at)| at),
        steps,
        receipt: row.receipt("receipt")?,
        kind: row.value("kind")?,
        receiver: row.value("receiver")?,
        party: row.value("party")?,
        answers: Subscription(row.small("answers")?),
    })
}

/// For each promise's key: the step that has passed, and when the next one comes.
async fn set_steps(session: &Session, steps: &[(i64, u8, Option<Timestamp>)]) -> Result<(), Fail> {
    if steps.is_empty() {
        return Ok(());
    }
    let keys: Vec<i64> = steps.iter().map(|(key, ..)| *key).collect();
    let passed: Vec<i16> = steps.iter().map(|(_, step, _)| i16::from(*step)).collect();
    let next: Vec<Option<i64>> = steps.iter().map(|(.., next)| next.map(us)).collect();
    session
        .execute(
            "UPDATE deadline d SET step = u.step, next_step_at = u.next
             FROM unnest($1::bigint[], $2::smallint[], $3::bigint[]) AS u (seq, step, next) WHERE d.seq = u.seq",
            &[&keys, &passed, &next],
        )
        .await?;
    Ok(())
}

/// Lets promises that ended with a delivery's death run again, with the same instants. What was waived stays so.
pub(super) async fn resume(tx: &Tx<'_>, delivery: i64) -> Result<(), Fail> {
    let rows = tx
        .session
        .query(
            "UPDATE deadline SET ended_at = NULL
             WHERE seq = $1 AND ended_at IS NOT NULL AND NOT waived
             RETURNING seq, starts_at, due_at, at_50, at_75, at_90, step",
            &[&(delivery * DEADLINES)],
        )
        .await?;
    let mut steps = Vec::with_capacity(rows.len());
    for row in &rows {
        let (course, step) = (course(row)?, row.small("step")?);
        steps.push((row.value("seq")?, step, course.next_step(step).map(|(_, at)| at)));
    }
    set_steps(tx.session, &steps).await
}

/// Writes each passed step to the history, and tells the sender of the gravest of them where it is `told`.
pub(super) fn record(
    logs: &mut Logs,
    of: &Of<'_>,
    promise: &str,
    steps: &[(u8, Timestamp)],
    now: Timestamp,
    told: bool,
) {
    for (step, due_at) in steps {
        logs.of_delivery(of.delivery, us(now), "sla_step", told::step(promise, *step, *due_at));
    }
    if let Some(outcome) = told::of_steps(steps)
        && told
        && of.answers.wants(outcome)
    {
        logs.answer(of.party, (message_of(of.delivery), Some(of.delivery)), outcome, us(now), None);
    }
}

/// How the promise that a delivery is delivered ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The receiver has it.
    Met,
    /// It will not be delivered.
    Ended,
    /// A person gives them up.
    Waived,
}

/// A delivery whose promise ends now.
pub(super) struct Ending<'a> {
    pub(super) of: Of<'a>,
    pub(super) end: End,
    pub(super) now: Timestamp,
}

/// The promises of one delivery that ended, not yet told.
pub(super) struct Ended<'a> {
    of: Of<'a>,
    now: Timestamp,
    promises: Vec<(String, Vec<(u8, Timestamp)>)>,
    how: &'static str,
}

impl Ended<'_> {
    /// Writes what passed unrecorded to the history and the answers, and says how it ended.
    pub(super) fn tell(self, logs: &mut Logs) -> &'static str {
        for (promise, steps) in &self.promises {
            record(logs, &self.of, promise, steps, self.now, true);
        }
        self.how
    }
}

/// Ends the promises that deliveries are delivered, where they are open. Steps that fell due unrecorded are recorded with it, so that a promise met
/// late shows its breach. By delivery; one without open promises is not in it.
pub(super) async fn end<'a>(tx: &Tx<'_>, endings: &[Ending<'a>]) -> Result<HashMap<i64, Ended<'a>>, Fail> {
    if endings.is_empty() {
        return Ok(HashMap::new());
    }
    let deliveries: Vec<i64> = endings.iter().map(|e| e.of.delivery).collect();
    let met: Vec<bool> = endings.iter().map(|e| e.end == End::Met).collect();
    let waived: Vec<bool> = endings.iter().map(|e| e.end == End::Waived).collect();
    let now: Vec<i64> = endings.iter().map(|e| us(e.now)).collect();
    let rows = tx
        .session
        .query(
            "UPDATE deadline d SET next_step_at = NULL, met_at = CASE WHEN u.met THEN u.now END,
                 ended_at = CASE WHEN u.met THEN NULL ELSE u.now END, waived = u.waived
             FROM unnest($1::bigint[], $2::boolean[], $3::bigint[], $4::boolean[]) AS u (delivery, met, now, waived)
             WHERE d.seq = u.delivery * 16 AND d.met_at IS NULL AND d.ended_at IS NULL
             RETURNING d.seq, d.promise, d.starts_at, d.due_at, d.at_50, d.at_75, d.at_90, d.step",
            &[&deliveries, &met, &now, &waived],
        )
        .await?;
    ended(tx.session, endings, &rows).await
}

/// What the promises that ended come to, by the rows that ending them brought.
pub(super) async fn ended<'a, 'r>(
    session: &Session,
    endings: &[Ending<'a>],
    rows: impl IntoIterator<Item = &'r Row>,
) -> Result<HashMap<i64, Ended<'a>>, Fail> {
    let by_delivery: HashMap<i64, &Ending<'a>> = endings.iter().map(|e| (e.of.delivery, e)).collect();
    let mut ended: HashMap<i64, Ended<'a>> = HashMap::new();
    let mut passed = Vec::new();
    for row in rows {
        let key: i64 = row.value("seq")?;
        let (course, step) = (course(row)?, row.small("step")?);
        let Some(ending) = by_delivery.get(&(key / DEADLINES)) else { continue };
        let now = ending.now;
        let late = now > course.due;
        let how = match ending.end {
            End::Ended => "ended",
            End::Waived => "waived",
            End::Met if late => "met_late",
            End::Met => "met",
        };
        // What ends at the very instant it is due is in time: no breach.
        let in_time = |(step, _): &(u8, Timestamp)| late || *step < BREACHED;
        let steps: Vec<_> = course.steps_due(step, now).filter(in_time).collect();
        if let Some((last, _)) = steps.last() {
            passed.push((key, *last, None));
        }
        let entry = ended.entry(ending.of.delivery).or_insert(Ended {
            of: ending.of,
            now,
            promises: Vec::new(),
            how,
        });
        entry.how = how;
        entry.promises.push((row.value("promise")?, steps));
    }
    set_steps(session, &passed).await?;
    Ok(ended)
}
