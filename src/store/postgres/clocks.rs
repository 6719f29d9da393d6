//! The clocks of promises beside that of being delivered, as this engine reads and writes them. What happens to them
//! is in [`crate::store::clocks`].

use deadpool_postgres::Client;
use jiff::Timestamp;
use tokio_postgres::Row;

use super::{
    came,
    fail::Fail,
    row::{Read, unreadable},
    session::Session,
    work::Tx,
};
use crate::{
    domain::{
        ReceiptId,
        placement::Placed,
        sla::{Course, Further, Promise, Stops},
    },
    store::{
        Accepted, Meets, Renews,
        brought::Note,
        clocks::{
            self, Clock, Happened, Line, MET, Run, State,
            came::{Tell, awaited},
        },
        numbers::{DEADLINES, delivery_id, delivery_seq, us},
        views::ClockView,
    },
};

/// Writes what the deliveries of a new message are promised that is not plain, and starts what starts now.
pub(super) async fn begin(tx: &mut Tx<'_>, message: i64, accepted: &Accepted) -> Result<(), Fail> {
    let now = accepted.arrived.received;
    for (ordinal, delivery) in (1..=u8::MAX).zip(&accepted.deliveries) {
        for (key, promise, further) in clocks::of(delivery_seq(message, ordinal), delivery) {
            let Some(further) = further else {
                // The clock itself is the deadline's own; here only what is said of it.
                insert(tx.session, key, promise, State::Over, None).await?;
                continue;
            };
            let came = match awaited(promise, further) {
                Some((about, kind)) => came::about(tx.session, about, kind).await?,
                None => vec![],
            };
            let (clock, lines) = clocks::first(key, further, &came, now);
            insert(tx.session, key, promise, clock.state, Some(further)).await?;
            save(tx.session, &clock).await?;
            tell(tx, &clock, lines, now);
        }
    }
    Ok(())
}

/// What the promise of being delivered says from now on, where that is not plain.
pub(super) async fn says_now(session: &Session, key: i64, promise: &Promise) -> Result<(), Fail> {
    session.execute("DELETE FROM clock WHERE seq = $1", &[&key]).await?;
    if promise.calendar().is_some() {
        insert(session, key, promise, State::Over, None).await?;
    }
    Ok(())
}

async fn insert(
    session: &Session,
    key: i64,
    promise: &Promise,
    state: State,
    further: Option<&Further>,
) -> Result<(), Fail> {
    if let Some(named) = promise.calendar() {
        let sql = "INSERT INTO calendar (id, what) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING";
        session.execute(sql, &[&named.id, &named.written()]).await?;
    }
    let about = further.and_then(|further| further.about).map(|placed| placed.0.to_vec());
    let awaits = match &promise.terms.stops {
        Stops::Kind(kind) => Some(kind),
        _ => None,
    };
    session
        .execute(
            "INSERT INTO clock (seq, state, terms, calendar, about, awaits) VALUES ($1, $2, $3, $4, $5, $6)",
            &[
                &key,
                &i16::from(state.number()),
                &crate::store::json(&promise.terms),
                &promise.calendar().map(|named| &named.id),
                &about,
                &awaits,
            ],
        )
        .await?;
    Ok(())
}

/// Tells the clocks of a delivery. True where one of them changed.
pub(super) async fn hear(
    tx: &mut Tx<'_>,
    delivery: i64,
    what: Happened<'_>,
    now: Timestamp,
) -> Result<bool, Fail> {
    let (first, last) = (clocks::key(delivery, 1), clocks::key(delivery, 15));
    let sql = "SELECT seq FROM clock WHERE seq BETWEEN $1 AND $2 AND state < 2 ORDER BY seq FOR UPDATE";
    let found = tx.session.query(sql, &[&first, &last]).await?;
    all_hear(tx, &found, what, now).await
}

/// Tells the clocks of all deliveries of a message.
pub(super) async fn message_hears(
    tx: &mut Tx<'_>,
    message: i64,
    what: Happened<'_>,
    now: Timestamp,
) -> Result<(), Fail> {
    let sql = "SELECT seq FROM clock WHERE seq BETWEEN $1 AND $2 AND seq % 16 > 0 AND state < 2 ORDER BY seq FOR UPDATE";
    let found = tx.session.query(sql, &[&(message * 4096), &(message * 4096 + 4095)]).await?;
    all_hear(tx, &found, what, now).await.map(|_| ())
}

/// Whether the message may concern the clocks of others.
pub(super) fn concerns_others(message: &Accepted) -> bool {
    message.meets.is_some() || message.renews.is_some() || message.ends_placement.is_some()
}

/// Tells the clocks of other messages: those that waited for this one, which has that number, those that go by
/// what it tells anew, and those of a citizen who is not placed any more.
pub(super) async fn others_hear(tx: &mut Tx<'_>, seq: i64, message: &Accepted) -> Result<(), Fail> {
    let now = message.arrived.received;
    if let Some(Meets { about, .. }) = message.meets {
        came::write(tx.session, seq, message).await?;
        let kind = message.envelope.kind.name.as_str();
        let sql =
            "SELECT seq FROM clock WHERE about = $1 AND awaits = $2 AND state < 2 ORDER BY seq FOR UPDATE";
        let found = tx.session.query(sql, &[&&about.0[..], &kind]).await?;
        if !found.is_empty() {
            let came = came::about(tx.session, about, kind).await?;
            all_hear(tx, &found, Happened::Came { kind, message: seq, came: &came }, now).await?;
        }
    }
    if let Some(Renews { about, promises }) = &message.renews {
        let sql = "SELECT seq FROM clock WHERE about = $1 AND state < 2 ORDER BY seq FOR UPDATE";
        let found = tx.session.query(sql, &[&&about.0[..]]).await?;
        all_hear(tx, &found, Happened::ToldAnew { by: seq, promises }, now).await?;
    }
    if let Some(Placed(about)) = message.ends_placement {
        let sql = "SELECT seq FROM clock WHERE about = $1 AND state < 2 ORDER BY seq FOR UPDATE";
        let found = tx.session.query(sql, &[&&about[..]]).await?;
        all_hear(tx, &found, Happened::NotPlaced, now).await?;
    }
    Ok(())
}

async fn all_hear(tx: &mut Tx<'_>, found: &[Row], what: Happened<'_>, now: Timestamp) -> Result<bool, Fail> {
    let mut changed = false;
    for mut clock in select(tx.session, found).await? {
        let state = clock.state;
        let mut lines = clock.hears(what, now);
        if !lines.is_empty()
            && clock.recounts(what)
            && let Some((about, kind)) = clock.counts()
        {
            let came = came::about(tx.session, about, kind).await?;
            lines.extend(clock.count(&came, Tell::Last, now));
        }
        // One that its delivery's death had ended may be over for good now, of which there is nothing to tell.
        if !lines.is_empty() || clock.state != state {
            save(tx.session, &clock).await?;
        }
        if !lines.is_empty() {
            changed = true;
            tell(tx, &clock, lines, now);
        }
    }
    Ok(changed)
}

/// The clocks, which are locked, with their deadlines, which are locked here: another node may just be recording a
/// step of one.
async fn select(session: &Session, found: &[Row]) -> Result<Vec<Clock>, Fail> {
    let keys = found.iter().map(|row| row.value("seq")).collect::<Result<Vec<i64>, Fail>>()?;
    if keys.is_empty() {
        return Ok(vec![]);
    }
    session.query("SELECT seq FROM deadline WHERE seq = ANY ($1) ORDER BY seq FOR UPDATE", &[&keys]).await?;
    let rows = session
        .query(
            "SELECT c.seq, c.state, c.terms, k.what, d.starts_at, d.due_at, d.at_50, d.at_75, d.at_90, d.step, d.met_at,
                 d.ended_at, d.waived, d.paused_at, c.about
             FROM clock c LEFT JOIN deadline d ON d.seq = c.seq LEFT JOIN calendar k ON k.id = c.calendar
             WHERE c.seq = ANY ($1) ORDER BY c.seq",
            &[&keys],
        )
        .await?;
    rows.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Clock, Fail> {
    let (promise, state) = said(row)?;
    let run = match row.instant_or_none("starts_at")? {
        None => None,
        Some(_) => Some(Run {
            course: course(row)?,
            step: row.small("step")?,
            met: row.instant_or_none("met_at")?,
            ended: row.instant_or_none("ended_at")?,
            waived: row.value("waived")?,
            paused: row.instant_or_none("paused_at")?,
        }),
    };
    let about = row.value::<Option<Vec<u8>>>("about")?.and_then(|about| about.try_into().ok()).map(Placed);
    Ok(Clock { key: row.value("seq")?, state, promise, about, run })
}

/// The course that a deadline's row keeps.
pub(super) fn course(row: &Row) -> Result<Course, Fail> {
    let first = row.instant_or_none("at_50")?;
    let shares = match (first, row.instant_or_none("at_75")?, row.instant_or_none("at_90")?) {
        (Some(first), Some(second), Some(third)) => Some([first, second, third]),
        _ => None,
    };
    Ok(Course { starts: row.instant("starts_at")?, due: row.instant("due_at")?, shares })
}

async fn save(session: &Session, clock: &Clock) -> Result<(), Fail> {
    let state = i16::from(clock.state.number());
    session.execute("UPDATE clock SET state = $2 WHERE seq = $1", &[&clock.key, &state]).await?;
    let Some(run) = &clock.run else { return Ok(()) };
    let shares = run.course.shares.map_or([None; 3], |shares| shares.map(|at| Some(us(at))));
    session
        .execute(
            "INSERT INTO deadline (seq, promise, starts_at, due_at, at_50, at_75, at_90, step, next_step_at, met_at,
                 ended_at, waived, paused_at, basis)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
             ON CONFLICT (seq) DO UPDATE SET due_at = excluded.due_at, at_50 = excluded.at_50, at_75 = excluded.at_75,
                 at_90 = excluded.at_90, step = excluded.step, next_step_at = excluded.next_step_at,
                 met_at = excluded.met_at, ended_at = excluded.ended_at, waived = excluded.waived,
                 paused_at = excluded.paused_at",
            &[
                &clock.key,
                &clock.promise.name(),
                &us(run.course.starts),
                &us(run.course.due),
                &shares[0],
                &shares[1],
                &shares[2],
                &i16::from(run.step),
                &run.next_step().map(us),
                &run.met.map(us),
                &run.ended.map(us),
                &run.waived,
                &run.paused.map(us),
                &clock.promise.terms.basis,
            ],
        )
        .await?;
    Ok(())
}

fn tell(tx: &mut Tx<'_>, clock: &Clock, lines: Vec<Line>, now: Timestamp) {
    for (what, data) in lines {
        if what == MET {
            tx.handing.note(Note::Met(clock.key));
        }
        tx.logs.of_delivery(clock.delivery(), us(now), what, data);
    }
}

/// Every clock of a message, with what it says.
pub(super) async fn view(client: &Client, receipt: ReceiptId) -> Result<Vec<ClockView>, Fail> {
    let sql = "SELECT c.seq, c.state, c.terms, k.what FROM message m
         JOIN clock c ON c.seq BETWEEN m.seq * 4096 AND m.seq * 4096 + 4095
         LEFT JOIN calendar k ON k.id = c.calendar
         WHERE m.receipt = $1 ORDER BY c.seq";
    let statement = client.prepare_cached(sql).await?;
    let read = |row: &Row| {
        let (promise, state) = said(row)?;
        let delivery = row.value::<i64>("seq")? / DEADLINES;
        Ok(ClockView { delivery_id: delivery_id(receipt, delivery), promise, state: state.name() })
    };
    client.query(&statement, &[&receipt.uuid()]).await?.iter().map(read).collect()
}

fn said(row: &Row) -> Result<(Promise, State), Fail> {
    let (terms, calendar): (String, Option<String>) = (row.value("terms")?, row.value("what")?);
    let promise = clocks::promise(&terms, calendar.as_deref()).map_err(|_| unreadable("terms"))?;
    Ok((promise, State::from_number(row.small("state")?).ok_or_else(|| unreadable("state"))?))
}
