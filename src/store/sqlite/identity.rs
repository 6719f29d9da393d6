//! How accepted messages are found by sender and id.
//!
//! Nearly all ids are UUIDs, and their messages are found by a number made of them. The others have none: ids of another
//! form, what was stored before there were numbers, and a message whose number another one has (the same id from another
//! sender, or by chance another id). These are found by an index of sender and id. Who looks for one looks in both, and
//! compares sender and id.

use uuid::Uuid;

/// The number of an id that is a UUID: its first 48 bits, and 16 of its others. Where ids rise with time (version 7)
/// numbers do too, so that each stands beside the one before.
pub(super) fn number(id: &str) -> Option<i64> {
    let (high, low) = id.parse::<Uuid>().ok()?.as_u64_pair();
    Some((high & !0xffff | (high ^ low) & 0xffff).cast_signed())
}

/// The number of the accepted message of sender `?1` with the id `?2`, whose number is `?3`, in a statement: between what
/// comes before and after.
macro_rules! by_identity {
    ($before:literal, $after:literal) => {
        concat!(
            $before,
            "(SELECT seq FROM message WHERE identity = ?3 AND source = ?1 AND id = ?2
              UNION ALL SELECT seq FROM message WHERE source = ?1 AND id = ?2 AND state = 0 AND identity IS NULL)",
            $after
        )
    };
}
pub(super) use by_identity;

/// The accepted messages with the id `text` from anybody, for a statement: `number` is that of the id. Those that have none
/// are looked up under each sender, of whom there are few.
pub(super) fn of_anybody(text: &str, number: Option<i64>) -> String {
    let number = number.map_or_else(|| "NULL".to_owned(), |number| number.to_string());
    format!(
        "WITH RECURSIVE sender(source) AS (
             SELECT min(source) FROM message WHERE state = 0 AND identity IS NULL
             UNION ALL
             SELECT (SELECT min(source) FROM message WHERE state = 0 AND identity IS NULL AND source > sender.source)
             FROM sender WHERE sender.source IS NOT NULL)
         SELECT i.seq FROM sender
             JOIN message i ON i.state = 0 AND i.identity IS NULL AND i.source = sender.source AND i.id = {text}
         UNION ALL SELECT seq FROM message WHERE identity = {number} AND id = {text}"
    )
}

#[cfg(test)]
mod tests {
    use std::{path::Path, sync::Arc};

    use rusqlite::Connection;

    use super::*;
    use crate::store::{
        Accepted, Admission, Mode, Verdict, conformance::Office, sqlite::Sqlite, views::MessageFilter,
    };

    const ONE: &str = "6f1c1b0e-0d5b-4a6e-9a55-0d6f6a1b2c3d";
    const TWO: &str = "0b9ad7f2-6a0b-4c38-8c5f-5b1f7f3e9a01";

    #[test]
    fn ids_that_rise_with_time_have_numbers_that_do() {
        let at = |milliseconds: u64, random: u8| {
            let random = [random, 1, 2, 3, 4, 5, 6, 7, 8, 3 * random];
            uuid::Builder::from_unix_timestamp_millis(milliseconds, &random).into_uuid().to_string()
        };
        let numbers =
            [at(1, 9), at(2, 3), at(1_774_745_999_999, 7), at(1_774_746_000_000, 1)].map(|id| number(&id));
        assert!(numbers.is_sorted() && numbers.iter().all(Option::is_some), "{numbers:?}");
        let alike = [1, 2, 3].map(|random| number(&at(5, random)));
        assert!(alike[0] != alike[1] && alike[1] != alike[2], "of one millisecond they still differ");
        assert_eq!(number("2026-0001234"), None, "what is no UUID stands in its own order");
    }

    fn office(file: &Path) -> Office {
        let file = file.to_owned();
        Office::open(Box::new(move || Arc::new(Sqlite::open(&file, Mode::Daemon).unwrap())))
    }

    async fn accept(office: &Office, message: Accepted) -> Verdict {
        office.store().accept(vec![Admission::Accepted(Box::new(message))]).await.unwrap().remove(0)
    }

    /// Two ids with one number are not to be had; so the first is given the second's.
    #[tokio::test]
    async fn a_message_whose_number_another_has_is_taken_once_and_found() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("kassebro.db");
        let mut before = office(&file);
        let first = before.message(ONE);
        accept(&before, first).await;
        drop(before);
        let changed = Connection::open(&file)
            .unwrap()
            .execute("UPDATE message SET identity = ?1 WHERE id = ?2", rusqlite::params![number(TWO), ONE])
            .unwrap();
        assert_eq!(changed, 1);
        let mut office = office(&file);
        let (_, taken, again) = (office.message(ONE), office.message(TWO), office.message(TWO));
        let receipt = taken.arrived.receipt;
        assert!(matches!(accept(&office, taken).await, Verdict::Accepted(_)));
        let verdict = accept(&office, again).await;
        let Verdict::Duplicate(answer) = &verdict else { panic!("{verdict:?}") };
        assert_eq!(answer.receipt_id, receipt);
        let named = MessageFilter { id: Some(TWO.into()), most: 10, ..MessageFilter::default() };
        let found = office.store().messages(named).await.unwrap();
        assert_eq!(found.iter().map(|line| line.receipt_id).collect::<Vec<_>>(), [receipt]);
    }

    #[test]
    fn both_ways_of_finding_one_go_along_an_index() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("kassebro.db");
        drop(Sqlite::open(&file, Mode::Daemon).unwrap());
        let connection = Connection::open(&file).unwrap();
        let of_anybody = format!(
            "EXPLAIN QUERY PLAN SELECT seq FROM message WHERE seq IN ({})",
            of_anybody("?2", Some(7))
        );
        for sql in [by_identity!("EXPLAIN QUERY PLAN SELECT seq FROM message WHERE seq IN ", ""), &of_anybody]
        {
            let mut statement = connection.prepare(sql).unwrap();
            let mut rows = statement.raw_query();
            let mut plan = Vec::new();
            while let Some(row) = rows.next().unwrap() {
                plan.push(row.get::<_, String>("detail").unwrap());
            }
            let walks =
                |line: &&String| line.starts_with("SCAN message") && !line.contains("message_identity");
            assert_eq!(plan.iter().find(walks), None, "{plan:#?}");
            for index in ["message_number", "message_identity"] {
                assert!(plan.iter().any(|line| line.contains(index)), "{index}: {plan:#?}");
            }
        }
    }
}
