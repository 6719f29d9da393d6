//! Second ways: let go when the first endangers the promise, and told of while people may want to know.

use futures_util::{FutureExt, future::BoxFuture};
use jiff::Timestamp;
use tracing::warn;

use super::{Desk, STEPS_MAX, Watcher, lately};
use crate::{
    domain::alert::{Condition, Urgency},
    store::{StoreError, views},
    telemetry::Fallback,
};

pub(super) struct Fallbacks;

const RELEASED: &str = "KassebroFallbackReleased";

impl Watcher for Fallbacks {
    fn names(&self) -> &'static [&'static str] {
        &[RELEASED]
    }

    fn conditions<'a>(
        &'a self,
        desk: &'a Desk,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Condition>, StoreError>> {
        async move { Ok(desk.store.fallbacks(lately(now)).await?.iter().map(condition).collect()) }.boxed()
    }
}

fn condition(group: &views::Fallbacks) -> Condition {
    let views::Fallbacks { first, second, count, pending, since, example } = group;
    let labels = [("receiver", first.as_str()), ("way", second)];
    Condition::new(RELEASED, Urgency::Warning, &labels, *since)
        .summary(format!(
            "{count} messages to {first} went by the second way {second} within the hour, for the first endangered \
             their promise; {pending} of them are on their way still"
        ))
        .description(format!("the latest is {example}; kassebro sla explain {example}"))
}

/// Lets every second way go whose time has come. Says how many.
///
/// # Errors
/// The store cannot write.
pub(super) async fn release(desk: &Desk) -> Result<usize, StoreError> {
    let mut count = 0;
    loop {
        let released = desk.store.release_fallbacks(desk.clock.now(), STEPS_MAX).await?;
        for one in &released {
            let reason = one.reason.name();
            let labels = Fallback {
                kind: one.kind.clone(),
                receiver: one.first.clone(),
                way: one.receiver.clone(),
                reason,
            };
            desk.metrics.fallbacks_released.get_or_create(&labels).inc();
            warn!(delivery.id = %one.delivery, receiver = %one.receiver, due = %one.due_at, reason,
                "Message {} to {} goes by the second way {} too", one.receipt, one.first, one.receiver);
        }
        count += released.len();
        if released.len() < STEPS_MAX as usize {
            return Ok(count);
        }
    }
}
