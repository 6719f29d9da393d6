//! A store that does not take messages, and is whole otherwise.

use std::{collections::BTreeMap, sync::Arc};

use futures_util::{FutureExt, future::BoxFuture};
use jiff::Timestamp;

use crate::{
    domain::{
        DeliveryId, ReceiptId,
        alert::{Alert, AlertChange, Change, Condition, Touch},
        ladder::Reach,
        maintenance::Maintenance,
        pace::{Pace, Paced},
    },
    store::{
        Admission, Arrived, Beat, Command, Commanded, Conservation, Forget, Forgotten, Hints, InHand,
        LaneState, Lease, LeaseAsk, Leased, LoggedAnswer, MailboxItem, Release, Released, Settled,
        Settlement, StepPassed, Store, StoreError, TakenAgain, Verdict, Views,
        ahead::{Ahead, Behind, BehindAsk, Maintain, Sliced, SlicesAsk, Standby, StandbyAsk},
        brought::Brought,
        figures::{Asked, KeyFigures},
        generations::{
            Generation, Generations, KeptGeneration, NodeReport, OpenPromise, Order, PromisePlace,
            ReloadAsked,
        },
        standing::{OpenPromises, Waived},
        views::{
            Astray, Backlog, ClockView, DeadGroup, DeliveryView, Endangered, Fallbacks, HeldGroup,
            MessageFilter, MessageLine, MessageView, PromiseView, RawMessage, RunView, StoreSize, TraceOf,
            Uncovered, WaiverRequest, Which,
        },
    },
};

/// What accepting comes to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Accepting {
    Fails,
    Hangs,
}

pub(super) struct Broken {
    pub(super) inner: Arc<dyn Store>,
    pub(super) accepting: Accepting,
}

type Done<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

fn full<'a, T: Send + 'a>() -> Done<'a, T> {
    async { Err(StoreError::Unavailable("the disk is full".into())) }.boxed()
}

/// Hands each operation on as it is.
macro_rules! as_it_is {
    ($($name:ident($($argument:ident: $kind:ty),*) -> $done:ty;)*) => {
        $(fn $name(&self, $($argument: $kind),*) -> Done<'_, $done> { self.inner.$name($($argument),*) })*
    };
}

impl Store for Broken {
    fn accept(&self, _: Vec<Admission>) -> Done<'_, Vec<Verdict>> {
        match self.accepting {
            Accepting::Fails => full(),
            Accepting::Hangs => std::future::pending().boxed(),
        }
    }

    fn check(&self) -> Done<'_, ()> {
        match self.accepting {
            Accepting::Fails => full(),
            Accepting::Hangs => std::future::pending().boxed(),
        }
    }

    fn hints(&self) -> &Hints {
        self.inner.hints()
    }

    as_it_is! {
        lease_due(ask: LeaseAsk) -> Leased;
        forget(slice: Forget) -> Forgotten;
        settle(settlements: Arc<Vec<Settlement>>) -> Vec<Settled>;
        release(leases: Vec<Lease>) -> ();
        advance_deadlines(now: Timestamp, most: u32) -> Vec<StepPassed>;
        release_fallbacks(which: Release, now: Timestamp) -> Vec<Released>;
        reconcile_alerts(names: Vec<&'static str>, conditions: Vec<Condition>, now: Timestamp) -> Vec<(Change, Condition)>;
        touch_alert(key: String, touch: Touch, by: String, note: Option<String>, now: Timestamp) -> Commanded;
        command(command: Command, by: String, now: Timestamp) -> Commanded;
        save_lane(lane: LaneState, now: Timestamp) -> ();
        pause(receiver: String, reason: Option<String>, by: String, now: Timestamp) -> ();
        save_paces(paces: Vec<(String, Pace)>, now: Timestamp) -> ();
        maintain(asked: Maintain, now: Timestamp) -> Commanded;
        beat(beat: Beat) -> ();
        set_cursor(name: String, seq: i64) -> ();
        lead(cursor: String) -> bool;
        take_in_hand(mark: InHand) -> u32;
        put_down(key: [u8; 32]) -> ();
        taken_again(first: ReceiptId, again: ReceiptId, how: TakenAgain, by: String, now: Timestamp) -> ();
    }
}

impl Generations for Broken {
    as_it_is! {
        configure(order: Order) -> i64;
        generations(most: u32) -> Vec<Generation>;
        generation(number: Option<u64>) -> Option<KeptGeneration>;
        nodes() -> Vec<NodeReport>;
        reload_asked(node: String, after: i64) -> Option<ReloadAsked>;
        open_promises(after: PromisePlace, most: u32) -> Vec<OpenPromise>;
    }
}

impl Views for Broken {
    as_it_is! {
        messages(filter: MessageFilter) -> Vec<MessageLine>;
        message(id: String, party: Option<String>, now: Timestamp) -> Option<MessageView>;
        has_taken(arrived: Arrived) -> bool;
        traceparent(of: TraceOf) -> Option<String>;
        size() -> StoreSize;
        clocks(receipt: ReceiptId) -> Vec<ClockView>;
        runs(from: Timestamp) -> Vec<RunView>;
        raw(receipt: ReceiptId) -> Option<RawMessage>;
        deliveries(state: Option<String>, receiver: Option<String>, most: u32) -> Vec<DeliveryView>;
        promises(open: bool, most: u32, now: Timestamp) -> Vec<PromiseView>;
        endangered(reach: Reach) -> Vec<Endangered>;
        standing() -> OpenPromises;
        waived(after: i64, most: u32) -> (Vec<Waived>, i64);
        brought() -> Brought;
        standbys(ask: StandbyAsk) -> Vec<Standby>;
        fallbacks(since: Timestamp) -> Vec<Fallbacks>;
        waiver_requests() -> Vec<WaiverRequest>;
        backlogs() -> Vec<Backlog>;
        lanes() -> Vec<LaneState>;
        paces() -> Vec<Paced>;
        maintenance() -> Vec<Maintenance>;
        slices(ask: SlicesAsk) -> Sliced;
        behind(ask: BehindAsk) -> Vec<Behind>;
        ahead(receiver: String, from: Timestamp, until: Timestamp, most: u32) -> Vec<Ahead>;
        open_alerts() -> Vec<Alert>;
        alerts_of(key: String, from: Timestamp) -> Vec<Alert>;
        alert_changes(after: i64, most: u32) -> Vec<AlertChange>;
        answers(party: String, after: i64, most: u32) -> Vec<LoggedAnswer>;
        cursor(name: String) -> i64;
        mailbox(receivers: Vec<String>, most: u32) -> Vec<MailboxItem>;
        parcel(delivery: DeliveryId) -> Option<MailboxItem>;
        astray(since: Timestamp) -> Vec<Astray>;
        uncovered(since: Timestamp) -> Vec<Uncovered>;
        held_groups() -> Vec<HeldGroup>;
        dead_groups() -> Vec<DeadGroup>;
        which(which: Which, after: Option<DeliveryId>, most: u32) -> Vec<DeliveryId>;
        delivery_receiver(delivery: DeliveryId) -> Option<String>;
        conservation() -> Conservation;
        sla_totals(now: Timestamp) -> BTreeMap<String, i64>;
        key_figures(asked: Asked) -> KeyFigures;
    }
}
