//! Receivers that are left alone: an open circuit, or a pause that a person set.

use futures_util::{FutureExt, future::BoxFuture};
use jiff::Timestamp;

use super::{Desk, Watcher};
use crate::{
    domain::{
        alert::{CIRCUIT_OPEN, Condition, Urgency},
        circuit::Circuit,
    },
    store::{LaneState, StoreError},
};

pub(super) struct Lanes;

const PAUSED: &str = "KassebroReceiverPaused";

impl Watcher for Lanes {
    fn names(&self) -> &'static [&'static str] {
        &[CIRCUIT_OPEN, PAUSED]
    }

    fn conditions<'a>(
        &'a self,
        desk: &'a Desk,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Condition>, StoreError>> {
        async move {
            let lanes = desk.store.lanes().await?;
            // Nobody probes a receiver that is configured no more.
            let served = lanes.iter().filter(|lane| desk.receivers.contains(&lane.receiver));
            Ok(served.flat_map(|lane| conditions(lane, now)).collect())
        }
        .boxed()
    }
}

fn conditions(lane: &LaneState, now: Timestamp) -> Vec<Condition> {
    let labels = [("receiver", lane.receiver.as_str())];
    let mut conditions = Vec::new();
    if let Circuit::Open { since, probe_at, fault, .. } = &lane.circuit {
        conditions.push(
            Condition::new(CIRCUIT_OPEN, Urgency::Warning, &labels, *since)
                .summary(format!("{} does not take parcels; it is probed and nothing is lost", lane.receiver))
                .description(format!("{fault}; next probe about {probe_at}")),
        );
    }
    if let Some(reason) = &lane.paused {
        conditions.push(
            Condition::new(PAUSED, Urgency::Info, &labels, now)
                .summary(format!("{} is paused; its deadlines run on", lane.receiver))
                .description(reason.clone()),
        );
    }
    conditions
}
