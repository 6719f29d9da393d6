//! One node tells of what stands behind a cursor, for as long as that takes.

use std::{pin::pin, time::Duration};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Either, select},
};
use tracing::warn;

use super::{Desk, Notice, Way};
use crate::{clock::Clock, store::StoreError};

/// How often the lead is asked for again while somebody is told: well within the time for which nobody else gets it.
const AGAIN_EVERY: Duration = Duration::from_secs(5);

/// Whether this node tells what it read from there on. Another may tell of it, or have done so since it was read.
pub(super) async fn leads(desk: &Desk, cursor: &str, read: i64) -> Result<bool, StoreError> {
    let store = &desk.store;
    Ok(store.lead(cursor.to_owned()).await? && store.cursor(cursor.to_owned()).await? == read)
}

/// Tells, and keeps the lead meanwhile: a mail server may take its time, and no other node tells the same then.
pub(super) async fn tell(desk: &Desk, cursor: &str, way: &dyn Way, notice: &Notice) -> Result<(), String> {
    let ask = || {
        async move {
            if let Err(error) = desk.store.lead(cursor.to_owned()).await {
                warn!(%error, "Another node may tell {} the same: the lead could not be asked for", notice.target);
            }
        }
        .boxed()
    };
    asking(&*desk.clock, ask, way.tell(notice)).await
}

/// What comes of it, with something asked again and again until then.
async fn asking<'a, T>(
    clock: &dyn Clock,
    ask: impl Fn() -> BoxFuture<'a, ()>,
    telling: impl Future<Output = T>,
) -> T {
    let again = async {
        loop {
            clock.sleep(AGAIN_EVERY).await;
            ask().await;
        }
    };
    match select(pin!(telling), pin!(again)).await {
        Either::Left((told, _)) => told,
        Either::Right((never, _)) => never,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures_util::poll;

    use super::*;
    use crate::clock::Moved;

    #[tokio::test]
    async fn the_lead_is_asked_for_again_for_as_long_as_somebody_is_told() {
        let clock = Moved::starting_at("2026-03-02T08:00:00Z".parse().unwrap());
        let (asked, (done, told)) = (AtomicU32::new(0), tokio::sync::oneshot::channel::<&str>());
        let ask = || {
            asked.fetch_add(1, Ordering::Relaxed);
            futures_util::future::ready(()).boxed()
        };
        let mut telling = pin!(asking(&clock, ask, told));
        for seconds in 1..=30 {
            assert!(poll!(&mut telling).is_pending());
            assert_eq!(asked.load(Ordering::Relaxed), (seconds - 1) / 5, "after {} seconds", seconds - 1);
            clock.advance(Duration::from_secs(1));
        }
        done.send("told").unwrap();
        assert_eq!(telling.await, Ok("told"));
    }
}
