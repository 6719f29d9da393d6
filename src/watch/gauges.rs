//! What monitoring is shown besides alerts: promises by how they stand, the store, the clock, and who missed what.

use std::{collections::BTreeSet, time::Duration};

use jiff::{SignedDuration, Timestamp};

use super::Desk;
use crate::{
    clock::Clock,
    domain::sla::{AT_RISK, BREACHED},
    store::{StepPassed, StoreError, standing::Paused},
    telemetry::{
        ForReceiver,
        flow::{Cause, Ended},
        gauges::Standing,
    },
};

/// A wall clock that goes so much further or less than the monotonic one was set.
const SET_MIN: SignedDuration = SignedDuration::from_secs(1);
/// How far waivers are counted, in the audit.
const WAIVED: &str = "metrics/waived";
/// Waivers that are counted in one look.
const WAIVED_MAX: u32 = 1_000;
/// What is counted anew for a gauge is counted at most this often.
const COUNT_EVERY: Duration = Duration::from_secs(5);
/// And costs no more than this part of the time, however long the count takes.
const TIMES: u32 = 200;

/// What was shown before, and what the clocks said then.
pub(super) struct Shown {
    /// Kind, receiver and standing: what is gone is shown as none.
    standings: BTreeSet<(String, String, &'static str)>,
    clocks: (Timestamp, Duration),
    /// When to count again, by the monotonic clock.
    next: Duration,
    /// The same for what is on track, which takes longer.
    next_open: Duration,
    /// Kind and receiver of what stands still.
    paused: BTreeSet<(String, String)>,
    /// Receivers for which something waited for a person.
    held: BTreeSet<String>,
}

impl Shown {
    pub(super) fn new(clock: &dyn Clock) -> Self {
        let clocks = (clock.now(), clock.monotonic());
        let (standings, paused, held) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        Self { standings, clocks, next: Duration::ZERO, next_open: Duration::ZERO, paused, held }
    }

    /// Shows how things stand now.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(super) async fn look(&mut self, desk: &Desk) -> Result<(), StoreError> {
        self.compare_clocks(desk);
        self.show_open(desk).await?;
        let began = desk.clock.monotonic();
        if began < self.next {
            return Ok(());
        }
        self.show_promises(desk).await?;
        self.show_held(desk).await?;
        let size = desk.store.size().await?;
        let gauges = &desk.metrics.gauges;
        gauges.store_size.set(i64::try_from(size.bytes).unwrap_or(i64::MAX));
        gauges.store_free.set(i64::try_from(size.free.unwrap_or(0)).unwrap_or(i64::MAX));
        let ended = desk.clock.monotonic();
        self.next = ended + COUNT_EVERY.max(ended.saturating_sub(began) * TIMES);
        Ok(())
    }

    fn compare_clocks(&mut self, desk: &Desk) {
        let now = (desk.clock.now(), desk.clock.monotonic());
        let (wall, monotonic) = std::mem::replace(&mut self.clocks, now);
        let passed = SignedDuration::try_from(now.1.saturating_sub(monotonic)).unwrap_or_default();
        let set = now.0.duration_since(wall) - passed;
        if set.abs() >= SET_MIN {
            desk.metrics.gauges.clock_was_set(set.is_positive(), set.unsigned_abs());
        }
    }

    /// What is on track, and what stands still.
    async fn show_open(&mut self, desk: &Desk) -> Result<(), StoreError> {
        let began = desk.clock.monotonic();
        if began < self.next_open {
            return Ok(());
        }
        count_waivers(desk).await?;
        let open = desk.store.standing().await?;
        let labels = Standing { kind: String::new(), receiver: String::new(), standing: "on_track" };
        desk.metrics.gauges.sla_open.get_or_create(&labels).set(open.on_track);
        let gone = std::mem::take(&mut self.paused).into_iter().map(|of| (of, 0));
        let mut counts: std::collections::BTreeMap<_, _> = gone.collect();
        for Paused { kind, receiver, count } in open.paused {
            self.paused.insert((kind.clone(), receiver.clone()));
            counts.insert((kind, receiver), count);
        }
        for ((kind, receiver), count) in counts {
            let labels = Standing { kind, receiver, standing: "paused" };
            desk.metrics.gauges.sla_open.get_or_create(&labels).set(count);
        }
        let ended = desk.clock.monotonic();
        self.next_open = ended + COUNT_EVERY.max(ended.saturating_sub(began) * TIMES);
        Ok(())
    }

    /// Every receiver has its figure, also one that has none, or that is configured no more.
    async fn show_held(&mut self, desk: &Desk) -> Result<(), StoreError> {
        let held = desk.held().await?;
        let gone = std::mem::take(&mut self.held);
        let known = desk.receivers.iter().cloned().chain(gone);
        let mut counts: std::collections::BTreeMap<String, i64> = known.map(|of| (of, 0)).collect();
        for group in &*held {
            self.held.insert(group.receiver.clone());
            *counts.entry(group.receiver.clone()).or_default() += group.count;
        }
        for (receiver, count) in counts {
            desk.metrics.gauges.held_for_person.get_or_create(&ForReceiver { receiver }).set(count);
        }
        Ok(())
    }

    async fn show_promises(&mut self, desk: &Desk) -> Result<(), StoreError> {
        let mut counts = std::collections::BTreeMap::new();
        for gone in std::mem::take(&mut self.standings) {
            counts.insert(gone, 0);
        }
        for group in &super::sla::in_danger(desk, desk.clock.now()).await?.1 {
            let standing = match group.step {
                BREACHED.. => "breached",
                AT_RISK.. => "at_risk",
                _ => continue,
            };
            let key = (group.kind.clone(), group.receiver.clone(), standing);
            *counts.entry(key).or_default() += group.count;
        }
        for ((kind, receiver, standing), count) in counts {
            let labels = Standing { kind: kind.clone(), receiver: receiver.clone(), standing };
            desk.metrics.gauges.sla_open.get_or_create(&labels).set(count);
            self.standings.insert((kind, receiver, standing));
        }
        Ok(())
    }
}

/// Counts what people waived since the last look of any node: one of them does, and each waiver once.
async fn count_waivers(desk: &Desk) -> Result<(), StoreError> {
    let cursor = || WAIVED.to_owned();
    if !desk.store.lead(cursor()).await? {
        return Ok(());
    }
    let after = desk.store.cursor(cursor()).await?;
    let (waived, last) = desk.store.waived(after, WAIVED_MAX).await?;
    for waived in &waived {
        let count = u64::try_from(waived.count).unwrap_or(0);
        desk.metrics.flow.promises_ended(&waived.kind, &waived.receiver, (Ended::Waived, Cause::None), count);
    }
    if last > after {
        desk.store.set_cursor(cursor(), last).await?;
    }
    Ok(())
}

/// Counts steps that were recorded now: how late, and which promises they break.
pub(super) async fn passed(desk: &Desk, passed: &[StepPassed]) {
    let now = desk.clock.now();
    for step in passed {
        desk.metrics.gauges.step_was_late(now.duration_since(step.due_at).try_into().unwrap_or_default());
    }
    if passed.iter().all(|step| step.step < 100) {
        return;
    }
    // They are recorded, and nobody counts them again: where it is not known whose fault they are, they are counted all
    // the same.
    let lanes = desk.store.lanes().await.unwrap_or_default();
    for step in passed.iter().filter(|step| step.step >= 100) {
        let lane = lanes.iter().find(|lane| lane.receiver == step.receiver);
        // What came too late has no step here: its breach is recorded when it comes.
        let cause =
            if lane.is_some_and(|lane| lane.circuit.is_open()) { Cause::Receiver } else { Cause::Handling };
        desk.metrics.flow.promises_ended(&step.kind, &step.receiver, (Ended::Breached, cause), 1);
    }
}
