//! Leases and what ends them.

use jiff::SignedDuration;

use super::{Office, RECEIVER, delivery, fault, hours};
use crate::{
    domain::{FaultCode, HoldReason},
    store::{Command, Commanded, LeaseAsk, Next, Settled, views::Which},
};

pub(super) async fn the_earliest_deadline_is_leased_first(mut office: Office) {
    for (id, within) in [("late", 30), ("soon", 2), ("middle", 9), ("soon-too", 2)] {
        let mut message = office.message(id);
        message.deliveries = vec![delivery(office.now, hours(within))];
        office.accept(message).await;
    }
    assert_eq!(office.due().await, ["soon", "soon-too", "middle", "late"]);
    let leased = office.leased(2, None).await;
    assert_eq!(leased.nearest_deadline, Some(office.now + hours(2)));
    let ids: Vec<_> = leased.leases.iter().map(|l| l.message_id.as_str()).collect();
    assert_eq!(ids, ["soon", "soon-too"], "no more than asked for");
    assert_eq!(office.due().await, ["middle", "late"]);
    let urgent = office.leased(9, Some(office.now + hours(9))).await.leases;
    assert_eq!(urgent.len(), 1, "only what is due by then");
    let other = LeaseAsk {
        receiver: "archive".into(),
        most: 9,
        now: office.now,
        until: office.now + hours(1),
        due_by: None,
        due_after: None,
        wake_all: false,
        probe: false,
    };
    assert!(office.store().lease_due(other).await.unwrap().leases.is_empty(), "another receiver's lane");
}

pub(super) async fn whom_a_parcel_is_about_comes_with_its_lease(mut office: Office) {
    let mut about_nobody = office.message("nobody");
    about_nobody.deliveries[0].parcel.citizen = None;
    office.taken("one").await;
    office.accept(about_nobody).await;
    // From the table, and not from the hand of whoever stored it.
    office.crash();
    let leases = office.lease(2).await;
    let citizen = |id: &str| {
        let lease = leases.iter().find(|lease| lease.message_id == id).expect("it is leased");
        lease.parcel.citizen.as_ref().map(|citizen| citizen.digits().to_owned())
    };
    assert_eq!(citizen("one").as_deref(), Some("0707614285"));
    assert_eq!(citizen("nobody"), None);
}

pub(super) async fn a_lease_is_exclusive_until_it_runs_out_and_then_the_old_one_is_lost(mut office: Office) {
    office.taken("one").await;
    let first = office.lease(1).await.pop().unwrap();
    assert!(office.lease(1).await.is_empty());
    office.pass(SignedDuration::from_mins(10));
    let second = office.lease(1).await.pop().expect("the first has run out");
    assert_eq!(first.delivery, second.delivery, "the id stays");
    assert_ne!(first.token, second.token);
    let before = office.view("one").await.history.len();
    assert_eq!(office.settle(first, Next::Dead(fault(FaultCode::ReceiverRefused))).await, Settled::LeaseLost);
    assert_eq!(office.view("one").await.history.len(), before, "a lost lease changes nothing");
    assert_eq!(office.settle(second, Next::Delivered).await, Settled::Done);
    assert_eq!(office.view("one").await.line.state, "delivered");
}

pub(super) async fn a_crash_makes_leased_work_due_again_at_once(mut office: Office) {
    let id = office.taken("one").await;
    let lost = office.lease(1).await.pop().unwrap();
    office.crash();
    assert_eq!(office.settle(lost, Next::Delivered).await, Settled::LeaseLost);
    let again = office.lease(1).await.pop().expect("it is due again");
    assert_eq!((again.delivery, again.attempts), (id, 0));
    office.settle(again, Next::Delivered).await;
    office.crash();
    assert_eq!(office.view("one").await.line.state, "delivered", "what was settled stays so");
    assert!(office.due().await.is_empty());
}

pub(super) async fn what_is_handed_back_is_due_again_and_counts_no_attempt(mut office: Office) {
    office.taken("one").await;
    let lease = office.lease(1).await;
    office.store().release(lease).await.unwrap();
    let again = office.lease(1).await.pop().unwrap();
    assert_eq!(again.attempts, 0);
    let stale = office.settle(again, Next::Delivered).await;
    assert_eq!(stale, Settled::Done);
    assert_eq!(office.view("one").await.deliveries[0].attempts, 1);
}

pub(super) async fn a_retry_waits_until_its_time(mut office: Office) {
    office.taken("one").await;
    let at = office.now + SignedDuration::from_mins(5);
    office.attempt(Next::Retry { at }).await;
    let waiting = office.leased(1, None).await;
    assert!(waiting.leases.is_empty());
    assert_eq!(waiting.next_due, Some(at), "the lane knows when to look again");
    office.pass(SignedDuration::from_secs(299));
    assert!(office.due().await.is_empty());
    office.crash();
    office.pass(SignedDuration::from_secs(1));
    let lease = office.lease(1).await.pop().expect("its time has come");
    assert_eq!(lease.attempts, 1);
    let view = office.view("one").await;
    assert_eq!(view.deliveries[0].fault.as_ref().map(|f| f.code), Some(FaultCode::ReceiverError));
    assert_eq!(view.history.last().map(|e| e.what.as_str()), Some("attempt"));
}

pub(super) async fn what_waits_is_woken_when_the_clock_was_set_back(mut office: Office) {
    office.taken("one").await;
    office.taken("held").await;
    office.attempt(Next::Retry { at: office.now + hours(26) }).await;
    office.attempt(Next::Hold(HoldReason::Person)).await;
    assert!(office.due().await.is_empty());
    let (receiver, now, until) = (RECEIVER.into(), office.now, office.now + hours(1));
    let ask = LeaseAsk {
        receiver,
        most: 9,
        now,
        until,
        due_by: None,
        due_after: None,
        wake_all: true,
        probe: false,
    };
    let leased = office.store().lease_due(ask).await.unwrap();
    assert_eq!(leased.leases.iter().map(|l| l.message_id.as_str()).collect::<Vec<_>>(), ["one"]);
    assert_eq!(leased.next_due, None);
}

pub(super) async fn a_probe_takes_the_nearest_deadline_of_all_that_waits(mut office: Office) {
    let now = office.now;
    for (id, within) in [("near", 20), ("ready", 22), ("far", 30)] {
        let mut message = office.message(id);
        message.deliveries = vec![delivery(now, hours(within))];
        office.accept(message).await;
    }
    let waits = async |id: &str| {
        let mut leases = office.lease(9).await;
        let place = leases.iter().position(|lease| lease.message_id == id).unwrap();
        let lease = leases.remove(place);
        office.store().release(leases).await.unwrap();
        office.settle(lease, Next::Retry { at: now + hours(1) }).await;
    };
    waits("far").await;
    waits("near").await;
    let lease = async |probe| {
        let (receiver, until) = (RECEIVER.into(), now + hours(1));
        let ask =
            LeaseAsk { receiver, most: 1, now, until, due_by: None, due_after: None, wake_all: false, probe };
        let lease = office.store().lease_due(ask).await.unwrap().leases.pop();
        lease.map(|lease| (lease.message_id.clone(), lease))
    };
    let mut kept = Vec::new();
    for (probe, expected) in [(true, "near"), (true, "ready"), (false, ""), (true, "far"), (true, "")] {
        let leased = lease(probe).await;
        assert_eq!(leased.as_ref().map_or("", |(id, _)| id.as_str()), expected, "a probe: {probe}");
        kept.extend(leased);
    }
}

pub(super) async fn a_dead_delivery_ends_its_promise_and_is_answered(mut office: Office) {
    office.taken("one").await;
    office.attempt(Next::Dead(fault(FaultCode::ReceiverRefused))).await;
    let view = office.view("one").await;
    assert_eq!(view.line.state, "dead");
    assert_eq!(view.promises[0].standing, "ended");
    assert_eq!(office.told("one").await, ["accepted", "failed"]);
    let log = office.store().answers("3f".into(), 0, 9).await.unwrap();
    assert_eq!(log[1].answer.errors[0].code, FaultCode::ReceiverRefused, "the sender is told why");
    office.pass(hours(48));
    assert!(office.advance().await.is_empty(), "an ended promise has no steps");
    assert!(office.due().await.is_empty());
}

pub(super) async fn the_head_of_an_ordering_key_holds_the_others_until_it_ends(mut office: Office) {
    for id in ["a1", "a2", "a3", "a4", "a5", "b1", "free"] {
        let mut message = office.message(id);
        // The later ones are due earlier: order goes before urgency.
        let within = SignedDuration::from_mins(900 - i64::from(id.as_bytes()[1]));
        message.deliveries = vec![delivery(office.now, within)];
        message.deliveries[0].ordering_key = match id {
            "free" => None,
            _ => Some(i64::from(id.as_bytes()[0])),
        };
        office.accept(message).await;
    }
    let due = async |office: &Office| {
        let mut ids = office.due().await;
        ids.sort();
        ids
    };
    assert_eq!(due(&office).await, ["a1", "b1", "free"]);
    let held = async |office: &mut Office, next: Next| {
        let leases = office.lease(9).await;
        let (mine, others): (Vec<_>, Vec<_>) =
            leases.into_iter().partition(|l| l.message_id.starts_with('a'));
        office.store().release(others).await.unwrap();
        for lease in mine {
            office.settle(lease, next.clone()).await;
        }
        due(office).await
    };
    let retry = Next::Retry { at: office.now + hours(1) };
    assert_eq!(held(&mut office, retry).await, ["b1", "free"], "a head that waits still holds them");
    office.pass(hours(1));
    assert_eq!(held(&mut office, Next::Delivered).await, ["a2", "b1", "free"]);
    office.crash();
    let dead = Next::Dead(fault(FaultCode::ReceiverRefused));
    assert_eq!(held(&mut office, dead).await, ["a3", "b1", "free"], "a death holds nobody up");
    let third = office.view("a3").await.deliveries[0].delivery_id;
    let cancel = Command::Cancel { delivery: third, reason: None };
    assert_eq!(office.store().command(cancel, "op".into(), office.now).await.unwrap(), Commanded::Done);
    assert_eq!(due(&office).await, ["a4", "b1", "free"]);
    assert_eq!(held(&mut office, Next::Hold(HoldReason::Mailbox)).await, ["b1", "free"]);
    let fourth = office.view("a4").await.deliveries[0].delivery_id;
    let confirm = Command::Confirm { delivery: fourth, receipt: None, by: "0101".into() };
    assert_eq!(office.store().command(confirm, "0101".into(), office.now).await.unwrap(), Commanded::Done);
    assert_eq!(due(&office).await, ["a5", "b1", "free"]);
}

pub(super) async fn what_is_settled_is_settled_once(mut office: Office) {
    let id = office.taken("one").await;
    let lease = office.lease(1).await.pop().unwrap();
    let token = lease.token;
    assert_eq!(office.settle(lease, Next::Delivered).await, Settled::Done);
    let retry = Command::Retry(id);
    assert_eq!(office.store().command(retry, "op".into(), office.now).await.unwrap(), Commanded::NotNow);
    office.taken("two").await;
    let mut forged = office.lease(1).await.pop().unwrap();
    forged.token = token;
    assert_eq!(office.settle(forged, Next::Delivered).await, Settled::LeaseLost);
    assert_eq!(office.told("one").await, ["accepted", "delivered"]);
    assert_eq!(office.view("two").await.line.state, "pending");
}

pub(super) async fn a_parcel_in_the_mailbox_waits_for_its_acknowledgement(mut office: Office) {
    let id = office.taken("one").await;
    office.taken("two").await;
    office.attempt(Next::Hold(HoldReason::Mailbox)).await;
    assert_eq!(office.due().await, ["two"], "what lies there is not sent again");
    office.crash();
    let lying = office.store().mailbox(vec![RECEIVER.into()], 9).await.unwrap();
    assert_eq!(lying.iter().map(|i| i.delivery).collect::<Vec<_>>(), [id]);
    assert_eq!(office.promise("one").await.standing, "on_track", "the promise is not met by lying there");
    let confirm = Command::Confirm { delivery: id, receipt: Some("R-1".into()), by: "0101".into() };
    assert_eq!(office.store().command(confirm, "0101".into(), office.now).await.unwrap(), Commanded::Done);
    assert_eq!(office.promise("one").await.standing, "met");
    assert!(office.store().mailbox(vec![RECEIVER.into()], 9).await.unwrap().is_empty());
    assert_eq!(office.told("one").await, ["accepted", "delivered"]);
}

pub(super) async fn a_crash_of_ours_is_counted(mut office: Office) {
    office.taken("one").await;
    let lease = office.lease(1).await.pop().unwrap();
    let outcome = crate::domain::Outcome::fault(fault(FaultCode::AttemptCrashed));
    office.settle_as(lease, outcome, Next::Retry { at: office.now }).await;
    let lease = office.lease(1).await.pop().unwrap();
    assert_eq!((lease.attempts, lease.crashes), (1, 1));
    office.settle(lease, Next::Hold(HoldReason::Person)).await;
    assert!(office.due().await.is_empty());
    let held = office.store().deliveries(Some("pending".into()), None, 9).await.unwrap();
    assert_eq!(held[0].hold.as_deref(), Some("person"));
    let retry = Command::Retry(held[0].delivery_id);
    assert_eq!(office.store().command(retry, "op".into(), office.now).await.unwrap(), Commanded::Done);
    assert_eq!(office.due().await, ["one"], "a person lets it go");
}

pub(super) async fn a_parcel_in_the_mailbox_is_found_however_much_lies_before_it(mut office: Office) {
    let mut ids = Vec::new();
    for number in 0..30 {
        ids.push(office.taken(&format!("m{number}")).await);
        office.pass(SignedDuration::from_secs(1));
    }
    let last = ids[29];
    assert_eq!(
        office.store().parcel(last).await.unwrap().map(|i| i.delivery),
        None,
        "it does not lie there yet"
    );
    for _ in &ids {
        office.attempt(Next::Hold(HoldReason::Mailbox)).await;
    }
    let near = office.store().mailbox(vec![RECEIVER.into()], 20).await.unwrap();
    assert!(near.iter().all(|item| item.delivery != last), "others are due before it");
    let found = office.store().parcel(last).await.unwrap().expect("it lies there");
    assert_eq!((found.delivery, found.message_id.as_str()), (last, "m29"));
    let confirm = Command::Confirm { delivery: last, receipt: None, by: "0101".into() };
    assert_eq!(office.store().command(confirm, "0101".into(), office.now).await.unwrap(), Commanded::Done);
    assert!(office.store().parcel(last).await.unwrap().is_none(), "what was fetched lies there no more");
    assert!(office.store().parcel(last.receipt().delivery(2)).await.unwrap().is_none());
}

pub(super) async fn what_waits_for_an_agreement_waits_until_a_person_lets_it_go(mut office: Office) {
    let mut held = Vec::new();
    for id in ["one", "two", "three"] {
        let mut message = office.message(id);
        message.deliveries[0].hold = Some((HoldReason::Agreement, fault(FaultCode::AgreementRefuses)));
        held.push(office.accept(message).await.answer().receipt_id.delivery(1));
    }
    office.taken("free").await;
    assert_eq!(office.due().await, ["free"]);
    office.crash();
    let which = async |office: &Office, after, most| {
        let which = Which::Held(HoldReason::Agreement);
        office.store().which(which, after, most).await.unwrap()
    };
    assert_eq!(which(&office, None, 2).await, held[..2]);
    assert_eq!(which(&office, Some(held[1]), 2).await, held[2..], "page by page");
    let retry = Command::Retry(held[1]);
    assert_eq!(office.store().command(retry, "op".into(), office.now).await.unwrap(), Commanded::Done);
    assert_eq!(office.due().await, ["two", "free"]);
    assert_eq!(which(&office, None, 9).await, [held[0], held[2]]);
    assert_eq!(office.view("one").await.deliveries[0].hold.as_deref(), Some("agreement"));
}

pub(super) async fn what_waits_for_a_person_is_listed_by_its_reason(mut office: Office) {
    let mut ids = Vec::new();
    for (id, reason, code) in [
        ("one", HoldReason::Person, FaultCode::NumberInText),
        ("two", HoldReason::Person, FaultCode::IdentifierWrong),
        ("three", HoldReason::Person, FaultCode::NumberInText),
        ("four", HoldReason::Agreement, FaultCode::AgreementRefuses),
    ] {
        let mut message = office.message(id);
        message.deliveries[0].hold = Some((reason, fault(code)));
        ids.push(office.accept(message).await.answer().receipt_id.delivery(1));
        office.pass(hours(1));
    }
    office.taken("free").await;
    office.attempt(Next::Hold(HoldReason::Person)).await;
    office.crash();
    let due = office.now + hours(20);
    let groups = async |office: &Office| {
        let groups = office.store().held_groups().await.unwrap();
        assert!(groups.iter().all(|g| g.receiver == RECEIVER && g.kind == "complaint.v1"));
        groups.into_iter().map(|g| (g.code, g.count, g.earliest_due)).collect::<Vec<_>>()
    };
    let all = groups(&office).await;
    assert_eq!(
        all[..2],
        [(FaultCode::NumberInText, 2, due), (FaultCode::IdentifierWrong, 1, due + hours(1))]
    );
    assert_eq!(all.len(), 3, "and what an attempt left to a person: {all:?}");
    let listed = async |office: &Office, receiver: Option<&str>, most| -> Vec<String> {
        let receiver = receiver.map(ToOwned::to_owned);
        let held = office.store().deliveries(Some("held".into()), receiver, most).await.unwrap();
        held.into_iter().map(|d| d.message_id).collect()
    };
    assert_eq!(listed(&office, None, 9).await, ["free", "three", "two", "one"]);
    assert_eq!(listed(&office, Some(RECEIVER), 2).await, ["free", "three"]);
    assert_eq!(listed(&office, Some("nobody"), 9).await, [] as [&str; 0]);
    let retry = Command::Retry(ids[0]);
    assert_eq!(office.store().command(retry, "op".into(), office.now).await.unwrap(), Commanded::Done);
    assert_eq!(groups(&office).await[1], (FaultCode::NumberInText, 1, due + hours(2)));
}

pub(super) async fn what_died_of_the_same_is_one_group(mut office: Office) {
    let mut ids = Vec::new();
    for (id, code) in [
        ("one", FaultCode::ReceiverRefused),
        ("two", FaultCode::WindowSpent),
        ("three", FaultCode::ReceiverRefused),
        ("four", FaultCode::ReceiverRefused),
    ] {
        ids.push(office.taken(id).await);
        office.attempt(Next::Dead(fault(code))).await;
        office.pass(hours(1));
    }
    let died = office.now - hours(4);
    let groups = office.store().dead_groups().await.unwrap();
    let told: Vec<_> = groups.iter().map(|g| (g.code, g.count, g.first, g.last)).collect();
    assert_eq!(
        told,
        [
            (FaultCode::ReceiverRefused, 3, died, died + hours(3)),
            (FaultCode::WindowSpent, 1, died + hours(1), died + hours(1)),
        ]
    );
    let (receiver, kind) = (groups[0].receiver.clone(), groups[0].kind.clone());
    assert_eq!((receiver.as_str(), kind.as_str()), (RECEIVER, "complaint.v1"));
    assert_eq!(groups[0].earliest_due, died + hours(24));
    let which = Which::Dead { receiver, kind, code: FaultCode::ReceiverRefused };
    let first = office.store().which(which.clone(), None, 2).await.unwrap();
    assert_eq!(first, [ids[0], ids[2]]);
    assert_eq!(office.store().which(which.clone(), Some(first[1]), 2).await.unwrap(), [ids[3]]);
    let retry = Command::Retry(ids[0]);
    assert_eq!(office.store().command(retry, "op".into(), office.now).await.unwrap(), Commanded::Done);
    assert_eq!(office.store().which(which, None, 9).await.unwrap(), [ids[2], ids[3]]);
}
