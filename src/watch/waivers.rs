//! Waivers that wait for a second person.

use std::collections::BTreeMap;

use futures_util::{FutureExt, future::BoxFuture};
use jiff::Timestamp;

use super::{Desk, Watcher};
use crate::{
    domain::alert::{Condition, Urgency},
    store::{StoreError, views::WaiverRequest},
};

pub(super) struct Waivers;

const REQUESTED: &str = "KassebroWaiverRequested";

impl Watcher for Waivers {
    fn names(&self) -> &'static [&'static str] {
        &[REQUESTED]
    }

    fn conditions<'a>(
        &'a self,
        desk: &'a Desk,
        _now: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Condition>, StoreError>> {
        async move { Ok(conditions(&desk.store.waiver_requests().await?)) }.boxed()
    }
}

/// One for each receiver and kind. `requests` are the oldest first.
fn conditions(requests: &[WaiverRequest]) -> Vec<Condition> {
    let mut groups: BTreeMap<(&str, &str), Vec<&WaiverRequest>> = BTreeMap::new();
    for request in requests {
        groups.entry((&request.kind, &request.receiver)).or_default().push(request);
    }
    let condition = |((kind, receiver), group): (_, Vec<&WaiverRequest>)| {
        let (first, count) = (group[0], group.len());
        Condition::new(REQUESTED, Urgency::Warning, &[("kind", kind), ("receiver", receiver)], first.at)
            .summary(format!(
                "Somebody asks to waive what is promised for {count} {kind} to {receiver}; a second person has to agree"
            ))
            .description(format!("kassebro sla list; kassebro sla approve {}", first.delivery_id))
    };
    groups.into_iter().map(condition).collect()
}
