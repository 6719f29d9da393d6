//! One try: boxed in time, fenced against panics.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt;
use jiff::SignedDuration;
use tracing::error;

use super::watched::Watched;
use crate::{
    channels::{Channel, Consignment},
    clock::Clock,
    domain::{AttemptRecord, Fault, FaultCode, Outcome},
    lifecycle::crash,
    store::Lease,
};

/// Sends the stored bytes, nothing else, and says what it came to. Never longer than `timeout`.
pub(super) async fn attempt(
    lease: Lease,
    channel: Arc<dyn Channel>,
    clock: Arc<dyn Clock>,
    timeout: Duration,
    watched: Watched,
) -> (Lease, AttemptRecord) {
    let (started, began) = (clock.now(), clock.monotonic());
    let own = watched.traceparent();
    let consignment = Consignment {
        delivery: lease.delivery,
        parcel: lease.parcel.clone(),
        event_type: lease.event_type.clone(),
        source: lease.source.clone(),
        message_id: lease.message_id.clone(),
        correlation_id: lease.correlation_id.clone(),
        // An attempt that is a trace of its own begins without another's state (W3C Trace Context, 3.3).
        tracestate: lease.tracestate.clone().filter(|_| own.is_none()),
        traceparent: own.or_else(|| lease.traceparent.clone()),
        due: lease.due,
        now: started,
    };
    let sent = tokio::select! {
        biased;
        sent = AssertUnwindSafe(channel.send(&consignment)).catch_unwind() => Some(sent),
        () = clock.sleep(timeout) => None,
    };
    crash::point("lane.after-send");
    let outcome = match sent {
        Some(Ok(outcome)) => outcome,
        None => Outcome::fault(Fault::new(FaultCode::NoAnswer, "the attempt took longer than it may")),
        Some(Err(_)) => {
            error!(delivery.id = %lease.delivery, "The attempt of delivery {} stopped by a panic", lease.delivery);
            Outcome::fault(Fault::new(FaultCode::AttemptCrashed, "our own code panicked in the channel"))
        }
    };
    let took = clock.monotonic().saturating_sub(began);
    watched.ended(&lease, &*channel, &outcome, (started, took));
    let took = SignedDuration::try_from(took).unwrap_or(SignedDuration::MAX);
    (lease, AttemptRecord { started, took, outcome })
}
