//! Counts the key figures: interviews from their index, the rest in one walk over the messages of the period.

use rusqlite::{Connection, OptionalExtension, params, types::Type};

use super::STANDING;
use crate::{
    domain::figure::{Month, Timeliness},
    store::{
        figures::{Alike, Asked, Counts, Fold, GROUPS_MAX, Interviews, KeyFigures, urn},
        sqlite::row::{DEADLINES, delivery_seq, unreadable, us},
    },
};

/// From one state of the store.
pub(super) fn key_figures(connection: &Connection, asked: &Asked) -> rusqlite::Result<KeyFigures> {
    let transaction = connection.unchecked_transaction()?;
    let last = transaction
        .prepare_cached(
            "-- store::key_figures last
             SELECT seq, generation FROM message ORDER BY seq DESC LIMIT 1",
        )?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let mut fold = Fold::new();
    interviews(&transaction, asked, &mut fold)?;
    if let Some(period) = period(&transaction, asked)? {
        messages(&transaction, asked, period, &mut fold)?;
    }
    transaction.commit()?;
    Ok(fold.finish(last))
}

/// In the order of the index, so that nothing is sorted. The jobcenter's own interviews are what the others are
/// measured by, so what narrows to an a-kasse does not narrow them.
fn interviews(connection: &Connection, asked: &Asked, fold: &mut Fold) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "-- store::key_figures interviews
         SELECT month, jobcenter, interview, akasse, own, timeliness, count(*) FROM figure
         WHERE replaced = 0 AND month BETWEEN ?1 AND ?2 AND (?3 IS NULL OR jobcenter = ?3)
             AND (?4 IS NULL OR interview = ?4)
             AND (own = 1 OR ((?5 IS NULL OR akasse = ?5) AND (?6 IS NULL OR agreement = ?6)))
         GROUP BY month, jobcenter, interview, akasse, own, timeliness
         ORDER BY month, jobcenter, interview, akasse, own, timeliness LIMIT ?7",
    )?;
    let (first, last) = (asked.months.0.number(), asked.months.1.number());
    // Each group is three rows at the most, so where rows are left out there are too many groups.
    let most = i64::try_from(GROUPS_MAX * 3).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![
        first,
        last,
        asked.jobcenter,
        asked.interview,
        asked.akasse,
        asked.agreement,
        most
    ])?;
    while let Some(row) = rows.next()? {
        let wrong = |column| unreadable(column, Type::Integer, "unknown");
        let group = Interviews {
            month: Month::from_number(row.get(0)?).ok_or_else(|| wrong("month"))?,
            jobcenter: row.get(1)?,
            interview: row.get(2)?,
            akasse: row.get(3)?,
            own: row.get(4)?,
            counts: Counts::default(),
        };
        let timeliness = Timeliness::from_number(row.get(5)?).ok_or_else(|| wrong("timeliness"))?;
        fold.interviews(group, timeliness, u64::from(row.get::<_, u32>(6)?));
    }
    Ok(())
}

/// The first and the last number among the messages of the period: clocks are set, so numbers only follow time
/// roughly, and what lies between is looked at one by one.
fn period(connection: &Connection, asked: &Asked) -> rusqlite::Result<Option<(i64, i64)>> {
    connection
        .prepare_cached(
            "-- store::key_figures period
             SELECT min(seq), max(seq) FROM message WHERE received_at >= ?1 AND received_at < ?2",
        )?
        .query_row(params![us(asked.from), us(asked.to)], |row| {
            Ok(row.get::<_, Option<i64>>(0)?.zip(row.get::<_, Option<i64>>(1)?))
        })
}

/// A row for each promise, so a message with several receivers comes several times, one after the other; refused
/// ones come once. The plus keeps the walk in the order of the table.
fn messages(
    connection: &Connection,
    asked: &Asked,
    period: (i64, i64),
    fold: &mut Fold,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(&format!(
        "-- store::key_figures messages
         SELECT m.seq, m.state, m.way, m.kind, m.agreement, m.source, m.receiver,
             max(m.received_at - m.occurred_at, 0) / 1000000 AS late,
             m.received_at >= coalesce(p.at_50, p.starts_at + (p.due_at - p.starts_at) / 2) AS half_used,
             {STANDING} AS standing, m.case_state IS NOT NULL AS told, m.received_at, p.promise
         FROM message m LEFT JOIN deadline p ON p.seq BETWEEN m.seq * {MESSAGE} AND m.seq * {MESSAGE} + {MESSAGE} - 1
         WHERE m.seq BETWEEN ?2 AND ?3 AND +m.received_at >= ?4 AND +m.received_at < ?5
             AND (?6 IS NULL OR m.kind = ?6 OR substr(m.kind, 1, length(?6) + 2) = ?6 || '.v')
             AND (?7 IS NULL OR m.agreement = ?7)
             AND (?8 IS NULL OR m.source = ?8 OR m.receiver = ?8) AND (?9 IS NULL OR m.source = ?9 OR m.receiver = ?9)
         ORDER BY m.seq, p.seq",
        MESSAGE = delivery_seq(1, 0) * DEADLINES,
    ))?;
    let mut rows = statement.query(params![
        us(asked.now),
        period.0,
        period.1,
        us(asked.from),
        us(asked.to),
        asked.kind,
        asked.agreement,
        urn(asked.akasse.as_ref()),
        urn(asked.jobcenter.as_ref()),
    ])?;
    let mut before = None;
    while let Some(row) = rows.next()? {
        let seq: i64 = row.get(0)?;
        let text = |column: usize| {
            Ok::<_, rusqlite::Error>(row.get_ref(column)?.as_str_or_null()?.unwrap_or_default())
        };
        let (way, kind, receiver) = (text(2)?, text(3)?, text(6)?);
        let is_new = before.replace(seq) != Some(seq);
        if row.get::<_, i64>(1)? == 1 {
            fold.refused(way, 1);
            continue;
        }
        if is_new {
            let alike = Alike { kind, source: text(5)?, receiver, way, count: 1 };
            let late = fold.place(row.get::<_, Option<i64>>(7)?.unwrap_or_default());
            fold.messages(&alike, late, row.get::<_, Option<bool>>(8)?.unwrap_or_default());
            if row.get(10)? {
                decision(connection, seq, (receiver, kind, row.get(11)?), fold)?;
            }
        }
        if let Some(standing) = row.get_ref(9)?.as_str_or_null()? {
            fold.promises(row.get_ref(4)?.as_str_or_null()?, (kind, text(12)?), standing, 1);
        }
    }
    Ok(())
}

/// The first reply that decided.
fn decision(
    connection: &Connection,
    seq: i64,
    (receiver, kind, begin): (&str, &str, i64),
    fold: &mut Fold,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "-- store::key_figures replies
         SELECT at, data FROM event WHERE message = ?1 AND what = 'reply' ORDER BY seq",
    )?;
    let mut rows = statement.query([seq])?;
    while let Some(row) = rows.next()? {
        let took = (row.get::<_, i64>(0)? - begin) / 1_000_000;
        let told: Option<String> = row.get(1)?;
        if fold.decision(receiver, kind, told.as_deref().unwrap_or_default(), took) {
            break;
        }
    }
    Ok(())
}
