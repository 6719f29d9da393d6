//! Several nodes on one store: what one does and what another does come to the same as if one had done both.

use std::{collections::BTreeSet, time::Duration};

use futures_util::{FutureExt, future::join_all};
use jiff::SignedDuration;

pub(super) use super::came::a_promise_and_what_it_waits_for_at_two_nodes_find_each_other;
pub(super) use super::fallbacks::a_second_way_is_let_go_by_one_node_and_each_promise_is_met_once;
pub(super) use super::figures::of_two_corrections_at_two_nodes_one_counts;
pub(super) use super::generations::nodes_that_start_together_come_to_one_generation;
pub(super) use super::placements::a_cap_is_not_passed_by_two_nodes_at_once;
use super::{
    Arc, Office, PARTY, RECEIVER, Store, clocks, delivery, fault,
    handed::{all, enter, ids},
    hours,
};
use crate::{
    domain::{
        FaultCode, KindId,
        alert::{Change, Condition, Urgency},
        attempt::Proof,
        pace::Pace,
        placement::Placed,
        sla::{Further, Starts, Stops},
    },
    store::{Admission, InHand, Lease, LeaseAsk, Meets, Next, Settled, Settlement, Verdict, Way, hints},
};

/// Another node on the office's store.
pub(super) fn another(office: &Office) -> Arc<dyn Store> {
    (office.open)()
}

fn ask(office: &Office, most: u32) -> LeaseAsk {
    let until = office.now + SignedDuration::from_mins(10);
    LeaseAsk {
        receiver: RECEIVER.into(),
        most,
        now: office.now,
        until,
        due_by: None,
        due_after: None,
        wake_all: false,
        probe: false,
    }
}

fn settlement(office: &Office, lease: Lease) -> Arc<Vec<Settlement>> {
    let outcome = crate::domain::Outcome::Delivered(Proof::default());
    let record = crate::domain::AttemptRecord { started: office.now, took: SignedDuration::ZERO, outcome };
    Arc::new(vec![Settlement { lease, record, next: Next::Delivered, now: office.now }])
}

fn accepted(office: &mut Office, ids: impl Iterator<Item = String>) -> Vec<Admission> {
    ids.map(|id| Admission::Accepted(Box::new(office.message(&id)))).collect()
}

pub(super) async fn no_delivery_is_leased_by_two(mut office: Office) {
    let other = another(&office);
    let batch = accepted(&mut office, (0..120).map(|n| format!("m{n}")));
    office.store().accept(batch).await.unwrap();
    let office = &office;
    let take_all = async |store: &dyn Store| {
        let mut taken = Vec::new();
        loop {
            let leases = store.lease_due(ask(office, 7)).await.unwrap().leases;
            if leases.is_empty() {
                return taken;
            }
            taken.extend(leases.into_iter().map(|lease| (lease.delivery.to_string(), lease.token)));
        }
    };
    let (mine, theirs) = tokio::join!(take_all(office.store()), take_all(&*other));
    let deliveries: BTreeSet<_> = mine.iter().chain(&theirs).map(|(delivery, _)| delivery).collect();
    let tokens: BTreeSet<_> = mine.iter().chain(&theirs).map(|(_, token)| token).collect();
    assert_eq!((mine.len() + theirs.len(), deliveries.len(), tokens.len()), (120, 120, 120));
}

pub(super) async fn a_lease_that_ran_out_is_taken_by_another_and_its_old_holder_changes_nothing(
    mut office: Office,
) {
    let other = another(&office);
    office.taken("one").await;
    let first = office.lease(1).await.pop().unwrap();
    let stale = office.lease(1).await;
    assert!(stale.is_empty() && other.lease_due(ask(&office, 1)).await.unwrap().leases.is_empty());
    office.pass(SignedDuration::from_mins(10));
    let second = other.lease_due(ask(&office, 1)).await.unwrap().leases.pop().expect("it ran out");
    assert_eq!(first.delivery, second.delivery, "the id stays");
    let forged = Lease { token: first.token, ..office_copy(&second) };
    office.store().release(vec![forged]).await.unwrap();
    assert!(office.lease(1).await.is_empty(), "who lost a lease cannot hand it back");
    let before = office.view("one").await.history.len();
    let refused = Next::Dead(fault(FaultCode::ReceiverRefused));
    assert_eq!(office.settle(first, refused).await, Settled::LeaseLost);
    assert_eq!(office.view("one").await.history.len(), before);
    assert_eq!(other.settle(settlement(&office, second)).await.unwrap(), [Settled::Done]);
    assert_eq!(office.view("one").await.line.state, "delivered");
}

pub(super) async fn what_was_handed_and_never_begun_is_taken_by_another_when_it_runs_out(mut office: Office) {
    let other = another(&office);
    let mut handed = enter(&office, 10).await;
    office.taken("one").await;
    assert!(other.lease_due(ask(&office, 1)).await.unwrap().leases.is_empty(), "it is leased");
    office.pass(SignedDuration::from_mins(10));
    let second = other.lease_due(ask(&office, 1)).await.unwrap().leases.pop().expect("it ran out");
    let first = all(&mut handed).pop().expect("it lies here still");
    assert_eq!(first.delivery, second.delivery);
    assert_ne!(first.token, second.token);
    assert_eq!(office.settle(first, Next::Delivered).await, Settled::LeaseLost);
    assert_eq!(other.settle(settlement(&office, second)).await.unwrap(), [Settled::Done]);
    office.taken("two").await;
    assert_eq!(all(&mut handed).len(), 0, "a look of ten minutes ago is not believed");
}

pub(super) async fn what_a_dead_node_had_handed_over_is_due_when_another_starts(mut office: Office) {
    let living = another(&office);
    let handed = enter(&office, 10).await;
    office.taken("one").await;
    assert!(living.lease_due(ask(&office, 1)).await.unwrap().leases.is_empty());
    drop(handed);
    // It is gone with what it handed over, and starts anew.
    office.crash();
    assert_eq!(living.lease_due(ask(&office, 1)).await.unwrap().leases.len(), 1);
}

pub(super) async fn what_another_node_left_in_the_table_is_soon_looked_for(mut office: Office) {
    let other = another(&office);
    let mut handed = enter(&office, 10).await;
    let bell = office.store().hints().bell(RECEIVER);
    let left = accepted(&mut office, ["left".to_owned()].into_iter());
    other.accept(left).await.unwrap();
    office.taken("one").await;
    assert_eq!(ids(&all(&mut handed)), ["one"], "it was looked for a moment ago");
    // Whatever rang until now.
    let _ = bell.notified().now_or_never();
    office.pass(SignedDuration::from_millis(600));
    office.taken("two").await;
    assert_eq!(ids(&all(&mut handed)), ["two"]);
    assert!(bell.notified().now_or_never().is_some(), "the lane is asked to look");
    office.pass(SignedDuration::from_millis(600));
    office.taken("three").await;
    assert!(all(&mut handed).is_empty(), "it did not look");
    assert_eq!(ids(&office.lease(10).await), ["left", "three"]);
    office.taken("four").await;
    assert_eq!(ids(&all(&mut handed)), ["four"]);
}

pub(super) async fn of_one_ordering_key_one_is_handed_over_whichever_node_stores_it(mut office: Office) {
    let other = another(&office);
    let mut here = enter(&office, 10).await;
    let mut there = other.hand_over(RECEIVER.into(), SignedDuration::from_mins(10)).unwrap();
    there.allow(10);
    other.lease_due(ask(&office, 10)).await.unwrap();
    for round in 0..20 {
        let mut keyed = |place: &str| {
            let mut message = office.message(&format!("{place}-{round}"));
            message.deliveries[0].ordering_key = Some(round);
            vec![Admission::Accepted(Box::new(message))]
        };
        let (one, two) = (keyed("one"), keyed("two"));
        let (a, b) = tokio::join!(office.store().accept(one), other.accept(two));
        assert!(a.is_ok() && b.is_ok());
        let mut leases = all(&mut here);
        leases.append(&mut all(&mut there));
        let first = leases.pop().expect("the first of a key goes at once");
        assert!(leases.is_empty(), "two of a key in round {round}");
        assert!(office.lease(1).await.is_empty());
        assert_eq!(office.settle(first, Next::Delivered).await, Settled::Done);
        let next = other.lease_due(ask(&office, 10)).await.unwrap().leases.pop().expect("the next may go");
        assert_eq!(other.settle(settlement(&office, next)).await.unwrap(), [Settled::Done]);
    }
}

/// A lease as a bug would copy it.
fn office_copy(lease: &Lease) -> Lease {
    Lease {
        parcel: lease.parcel.clone(),
        party: lease.party.clone(),
        event_type: lease.event_type.clone(),
        source: lease.source.clone(),
        message_id: lease.message_id.clone(),
        correlation_id: None,
        traceparent: None,
        tracestate: None,
        ..*lease
    }
}

pub(super) async fn a_successor_is_never_held_behind_nobody(mut office: Office) {
    let other = another(&office);
    for round in 0..60 {
        let mut pair: Vec<_> = ["first", "next"]
            .map(|place| {
                let mut message = office.message(&format!("{place}-{round}"));
                message.deliveries = vec![delivery(office.now, hours(24))];
                message.deliveries[0].ordering_key = Some(round);
                vec![Admission::Accepted(Box::new(message))]
            })
            .into();
        let next = pair.pop().unwrap();
        office.store().accept(pair.pop().unwrap()).await.unwrap();
        let lease = office.lease(1).await.pop().expect("the first of a key is due");
        let settled = settlement(&office, lease);
        let (settled, taken) = tokio::join!(office.store().settle(settled), other.accept(next));
        assert_eq!(settled.unwrap(), [Settled::Done]);
        assert!(matches!(taken.unwrap()[0], Verdict::Accepted(_)));
        let lease = office.lease(1).await.pop();
        let lease = lease.unwrap_or_else(|| panic!("in round {round} the successor is held behind nobody"));
        assert_eq!(other.settle(settlement(&office, lease)).await.unwrap(), [Settled::Done]);
    }
}

pub(super) async fn a_log_is_read_without_a_gap_while_nodes_write_to_it(mut office: Office) {
    const NODES: usize = 3;
    const BATCHES: usize = 60;
    let nodes: Vec<_> = (0..NODES).map(|_| another(&office)).collect();
    let mut work: Vec<Vec<Vec<Admission>>> = Vec::new();
    for node in 0..NODES {
        let batch = |n: usize| (0..=n % 4).map(move |place| format!("{node}-{n}-{place}"));
        work.push((0..BATCHES).map(|n| accepted(&mut office, batch(n))).collect());
    }
    let all: usize = work.iter().flatten().map(Vec::len).sum();
    let writing = join_all(nodes.iter().zip(work).map(async |(node, batches)| {
        for batch in batches {
            node.accept(batch).await.unwrap();
        }
    }));
    let reading = async {
        let (mut seen, mut after) = (0, 0);
        while seen < all {
            let page = office.store().answers(PARTY.into(), after, 1_000).await.unwrap();
            after = page.last().map_or(after, |last| last.seq);
            seen += page.len();
        }
        seen
    };
    let both = async { tokio::join!(writing, reading).1 };
    let seen = tokio::time::timeout(Duration::from_mins(1), both).await;
    assert_eq!(seen.ok(), Some(all), "a reader by cursor passed over an answer");
}

pub(super) async fn each_step_and_each_alert_comes_once_from_all_nodes(mut office: Office) {
    let other = another(&office);
    let batch = accepted(&mut office, (0..50).map(|n| format!("m{n}")));
    office.store().accept(batch).await.unwrap();
    office.pass(hours(25));
    let now = office.now;
    let advance = async |store: &dyn Store| {
        let mut passed = 0;
        for _ in 0..30 {
            passed += store.advance_deadlines(now, 5).await.unwrap().len();
        }
        passed
    };
    let (mine, theirs) = tokio::join!(advance(office.store()), advance(&*other));
    assert_eq!(mine + theirs, 200);
    office.check().await;
    let condition = Condition::new("KassebroTest", Urgency::Warning, &[("receiver", "a")], now);
    for round in 0..10 {
        let conditions = || if round % 2 == 0 { vec![condition.clone()] } else { vec![] };
        let (a, b) = tokio::join!(
            office.store().reconcile_alerts(vec!["KassebroTest"], conditions(), now),
            other.reconcile_alerts(vec!["KassebroTest"], conditions(), now)
        );
        assert_eq!(a.unwrap().len() + b.unwrap().len(), 1, "told once");
    }
    let log = office.store().alert_changes(0, 100).await.unwrap();
    let changes: Vec<Change> = log.into_iter().map(|told| told.change).collect();
    assert_eq!(changes, [Change::Opened, Change::Resolved].repeat(5));
}

pub(super) async fn the_same_messages_at_two_nodes_are_taken_once(mut office: Office) {
    let other = another(&office);
    for round in 0..10 {
        let ids: Vec<String> = (0..400).map(|n| format!("{round}-{n}")).collect();
        let mut there = accepted(&mut office, ids.iter().cloned());
        // The other way round: they wait for each other, and one of them gives way.
        let mut back = accepted(&mut office, ids.iter().rev().cloned());
        for admission in there.iter_mut().chain(&mut back) {
            if let Admission::Accepted(message) = admission {
                message.deliveries.clear();
            }
        }
        let (a, b) = tokio::join!(office.store().accept(there), other.accept(back));
        let verdicts: Vec<Verdict> = a.unwrap().into_iter().chain(b.unwrap()).collect();
        let named = |name: &str| verdicts.iter().filter(|v| v.name() == name).count();
        assert_eq!((named("accepted"), named("duplicate")), (400, 400));
    }
    assert_eq!(office.store().conservation().await.unwrap().taken, 4_000);
}

pub(super) async fn what_does_not_fit_is_kept_as_raw_bytes_and_its_neighbours_are_taken(mut office: Office) {
    let mut batch = accepted(&mut office, ["one", "bad", "two"].map(str::to_owned).into_iter());
    if let Admission::Accepted(message) = &mut batch[1] {
        message.envelope.subject = Some("no column holds a \0".into());
    }
    let verdicts = office.accept_all(batch).await;
    let names: Vec<_> = verdicts.iter().map(Verdict::name).collect();
    assert_eq!(names, ["accepted", "rejected", "accepted"]);
    let receipt = verdicts[1].answer().receipt_id;
    let raw = office.store().raw(receipt).await.unwrap().expect("the bytes are kept");
    assert_eq!(&raw.raw[..], b"bad");
    assert_eq!(office.due().await, ["one", "two"]);
}

pub(super) async fn a_hint_is_heard_by_the_other_nodes(mut office: Office) {
    let other = another(&office);
    let (lane, answers) = (other.hints().bell(RECEIVER), other.hints().bell(&hints::answers(PARTY)));
    let heard = async {
        for round in 0.. {
            office.taken(&format!("m{round}")).await;
            // A node that has only just begun to listen misses what was told before.
            let both = async { tokio::join!(lane.notified(), answers.notified()) };
            if tokio::time::timeout(Duration::from_millis(500), both).await.is_ok() {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), heard).await.expect("the other node hears");
    assert!(lane.notified().now_or_never().is_none(), "one hint rings once");
}

pub(super) async fn a_message_in_the_hand_of_a_node_that_lives_is_no_crash(mut office: Office) {
    let other = another(&office);
    let mark = InHand { key: [1; 32], now: office.now, way: Way::Amqp, party: PARTY.into() };
    for _ in 0..3 {
        assert_eq!(office.store().take_in_hand(mark.clone()).await.unwrap(), 0);
        assert_eq!(other.take_in_hand(mark.clone()).await.unwrap(), 0, "who had it before lives");
    }
    office.crash();
    assert_eq!(other.take_in_hand(mark.clone()).await.unwrap(), 1);
    assert_eq!(office.store().take_in_hand(mark.clone()).await.unwrap(), 1, "whoever asks");
    office.crash();
    assert_eq!(office.store().take_in_hand(mark.clone()).await.unwrap(), 2, "a second crash");
    other.put_down(mark.key).await.unwrap();
    office.crash();
    assert_eq!(office.store().take_in_hand(mark).await.unwrap(), 0, "one of them was able to judge it");
}

/// And is forgotten long after the node is gone.
pub(super) async fn each_nodes_pace_is_told(office: Office) {
    let other = another(&office);
    let pace = |able: f64| Pace { per_second: able, busy: 0.5, able, took: 0.1 };
    let paces = |able: f64| vec![(RECEIVER.to_owned(), pace(able))];
    office.store().save_paces(paces(8.0), office.now).await.unwrap();
    other.save_paces(paces(4.0), office.now).await.unwrap();
    let told = async || {
        let paces = office.store().paces().await.unwrap();
        paces.iter().map(|paced| paced.pace.able).sum::<f64>()
    };
    assert!((told().await - 12.0).abs() < 0.001);
    let later = office.now + SignedDuration::from_hours(24 * 8);
    office.store().save_paces(paces(9.0), later).await.unwrap();
    assert!((told().await - 9.0).abs() < 0.001, "the other said nothing for a week");
}

/// Interviews at two nodes at once, while both record steps: each clock is met once, and warns no more.
pub(super) async fn a_clock_that_two_nodes_hear_of_is_met_once(mut office: Office) {
    let other = another(&office);
    let starts = office.now;
    let about = |number: u8| Placed([number; 16]);
    let stops = Stops::Kind("interview_record".into());
    let terms = clocks::terms("first_interview", hours(24), Starts::Occurred, stops);
    for number in 0..8 {
        let mut message = office.message(&format!("p-{number}"));
        let first = clocks::further(terms.clone(), None, starts);
        message.deliveries[0].further = vec![Further { about: Some(about(number)), ..first }];
        office.accept(message).await;
    }
    office.pass(hours(20));
    let mut interviews = |at: &str| -> Vec<Admission> {
        let records = (0..8).map(|number| {
            let mut message = office.message(&format!("{at}-{number}"));
            message.envelope.kind = KindId::new("interview_record", 1);
            message.meets = Some(Meets { about: about(number), happened: Some(message.envelope.time) });
            message.deliveries.clear();
            Admission::Accepted(Box::new(message))
        });
        records.collect()
    };
    let (here, there) = (interviews("here"), interviews("there"));
    let now = office.now;
    let (one, two, three, four) = tokio::join!(
        office.store().accept(here),
        other.accept(there),
        office.store().advance_deadlines(now, 100),
        other.advance_deadlines(now, 100),
    );
    assert!(one.is_ok() && two.is_ok() && three.is_ok() && four.is_ok());
    office.check().await;
    for number in 0..8 {
        let view = office.view(&format!("p-{number}")).await;
        let met = view.history.iter().filter(|event| event.what == "sla_met").count();
        assert_eq!(met, 1, "{:#?}", view.history);
    }
}
