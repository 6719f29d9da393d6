//! One receiver's loop: what is due is leased, attempted within permits, and settled in batches.

use std::{sync::Arc, time::Duration};

use futures_util::{
    FutureExt, StreamExt,
    future::{BoxFuture, OptionFuture},
    stream::FuturesUnordered,
};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Notify, watch};
use tracing::warn;

use super::{Desk, LaneConfig, POLL, Standing, attempt::attempt, paces::Measured, ready::Ready, watched};
use crate::{
    channels::Channel,
    domain::{AttemptRecord, circuit::Circuit},
    lifecycle::{Stop, crash},
    store::{Lease, LeaseAsk, Leased, Settlement, StoreError},
};

/// Beyond the attempt's own time: the commit before it and the one after.
const LEASE_MARGIN: Duration = Duration::from_secs(30);
/// A wall clock that falls behind the monotonic one by more was set back.
const SET_BACK_MIN: SignedDuration = SignedDuration::from_secs(5);
/// What may have been sent and not be settled, in times of the permits: so much comes twice after a crash, with the
/// same ids.
const UNSETTLED_TIMES: usize = 4;
/// Settlements in one call of the store.
const SETTLE_MAX: usize = 256;

mod may;
mod outcome;
mod shared;

use shared::Shared;

/// One receiver's lane.
pub struct Lane {
    config: LaneConfig,
    channel: Arc<dyn Channel>,
    desk: Desk,
    circuit: Circuit,
    shared: Shared,
    standing: watch::Receiver<Standing>,
    bell: Arc<Notify>,
    /// Something may be due.
    look: bool,
    /// When something will be due, as far as the store knows.
    due_at: Option<Timestamp>,
    /// The nearest deadline that was seen waiting.
    nearest_deadline: Option<Timestamp>,
    /// Leased, and not begun.
    ready: Ready,
    /// Leases to be handed back: they ran out before they were begun.
    stale: Vec<Lease>,
    finished: Vec<Settlement>,
    /// In the call of the store that is under way.
    in_settlement: usize,
    /// The wall clock and the monotonic one when they were last compared.
    clocks: (Timestamp, Duration),
    /// The clock was set back, or the receiver came back, since the store was last asked: nobody waits out a gap
    /// that was reckoned before.
    wake_all: bool,
    /// The receiver is in maintenance.
    resting: bool,
    measured: Measured,
}

type Attempt = BoxFuture<'static, (Lease, AttemptRecord)>;
type Leasing = BoxFuture<'static, (u32, Result<Leased, StoreError>)>;
type Settling = BoxFuture<'static, Result<(), StoreError>>;

impl Lane {
    /// With the circuit that the table has.
    pub fn new(
        config: LaneConfig,
        channel: Arc<dyn Channel>,
        desk: Desk,
        standing: watch::Receiver<Standing>,
    ) -> Self {
        let bell = desk.store.hints().bell(&config.receiver);
        let lease_for = SignedDuration::try_from(config.attempt_timeout + LEASE_MARGIN)
            .expect("an attempt's time is a matter of minutes");
        let handed = desk.store.hand_over(config.receiver.clone(), lease_for);
        let ready = Ready::new(handed, config.permits);
        let clocks = (desk.clock.now(), desk.clock.monotonic());
        let circuit = standing.borrow().lanes.get(&config.receiver).map(|lane| lane.circuit.clone());
        let circuit = circuit.unwrap_or_default();
        let measured = Measured::of(config.permits);
        Self {
            config,
            channel,
            desk,
            shared: Shared::new(circuit.clone()),
            circuit,
            standing,
            bell,
            look: true,
            due_at: None,
            nearest_deadline: None,
            ready,
            stale: Vec::new(),
            finished: Vec::new(),
            in_settlement: 0,
            clocks,
            wake_all: false,
            resting: false,
            measured,
        }
    }

    fn measure(&self, is_under_way: bool) {
        self.measured.pass(self.desk.clock.monotonic(), is_under_way && !self.circuit.is_open());
    }

    /// How fast its receiver works, for whoever writes it down.
    pub(super) fn measured(&self) -> Measured {
        self.measured.clone()
    }

    /// Serves the receiver until the stop; then finishes what is under way and hands the rest back.
    ///
    /// # Errors
    /// The store cannot be used any more ([`StoreError::Unusable`]).
    pub async fn run(mut self, stop: Stop) -> Result<(), StoreError> {
        let mut attempts: FuturesUnordered<Attempt> = FuturesUnordered::new();
        let mut leasing: Option<Leasing> = None;
        let mut settling: Option<Settling> = None;
        let mut returning: Option<Settling> = None;
        while !stop.is_soft() {
            self.adopt();
            self.rest();
            self.begin(&mut attempts);
            self.measure(!attempts.is_empty());
            if leasing.is_none() && self.look && !self.is_paused() {
                leasing = self.ask(attempts.len());
                self.look &= leasing.is_none();
            }
            if settling.is_none() && !self.finished.is_empty() {
                settling = Some(self.settle());
            }
            if returning.is_none() {
                returning = self.give_back();
            }
            let next_look = self.next_look();
            tokio::select! {
                Some(done) = OptionFuture::from(settling.as_mut()) => {
                    settling = None;
                    self.in_settlement = 0;
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
                    self.leased(asked, leased).await?;
                }
                lease = self.ready.handed(), if self.ready.has_room() => {
                    self.ready.push(lease, self.desk.clock.monotonic());
                    crash::point("lane.after-lease");
                }
                Some(done) = OptionFuture::from(returning.as_mut()) => {
                    returning = None;
                    self.look = true;
                    done?;
                }
                () = rung(&self.bell, &self.desk, next_look), if !self.look => self.look = true,
                changed = self.standing.changed() => self.look |= changed.is_ok(),
                () = stop.soft() => {}
            }
        }
        if let Some(returning) = returning {
            returning.await?;
        }
        self.wind_down(attempts, leasing, settling, &stop).await
    }

    /// Begins as many attempts as may be under way, the nearest deadlines first.
    fn begin(&mut self, attempts: &mut FuturesUnordered<Attempt>) {
        self.ready.open(self.may_lease_ahead());
        let begun = self.desk.clock.monotonic();
        self.ready.draw(begun);
        if self.ready.len() == 0 {
            return;
        }
        let now = self.desk.clock.now();
        let fresh = now.checked_add(self.config.attempt_timeout).unwrap_or(Timestamp::MAX);
        loop {
            let may = self.allowance(attempts.len(), now);
            let sent = attempts.len() + self.finished.len() + self.in_settlement;
            let full = sent >= UNSETTLED_TIMES * self.config.permits as usize;
            if full || self.is_paused() || attempts.len() >= may.permits as usize {
                return;
            }
            let Some(lease) = self.ready.next(may.by, begun) else { return };
            if lease.until < fresh || may.after.is_some_and(|after| lease.due <= after) {
                self.stale.push(lease);
            } else {
                attempts.push(self.attempt(lease));
            }
        }
    }

    /// Asks the store for as much as may be attempted now. `None`: nothing may.
    fn ask(&mut self, under_way: usize) -> Option<Leasing> {
        let now = self.desk.clock.now();
        self.compare_clocks(now);
        let may = self.allowance(under_way, now);
        let ahead = if self.may_lease_ahead() { self.ready.room() } else { 0 };
        let held = under_way + self.ready.len();
        let most = (may.permits as usize).saturating_sub(held).max(ahead);
        let most = u32::try_from(most).unwrap_or(u32::MAX);
        if most == 0 || self.finished.len() >= SETTLE_MAX {
            return None;
        }
        let until = now.checked_add(self.config.attempt_timeout + LEASE_MARGIN).unwrap_or(Timestamp::MAX);
        let ask = LeaseAsk {
            receiver: self.config.receiver.clone(),
            most,
            now,
            until,
            due_by: may.by,
            due_after: may.after,
            wake_all: self.wake_all,
            probe: may.probe,
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
    async fn leased(&mut self, asked: u32, leased: Result<Leased, StoreError>) -> Result<(), StoreError> {
        let leased = match leased {
            Ok(leased) => leased,
            Err(error @ StoreError::Unusable(_)) => return Err(error),
            Err(error) => {
                warn!(receiver = %self.config.receiver, error = %error, "Leasing failed; asking again");
                self.desk.clock.sleep(POLL).await;
                self.look = true;
                return Ok(());
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
        let now = self.desk.clock.monotonic();
        for lease in leased.leases {
            self.ready.push(lease, now);
        }
        Ok(())
    }

    fn attempt(&self, lease: Lease) -> Attempt {
        let (channel, clock) = (Arc::clone(&self.channel), Arc::clone(&self.desk.clock));
        let watched = watched::Watched::begin(&self.desk.metrics, &self.config.receiver, &lease);
        attempt(lease, channel, clock, self.config.attempt_timeout, watched).boxed()
    }

    /// Settles what is finished, for as long as it takes: what was sent must not be forgotten.
    fn settle(&mut self) -> Settling {
        let rest = self.finished.split_off(self.finished.len().min(SETTLE_MAX));
        let batch = Arc::new(std::mem::replace(&mut self.finished, rest));
        self.in_settlement = batch.len();
        // Settling one delivery may free the next of its ordering key.
        self.look |= batch.iter().any(|s| s.lease.ordering_key.is_some());
        let (desk, receiver) = (self.desk.clone(), self.config.receiver.clone());
        async move {
            loop {
                match desk.store.settle(Arc::clone(&batch)).await {
                    Ok(settled) => {
                        crash::point("lane.after-settle");
                        watched::settled(&desk.metrics, &receiver, &batch, &settled);
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
        let mut leases = self.ready.leave().await;
        leases.append(&mut self.stale);
        if let Some(leasing) = leasing
            && let (_, Ok(leased)) = leasing.await
        {
            leases.extend(leased.leases);
        }
        if !leases.is_empty() {
            hand_back(self.desk.clone(), leases).await?;
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

async fn hand_back(desk: Desk, leases: Vec<Lease>) -> Result<(), StoreError> {
    match desk.store.release(leases).await {
        Err(error @ StoreError::Unusable(_)) => Err(error),
        Err(error) => {
            warn!(error = %error, "Handing leases back failed; they run out by themselves");
            Ok(())
        }
        Ok(()) => Ok(()),
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
