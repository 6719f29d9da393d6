//! The same store on PostgreSQL: a transaction is two statements, whatever their rows, and one way there and back.

use std::collections::HashMap;

use kassebro::clock::{Clock, System};
use tokio::sync::mpsc;
use tokio_postgres::{Client, Statement};
use uuid::Uuid;

use super::{
    Next,
    store::{Group, Operation},
};
use crate::database;

struct Writer {
    client: Client,
    store: Statement,
    keep: Statement,
}

/// Commits whatever waits, again and again.
pub(super) fn serve(url: &str, next: &Next, mut work: mpsc::Receiver<Operation>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let writer = Writer::open(url).await?;
        while let Some(first) = work.recv().await {
            let group = Group::gather(first, &mut work);
            let numbers = writer.commit(&group).await?;
            next.tell(group, numbers)?;
        }
        Ok(())
    })
}

impl Writer {
    async fn open(url: &str) -> anyhow::Result<Self> {
        let (client, _) = database::connect(url).await?;
        client
            .batch_execute(
                "SET synchronous_commit = on; SET jit = off; SET plan_cache_mode = force_generic_plan;
                 CREATE TABLE message (number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id uuid NOT NULL UNIQUE,
                     received bigint NOT NULL, raw bytea NOT NULL);
                 CREATE TABLE receipt (number bigint PRIMARY KEY, at bigint NOT NULL, body bytea NOT NULL);
                 ALTER TABLE message ALTER COLUMN raw SET STORAGE EXTERNAL",
            )
            .await?;
        let store =
            "INSERT INTO message (id, received, raw) SELECT unnest($2::uuid[]), $1::bigint, unnest($3::bytea[])
                     ON CONFLICT DO NOTHING RETURNING id, number";
        let keep = "INSERT INTO receipt (number, at, body) SELECT unnest($2::bigint[]), $1::bigint, unnest($3::bytea[])";
        let (store, keep) = (client.prepare(store).await?, client.prepare(keep).await?);
        Ok(Self { client, store, keep })
    }

    /// The numbers of the messages, in their order. One that is here already gets none.
    async fn commit(&self, group: &Group) -> anyhow::Result<Vec<Option<i64>>> {
        let now = System.now().as_microsecond();
        let (ids, raws): (Vec<Uuid>, Vec<&[u8]>) =
            group.rows.iter().map(|row| (row.id, &row.raw[..])).unzip();
        let (numbers, bodies): (Vec<i64>, Vec<&[u8]>) =
            group.receipts.iter().map(|(number, body)| (*number, &body[..])).unzip();
        // Sent one behind the other, before the first is answered. A COMMIT after a failure is a rollback.
        let (begun, stored, kept, committed) = futures_util::join!(
            self.client.batch_execute("BEGIN"),
            async {
                if ids.is_empty() {
                    Ok(vec![])
                } else {
                    self.client.query(&self.store, &[&now, &ids, &raws]).await
                }
            },
            async {
                if numbers.is_empty() {
                    Ok(0)
                } else {
                    self.client.execute(&self.keep, &[&now, &numbers, &bodies]).await
                }
            },
            self.client.batch_execute("COMMIT"),
        );
        begun?;
        let stored = stored?;
        kept?;
        committed?;
        let mut numbers: HashMap<Uuid, i64> = HashMap::with_capacity(stored.len());
        for row in &stored {
            numbers.insert(row.try_get(0)?, row.try_get(1)?);
        }
        Ok(ids.iter().map(|id| numbers.remove(id)).collect())
    }
}
