//! One connection that writes: who it is, what it locks, and what it has prepared.

use std::sync::Arc;

use deadpool_postgres::ClientWrapper;
use tokio_postgres::{Row, Statement, types::ToSql};
use tracing::{debug, warn};

use super::{
    address::Address,
    fail::{Fail, text, unusable},
    statements::Statements,
};
use crate::store::StoreError;

/// PostgreSQL before this version knows not everything that is said to it here.
const SERVER_MIN: i32 = 140_000;

/// Locks that ordering keys share; a power of two.
const KEY_LOCKS: u32 = 1 << 10;

/// Every statement of the writer finds its rows by an index, whatever the statistics say just now. It is planned once, and
/// that may be while the tables are empty: no way of working may be in the plan that is good for nothing else.
pub(super) const PLANS: &str =
    "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_material = off;
     SET jit = off; SET plan_cache_mode = force_generic_plan";

/// How long a node that ends takes its leave.
const LEAVE_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(2);

/// Numbers of our advisory locks, mixed with the schema's: a database may hold several gateways' tables.
#[derive(Debug, Clone, Copy)]
pub(super) struct Locks {
    schema: i64,
}

impl Locks {
    pub(super) fn migrating(self) -> i64 {
        self.schema ^ 0x6b61_0001
    }

    /// Held from the first row of a log to the commit.
    pub(super) fn logs(self) -> i64 {
        self.schema ^ 0x6b61_0002
    }

    pub(super) fn alerts(self) -> i64 {
        self.schema ^ 0x6b61_0003
    }

    /// Held while a generation of the configuration gets its number.
    pub(super) fn generations(self) -> i64 {
        self.schema ^ 0x6b61_0005
    }

    /// Held by a session for as long as it lives.
    pub(super) fn node(self, node: i64) -> i64 {
        self.schema ^ 0x6b61_0000_0000 ^ (node << 16)
    }

    /// An ordering key: held by who adds to its line or takes from it. Keys share locks, because the server has
    /// room for some thousands, and a batch may have more keys.
    pub(super) fn key(self, key: i64) -> i64 {
        // By Fibonacci's hash: keys that follow each other are spread.
        let spread = key.cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - KEY_LOCKS.ilog2());
        self.schema ^ 0x6b61_0004_0000 ^ spread.cast_signed()
    }
}

/// Sets what every session of ours rests on, and looks whether the server can carry it.
///
/// # Errors
/// The server is too old, or keeps text in another encoding.
async fn prepare(client: &tokio_postgres::Client) -> Result<Locks, Fail> {
    let row = client
        .query_one(
            "SELECT current_setting('server_version_num')::int, current_setting('server_encoding'),
                 hashtextextended(coalesce(current_schema(), ''), 0),
                 set_config('synchronous_commit',
                     CASE WHEN current_setting('synchronous_commit') IN ('off', 'local') THEN 'on'
                         ELSE current_setting('synchronous_commit') END, false)",
            &[],
        )
        .await?;
    let (version, encoding): (i32, String) = (row.get(0), row.get(1));
    if version < SERVER_MIN || encoding != "UTF8" {
        let (major, wanted) = (version / 10_000, SERVER_MIN / 10_000);
        return Err(Fail::Unreadable(unusable(format!(
            "PostgreSQL {major} in encoding {encoding}; {wanted} or newer and UTF8 are wanted"
        ))));
    }
    Ok(Locks { schema: row.get(2) })
}

/// Connects, and starts the task that carries the connection on the present runtime.
///
/// # Errors
/// Nobody answers, or says no.
pub(super) async fn connect(address: &Address, name: &str) -> Result<(ClientWrapper, Locks), Fail> {
    let (client, connection) = address.session(name).connect(address.tls()).await?;
    let carried = tokio::runtime::Handle::current().spawn(async move {
        if let Err(error) = connection.await {
            debug!(error = text(&error), "A connection to the database ended");
        }
    });
    let client = ClientWrapper::new(client, carried);
    let locks = prepare(&client).await?;
    Ok((client, locks))
}

/// The writer's connection.
pub(super) struct Session {
    pub(super) client: ClientWrapper,
    pub(super) locks: Locks,
    /// The process that holds it, for as long as that lives.
    pub(super) node: i64,
    pub(super) statements: Statements,
}

impl Session {
    /// Connects as `node`, or as a new one. What an earlier connection of the same node still does at the server
    /// is ended first: it holds locks, and nobody hears its answers.
    ///
    /// # Errors
    /// Nobody answers, or says no.
    pub(super) async fn open(address: &Address, node: Option<i64>) -> Result<Self, Fail> {
        let (client, locks) = connect(address, "kassebro").await?;
        client.batch_execute(PLANS).await?;
        client.batch_execute("SET lock_timeout = '3s'").await?;
        let node = match node {
            Some(node) => node,
            None => client.query_one("SELECT nextval('node_seq')", &[]).await?.get(0),
        };
        let statements = Box::pin(Statements::prepare(&client)).await?;
        let session = Self { client, locks, node, statements };
        session.be_present().await?;
        // There from the beginning, so that whoever asks for it waits for a transaction that changes it.
        let sql = "INSERT INTO commit_mark (node, batch) VALUES ($1, 0) ON CONFLICT DO NOTHING";
        session.execute(sql, &[&node]).await?;
        Ok(session)
    }

    /// Takes the lock that says that this node lives.
    async fn be_present(&self) -> Result<(), Fail> {
        let name = format!("kassebro writer {:x}-{}", self.locks.schema, self.node);
        self.client
            .query(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE application_name = $1 AND datname = current_database() AND usename = current_user
                     AND pid <> pg_backend_pid()",
                &[&name],
            )
            .await?;
        self.client.query("SELECT set_config('application_name', $1, false)", &[&name]).await?;
        let present = self.client.query("SELECT pg_advisory_lock($1)", &[&self.locks.node(self.node)]).await;
        if let Err(error) = present {
            warn!(error = text(&error), "This node's sign of life could not be set at the database");
        }
        Ok(())
    }

    /// The last batch that this node committed. Waits for a transaction of it that is still to end.
    pub(super) async fn last_batch(&self) -> Result<Option<i64>, Fail> {
        let sql = "UPDATE commit_mark SET at = now() WHERE node = $1 RETURNING batch";
        Ok(self.query_opt(sql, &[&self.node]).await?.map(|row| row.get(0)))
    }

    /// Ends in good order: nobody waits for a sign of life that will not come.
    pub(super) async fn close(self) {
        let closed = async {
            self.client.execute("DELETE FROM commit_mark WHERE node = $1", &[&self.node]).await?;
            self.client.query("SELECT pg_advisory_unlock_all()", &[]).await
        };
        match tokio::time::timeout(LEAVE_TIMEOUT, closed).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => debug!(error = text(&error), "The database was not told that this node ends"),
            Err(_) => debug!("The database was not told in time that this node ends"),
        }
    }

    /// Leases of processes that are gone are nobody's; so are their marks, in time.
    pub(super) async fn bury_the_dead(&self) -> Result<(), Fail> {
        let sql = "SELECT DISTINCT lease_node FROM delivery WHERE phase = 0 AND lease_node IS NOT NULL";
        for row in self.client.query(sql, &[]).await? {
            let node: i64 = row.get(0);
            let lock = self.locks.node(node);
            let is_gone: bool =
                self.client.query_one("SELECT pg_try_advisory_lock($1)", &[&lock]).await?.get(0);
            if is_gone && node != self.node {
                self.client
                    .execute(
                        "UPDATE delivery SET lease_node = NULL, lease_token = NULL, leased_until = NULL
                         WHERE phase = 0 AND lease_node = $1",
                        &[&node],
                    )
                    .await?;
            }
            if is_gone {
                self.client.query("SELECT pg_advisory_unlock($1)", &[&lock]).await?;
            }
        }
        self.client.execute("DELETE FROM commit_mark WHERE at < now() - interval '7 days'", &[]).await?;
        Ok(())
    }

    /// The statement, prepared once per connection.
    pub(super) async fn statement(&self, sql: &'static str) -> Result<Statement, Fail> {
        Ok(self.client.prepare_cached(sql).await?)
    }

    pub(super) async fn query(
        &self,
        sql: &'static str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Fail> {
        let statement = self.statement(sql).await?;
        Ok(self.client.query(&statement, params).await?)
    }

    pub(super) async fn query_opt(
        &self,
        sql: &'static str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<Row>, Fail> {
        let statement = self.statement(sql).await?;
        Ok(self.client.query_opt(&statement, params).await?)
    }

    pub(super) async fn execute(
        &self,
        sql: &'static str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, Fail> {
        let statement = self.statement(sql).await?;
        Ok(self.client.execute(&statement, params).await?)
    }
}

/// What a start that failed says: where, who, and why; waiting may help or not, the process ends either way.
pub(super) fn at_start(address: &Address, fail: &Fail) -> StoreError {
    let why: Arc<str> = match fail {
        Fail::Database(error) => text(error).into(),
        other => other.store_error().to_string().into(),
    };
    unusable(format!("{address}: {why}"))
}
