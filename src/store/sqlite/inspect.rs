//! What can be said of a store's file without writing to it: for `kassebro doctor` and for checking a copy.

use std::path::Path;

use rusqlite::Connection;

use super::{LIBRARY_MIN, StoreError, migrate, opening, read_only};

/// Faults of a damaged file that are named; one is enough to know.
const FAULTS_MAX: u32 = 5;

/// The library, and the file's schema.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Inspected {
    /// The SQLite this program is built with.
    pub library: &'static str,
    /// Whether it has the mended checkpoint (3.51.3).
    pub library_is_safe: bool,
    pub schema_version: i64,
    /// What this program brings a store to.
    pub schema_version_known: i64,
    /// Bytes of the database, without its log.
    pub bytes: u64,
}

/// Looks at the file without writing to it.
///
/// # Errors
/// It cannot be opened or is no database.
pub fn inspect(path: &Path) -> Result<Inspected, StoreError> {
    read(path, |connection| {
        let (pages, page_bytes): (i64, i64) = (
            connection.pragma_query_value(None, "page_count", |row| row.get(0))?,
            connection.pragma_query_value(None, "page_size", |row| row.get(0))?,
        );
        Ok(Inspected {
            library: rusqlite::version(),
            library_is_safe: rusqlite::version_number() >= LIBRARY_MIN,
            schema_version: connection.pragma_query_value(None, "user_version", |row| row.get(0))?,
            schema_version_known: migrate::known(),
            bytes: (pages * page_bytes).unsigned_abs(),
        })
    })
}

/// Reads every page and says what is damaged; nothing where all is well. Takes about 20 s for a gigabyte that
/// is not in memory.
///
/// # Errors
/// As [`inspect`].
pub fn quick_check(path: &Path) -> Result<Vec<String>, StoreError> {
    read(path, |connection| {
        let faults: Vec<String> = connection
            .prepare(&format!("PRAGMA quick_check({FAULTS_MAX})"))?
            .query_map([], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        Ok(faults.into_iter().filter(|line| line != "ok").collect())
    })
}

fn read<T>(path: &Path, look: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
    read_only(path).and_then(|connection| look(&connection)).map_err(|e| opening(path, &e))
}
