//! A few connections that only read, so that looking never waits for the writer.

use std::time::Duration;

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use futures_util::future::BoxFuture;
use tokio::runtime::Handle;

use super::{
    address::Address,
    fail::{Fail, unavailable, unusable},
};
use crate::store::StoreError;

/// Reads at one time.
const READERS: usize = 4;
/// For a place in the pool, and for a connection that is made anew.
const PATIENCE: Duration = Duration::from_secs(5);

/// The pool. Connections live on the store's own runtime, whoever asks.
pub(super) struct Readers {
    pool: Pool,
    runtime: Handle,
}

impl Readers {
    pub(super) fn new(address: &Address) -> Result<Self, StoreError> {
        let manager = Manager::from_config(
            address.reading("kassebro reads"),
            address.tls(),
            ManagerConfig { recycling_method: RecyclingMethod::Fast },
        );
        let pool = Pool::builder(manager)
            .max_size(READERS)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(PATIENCE))
            .create_timeout(Some(PATIENCE))
            .recycle_timeout(Some(PATIENCE))
            .post_create(Hook::async_fn(|client, _| {
                Box::pin(async move {
                    let only_reads = client.batch_execute("SET default_transaction_read_only = on").await;
                    only_reads.map_err(HookError::Backend)
                })
            }))
            .build()
            .map_err(|error| unusable(error.to_string()))?;
        Ok(Self { pool, runtime: Handle::current() })
    }

    /// Runs one query, once it is waited for.
    pub(super) fn read<T, F>(
        &self,
        query: impl FnOnce(Object) -> F + Send + 'static,
    ) -> BoxFuture<'_, Result<T, StoreError>>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Fail>> + Send + 'static,
    {
        let (pool, runtime) = (self.pool.clone(), self.runtime.clone());
        // Nothing is asked before somebody waits for it: who keeps what was counted before drops this unused.
        Box::pin(async move {
            let read = runtime.spawn(async move {
                let client = pool.get().await.map_err(|error| unavailable(&why(&error)))?;
                query(client).await.map_err(|fail| fail.store_error())
            });
            read.await.map_err(|error| unusable(format!("a reader stopped: {error}")))?
        })
    }

    /// How many connections were made.
    #[cfg(test)]
    pub(super) fn connections(&self) -> usize {
        self.pool.status().size
    }

    pub(super) fn close(&self) {
        self.pool.close();
    }
}

/// Without what the server tells in detail.
fn why(error: &deadpool_postgres::PoolError) -> String {
    match error {
        deadpool_postgres::PoolError::Backend(error)
        | deadpool_postgres::PoolError::PostCreateHook(HookError::Backend(error)) => super::fail::text(error),
        other => other.to_string(),
    }
}
