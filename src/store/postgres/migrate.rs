//! Brings the schema to this program's version, or refuses. Nodes that start together take turns.

use sha2::{Digest, Sha256};
use tokio_postgres::Client;

use super::{
    fail::{Fail, unusable},
    session::Locks,
};
use crate::store::{Mode, StoreError};

/// Every migration, oldest first; its place is its version.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_tables.sql"),
    include_str!("migrations/0002_hands.sql"),
    include_str!("migrations/0003_case.sql"),
    include_str!("migrations/0004_lasting.sql"),
    include_str!("migrations/0005_placement.sql"),
    include_str!("migrations/0006_uncovered.sql"),
    include_str!("migrations/0007_ids.sql"),
    include_str!("migrations/0008_citizen.sql"),
    include_str!("migrations/0009_figure.sql"),
    include_str!("migrations/0010_spent.sql"),
    include_str!("migrations/0011_alerting.sql"),
    include_str!("migrations/0012_ahead.sql"),
    include_str!("migrations/0013_clock.sql"),
    include_str!("migrations/0014_generation.sql"),
    include_str!("migrations/0015_came.sql"),
    include_str!("migrations/0016_fallback.sql"),
    include_str!("migrations/0017_narrow.sql"),
    include_str!("migrations/0018_foreseen.sql"),
];

/// The version this program brings a database to.
pub(super) fn known() -> i32 {
    i32::try_from(MIGRATIONS.len()).expect("there are few migrations")
}

pub(super) fn hash(sql: &str) -> Vec<u8> {
    Sha256::digest(sql).to_vec()
}

/// Applies what is missing, in one transaction that is alone with the schema.
///
/// # Errors
/// A newer schema, another one than this program's, an older one in [`Mode::Tool`], a migration that fails.
pub(super) async fn run(client: &mut Client, locks: Locks, mode: Mode) -> Result<(), Fail> {
    if mode == Mode::Tool {
        return check(&applied(client).await?, mode).map(|_| ()).map_err(Fail::Unreadable);
    }
    let tx = client.transaction().await?;
    tx.batch_execute("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0").await?;
    tx.query("SELECT pg_advisory_xact_lock($1)", &[&locks.migrating()]).await?;
    tx.batch_execute(
        "CREATE TABLE IF NOT EXISTS migration
             (version integer PRIMARY KEY, hash bytea NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())",
    )
    .await?;
    let done = check(&applied(tx.client()).await?, mode).map_err(Fail::Unreadable)?;
    for (version, sql) in (1..).zip(MIGRATIONS).skip(done) {
        tx.batch_execute(sql).await?;
        let version: i32 = version;
        tx.execute("INSERT INTO migration (version, hash) VALUES ($1, $2)", &[&version, &hash(sql)]).await?;
    }
    Ok(tx.commit().await?)
}

/// The version of the schema; 0 where there is none.
pub(super) async fn version(client: &Client) -> Result<i32, Fail> {
    Ok(applied(client).await?.last().map_or(0, |(version, _)| *version))
}

async fn applied(client: &Client) -> Result<Vec<(i32, Vec<u8>)>, Fail> {
    let exists = client.query_one("SELECT to_regclass('migration') IS NOT NULL", &[]).await?;
    if !exists.get::<_, bool>(0) {
        return Ok(vec![]);
    }
    let rows = client.query("SELECT version, hash FROM migration ORDER BY version", &[]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// How many of ours are applied.
fn check(applied: &[(i32, Vec<u8>)], mode: Mode) -> Result<usize, StoreError> {
    let known = known();
    let version = applied.last().map_or(0, |(version, _)| *version);
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
    for ((version, applied), sql) in applied.iter().zip(MIGRATIONS) {
        if *applied != hash(sql) {
            return Err(unusable(format!("migration {version} of the store is not this program's")));
        }
    }
    Ok(applied.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_or_another_schema_is_refused() {
        let ours: Vec<_> = (1..).zip(MIGRATIONS).map(|(version, sql)| (version, hash(sql))).collect();
        assert_eq!(check(&ours, Mode::Daemon).ok(), Some(MIGRATIONS.len()));
        assert_eq!(check(&[], Mode::Daemon).ok(), Some(0));
        assert!(check(&[], Mode::Tool).is_err(), "a tool makes no tables");
        let mut newer = ours.clone();
        newer.push((known() + 1, vec![0]));
        assert!(check(&newer, Mode::Daemon).unwrap_err().to_string().contains("newer program"));
        let mut other = ours;
        other[0].1 = vec![0];
        assert!(check(&other, Mode::Daemon).is_err());
    }
}
