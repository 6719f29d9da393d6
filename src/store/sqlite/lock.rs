//! Being alone with the store's file: the lock beside it, and what can be told from what lies there.

use std::{
    fs::{File, TryLockError},
    io::Write,
    path::{Path, PathBuf},
};

use tracing::warn;

use super::{StoreError, reserve, unusable};

/// Held as long as the store is open. The file holds a word while it is, so that a start can tell how the
/// last one ended.
pub(super) struct Lock(File);

impl Lock {
    /// Locks the file beside the store, so that no second gateway serves it.
    ///
    /// # Errors
    /// Another process has it; the store is gone and its remains are there.
    pub(super) fn take(store: &Path) -> Result<Self, StoreError> {
        let path = beside(store, ".lock");
        let failed = |e: std::io::Error| unusable(format!("{}: {e}", path.display()));
        let file = File::options().read(true).append(true).create(true).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(unusable(format!("another process serves {}", store.display())));
            }
            Err(TryLockError::Error(e)) => return Err(failed(e)),
        }
        expect_no_remains(store)?;
        let log = beside(store, "-wal");
        if holds_something(&path) && holds_something(store) && !log.exists() {
            warn!(log = %log.display(), "The gateway did not stop in order, and its log is gone: unless a command \
                has tidied it away since, what was committed last is missing");
        }
        Ok(Self(file))
    }

    /// The store is open.
    pub(super) fn serving(mut self) -> Self {
        let noted = self.0.set_len(0).and_then(|()| self.0.write_all(b"open\n"));
        if let Err(error) = noted {
            // On a full disk, say; it is only for a warning.
            warn!(%error, "Whether this process stops in order will not be known");
        }
        self
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // At worst the next start warns without reason.
        drop(self.0.set_len(0));
    }
}

/// A store that is gone is not begun anew over what is left of it.
fn expect_no_remains(store: &Path) -> Result<(), StoreError> {
    if holds_something(store) {
        return Ok(());
    }
    match [beside(store, "-wal"), reserve::beside(store)].iter().find(|remains| holds_something(remains)) {
        None => Ok(()),
        Some(remains) => Err(unusable(format!(
            "{0} is gone or empty, and {1} says that there was a store: put it or a backup of it back, or move {1} \
             away to begin a new one",
            store.display(),
            remains.display()
        ))),
    }
}

fn beside(store: &Path, ending: &str) -> PathBuf {
    PathBuf::from(format!("{}{ending}", store.display()))
}

fn holds_something(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.len() > 0)
}
