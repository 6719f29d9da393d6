//! What lies in a store before measuring begins: messages that ended long ago, and promises that are still open.
//!
//! Everything is written by the store's own operations in large batches, so that its rows are what a gateway
//! would have written; only admission is spared, by storing a few admitted messages again and again under ids of
//! their own.

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::messages::{Ids, Messages};
use crate::{
    domain::{AttemptRecord, Outcome, ReceiptId, attempt::Proof},
    intake::{Rules, admit},
    store::{
        Accepted, Admission, Arrived, LeaseAsk, Next, Settlement, Store, StoreError, Verdict, Way,
        sqlite::{Mode, Sqlite},
    },
};

/// Nobody serves this receiver, so what is owed to it lies where it is.
const RECEIVER: &str = "bench-stock";
/// The party whose answers these are. Nobody fetches them.
pub(super) const PARTY: &str = "bench-stock";
/// Messages stored, and settled, in one call.
pub(super) const BATCH: u32 = 2048;
/// How far ahead open promises are due.
const DUE_IN: SignedDuration = SignedDuration::from_hours(300 * 24);
/// How many different messages the stock is made of.
const MODELS: u32 = 300;

/// How much of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stock {
    /// Messages that were delivered.
    pub finished: u32,
    /// How many of these have their bodies still; the others' are empty.
    pub with_bodies: u32,
    /// Messages whose promise is open and due in 300 days.
    pub promises: u32,
}

/// Lays the stock into the store at `path`, which is created if it is not there.
///
/// # Errors
/// The store cannot be written, or the rules refuse what is generated.
pub async fn lay(
    path: &Path,
    stock: Stock,
    rules: &Rules,
    jobcentre: &str,
    now: Timestamp,
) -> anyhow::Result<()> {
    let models = models(rules, jobcentre, now)?;
    let store = Sqlite::open(path, Mode::Daemon)?;
    let mut left = stock.finished;
    while left > 0 {
        let count = left.min(BATCH);
        let done = stock.finished - left;
        accept(
            &store,
            (done..done + count).map(|n| admitted(&models, n, n < stock.with_bodies, now)).collect(),
        )
        .await?;
        deliver(&store, now).await?;
        left -= count;
    }
    for first in (0..stock.promises).step_by(BATCH as usize) {
        let batch = first..stock.promises.min(first + BATCH);
        accept(&store, batch.map(|n| admitted(&models, n, true, now)).collect()).await?;
    }
    Ok(())
}

/// Messages as the rules take them.
pub(super) fn models(rules: &Rules, jobcentre: &str, now: Timestamp) -> anyhow::Result<Vec<Accepted>> {
    let Some(party) = rules.senders.keys().next() else { anyhow::bail!("nobody sends") };
    let messages = Messages {
        count: MODELS,
        seed: 1,
        parties: std::slice::from_ref(party),
        jobcentres: &[jobcentre.to_owned()],
        ids: Ids::Random,
        numbered: false,
    };
    let admitted = messages.make(now).into_iter().map(|(party, raw)| {
        let arrived = Arrived {
            receipt: ReceiptId::from_fresh(Uuid::now_v7()),
            party,
            way: Way::Local,
            received: now,
            sent: None,
            content_type: Some("application/cloudevents+json".into()),
            headers: vec![],
            raw,
            generation: rules.generation,
            in_hand: None,
        };
        match admit(rules, arrived) {
            Admission::Accepted(accepted) => Ok(*accepted),
            Admission::Invalid(invalid) => anyhow::bail!("a model is not valid: {:?}", invalid.violations),
        }
    });
    admitted.collect()
}

/// A model as a message of its own, owed to nobody who is served.
pub(super) fn copy(models: &[Accepted], number: u32, with_body: bool, now: Timestamp) -> Accepted {
    let mut message = models[number as usize % models.len()].clone();
    message.arrived.receipt = ReceiptId::from_fresh(Uuid::now_v7());
    PARTY.clone_into(&mut message.arrived.party);
    message.envelope.id = Uuid::new_v4().to_string().parse().expect("a UUID is an id");
    for delivery in &mut message.deliveries {
        RECEIVER.clone_into(&mut delivery.receiver);
        delivery.ordering_key = None;
        delivery.promise.course.due = now + DUE_IN;
        delivery.expires = None;
    }
    if !with_body {
        message.arrived.raw = Bytes::new();
        for delivery in &mut message.deliveries {
            delivery.parcel.body = Bytes::new();
        }
    }
    message
}

fn admitted(models: &[Accepted], number: u32, with_body: bool, now: Timestamp) -> Admission {
    Admission::Accepted(Box::new(copy(models, number, with_body, now)))
}

pub(super) async fn accept(store: &dyn Store, batch: Vec<Admission>) -> anyhow::Result<()> {
    for verdict in store.accept(batch).await? {
        anyhow::ensure!(
            matches!(verdict, Verdict::Accepted(_)),
            "a model was not stored: {}",
            verdict.name()
        );
    }
    Ok(())
}

/// Delivers everything that is owed.
async fn deliver(store: &Sqlite, now: Timestamp) -> Result<(), StoreError> {
    loop {
        let ask = LeaseAsk {
            receiver: RECEIVER.to_owned(),
            most: BATCH,
            now,
            until: now + SignedDuration::from_mins(5),
            due_by: None,
            due_after: None,
            wake_all: false,
            probe: false,
        };
        let leases = store.lease_due(ask).await?.leases;
        if leases.is_empty() {
            return Ok(());
        }
        let settlements = leases.into_iter().map(|lease| {
            let proof = Proof { status: Some(202), receipt: Some("BENCH-1".into()), ..Proof::default() };
            let took = SignedDuration::from_millis(3);
            let record = AttemptRecord { started: now, took, outcome: Outcome::Delivered(proof) };
            Settlement { lease, record, next: Next::Delivered, now }
        });
        store.settle(Arc::new(settlements.collect())).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config,
        store::{Conservation, Views},
        tools::bench::deployment::{Deployment, head},
    };

    #[tokio::test]
    async fn what_is_laid_is_finished_or_owed_to_nobody_who_is_served() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stock.db");
        let funds = ["3f".to_owned()];
        let deployment = Deployment { funds: &funds, receivers: 1, agreements: 0 };
        let toml = deployment.toml(|_| "http://127.0.0.1:9/".into(), "", "");
        let settings = config::from_text("bench.toml", &(head("sqlite:x.db", "") + &toml)).unwrap();
        let rules = config::rules(&settings, 1).unwrap();
        let now = "2026-11-22T10:00:00Z".parse().unwrap();
        let stock = Stock { finished: BATCH + 10, with_bodies: 10, promises: 20 };
        lay(&path, stock, &rules, &deployment.jobcentres()[0], now).await.unwrap();
        let store = Sqlite::open(&path, Mode::Daemon).unwrap();
        let finished = i64::from(stock.finished);
        assert_eq!(
            store.conservation().await.unwrap(),
            Conservation {
                taken: finished + 20,
                delivered: finished,
                pending: 20,
                ..Conservation::default()
            }
        );
        let standing = store.sla_totals(now + SignedDuration::from_hours(299 * 24)).await.unwrap();
        assert_eq!(standing.get("open"), Some(&20), "{standing:?}");
    }
}
