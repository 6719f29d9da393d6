//! What should be alerted, by the clock: each watcher says what is so now, and the store opens and resolves.
//!
//! Input-free and without memory: after a downtime the first look finds what should have been found, with the
//! instants at which it was truly due. An alert never causes an alert (invariant I8).

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use tracing::{info, warn};

use crate::{
    clock::Clock,
    domain::{
        Agreement,
        alert::{Change, Condition},
        ladder::Ladders,
    },
    lifecycle::{Stop, crash},
    store::{
        Store, StoreError,
        views::{Backlog, HeldGroup},
    },
    telemetry::{ForReceiver, InState, Metrics, Steps},
};

mod agreements;
mod alive;
mod astray;
mod backlog;
mod configuration;
mod dead;
mod fallbacks;
pub mod forecast;
mod gauges;
mod held;
mod lanes;
mod lead;
mod maintenance;
pub mod notify;
pub mod retention;
mod seldom;
mod sla;
mod survey;
mod waivers;
mod watchdog;

pub use sla::Danger;
pub use survey::Survey;

/// Steps recorded in one transaction.
const STEPS_MAX: u32 = 1_000;
/// After steps fell due, deadlines are looked at again so soon.
const SOON: Duration = Duration::from_millis(100);
/// How often watchers look, and not oftener than deadlines are looked at.
const CONDITIONS_EVERY: Duration = Duration::from_secs(1);

/// What watchers work with.
#[derive(Clone)]
pub struct Desk {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub metrics: Arc<Metrics>,
    /// How often deadlines are compared with the clock.
    pub period: Duration,
    /// A receiver whose oldest pending message is older is alerted.
    pub backlog_age: Duration,
    pub survey: Survey,
    pub danger: Danger,
    /// Who is told when a promise comes into danger.
    pub ladders: Arc<Ladders>,
    /// The configuration that this is of.
    pub generation: u64,
    /// The agreements in configuration.
    pub agreements: Arc<[Agreement]>,
    /// An agreement that runs out within so many days is alerted.
    pub agreement_expiry_days: u16,
    /// The receivers in configuration, by name.
    pub receivers: BTreeSet<String>,
}

impl Desk {
    /// What waits for whom, as it was counted last.
    async fn backlogs(&self) -> Result<Arc<Vec<Backlog>>, StoreError> {
        self.survey.backlogs(&*self.store, &*self.clock).await
    }

    /// What waits for a person, as it was counted last.
    async fn held(&self) -> Result<Arc<Vec<HeldGroup>>, StoreError> {
        self.survey.held(&*self.store, &*self.clock).await
    }
}

/// One question asked again and again: what should be alerted now?
pub trait Watcher: Send + Sync {
    /// The alerts this watcher opens and resolves.
    fn names(&self) -> &'static [&'static str];

    fn conditions<'a>(
        &'a self,
        desk: &'a Desk,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Condition>, StoreError>>;
}

/// What happens at an instant and is over has an alert until none has come for this long. Whoever wants it silent before
/// acknowledges it.
const QUIET_AFTER: SignedDuration = SignedDuration::from_hours(1);

/// Since when such a thing is alerted.
fn lately(now: Timestamp) -> Timestamp {
    now.checked_sub(QUIET_AFTER).unwrap_or(Timestamp::MIN)
}

/// Every watcher.
const WATCHERS: &[&dyn Watcher] = &[
    &sla::Sla,
    &lanes::Lanes,
    &forecast::Misses,
    &maintenance::Windows,
    &backlog::Backlogs,
    &dead::Dead,
    &held::Held,
    &fallbacks::Fallbacks,
    &astray::Strays,
    &agreements::Agreements,
    &waivers::Waivers,
    &configuration::Configuration,
    &watchdog::Watchdog,
];

/// Watches until the stop. Steps are recorded beside the looks: what is dear to count makes no timer late.
///
/// # Errors
/// The store cannot be used any more.
pub async fn run(desk: Desk, stop: Stop) -> Result<(), StoreError> {
    let mut alive = alive::Alive::new(&desk);
    alive.beat(&desk).await;
    // After a downtime the first look sees the steps that passed meanwhile.
    step(&desk).await?;
    // Beside each other: a look counts everything that waits, and no deadline waits for that.
    futures_util::future::try_join(steps(&desk, &stop, &mut alive), looks(&desk, &stop)).await?;
    alive.end(&desk).await;
    Ok(())
}

async fn steps(desk: &Desk, stop: &Stop, alive: &mut alive::Alive) -> Result<(), StoreError> {
    let mut pause = desk.period;
    while stop.unless_soft(desk.clock.sleep(pause)).await.is_some() {
        alive.beat(desk).await;
        // Where one fell due another soon does.
        pause = if step(desk).await? == 0 { desk.period } else { desk.period.min(SOON) };
    }
    Ok(())
}

/// Says how many steps it recorded.
async fn step(desk: &Desk) -> Result<usize, StoreError> {
    match advance(desk).await {
        Err(error @ StoreError::Unusable(_)) => return Err(error),
        Err(error) => warn!(error = %error, "Comparing deadlines with the clock failed; trying again"),
        Ok(count) => return Ok(count),
    }
    Ok(0)
}

async fn looks(desk: &Desk, stop: &Stop) -> Result<(), StoreError> {
    let mut gauged = BTreeSet::new();
    let mut shown = gauges::Shown::new(&*desk.clock);
    let mut foresight = fallbacks::Foresight::default();
    while !stop.is_soft() {
        match look(desk, &mut gauged, &mut shown).await {
            Err(error @ StoreError::Unusable(_)) => return Err(error),
            Err(error) => warn!(error = %error, "Watching failed; trying again"),
            Ok(()) => {}
        }
        match foresight.look(desk).await {
            Err(error @ StoreError::Unusable(_)) => return Err(error),
            Err(error) => {
                warn!(error = %error, "Letting second ways go by the forecast failed; trying again");
            }
            Ok(()) => {}
        }
        stop.unless_soft(desk.clock.sleep(CONDITIONS_EVERY.max(desk.period))).await;
    }
    Ok(())
}

/// Records every step that has come, and lets second ways go. Says how many.
async fn advance(desk: &Desk) -> Result<usize, StoreError> {
    let mut count = 0;
    loop {
        let passed = desk.store.advance_deadlines(desk.clock.now(), STEPS_MAX).await?;
        if !passed.is_empty() {
            crash::point("watch.after-steps");
        }
        for step in &passed {
            let word = match step.step {
                50 => "50",
                75 => "75",
                90 => "90",
                _ => "100",
            };
            let promise = step.promise.clone();
            let labels =
                Steps { kind: step.kind.clone(), promise, receiver: step.receiver.clone(), step: word };
            desk.metrics.sla_steps.get_or_create(&labels).inc();
            if step.step >= 100 {
                warn!(receipt = %step.receipt, receiver = %step.receiver, due = %step.due_at,
                    "The promise {} of message {} to {} was due at {} and is breached",
                    step.promise, step.receipt, step.receiver, step.due_at);
            }
        }
        count += passed.len();
        gauges::passed(desk, &passed).await;
        if passed.len() < STEPS_MAX as usize {
            return Ok(count + fallbacks::release(desk).await?);
        }
    }
}

/// Asks every watcher, opens and resolves where no other node does, and counts what waits.
async fn look(
    desk: &Desk,
    gauged: &mut BTreeSet<String>,
    shown: &mut gauges::Shown,
) -> Result<(), StoreError> {
    let now = desk.clock.now();
    let (mut names, mut conditions) = (Vec::new(), Vec::new());
    for watcher in WATCHERS {
        names.extend_from_slice(watcher.names());
        conditions.extend(watcher.conditions(desk, now).await?);
    }
    desk.metrics.alerts_open.set(i64::try_from(conditions.len()).unwrap_or(i64::MAX));
    let changes = if lead::leads(desk, now).await? {
        desk.store.reconcile_alerts(names, conditions, now).await?
    } else {
        vec![]
    };
    for (change, condition) in changes {
        let (what, name) = (change.name(), &condition.name);
        match change {
            Change::Opened | Change::Escalated
                if condition.urgency >= crate::domain::alert::Urgency::Warning =>
            {
                warn!(alert = %condition.key, since = %condition.since, "Alert {name} {what}: {}", condition.summary);
            }
            _ => info!(alert = %condition.key, "Alert {name} {what}: {}", condition.summary),
        }
    }
    gauge(desk, gauged).await?;
    shown.look(desk).await
}

/// Shows what waits. `gauged` are the receivers that were shown before: a backlog that is gone is shown as none.
async fn gauge(desk: &Desk, gauged: &mut BTreeSet<String>) -> Result<(), StoreError> {
    let metrics = &desk.metrics;
    let mut backlogs = desk.backlogs().await?.to_vec();
    for receiver in std::mem::take(gauged) {
        if backlogs.iter().all(|backlog| backlog.receiver != receiver) {
            backlogs.push(Backlog { receiver, ..Backlog::default() });
        }
    }
    for backlog in backlogs {
        let receiver = backlog.receiver;
        gauged.insert(receiver.clone());
        let counts = [("pending", backlog.pending), ("held", backlog.held), ("dead", backlog.dead)];
        for (state, count) in counts {
            metrics.deliveries.get_or_create(&InState { receiver: receiver.clone(), state }).set(count);
        }
        let label = ForReceiver { receiver };
        let seconds = |at: Option<Timestamp>| at.map_or(0, Timestamp::as_second);
        metrics.nearest_deadline.get_or_create(&label).set(seconds(backlog.nearest_deadline));
        metrics.oldest_undelivered.get_or_create(&label).set(seconds(backlog.oldest));
    }
    for lane in desk.store.lanes().await? {
        // Nobody probes a receiver that is configured no more: its last circuit would stay open for ever.
        let served = desk.receivers.contains(&lane.receiver);
        for state in ["closed", "open", "recovering"] {
            let label = InState { receiver: lane.receiver.clone(), state };
            if served {
                metrics.circuit.get_or_create(&label).set(i64::from(lane.circuit.name() == state));
            } else {
                metrics.circuit.remove(&label);
            }
        }
    }
    Ok(())
}
