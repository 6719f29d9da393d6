//! Forgetting, a slice of messages at a time.

use rusqlite::params;

use super::{commands::set_cursor, row::us, writer::Tx};
use crate::store::forget::{Forget, Forgotten, Stage, cursor};

/// A message looked at, and whether all of it goes or only its content.
type Due = (i64, bool);

pub(super) fn forget(tx: &mut Tx<'_, '_>, slice: Forget) -> rusqlite::Result<Forgotten> {
    let looked_at = match slice.what {
        Stage::Content | Stage::Messages => passed(tx, slice)?,
        Stage::Lasting { after, whole_before } => lasting(tx, after, whole_before.map(us), slice.most)?,
    };
    let last = looked_at.last().map(|(message, _)| *message);
    let mut forgotten = Forgotten { count: 0, last };
    for (message, is_whole) in looked_at {
        if owes(tx, message)? {
            tx.execute(
                "-- store::forget later
                 INSERT INTO lasting (message) VALUES (?1) ON CONFLICT (message) DO NOTHING",
                [message],
            )?;
            continue;
        }
        for sql in CONTENT.iter().chain(WHOLE.iter().filter(|_| is_whole)) {
            tx.execute(sql, [message])?;
        }
        forgotten.count += 1;
    }
    if let (Stage::Content | Stage::Messages, Some(last)) = (slice.what, forgotten.last) {
        set_cursor(tx, cursor(slice.what), last)?;
    }
    if slice.what == Stage::Messages {
        answers(tx, slice)?;
    }
    Ok(forgotten)
}

/// The bytes of a message, as they came and as they were delivered.
const CONTENT: [&str; 3] = [
    "-- store::forget raw
     UPDATE message SET raw = NULL, headers = NULL WHERE seq = ?1 AND raw IS NOT NULL",
    "-- store::forget parcels
     DELETE FROM parcel WHERE seq BETWEEN ?1 * 256 AND ?1 * 256 + 255",
    "-- store::forget lasted
     DELETE FROM lasting WHERE message = ?1",
];

/// Everything that was written of a message.
const WHOLE: [&str; 8] = [
    "-- store::forget waivers
     DELETE FROM waiver_request WHERE delivery BETWEEN ?1 * 256 AND ?1 * 256 + 255",
    "-- store::forget clocks
     DELETE FROM clock WHERE seq BETWEEN ?1 * 4096 AND ?1 * 4096 + 4095",
    "-- store::forget deadlines
     DELETE FROM deadline WHERE seq BETWEEN ?1 * 4096 AND ?1 * 4096 + 4095",
    "-- store::forget deliveries
     DELETE FROM delivery WHERE seq BETWEEN ?1 * 256 AND ?1 * 256 + 255",
    "-- store::forget events
     DELETE FROM event WHERE message = ?1",
    "-- store::forget figure
     DELETE FROM figure WHERE message = ?1",
    "-- store::forget came
     DELETE FROM came WHERE message = ?1",
    "-- store::forget message
     DELETE FROM message WHERE seq = ?1",
];

/// The next messages that came before the time, in the order of their numbers. The last of all stays: a number that
/// is free is given again, and cursors stand at it.
fn passed(tx: &Tx<'_, '_>, slice: Forget) -> rusqlite::Result<Vec<Due>> {
    let mut numbers = Vec::new();
    let mut statement = tx.prepare(
        "-- store::forget passed
         SELECT seq, received_at FROM message WHERE seq > coalesce((SELECT seq FROM cursor WHERE name = ?1), 0)
             AND seq < (SELECT max(seq) FROM message)
         ORDER BY seq LIMIT ?2",
    )?;
    let mut rows = statement.query(params![cursor(slice.what), slice.most])?;
    while let Some(row) = rows.next()? {
        let received: i64 = row.get("received_at")?;
        if received >= us(slice.before) {
            break;
        }
        numbers.push((row.get("seq")?, slice.what == Stage::Messages));
    }
    Ok(numbers)
}

/// The last message of all stays here too.
fn lasting(tx: &Tx<'_, '_>, after: i64, whole_before: Option<i64>, most: u32) -> rusqlite::Result<Vec<Due>> {
    tx.prepare(
        "-- store::forget lasting
         SELECT l.message, coalesce(m.received_at < ?3, 0) FROM lasting l JOIN message m ON m.seq = l.message
         WHERE l.message > ?1 AND l.message < (SELECT max(seq) FROM message) ORDER BY l.message LIMIT ?2",
    )?
    .query_map(params![after, most, whole_before], |row| Ok((row.get(0)?, row.get(1)?)))?
    .collect()
}

/// Whether a delivery of the message is still to end. One that only lies in a queue or a folder has ended: its receipt
/// may never come.
fn owes(tx: &Tx<'_, '_>, message: i64) -> rusqlite::Result<bool> {
    tx.prepare(
        "-- store::forget owes
         SELECT 1 FROM delivery WHERE seq BETWEEN ?1 * 256 AND ?1 * 256 + 255 AND state = 0",
    )?
    .exists([message])
}

/// Answers as old as the messages, whether or not these are still there. The last stays, for the sake of its number.
fn answers(tx: &Tx<'_, '_>, slice: Forget) -> rusqlite::Result<()> {
    tx.execute(
        "-- store::forget answers
         DELETE FROM answer WHERE at < ?1
             AND seq IN (SELECT seq FROM answer ORDER BY seq LIMIT ?2)
             AND seq < (SELECT max(seq) FROM answer)",
        params![us(slice.before), slice.most],
    )?;
    Ok(())
}
