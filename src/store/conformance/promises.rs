//! Promises against the clock.

use jiff::{SignedDuration, Timestamp};

use super::{Office, delivery, hours, recorded};
use crate::{
    domain::{Outcome, attempt::Proof, ladder::Reach},
    store::{Command, Commanded, Next, StepPassed},
};

fn steps(passed: &[StepPassed]) -> Vec<u8> {
    passed.iter().map(|p| p.step).collect()
}

pub(super) async fn each_step_is_recorded_once_with_its_true_instant(mut office: Office) {
    let starts = office.now;
    office.taken("one").await;
    for (minutes, step) in [(720, 50), (1080, 75), (1296, 90), (1440, 100)] {
        let at = starts + SignedDuration::from_mins(minutes);
        office.now = at - SignedDuration::from_secs(1);
        assert!(office.advance().await.is_empty(), "{step} is not early");
        office.now = at + SignedDuration::from_millis(300);
        let passed = office.advance().await;
        assert_eq!(steps(&passed), [step]);
        assert_eq!(passed[0].due_at, at);
        assert!(office.advance().await.is_empty(), "{step} comes once");
        office.crash();
    }
    office.pass(hours(240));
    assert!(office.advance().await.is_empty(), "after the breach there is none");
    assert_eq!(office.promise("one").await.standing, "breached");
}

pub(super) async fn after_a_downtime_all_steps_come_at_once_in_due_order(mut office: Office) {
    let starts = office.now;
    for (id, within) in [("day", 24), ("hours", 10), ("half", 12)] {
        let mut message = office.message(id);
        message.deliveries = vec![delivery(starts, hours(within))];
        office.accept(message).await;
    }
    office.crash();
    office.pass(hours(23));
    let passed = office.advance().await;
    assert_eq!(passed.len(), 4 + 4 + 3);
    assert!(passed.is_sorted_by_key(|p| p.due_at), "{passed:#?}");
    office.pass(hours(2));
    let rest = office.store().advance_deadlines(office.now, 1).await.unwrap();
    assert_eq!(steps(&rest), [100]);
    assert_eq!(rest[0].due_at, starts + hours(24));
    // Few at a time, everything comes all the same.
    for id in ["x", "y", "z"] {
        office.taken(id).await;
    }
    office.pass(hours(30));
    let mut all = Vec::new();
    while let Some(few) =
        Some(office.store().advance_deadlines(office.now, 2).await.unwrap()).filter(|f| !f.is_empty())
    {
        all.extend(few);
    }
    assert_eq!(all.len(), 12);
    office.check().await;
}

pub(super) async fn a_promise_met_late_shows_every_step_and_stays_late(mut office: Office) {
    office.taken("one").await;
    office.pass(hours(25));
    office.attempt(Next::Delivered).await;
    let promise = office.promise("one").await;
    assert_eq!((promise.standing.as_str(), promise.met), ("met_late", Some(office.now)));
    assert_eq!(office.told("one").await, ["accepted", "late", "delivered"]);
    assert!(office.advance().await.is_empty(), "the steps were recorded with the delivery");
    let totals = office.store().sla_totals(office.now).await.unwrap();
    assert_eq!(totals.get("met_late"), Some(&1));
    office.crash();
    office.pass(hours(100));
    assert_eq!(office.promise("one").await.standing, "met_late");
}

pub(super) async fn a_promise_met_at_the_very_instant_is_met_and_not_breached(mut office: Office) {
    office.taken("one").await;
    office.pass(hours(24));
    office.attempt(Next::Delivered).await;
    assert_eq!(office.promise("one").await.standing, "met");
    assert!(!office.told("one").await.contains(&"late"), "{:?}", office.told("one").await);
}

pub(super) async fn a_message_late_on_arrival_is_breached_at_once(mut office: Office) {
    let mut message = office.message("one");
    message.deliveries = vec![delivery(office.now - hours(30), hours(24))];
    office.accept(message).await;
    assert_eq!(office.promise("one").await.standing, "breached");
    assert_eq!(office.told("one").await, ["accepted", "late"]);
    assert!(office.advance().await.is_empty(), "no step comes a second time");
    assert_eq!(office.due().await, ["one"], "it is delivered all the same");
    office.attempt(Next::Delivered).await;
    assert_eq!(office.promise("one").await.standing, "met_late");
}

pub(super) async fn the_sender_is_told_of_risk_and_lateness_once_each(mut office: Office) {
    office.taken("one").await;
    for minutes in [11 * 60, 13 * 60, 19 * 60, 22 * 60, 25 * 60, 49 * 60] {
        let before = office.now;
        office.pass(SignedDuration::from_mins(minutes));
        office.advance().await;
        office.crash();
        office.now = before;
    }
    office.pass(hours(50));
    assert_eq!(office.told("one").await, ["accepted", "at_risk", "late"]);
    office.attempt(Next::Delivered).await;
    assert_eq!(office.told("one").await, ["accepted", "at_risk", "late", "delivered"]);
}

pub(super) async fn a_clock_that_is_set_neither_loses_nor_doubles_a_step(mut office: Office) {
    office.taken("one").await;
    let real = office.now;
    let mut seen = Vec::new();
    for (hour, offset) in [(1, 0), (13, 0), (14, -2), (15, 26), (16, 0), (20, -2), (25, 0), (26, 26)] {
        office.now = real + hours(hour) + hours(offset);
        seen.extend(steps(&office.advance().await));
    }
    assert_eq!(seen, [50, 75, 90, 100]);
}

pub(super) async fn what_is_only_in_transit_keeps_its_promise_open(mut office: Office) {
    let id = office.taken("one").await;
    let lease = office.lease(1).await.pop().unwrap();
    let proof = Proof { in_transit: true, receipt_follows: true, ..Proof::default() };
    office.settle_as(lease, Outcome::Delivered(proof), Next::Delivered).await;
    assert_eq!(office.view("one").await.line.state, "delivered");
    let open = async |office: &Office| {
        let open = office.store().promises(true, 9, office.now).await.unwrap();
        open.iter().map(|p| p.standing.clone()).collect::<Vec<_>>()
    };
    assert_eq!(open(&office).await, ["on_track"], "nobody's word yet that it has arrived");
    office.pass(hours(19));
    assert_eq!(steps(&office.advance().await), [50, 75]);
    let confirm = Command::Confirm { delivery: id, receipt: Some("R-1".into()), by: "0101".into() };
    assert_eq!(office.store().command(confirm, "0101".into(), office.now).await.unwrap(), Commanded::Done);
    assert_eq!(office.promise("one").await.standing, "met");
    assert!(open(&office).await.is_empty());
    office.check().await;
}

pub(super) async fn endangered_promises_are_counted_by_step(mut office: Office) {
    let starts = office.now;
    let age = async |office: &mut Office, id: &str, waited: i64| {
        let mut message = office.message(id);
        message.deliveries = vec![delivery(starts - hours(waited), hours(24))];
        office.accept(message).await;
    };
    for (id, waited) in [("a", 30), ("b", 26), ("c", 22), ("d", 19), ("e", 20), ("f", 1)] {
        age(&mut office, id, waited).await;
    }
    let groups = office.store().endangered(recorded()).await.unwrap();
    let told: Vec<(u8, i64, Timestamp)> = groups.iter().map(|g| (g.step, g.count, g.earliest)).collect();
    assert_eq!(told, [(100, 2, starts - hours(6)), (90, 1, starts + hours(2)), (75, 2, starts + hours(4))]);
    assert_eq!(groups[0].example, office.view("a").await.line.receipt_id, "the message that is due first");
    assert_eq!(groups[2].course.starts, starts - hours(20), "of the one that is due first");
    while let Some(lease) = office.lease(1).await.pop() {
        office.settle(lease, Next::Delivered).await;
    }
    assert!(office.store().endangered(recorded()).await.unwrap().is_empty());
}

pub(super) async fn promises_are_counted_by_the_time_that_is_left_too(mut office: Office) {
    let now = office.now;
    // How long ago it began, and what it was given.
    for (id, waited, budget) in [
        ("late", 30, 24),
        ("soon", 23, 24),
        ("short", 1, 4),
        ("half", 13, 24),
        ("fresh", 0, 24),
        ("far", 20, 40),
    ] {
        let mut message = office.message(id);
        message.deliveries = vec![delivery(now - hours(waited), hours(budget))];
        message.agreement = (id == "short").then(|| "kbh-3f".into());
        office.accept(message).await;
    }
    office.advance().await;
    let counted = async |office: &Office, share: u8, due: &[i64]| -> Vec<(u8, i64, i64)> {
        let due = due.iter().map(|left| now + hours(*left)).collect();
        let groups = office.store().endangered(Reach { share, due }).await.unwrap();
        groups.iter().map(|g| (g.step, g.count, g.earliest.duration_since(now).as_hours())).collect()
    };
    assert_eq!(counted(&office, 100, &[]).await, [(100, 1, -6)]);
    assert_eq!(counted(&office, 90, &[]).await, [(100, 1, -6), (90, 1, 1)]);
    assert_eq!(counted(&office, 75, &[-7, 4]).await, [(100, 1, -6), (90, 1, 1), (0, 1, 3)]);
    assert_eq!(counted(&office, 100, &[2]).await, [(100, 1, -6), (90, 1, 1)]);
    let half = [(100, 1, -6), (90, 1, 1), (50, 1, 11), (50, 1, 20)];
    assert_eq!(counted(&office, 50, &[12]).await, [half[0], half[1], (0, 1, 3), half[2], half[3]]);
    assert_eq!(counted(&office, 50, &[]).await, [half[0], half[1], (50, 2, 11)]);
    let groups = office.store().endangered(Reach { share: 75, due: vec![now + hours(4)] }).await.unwrap();
    let agreements: Vec<_> = groups.iter().map(|g| g.agreement.as_deref()).collect();
    assert_eq!(agreements, [None, None, Some("kbh-3f")]);
    assert_eq!(groups[2].course.starts, now - hours(1));
    while let Some(lease) = office.lease(1).await.pop() {
        office.settle(lease, Next::Delivered).await;
    }
    assert!(counted(&office, 50, &[100]).await.is_empty());
}
