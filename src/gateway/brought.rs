//! Counts what receipts, return messages and other events brought about, in whichever process they came: each lane counts
//! for itself what it delivers.

use std::time::Duration;

use tracing::warn;

use crate::{
    dispatch::Desk,
    lifecycle::Stop,
    store::{Store, StoreError, brought::MetPromise},
    telemetry::{
        Metrics,
        flow::{Cause, Ended},
    },
};

/// Between two looks: no longer than what a clock that leaps takes for one.
const EVERY: Duration = Duration::from_secs(1);

/// Counts until the stop.
///
/// # Errors
/// The store cannot be used any more.
pub(super) async fn count(desk: Desk, stop: Stop) -> Result<(), StoreError> {
    while stop.unless_soft(desk.clock.sleep(EVERY)).await.is_some() {
        match count_once(&*desk.store, &desk.metrics).await {
            Err(error @ StoreError::Unusable(_)) => return Err(error),
            Err(error) => warn!(error = %error, "Some promises that were met are not in the metrics"),
            Ok(()) => {}
        }
    }
    Ok(())
}

async fn count_once(store: &dyn Store, metrics: &Metrics) -> Result<(), StoreError> {
    loop {
        let brought = store.brought().await?;
        for taken in &brought.delivered {
            metrics.flow.delivered(&taken.kind, &taken.receiver, taken.lead_time);
        }
        for promise in &brought.met {
            metrics.flow.promises_ended(&promise.kind, &promise.receiver, kept(promise), 1);
        }
        if !brought.is_more {
            return Ok(());
        }
    }
}

/// How it was kept. What is not the sender's lateness is the receiver's, whose word was waited for.
fn kept(promise: &MetPromise) -> (Ended, Cause) {
    match (promise.is_late, promise.came_late) {
        (false, _) => (Ended::Met, Cause::None),
        (true, true) => (Ended::MetLate, Cause::Sender),
        (true, false) => (Ended::MetLate, Cause::Receiver),
    }
}
