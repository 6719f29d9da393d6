//! What every engine of the store must do, as tests over a factory of stores; one property test beside them.
//!
//! An engine's own file says how a store is opened and names each promise once, by [`conforms`]. Nothing here
//! knows which engine it is.

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{
    Accepted, Admission, Arrived, Invalid, Lease, LeaseAsk, Leased, Next, Settled, Settlement, StepPassed,
    Store, Verdict, Way, sqlite,
    views::{MessageView, PromiseView},
};
use crate::domain::{
    AnswerOutcome, AttemptRecord, DeliveryId, Envelope, FaultCode, HoldReason, KindId, Outcome, Party,
    ReceiptId, Text, Violation, answer::Subscription, attempt::Proof, ladder::Reach, sla::AT_RISK,
};

#[macro_use]
mod conforms;

mod ahead;
mod alerts;
mod came;
mod clocks;
mod commands;
mod dated;
mod deliveries;
mod fallbacks;
mod figures;
mod foreseen;
mod forget;
mod generations;
pub(super) mod handed;
mod history;
mod intake;
mod nodes;
mod operations;
mod parts;
mod placements;
mod promises;
mod recomputed;
mod recounted;
mod replies;
mod standing;
mod traces;
mod walked;

pub(crate) use parts::delivery;
use parts::{fault, hours};

/// Opens the same store each time it is called; the one before must have been dropped.
pub(crate) type Open = Box<dyn Fn() -> Arc<dyn Store> + Send + Sync>;

/// The receiver that tests send to unless they say otherwise.
const RECEIVER: &str = "inbox";
const PARTY: &str = "3f";

/// The promises, for SQLite.
mod on_sqlite {
    use super::{Arc, Office, Open, sqlite};

    fn open(folder: &std::path::Path) -> Open {
        let file = folder.join("kassebro.db");
        Box::new(move || Arc::new(sqlite::Sqlite::open(&file, sqlite::Mode::Daemon).unwrap()))
    }

    #[test]
    fn whatever_is_done_nothing_is_lost_and_order_and_leases_hold() {
        super::operations::whatever_is_done_nothing_is_lost_and_order_and_leases_hold(open, 32);
    }

    #[test]
    fn the_figures_are_what_the_stored_messages_say() {
        super::recomputed::the_figures_are_what_the_stored_messages_say(open, 32);
    }

    #[test]
    fn the_figures_are_what_the_histories_say() {
        super::recounted::the_figures_are_what_the_histories_say(open, 48);
    }

    #[test]
    fn the_clocks_are_what_their_history_says() {
        super::walked::the_clocks_are_what_their_history_says(open, 64);
    }

    #[test]
    fn the_order_in_which_messages_come_changes_no_outcome() {
        super::came::the_order_in_which_messages_come_changes_no_outcome(open, 48);
    }

    conforms!(super::open);
}

/// The promises, for PostgreSQL.
mod on_postgres {
    use super::{Arc, Office, Open};
    use crate::store::postgres::tests::Schema;

    fn open(folder: &std::path::Path) -> Open {
        let schema = Schema::of(folder);
        Box::new(move || Arc::new(schema.open()))
    }

    #[test]
    fn whatever_is_done_nothing_is_lost_and_order_and_leases_hold() {
        super::operations::whatever_is_done_nothing_is_lost_and_order_and_leases_hold(open, 8);
    }

    #[test]
    fn the_figures_are_what_the_stored_messages_say() {
        super::recomputed::the_figures_are_what_the_stored_messages_say(open, 8);
    }

    #[test]
    fn the_figures_are_what_the_histories_say() {
        super::recounted::the_figures_are_what_the_histories_say(open, 24);
    }

    #[test]
    fn the_clocks_are_what_their_history_says() {
        super::walked::the_clocks_are_what_their_history_says(open, 8);
    }

    #[test]
    fn the_order_in_which_messages_come_changes_no_outcome() {
        super::came::the_order_in_which_messages_come_changes_no_outcome(open, 8);
    }

    conforms!(super::open);

    conforms! { super::open;
        nodes {
            no_delivery_is_leased_by_two
            a_lease_that_ran_out_is_taken_by_another_and_its_old_holder_changes_nothing
            a_successor_is_never_held_behind_nobody
            a_log_is_read_without_a_gap_while_nodes_write_to_it
            each_step_and_each_alert_comes_once_from_all_nodes
            the_same_messages_at_two_nodes_are_taken_once
            what_does_not_fit_is_kept_as_raw_bytes_and_its_neighbours_are_taken
            a_hint_is_heard_by_the_other_nodes
            a_message_in_the_hand_of_a_node_that_lives_is_no_crash
            a_cap_is_not_passed_by_two_nodes_at_once
            what_was_handed_and_never_begun_is_taken_by_another_when_it_runs_out
            what_a_dead_node_had_handed_over_is_due_when_another_starts
            what_another_node_left_in_the_table_is_soon_looked_for
            of_one_ordering_key_one_is_handed_over_whichever_node_stores_it
            of_two_corrections_at_two_nodes_one_counts
            each_nodes_pace_is_told
            a_clock_that_two_nodes_hear_of_is_met_once
            a_promise_and_what_it_waits_for_at_two_nodes_find_each_other
            nodes_that_start_together_come_to_one_generation
            a_second_way_is_let_go_by_one_node_and_each_promise_is_met_once
        }
    }
}

/// Promises past a step from 75 % on.
fn recorded() -> Reach {
    Reach { share: AT_RISK, due: vec![] }
}

/// A store, the time, and the few things tests do with them. Each step is followed by the checks that must
/// always hold.
pub(crate) struct Office {
    open: Open,
    store: Option<Arc<dyn Store>>,
    now: Timestamp,
    receipts: u128,
}

impl Office {
    pub(crate) fn open(open: Open) -> Self {
        let store = Some(open());
        Self { open, store, now: "2026-03-02T08:00:00Z".parse().unwrap(), receipts: 0 }
    }

    pub(crate) fn store(&self) -> &dyn Store {
        &**self.store.as_ref().expect("it is open")
    }

    /// What a SIGKILL leaves: nothing but what was committed.
    fn crash(&mut self) {
        self.store = None;
        self.store = Some((self.open)());
    }

    fn pass(&mut self, time: SignedDuration) {
        self.now += time;
    }

    fn arrived(&mut self, raw: &str) -> Arrived {
        self.receipts += 1;
        Arrived {
            receipt: ReceiptId::from_fresh(Uuid::from_u128(self.receipts << 8)),
            party: PARTY.into(),
            way: Way::Http,
            received: self.now,
            sent: None,
            content_type: Some("application/json".into()),
            headers: vec![],
            raw: Bytes::copy_from_slice(raw.as_bytes()),
            generation: 1,
            in_hand: None,
        }
    }

    /// A message to [`RECEIVER`] that happened now and is promised within a day.
    pub(crate) fn message(&mut self, id: &str) -> Accepted {
        let arrived = self.arrived(id);
        let envelope = Envelope {
            id: id.parse().unwrap(),
            source: Party::from_code(PARTY).unwrap(),
            kind: KindId::new("complaint", 1),
            time: self.now,
            recorded: None,
            receiver: Party::from_code("0101").unwrap(),
            agreement: None,
            subject: None,
            correlation_id: None,
            causation_id: None,
            traceparent: None,
            tracestate: None,
        };
        Accepted {
            reply: None,
            meets: None,
            renews: None,
            ends_placement: None,
            bearing: None,
            spends: None,
            figure: None,
            arrived,
            envelope,
            hash: [7; 32],
            agreement: None,
            warnings: vec![],
            answers: Subscription::of(&AnswerOutcome::ALL),
            deliveries: vec![delivery(self.now, hours(24))],
        }
    }

    fn invalid(&mut self, id: Option<&str>) -> Invalid {
        Invalid {
            arrived: self.arrived("{"),
            message_id: id.map(str::to_owned),
            source: Some("urn:dk:akasse:3f".into()),
            kind: None,
            receiver: None,
            violations: vec![Violation::error(
                "/data",
                "schema",
                FaultCode::SchemaViolation,
                Text::new("forkert", "wrong"),
            )],
            answers: Subscription::default(),
            astray_in: None,
        }
    }

    async fn accept(&mut self, message: Accepted) -> Verdict {
        self.accept_all(vec![Admission::Accepted(Box::new(message))]).await.pop().unwrap()
    }

    async fn accept_all(&mut self, batch: Vec<Admission>) -> Vec<Verdict> {
        let verdicts = self.store().accept(batch).await.unwrap();
        self.check().await;
        verdicts
    }

    /// Takes a plain message in and says which delivery it owes.
    async fn taken(&mut self, id: &str) -> DeliveryId {
        let message = self.message(id);
        self.accept(message).await.answer().receipt_id.delivery(1)
    }

    /// Leases up to `most` for ten minutes.
    pub(super) async fn lease(&self, most: u32) -> Vec<Lease> {
        self.leased(most, None).await.leases
    }

    async fn leased(&self, most: u32, due_by: Option<Timestamp>) -> Leased {
        let until = self.now + SignedDuration::from_mins(10);
        let ask = LeaseAsk {
            receiver: RECEIVER.into(),
            most,
            now: self.now,
            until,
            due_by,
            due_after: None,
            wake_all: false,
            probe: false,
        };
        self.store().lease_due(ask).await.unwrap()
    }

    /// The ids of the messages that can be leased now, in order; they are handed back.
    async fn due(&self) -> Vec<String> {
        let leases = self.lease(100).await;
        let ids = leases.iter().map(|l| l.message_id.clone()).collect();
        self.store().release(leases).await.unwrap();
        ids
    }

    pub(super) async fn settle(&self, lease: Lease, next: Next) -> Settled {
        let outcome = match &next {
            Next::Delivered => Outcome::Delivered(Proof::default()),
            Next::Hold(HoldReason::Mailbox) => Outcome::Deposited,
            Next::Dead(fault) => Outcome::fault(fault.clone()),
            Next::Retry { .. } | Next::Hold(_) => Outcome::fault(fault(FaultCode::ReceiverError)),
        };
        self.settle_as(lease, outcome, next).await
    }

    async fn settle_as(&self, lease: Lease, outcome: Outcome, next: Next) -> Settled {
        let record = AttemptRecord { started: self.now, took: SignedDuration::ZERO, outcome };
        let settlement = Settlement { lease, record, next, now: self.now };
        let settled = self.store().settle(Arc::new(vec![settlement])).await.unwrap();
        self.check().await;
        settled[0]
    }

    /// Leases one delivery and settles it.
    async fn attempt(&self, next: Next) -> Settled {
        let lease = self.lease(1).await.pop().expect("something is due");
        self.settle(lease, next).await
    }

    async fn advance(&self) -> Vec<StepPassed> {
        let passed = self.store().advance_deadlines(self.now, 1_000).await.unwrap();
        self.check().await;
        passed
    }

    pub(super) async fn view(&self, id: &str) -> MessageView {
        self.store().message(id.into(), None, self.now).await.unwrap().expect("it is known")
    }

    async fn promise(&self, id: &str) -> PromiseView {
        self.view(id).await.promises.pop().expect("something is promised")
    }

    /// What the sender was told about one message, in order.
    async fn told(&self, id: &str) -> Vec<&'static str> {
        let answers = self.store().answers(PARTY.into(), 0, 10_000).await.unwrap();
        answers
            .into_iter()
            .filter(|a| a.answer.message_id.as_deref() == Some(id))
            .map(|a| a.answer.outcome.name())
            .collect()
    }

    /// What must hold whatever happened.
    async fn check(&self) {
        let conservation = self.store().conservation().await.unwrap();
        assert!(conservation.holds(), "{conservation:?}");
        let log = self.store().answers(PARTY.into(), 0, 10_000).await.unwrap();
        let ids: BTreeSet<String> = log.iter().map(|l| l.answer.id()).collect();
        assert_eq!(ids.len(), log.len(), "each answer has an id of its own");
        history::agrees_with_the_promises(self).await;
    }
}
