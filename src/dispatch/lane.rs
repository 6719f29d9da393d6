//! One receiver's loop: what is due is leased, attempted within permits, and settled in batches.

use std::{sync::Arc, time::Duration};

use futures_util::{
    FutureExt, StreamExt,
    future::{BoxFuture, OptionFuture},
    stream::FuturesUnordered,
};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Notify, watch};
use tracing::{debug, info, warn};

use super::{Desk, LaneConfig, POLL, Paused, attempt::attempt, judge};
use crate::{
    channels::Channel,
    domain::{
        AttemptRecord, FaultClass, Outcome,
        circuit::{Allowance, Circuit},
        fault::Follows,
    },
    lifecycle::{Stop, crash},
    store::{LaneState, Lease, LeaseAsk, Leased, Next, Settled, Settlement, StoreError},
    telemetry::{Attempts, ForReceiver},
};

/// Beyond the attempt's own time: the commit before it and the one after.
const LEASE_MARGIN: Duration = Duration::from_secs(30);
/// A wall clock that falls behind the monotonic one by more was set back.
const SET_BACK_MIN: SignedDuration = SignedDuration::from_secs(5);
/// Settlements in one call of the store.
const SETTLE_MAX: usize = 256;

/// One receiver's lane.
pub struct Lane {
    config: LaneConfig,
    channel: Arc<dyn Channel>,
    desk: Desk,
    circuit: Circuit,
    paused: watch::Receiver<Paused>,
    bell: Arc<Notify>,
    /// Something may be due.
    look: bool,
    /// When something will be due, as far as the store knows.
    due_at: Option<Timestamp>,
    /// The nearest deadline that was seen waiting.
    nearest_deadline: Option<Timestamp>,
    finished: Vec<Settlement>,
    /// The wall clock and the monotonic one when they were last compared.
    clocks: (Timestamp, Duration),
    /// The clock was set back, or the receiver came back, since the store was last asked: nobody waits out a gap
    /// that was reckoned before.
    wake_all: bool,
}

type Attempt = BoxFuture<'static, (Lease, AttemptRecord)>;
type Leasing = BoxFuture<'static, (u32, Result<Leased, StoreError>)>;
type Settling = BoxFuture<'static, Result<(), StoreError>>;

impl Lane {
    pub fn new(
        config: LaneConfig,
        channel: Arc<dyn Channel>,
        desk: Desk,
        circuit: Circuit,
        paused: watch::Receiver<Paused>,
    ) -> Self {
        let bell = desk.store.hints().bell(&config.receiver);
        let clocks = (desk.clock.now(), desk.clock.monotonic());
        Self {
            config,
            channel,
            desk,
            circuit,
            paused,
            bell,
            look: true,
            due_at: None,
            nearest_deadline: None,
            finished: Vec::new(),
            clocks,
            wake_all: false,
        }
    }

    /// Serves the receiver until the stop; then finishes what is under way and hands the rest back.
    ///
    /// # Errors
    /// The store cannot be used any more ([`StoreError::Unusable`]).
    pub async fn run(mut self, stop: Stop) -> Result<(), StoreError> {
        let mut attempts: FuturesUnordered<Attempt> = FuturesUnordered::new();
        let mut leasing: Option<Leasing> = None;
        let mut settling: Option<Settling> = None;
        while !stop.is_soft() {
            if leasing.is_none() && self.look && !self.is_paused() {
                leasing = self.ask(attempts.len());
                self.look &= leasing.is_none();
            }
            if settling.is_none() && !self.finished.is_empty() {
                settling = Some(self.settle());
            }
            tokio::select! {
                Some(done) = OptionFuture::from(settling.as_mut()) => {
                    settling = None;
                    done?;
                }
                Some(done) = attempts.next(), if !attempts.is_empty() => {
                    self.finish(done).await;
                    while let Some(Some(done)) = attempts.next().now_or_never() {
                        self.finish(done).await;
                    }
                }
                Some((asked, leased)) = OptionFuture::from(leasing.as_mut()) => {
                    leasing = None;
                    attempts.extend(self.leased(asked, leased).await?.into_iter().map(|lease| self.attempt(lease)));
                }
                () = rung(&self.bell, &self.desk, self.due_at), if !self.look => self.look = true,
                changed = self.paused.changed() => self.look |= changed.is_ok(),
                () = stop.soft() => {}
            }
        }
        self.wind_down(attempts, leasing, settling, &stop).await
    }

    fn is_paused(&self) -> bool {
        self.paused.borrow().contains_key(&self.config.receiver)
    }

    /// Asks the store for as much as may be attempted now. `None`: nothing may.
    fn ask(&mut self, under_way: usize) -> Option<Leasing> {
        let now = self.desk.clock.now();
        self.compare_clocks(now);
        let under_way = u32::try_from(under_way).unwrap_or(u32::MAX);
        let (permits, due_by) = match self.circuit.allows(self.config.permits, now) {
            Allowance::Permits(permits) => (permits, None),
            Allowance::Probe => (under_way.saturating_add(u32::from(under_way == 0)), None),
            Allowance::WaitUntil(_) => (self.config.permits, now.checked_add(self.config.give_way).ok()),
        };
        let most = permits.saturating_sub(under_way);
        if most == 0 || self.finished.len() >= SETTLE_MAX {
            return None;
        }
        let until = now.checked_add(self.config.attempt_timeout + LEASE_MARGIN).unwrap_or(Timestamp::MAX);
        let ask = LeaseAsk {
            receiver: self.config.receiver.clone(),
            most,
            now,
            until,
            due_by,
            wake_all: self.wake_all,
        };
        let store = Arc::clone(&self.desk.store);
        Some(async move { (most, store.lease_due(ask).await) }.boxed())
    }

    /// Retries and probes are kept as instants of the wall clock. Where that is set back they would lie too far
    /// ahead, so the circuit moves with it and what waits is tried at once: early is better than late.
    fn compare_clocks(&mut self, now: Timestamp) {
        let (wall, monotonic) = self.clocks;
        self.clocks = (now, self.desk.clock.monotonic());
        let passed = SignedDuration::try_from(self.clocks.1.saturating_sub(monotonic)).unwrap_or_default();
        let back = wall.duration_since(now) + passed;
        if back > SET_BACK_MIN {
            warn!(receiver = %self.config.receiver, "The clock was set back by {back:#}; what waits for {} is tried now",
                self.config.receiver);
            self.circuit.clock_set_back(back);
            self.wake_all = true;
        }
    }

    /// Takes what the store leased. Where it cannot lease just now, the next poll asks again.
    async fn leased(
        &mut self,
        asked: u32,
        leased: Result<Leased, StoreError>,
    ) -> Result<Vec<Lease>, StoreError> {
        let leased = match leased {
            Ok(leased) => leased,
            Err(error @ StoreError::Unusable(_)) => return Err(error),
            Err(error) => {
                warn!(receiver = %self.config.receiver, error = %error, "Leasing failed; asking again");
                self.desk.clock.sleep(POLL).await;
                self.look = true;
                return Ok(vec![]);
            }
        };
        let got = u32::try_from(leased.leases.len()).unwrap_or(u32::MAX);
        assert!(got <= asked, "the store leased more than it was asked for");
        self.wake_all = false;
        self.due_at = leased.next_due;
        self.nearest_deadline = leased.nearest_deadline;
        if got > 0 {
            crash::point("lane.after-lease");
        }
        // As many as asked: there may be more.
        self.look |= got == asked && !self.circuit.is_open();
        Ok(leased.leases)
    }

    fn attempt(&self, lease: Lease) -> Attempt {
        let (channel, clock) = (Arc::clone(&self.channel), Arc::clone(&self.desk.clock));
        attempt(lease, channel, clock, self.config.attempt_timeout).boxed()
    }

    /// Judges an attempt that ended, and keeps its settlement for the next batch.
    async fn finish(&mut self, (lease, record): (Lease, AttemptRecord)) {
        let now = self.desk.clock.now();
        self.count(&record);
        self.note(&record.outcome, lease.due, now).await;
        let (policy, profile) = (&self.config.retry, self.config.ambiguous);
        let next = judge(&lease, &record.outcome, policy, profile, now, rand::random());
        match &next {
            Next::Dead(fault) => {
                warn!(delivery.id = %lease.delivery, receiver = %self.config.receiver, fault = %fault.code,
                    "Delivery {} to {} is dead: {fault}", lease.delivery, self.config.receiver);
            }
            Next::Retry { at } => {
                debug!(delivery.id = %lease.delivery, receiver = %self.config.receiver, next = %at,
                    "Delivery {} to {} is tried again", lease.delivery, self.config.receiver);
            }
            Next::Delivered | Next::Hold(_) => {}
        }
        self.finished.push(Settlement { lease, record, next, now });
    }

    fn count(&self, record: &AttemptRecord) {
        let outcome = match &record.outcome {
            Outcome::Delivered(_) => "delivered",
            Outcome::Deposited => "deposited",
            Outcome::Fault { fault, .. } => fault.class().name(),
        };
        let receiver = self.config.receiver.clone();
        let metrics = &self.desk.metrics;
        metrics.delivery_attempts.get_or_create(&Attempts { receiver: receiver.clone(), outcome }).inc();
        metrics
            .delivery_attempt_duration
            .get_or_create(&ForReceiver { receiver })
            .observe(record.took.as_secs_f64());
    }

    /// Moves the circuit, and stores it where its state changed.
    async fn note(&mut self, outcome: &Outcome, due: Timestamp, now: Timestamp) {
        let before = self.circuit.clone();
        match outcome {
            Outcome::Delivered(_) | Outcome::Deposited => self.circuit.succeeded(self.config.permits),
            Outcome::Fault { fault, retry_after, .. } => match fault.class() {
                // A refusal is an answer: the receiver works.
                FaultClass::Refused
                | FaultClass::Malformed
                | FaultClass::Invalid
                | FaultClass::Unroutable => {
                    self.circuit.succeeded(self.config.permits);
                }
                FaultClass::Internal | FaultClass::Expired => {}
                class @ (FaultClass::ReceiverFault
                | FaultClass::Unavailable
                | FaultClass::Throttled
                | FaultClass::Ambiguous) => {
                    let nearest = self.nearest_deadline.map_or(due, |d| d.min(due));
                    let at_once = class.follows() == Follows::HoldLane || retry_after.is_some();
                    self.circuit.failed(fault, at_once, Some(nearest), &self.config.circuit, now);
                    self.circuit.wait_at_least(*retry_after, now);
                }
            },
        }
        if before.name() == self.circuit.name() && !self.circuit.is_open() || before == self.circuit {
            return;
        }
        if before.is_open() && !self.circuit.is_open() {
            self.wake_all = true;
            self.look = true;
        }
        if before.name() != self.circuit.name() {
            info!(receiver = %self.config.receiver, circuit = self.circuit.name(),
                "The circuit of {} is {}", self.config.receiver, self.circuit.name());
        }
        let lane =
            LaneState { receiver: self.config.receiver.clone(), circuit: self.circuit.clone(), paused: None };
        if let Err(error) = self.desk.store.save_lane(lane, now).await {
            warn!(receiver = %self.config.receiver, error = %error, "Keeping the circuit failed; the next change does");
        }
    }

    /// Settles what is finished, for as long as it takes: what was sent must not be forgotten.
    fn settle(&mut self) -> Settling {
        let rest = self.finished.split_off(self.finished.len().min(SETTLE_MAX));
        let batch = Arc::new(std::mem::replace(&mut self.finished, rest));
        // Settling one delivery may free the next of its ordering key.
        self.look |= batch.iter().any(|s| s.lease.ordering_key.is_some());
        let (desk, receiver) = (self.desk.clone(), self.config.receiver.clone());
        async move {
            loop {
                match desk.store.settle(Arc::clone(&batch)).await {
                    Ok(settled) => {
                        crash::point("lane.after-settle");
                        log_lost(&batch, &settled);
                        return Ok(());
                    }
                    Err(error @ StoreError::Unusable(_)) => return Err(error),
                    Err(error) => {
                        warn!(receiver = %receiver, error = %error, "Settling failed; trying again");
                    }
                }
                desk.clock.sleep(POLL).await;
            }
        }
        .boxed()
    }

    /// Lets attempts finish within the grace, settles them, and hands back what was leased and not begun.
    async fn wind_down(
        mut self,
        mut attempts: FuturesUnordered<Attempt>,
        leasing: Option<Leasing>,
        settling: Option<Settling>,
        stop: &Stop,
    ) -> Result<(), StoreError> {
        if let Some(leasing) = leasing
            && let (_, Ok(leased)) = leasing.await
        {
            self.desk.store.release(leased.leases).await?;
        }
        let grace = self.config.stop_grace;
        let all = async {
            while let Some(done) = attempts.next().await {
                self.finish(done).await;
            }
        };
        let finished = stop.unless_hard(tokio::time::timeout(grace, all)).await;
        if !matches!(finished, Some(Ok(()))) {
            warn!(receiver = %self.config.receiver, left = attempts.len(),
                "Attempts were cut short by the stop; they are taken up again at the next start");
        }
        if let Some(settling) = settling {
            settling.await?;
        }
        while !self.finished.is_empty() {
            self.settle().await?;
        }
        Ok(())
    }
}

/// Completes when the lane should look: the bell, a delivery that falls due, or the poll.
async fn rung(bell: &Notify, desk: &Desk, due_at: Option<Timestamp>) {
    let due = OptionFuture::from(due_at.map(|at| desk.clock.sleep_until(at)));
    tokio::select! {
        () = bell.notified() => {}
        Some(()) = due => {}
        () = desk.clock.sleep(POLL) => {}
    }
}

fn log_lost(batch: &[Settlement], settled: &[Settled]) {
    for (settlement, _) in batch.iter().zip(settled).filter(|(_, s)| **s == Settled::LeaseLost) {
        let id = settlement.lease.delivery;
        warn!(delivery.id = %id, "The lease of delivery {id} was lost before it was settled; its result was dropped");
    }
}
