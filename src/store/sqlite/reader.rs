//! A few connections that only read, so that looking never waits for the writer.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use futures_util::future::BoxFuture;
use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::{Calls, StoreError, opening, read_only, unusable, writer::store_error};

/// Reads at one time.
const READERS: usize = 3;

/// The pool. Connections are opened when first needed and kept.
#[derive(Clone)]
pub(super) struct Readers {
    path: Arc<PathBuf>,
    permits: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Connection>>>,
    pub(super) calls: Calls,
}

impl Readers {
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let first = read_only(path).map_err(|e| opening(path, &e))?;
        Ok(Self {
            path: Arc::new(path.to_owned()),
            permits: Arc::new(Semaphore::new(READERS)),
            idle: Arc::new(Mutex::new(vec![first])),
            calls: Calls::default(),
        })
    }

    /// Runs one query on a thread that may block.
    pub(super) fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, StoreError>> {
        Box::pin(async move {
            let _call = self.calls.begin();
            let permit =
                Arc::clone(&self.permits).acquire_owned().await.expect("the semaphore is never closed");
            let (path, idle) = (Arc::clone(&self.path), Arc::clone(&self.idle));
            let read = tokio::task::spawn_blocking(move || {
                let kept = idle.lock().expect("no reader panics while it holds the list").pop();
                let connection = kept.map_or_else(|| read_only(&path), Ok).map_err(|e| store_error(&e))?;
                let value = query(&connection).map_err(|e| store_error(&e));
                idle.lock().expect("no reader panics while it holds the list").push(connection);
                drop(permit);
                value
            });
            read.await.map_err(|e| unusable(format!("a reader stopped: {e}")))?
        })
    }
}
