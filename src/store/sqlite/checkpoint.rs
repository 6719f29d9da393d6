//! Folds the write-ahead log into the file beside the writer, so that no commit waits for it.
//!
//! SQLite's own way, a checkpoint by whoever commits the thousandth page, makes one commit in a few hundred wait
//! tens of milliseconds. A log is begun anew only when all of it lies in the file, which it never does beside a writer
//! that does not pause: a long one is folded beside it until little is left, and the rest by the writer. The longer a log
//! may grow, the more often a page is changed in it before it is written to the file once.

use std::{
    path::Path,
    sync::{
        Arc, Mutex, PoisonError, TryLockError,
        atomic::{AtomicI32, Ordering},
        mpsc::{SyncSender, sync_channel},
    },
    thread::JoinHandle,
};

use rusqlite::{Connection, ErrorCode, ffi::SQLITE_IOERR_FSYNC};
use tracing::warn;

use super::StoreError;

/// Pages (4 KiB each) that lie in the log and not in the file, from which they are folded beside the writer.
const BESIDE: i32 = 1_500;
/// Pages in the log from which it is begun anew as soon as little of it is left.
const LONG: i32 = 3_000;
/// So few pages the writer folds itself.
const LITTLE: i32 = 250;
/// Pages in the log from which the writer folds it, however much is left: what is set aside for a full disk must hold them.
pub(super) const MAX: i32 = 4_000;

/// The thread that folds.
pub(super) struct Checkpoints {
    ask: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    /// Pages in the log after the writer's last commit.
    pages: Arc<AtomicI32>,
    /// How many of them lie in the file, held while that changes. Those of the log before this one, for a moment after it
    /// was begun anew.
    folded: Arc<Mutex<i32>>,
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
        let folded = Arc::new(Mutex::new(0));
        let folded_here = Arc::clone(&folded);
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
                    let mut folded = folded_here.lock().unwrap_or_else(PoisonError::into_inner);
                    match fold(&connection) {
                        Ok(pages) => *folded = pages,
                        Err(error) if ends_the_writer(&error) => {
                            *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                        }
                        Err(_) => {}
                    }
                }
            })
            .map_err(|e| failed(&e))?;
        Ok(Self { ask: Some(ask), thread: Some(thread), pages, folded, failed: failed_here })
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
        let mut folded = match self.folded.try_lock() {
            Ok(folded) => folded,
            Err(TryLockError::Poisoned(folded)) => folded.into_inner(),
            // It is folded at this moment, and the writer waits for that only where it must.
            Err(TryLockError::WouldBlock) if pages < MAX => return Ok(()),
            Err(TryLockError::WouldBlock) => self.folded.lock().unwrap_or_else(PoisonError::into_inner),
        };
        // A log begun anew is shorter than what was folded of the last one.
        let left = if *folded > pages { pages } else { pages - *folded };
        if pages >= MAX || pages >= LONG && left <= LITTLE {
            return match fold(writer) {
                Ok(pages) => {
                    *folded = pages;
                    Ok(())
                }
                Err(error) if ends_the_writer(&error) => Err(error),
                Err(_) => Ok(()),
            };
        }
        if (left >= BESIDE || pages >= LONG)
            && let Some(ask) = &self.ask
        {
            // One that was asked for does its work.
            let _ = ask.try_send(());
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

/// As much as is possible without waiting for anyone. Gives how many pages of the log lie in the file.
fn fold(connection: &Connection) -> rusqlite::Result<i32> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(2)).inspect_err(|error| {
        warn!(error = %error, "A checkpoint did not run; the next one does its work");
    })
}

/// A sync that failed, or a damaged file. Anything else the next checkpoint may find mended.
fn ends_the_writer(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
        || error.sqlite_error().is_some_and(|e| e.extended_code == SQLITE_IOERR_FSYNC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_is_written_without_a_pause_is_begun_anew_before_it_is_longer_than_what_is_set_aside_holds()
    {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let mut writer = Connection::open(&path).unwrap();
        super::super::settings(&writer).unwrap();
        writer.execute_batch("CREATE TABLE parcel (body BLOB) STRICT").unwrap();
        let mut checkpoints = Checkpoints::start(&mut writer, &path).unwrap();
        let (mut last, mut longest, mut begun) = (0, 0, 0);
        // Each about a hundred pages.
        for _ in 0..300 {
            writer.execute("INSERT INTO parcel VALUES (zeroblob(400000))", []).unwrap();
            checkpoints.after_commit(&writer).unwrap();
            let pages = checkpoints.pages.load(Ordering::Relaxed);
            begun += u32::from(pages < last);
            longest = longest.max(pages);
            last = pages;
        }
        assert!((LONG..MAX + 120).contains(&longest), "{longest}");
        assert!(begun >= 6, "{begun}");
        drop(checkpoints);
        assert_eq!(fold(&writer).unwrap(), last, "nothing is left out");
    }
}
