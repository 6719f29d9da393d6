//! The default engine: one SQLite file, one process, one writer.
//!
//! WAL and `synchronous = FULL`: what is answered is on the disk. One thread writes; it commits whatever is
//! queued in one transaction. Because one process owns the file (an exclusive lock beside it), leases live in
//! the writer's memory: a process that dies takes its leases with it, and its work is due again at once.

use std::{collections::BTreeSet, path::Path, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OpenFlags, config::DbConfig};

pub use super::Mode;
use super::{
    Admission, Beat, Calls, Command, Commanded, Forget, Forgotten, Hints, InHand, LaneState, Lease, LeaseAsk,
    Leased, Release, Released, Settled, Settlement, StepPassed, Store, StoreError, TakenAgain, Verdict,
    ahead::Maintain,
    handover::{HandOver, Lanes},
    hints,
};
use crate::domain::{
    AnswerOutcome, ReceiptId,
    alert::{Change, Condition, Touch},
    pace::Pace,
};

mod accept;
mod alerts;
pub mod backup;
mod came;
mod checkpoint;
mod clocks;
mod commands;
mod deadlines;
mod fallback;
mod figures;
mod forget;
mod generations;
mod hand;
mod identity;
pub mod inspect;
mod lanes;
mod lease;
mod lock;
mod migrate;
mod reader;
mod replay;
mod reply;
mod reserve;
mod row;
mod runs;
mod settle;
mod statements;
mod stops;
mod views;
mod writer;

use lock::Lock;
use reader::Readers;
use writer::{Tx, Writer};

/// The oldest SQLite that is safe: 3.51.3 mends a corruption by simultaneous checkpoint and write.
const LIBRARY_MIN: i32 = 3_051_003;

/// Folds the log into the file and empties it.
const CHECKPOINT: &str = "PRAGMA wal_checkpoint(TRUNCATE)";

/// The SQLite engine. Cheap to clone; the last clone that goes closes the file.
#[derive(Clone)]
pub struct Sqlite {
    writer: Arc<Writer>,
    readers: Readers,
    hints: Hints,
    lanes: Lanes,
    /// Last, for it is given back when everything else is closed.
    _lock: Option<Arc<Lock>>,
}

impl Sqlite {
    /// Opens the file, checks the library, the settings and the schema's version.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] with the reason: another process owns it, the library is too old, the schema
    /// is newer than this program, the file is damaged.
    pub fn open(path: &Path, mode: Mode) -> Result<Self, StoreError> {
        if rusqlite::version_number() < LIBRARY_MIN {
            return Err(unusable(format!("SQLite {} is older than 3.51.3", rusqlite::version())));
        }
        let lock = match mode {
            Mode::Daemon => Some(Lock::take(path)?),
            Mode::Tool if !path.exists() => {
                return Err(unusable(format!("there is no store at {}", path.display())));
            }
            Mode::Tool => None,
        };
        let mut connection = Connection::open(path).map_err(|e| opening(path, &e))?;
        settings(&connection).map_err(|e| opening(path, &e))?;
        migrate::run(&mut connection, mode)?;
        if mode == Mode::Daemon {
            fold(&connection, path).map_err(|e| opening(path, &e))?;
        }
        let readers = Readers::open(path)?;
        let (hints, lanes) = (Hints::default(), Lanes::default());
        let mut writer = Writer::start(connection, path, mode, lanes.clone(), hints.clone())?;
        writer.calls = readers.calls.clone();
        let lock = lock.map(|lock| Arc::new(lock.serving()));
        Ok(Self { writer: Arc::new(writer), readers, hints, lanes, _lock: lock })
    }

    /// Each message of a batch by itself; what does not fit the tables is kept as raw bytes only.
    async fn accept_each(&self, batch: &Arc<Vec<Admission>>) -> Result<Vec<Verdict>, StoreError> {
        let mut verdicts = Vec::with_capacity(batch.len());
        for place in 0..batch.len() {
            let handed = Arc::clone(batch);
            let verdict = match self.writer.run(move |tx| accept::accept(tx, &handed[place..=place])).await {
                Err(StoreError::Content(why)) => {
                    tracing::error!(why = %why, "A message does not fit the store and is kept as raw bytes only");
                    let handed = Arc::clone(batch);
                    self.writer
                        .run(move |tx| accept::keep_raw(tx, &handed[place]))
                        .await
                        .map(|verdict| vec![verdict])
                }
                verdict => verdict,
            };
            verdicts.extend(verdict?);
        }
        Ok(verdicts)
    }

    /// Tells the senders' answers that there is something new. The lanes are told by what was handed to them.
    fn ring(&self, batch: &[Admission]) {
        let mut told = BTreeSet::new();
        for admission in batch {
            let (arrived, wants) = match admission {
                Admission::Accepted(message) => {
                    (&message.arrived, message.answers.wants(AnswerOutcome::Accepted))
                }
                Admission::Invalid(message) => (&message.arrived, true),
            };
            if wants && told.insert(&arrived.party) {
                self.hints.ring(&hints::answers(&arrived.party));
            }
        }
    }

    fn write<T: Send + 'static>(
        &self,
        operation: impl FnMut(&mut Tx<'_, '_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, StoreError>> {
        Box::pin(self.writer.run(operation))
    }
}

fn unusable(text: String) -> StoreError {
    StoreError::Unusable(text.into())
}

fn opening(path: &Path, error: &rusqlite::Error) -> StoreError {
    unusable(format!("{}: {error}", path.display()))
}

/// Sets what durability rests on, and reads it back.
fn settings(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.set_prepared_statement_cache_capacity(128);
    stable_plans(connection)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "OFF")?;
    connection.pragma_update(None, "cache_size", -8_192)?;
    connection.pragma_update(None, "journal_size_limit", 67_108_864)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "secure_delete", "FAST")?;
    let journal: String = connection.pragma_query_value(None, "journal_mode", |r| r.get(0))?;
    let synchronous: i64 = connection.pragma_query_value(None, "synchronous", |r| r.get(0))?;
    assert!(
        journal == "wal" && synchronous == 2,
        "SQLite did not take WAL and FULL: {journal}, {synchronous}"
    );
    Ok(())
}

/// Writes everything that is committed into the file, and syncs it. Where a process before us ended because a
/// sync failed, we read from the log what is in the kernel's memory and perhaps not on the disk; nobody is told
/// of it before it is.
fn fold(connection: &Connection, path: &Path) -> rusqlite::Result<()> {
    let full = |error: &rusqlite::Error| error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull);
    let mut folded = connection.execute_batch(CHECKPOINT);
    if folded.as_ref().is_err_and(full) && reserve::make_way(&reserve::beside(path)) {
        folded = connection.execute_batch(CHECKPOINT);
    }
    match folded {
        // It serves what it has, and takes nothing.
        Err(error) if full(&error) => {
            tracing::warn!(%error, "The log cannot be folded into the store");
            Ok(())
        }
        folded => folded,
    }
}

/// A prepared statement stays prepared: without this SQLite plans it anew when a bound value changes.
fn stable_plans(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(|_| ())
}

/// A connection that only reads.
fn read_only(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.set_prepared_statement_cache_capacity(64);
    stable_plans(&connection)?;
    connection.pragma_update(None, "cache_size", -2_048)?;
    Ok(connection)
}

impl Store for Sqlite {
    fn accept(&self, batch: Vec<Admission>) -> BoxFuture<'_, Result<Vec<Verdict>, StoreError>> {
        Box::pin(async move {
            self.writer.expect_room()?;
            let batch = Arc::new(batch);
            let handed = Arc::clone(&batch);
            let verdicts = match self.writer.run(move |tx| accept::accept(tx, &handed)).await {
                Err(StoreError::Content(_)) => self.accept_each(&batch).await?,
                verdicts => verdicts?,
            };
            self.ring(&batch);
            Ok(verdicts)
        })
    }

    fn lease_due(&self, ask: LeaseAsk) -> BoxFuture<'_, Result<Leased, StoreError>> {
        self.write(move |tx| lease::lease_due(tx, &ask))
    }

    fn settle(&self, settlements: Arc<Vec<Settlement>>) -> BoxFuture<'_, Result<Vec<Settled>, StoreError>> {
        let parties: BTreeSet<String> = settlements.iter().map(|s| s.lease.party.clone()).collect();
        Box::pin(async move {
            let settled = self
                .writer
                .run(move |tx| settlements.iter().map(|s| settle::settle(tx, s)).collect())
                .await?;
            for party in parties {
                self.hints.ring(&hints::answers(&party));
            }
            Ok(settled)
        })
    }

    fn release(&self, leases: Vec<Lease>) -> BoxFuture<'_, Result<(), StoreError>> {
        self.write(move |tx| {
            lease::release(tx, &leases);
            Ok(())
        })
    }

    fn advance_deadlines(
        &self,
        now: Timestamp,
        most: u32,
    ) -> BoxFuture<'_, Result<Vec<StepPassed>, StoreError>> {
        self.write(move |tx| deadlines::advance(tx, now, most))
    }

    fn release_fallbacks(
        &self,
        which: Release,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Vec<Released>, StoreError>> {
        self.write(move |tx| fallback::release(tx, &which, now))
    }

    fn reconcile_alerts(
        &self,
        names: Vec<&'static str>,
        conditions: Vec<Condition>,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Vec<(Change, Condition)>, StoreError>> {
        self.write(move |tx| alerts::reconcile(tx, &names, &conditions, now))
    }

    fn touch_alert(
        &self,
        key: String,
        touch: Touch,
        by: String,
        note: Option<String>,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Commanded, StoreError>> {
        self.write(move |tx| alerts::touch(tx, &key, &touch, (&by, note.as_deref()), now))
    }

    fn command(
        &self,
        command: Command,
        by: String,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Commanded, StoreError>> {
        Box::pin(async move {
            let (commanded, bells) =
                self.writer.run(move |tx| commands::command(tx, &command, &by, now)).await?;
            for bell in bells {
                self.hints.ring(&bell);
            }
            Ok(commanded)
        })
    }

    fn save_lane(&self, lane: LaneState, now: Timestamp) -> BoxFuture<'_, Result<(), StoreError>> {
        self.write(move |tx| commands::save_lane(tx, &lane, now))
    }

    fn pause(
        &self,
        receiver: String,
        reason: Option<String>,
        by: String,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        self.write(move |tx| commands::pause(tx, &receiver, reason.as_deref(), &by, now))
    }

    fn save_paces(
        &self,
        paces: Vec<(String, Pace)>,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        self.write(move |tx| lanes::save_paces(tx, &paces, now))
    }

    fn maintain(&self, asked: Maintain, now: Timestamp) -> BoxFuture<'_, Result<Commanded, StoreError>> {
        self.write(move |tx| lanes::maintain(tx, &asked, now))
    }

    fn beat(&self, beat: Beat) -> BoxFuture<'_, Result<(), StoreError>> {
        self.write(move |tx| runs::beat(tx, &beat))
    }

    fn set_cursor(&self, name: String, seq: i64) -> BoxFuture<'_, Result<(), StoreError>> {
        self.write(move |tx| commands::set_cursor(tx, &name, seq))
    }

    fn lead(&self, _cursor: String) -> BoxFuture<'_, Result<bool, StoreError>> {
        // There is no other.
        Box::pin(async { Ok(true) })
    }

    fn take_in_hand(&self, mark: InHand) -> BoxFuture<'_, Result<u32, StoreError>> {
        self.write(move |tx| hand::take(tx, &mark))
    }

    fn put_down(&self, key: [u8; 32]) -> BoxFuture<'_, Result<(), StoreError>> {
        self.write(move |tx| hand::put_down(tx, &key))
    }

    fn forget(&self, slice: Forget) -> BoxFuture<'_, Result<Forgotten, StoreError>> {
        self.write(move |tx| forget::forget(tx, slice))
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
        self.write(move |tx| replay::taken_again(tx, first, again, &how, &by, now))
    }

    fn hints(&self) -> &Hints {
        &self.hints
    }

    fn calls(&self) -> Option<&Calls> {
        Some(&self.readers.calls)
    }

    fn check(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            self.writer.run(commands::check).await?;
            self.writer.expect_room()
        })
    }
}
