//! The store: its file and the disk it stands on, or its database.

use std::{path::Path, process::Command};

use super::Finding;
use crate::{
    cli::{Failure, output::size},
    config::Settings,
    gateway,
    store::{
        Place,
        postgres::{self, Address},
        sqlite::inspect::{self, Inspected},
    },
};

/// Less free than this is a fault: a day's messages may not fit.
const FREE_MIN: u64 = 256 * 1024 * 1024;
/// Less free than this should be known.
const FREE_WANTED: u64 = 2 * 1024 * 1024 * 1024;

pub(super) async fn examine(settings: &Settings, deep: bool) -> Result<Vec<Finding>, Failure> {
    match gateway::store_place(settings)? {
        Place::Sqlite(path) => Ok(in_file(&path, deep)),
        Place::Postgres(address) => Ok(in_database(&address).await),
    }
}

async fn in_database(address: &Address) -> Vec<Finding> {
    let found = match postgres::inspect::inspect(address).await {
        Ok(found) => found,
        Err(error) => {
            let then = "see that it runs, and store.url, user, password and its pg_hba.conf";
            return vec![Finding::fail("store", error.to_string(), then)];
        }
    };
    let says = format!("{address}, {}, schema version {}", size(found.bytes), found.schema_version);
    let known = (i64::from(found.schema_version), i64::from(found.schema_version_known));
    vec![schema(says, known), server(&found)]
}

fn server(found: &postgres::inspect::Inspected) -> Finding {
    let wire = if found.is_encrypted { "encrypted" } else { "not encrypted" };
    let says = format!("version {}, connection {wire}", found.server);
    if found.is_durable {
        return Finding::ok("PostgreSQL", says);
    }
    let says = format!("{says}, fsync is off");
    Finding::fail("PostgreSQL", says, "switch fsync on: what is answered must be on the disk")
}

fn in_file(path: &Path, deep: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    if path.exists() {
        match inspect::inspect(path) {
            Ok(found) => {
                findings.push(library(&found));
                findings.push(file(path, &found));
            }
            Err(error) => findings.push(Finding::fail(
                "store",
                error.to_string(),
                "if it is damaged, stop the gateway and put a backup in its place",
            )),
        }
        if deep {
            findings.push(pages(path));
        }
    } else {
        findings.push(Finding::warn(
            "store",
            format!("there is none at {}", path.display()),
            "`kassebro run` makes it at its first start",
        ));
    }
    findings.push(disk(path));
    findings
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
    schema(says, (found.schema_version, found.schema_version_known))
}

/// By the schema's version, and the one that is known.
fn schema(says: String, (version, known): (i64, i64)) -> Finding {
    match version.cmp(&known) {
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
