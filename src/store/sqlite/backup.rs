//! A copy of a store that is in use: one moment of it, checked before it gets its name.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use rusqlite::{
    Connection,
    backup::{Backup, StepResult},
};

use super::{StoreError, inspect, opening, read_only};

/// Pages copied between two looks at how far it is: 8 MiB.
const STEP_PAGES: i32 = 2048;

/// A finished copy.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Copied {
    pub file: PathBuf,
    pub bytes: u64,
    pub schema_version: i64,
}

/// Why there is no copy. What was begun is removed.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Nothing is written over.
    #[error("{} exists", .0.display())]
    Exists(PathBuf),
    #[error("writing {}", .0.display())]
    Io(PathBuf, #[source] io::Error),
    #[error("copying the store")]
    Store(#[from] StoreError),
    /// What the check of the copy found. The store itself is likely to have it too.
    #[error("the copy is damaged: {}", .0.join("; "))]
    Damaged(Vec<String>),
}

/// Copies the store at `from` to `to`, whoever writes to it meanwhile, and checks the copy. It appears under
/// its name only when it is whole, readable by its owner alone. `told` hears of pages copied, and of all.
///
/// # Errors
/// See [`BackupError`].
pub fn back_up(from: &Path, to: &Path, told: impl FnMut(u64, u64)) -> Result<Copied, BackupError> {
    if to.exists() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    let draft = PathBuf::from(format!("{}.part", to.display()));
    let made = make(from, &draft, told).and_then(|()| check(&draft)).and_then(|copied| {
        publish(&draft, to).map_err(|error| BackupError::Io(to.to_owned(), error))?;
        Ok(Copied { file: to.to_owned(), ..copied })
    });
    if made.is_err() {
        // It may not have come to be at all.
        let _ = fs::remove_file(&draft);
    }
    made
}

fn make(from: &Path, draft: &Path, told: impl FnMut(u64, u64)) -> Result<(), BackupError> {
    let source = read_only(from).map_err(|e| opening(from, &e))?;
    // A draft that an earlier call left behind is nobody's: its call ended without giving it a name.
    let open = || OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(draft);
    drop(open().map_err(|error| BackupError::Io(draft.to_owned(), error))?);
    match copy(&source, draft, told).map_err(|e| opening(draft, &e))? {
        StepResult::Done => Ok(()),
        _ => Err(StoreError::Unavailable("another process holds the copy".into()).into()),
    }
}

/// Copies under one read transaction: the source stays as it was at the first page, and other processes'
/// writes do not make the copy begin again.
fn copy(source: &Connection, draft: &Path, mut told: impl FnMut(u64, u64)) -> rusqlite::Result<StepResult> {
    let mut target = Connection::open(draft)?;
    source.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema;")?;
    let backup = Backup::new(source, &mut target)?;
    let mut step = StepResult::More;
    while step == StepResult::More {
        step = backup.step(STEP_PAGES)?;
        let progress = backup.progress();
        let (left, all) = (progress.remaining.unsigned_abs(), progress.pagecount.unsigned_abs());
        told(u64::from(all - left.min(all)), u64::from(all));
    }
    drop(backup);
    // One file that can be carried anywhere; the gateway sets the log again when it opens it.
    target.pragma_update(None, "journal_mode", "DELETE")?;
    Ok(step)
}

fn check(draft: &Path) -> Result<Copied, BackupError> {
    let faults = inspect::quick_check(draft)?;
    if !faults.is_empty() {
        return Err(BackupError::Damaged(faults));
    }
    let found = inspect::inspect(draft)?;
    Ok(Copied { file: draft.to_owned(), bytes: found.bytes, schema_version: found.schema_version })
}

/// On the disk before it has its name, and its name on the disk before it is spoken of.
fn publish(draft: &Path, to: &Path) -> io::Result<()> {
    File::open(draft)?.sync_all()?;
    fs::rename(draft, to)?;
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::{Mode, Sqlite};

    #[test]
    fn a_copy_of_a_store_in_use_opens_as_a_store() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("a.db"), folder.path().join("b.db"));
        let store = Sqlite::open(&from, Mode::Daemon).unwrap();
        let mut told = Vec::new();
        let copied = back_up(&from, &to, |done, all| told.push((done, all))).unwrap();
        assert_eq!(copied.file, to);
        assert!(copied.bytes > 0 && copied.schema_version > 0);
        assert!(told.last().is_some_and(|(done, all)| done == all));
        drop(store);
        assert!(Sqlite::open(&to, Mode::Daemon).is_ok());
        assert!(!folder.path().join("b.db.part").exists());
    }

    #[test]
    fn nothing_is_written_over_and_nothing_half_made_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("a.db"), folder.path().join("b.db"));
        fs::write(&from, "no database, but long enough to be read as one".repeat(100)).unwrap();
        assert!(matches!(back_up(&from, &to, |_, _| ()), Err(BackupError::Store(_))));
        assert!(!folder.path().join("b.db.part").exists() && !to.exists());
        fs::write(&to, "mine").unwrap();
        assert!(matches!(back_up(&from, &to, |_, _| ()), Err(BackupError::Exists(_))));
        assert_eq!(fs::read(&to).unwrap(), b"mine");
    }
}
