//! The engine for several gateways: one PostgreSQL that they share.
//!
//! Each process has one task that writes, on one connection; it commits whatever is queued in one transaction, which
//! is two round trips where nothing unusual is asked. A delivery is stored with its first lease where a lane of this
//! process takes it at once.
//!
//! Leases stand in the delivery's row: with a token that only their holder knows, and an end, after which any node
//! may take the delivery. What a node did under a lease that ran out and was given away changes nothing (its token
//! is gone). Nodes compare `now` with what others wrote, so their clocks must agree within seconds.
//!
//! The engine has a runtime of its own, so that a store can be opened and dropped anywhere.

use std::{sync::Arc, thread::JoinHandle};

use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use tracing::{error, warn};

use super::{
    Admission, Beat, Command, Commanded, Forget, Forgotten, HandOver, Hints, InHand, LaneState, Lease,
    LeaseAsk, Leased, Mode, Release, Released, Settled, Settlement, StepPassed, Store, StoreError,
    TakenAgain, Verdict, ahead::Maintain, handover::Lanes, hints, told,
};
use crate::{
    domain::{
        ReceiptId,
        alert::{Change, Condition, Touch},
        pace::Pace,
    },
    http_client,
};

mod accept;
mod address;
mod alerts;
mod came;
mod clocks;
mod commands;
mod commit;
mod deadlines;
mod fail;
mod fallback;
mod forget;
mod generations;
mod hand;
pub mod inspect;
mod lanes;
mod lease;
mod listen;
mod logs;
mod migrate;
mod reader;
mod replay;
mod reply;
mod row;
mod runs;
mod session;
mod settle;
mod statements;
mod stops;
#[cfg(test)]
pub(super) mod tests;
mod views;
mod work;
mod writer;

pub use address::Address;
use fail::unusable;
use listen::Bells;
use reader::Readers;
use work::{Ask, Told};
use writer::{Desk, Op, Writer};

/// Threads of the engine's runtime, beside the writer's own.
const THREADS: usize = 2;
/// Bytes of messages in one batch; a longer one is parted. PostgreSQL takes a gigabyte at once.
const PART_BYTES_MAX: usize = 128 * 1024 * 1024;
/// How long a look at the table is believed: so long may what a node that died left there wait for a lane that is full.
const BELIEVED: SignedDuration = SignedDuration::from_secs(1);
/// How long connections may take to end with the process.
const END_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(2);

/// The PostgreSQL engine. Dropping it ends its connections in order.
pub struct Postgres {
    /// Taken when it ends: the writer works for as long as somebody can ask it.
    writer: Option<Writer>,
    readers: Readers,
    hints: Hints,
    lanes: Lanes,
    thread: Option<JoinHandle<()>>,
}

impl Postgres {
    /// Connects, and checks the server and the schema's version. Blocks until it has: some seconds at most, unless
    /// another node is changing the schema just now.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] with where, who and why; never with the password.
    pub fn open(address: Address, mode: Mode) -> Result<Self, StoreError> {
        http_client::install_tls_provider();
        let (hints, lanes) = (Hints::default(), Lanes::among_nodes(BELIEVED));
        let (writer, operations) = Writer::new();
        let (opened, opening) = std::sync::mpsc::sync_channel(1);
        let (rung, offered) = (hints.clone(), lanes.clone());
        let thread = std::thread::Builder::new()
            .name("store".into())
            .spawn(move || {
                let built = tokio::runtime::Builder::new_multi_thread()
                    .worker_threads(THREADS)
                    .thread_name("store-io")
                    .enable_all()
                    .build();
                match built {
                    Ok(runtime) => {
                        runtime.block_on(serve(
                            Arc::new(address),
                            mode,
                            (rung, offered),
                            operations,
                            &opened,
                        ));
                        runtime.shutdown_timeout(END_TIMEOUT);
                    }
                    Err(error) => drop(opened.send(Err(unusable(format!("starting the store: {error}"))))),
                }
            })
            .map_err(|error| unusable(format!("starting the store: {error}")))?;
        let readers =
            opening.recv().map_err(|_| unusable("the store stopped while it was opened".into()))??;
        Ok(Self { writer: Some(writer), readers, hints, lanes, thread: Some(thread) })
    }

    async fn ask(&self, ask: Ask) -> Result<Told, StoreError> {
        match &self.writer {
            Some(writer) => writer.run(ask).await,
            None => Err(unusable("the store is closed".into())),
        }
    }

    async fn accept_batch(&self, batch: Arc<Vec<Admission>>) -> Result<Vec<Verdict>, StoreError> {
        match self.ask(Ask::Accept(batch)).await? {
            Told::Verdicts(verdicts) => Ok(verdicts),
            _ => Err(mixed_up()),
        }
    }

    /// Each message of a batch by itself; what does not fit the tables is kept as raw bytes only.
    async fn accept_each(&self, batch: &[Admission]) -> Result<Vec<Verdict>, StoreError> {
        let mut verdicts = Vec::with_capacity(batch.len());
        for admission in batch {
            let verdict = match self.accept_batch(Arc::new(vec![admission.clone()])).await {
                Err(StoreError::Content(why)) => {
                    error!(why = %why, "A message does not fit the store and is kept as raw bytes only");
                    let kept = Admission::Invalid(Box::new(told::unstorable(admission)));
                    self.accept_batch(Arc::new(vec![kept])).await
                }
                verdict => verdict,
            };
            verdicts.extend(verdict?);
        }
        Ok(verdicts)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.readers.close();
        self.writer.take();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            error!("The store's writer stopped by a panic");
        }
    }
}

/// A batch in parts that one statement can carry. One that fails leaves those before it stored: who hands the batch
/// in again is told of duplicates.
fn parts(batch: Vec<Admission>) -> Vec<Vec<Admission>> {
    let mut parts: Vec<Vec<Admission>> = vec![vec![]];
    let mut bytes = 0;
    for admission in batch {
        let more = accept::bytes(&admission);
        if bytes + more > PART_BYTES_MAX && bytes > 0 {
            parts.push(vec![]);
            bytes = 0;
        }
        bytes += more;
        parts.last_mut().expect("there is one from the beginning").push(admission);
    }
    parts
}

fn mixed_up() -> StoreError {
    unusable("the writer answered something else than was asked".into())
}

/// The engine's life: opens everything, says so, and writes until nobody can ask any more.
async fn serve(
    address: Arc<Address>,
    mode: Mode,
    (hints, lanes): (Hints, Lanes),
    operations: tokio::sync::mpsc::Receiver<Op>,
    opened: &std::sync::mpsc::SyncSender<Result<Readers, StoreError>>,
) {
    let start = async {
        let (mut client, locks) = session::connect(&address, "kassebro migrations").await?;
        migrate::run(&mut client, locks, mode).await?;
        let session = session::Session::open(&address, None).await?;
        if mode == Mode::Daemon
            && let Err(fail) = session.bury_the_dead().await
        {
            warn!(error = %fail.store_error(), "Leases of nodes that are gone run out by themselves");
        }
        Ok::<_, fail::Fail>(session)
    };
    let session = match start.await {
        Ok(session) => session,
        Err(fail) => return drop(opened.send(Err(session::at_start(&address, &fail)))),
    };
    let bells = match mode {
        Mode::Tool => Bells::alone(hints),
        Mode::Daemon => {
            let (bells, told) = Bells::everywhere(hints.clone());
            tokio::runtime::Handle::current().spawn(listen::run(Arc::clone(&address), hints, told));
            bells
        }
    };
    let readers = Readers::new(&address);
    if opened.send(readers).is_ok() {
        Desk::new(address, session, bells, lanes).serve(operations).await;
    }
}

/// Asks the writer and takes the one kind of answer that fits.
macro_rules! asked {
    ($self:ident, $ask:expr, $told:ident) => {
        Box::pin(async move {
            match $self.ask($ask).await? {
                Told::$told(value) => Ok(value),
                _ => Err(mixed_up()),
            }
        })
    };
    ($self:ident, $ask:expr) => {
        Box::pin(async move { $self.ask($ask).await.map(|_| ()) })
    };
}

impl Store for Postgres {
    fn accept(&self, batch: Vec<Admission>) -> BoxFuture<'_, Result<Vec<Verdict>, StoreError>> {
        Box::pin(async move {
            let mut verdicts = Vec::with_capacity(batch.len());
            for part in parts(batch) {
                let part = Arc::new(part);
                verdicts.extend(match self.accept_batch(Arc::clone(&part)).await {
                    Err(StoreError::Content(_)) => self.accept_each(&part).await?,
                    verdicts => verdicts?,
                });
                // Also where nothing is told: who asks for answers may wait.
                for admission in part.iter() {
                    if let Admission::Invalid(message) = admission {
                        self.hints.ring(&hints::answers(&message.arrived.party));
                    }
                }
            }
            Ok(verdicts)
        })
    }

    fn lease_due(&self, ask: LeaseAsk) -> BoxFuture<'_, Result<Leased, StoreError>> {
        asked!(self, Ask::Lease(ask), Leased)
    }

    fn settle(&self, settlements: Arc<Vec<Settlement>>) -> BoxFuture<'_, Result<Vec<Settled>, StoreError>> {
        asked!(self, Ask::Settle(settlements), Settled)
    }

    fn release(&self, leases: Vec<Lease>) -> BoxFuture<'_, Result<(), StoreError>> {
        asked!(self, Ask::Release(leases.iter().map(lease::held).collect()))
    }

    fn advance_deadlines(
        &self,
        now: Timestamp,
        most: u32,
    ) -> BoxFuture<'_, Result<Vec<StepPassed>, StoreError>> {
        asked!(self, Ask::Advance { now, most }, Steps)
    }

    fn release_fallbacks(
        &self,
        which: Release,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Vec<Released>, StoreError>> {
        asked!(self, Ask::ReleaseFallbacks { which, now }, Released)
    }

    fn reconcile_alerts(
        &self,
        names: Vec<&'static str>,
        conditions: Vec<Condition>,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Vec<(Change, Condition)>, StoreError>> {
        asked!(self, Ask::Reconcile { names, conditions, now }, Changes)
    }

    fn touch_alert(
        &self,
        key: String,
        touch: Touch,
        by: String,
        note: Option<String>,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Commanded, StoreError>> {
        asked!(self, Ask::Touch { key, touch, by, note, now }, Commanded)
    }

    fn command(
        &self,
        command: Command,
        by: String,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Commanded, StoreError>> {
        asked!(self, Ask::Command { command, by, now }, Commanded)
    }

    fn save_lane(&self, lane: LaneState, now: Timestamp) -> BoxFuture<'_, Result<(), StoreError>> {
        asked!(self, Ask::SaveLane { lane, now })
    }

    fn pause(
        &self,
        receiver: String,
        reason: Option<String>,
        by: String,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        asked!(self, Ask::Pause { receiver, reason, by, now })
    }

    fn save_paces(
        &self,
        paces: Vec<(String, Pace)>,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        asked!(self, Ask::SavePaces { paces, now })
    }

    fn maintain(&self, asked: Maintain, now: Timestamp) -> BoxFuture<'_, Result<Commanded, StoreError>> {
        asked!(self, Ask::Maintain { asked, now }, Commanded)
    }

    fn beat(&self, beat: Beat) -> BoxFuture<'_, Result<(), StoreError>> {
        asked!(self, Ask::Beat(beat))
    }

    fn set_cursor(&self, name: String, seq: i64) -> BoxFuture<'_, Result<(), StoreError>> {
        asked!(self, Ask::SetCursor { name, seq })
    }

    fn lead(&self, cursor: String) -> BoxFuture<'_, Result<bool, StoreError>> {
        asked!(self, Ask::Lead(cursor), Leads)
    }

    fn take_in_hand(&self, mark: InHand) -> BoxFuture<'_, Result<u32, StoreError>> {
        asked!(self, Ask::Take(mark), Before)
    }

    fn put_down(&self, key: [u8; 32]) -> BoxFuture<'_, Result<(), StoreError>> {
        asked!(self, Ask::PutDown(key))
    }

    fn hand_over(&self, receiver: String, lease_for: SignedDuration) -> Option<HandOver> {
        Some(self.lanes.enter(receiver, lease_for))
    }

    fn taken_again(
        &self,
        first: ReceiptId,
        again: ReceiptId,
        how: TakenAgain,
        by: String,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        asked!(self, Ask::TakenAgain { first, again, how, by, now })
    }

    fn forget(&self, slice: Forget) -> BoxFuture<'_, Result<Forgotten, StoreError>> {
        asked!(self, Ask::Forget(slice), Forgotten)
    }

    fn hints(&self) -> &Hints {
        &self.hints
    }

    fn check(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        asked!(self, Ask::Check)
    }
}
