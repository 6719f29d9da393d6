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
    domain::{circuit::CircuitPolicy, maintenance::Maintenance, retry::RetryPolicy},
    lifecycle::{Stop, Tasks},
    store::{LaneState, Store, StoreError},
    telemetry::Metrics,
};

pub mod answers;
mod attempt;
mod judge;
mod lane;
mod paces;
mod ready;
mod watched;

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

/// How all lanes stand in the table.
#[derive(Debug, Default)]
pub struct Standing {
    /// When the reading of it began, by the monotonic clock.
    read: Duration,
    lanes: HashMap<String, LaneState>,
    maintenance: HashMap<String, Vec<Maintenance>>,
}

impl Standing {
    async fn read(desk: &Desk) -> Result<Self, StoreError> {
        let read = desk.clock.monotonic();
        let lanes = desk.store.lanes().await?.into_iter().map(|lane| (lane.receiver.clone(), lane)).collect();
        let mut maintenance: HashMap<String, Vec<Maintenance>> = HashMap::new();
        for window in desk.store.maintenance().await? {
            maintenance.entry(window.receiver.clone()).or_default().push(window);
        }
        Ok(Self { read, lanes, maintenance })
    }
}

/// What all lanes of a process share.
#[derive(Debug, Clone)]
pub struct Lanes {
    standing: watch::Receiver<Standing>,
    paces: paces::Register,
}

/// Starts reading how the lanes stand and writing down how fast they work, for all lanes of the process.
///
/// # Errors
/// The store cannot be read.
pub async fn lanes(desk: &Desk, tasks: &Tasks) -> Result<Lanes, StoreError> {
    let (tell, standing) = watch::channel(Standing::read(desk).await?);
    tasks.spawn("lanes", watch_lanes(desk.clone(), tell, tasks.stop().clone()));
    let paces = paces::Register::default();
    tasks.spawn("paces", paces::keep(desk.clone(), paces.clone(), tasks.stop().clone()));
    Ok(Lanes { standing, paces })
}

/// Starts a lane, with the circuit that the store kept.
pub fn start(desk: &Desk, (config, channel): (LaneConfig, Arc<dyn Channel>), lanes: &Lanes, tasks: &Tasks) {
    let receiver = config.receiver.clone();
    let lane = Lane::new(config, channel, desk.clone(), lanes.standing.clone());
    lanes.paces.add(receiver, &lane.measured());
    tasks.spawn("lane", lane.run(tasks.stop().clone()));
}

/// Reads who is paused and which circuits other nodes moved, as often as a lane looks.
async fn watch_lanes(desk: Desk, tell: watch::Sender<Standing>, stop: Stop) -> Result<(), StoreError> {
    while stop.unless_soft(desk.clock.sleep(POLL)).await.is_some() {
        match Standing::read(&desk).await {
            Ok(standing) => {
                tell.send_if_modified(|known| {
                    let changed = known.lanes != standing.lanes || known.maintenance != standing.maintenance;
                    *known = standing;
                    changed
                });
            }
            Err(error) => warn!(error = %error, "Reading how the lanes stand failed; trying again"),
        }
    }
    Ok(())
}
