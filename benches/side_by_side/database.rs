//! A schema of the benchmark's own, so that each run on PostgreSQL begins with an empty store.

use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls};

use crate::rig::Rig;

/// Whatever stands under this name is dropped.
const SCHEMA: &str = "kassebro_side";

/// An empty store on PostgreSQL.
pub(crate) struct Database {
    /// With the schema in its search path.
    pub(crate) url: String,
    client: Client,
    connection: JoinHandle<()>,
}

impl Database {
    /// # Errors
    /// The server cannot be reached, or does not let us make a schema.
    async fn fresh(url: &str) -> anyhow::Result<Self> {
        let (client, connection) = connect(url).await?;
        client
            .batch_execute(&format!("DROP SCHEMA IF EXISTS {SCHEMA} CASCADE; CREATE SCHEMA {SCHEMA}"))
            .await?;
        let more = if url.contains('?') { '&' } else { '?' };
        let url = format!("{url}{more}options=-c%20search_path%3D{SCHEMA}");
        Ok(Self { url, client, connection })
    }

    /// What the server has written into its log, and the transactions it has committed in this database, until now.
    pub(crate) async fn written(&self) -> anyhow::Result<Written> {
        let sql = "SELECT (pg_current_wal_insert_lsn() - '0/0')::float8,
                 (SELECT xact_commit FROM pg_stat_database WHERE datname = current_database())::float8";
        let row = self.client.query_one(sql, &[]).await?;
        Ok(Written { bytes: row.try_get(0)?, commits: row.try_get(1)? })
    }

    /// Takes the store away again.
    pub(crate) async fn drop(self) -> anyhow::Result<()> {
        self.client.batch_execute(&format!("DROP SCHEMA {SCHEMA} CASCADE")).await?;
        self.connection.abort();
        Ok(())
    }
}

/// What a PostgreSQL server has written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Written {
    /// Of its write-ahead log, by whomever.
    pub(crate) bytes: f64,
    /// As the server's statistics have it, which are a second old at the most.
    pub(crate) commits: f64,
}

impl Rig {
    /// An empty store on the server that the plan names.
    pub(crate) async fn database(&self) -> anyhow::Result<Database> {
        let url = self.plan.postgres.as_deref();
        Database::fresh(url.ok_or_else(|| anyhow::anyhow!("which server? --postgres URL"))?).await
    }
}

/// Connects, and has the connection carried beside the caller.
pub(crate) async fn connect(url: &str) -> anyhow::Result<(Client, JoinHandle<()>)> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    let carried = tokio::runtime::Handle::current().spawn(async move {
        if let Err(error) = connection.await {
            eprintln!("the connection to PostgreSQL ended: {error}");
        }
    });
    Ok((client, carried))
}
