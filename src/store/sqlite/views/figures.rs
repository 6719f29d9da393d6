//! Counts the key figures: interviews from their index, the rest in one walk along that of the period's messages.

use rusqlite::{Connection, OptionalExtension, params, types::Type};

use super::STANDING;
use crate::{
    domain::figure::{Month, Timeliness},
    store::{
        figures::{Alike, Asked, Fold, GROUPS_MAX, KeyFigures, Of, urn},
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
    messages(&transaction, asked, &mut fold)?;
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
        let of = Of {
            month: Month::from_number(row.get(0)?).ok_or_else(|| wrong("month"))?,
            jobcenter: row.get_ref(1)?.as_str()?,
            interview: row.get_ref(2)?.as_str()?,
            akasse: row.get_ref(3)?.as_str()?,
            own: row.get(4)?,
        };
        let timeliness = Timeliness::from_number(row.get(5)?).ok_or_else(|| wrong("timeliness"))?;
        fold.interviews(of, timeliness, row.get(6)?);
    }
    Ok(())
}

/// A row for each promise, so a message with several receivers comes several times, one after the other; refused
/// ones come once. It walks along an index that has all that is asked of a message, for the bytes that lie between
/// messages are many times as much.
fn walk() -> String {
    format!(
        "-- store::key_figures messages
         SELECT m.seq, m.state, m.way, m.kind, m.agreement, m.source, m.receiver,
             max(m.received_at - m.occurred_at, 0) / 1000000 AS late,
             m.received_at >= coalesce(p.at_50, p.starts_at + (p.due_at - p.starts_at) / 2) AS half_used,
             {STANDING} AS standing, m.case_state IS NOT NULL AS told, m.received_at, p.promise
         FROM message m INDEXED BY message_counted
             LEFT JOIN deadline p ON p.seq BETWEEN m.seq * {MESSAGE} AND m.seq * {MESSAGE} + {MESSAGE} - 1
         WHERE m.received_at >= ?2 AND m.received_at < ?3
             AND (?4 IS NULL OR m.kind = ?4 OR substr(m.kind, 1, length(?4) + 2) = ?4 || '.v')
             AND (?5 IS NULL OR m.agreement = ?5)
             AND (?6 IS NULL OR m.source = ?6 OR m.receiver = ?6) AND (?7 IS NULL OR m.source = ?7 OR m.receiver = ?7)
         ORDER BY m.received_at, m.seq, p.seq",
        MESSAGE = delivery_seq(1, 0) * DEADLINES,
    )
}

fn messages(connection: &Connection, asked: &Asked, fold: &mut Fold) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(&walk())?;
    let mut rows = statement.query(params![
        us(asked.now),
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
        let kind = text(3)?;
        if before.replace(seq) != Some(seq) {
            let way = text(2)?;
            if row.get::<_, i64>(1)? == 1 {
                fold.refused(way, 1);
                continue;
            }
            let receiver = text(6)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Neither the messages themselves are read nor anything is sorted.
    #[test]
    fn what_is_counted_of_messages_is_read_along_one_index_in_its_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        drop(crate::store::sqlite::Sqlite::open(&path, crate::store::Mode::Daemon).unwrap());
        let connection = Connection::open(&path).unwrap();
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {}", walk())).unwrap();
        let unbound = [None::<i64>; 7];
        let plan = statement.query_map(rusqlite::params_from_iter(unbound), |row| row.get("detail")).unwrap();
        let plan: Vec<String> = plan.collect::<Result<_, _>>().unwrap();
        assert!(plan[0].contains("SEARCH m USING COVERING INDEX message_counted"), "{plan:?}");
        assert!(plan[1].contains("SEARCH p USING INTEGER PRIMARY KEY"), "{plan:?}");
        assert_eq!(plan.len(), 2, "nothing is sorted: {plan:?}");
    }
}
