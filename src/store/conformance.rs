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
    ReceiptId, Text, Violation, answer::Subscription, attempt::Proof,
};

mod alerts;
mod commands;
mod deliveries;
mod figures;
mod forget;
pub(super) mod handed;
mod history;
mod intake;
mod nodes;
mod operations;
mod parts;
mod placements;
mod promises;
mod recomputed;
mod replies;

use parts::{delivery, fault, hours};

/// Opens the same store each time it is called; the one before must have been dropped.
pub(super) type Open = Box<dyn Fn() -> Arc<dyn Store> + Send + Sync>;

/// The receiver that tests send to unless they say otherwise.
const RECEIVER: &str = "inbox";
const PARTY: &str = "3f";

/// Makes each promise a test of the engine that `$open` opens: a function from a folder to [`Open`].
macro_rules! conforms {
    ($open:path) => {
        conforms! { $open;
            intake {
                an_accepted_message_owes_its_deliveries
                a_duplicate_gets_the_first_answer_and_leaves_a_trace
                the_same_id_with_another_body_is_a_conflict_and_changes_nothing
                a_refused_message_claims_no_identity
                a_batch_is_judged_in_order_even_within_itself
                answers_stand_in_order_and_keep_their_ids
                a_cursor_never_goes_back
                what_came_astray_is_told_by_queue_and_party
                a_complaint_under_no_agreement_is_told_by_sender_and_receiver
                a_message_left_in_hand_is_remembered_over_a_crash
                lanes_and_pauses_outlive_the_process
            }
            deliveries {
                the_earliest_deadline_is_leased_first
                a_lease_is_exclusive_until_it_runs_out_and_then_the_old_one_is_lost
                a_crash_makes_leased_work_due_again_at_once
                what_is_handed_back_is_due_again_and_counts_no_attempt
                whom_a_parcel_is_about_comes_with_its_lease
                a_retry_waits_until_its_time
                what_waits_is_woken_when_the_clock_was_set_back
                a_dead_delivery_ends_its_promise_and_is_answered
                the_head_of_an_ordering_key_holds_the_others_until_it_ends
                what_is_settled_is_settled_once
                a_parcel_in_the_mailbox_waits_for_its_acknowledgement
                a_parcel_in_the_mailbox_is_found_however_much_lies_before_it
                a_crash_of_ours_is_counted
                what_waits_for_an_agreement_waits_until_a_person_lets_it_go
                what_died_of_the_same_is_one_group
            }
            promises {
                each_step_is_recorded_once_with_its_true_instant
                after_a_downtime_all_steps_come_at_once_in_due_order
                a_promise_met_late_shows_every_step_and_stays_late
                a_promise_met_at_the_very_instant_is_met_and_not_breached
                a_message_late_on_arrival_is_breached_at_once
                the_sender_is_told_of_risk_and_lateness_once_each
                a_clock_that_is_set_neither_loses_nor_doubles_a_step
                what_is_only_in_transit_keeps_its_promise_open
                endangered_promises_are_counted_by_step
            }
            commands {
                a_dead_delivery_is_tried_again_with_the_same_promise
                a_retry_does_not_break_the_order_of_its_key
                a_delivery_that_waits_its_turn_is_not_sent_before_it
                cancelling_ends_it_and_lets_the_next_go
                a_receipt_meets_the_promise_and_its_repetition_changes_nothing
                a_receipt_that_comes_too_late_is_kept_and_changes_nothing
                a_refusal_by_the_receiver_is_a_death
                a_receipt_overtakes_an_attempt_under_way
                a_result_that_comes_too_late_leaves_the_lease_as_it_is
                a_command_for_nobody_is_not_found
                a_command_rings_the_lane_and_the_senders_answers
                each_death_and_what_follows_it_is_told_under_an_id_of_its_own
                a_waived_promise_is_neither_met_nor_breached_whatever_comes
                a_waived_promise_hides_no_refusal_on_the_way
                what_is_met_or_ended_is_not_waived
            }
            replies {
                a_reply_moves_the_state_of_what_it_answers
                a_late_or_contradictory_reply_is_kept_and_changes_nothing
                only_the_receiver_of_a_message_answers_it
                a_reply_is_a_receipt_of_the_delivery
                a_refusal_ends_the_delivery_and_lets_the_next_go
                a_reply_finds_the_delivery_it_names_and_no_other
                a_reply_is_answered_in_the_batch_of_what_it_answers
            }
            placements {
                who_opted_out_gets_no_more_of_the_placements_messages
                an_opt_out_counts_from_its_day_and_can_be_taken_back
                special_effort_keeps_a_citizen_out_until_it_ends
                a_duplicate_gets_its_first_answer_also_after_an_opt_out
                other_messages_go_on
            }
            forget {
                content_is_forgotten_after_its_time_and_what_is_owed_is_kept
                messages_are_forgotten_whole_and_their_ids_are_free
                what_outlasted_its_time_is_forgotten_when_it_has_ended
                numbers_are_not_given_twice_after_everything_was_forgotten
                what_has_no_content_is_not_tried_again
            }
            figures {
                interviews_are_counted_by_month_and_parties_and_by_who_told_of_them
                a_correction_takes_the_place_of_what_it_corrects
                what_narrows_the_figures_narrows_them
                promises_volumes_and_lateness_are_counted_over_a_period
                a_decision_is_timed_from_the_acceptance_to_the_first_reply_that_decides
            }
            alerts {
                a_condition_opens_one_alert_and_its_absence_resolves_it
                an_open_alert_keeps_its_earliest_beginning
                an_alert_is_acknowledged_once
            }
            handed {
                what_is_stored_is_leased_and_handed_over_at_once
                a_handed_lease_is_settled_like_any_other_and_runs_out_like_any_other
                what_finds_no_place_waits_and_nothing_newer_passes_it_by
                a_lane_that_stands_still_is_handed_nothing
                what_waits_for_its_turn_or_a_person_is_not_handed_over
                a_batch_shares_the_places_and_a_large_parcel_has_one_to_itself
            }
        }
    };
    ($open:path; $($module:ident { $($promise:ident)* })*) => {
        $(mod $module {
            $(#[tokio::test]
            async fn $promise() {
                let folder = tempfile::tempdir().unwrap();
                super::super::$module::$promise(super::Office::open($open(folder.path()))).await;
            })*
        })*
    };
}

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
            what_was_handed_and_never_begun_is_taken_by_another_when_it_runs_out
            what_a_dead_node_had_handed_over_is_due_when_another_starts
            what_another_node_left_in_the_table_is_soon_looked_for
            of_one_ordering_key_one_is_handed_over_whichever_node_stores_it
            of_two_corrections_at_two_nodes_one_counts
        }
    }
}

/// A store, the time, and the few things tests do with them. Each step is followed by the checks that must
/// always hold.
pub(super) struct Office {
    open: Open,
    store: Option<Arc<dyn Store>>,
    now: Timestamp,
    receipts: u128,
}

impl Office {
    pub(super) fn open(open: Open) -> Self {
        let store = Some(open());
        Self { open, store, now: "2026-03-02T08:00:00Z".parse().unwrap(), receipts: 0 }
    }

    pub(super) fn store(&self) -> &dyn Store {
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
        }
    }

    /// A message to [`RECEIVER`] that happened now and is promised within a day.
    pub(super) fn message(&mut self, id: &str) -> Accepted {
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
        };
        Accepted {
            reply: None,
            bearing: None,
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
        let ask = LeaseAsk { receiver: RECEIVER.into(), most, now: self.now, until, due_by, wake_all: false };
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
