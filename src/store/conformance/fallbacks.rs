//! Two ways to one party: the second is held until the first endangers the promise, and whichever is there first meets it.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};

use super::{
    Arc, Office, RECEIVER, Settlement, clocks, delivery, fault,
    generations::{recompute, to},
    hours, replies,
};
use crate::{
    domain::{
        AttemptRecord, DeliveryId, FaultCode, Outcome,
        attempt::Proof,
        case::CaseState,
        sla::{Starts, Stops},
    },
    store::{
        Accepted, Admission, Command, Commanded, Forget, Lease, LeaseAsk, Next, OtherWay, Release, Released,
        Settled, Stage, Store, views::DeliveryView,
    },
};

/// The receiver of second ways.
pub(super) const SECOND: &str = "mail";

/// A message with two ways: due in a day, and the second goes four hours before, or from half of it on by the forecast.
pub(super) fn message(office: &mut Office, id: &str) -> Accepted {
    let mut message = office.message(id);
    let release = office.now + hours(20);
    message.deliveries[0].other_way = Some(OtherWay { ordinal: 2, release: None, early: None });
    let mut second = delivery(office.now, hours(24));
    second.receiver = SECOND.into();
    second.other_way =
        Some(OtherWay { ordinal: 1, release: Some(release), early: Some(office.now + hours(12)) });
    message.deliveries.push(second);
    message
}

/// Takes one in, and says which delivery is which way.
pub(super) async fn taken(office: &mut Office, id: &str) -> (DeliveryId, DeliveryId) {
    let message = message(office, id);
    let receipt = office.accept(message).await.answer().receipt_id;
    (receipt.delivery(1), receipt.delivery(2))
}

async fn command(office: &Office, command: Command) -> Commanded {
    let commanded = office.store().command(command, "cli:anna".into(), office.now).await.unwrap();
    office.check().await;
    commanded
}

async fn release(office: &Office) -> Vec<Released> {
    let released = office.store().release_fallbacks(Release::Due(1_000), office.now).await.unwrap();
    office.check().await;
    released
}

/// What can be sent by the second way now, for ten minutes.
pub(super) async fn lease(office: &Office) -> Vec<Lease> {
    lease_at(office.store(), office.now, 10).await
}

async fn lease_at(store: &dyn Store, now: Timestamp, most: u32) -> Vec<Lease> {
    let (receiver, until) = (SECOND.to_owned(), now + SignedDuration::from_mins(10));
    let ask =
        LeaseAsk { receiver, most, now, until, due_by: None, due_after: None, wake_all: false, probe: false };
    store.lease_due(ask).await.unwrap().leases
}

/// Lets the second way go, attempts it, and settles that.
async fn attempt(office: &mut Office, next: Next) -> Settled {
    office.pass(hours(20));
    release(office).await;
    let lease = lease(office).await.pop().expect("it was let go");
    office.settle(lease, next).await
}

/// The message's derived state, and those of its two ways.
pub(super) async fn states(office: &Office, id: &str) -> [String; 3] {
    let view = office.view(id).await;
    let of = |way: usize| view.deliveries[way].state.clone();
    [view.line.state.clone(), of(0), of(1)]
}

async fn second(office: &Office, id: &str) -> DeliveryView {
    office.view(id).await.deliveries.pop().expect("it has two")
}

pub(super) async fn standing(office: &Office, id: &str) -> (String, Option<Timestamp>) {
    let promises = office.view(id).await.promises;
    let promise = promises.into_iter().find(|p| p.promise == "delivered").expect("it is promised");
    (promise.standing, promise.met)
}

fn on_the_way() -> Outcome {
    Outcome::Delivered(Proof { in_transit: true, ..Proof::default() })
}

pub(super) async fn a_second_way_waits_and_is_nobodys_backlog(mut office: Office) {
    let (first, _) = taken(&mut office, "one").await;
    let view = second(&office, "one").await;
    assert_eq!((view.hold.as_deref(), view.second_way_of), (Some("fallback"), Some(first)));
    assert_eq!((view.next_attempt, view.released), (Some(office.now + hours(20)), None));
    assert!(lease(&office).await.is_empty(), "it is not tried");
    assert_eq!(office.due().await, ["one"], "the first is");
    let backlogs = office.store().backlogs().await.unwrap();
    assert!(backlogs.iter().all(|b| b.receiver != SECOND || b.pending == 0), "{backlogs:?}");
    assert_eq!(office.view("one").await.promises.len(), 1, "one promise for both");
    office.pass(hours(19));
    office.advance().await;
    let endangered = office.store().endangered(super::recorded()).await.unwrap();
    assert_eq!((endangered.len(), endangered[0].count), (1, 1));
    assert_eq!(endangered[0].receiver, RECEIVER);
}

pub(super) async fn what_the_first_way_delivers_the_second_never_does(mut office: Office) {
    taken(&mut office, "one").await;
    office.pass(hours(19));
    office.attempt(Next::Delivered).await;
    assert_eq!(states(&office, "one").await, ["delivered", "delivered", "cancelled"]);
    assert_eq!(standing(&office, "one").await, ("met".into(), Some(office.now)));
    office.crash();
    office.pass(hours(30));
    assert!(release(&office).await.is_empty());
    assert!(second(&office, "one").await.released.is_none());
    assert_eq!(office.told("one").await, ["accepted", "at_risk", "delivered"]);
    let conservation = office.store().conservation().await.unwrap();
    assert_eq!((conservation.delivered, conservation.cancelled), (1, 0));
    // Nothing of it is owed any more.
    taken(&mut office, "last").await;
    office.pass(hours(240));
    let forget = Forget { what: Stage::Content, before: office.now - hours(200), most: 10 };
    assert_eq!(office.store().forget(forget).await.unwrap().count, 1);
}

pub(super) async fn a_second_way_is_let_go_once_at_its_true_instant(mut office: Office) {
    let due = office.now + hours(20);
    let (_, delivery) = taken(&mut office, "one").await;
    office.now = due - SignedDuration::from_secs(1);
    assert!(release(&office).await.is_empty(), "not early");
    office.crash();
    office.now = due + SignedDuration::from_secs(600);
    let released = release(&office).await;
    assert_eq!(released.len(), 1);
    let one = &released[0];
    assert_eq!((one.delivery, one.due_at, one.reason.name()), (delivery, due, "time"));
    assert_eq!((&*one.first, &*one.receiver, &*one.kind), (RECEIVER, SECOND, "complaint.v1"));
    assert!(release(&office).await.is_empty(), "once");
    office.crash();
    assert!(release(&office).await.is_empty());
    assert_eq!(second(&office, "one").await.released, Some(office.now));
    let view = office.view("one").await;
    let told = view.history.iter().find(|e| e.what == "fallback_released").expect("it is told");
    assert_eq!((told.delivery_id, &told.data["reason"]), (Some(delivery), &"time".into()));
    assert_eq!(told.data["dueAt"], due.to_string());
    assert_eq!(office.due().await, ["one"], "the first is tried on");
    assert_eq!(lease(&office).await.len(), 1, "and so is the second");
    let since = |ago| office.store().fallbacks(office.now - ago);
    let groups = since(hours(1)).await.unwrap();
    assert_eq!((groups.len(), groups[0].count, groups[0].pending), (1, 1, 1));
    assert_eq!((&*groups[0].first, &*groups[0].second, groups[0].since), (RECEIVER, SECOND, office.now));
    assert!(since(SignedDuration::ZERO).await.unwrap().is_empty());
}

pub(super) async fn the_second_way_meets_the_promise_and_the_first_is_cancelled(mut office: Office) {
    let mut first = message(&mut office, "one");
    first.deliveries[0].ordering_key = Some(7);
    office.accept(first).await;
    let mut next = office.message("next");
    next.deliveries[0].ordering_key = Some(7);
    office.accept(next).await;
    // An attempt by the first way is under way meanwhile.
    office.pass(hours(20) - SignedDuration::from_mins(1));
    let under_way = office.lease(1).await.pop().expect("the first is due");
    office.pass(SignedDuration::from_mins(1));
    release(&office).await;
    let second = lease(&office).await.pop().expect("it was let go");
    assert_eq!(office.settle(second, Next::Delivered).await, Settled::Done);
    assert_eq!(states(&office, "one").await, ["delivered", "cancelled", "delivered"]);
    assert_eq!(standing(&office, "one").await, ("met".into(), Some(office.now)));
    assert_eq!(office.due().await, ["next"], "what waited behind the first goes");
    assert_eq!(office.settle(under_way, Next::Delivered).await, Settled::LeaseLost);
    office.crash();
    assert_eq!(states(&office, "one").await, ["delivered", "cancelled", "delivered"]);
    assert_eq!(office.told("one").await, ["accepted", "at_risk", "delivered"]);
    let view = office.view("one").await;
    let met = view.history.iter().find(|e| e.what == "fallback_met").expect("it is told by which way");
    assert_eq!(met.data["by"], view.deliveries[1].delivery_id.to_string());
    assert_eq!(met.delivery_id, Some(view.deliveries[0].delivery_id));
}

pub(super) async fn a_receipt_by_either_way_meets_what_waits_for_it(mut office: Office) {
    let mut one = message(&mut office, "one");
    let terms = clocks::terms("receipted", hours(40), Starts::Occurred, Stops::Receipt);
    one.deliveries[0].further = vec![clocks::further(terms, None, office.now)];
    let receipt = office.accept(one).await.answer().receipt_id;
    office.pass(hours(20));
    release(&office).await;
    let lease = lease(&office).await.pop().expect("it was let go");
    office.settle_as(lease, on_the_way(), Next::Delivered).await;
    assert_eq!(states(&office, "one").await, ["pending", "pending", "delivered"]);
    assert_eq!(standing(&office, "one").await, ("at_risk".into(), None), "it is on its way");
    office.pass(hours(1));
    let confirm =
        Command::Confirm { delivery: receipt.delivery(2), receipt: Some("R-1".into()), by: "0101".into() };
    let again = confirm.clone();
    assert_eq!(command(&office, confirm).await, Commanded::Done);
    assert_eq!(states(&office, "one").await, ["delivered", "cancelled", "delivered"]);
    assert_eq!(standing(&office, "one").await, ("met".into(), Some(office.now)));
    let promises = office.view("one").await.promises;
    let receipted = promises.iter().find(|p| p.promise == "receipted").expect("its clock runs");
    assert_eq!((receipted.met, receipted.delivery_id), (Some(office.now), receipt.delivery(1)));
    assert_eq!(command(&office, again).await, Commanded::Already);
}

/// A return message names its original only, and that has two ways.
pub(super) async fn a_return_message_confirms_by_the_way_that_lives(mut office: Office) {
    let answer = async |office: &mut Office, id: &str, to: &str| {
        let mut reply = replies::reply(office, id, Some(to), CaseState::Received.into());
        reply.deliveries.clear();
        office.accept(reply).await;
    };
    taken(&mut office, "early").await;
    answer(&mut office, "r-1", "early").await;
    assert_eq!(states(&office, "early").await, ["delivered", "delivered", "cancelled"]);
    taken(&mut office, "late").await;
    office.attempt(Next::Dead(fault(FaultCode::ReceiverRefused))).await;
    release(&office).await;
    let lease = lease(&office).await.pop().expect("it was let go");
    office.settle_as(lease, on_the_way(), Next::Delivered).await;
    assert_eq!(standing(&office, "late").await, ("on_track".into(), None));
    answer(&mut office, "r-2", "late").await;
    assert_eq!(standing(&office, "late").await, ("met".into(), Some(office.now)));
    assert_eq!(states(&office, "late").await, ["delivered", "dead", "delivered"]);
}

pub(super) async fn a_first_way_that_dies_leaves_the_promise_to_the_second(mut office: Office) {
    let (_, second) = taken(&mut office, "one").await;
    office.pass(hours(1));
    office.attempt(Next::Dead(fault(FaultCode::ReceiverRefused))).await;
    assert_eq!(standing(&office, "one").await.0, "on_track");
    assert_eq!(office.told("one").await, ["accepted"], "it has not failed");
    let released = release(&office).await;
    assert_eq!((released[0].reason.name(), released[0].due_at), ("failed", office.now));
    assert_eq!(states(&office, "one").await, ["pending", "dead", "pending"]);
    let lease_it = lease(&office).await.pop().expect("it was let go");
    office.settle(lease_it, Next::Dead(fault(FaultCode::ReceiverRefused))).await;
    assert_eq!(standing(&office, "one").await.0, "ended");
    assert_eq!(states(&office, "one").await, ["dead", "dead", "dead"]);
    assert_eq!(office.told("one").await, ["accepted", "failed"], "once, when both have failed");
    assert_eq!(command(&office, Command::Retry(second)).await, Commanded::Done);
    assert_eq!(standing(&office, "one").await.0, "on_track");
    let lease = lease(&office).await.pop().expect("it is tried again");
    office.settle(lease, Next::Delivered).await;
    assert_eq!(standing(&office, "one").await, ("met".into(), Some(office.now)));
    assert_eq!(states(&office, "one").await, ["delivered", "dead", "delivered"]);
}

pub(super) async fn a_second_way_that_dies_leaves_the_promise_to_the_first(mut office: Office) {
    taken(&mut office, "one").await;
    attempt(&mut office, Next::Dead(fault(FaultCode::ReceiverRefused))).await;
    assert_eq!(states(&office, "one").await, ["pending", "pending", "dead"]);
    assert_eq!(office.told("one").await, ["accepted"], "it has not failed");
    office.pass(hours(5));
    office.attempt(Next::Delivered).await;
    assert_eq!(standing(&office, "one").await, ("met_late".into(), Some(office.now)));
    assert_eq!(states(&office, "one").await, ["delivered", "delivered", "dead"]);
}

pub(super) async fn what_is_waived_refused_or_cancelled_lets_nothing_go(mut office: Office) {
    let reason = "agreed by telephone".to_owned();
    let (_, waived) = taken(&mut office, "waived").await;
    let (refused, _) = taken(&mut office, "refused").await;
    let (cancelled, _) = taken(&mut office, "cancelled").await;
    let refusal = fault(FaultCode::ReceiverRefused);
    for given in [
        // By the id of either way.
        Command::Waive { delivery: waived, reason: reason.clone() },
        Command::Refuse { delivery: refused, fault: refusal, by: "0101".into() },
        Command::Cancel { delivery: cancelled, reason: Some(reason) },
    ] {
        assert_eq!(command(&office, given).await, Commanded::Done);
    }
    assert_eq!(states(&office, "waived").await, ["pending", "pending", "cancelled"]);
    assert_eq!(states(&office, "refused").await, ["dead", "dead", "cancelled"]);
    assert_eq!(states(&office, "cancelled").await, ["cancelled", "cancelled", "cancelled"]);
    office.pass(hours(30));
    assert!(release(&office).await.is_empty());
    for (id, stands) in [("waived", "waived"), ("refused", "ended"), ("cancelled", "ended")] {
        assert_eq!(standing(&office, id).await.0, stands, "{id}");
    }
}

pub(super) async fn a_person_lets_a_second_way_go_or_gives_it_up(mut office: Office) {
    let now = office.now;
    let (_, second) = taken(&mut office, "one").await;
    assert_eq!(command(&office, Command::Retry(second)).await, Commanded::Done);
    assert_eq!(self::second(&office, "one").await.released, Some(now));
    assert_eq!(lease(&office).await.len(), 1);
    let (first, second) = taken(&mut office, "two").await;
    let cancel = |delivery| Command::Cancel { delivery, reason: None };
    assert_eq!(command(&office, cancel(second)).await, Commanded::Done);
    assert_eq!(states(&office, "two").await, ["pending", "pending", "cancelled"]);
    assert_eq!(standing(&office, "two").await.0, "on_track", "the first has it still");
    assert_eq!(command(&office, cancel(first)).await, Commanded::Done);
    assert_eq!(standing(&office, "two").await.0, "ended");
}

pub(super) async fn a_second_way_moves_with_its_deadline(mut office: Office) {
    let due = office.now + hours(24);
    taken(&mut office, "one").await;
    let open = office.store().open_promises((0, 0), 10).await.unwrap();
    assert_eq!((open.len(), open[0].second_held), (1, true));
    assert_eq!(recompute(&office, vec![to(&open[0], due - hours(4))]).await, 1);
    let view = second(&office, "one").await;
    assert_eq!((view.due, view.next_attempt), (due - hours(4), Some(due - hours(8))));
    office.pass(hours(16));
    release(&office).await;
    assert!(!office.store().open_promises((0, 0), 10).await.unwrap()[0].second_held, "it is held no more");
}

/// Each node ends one of the two ways of every message, in opposite orders: nobody waits for the other for ever.
pub(super) async fn a_second_way_is_let_go_by_one_node_and_each_promise_is_met_once(mut office: Office) {
    const MESSAGES: usize = 40;
    let other = (office.open)();
    let batch = (0..MESSAGES).map(|n| Admission::Accepted(Box::new(message(&mut office, &format!("m{n}")))));
    let batch = batch.collect();
    office.store().accept(batch).await.unwrap();
    office.pass(hours(20));
    let now = office.now;
    let release_all = async |store: &dyn Store| {
        let mut all = Vec::new();
        loop {
            let some = store.release_fallbacks(Release::Due(7), now).await.unwrap();
            if some.is_empty() {
                return all;
            }
            all.extend(some.into_iter().map(|one| one.delivery.to_string()));
        }
    };
    let (mine, theirs) = tokio::join!(release_all(office.store()), release_all(&*other));
    let distinct: BTreeSet<_> = mine.iter().chain(&theirs).collect();
    assert_eq!((mine.len() + theirs.len(), distinct.len()), (MESSAGES, MESSAGES), "each once");
    let first = office.lease(100).await;
    let mut second = lease_at(&*other, now, 100).await;
    second.reverse();
    assert_eq!((first.len(), second.len()), (MESSAGES, MESSAGES));
    let settle = async |store: &dyn Store, lease: Lease| {
        let outcome = Outcome::Delivered(Proof::default());
        let record = AttemptRecord { started: now, took: SignedDuration::ZERO, outcome };
        let settlement = Settlement { lease, record, next: Next::Delivered, now };
        store.settle(Arc::new(vec![settlement])).await.unwrap()[0]
    };
    let by_first = join_all(first.into_iter().map(|lease| settle(office.store(), lease)));
    let by_second = join_all(second.into_iter().map(|lease| settle(&*other, lease)));
    let (by_first, by_second) = tokio::join!(by_first, by_second);
    let done = by_first.iter().chain(&by_second).filter(|settled| **settled == Settled::Done).count();
    assert_eq!(done, MESSAGES, "one way of each");
    office.check().await;
    let conservation = office.store().conservation().await.unwrap();
    assert_eq!(conservation.delivered, i64::try_from(MESSAGES).unwrap());
    assert_eq!(office.store().sla_totals(now).await.unwrap().get("met"), Some(&conservation.delivered));
}
