//! Brings the file to this program's schema, or refuses.

use rusqlite::Connection;

use super::{Mode, StoreError, unusable};

/// Every migration, oldest first; its place is its version. One transaction each.
const MIGRATIONS: &[&str] = &[include_str!("migrations/0001_tables.sql")];

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
