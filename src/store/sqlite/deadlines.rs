//! Promises against the clock: steps recorded once, with the instant at which they truly fell due.

use jiff::Timestamp;
use rusqlite::params;

use super::{
    accept::{log_answer, log_event},
    clocks::course,
    row::{DEADLINES, Read, message_of, us},
    writer::Tx,
};
use crate::{
    domain::{
        ReceiptId,
        answer::Subscription,
        sla::{BREACHED, Course},
    },
    store::{StepPassed, told},
};

/// A promise whose next step has come.
struct Open {
    delivery: i64,
    key: i64,
    promise: String,
    course: Course,
    step: u8,
    receipt: ReceiptId,
    kind: String,
    receiver: String,
    party: String,
    answers: Subscription,
}

pub(super) fn advance(tx: &mut Tx<'_, '_>, now: Timestamp, most: u32) -> rusqlite::Result<Vec<StepPassed>> {
    let mut passed = Vec::new();
    for open in due(tx, now, most)? {
        let steps: Vec<_> = open.course.steps_due(open.step, now).collect();
        let Some((last, _)) = steps.last().copied() else { continue };
        set_step(tx, open.key, last, open.course.next_step(last).map(|(_, at)| at))?;
        // Its sender is told of what it waits for: that its message is delivered.
        let told = (open.key % DEADLINES == 0).then_some((open.answers, &*open.party));
        record(tx, open.delivery, &open.promise, &steps, now, told)?;
        passed.extend(steps.into_iter().map(|(step, due_at)| StepPassed {
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

fn due(tx: &Tx<'_, '_>, now: Timestamp, most: u32) -> rusqlite::Result<Vec<Open>> {
    let mut statement = tx.prepare(
        "-- store::advance_deadlines
         SELECT d.seq, d.promise, d.starts_at, d.due_at, d.at_50, d.at_75, d.at_90, d.step, m.receipt, m.kind, m.party, m.answers, y.receiver
         FROM deadline d JOIN delivery y ON y.seq = d.seq / 16 JOIN message m ON m.seq = y.seq / 256
         WHERE d.next_step_at <= ?1 ORDER BY d.next_step_at LIMIT ?2",
    )?;
    let rows = statement.query_map(params![us(now), most], |row| {
        let key: i64 = row.get("seq")?;
        Ok(Open {
            delivery: key / DEADLINES,
            key,
            promise: row.get("promise")?,
            course: course(row)?,
            step: row.get("step")?,
            receipt: row.receipt("receipt")?,
            kind: row.get("kind")?,
            receiver: row.get("receiver")?,
            party: row.get("party")?,
            answers: Subscription(row.get("answers")?),
        })
    })?;
    rows.collect()
}

fn set_step(tx: &Tx<'_, '_>, key: i64, step: u8, next: Option<Timestamp>) -> rusqlite::Result<()> {
    tx.execute(
        "-- store::set_step
         UPDATE deadline SET step = ?2, next_step_at = ?3 WHERE seq = ?1",
        params![key, step, next.map(us)],
    )?;
    Ok(())
}

/// Lets promises that ended with a delivery's death run again, with the same instants. What was waived stays so.
pub(super) fn resume(tx: &Tx<'_, '_>, delivery: i64) -> rusqlite::Result<()> {
    let resumed = tx
        .prepare(
            "-- store::resume_promise
             UPDATE deadline SET ended_at = NULL
             WHERE seq = ?1 * 16 AND ended_at IS NOT NULL AND waived = 0
             RETURNING seq, starts_at, due_at, at_50, at_75, at_90, step",
        )?
        .query_map([delivery], |row| {
            Ok((row.get::<_, i64>("seq")?, course(row)?, row.get::<_, u8>("step")?))
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    for (key, course, step) in resumed {
        set_step(tx, key, step, course.next_step(step).map(|(_, at)| at))?;
    }
    Ok(())
}

/// Writes each passed step to the history, and tells the sender of the gravest of them where it is `told`.
pub(super) fn record(
    tx: &Tx<'_, '_>,
    delivery: i64,
    promise: &str,
    steps: &[(u8, Timestamp)],
    now: Timestamp,
    sender: Option<(Subscription, &str)>,
) -> rusqlite::Result<()> {
    let message = message_of(delivery);
    for (step, due_at) in steps {
        let told = told::step(promise, *step, *due_at);
        log_event(tx, message, Some(delivery), us(now), "sla_step", Some(&told))?;
    }
    match told::of_steps(steps).zip(sender) {
        Some((outcome, (answers, party))) if answers.wants(outcome) => {
            log_answer(tx, party, message, Some(delivery), outcome, us(now), None)
        }
        _ => Ok(()),
    }
}

/// Number, name, course and last recorded step of a promise.
type OpenPromise = (i64, String, Course, u8);

/// That a delivery is delivered, where that is neither met nor ended.
fn open_of(tx: &Tx<'_, '_>, delivery: i64) -> rusqlite::Result<Vec<OpenPromise>> {
    tx.prepare(
        "-- store::open_promises
         SELECT seq, promise, starts_at, due_at, at_50, at_75, at_90, step FROM deadline
         WHERE seq = ?1 * 16 AND met_at IS NULL AND ended_at IS NULL",
    )?
    .query_map([delivery], |row| Ok((row.get(0)?, row.get(1)?, course(row)?, row.get(7)?)))?
    .collect()
}

/// How the promise that a delivery is delivered ended.
pub(super) enum End {
    /// The receiver has it.
    Met,
    /// It will not be delivered.
    Ended,
    /// A person gives them up.
    Waived,
}

/// Marks the promise as met where it is open and all is plain: the next step is still to come, and with it the deadline.
/// One statement for nearly every message. False where it is not so, and nothing was changed.
fn met_in_time(tx: &Tx<'_, '_>, delivery: i64, now: Timestamp) -> rusqlite::Result<bool> {
    let met = tx.execute(
        "-- store::meet in time
         UPDATE deadline SET met_at = ?2, next_step_at = NULL
         WHERE seq = ?1 * 16 AND met_at IS NULL AND ended_at IS NULL AND next_step_at > ?2 AND due_at >= ?2",
        params![delivery, us(now)],
    )?;
    Ok(met == 1)
}

/// Ends the promise that a delivery is delivered, where it is open. Steps that fell due unrecorded are recorded first, so that a promise
/// met late shows its breach. Says how they ended; nothing where none was open.
pub(super) fn end(
    tx: &Tx<'_, '_>,
    delivery: i64,
    end: &End,
    now: Timestamp,
    answers: Subscription,
    party: &str,
) -> rusqlite::Result<Option<&'static str>> {
    if matches!(end, End::Met) && met_in_time(tx, delivery, now)? {
        return Ok(Some("met"));
    }
    let open = open_of(tx, delivery)?;
    if open.is_empty() {
        return Ok(None);
    }
    // Not with RETURNING: for that SQLite builds a table in memory each time.
    let sql = match end {
        End::Met => {
            "-- store::meet
             UPDATE deadline SET met_at = ?2, next_step_at = NULL
             WHERE seq = ?1 * 16 AND met_at IS NULL AND ended_at IS NULL"
        }
        End::Ended => {
            "-- store::end_promise
             UPDATE deadline SET ended_at = ?2, next_step_at = NULL
             WHERE seq = ?1 * 16 AND met_at IS NULL AND ended_at IS NULL"
        }
        End::Waived => {
            "-- store::waive_promise
             UPDATE deadline SET ended_at = ?2, waived = 1, next_step_at = NULL
             WHERE seq = ?1 * 16 AND met_at IS NULL AND ended_at IS NULL"
        }
    };
    tx.execute(sql, params![delivery, us(now)])?;
    let mut how = None;
    for (key, promise, course, step) in open {
        let late = now > course.due;
        how = Some(if late { "met_late" } else { "met" });
        // What ends at the very instant it is due is in time: no breach.
        let in_time = |(step, _): &(u8, Timestamp)| late || *step < BREACHED;
        let steps: Vec<_> = course.steps_due(step, now).filter(in_time).collect();
        if let Some((last, _)) = steps.last().copied() {
            record(tx, delivery, &promise, &steps, now, Some((answers, party)))?;
            set_step(tx, key, last, None)?;
        }
    }
    Ok(match end {
        End::Met => how,
        End::Ended => how.map(|_| "ended"),
        End::Waived => how.map(|_| "waived"),
    })
}
