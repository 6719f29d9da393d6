//! Folds the write-ahead log into the file beside the writer, so that no commit waits for it.
//!
//! SQLite's own way, a checkpoint by whoever commits the thousandth page, makes one commit in a few hundred wait
//! tens of milliseconds. A log that keeps growing because the writer never pauses is folded by the writer after
//! all: most of it lies in the file by then.

use std::{
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI32, Ordering},
        mpsc::{SyncSender, TrySendError, sync_channel},
    },
    thread::JoinHandle,
};

use rusqlite::{Connection, ErrorCode, ffi::SQLITE_IOERR_FSYNC};
use tracing::warn;

use super::StoreError;

/// Pages in the log (4 KiB each) from which it is folded beside the writer.
const BESIDE: i32 = 1_000;
/// Pages from which the writer folds it: what is set aside for a full disk must hold them.
const BY_THE_WRITER: i32 = 2_000;

/// The thread that folds.
pub(super) struct Checkpoints {
    ask: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    /// Pages in the log after the writer's last commit.
    pages: Arc<AtomicI32>,
    asked_at: i32,
    failed: Arc<Mutex<Option<rusqlite::Error>>>,
}

impl Checkpoints {
    /// Takes the work from `writer`, a connection to the file at `path`, which from now on commits without it.
    pub(super) fn start(writer: &mut Connection, path: &Path) -> Result<Self, StoreError> {
        let failed = |e: &dyn std::fmt::Display| super::unusable(format!("{}: {e}", path.display()));
        let connection = Connection::open(path).map_err(|e| failed(&e))?;
        super::settings(&connection).map_err(|e| failed(&e))?;
        let pages = Arc::new(AtomicI32::new(0));
        let seen = Arc::clone(&pages);
        writer
            .wal_hook(Some(move |_: &mut _, pages| {
                seen.store(pages, Ordering::Relaxed);
                Ok(())
            }))
            .map_err(|e| failed(&e))?;
        let (ask, asked) = sync_channel(1);
        let failed_here = Arc::new(Mutex::new(None));
        let failure = Arc::clone(&failed_here);
        let thread = std::thread::Builder::new()
            .name("checkpoint".into())
            .spawn(move || {
                while let Ok(()) = asked.recv() {
                    if let Err(error) = fold(&connection)
                        && ends_the_writer(&error)
                    {
                        *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    }
                }
            })
            .map_err(|e| failed(&e))?;
        Ok(Self { ask: Some(ask), thread: Some(thread), pages, asked_at: 0, failed: failed_here })
    }

    /// A failure beside the writer after which nothing more may be written.
    pub(super) fn failure(&self) -> Option<rusqlite::Error> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// After a commit of the thread that writes.
    ///
    /// # Errors
    /// The writer folded the log itself, and could not.
    pub(super) fn after_commit(&mut self, writer: &Connection) -> rusqlite::Result<()> {
        let pages = self.pages.load(Ordering::Relaxed);
        if pages < self.asked_at {
            self.asked_at = 0;
        }
        if pages >= BY_THE_WRITER {
            return fold(writer).or_else(|error| if ends_the_writer(&error) { Err(error) } else { Ok(()) });
        }
        if pages >= self.asked_at + BESIDE
            && let Some(ask) = &self.ask
            && !matches!(ask.try_send(()), Err(TrySendError::Full(())))
        {
            self.asked_at = pages;
        }
        Ok(())
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.ask.take();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            warn!("The checkpoint thread stopped by a panic");
        }
    }
}

/// As much as is possible without waiting for anyone.
fn fold(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).inspect_err(|error| {
        warn!(error = %error, "A checkpoint did not run; the next one does its work");
    })
}

/// A sync that failed, or a damaged file. Anything else the next checkpoint may find mended.
fn ends_the_writer(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
        || error.sqlite_error().is_some_and(|e| e.extended_code == SQLITE_IOERR_FSYNC)
}
