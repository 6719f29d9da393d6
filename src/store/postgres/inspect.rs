//! What can be said of the database without writing to it: for `kassebro doctor`.

use super::{
    address::Address,
    fail::Fail,
    migrate,
    session::{self, at_start},
};
use crate::store::StoreError;

/// The server, and the schema.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Inspected {
    /// As the server calls itself.
    pub server: String,
    /// Whether what is committed is on the server's disk: `fsync`.
    pub is_durable: bool,
    /// Whether the session is encrypted.
    pub is_encrypted: bool,
    pub schema_version: i32,
    /// What this program brings a database to.
    pub schema_version_known: i32,
    /// Bytes of the whole database.
    pub bytes: u64,
}

/// Connects and looks.
///
/// # Errors
/// It cannot be reached or used: where, who and why.
pub async fn inspect(address: &Address) -> Result<Inspected, StoreError> {
    look(address).await.map_err(|fail| at_start(address, &fail))
}

async fn look(address: &Address) -> Result<Inspected, Fail> {
    let (client, _) = session::connect(address, "kassebro doctor").await?;
    let row = client
        .query_one(
            "SELECT current_setting('server_version'), current_setting('fsync') = 'on',
                 coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false),
                 pg_database_size(current_database())",
            &[],
        )
        .await?;
    Ok(Inspected {
        server: row.get(0),
        is_durable: row.get(1),
        is_encrypted: row.get(2),
        schema_version: migrate::version(&client).await?,
        schema_version_known: migrate::known(),
        bytes: row.get::<_, i64>(3).unsigned_abs(),
    })
}
