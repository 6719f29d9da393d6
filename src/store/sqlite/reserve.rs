//! Room set aside for a full disk.

use std::{
    fs::File,
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tracing::{info, warn};

use super::checkpoint;

/// As much as the log grows to before it is begun anew, so that it can always be folded into the file.
const BYTES: usize = 16 * 1024 * 1024;
/// A page in the log, with the header before it.
const LOGGED: usize = 4_096 + 24;
const _: () = assert!(BYTES >= checkpoint::MAX as usize * LOGGED);
/// Commits after which setting it aside is tried again, where there was no room.
const TRY_EVERY: u32 = 32;

/// A file of zeros beside the store. On a full disk it makes way, so that the log can be folded into the file
/// and what was taken can be settled. Until it is there again nothing new is taken.
pub(super) struct Reserve {
    path: PathBuf,
    has_room: Arc<AtomicBool>,
    commits_without: u32,
}

impl Reserve {
    /// Sets it aside; `has_room` says from now on whether it is there.
    pub(super) fn new(store: &Path, has_room: Arc<AtomicBool>) -> Self {
        let mut reserve = Self { path: beside(store), has_room, commits_without: 0 };
        reserve.set_aside();
        reserve
    }

    fn set_aside(&mut self) {
        let there = std::fs::metadata(&self.path).is_ok_and(|m| m.len() == BYTES as u64);
        if there || fill(&self.path).is_ok() {
            if !self.has_room.swap(true, Ordering::Relaxed) {
                info!(path = %self.path.display(), "There is room on the disk again: messages are taken");
            }
        } else {
            self.give_up();
        }
    }

    pub(super) fn give_up(&mut self) {
        make_way(&self.path);
        if self.has_room.swap(false, Ordering::Relaxed) {
            warn!(path = %self.path.display(), "The disk is full: nothing is taken until there is room again");
        }
        self.commits_without = 0;
    }

    /// Room may be back. Not tried each time: it fills what room there is.
    pub(super) fn after_commit(&mut self) {
        if self.has_room.load(Ordering::Relaxed) {
            return;
        }
        self.commits_without += 1;
        if self.commits_without >= TRY_EVERY {
            self.set_aside();
        }
    }
}

/// The file beside the store.
pub(super) fn beside(store: &Path) -> PathBuf {
    PathBuf::from(format!("{}.reserve", store.display()))
}

/// Removes the file. False where there was none.
pub(super) fn make_way(reserve: &Path) -> bool {
    match std::fs::remove_file(reserve) {
        Ok(()) => true,
        Err(error) => {
            if error.kind() != ErrorKind::NotFound {
                warn!(path = %reserve.display(), %error, "The room set aside could not be given up");
            }
            false
        }
    }
}

/// Writes it, where there is as much room again: what was just given up is not yet room.
fn fill(path: &Path) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(&vec![0; 2 * BYTES])?;
    file.set_len(BYTES as u64)
}
