//! The one thread that writes: whatever is queued becomes one transaction (group commit).

use std::{
    collections::HashMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, ErrorCode, ffi::SQLITE_IOERR_FSYNC};
use tokio::sync::{mpsc, oneshot};
use tracing::{error, warn};

use super::{
    CHECKPOINT, Calls, Hints, Mode, StoreError,
    checkpoint::Checkpoints,
    reserve::Reserve,
    statements::{Prepared, Statements},
    unusable,
};
use crate::store::handover::{Handing, Lanes};

/// Operations that may wait for the writer; a caller beyond them waits for a place.
const QUEUE_MAX: usize = 256;
/// Operations in one transaction.
const GROUP_MAX: usize = 64;

/// A lease whose delivery ended by itself under way is nobody's to end: it is forgotten so long after it ran out.
const FORGOTTEN_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// With fewer leases than this none is looked for.
const LEASES_MIN: usize = 4_096;

/// What an operation works on: the open transaction, and the leases that live in memory.
pub(super) struct Tx<'t, 'c> {
    pub(super) statements: &'t Statements<'c>,
    pub(super) leases: &'t mut Leases,
    pub(super) handing: &'t mut Handing,
}

impl<'t, 'c> Tx<'t, 'c> {
    pub(super) fn prepare(&self, sql: &'static str) -> rusqlite::Result<Prepared<'t, 'c>> {
        self.statements.get(sql)
    }

    /// Executes one statement and says how many rows it changed.
    pub(super) fn execute(
        &self,
        sql: &'static str,
        params: impl rusqlite::Params,
    ) -> rusqlite::Result<usize> {
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
    /// At so many, those that nobody will ask for any more are forgotten.
    tidy_at: usize,
}

impl Leases {
    /// Leases the delivery unless someone holds it at `now`.
    pub(super) fn take(&mut self, delivery: i64, now: Timestamp, until: Timestamp) -> Option<u64> {
        if self.is_held(delivery, now) {
            return None;
        }
        if self.held.len() >= self.tidy_at {
            let forgotten = now.checked_sub(FORGOTTEN_AFTER).unwrap_or(Timestamp::MIN);
            self.held.retain(|_, (_, until)| *until > forgotten);
            self.tidy_at = (self.held.len() * 2).max(LEASES_MIN);
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
    fn run(&mut self, tx: &mut Tx<'_, '_>) -> bool;
    /// What it failed with.
    fn failure(&self) -> Option<&rusqlite::Error>;
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
    F: FnMut(&mut Tx<'_, '_>) -> rusqlite::Result<T> + Send,
{
    fn run(&mut self, tx: &mut Tx<'_, '_>) -> bool {
        let value = (self.operation)(tx);
        let succeeded = value.is_ok();
        self.value = Some(value);
        succeeded
    }

    fn failure(&self) -> Option<&rusqlite::Error> {
        self.value.as_ref().and_then(|value| value.as_ref().err())
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
    has_room: Arc<AtomicBool>,
    pub(super) calls: Calls,
}

impl Writer {
    pub(super) fn start(
        mut connection: Connection,
        path: &Path,
        mode: Mode,
        lanes: Lanes,
        hints: Hints,
    ) -> Result<Self, StoreError> {
        let (queue, operations) = mpsc::channel(QUEUE_MAX);
        let has_room = Arc::new(AtomicBool::new(true));
        // What is set aside is the gateway's: a command beside it leaves it alone.
        let reserve = (mode == Mode::Daemon).then(|| Reserve::new(path, Arc::clone(&has_room)));
        let checkpoints =
            (mode == Mode::Daemon).then(|| Checkpoints::start(&mut connection, path)).transpose()?;
        let serve = move || {
            let desk = Desk {
                statements: &Statements::new(&connection),
                checkpoints,
                leases: Leases::default(),
                handing: Handing::new(lanes),
                hints,
                reserve,
                ended: None,
            };
            desk.serve(operations);
        };
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(serve)
            .map_err(|e| unusable(format!("starting the writer: {e}")))?;
        Ok(Self { queue: Some(queue), thread: Some(thread), has_room, calls: Calls::default() })
    }

    /// Refuses while the disk is so full that nothing can be set aside: what room is left belongs to what was
    /// taken already.
    pub(super) fn expect_room(&self) -> Result<(), StoreError> {
        if self.has_room.load(Ordering::Relaxed) {
            return Ok(());
        }
        Err(StoreError::Unavailable("the disk is full".into()))
    }

    /// Runs one operation in the next transaction, and answers after its commit. It runs again, alone, where a
    /// neighbour in that transaction failed.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        operation: impl FnMut(&mut Tx<'_, '_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let _call = self.calls.begin();
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
struct Desk<'s, 'c> {
    statements: &'s Statements<'c>,
    checkpoints: Option<Checkpoints>,
    leases: Leases,
    handing: Handing,
    hints: Hints,
    reserve: Option<Reserve>,
    /// Why nothing is written any more.
    ended: Option<StoreError>,
}

impl Desk<'_, '_> {
    fn serve(mut self, mut queue: mpsc::Receiver<Box<dyn Operation>>) {
        let mut group = Vec::with_capacity(GROUP_MAX);
        while queue.blocking_recv_many(&mut group, GROUP_MAX) > 0 {
            if group.len() > 1 && self.ended.is_none() {
                match self.commit(&mut group) {
                    Ok(true) => {
                        group.drain(..).for_each(|operation| operation.finish(Ok(())));
                        self.after_commit();
                    }
                    // One of them failed: each for itself, so that it does not sink its neighbours.
                    Ok(false) => group.drain(..).for_each(|operation| self.commit_alone(operation)),
                    Err(error) => {
                        let fate = self.after_failure(&error);
                        group.drain(..).for_each(|operation| operation.finish(Err(fate.clone())));
                    }
                }
            } else {
                group.drain(..).for_each(|operation| self.commit_alone(operation));
            }
        }
        self.checkpoints.take();
        if self.ended.is_none()
            && let Err(error) = self.statements.connection.execute_batch(CHECKPOINT)
        {
            warn!(error = %error, "The last checkpoint did not run; the next start does it");
        }
    }

    fn commit_alone(&mut self, mut operation: Box<dyn Operation>) {
        if let Some(ended) = &self.ended {
            return operation.finish(Err(ended.clone()));
        }
        match self.commit(std::slice::from_mut(&mut operation)) {
            Ok(true) => {
                operation.finish(Ok(()));
                self.after_commit();
            }
            Ok(false) => {
                // A large one meets a full or broken disk before its commit.
                let trouble = operation
                    .failure()
                    .filter(|error| !matches!(store_error(error), StoreError::Content(_)))
                    .map(|error| self.after_failure(error));
                operation.finish(trouble.map_or(Ok(()), Err));
            }
            Err(error) => operation.finish(Err(self.after_failure(&error))),
        }
    }

    /// One transaction. `Ok(false)`: an operation failed, and everything was rolled back. No savepoints: they
    /// make SQLite copy every page that is touched.
    fn commit(&mut self, group: &mut [Box<dyn Operation>]) -> rusqlite::Result<bool> {
        if let Some(failure) = self.checkpoints.as_ref().and_then(Checkpoints::failure) {
            return Err(failure);
        }
        self.batch("BEGIN IMMEDIATE")?;
        let mut all = true;
        for operation in group {
            all = operation.run(&mut Tx {
                statements: self.statements,
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
        let bells = self.handing.end(committed);
        bells.everywhere.iter().chain(&bells.here).for_each(|receiver| self.hints.ring(receiver));
        ended.map(|()| all)
    }

    fn batch(&self, sql: &'static str) -> rusqlite::Result<()> {
        self.statements.get(sql)?.execute([]).map(|_| ())
    }

    /// Leaves no transaction open; makes room where the disk was full. Gives what the failure means for those
    /// who asked.
    fn after_failure(&mut self, failure: &rusqlite::Error) -> StoreError {
        if !self.statements.connection.is_autocommit()
            && let Err(error) = self.statements.connection.execute_batch("ROLLBACK")
        {
            error!(error = %error, "Rolling back a failed transaction failed");
        }
        // What a failed sync left on the disk nobody can say, and the next one will not: the kernel forgets
        // which pages it could not write. The next start writes everything that is committed anew.
        if failure.sqlite_error().is_some_and(|e| e.extended_code == SQLITE_IOERR_FSYNC) {
            let ended = unusable(format!("the disk did not keep what was written to it: {failure}"));
            self.ended = Some(ended.clone());
            return ended;
        }
        let fate = store_error(failure);
        // A damaged file gets no further damage.
        if matches!(fate, StoreError::Unusable(_)) {
            self.ended = Some(fate.clone());
            return fate;
        }
        let code = failure.sqlite_error_code();
        if code == Some(ErrorCode::DiskFull)
            && let Some(reserve) = &mut self.reserve
        {
            reserve.give_up();
        }
        // Where it waited for a lock, a checkpoint would wait once more.
        if code != Some(ErrorCode::DatabaseBusy)
            && let Err(error) = self.statements.connection.execute_batch(CHECKPOINT)
        {
            warn!(error = %error, "The store is in trouble and a checkpoint does not help yet");
        }
        fate
    }

    fn after_commit(&mut self) {
        if let Some(checkpoints) = &mut self.checkpoints
            && let Err(error) = checkpoints.after_commit(self.statements.connection)
        {
            self.after_failure(&error);
        }
        if let Some(reserve) = &mut self.reserve {
            reserve.after_commit();
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
