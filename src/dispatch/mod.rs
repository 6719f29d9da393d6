//! Deliveries out: a lane per receiver, each lease → attempt → settle, within its own permits.
//!
//! Lanes share nothing but the store, so that a dead receiver never slows another.

use std::{collections::HashMap, sync::Arc, time::Duration};

use jiff::SignedDuration;
use tokio::sync::watch;
use tracing::warn;

use crate::{
    channels::Channel,
    clock::Clock,
    domain::{circuit::CircuitPolicy, retry::RetryPolicy},
    lifecycle::{Stop, Tasks},
    store::{Store, StoreError},
    telemetry::Metrics,
};

pub mod answers;
mod attempt;
mod judge;
mod lane;
mod ready;

pub use judge::{Ambiguous, judge};
pub use lane::Lane;

/// How long a lane waits before it looks again although nobody rang.
pub const POLL: Duration = Duration::from_secs(1);

/// How one receiver is served.
#[derive(Debug, Clone)]
pub struct LaneConfig {
    pub receiver: String,
    /// Attempts at one time; at least 1.
    pub permits: u32,
    /// The longest an attempt may take. The lease outlasts it.
    pub attempt_timeout: Duration,
    pub retry: RetryPolicy,
    pub circuit: CircuitPolicy,
    /// Deliveries whose deadline is nearer than this pass an open circuit by.
    pub give_way: SignedDuration,
    pub ambiguous: Ambiguous,
    /// How long attempts may go on once a stop was asked.
    pub stop_grace: Duration,
}

/// What lanes work with.
#[derive(Clone)]
pub struct Desk {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub metrics: Arc<Metrics>,
}

/// Which receivers people have paused.
type Paused = HashMap<String, String>;

/// Starts a lane for each receiver, with the circuits that the store kept.
///
/// # Errors
/// The store cannot be read.
pub async fn start(
    desk: &Desk,
    lanes: Vec<(LaneConfig, Arc<dyn Channel>)>,
    tasks: &Tasks,
) -> Result<(), StoreError> {
    let mut kept: HashMap<_, _> =
        desk.store.lanes().await?.into_iter().map(|l| (l.receiver.clone(), l)).collect();
    let paused = kept.values().filter_map(|l| Some((l.receiver.clone(), l.paused.clone()?))).collect();
    let (tell, paused) = watch::channel(paused);
    for (config, channel) in lanes {
        let circuit = kept.remove(&config.receiver).map(|l| l.circuit).unwrap_or_default();
        let lane = Lane::new(config, channel, desk.clone(), circuit, paused.clone());
        tasks.spawn("lane", lane.run(tasks.stop().clone()));
    }
    tasks.spawn("pauses", watch_pauses(desk.clone(), tell, tasks.stop().clone()));
    Ok(())
}

/// Reads who is paused, as often as a lane looks.
async fn watch_pauses(desk: Desk, tell: watch::Sender<Paused>, stop: Stop) -> Result<(), StoreError> {
    while stop.unless_soft(desk.clock.sleep(POLL)).await.is_some() {
        match desk.store.lanes().await {
            Ok(lanes) => {
                let paused: Paused =
                    lanes.into_iter().filter_map(|l| Some((l.receiver, l.paused?))).collect();
                tell.send_if_modified(|known| {
                    let changed = *known != paused;
                    *known = paused;
                    changed
                });
            }
            Err(error) => warn!(error = %error, "Reading which receivers are paused failed; trying again"),
        }
    }
    Ok(())
}
