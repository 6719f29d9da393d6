//! What people and receivers ask of deliveries.

use std::time::Duration;

use super::{Office, PARTY, RECEIVER, SignedDuration, delivery, fault, hours, recorded};
use crate::{
    domain::{DeliveryId, FaultCode, Outcome, attempt::Proof},
    store::{Command, Commanded, Next, Settled, hints},
};

async fn command(office: &Office, command: Command) -> Commanded {
    let done = office.store().command(command, "op".into(), office.now).await.unwrap();
    office.check().await;
    done
}

fn confirm(delivery: DeliveryId) -> Command {
    Command::Confirm { delivery, receipt: Some("R-1".into()), by: "urn:dk:jobcenter:0101".into() }
}

fn refuse(delivery: DeliveryId) -> Command {
    let fault = fault(FaultCode::ReceiverRefused);
    Command::Refuse { delivery, fault, by: "urn:dk:jobcenter:0101".into() }
}

fn waive(delivery: DeliveryId) -> Command {
    Command::Waive { delivery, reason: "agreed by telephone".into() }
}

fn dead() -> Next {
    Next::Dead(fault(FaultCode::ReceiverRefused))
}

/// Takes in messages that must keep their order.
async fn in_order(office: &mut Office, ids: &[&str]) -> Vec<DeliveryId> {
    let mut taken = Vec::new();
    for id in ids {
        let mut message = office.message(id);
        message.deliveries = vec![delivery(office.now, hours(24))];
        message.deliveries[0].ordering_key = Some(7);
        taken.push(office.accept(message).await.answer().receipt_id.delivery(1));
    }
    taken
}

pub(super) async fn a_dead_delivery_is_tried_again_with_the_same_promise(mut office: Office) {
    let starts = office.now;
    let id = office.taken("one").await;
    office.pass(hours(13));
    office.attempt(dead()).await;
    assert!(office.due().await.is_empty());
    assert_eq!(command(&office, Command::Retry(id)).await, Commanded::Done);
    assert_eq!(office.due().await, ["one"]);
    assert_eq!(office.view("one").await.line.state, "pending");
    assert_eq!(office.promise("one").await.standing, "on_track");
    let mut seen = Vec::new();
    for minutes in [17 * 60 + 59, 18 * 60, 21 * 60 + 36, 24 * 60] {
        office.now = starts + jiff::SignedDuration::from_mins(minutes);
        seen.push(office.advance().await.iter().map(|p| p.step).collect::<Vec<_>>());
    }
    assert_eq!(seen, [vec![], vec![75], vec![90], vec![100]], "its steps come when they are due");
    office.attempt(Next::Delivered).await;
    assert_eq!(office.told("one").await, ["accepted", "failed", "at_risk", "late", "delivered"]);
}

pub(super) async fn a_retry_does_not_break_the_order_of_its_key(mut office: Office) {
    let ids = in_order(&mut office, &["one", "two", "three"]).await;
    office.attempt(dead()).await;
    let second = office.lease(9).await;
    assert_eq!(second.len(), 1, "the death let the second go");
    assert_eq!(command(&office, Command::Retry(ids[0])).await, Commanded::Done);
    assert!(office.due().await.is_empty(), "one of a key is under way at a time");
    for lease in second {
        assert_eq!(office.settle(lease, Next::Delivered).await, Settled::Done);
    }
    for id in ["one", "three"] {
        assert_eq!(office.due().await, [id]);
        office.attempt(Next::Delivered).await;
    }
    assert_eq!(office.store().conservation().await.unwrap().delivered, 3);
}

pub(super) async fn a_delivery_that_waits_its_turn_is_not_sent_before_it(mut office: Office) {
    let ids = in_order(&mut office, &["one", "two"]).await;
    assert_eq!(command(&office, Command::Retry(ids[1])).await, Commanded::NotNow);
    assert_eq!(office.due().await, ["one"]);
    office.attempt(Next::Delivered).await;
    assert_eq!(office.due().await, ["two"]);
}

pub(super) async fn cancelling_ends_it_and_lets_the_next_go(mut office: Office) {
    let ids = in_order(&mut office, &["one", "two"]).await;
    assert_eq!(command(&office, Command::Cancel { delivery: ids[0], reason: None }).await, Commanded::Done);
    assert_eq!(
        command(&office, Command::Cancel { delivery: ids[0], reason: None }).await,
        Commanded::Already
    );
    assert_eq!(office.view("one").await.line.state, "cancelled");
    assert_eq!(office.promise("one").await.standing, "ended");
    assert_eq!(command(&office, Command::Retry(ids[0])).await, Commanded::NotNow);
    assert_eq!(office.due().await, ["two"]);
    let under_way = office.lease(1).await.pop().unwrap();
    assert_eq!(command(&office, Command::Cancel { delivery: ids[1], reason: None }).await, Commanded::Done);
    assert_eq!(office.settle(under_way, Next::Retry { at: office.now }).await, Settled::LeaseLost);
    assert_eq!(office.view("two").await.line.state, "cancelled");
    let id = office.taken("three").await;
    office.attempt(Next::Delivered).await;
    assert_eq!(
        command(&office, Command::Cancel { delivery: id, reason: None }).await,
        Commanded::NotNow,
        "it is out of the house"
    );
}

pub(super) async fn a_receipt_meets_the_promise_and_its_repetition_changes_nothing(mut office: Office) {
    let id = office.taken("one").await;
    office.pass(hours(2));
    assert_eq!(command(&office, confirm(id)).await, Commanded::Done);
    let met = office.promise("one").await;
    assert_eq!((met.standing.as_str(), met.met), ("met", Some(office.now)));
    office.pass(hours(40));
    assert_eq!(command(&office, confirm(id)).await, Commanded::Already);
    assert_eq!(command(&office, refuse(id)).await, Commanded::Already);
    assert_eq!(office.promise("one").await.met, met.met);
    assert_eq!(office.told("one").await, ["accepted", "delivered"]);
    let receipts = office.view("one").await.history.iter().filter(|e| e.what == "receipt").count();
    assert_eq!(receipts, 3, "each is in the history");
    let log = office.store().answers("3f".into(), 0, 9).await.unwrap();
    assert_eq!(log[1].answer.receiver_receipt.as_deref(), Some("R-1"));
}

pub(super) async fn a_receipt_that_comes_too_late_is_kept_and_changes_nothing(mut office: Office) {
    let id = office.taken("one").await;
    office.attempt(dead()).await;
    assert_eq!(command(&office, confirm(id)).await, Commanded::Already);
    let view = office.view("one").await;
    assert_eq!((view.line.state.as_str(), view.promises[0].standing.as_str()), ("dead", "ended"));
    assert_eq!(view.history.last().map(|e| e.what.as_str()), Some("receipt"));
}

pub(super) async fn a_refusal_by_the_receiver_is_a_death(mut office: Office) {
    let ids = in_order(&mut office, &["one", "two"]).await;
    assert_eq!(
        office.store().command(refuse(ids[0]), "0101".into(), office.now).await.unwrap(),
        Commanded::Done
    );
    assert_eq!(office.view("one").await.line.state, "dead");
    assert_eq!(office.promise("one").await.standing, "ended");
    assert_eq!(office.told("one").await, ["accepted", "failed"]);
    assert_eq!(office.due().await, ["two"]);
}

pub(super) async fn a_receipt_overtakes_an_attempt_under_way(mut office: Office) {
    let id = office.taken("one").await;
    let lease = office.lease(1).await.pop().unwrap();
    assert_eq!(command(&office, confirm(id)).await, Commanded::Done);
    assert_eq!(office.settle(lease, dead()).await, Settled::LeaseLost);
    assert_eq!(office.view("one").await.line.state, "delivered");
    assert_eq!(office.told("one").await, ["accepted", "delivered"]);
}

pub(super) async fn a_result_that_comes_too_late_leaves_the_lease_as_it_is(mut office: Office) {
    let id = office.taken("one").await;
    let lease = office.lease(1).await.pop().unwrap();
    assert_eq!(command(&office, refuse(id)).await, Commanded::Done);
    assert_eq!(office.settle(lease, Next::Delivered).await, Settled::LeaseLost);
    assert_eq!(command(&office, Command::Retry(id)).await, Commanded::Done);
    assert!(office.due().await.is_empty(), "it is still leased");
    office.pass(SignedDuration::from_mins(10));
    assert_eq!(office.due().await, ["one"]);
}

pub(super) async fn a_command_for_nobody_is_not_found(mut office: Office) {
    let known = office.taken("one").await.receipt();
    let unknown = office.arrived("").receipt.delivery(1);
    for delivery in [unknown, known.delivery(2)] {
        for asked in [
            Command::Retry(delivery),
            Command::Cancel { delivery, reason: None },
            confirm(delivery),
            refuse(delivery),
            waive(delivery),
        ] {
            assert_eq!(command(&office, asked).await, Commanded::NotFound);
        }
    }
    assert_eq!(office.due().await, ["one"]);
}

/// Whether a bell was rung since it was last listened to.
async fn rung(office: &Office, name: &str) -> bool {
    let bell = office.store().hints().bell(name);
    // The wait gives the bell its turn; one that was rung is heard at once.
    tokio::time::timeout(Duration::ZERO, bell.notified()).await.is_ok()
}

pub(super) async fn a_command_rings_the_lane_and_the_senders_answers(mut office: Office) {
    let answers = hints::answers(PARTY);
    let ids = in_order(&mut office, &["one", "two", "three", "four"]).await;
    office.attempt(dead()).await;
    let cancel = Command::Cancel { delivery: ids[2], reason: None };
    for asked in [Command::Retry(ids[0]), confirm(ids[1]), refuse(ids[0]), cancel, waive(ids[3])] {
        for bell in [RECEIVER, &answers] {
            rung(&office, bell).await;
            assert!(!rung(&office, bell).await, "a bell is heard once");
        }
        assert_eq!(command(&office, asked.clone()).await, Commanded::Done, "{asked:?}");
        for bell in [RECEIVER, &answers] {
            assert!(rung(&office, bell).await, "{asked:?} rings {bell}");
        }
    }
    assert_eq!(command(&office, confirm(ids[1])).await, Commanded::Already);
    assert!(!rung(&office, RECEIVER).await, "what changed nothing rings nothing");
}

pub(super) async fn each_death_and_what_follows_it_is_told_under_an_id_of_its_own(mut office: Office) {
    let id = office.taken("one").await;
    for _ in 0..2 {
        office.attempt(dead()).await;
        assert_eq!(command(&office, Command::Retry(id)).await, Commanded::Done);
    }
    assert_eq!(command(&office, refuse(id)).await, Commanded::Done);
    assert_eq!(command(&office, Command::Retry(id)).await, Commanded::Done);
    assert_eq!(command(&office, Command::Retry(id)).await, Commanded::Done, "it is no new round");
    let outcome = Outcome::Delivered(Proof { in_transit: true, ..Proof::default() });
    office.settle_as(office.lease(1).await.pop().unwrap(), outcome, Next::Delivered).await;
    office.crash();
    let log = office.store().answers(PARTY.into(), 0, 99).await.unwrap();
    let told: Vec<String> = log.iter().map(|l| l.answer.id()).collect();
    let (plain, again) = (id.uuid().to_string(), id.uuid().simple().to_string());
    assert_eq!(
        told[1..],
        [
            format!("{plain}.failed"),
            format!("{again}.failed.2"),
            format!("{again}.failed.3"),
            format!("{again}.delivered.4"),
        ]
    );
    let answers = office.store().answers(PARTY.into(), 0, 99).await.unwrap();
    assert_eq!(told, answers.iter().map(|l| l.answer.id()).collect::<Vec<_>>(), "however often it is read");
}

pub(super) async fn a_waived_promise_is_neither_met_nor_breached_whatever_comes(mut office: Office) {
    let id = office.taken("one").await;
    office.pass(hours(20));
    office.advance().await;
    assert_eq!(office.store().endangered(recorded()).await.unwrap().len(), 1);
    assert_eq!(command(&office, waive(id)).await, Commanded::Done);
    assert_eq!(command(&office, waive(id)).await, Commanded::Already);
    let waived = async |office: &Office| {
        assert_eq!(office.promise("one").await.standing, "waived");
        assert!(office.store().endangered(recorded()).await.unwrap().is_empty());
        assert!(office.store().promises(true, 9, office.now).await.unwrap().is_empty());
        let totals = office.store().sla_totals(office.now).await.unwrap();
        assert_eq!(totals.into_iter().collect::<Vec<_>>(), [("waived".to_owned(), 1)]);
    };
    waived(&office).await;
    office.pass(hours(10));
    assert!(office.advance().await.is_empty(), "no step comes of it");
    office.attempt(dead()).await;
    waived(&office).await;
    office.crash();
    assert_eq!(command(&office, Command::Retry(id)).await, Commanded::Done);
    waived(&office).await;
    office.pass(hours(10));
    assert!(office.advance().await.is_empty(), "a retry does not bring it back");
    office.attempt(Next::Delivered).await;
    waived(&office).await;
    assert_eq!(office.told("one").await, ["accepted", "at_risk", "failed", "delivered"]);
    let history = office.view("one").await.history;
    let told = history.iter().find(|event| event.what == "waived").expect("it is told");
    assert_eq!((&told.data["by"], &told.data["reason"]), (&"op".into(), &"agreed by telephone".into()));
}

pub(super) async fn a_waived_promise_hides_no_refusal_on_the_way(mut office: Office) {
    let id = office.taken("one").await;
    let lease = office.lease(1).await.pop().unwrap();
    let proof = Proof { in_transit: true, receipt_follows: true, ..Proof::default() };
    office.settle_as(lease, Outcome::Delivered(proof), Next::Delivered).await;
    assert_eq!(command(&office, waive(id)).await, Commanded::Done);
    assert_eq!(command(&office, refuse(id)).await, Commanded::Done);
    assert_eq!(office.view("one").await.line.state, "dead");
}

pub(super) async fn what_is_met_or_ended_is_not_waived(mut office: Office) {
    let met = office.taken("met").await;
    office.attempt(Next::Delivered).await;
    let dead_one = office.taken("dead").await;
    office.attempt(dead()).await;
    for (id, standing) in [(met, "met"), (dead_one, "ended")] {
        assert_eq!(command(&office, waive(id)).await, Commanded::NotNow);
        assert_eq!(office.promise(&id.to_string()).await.standing, standing);
    }
}

pub(super) async fn a_waiver_that_needs_two_is_made_by_another_than_who_asked(mut office: Office) {
    let id = office.taken("one").await;
    let by = async |office: &Office, command: Command, who: &str| {
        office.store().command(command, who.into(), office.now).await.unwrap()
    };
    let ask = || Command::RequestWaiver { delivery: id, reason: "agreed by telephone".into() };
    let approve = || Command::ApproveWaiver(id);
    assert_eq!(by(&office, approve(), "bo").await, Commanded::NotNow, "nobody asked");
    assert_eq!(by(&office, ask(), "anna").await, Commanded::Done);
    assert_eq!(by(&office, ask(), "cy").await, Commanded::Already);
    office.crash();
    let requests = office.store().waiver_requests().await.unwrap();
    assert_eq!(requests.len(), 1);
    assert_eq!((requests[0].delivery_id, requests[0].by.as_str()), (id, "anna"));
    assert_eq!(requests[0].reason, "agreed by telephone");
    assert_eq!(by(&office, approve(), "anna").await, Commanded::NotNow, "not the same");
    assert_eq!(office.promise("one").await.standing, "on_track");
    assert_eq!(by(&office, approve(), "bo").await, Commanded::Done);
    office.check().await;
    assert_eq!(office.promise("one").await.standing, "waived");
    assert!(office.store().waiver_requests().await.unwrap().is_empty());
    let history = office.view("one").await.history;
    let told: Vec<_> = history.iter().filter(|e| e.what.starts_with("waive")).collect();
    assert_eq!((told[0].what.as_str(), &told[0].data["by"]), ("waiver_requested", &"anna".into()));
    assert_eq!((told[1].what.as_str(), &told[1].data["by"]), ("waived", &"bo".into()));
    assert_eq!(told[1].data["reason"], "agreed by telephone");
    // A promise that is met waits for nobody.
    let id = office.taken("two").await;
    let ask = Command::RequestWaiver { delivery: id, reason: "x".into() };
    assert_eq!(by(&office, ask.clone(), "anna").await, Commanded::Done);
    office.attempt(Next::Delivered).await;
    office.attempt(Next::Delivered).await;
    assert!(office.store().waiver_requests().await.unwrap().is_empty());
    assert_eq!(by(&office, Command::ApproveWaiver(id), "bo").await, Commanded::NotNow);
    assert_eq!(by(&office, ask, "anna").await, Commanded::NotNow);
}
