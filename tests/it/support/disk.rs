//! A disk that fails, fills up or loses its power: a library preloaded into the gateway stands before the
//! calls that write the store's files.
//!
//! It needs gcc and nothing else: no mount, no root.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use super::folder;

/// The unit in which a disk keeps or loses what was written.
const SECTOR: usize = 512;

/// What the disk is told to do, and what it did.
pub(crate) struct Disk {
    folder: TempDir,
}

impl Disk {
    pub(crate) fn new() -> Self {
        let disk = Self { folder: folder("disk") };
        fs::create_dir(disk.folder.path().join("durable")).unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/disk/disk.c");
        let built = Command::new("gcc")
            .args(["-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"])
            .args([disk.library(), source])
            .output()
            .expect("this test needs gcc, as the build does");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        disk
    }

    fn library(&self) -> PathBuf {
        self.folder.path().join("disk.so")
    }

    /// The environment of a process that writes to this disk.
    pub(crate) fn environment(&self) -> [(&'static str, String); 2] {
        let text = |path: &Path| path.display().to_string();
        [("LD_PRELOAD", text(&self.library())), ("KASSEBRO_TEST_DISK", text(self.folder.path()))]
    }

    /// From now on: `sync EIO -wal 1`, `write ENOSPC any 0`, `room 12000000`; see `disk.c`.
    pub(crate) fn order(&self, order: &str) {
        let draft = self.folder.path().join("control.new");
        fs::write(&draft, order).unwrap();
        fs::rename(draft, self.folder.path().join("control")).unwrap();
    }

    /// From now on nothing fails.
    pub(crate) fn heal(&self) {
        self.order("nothing");
    }

    /// How many faults it has made so far.
    pub(crate) fn faults(&self) -> usize {
        match fs::read_to_string(self.folder.path().join("faults")) {
            Ok(text) => text.lines().count(),
            Err(error) if error.kind() == ErrorKind::NotFound => 0,
            Err(error) => panic!("{error}"),
        }
    }

    /// The power is gone, and the process with it. Of what was written to the files below `store` and never
    /// synced `keeps` says, sector by sector, whether it reached the disk.
    pub(crate) fn lose_power(&self, store: &Path, mut keeps: impl FnMut() -> bool) -> Lost {
        let mut lost = Lost::default();
        for name in ["kassebro.db", "kassebro.db-wal"] {
            let (live, image) = (store.join(name), self.folder.path().join("durable").join(name));
            let written = fs::read(&live).unwrap_or_default();
            let mut durable = fs::read(&image).unwrap_or_default();
            for at in (0..written.len()).step_by(SECTOR) {
                let sector = at..(at + SECTOR).min(written.len());
                if durable.get(sector.clone()) == Some(&written[sector.clone()]) {
                    continue;
                }
                lost.in_doubt += 1;
                if keeps() {
                    durable.resize(durable.len().max(sector.end), 0);
                    durable[sector.clone()].copy_from_slice(&written[sector]);
                } else {
                    lost.sectors += 1;
                }
            }
            fs::write(&live, &durable).unwrap();
            fs::write(&image, &durable).unwrap();
            let dirty = self.folder.path().join("durable").join(format!("{name}.dirty"));
            fs::remove_file(dirty).unwrap();
        }
        // Memory of processes that are gone; one that ended in order took it away itself.
        let shared = store.join("kassebro.db-shm");
        if shared.exists() {
            fs::remove_file(shared).unwrap();
        }
        lost
    }
}

/// What a loss of power did.
#[derive(Debug, Default)]
pub(crate) struct Lost {
    /// Sectors that were written and not synced.
    pub(crate) in_doubt: usize,
    /// Those of them that are gone.
    pub(crate) sectors: usize,
}
