//! The one thread that writes: whatever is queued becomes one transaction (group commit).

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
    thread::JoinHandle,
};

use jiff::Timestamp;
use rusqlite::{CachedStatement, Connection, ErrorCode};
use tokio::sync::{mpsc, oneshot};
use tracing::{error, warn};

use super::{Hints, StoreError, checkpoint::Checkpoints, unusable};
use crate::store::handover::{Handing, Lanes};

/// Operations that may wait for the writer; a caller beyond them waits for a place.
const QUEUE_MAX: usize = 256;
/// Operations in one transaction.
const GROUP_MAX: usize = 64;
/// Bytes set aside beside the store, given up when the disk is full so that a checkpoint can run.
const RESERVE_BYTES: u64 = 8 * 1024 * 1024;

/// What an operation works on: the open transaction, and the leases that live in memory.
pub(super) struct Tx<'a> {
    pub(super) connection: &'a Connection,
    pub(super) leases: &'a mut Leases,
    pub(super) handing: &'a mut Handing,
}

impl Tx<'_> {
    pub(super) fn prepare(&self, sql: &str) -> rusqlite::Result<CachedStatement<'_>> {
        self.connection.prepare_cached(sql)
    }

    /// Executes one statement and says how many rows it changed.
    pub(super) fn execute(&self, sql: &str, params: impl rusqlite::Params) -> rusqlite::Result<usize> {
        self.prepare(sql)?.execute(params)
    }
}

/// The leases of this process, by delivery number.
#[derive(Default)]
pub(super) struct Leases {
    held: HashMap<i64, (u64, Timestamp)>,
    /// Ended by the transaction that is open: gone with its commit, held on after its failure.
    ending: Vec<i64>,
    /// Taken by the transaction that is open: handed out with its commit, free after its failure.
    taking: Vec<i64>,
    last_token: u64,
}

impl Leases {
    /// Leases the delivery unless someone holds it at `now`.
    pub(super) fn take(&mut self, delivery: i64, now: Timestamp, until: Timestamp) -> Option<u64> {
        if self.is_held(delivery, now) {
            return None;
        }
        self.last_token += 1;
        self.held.insert(delivery, (self.last_token, until));
        self.taking.push(delivery);
        Some(self.last_token)
    }

    pub(super) fn is_held(&self, delivery: i64, now: Timestamp) -> bool {
        self.held.get(&delivery).is_some_and(|(_, until)| *until > now)
    }

    pub(super) fn holds(&self, delivery: i64, token: u64) -> bool {
        self.held.get(&delivery).is_some_and(|(held, _)| *held == token)
    }

    /// Ends the lease if the open transaction commits.
    pub(super) fn end_with_commit(&mut self, delivery: i64) {
        self.ending.push(delivery);
    }

    fn after_transaction(&mut self, committed: bool) {
        let gone = if committed { &self.ending } else { &self.taking };
        for delivery in gone {
            self.held.remove(delivery);
        }
        self.ending.clear();
        self.taking.clear();
    }

    /// Ends the lease. False where it is not held under that token any more.
    pub(super) fn end(&mut self, delivery: i64, token: u64) -> bool {
        match self.held.get(&delivery) {
            Some((held, _)) if *held == token => self.held.remove(&delivery).is_some(),
            _ => false,
        }
    }
}

/// One queued operation: run in the transaction, told its fate afterwards.
trait Operation: Send {
    /// False where it failed: the transaction must be rolled back. May run again in another one.
    fn run(&mut self, tx: &mut Tx<'_>) -> bool;
    fn finish(self: Box<Self>, fate: Result<(), StoreError>);
}

struct Queued<F, T> {
    operation: F,
    value: Option<rusqlite::Result<T>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Operation for Queued<F, T>
where
    T: Send,
    F: FnMut(&mut Tx<'_>) -> rusqlite::Result<T> + Send,
{
    fn run(&mut self, tx: &mut Tx<'_>) -> bool {
        let value = (self.operation)(tx);
        let succeeded = value.is_ok();
        self.value = Some(value);
        succeeded
    }

    fn finish(self: Box<Self>, fate: Result<(), StoreError>) {
        let answer = match (self.value, fate) {
            (Some(Err(error)), _) => Err(store_error(&error)),
            (_, Err(error)) => Err(error),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => unreachable!("a transaction commits only after its operations ran"),
        };
        // Whoever asked may have gone away; the work is done all the same.
        drop(self.reply.send(answer));
    }
}

/// The writer's front: hands operations over and waits for their commit.
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Box<dyn Operation>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(
        mut connection: Connection,
        path: &Path,
        lanes: Lanes,
        hints: Hints,
    ) -> Result<Self, StoreError> {
        let (queue, operations) = mpsc::channel(QUEUE_MAX);
        let checkpoints = Checkpoints::start(&mut connection, path)?;
        let mut desk = Desk {
            connection,
            checkpoints: Some(checkpoints),
            leases: Leases::default(),
            handing: Handing::new(lanes),
            hints,
            reserve: Reserve::beside(path),
        };
        desk.reserve.set_aside();
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || desk.serve(operations))
            .map_err(|e| unusable(format!("starting the writer: {e}")))?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Runs one operation in the next transaction, and answers after its commit. It runs again, alone, where a
    /// neighbour in that transaction failed.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        operation: impl FnMut(&mut Tx<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let gone = || unusable("the writer has stopped".into());
        let (reply, answer) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or_else(gone)?;
        let queued = Queued { operation, value: None, reply };
        queue.send(Box::new(queued)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.take();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            error!("The store's writer stopped by a panic");
        }
    }
}

/// The writer's side: the connection and the leases.
struct Desk {
    connection: Connection,
    checkpoints: Option<Checkpoints>,
    leases: Leases,
    handing: Handing,
    hints: Hints,
    reserve: Reserve,
}

impl Desk {
    fn serve(&mut self, mut queue: mpsc::Receiver<Box<dyn Operation>>) {
        let mut group = Vec::with_capacity(GROUP_MAX);
        while queue.blocking_recv_many(&mut group, GROUP_MAX) > 0 {
            match self.commit(&mut group) {
                Ok(true) => group.drain(..).for_each(|operation| operation.finish(Ok(()))),
                // One of them failed: each for itself, so that it does not sink its neighbours.
                Ok(false) if group.len() > 1 => {
                    group.drain(..).for_each(|operation| self.commit_alone(operation));
                }
                Ok(false) => group.drain(..).for_each(|operation| operation.finish(Ok(()))),
                Err(error) => {
                    self.after_failure(&error);
                    let fate = store_error(&error);
                    group.drain(..).for_each(|operation| operation.finish(Err(fate.clone())));
                }
            }
        }
        self.checkpoints.take();
        if let Err(error) = self.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)") {
            warn!(error = %error, "The last checkpoint did not run; the next start does it");
        }
    }

    fn commit_alone(&mut self, mut operation: Box<dyn Operation>) {
        let fate = self.commit(std::slice::from_mut(&mut operation)).map(|_| ());
        if let Err(error) = &fate {
            self.after_failure(error);
        }
        operation.finish(fate.map_err(|e| store_error(&e)));
    }

    /// One transaction. `Ok(false)`: an operation failed, and everything was rolled back. No savepoints: they
    /// make SQLite copy every page that is touched.
    fn commit(&mut self, group: &mut [Box<dyn Operation>]) -> rusqlite::Result<bool> {
        self.batch("BEGIN IMMEDIATE")?;
        let mut all = true;
        for operation in group {
            all = operation.run(&mut Tx {
                connection: &self.connection,
                leases: &mut self.leases,
                handing: &mut self.handing,
            });
            if !all {
                break;
            }
        }
        let ended = self.batch(if all { "COMMIT" } else { "ROLLBACK" });
        let committed = all && ended.is_ok();
        self.leases.after_transaction(committed);
        self.handing.end(committed, &self.hints);
        if let Some(checkpoints) = self.checkpoints.as_mut().filter(|_| committed) {
            checkpoints.after_commit(&self.connection);
        }
        ended.map(|()| all)
    }

    fn batch(&self, sql: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute([]).map(|_| ())
    }

    /// Leaves no transaction open; makes room where the disk was full.
    fn after_failure(&mut self, failure: &rusqlite::Error) {
        if !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            error!(error = %error, "Rolling back a failed transaction failed");
        }
        // Room is not what is missing, and a checkpoint would wait for the same lock once more.
        if failure.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) {
            return;
        }
        self.reserve.give_up();
        if let Err(error) = self.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)") {
            warn!(error = %error, "The store is in trouble and a checkpoint does not help yet");
        }
        self.reserve.set_aside();
    }
}

/// A file of zeros beside the store. On a full disk it makes way, so that the log can be folded into the file
/// and the store recovers when a little room returns.
struct Reserve {
    path: PathBuf,
}

impl Reserve {
    fn beside(store: &Path) -> Self {
        Self { path: PathBuf::from(format!("{}.reserve", store.display())) }
    }

    fn set_aside(&self) {
        let written = std::fs::metadata(&self.path).is_ok_and(|m| m.len() == RESERVE_BYTES)
            || std::fs::write(
                &self.path,
                vec![0; usize::try_from(RESERVE_BYTES).expect("8 MiB fit a usize")],
            )
            .is_ok();
        if !written {
            warn!(path = %self.path.display(), "There is no room to set aside for a full disk");
            self.give_up();
        }
    }

    fn give_up(&self) {
        if let Err(error) = std::fs::remove_file(&self.path)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            warn!(path = %self.path.display(), error = %error, "The room set aside could not be given up");
        }
    }
}

/// Waiting may help, or it may not.
pub(super) fn store_error(error: &rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => unusable(error.to_string()),
        Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig) => {
            StoreError::Content(Arc::from(error.to_string()))
        }
        _ => StoreError::Unavailable(Arc::from(error.to_string())),
    }
}
