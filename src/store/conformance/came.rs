//! What came before the promise that waits for it, and promises that wait for several messages.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::{
    Accepted, Admission, Office, Open,
    clocks::{ANNA, citizen, command, further, terms},
    fault, hours,
    nodes::another,
};
use crate::{
    domain::{
        FaultCode, KindId,
        placement::Placed,
        sla::{Further, Starts, Stops, Terms},
    },
    store::{Command, Meets, Next, views::MessageView},
};

const INTERVIEW: &str = "interview_record";

/// That so many interviews come within 100 hours of the start.
fn interviews(count: u16, starts: Starts) -> Terms {
    Terms { count, ..terms("interviews", hours(100), starts, Stops::Kind(INTERVIEW.into())) }
}

/// A placement whose clock starts at `starts`, or with its delivery.
fn placement(office: &mut Office, terms: Terms, starts: Timestamp) -> Accepted {
    let (mut message, about) = citizen(office, "placement", "placement", ANNA);
    message.deliveries[0].further = vec![Further { about: Some(about), ..further(terms, None, starts) }];
    message
}

/// An interview that was held then, or was not held.
fn interview(office: &mut Office, id: &str, held: Option<Timestamp>) -> Accepted {
    let (mut message, about) = citizen(office, id, INTERVIEW, ANNA);
    message.meets = Some(Meets { about, happened: held });
    message.deliveries.clear();
    message
}

/// What became of the placement's promise: how it stands, when it was met, its steps, and the counts that were told.
#[derive(Debug, PartialEq)]
struct Came {
    standing: String,
    met: Option<Timestamp>,
    due: Timestamp,
    steps: Vec<u64>,
    counts: Vec<u64>,
}

async fn came(office: &Office) -> Came {
    let MessageView { promises, history, .. } = office.view("placement").await;
    let promise = promises.into_iter().find(|promise| promise.promise == "interviews").expect("it has begun");
    let told = |what: &str, data: &str| -> Vec<u64> {
        let of_it = history.iter().filter(|e| e.what == what && e.data["promise"] == "interviews");
        of_it.map(|event| event.data[data].as_u64().unwrap()).collect()
    };
    Came {
        standing: promise.standing,
        met: promise.met,
        due: promise.due,
        steps: told("sla_step", "step"),
        counts: told("sla_counted", "count"),
    }
}

pub(super) async fn what_came_before_its_promise_meets_it_at_once(mut office: Office) {
    let registered = office.now;
    let before = interview(&mut office, "before", Some(registered - SignedDuration::from_secs(1)));
    office.accept(before).await;
    office.pass(hours(30));
    let absent = interview(&mut office, "absent", None);
    office.accept(absent).await;
    let earlier = office.now - hours(2);
    let held = interview(&mut office, "held", Some(earlier));
    let receipt = office.accept(held).await.answer().receipt_id;
    let met = office.now;
    office.crash();
    // The placement itself comes when its promise would be breached.
    office.pass(hours(100));
    let late = placement(&mut office, interviews(1, Starts::Registration), registered);
    office.accept(late).await;
    let told = came(&office).await;
    assert_eq!((told.standing.as_str(), told.met), ("met", Some(met)), "as if it had come in its order");
    assert!(told.steps.is_empty() && told.counts.is_empty(), "{told:?}");
    assert!(office.advance().await.iter().all(|step| step.promise == "delivered"), "nothing warns of it");
    let view = office.view("placement").await;
    let event = view.history.iter().find(|event| event.what == "sla_met").unwrap();
    assert_eq!(event.data["by"], receipt.to_string());
    assert_eq!(event.data["at"], met.to_string(), "the history says when");
}

pub(super) async fn what_happened_before_the_clock_started_stops_nothing(mut office: Office) {
    let registered = office.now;
    let placed = placement(&mut office, interviews(1, Starts::Registration), registered);
    office.accept(placed).await;
    office.pass(hours(1));
    let (earlier, other) = (Some(registered - hours(24 * 30)), None);
    for (id, held) in [("earlier", earlier), ("not-held", other)] {
        let message = interview(&mut office, id, held);
        office.accept(message).await;
        assert_eq!(came(&office).await.standing, "on_track", "{id}");
    }
    let held = interview(&mut office, "held", Some(registered));
    office.accept(held).await;
    assert_eq!(came(&office).await.standing, "met", "from the very instant on");
}

pub(super) async fn a_promise_of_three_is_met_by_the_third(mut office: Office) {
    let registered = office.now;
    let first = interview(&mut office, "i-1", Some(registered));
    office.accept(first).await;
    let placed = placement(&mut office, interviews(3, Starts::Registration), registered);
    office.accept(placed).await;
    assert_eq!(came(&office).await.counts, [1], "what came before counts too");
    office.pass(hours(10));
    let now = office.now;
    let second = interview(&mut office, "i-2", Some(now));
    office.accept(second).await;
    // It names the one that it corrects, and is no further one.
    let mut corrected = interview(&mut office, "i-2b", Some(now - hours(1)));
    corrected.envelope.causation_id = Some("i-2".into());
    office.accept(corrected).await;
    assert_eq!(came(&office).await.counts, [1, 2]);
    // Now it says that it was not held.
    let mut corrected = interview(&mut office, "i-2c", None);
    corrected.envelope.causation_id = Some("i-2b".into());
    office.accept(corrected).await;
    office.crash();
    for (id, standing) in [("i-3", "on_track"), ("i-4", "met"), ("i-5", "met")] {
        let message = interview(&mut office, id, Some(now));
        office.accept(message).await;
        assert_eq!(came(&office).await.standing, standing, "{id}");
    }
    assert_eq!(came(&office).await.counts, [1, 2, 1, 2, 3]);
}

pub(super) async fn what_is_in_one_batch_counts_in_whichever_order_it_lies(mut office: Office) {
    let now = office.now;
    let one = interview(&mut office, "i-1", Some(now));
    let placed = placement(&mut office, interviews(2, Starts::Registration), now);
    let two = interview(&mut office, "i-2", Some(now));
    let batch = [one, placed, two].map(|message| Admission::Accepted(Box::new(message)));
    office.accept_all(batch.into()).await;
    let told = came(&office).await;
    assert_eq!((told.standing.as_str(), told.counts), ("met", vec![1, 2]));
}

pub(super) async fn what_came_while_nobody_counted_counts_when_the_clock_goes_on(mut office: Office) {
    let now = office.now;
    let placed = placement(&mut office, interviews(1, Starts::Registration), now);
    let delivery = office.accept(placed).await.answer().receipt_id.delivery(1);
    office.attempt(Next::Dead(fault(FaultCode::ReceiverRefused))).await;
    assert_eq!(came(&office).await.standing, "ended");
    office.pass(hours(1));
    let met = office.now;
    let held = interview(&mut office, "i-1", Some(met));
    office.accept(held).await;
    office.pass(hours(1));
    command(&office, Command::Retry(delivery)).await;
    let told = came(&office).await;
    assert_eq!((told.standing.as_str(), told.met), ("met", Some(met)));
    // One that starts with the delivery looks at what happened since, and no further back.
    let (mut message, about) = citizen(&mut office, "later", "placement", ANNA);
    let terms = interviews(1, Starts::Delivered);
    message.deliveries[0].further = vec![Further { about: Some(about), ..further(terms, None, office.now) }];
    office.accept(message).await;
    let soon = office.now + SignedDuration::from_mins(3);
    let clock_ahead = interview(&mut office, "i-2", Some(soon));
    office.accept(clock_ahead).await;
    office.pass(SignedDuration::from_mins(1));
    office.attempt(Next::Delivered).await;
    office.attempt(Next::Delivered).await;
    let promises = office.view("later").await.promises;
    let begun = promises.iter().find(|promise| promise.promise == "interviews").unwrap();
    assert_eq!((begun.standing.as_str(), begun.met), ("met", Some(office.now)));
}

/// Each node stores one of the two at the same moment: neither passes the other by unseen.
pub(super) async fn a_promise_of_the_next_of_its_kind_is_not_met_by_its_own_message(mut office: Office) {
    let now = office.now;
    let mut one = placement(&mut office, interviews(1, Starts::Registration), now);
    one.meets = interview(&mut office, "i-1", Some(now)).meets;
    one.envelope.kind = interview(&mut office, "i-1", None).envelope.kind;
    office.accept(one).await;
    assert_eq!(came(&office).await.standing, "on_track");
    office.pass(hours(1));
    let now = office.now;
    let next = interview(&mut office, "i-2", Some(now));
    office.accept(next).await;
    assert_eq!(came(&office).await.standing, "met");
}

pub(super) async fn what_died_is_not_taken_up_for_a_citizen_who_is_placed_no_more(mut office: Office) {
    let now = office.now;
    let placed = placement(&mut office, interviews(1, Starts::Registration), now);
    let delivery = office.accept(placed).await.answer().receipt_id.delivery(1);
    office.attempt(Next::Dead(fault(FaultCode::ReceiverRefused))).await;
    let (mut gone, about) = citizen(&mut office, "gone", "placement", ANNA);
    gone.ends_placement = Some(about);
    gone.deliveries.clear();
    office.accept(gone).await;
    command(&office, Command::Retry(delivery)).await;
    assert_eq!(came(&office).await.standing, "ended");
}

pub(super) async fn a_promise_and_what_it_waits_for_at_two_nodes_find_each_other(mut office: Office) {
    let other = another(&office);
    let (now, about) = (office.now, |number: u8| Placed([number; 16]));
    for round in 0..6_u8 {
        let mut messages = |name: &str, is_placement: bool| -> Vec<Admission> {
            let numbers = round * 8..round * 8 + 8;
            let one = |number: u8| {
                let mut message = office.message(&format!("{name}-{number}"));
                if is_placement {
                    let promised = further(interviews(1, Starts::Registration), None, now);
                    message.deliveries[0].further = vec![Further { about: Some(about(number)), ..promised }];
                } else {
                    message.envelope.kind = KindId::new(INTERVIEW, 1);
                    message.meets = Some(Meets { about: about(number), happened: Some(now) });
                    message.deliveries.clear();
                }
                Admission::Accepted(Box::new(message))
            };
            numbers.map(one).collect()
        };
        let (placements, records) = (messages("p", true), messages("i", false));
        let (one, two) = tokio::join!(office.store().accept(placements), other.accept(records));
        assert!(one.is_ok() && two.is_ok());
        for number in round * 8..round * 8 + 8 {
            let promises = office.view(&format!("p-{number}")).await.promises;
            let promise = promises.iter().find(|promise| promise.promise == "interviews").unwrap();
            assert_eq!(promise.standing, "met", "{number}");
        }
    }
    office.check().await;
}

/// An interview: when it comes, when it was held, and which earlier one it corrects, if any.
type Record = (i64, Option<i64>, Option<usize>);

fn records() -> impl Strategy<Value = Vec<Record>> {
    let record =
        (0i64..150, proptest::option::weighted(0.8, -30i64..120), proptest::option::weighted(0.3, 0usize..6));
    proptest::collection::vec(record, 0..7).prop_map(|mut records| {
        records.sort_by_key(|record| record.0);
        records
    })
}

/// Whenever a placement comes, before, between or after its interviews: what becomes of its promise is the same.
pub(super) fn the_order_in_which_messages_come_changes_no_outcome(open: fn(&Path) -> Open, cases: u32) {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    proptest!(config, |(records in records(), count in 1u16..4, placed in 1i64..150)| {
        let outcome = |placed: i64| {
            let folder = tempfile::tempdir().unwrap();
            let mut office = Office::open(open(folder.path()));
            runtime.block_on(walk(&mut office, &records, count, placed))
        };
        prop_assert_eq!(outcome(0), outcome(placed));
    });
}

async fn walk(office: &mut Office, records: &[Record], count: u16, placed: i64) -> Came {
    let registered = office.now;
    let at = |hour: i64| registered + hours(hour);
    let mut waits = Some(placed);
    for (place, (comes, held, corrects)) in records.iter().enumerate() {
        if waits.is_some_and(|placed| placed <= *comes) {
            store_placement(office, at(placed), registered, count).await;
            waits = None;
        }
        office.now = at(*comes);
        let mut message = interview(office, &format!("i-{place}"), held.map(at));
        message.envelope.causation_id = corrects.filter(|to| *to < place).map(|to| format!("i-{to}"));
        office.accept(message).await;
    }
    if waits.is_some() {
        store_placement(office, at(placed), registered, count).await;
    }
    office.now = at(200);
    office.advance().await;
    came(office).await
}

async fn store_placement(office: &mut Office, at: Timestamp, registered: Timestamp, count: u16) {
    office.now = at;
    let message = placement(office, interviews(count, Starts::Registration), registered);
    office.accept(message).await;
}
