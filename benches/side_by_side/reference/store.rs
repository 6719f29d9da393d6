//! The reference's store: a row for each message, a row for each receipt, committed together as they come.

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use kassebro::clock::{Clock, System};
use rusqlite::{Connection, params};
use tokio::sync::{Semaphore, mpsc};
use uuid::Uuid;

use super::Job;

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

pub(super) struct Writer {
    connection: Connection,
    jobs: mpsc::Sender<Job>,
    tags: mpsc::Sender<u64>,
    slots: Arc<Semaphore>,
}

impl Writer {
    pub(super) fn open(
        path: &Path,
        jobs: mpsc::Sender<Job>,
        tags: mpsc::Sender<u64>,
        slots: Arc<Semaphore>,
    ) -> anyhow::Result<Self> {
        let connection = Connection::open(path)?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -16384;
             CREATE TABLE message (number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, received INTEGER NOT NULL, raw BLOB NOT NULL);
             CREATE TABLE receipt (number INTEGER PRIMARY KEY, at INTEGER NOT NULL, body BLOB NOT NULL);",
        )?;
        Ok(Self { connection, jobs, tags, slots })
    }

    /// Commits whatever waits, again and again.
    pub(super) fn serve(mut self, mut work: mpsc::Receiver<Operation>) -> anyhow::Result<()> {
        while let Some(first) = work.blocking_recv() {
            let mut group = vec![first];
            while group.len() < GROUP_MAX {
                let Ok(next) = work.try_recv() else { break };
                group.push(next);
            }
            let numbers = self.commit(&group)?;
            self.tell(group, numbers)?;
        }
        Ok(())
    }

    /// The numbers of the messages, in their order. One that is here already gets none.
    fn commit(&mut self, group: &[Operation]) -> rusqlite::Result<Vec<Option<i64>>> {
        let now = System.now().as_microsecond();
        let transaction = self.connection.transaction()?;
        let mut numbers = Vec::with_capacity(group.len());
        {
            let mut store = transaction.prepare_cached(
                "INSERT INTO message (id, received, raw) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
            )?;
            let mut keep =
                transaction.prepare_cached("INSERT INTO receipt (number, at, body) VALUES (?1, ?2, ?3)")?;
            for operation in group {
                match operation {
                    Operation::Store(row) => {
                        let stored = store.execute(params![row.id.as_bytes(), now, row.raw])?;
                        numbers.push((stored == 1).then(|| transaction.last_insert_rowid()));
                    }
                    Operation::Receipt { number, receipt } => {
                        keep.execute(params![number, now, &receipt[..]])?;
                    }
                }
            }
        }
        transaction.commit()?;
        Ok(numbers)
    }

    /// Acknowledges what is committed, sends it on, and makes room for as much as is done.
    fn tell(&self, group: Vec<Operation>, numbers: Vec<Option<i64>>) -> anyhow::Result<()> {
        let (mut numbers, mut tag, mut done) = (numbers.into_iter(), None, 0);
        for operation in group {
            let Operation::Store(row) = operation else {
                done += 1;
                continue;
            };
            tag = Some(row.tag);
            match numbers.next().flatten() {
                Some(number) => {
                    let Row { id, parcel, traceparent, .. } = row;
                    self.jobs.blocking_send(Job { number, id, parcel, traceparent })?;
                }
                None => done += 1,
            }
        }
        if let Some(tag) = tag {
            self.tags.blocking_send(tag)?;
        }
        self.slots.add_permits(done);
        Ok(())
    }
}
