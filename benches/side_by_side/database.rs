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

    /// Takes the store away again.
    pub(crate) async fn drop(self) -> anyhow::Result<()> {
        self.client.batch_execute(&format!("DROP SCHEMA {SCHEMA} CASCADE")).await?;
        self.connection.abort();
        Ok(())
    }
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
