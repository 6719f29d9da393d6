//! Writes down how fast receivers work, as the lanes of this process measure it: seldom, and all in one go.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use jiff::SignedDuration;
use tracing::warn;

use super::Desk;
use crate::{
    domain::pace::{Meter, Pace},
    lifecycle::Stop,
    store::StoreError,
};

/// No more often than this.
const EVERY: Duration = Duration::from_secs(10);
/// Also what has not moved, so that it is seen that the lane is there.
const AGAIN_AFTER: Duration = Duration::from_mins(5);

/// One lane's measuring, shared with whoever writes it down.
#[derive(Debug, Clone)]
pub(super) struct Measured(Arc<Mutex<Meter>>);

impl Measured {
    pub(super) fn of(permits: u32) -> Self {
        Self(Arc::new(Mutex::new(Meter::new(permits))))
    }

    /// See [`Meter::pass`].
    pub(super) fn pass(&self, at: Duration, works: bool) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pass(at, works);
    }

    /// See [`Meter::ended`].
    pub(super) fn ended(&self, took: SignedDuration, settled: bool) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).ended(took, settled);
    }

    fn pace(&self) -> Option<Pace> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pace()
    }
}

/// The measuring of every lane that lives, by its receiver.
#[derive(Debug, Clone, Default)]
pub(super) struct Register(Arc<Mutex<HashMap<String, Weak<Mutex<Meter>>>>>);

impl Register {
    /// In the place of an earlier lane of the same receiver.
    pub(super) fn add(&self, receiver: String, measured: &Measured) {
        let mut lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.retain(|_, measured| measured.strong_count() > 0);
        lanes.insert(receiver, Arc::downgrade(&measured.0));
    }

    fn paces(&self) -> Vec<(String, Pace)> {
        let lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let living = lanes.iter().filter_map(|(receiver, measured)| Some((receiver, measured.upgrade()?)));
        living
            .filter_map(|(receiver, measured)| Some((receiver.clone(), Measured(measured).pace()?)))
            .collect()
    }
}

/// Writes until the stop. What cannot be written is written the next time.
///
/// # Errors
/// The store cannot be used any more.
pub(super) async fn keep(desk: Desk, lanes: Register, stop: Stop) -> Result<(), StoreError> {
    let mut written: HashMap<String, (Pace, Duration)> = HashMap::new();
    while stop.unless_soft(desk.clock.pause(EVERY)).await.is_some() {
        let at = desk.clock.monotonic();
        let news: Vec<(String, Pace)> = lanes
            .paces()
            .into_iter()
            .filter(|(receiver, pace)| {
                written.get(receiver).is_none_or(|(before, then)| {
                    pace.differs(before) || at.saturating_sub(*then) >= AGAIN_AFTER
                })
            })
            .collect();
        if news.is_empty() {
            continue;
        }
        match desk.store.save_paces(news.clone(), desk.clock.now()).await {
            Ok(()) => written.extend(news.into_iter().map(|(receiver, pace)| (receiver, (pace, at)))),
            Err(error @ StoreError::Unusable(_)) => return Err(error),
            Err(error) => warn!(error = %error, "Keeping how fast receivers work failed; trying again"),
        }
    }
    Ok(())
}
