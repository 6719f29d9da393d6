//! The store's file, and the disk it stands on.

use std::{path::Path, process::Command};

use super::Finding;
use crate::{
    cli::{Failure, output::size},
    config::Settings,
    gateway,
    store::sqlite::inspect::{self, Inspected},
};

/// Less free than this is a fault: a day's messages may not fit.
const FREE_MIN: u64 = 256 * 1024 * 1024;
/// Less free than this should be known.
const FREE_WANTED: u64 = 2 * 1024 * 1024 * 1024;

pub(super) fn examine(settings: &Settings, deep: bool) -> Result<Vec<Finding>, Failure> {
    let path = gateway::store_path(settings)?;
    let mut findings = Vec::new();
    if path.exists() {
        match inspect::inspect(&path) {
            Ok(found) => {
                findings.push(library(&found));
                findings.push(file(&path, &found));
            }
            Err(error) => findings.push(Finding::fail(
                "store",
                error.to_string(),
                "if it is damaged, stop the gateway and put a backup in its place",
            )),
        }
        if deep {
            findings.push(pages(&path));
        }
    } else {
        findings.push(Finding::warn(
            "store",
            format!("there is none at {}", path.display()),
            "`kassebro run` makes it at its first start",
        ));
    }
    findings.push(disk(&path));
    Ok(findings)
}

fn library(found: &Inspected) -> Finding {
    if found.library_is_safe {
        return Finding::ok("SQLite", found.library);
    }
    Finding::fail(
        "SQLite",
        format!("{} is older than 3.51.3", found.library),
        "use a newer build of Kassebro",
    )
}

fn file(path: &Path, found: &Inspected) -> Finding {
    let says = format!("{}, {}, schema version {}", path.display(), size(found.bytes), found.schema_version);
    match found.schema_version.cmp(&found.schema_version_known) {
        std::cmp::Ordering::Equal => Finding::ok("store", says),
        std::cmp::Ordering::Less => {
            Finding::warn("store", says, "`kassebro run` brings it up to date at its next start")
        }
        std::cmp::Ordering::Greater => {
            Finding::fail("store", says, "it was written by a newer Kassebro: use that one")
        }
    }
}

fn pages(path: &Path) -> Finding {
    match inspect::quick_check(path) {
        Ok(faults) if faults.is_empty() => Finding::ok("store's pages", "every page was read and is sound"),
        Ok(faults) => Finding::fail(
            "store's pages",
            faults.join("; "),
            "stop the gateway and put a backup in its place",
        ),
        Err(error) => Finding::fail(
            "store's pages",
            error.to_string(),
            "see that the disk is sound; if the file is damaged, stop the gateway and put a backup in its place",
        ),
    }
}

/// The standard library does not say how full a disk is; `df` does, in a form that POSIX fixes.
fn disk(store: &Path) -> Finding {
    let folder = store.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let output = Command::new("df").args(["-P", "-k", "--"]).arg(folder).output();
    let free = output.ok().and_then(|output| free_bytes(&String::from_utf8_lossy(&output.stdout)));
    let Some(free) = free else {
        let then = format!("see yourself that there is room at {}", folder.display());
        return Finding::warn("disk", "df does not say how much is free", then);
    };
    let says = format!("{} free at {}", size(free), folder.display());
    if free < FREE_MIN {
        Finding::fail("disk", says, "make room: on a full disk nothing is taken")
    } else if free < FREE_WANTED {
        Finding::warn("disk", says, "make room soon: on a full disk nothing is taken")
    } else {
        Finding::ok("disk", says)
    }
}

/// The fourth column of the second line, in kibibytes.
fn free_bytes(df: &str) -> Option<u64> {
    let kibibytes: u64 = df.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::Standing;

    #[test]
    fn what_is_free_is_read_from_df() {
        let df = "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/vda1 41 20 21 49% /\n";
        assert_eq!(free_bytes(df), Some(21 * 1024));
        assert_eq!(free_bytes(""), None);
    }

    #[test]
    fn a_store_of_another_version_says_which_program_to_use() {
        let found = |version| Inspected {
            library: "3.51.3",
            library_is_safe: true,
            schema_version: version,
            schema_version_known: 2,
            bytes: 4096,
        };
        let standing = |version| file(Path::new("a.db"), &found(version)).standing;
        assert_eq!([standing(1), standing(2), standing(3)], [Standing::Warn, Standing::Ok, Standing::Fail]);
    }
}
