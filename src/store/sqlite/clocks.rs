//! The clocks of promises beside that of being delivered, as this engine reads and writes them. What happens to them
//! is in [`crate::store::clocks`].

use jiff::Timestamp;
use rusqlite::{Connection, Row, params, types::Type};

use super::{
    accept::log_event,
    came,
    row::{DEADLINES, Read, delivery_id, message_of, unreadable, us},
    writer::Tx,
};
use crate::{
    domain::{
        ReceiptId,
        placement::Placed,
        sla::{Course, Further, Promise, Stops},
    },
    store::{
        Accepted, Meets, NewDelivery, Renews,
        brought::Note,
        clocks::{
            self, Clock, Happened, Line, MET, Run, State,
            came::{Tell, awaited},
        },
        views::ClockView,
    },
};

/// The clocks of a condition, with what their deadlines and calendars say.
macro_rules! clocks {
    ($name:literal, $which:literal) => {
        concat!(
            "-- store::clocks ",
            $name,
            "
             SELECT c.seq, c.state, c.terms, k.what, d.starts_at, d.due_at, d.at_50, d.at_75, d.at_90, d.step, d.met_at,
                 d.ended_at, d.waived, d.paused_at, c.about
             FROM clock c LEFT JOIN deadline d ON d.seq = c.seq LEFT JOIN calendar k ON k.id = c.calendar
             WHERE c.state < 2 AND ",
            $which,
            " ORDER BY c.seq"
        )
    };
}

/// Writes what a new delivery is promised that is not plain, and starts what starts now.
pub(super) fn begin(
    tx: &Tx<'_, '_>,
    seq: i64,
    delivery: &NewDelivery,
    now: Timestamp,
) -> rusqlite::Result<()> {
    for (key, promise, further) in clocks::of(seq, delivery) {
        let Some(further) = further else {
            // The clock itself is the deadline's own; here only what is said of it.
            insert(tx, key, promise, State::Over, None)?;
            continue;
        };
        let came = match awaited(promise, further) {
            Some((about, kind)) => came::about(tx, about, kind)?,
            None => vec![],
        };
        let (clock, lines) = clocks::first(key, further, &came, now);
        insert(tx, key, promise, clock.state, Some(further))?;
        save(tx, &clock)?;
        tell(tx, &clock, lines, now)?;
    }
    Ok(())
}

/// What the promise of being delivered says from now on, where that is not plain.
pub(super) fn says_now(tx: &Tx<'_, '_>, key: i64, promise: &Promise) -> rusqlite::Result<()> {
    tx.execute("-- store::clock says no more\nDELETE FROM clock WHERE seq = ?1", [key])?;
    if promise.calendar().is_some() {
        insert(tx, key, promise, State::Over, None)?;
    }
    Ok(())
}

fn insert(
    tx: &Tx<'_, '_>,
    key: i64,
    promise: &Promise,
    state: State,
    further: Option<&Further>,
) -> rusqlite::Result<()> {
    if let Some(named) = promise.calendar() {
        tx.execute(
            "-- store::clock calendar
             INSERT INTO calendar (id, what) VALUES (?1, ?2) ON CONFLICT (id) DO NOTHING",
            params![named.id, named.written()],
        )?;
    }
    let about = further.and_then(|further| further.about);
    let awaits = match &promise.terms.stops {
        Stops::Kind(kind) => Some(kind),
        _ => None,
    };
    tx.execute(
        "-- store::clock begin
         INSERT INTO clock (seq, state, terms, calendar, about, awaits) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            key,
            state.number(),
            crate::store::json(&promise.terms),
            promise.calendar().map(|named| &named.id),
            about.map(|placed| placed.0),
            awaits,
        ],
    )?;
    Ok(())
}

/// Tells the clocks of a delivery. True where one of them changed.
pub(super) fn hear(
    tx: &Tx<'_, '_>,
    delivery: i64,
    what: Happened<'_>,
    now: Timestamp,
) -> rusqlite::Result<bool> {
    let (first, last) = (clocks::key(delivery, 1), clocks::key(delivery, 15));
    let found = select(tx, clocks!("of a delivery", "c.seq BETWEEN ?1 AND ?2"), params![first, last])?;
    all_hear(tx, found, what, now)
}

/// Tells the clocks of all deliveries of a message.
pub(super) fn message_hears(
    tx: &Tx<'_, '_>,
    message: i64,
    what: Happened<'_>,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let span = params![message * 4096, message * 4096 + 4095];
    let found = select(tx, clocks!("of a message", "c.seq BETWEEN ?1 AND ?2 AND c.seq & 15 > 0"), span)?;
    all_hear(tx, found, what, now).map(|_| ())
}

/// Tells the clocks of other messages: those that waited for this one, which has that number, those that go by
/// what it tells anew, and those of a citizen who is not placed any more.
pub(super) fn others_hear(tx: &Tx<'_, '_>, seq: i64, message: &Accepted) -> rusqlite::Result<()> {
    let now = message.arrived.received;
    if let Some(Meets { about, .. }) = message.meets {
        came::write(tx, seq, message)?;
        let kind = message.envelope.kind.name.as_str();
        let found =
            select(tx, clocks!("that wait", "c.about = ?1 AND c.awaits = ?2"), params![about.0, kind])?;
        if !found.is_empty() {
            let came = came::about(tx, about, kind)?;
            all_hear(tx, found, Happened::Came { kind, message: seq, came: &came }, now)?;
        }
    }
    if let Some(Renews { about, promises }) = &message.renews {
        let found = select(tx, clocks!("told anew", "c.about = ?1"), params![about.0])?;
        all_hear(tx, found, Happened::ToldAnew { by: seq, promises }, now)?;
    }
    if let Some(Placed(about)) = message.ends_placement {
        let found = select(tx, clocks!("of a citizen", "c.about = ?1"), params![about])?;
        all_hear(tx, found, Happened::NotPlaced, now)?;
    }
    Ok(())
}

fn all_hear(
    tx: &Tx<'_, '_>,
    found: Vec<Clock>,
    what: Happened<'_>,
    now: Timestamp,
) -> rusqlite::Result<bool> {
    let mut changed = false;
    for mut clock in found {
        let state = clock.state;
        let mut lines = clock.hears(what, now);
        if !lines.is_empty()
            && clock.recounts(what)
            && let Some((about, kind)) = clock.counts()
        {
            let came = came::about(tx, about, kind)?;
            lines.extend(clock.count(&came, Tell::Last, now));
        }
        // One that its delivery's death had ended may be over for good now, of which there is nothing to tell.
        if !lines.is_empty() || clock.state != state {
            save(tx, &clock)?;
        }
        if !lines.is_empty() {
            changed = true;
            tell(tx, &clock, lines, now)?;
        }
    }
    Ok(changed)
}

fn select(tx: &Tx<'_, '_>, sql: &'static str, params: impl rusqlite::Params) -> rusqlite::Result<Vec<Clock>> {
    tx.prepare(sql)?.query_map(params, read)?.collect()
}

fn read(row: &Row<'_>) -> rusqlite::Result<Clock> {
    let (promise, state) = said(row)?;
    let run = match row.instant_or_none("starts_at")? {
        None => None,
        Some(_) => Some(Run {
            course: course(row)?,
            step: row.get("step")?,
            met: row.instant_or_none("met_at")?,
            ended: row.instant_or_none("ended_at")?,
            waived: row.get("waived")?,
            paused: row.instant_or_none("paused_at")?,
        }),
    };
    let about = row.get::<_, Option<[u8; 16]>>("about")?.map(Placed);
    Ok(Clock { key: row.get("seq")?, state, promise, about, run })
}

/// The course that a deadline's row keeps.
pub(super) fn course(row: &Row<'_>) -> rusqlite::Result<Course> {
    let first = row.instant_or_none("at_50")?;
    let shares = match (first, row.instant_or_none("at_75")?, row.instant_or_none("at_90")?) {
        (Some(first), Some(second), Some(third)) => Some([first, second, third]),
        _ => None,
    };
    Ok(Course { starts: row.instant("starts_at")?, due: row.instant("due_at")?, shares })
}

fn save(tx: &Tx<'_, '_>, clock: &Clock) -> rusqlite::Result<()> {
    tx.execute(
        "-- store::clock state
         UPDATE clock SET state = ?2 WHERE seq = ?1",
        params![clock.key, clock.state.number()],
    )?;
    let Some(run) = &clock.run else { return Ok(()) };
    let shares = run.course.shares.map_or([None; 3], |shares| shares.map(|at| Some(us(at))));
    tx.execute(
        "-- store::clock run
         INSERT INTO deadline (seq, promise, starts_at, due_at, at_50, at_75, at_90, step, next_step_at, met_at, ended_at,
             waived, paused_at, basis)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
         ON CONFLICT (seq) DO UPDATE SET due_at = ?4, at_50 = ?5, at_75 = ?6, at_90 = ?7, step = ?8, next_step_at = ?9,
             met_at = ?10, ended_at = ?11, waived = ?12, paused_at = ?13",
        params![
            clock.key,
            clock.promise.name(),
            us(run.course.starts),
            us(run.course.due),
            shares[0],
            shares[1],
            shares[2],
            run.step,
            run.next_step().map(us),
            run.met.map(us),
            run.ended.map(us),
            run.waived,
            run.paused.map(us),
            clock.promise.terms.basis,
        ],
    )?;
    Ok(())
}

fn tell(tx: &Tx<'_, '_>, clock: &Clock, lines: Vec<Line>, now: Timestamp) -> rusqlite::Result<()> {
    let delivery = clock.delivery();
    for (what, data) in lines {
        if what == MET {
            tx.handing.note(Note::Met(clock.key));
        }
        log_event(tx, message_of(delivery), Some(delivery), us(now), what, Some(&data))?;
    }
    Ok(())
}

/// Every clock of a message, with what it says.
pub(super) fn view(connection: &Connection, receipt: ReceiptId) -> rusqlite::Result<Vec<ClockView>> {
    connection
        .prepare_cached(
            "-- store::clocks view
             SELECT c.seq, c.state, c.terms, k.what FROM message m
             JOIN clock c ON c.seq BETWEEN m.seq * 4096 AND m.seq * 4096 + 4095
             LEFT JOIN calendar k ON k.id = c.calendar
             WHERE m.receipt = ?1 ORDER BY c.seq",
        )?
        .query_map([receipt.uuid().as_bytes()], |row| {
            let seq: i64 = row.get("seq")?;
            let (promise, state) = said(row)?;
            Ok(ClockView { delivery_id: delivery_id(receipt, seq / DEADLINES), promise, state: state.name() })
        })?
        .collect()
}

fn said(row: &Row<'_>) -> rusqlite::Result<(Promise, State)> {
    let (terms, calendar): (String, Option<String>) = (row.get("terms")?, row.get("what")?);
    let promise = clocks::promise(&terms, calendar.as_deref())
        .map_err(|error| unreadable("terms", Type::Text, &error.to_string()))?;
    let state = State::from_number(row.get("state")?);
    Ok((promise, state.ok_or_else(|| unreadable("state", Type::Integer, "unknown"))?))
}
