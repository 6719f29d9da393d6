//! The reference's store: a row for each message, a row for each receipt, committed together as they come.

use std::path::Path;

use bytes::Bytes;
use kassebro::clock::{Clock, System};
use rusqlite::{Connection, params};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::Next;

/// Rows in one transaction.
const GROUP_MAX: usize = 512;

pub(super) enum Operation {
    Store(Row),
    Receipt { number: i64, receipt: Bytes },
}

/// A message to be stored.
pub(super) struct Row {
    pub(super) tag: u64,
    pub(super) id: Uuid,
    pub(super) raw: Vec<u8>,
    pub(super) parcel: Bytes,
    pub(super) traceparent: Option<String>,
}

/// What one transaction holds.
#[derive(Default)]
pub(super) struct Group {
    pub(super) rows: Vec<Row>,
    /// The message's number, and what the inbox answered.
    pub(super) receipts: Vec<(i64, Bytes)>,
}

impl Group {
    /// That one and whatever else waits.
    pub(super) fn gather(first: Operation, work: &mut mpsc::Receiver<Operation>) -> Self {
        let mut group = Self::default();
        group.add(first);
        while group.rows.len() + group.receipts.len() < GROUP_MAX {
            let Ok(next) = work.try_recv() else { break };
            group.add(next);
        }
        group
    }

    fn add(&mut self, operation: Operation) {
        match operation {
            Operation::Store(row) => self.rows.push(row),
            Operation::Receipt { number, receipt } => self.receipts.push((number, receipt)),
        }
    }
}

pub(super) struct Writer {
    connection: Connection,
    next: Next,
}

impl Writer {
    pub(super) fn open(path: &Path, next: Next) -> anyhow::Result<Self> {
        let connection = Connection::open(path)?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -16384;
             CREATE TABLE message (number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, received INTEGER NOT NULL, raw BLOB NOT NULL);
             CREATE TABLE receipt (number INTEGER PRIMARY KEY, at INTEGER NOT NULL, body BLOB NOT NULL);",
        )?;
        Ok(Self { connection, next })
    }

    /// Commits whatever waits, again and again.
    pub(super) fn serve(mut self, mut work: mpsc::Receiver<Operation>) -> anyhow::Result<()> {
        while let Some(first) = work.blocking_recv() {
            let group = Group::gather(first, &mut work);
            let numbers = self.commit(&group)?;
            self.next.tell(group, numbers)?;
        }
        Ok(())
    }

    /// The numbers of the messages, in their order. One that is here already gets none.
    fn commit(&mut self, group: &Group) -> rusqlite::Result<Vec<Option<i64>>> {
        let now = System.now().as_microsecond();
        let transaction = self.connection.transaction()?;
        let mut numbers = Vec::with_capacity(group.rows.len());
        {
            let mut store = transaction.prepare_cached(
                "INSERT INTO message (id, received, raw) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
            )?;
            for row in &group.rows {
                let stored = store.execute(params![row.id.as_bytes(), now, row.raw])?;
                numbers.push((stored == 1).then(|| transaction.last_insert_rowid()));
            }
            let mut keep =
                transaction.prepare_cached("INSERT INTO receipt (number, at, body) VALUES (?1, ?2, ?3)")?;
            for (number, receipt) in &group.receipts {
                keep.execute(params![number, now, &receipt[..]])?;
            }
        }
        transaction.commit()?;
        Ok(numbers)
    }
}
