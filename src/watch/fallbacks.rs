//! Second ways: let go when the first endangers the promise, and told of while people may want to know.

use std::sync::Arc;

use futures_util::{FutureExt, future::BoxFuture};
use jiff::Timestamp;
use tracing::warn;

use super::{
    Desk, STEPS_MAX, Watcher,
    forecast::{Forecast, why},
    lately,
};
use crate::{
    domain::{
        alert::{Condition, Urgency},
        forecast::{Cause, Late},
    },
    store::{
        Foreseen, Release, Released, StoreError,
        ahead::{Standby, StandbyAsk},
        views,
    },
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
        let released = desk.store.release_fallbacks(Release::Due(STEPS_MAX), desk.clock.now()).await?;
        tell(desk, &released);
        count += released.len();
        if released.len() < STEPS_MAX as usize {
            return Ok(count);
        }
    }
}

fn tell(desk: &Desk, released: &[Released]) {
    for one in released {
        let reason = one.reason.name();
        let labels = Fallback {
            kind: one.kind.clone(),
            receiver: one.first.clone(),
            way: one.receiver.clone(),
            reason,
        };
        desk.metrics.fallbacks_released.get_or_create(&labels).inc();
        let forecast = one.foreseen.as_ref().map(|foreseen| foreseen.why.as_str());
        warn!(delivery.id = %one.delivery, receiver = %one.receiver, due = %one.due_at, reason, forecast,
            "Message {} to {} goes by the second way {} too", one.receipt, one.first, one.receiver);
    }
}

/// Lets second ways go before their time.
#[derive(Debug, Default)]
pub(super) struct Foresight {
    /// The forecasts that were worked off last: each is once.
    seen: Option<Arc<Vec<Forecast>>>,
}

impl Foresight {
    /// Lets those go of which the forecast says that the first way will be late, once enough of their time is used.
    ///
    /// The store is asked for receivers only that something will be late for, and finds by an index what may go: an
    /// outage of a receiver without second ways, and a quiet day, cost nothing.
    ///
    /// # Errors
    /// The store cannot be read or written.
    pub(super) async fn look(&mut self, desk: &Desk) -> Result<(), StoreError> {
        let forecasts = desk.survey.forecasts(&*desk.store, &*desk.clock).await?;
        // What was reckoned before may be over by now.
        if self.seen.as_ref().is_some_and(|seen| Arc::ptr_eq(seen, &forecasts)) {
            return Ok(());
        }
        for forecast in forecasts.iter() {
            for late in forecast.late.iter().filter(|late| lets_go(late.cause)) {
                release_late(desk, forecast, late).await?;
            }
        }
        self.seen = Some(forecasts);
        Ok(())
    }
}

/// Whether being late for that reason is one for the second way. A pause is not: a person made it, is told by an alert
/// what it endangers, and can end it at any time; second ways go at their own time in it.
fn lets_go(cause: Cause) -> bool {
    match cause {
        Cause::Backlog | Cause::Outage { .. } | Cause::Maintenance { .. } => true,
        Cause::Pause => false,
    }
}

async fn release_late(desk: &Desk, forecast: &Forecast, late: &Late) -> Result<(), StoreError> {
    loop {
        let now = desk.clock.now();
        let (first, most) = (forecast.receiver.clone(), STEPS_MAX);
        let ask = StandbyAsk { first, now, from: late.from, until: late.until, most };
        let standbys = desk.store.standbys(ask).await?;
        if standbys.is_empty() {
            return Ok(());
        }
        let found = standbys.len();
        let foreseen = standbys.into_iter().map(|standby| foreseen(forecast, late, standby)).collect();
        let released = desk.store.release_fallbacks(Release::Foreseen(foreseen), now).await?;
        tell(desk, &released);
        // Of what another node lets go just now the next look says whether it did.
        if found < STEPS_MAX as usize || released.is_empty() {
            return Ok(());
        }
    }
}

fn foreseen(forecast: &Forecast, late: &Late, Standby { number, first, due }: Standby) -> Foreseen {
    let place = forecast.first.iter().find(|(_, _, ahead)| ahead.delivery == first).map(|(place, ..)| *place);
    let place = place.unwrap_or_else(|| late.place(due));
    Foreseen {
        number,
        due,
        cause: late.cause,
        why: why(late.cause, &forecast.receiver),
        done: forecast.outlook.done(place),
    }
}
