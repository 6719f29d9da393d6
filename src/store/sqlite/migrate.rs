//! Brings the file to this program's schema, or refuses.

use rusqlite::Connection;

use super::{Mode, StoreError, unusable};

/// Every migration, oldest first; its place is its version. One transaction each.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_tables.sql"),
    include_str!("migrations/0002_astray_waived_rounds.sql"),
    include_str!("migrations/0003_case.sql"),
    include_str!("migrations/0004_lasting.sql"),
    include_str!("migrations/0005_placement.sql"),
    include_str!("migrations/0006_uncovered.sql"),
    include_str!("migrations/0007_citizen.sql"),
    include_str!("migrations/0008_figure.sql"),
    include_str!("migrations/0009_spent.sql"),
    include_str!("migrations/0010_alerting.sql"),
    include_str!("migrations/0011_ahead.sql"),
    include_str!("migrations/0012_clock.sql"),
    include_str!("migrations/0013_generation.sql"),
    include_str!("migrations/0014_came.sql"),
    include_str!("migrations/0015_fallback.sql"),
    include_str!("migrations/0016_counted.sql"),
    include_str!("migrations/0017_identity.sql"),
    include_str!("migrations/0018_foreseen.sql"),
];

/// The version this program brings a store to.
pub(super) fn known() -> i64 {
    i64::try_from(MIGRATIONS.len()).expect("there are few migrations")
}

/// Applies what is missing.
///
/// # Errors
/// A newer schema, an older one in [`Mode::Tool`], a migration that fails.
pub(super) fn run(connection: &mut Connection, mode: Mode) -> Result<(), StoreError> {
    let known = known();
    let version: i64 = connection
        .pragma_query_value(None, "user_version", |r| r.get(0))
        .map_err(|e| unusable(format!("reading the schema's version: {e}")))?;
    if version > known {
        return Err(unusable(format!(
            "the store has schema version {version}, this program knows {known}: use the newer program"
        )));
    }
    if version < known && mode == Mode::Tool {
        return Err(unusable(format!(
            "the store has schema version {version}, this program wants {known}: start the gateway once"
        )));
    }
    for (place, sql) in (1..).zip(MIGRATIONS).skip_while(|(place, _)| *place <= version) {
        apply(connection, place, sql).map_err(|e| unusable(format!("migration {place}: {e}")))?;
    }
    Ok(())
}

fn apply(connection: &mut Connection, place: i64, sql: &str) -> rusqlite::Result<()> {
    let tx = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Exclusive)?;
    tx.execute_batch(sql)?;
    tx.pragma_update(None, "user_version", place)?;
    tx.commit()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::store::{Admission, Views, conformance::Office, sqlite::Sqlite, views::TraceOf};

    /// A complaint delivered and its promise met, as the first schema kept them.
    const FIRST: &str = "
        INSERT INTO message (seq, receipt, state, party, source, id, kind, received_at, way, generation, answers, hash)
        VALUES (1, x'019a4c107d0070008000000000000000', 0, '3f', 'urn:dk:akasse:3f', 'm-1', 'complaint.v1', 5, 'http', 1, 63, x'00');
        INSERT INTO delivery (seq, receiver, state, due_at, next_attempt_at, settled_at, format, format_version, output_hash)
        VALUES (257, 'kbh', 1, 9, 5, 7, 'klagesag', 1, x'00');
        INSERT INTO deadline (seq, promise, starts_at, due_at, met_at) VALUES (4112, 'delivered', 5, 9, 7);
        INSERT INTO answer (party, message, delivery, outcome, at) VALUES ('3f', 1, 257, 'delivered', 7);";

    #[tokio::test]
    async fn a_store_of_the_first_schema_is_brought_up_by_the_gateway_and_by_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("kassebro.db");
        let mut connection = Connection::open(&file).unwrap();
        apply(&mut connection, 1, MIGRATIONS[0]).unwrap();
        connection.execute_batch(FIRST).unwrap();
        drop(connection);
        let Err(refused) = Sqlite::open(&file, Mode::Tool) else { panic!("a command never migrates") };
        assert!(refused.to_string().contains("start the gateway once"), "{refused}");

        let store = Sqlite::open(&file, Mode::Daemon).unwrap();
        let now = jiff::Timestamp::from_microsecond(8).unwrap();
        let message = store.message("m-1".into(), None, now).await.unwrap().expect("it is kept");
        assert_eq!(
            (message.line.state.as_str(), message.promises[0].standing.as_str()),
            ("delivered", "met")
        );
        let log = store.answers("3f".into(), 0, 9).await.unwrap();
        let delivery = message.deliveries[0].delivery_id;
        assert_eq!(log[0].answer.id(), format!("{delivery}.delivered"), "what was told keeps its id");
        assert!(store.astray(jiff::Timestamp::UNIX_EPOCH).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn what_an_earlier_version_stored_is_known_again_and_its_id_is_not_free() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("kassebro.db");
        let mut connection = Connection::open(&file).unwrap();
        apply(&mut connection, 1, MIGRATIONS[0]).unwrap();
        connection.execute_batch(FIRST).unwrap();
        let id = "0b9ad7f2-6a0b-4c38-8c5f-5b1f7f3e9a01";
        connection
            .execute("UPDATE message SET hash = ?1, id = ?2", rusqlite::params![[7_u8; 32], id])
            .unwrap();
        drop(connection);
        let mut office = Office::open(Box::new(move || Arc::new(Sqlite::open(&file, Mode::Daemon).unwrap())));
        let (same, mut other) = (office.message(id), office.message(id));
        other.hash = [8; 32];
        for (message, verdict) in [(same.clone(), "duplicate"), (other, "conflict"), (same, "duplicate")] {
            let told = office.store().accept(vec![Admission::Accepted(Box::new(message))]).await.unwrap();
            assert_eq!(told[0].name(), verdict, "{told:?}");
        }
        let of = TraceOf::Message { source: "urn:dk:akasse:3f".into(), id: id.into() };
        assert_eq!(office.store().traceparent(of).await.unwrap(), None, "it came without one");
        assert_eq!(office.view(id).await.line.state, "delivered");
    }
}
