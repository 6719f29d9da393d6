//! Stories of promises, and that their parts add up.

use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::{
    domain::{
        ReceiptId,
        calendar::{Calendar, Named},
        sla::{Promise, Stops, Terms, Within},
    },
    store::views::{MessageLine, RunView},
};

const RECEIPT: Uuid = Uuid::from_bytes([0x33; 16]);

fn at(clock: &str) -> Timestamp {
    format!("2026-11-02T{clock}:00Z").parse().unwrap()
}

/// Happened at 08:00, received at 09:00, due at 12:00; attempts as given.
fn message(attempts: &[Value], met: Option<Timestamp>) -> MessageView {
    let receipt = ReceiptId::from_fresh(RECEIPT);
    let delivery = receipt.delivery(1);
    let line = MessageLine {
        receipt_id: receipt,
        message_id: Some("m-1".into()),
        party: "3f".into(),
        kind: Some("complaint.v1".into()),
        receiver: None,
        received: at("09:00"),
        state: "pending".into(),
        due: Some(at("12:00")),
    };
    let events = attempts.iter().map(|data| EventView {
        at: at("09:00"),
        what: "attempt".into(),
        delivery_id: Some(delivery),
        data: data.clone(),
    });
    MessageView {
        way: "http".into(),
        source: None,
        subject: None,
        agreement: None,
        correlation_id: None,
        case: None,
        causation_id: None,
        occurred: Some(at("08:00")),
        recorded: None,
        sent: None,
        generation: 1,
        content_type: None,
        raw_bytes: 0,
        findings: vec![],
        deliveries: vec![DeliveryView {
            delivery_id: delivery,
            message_id: "m-1".into(),
            kind: "complaint.v1".into(),
            receiver: "kbh".into(),
            format: "klagesag".into(),
            state: "pending".into(),
            hold: None,
            attempts: 2,
            due: at("12:00"),
            next_attempt: None,
            settled: met,
            fault: None,
            second_way_of: None,
            released: None,
            early: None,
        }],
        promises: vec![PromiseView {
            receipt_id: receipt,
            delivery_id: delivery,
            message_id: "m-1".into(),
            kind: "complaint.v1".into(),
            receiver: "kbh".into(),
            promise: "delivered".into(),
            starts: at("08:00"),
            received: at("09:00"),
            due: at("12:00"),
            paused: None,
            basis: Some("setting promise.complaint".into()),
            met,
            standing: if met.is_some() { "met_late".into() } else { "breached".into() },
            attempts: 2,
            next_attempt: met.is_none().then(|| at("14:00")),
            state: "pending".into(),
        }],
        history: events.collect(),
        line,
    }
}

/// The story of the first promise.
fn story(message: &MessageView, runs: &[RunView], now: Timestamp) -> Explained {
    told(message, &[], runs, now)
}

fn told(message: &MessageView, clocks: &[ClockView], runs: &[RunView], now: Timestamp) -> Explained {
    let around = Around { runs: runs.to_vec(), outages: vec![] };
    let mut told = explain(message, clocks, &around, now);
    let Told::Begun(explained) = told.swap_remove(0) else { panic!("its clock runs") };
    *explained
}

fn parts(explained: &Explained) -> [i64; 8] {
    [
        explained.at_sender_seconds,
        explained.gateway_down_seconds,
        explained.before_first_attempt_seconds,
        explained.attempting_seconds,
        explained.receiver_unavailable_seconds,
        explained.receiver_seconds,
        explained.paused_seconds,
        explained.waiting_seconds,
    ]
}

fn run(from: &str, to: &str, in_order: bool) -> RunView {
    RunView { started: at(from), seen: at(to), in_order }
}

fn failed(clock: &str) -> Value {
    let started = at(clock).to_string();
    json!({ "attempt": 1, "started": started, "tookMs": 60_000, "outcome": "unavailable", "code": "GW2101",
        "detail": "no route" })
}

#[test]
fn the_parts_add_up_to_the_whole() {
    let delivered = json!({ "attempt": 2, "started": at("12:30").to_string(), "tookMs": 60_000,
        "outcome": "delivered", "proof": { "status": 200 } });
    let explained = story(&message(&[failed("09:10"), delivered], Some(at("12:31"))), &[], at("20:00"));
    let parts = parts(&explained);
    assert_eq!(parts.map(|seconds| seconds / 60), [60, 0, 10, 2, 199, 0, 0, 0]);
    assert_eq!(parts.iter().sum::<i64>(), at("12:31").duration_since(at("08:00")).as_secs());
    assert_eq!(explained.late_seconds, 31 * 60);
    let words = explained.words().join("\n");
    assert!(words.contains("attempt 1: no connection to the receiver (GW2101): no route"), "{words}");
    assert!(words.ends_with("the receiver has it: 31m00s after the deadline"), "{words}");
}

#[test]
fn what_was_waived_says_by_whom_and_why() {
    let mut message = message(&[failed("09:10")], None);
    message.promises[0].standing = "waived".into();
    let data = json!({ "by": "cli:anna", "reason": "agreed by telephone" });
    let delivery_id = message.history[0].delivery_id;
    message.history.push(EventView { at: at("11:00"), what: "waived".into(), delivery_id, data });
    let words = story(&message, &[], at("13:00")).words().join("\n");
    let end = "2026-11-02 12:00:00  waived by cli:anna: agreed by telephone; neither met nor breached";
    assert!(words.ends_with(end), "{words}");
}

#[test]
fn what_is_open_says_what_comes_next() {
    let explained = story(&message(&[failed("09:10")], None), &[], at("13:00"));
    assert_eq!(explained.receiver_unavailable_seconds, (3 * 60 + 49) * 60);
    let words = explained.words().join("\n");
    assert!(words.ends_with("1h00m ago; next attempt 2026-11-02 15:00:00"), "{words}");
    let untried = story(&message(&[], None), &[], at("13:00"));
    assert_eq!(untried.before_first_attempt_seconds, 4 * 3600);
}

/// One that came while nothing was sent is not ours to answer for, tried or not.
#[test]
fn while_the_circuit_is_open_the_receiver_is_waited_for() {
    let outages = vec![
        ("kbh".to_owned(), at("08:30"), Some(at("10:00"))),
        ("kbh".to_owned(), at("12:00"), None),
        ("elsewhere".to_owned(), at("08:00"), None),
    ];
    let around = Around { runs: vec![], outages };
    let mut told = explain(&message(&[], None), &[], &around, at("13:00"));
    let Told::Begun(explained) = told.swap_remove(0) else { panic!("its clock runs") };
    assert_eq!(parts(&explained).map(|seconds| seconds / 60), [60, 0, 120, 0, 120, 0, 0, 0]);
    let words = explained.words().join("\n");
    assert!(
        words.contains("the receiver's circuit is open since 2026-11-02 13:00:00: it goes when"),
        "{words}"
    );
}

#[test]
fn the_time_in_which_no_gateway_was_up_is_nobody_elses() {
    let runs = [run("06:00", "09:30", false), run("09:00", "10:00", true), run("11:00", "13:00", false)];
    let explained = story(&message(&[failed("09:10")], None), &runs, at("13:00"));
    // Between the two nodes' end and the next start; what was left of it the receiver was unavailable.
    assert_eq!(parts(&explained).map(|seconds| seconds / 60), [60, 60, 10, 1, 169, 0, 0, 0]);
    assert_eq!(time::down(&runs, at("13:00")), [(at("10:00").as_second(), at("11:00").as_second())]);
    let silent = time::down(&runs, at("13:01"));
    assert_eq!(silent.last(), Some(&(at("13:00").as_second(), at("13:01").as_second())), "it is gone");
    let ended = [run("06:00", "12:59", true)];
    assert_eq!(time::down(&ended, at("13:00")).len(), 1, "who ended in order is down at once");
    assert!(time::down(&[], at("13:00")).is_empty(), "nothing is known");
}

#[test]
fn a_clock_that_stood_still_tells_of_it_and_counts_by_its_calendar() {
    let mut message = message(&[], Some(at("08:10")));
    let calendar = Calendar::weekdays(&["08:00-16:00".parse().unwrap()]).unwrap();
    let named = std::sync::Arc::new(Named::new("office", calendar));
    let terms = Terms {
        within: Within::Time(SignedDuration::from_hours(4)),
        starts: Starts::Delivered,
        stops: Stops::Decided,
        pauses: true,
        basis: "agreement norddjurs-2024, Tilbud".into(),
        ..Promise::elapsed("decided", SignedDuration::ZERO).terms
    };
    let delivery_id = message.deliveries[0].delivery_id;
    let clock = ClockView { delivery_id, promise: Promise::new(terms, Some(named)), state: "begun" };
    message.deliveries[0].state = "delivered".into();
    let promise = &mut message.promises[0];
    (promise.promise, promise.met, promise.standing) = ("decided".into(), None, "on_track".into());
    (promise.starts, promise.due, promise.basis) =
        (at("08:10"), at("14:10"), Some("agreement norddjurs-2024, Tilbud".into()));
    promise.received = at("08:00");
    let mut event = |clock: &str, what: &str, data: Value| {
        message.history.push(EventView {
            at: at(clock),
            what: what.into(),
            delivery_id: Some(delivery_id),
            data,
        });
    };
    event("09:10", "sla_paused", json!({ "promise": "decided", "why": "the case waits for information" }));
    event("11:10", "sla_resumed", json!({ "promise": "decided" }));
    let moved = json!({ "promise": "decided", "from": at("12:10"), "due": at("14:10") });
    event("11:10", "sla_moved", moved);
    let explained = told(&message, &[clock], &[], at("12:10"));
    assert_eq!(parts(&explained).map(|seconds| seconds / 60), [0, 0, 0, 0, 0, 120, 120, 0]);
    let counted = explained.calendar.as_ref().unwrap();
    assert_eq!((counted.budget_seconds, counted.used_seconds), (4 * 3600, 2 * 3600));
    let words = explained.words().join("\n");
    for line in [
        "Promise \"decided\" to kbh: within 4h00m of the calendar \"office\", due 2026-11-02 15:10:00",
        "promised by agreement norddjurs-2024, Tilbud",
        "it waits for the decision",
        "the clock started: it was delivered",
        "used by the calendar \"office\": 2h00m of 4h00m",
        "the clock stands still: the case waits for information",
        "the deadline moved from 2026-11-02 13:10:00 to 2026-11-02 15:10:00",
    ] {
        assert!(words.contains(line), "{line}: {words}");
    }
}

proptest! {
    #[test]
    fn every_second_is_somebodys_and_nobodys_twice(
        from in 0i64..100, lasts in 0i64..1000, arrived in 0i64..1200, delivered in proptest::option::of(0i64..1200),
        paused in proptest::collection::vec((0i64..1200, 0i64..200), 0..4),
        down in proptest::collection::vec((0i64..1200, 0i64..200), 0..4),
        unavailable in proptest::collection::vec((0i64..1200, 0i64..200), 0..4),
        attempts in proptest::collection::vec((0i64..1200, 0i64..50, 0usize..3), 0..6),
    ) {
        let span = |(from, lasts): (i64, i64)| (from, from + lasts);
        let after = [Whose::ReceiverUnavailable, Whose::Receiver, Whose::Waiting];
        let known = Known {
            from, until: from + lasts, arrived, delivered,
            paused: paused.into_iter().map(span).collect(),
            down: down.into_iter().map(span).collect(),
            unavailable: unavailable.into_iter().map(span).collect(),
            attempts: attempts.into_iter().map(|(at, took, whose)| (span((at, took)), after[whose])).collect(),
        };
        let all = [
            Whose::Sender, Whose::Paused, Whose::GatewayDown, Whose::Attempting, Whose::ReceiverUnavailable,
            Whose::Receiver, Whose::BeforeFirst, Whose::Waiting,
        ];
        prop_assert_eq!(all.map(|whose| known.sum(whose)).iter().sum::<i64>(), lasts);
        let parts = known.parts();
        prop_assert!(parts.windows(2).all(|pair| pair[0].0.1 == pair[1].0.0), "{parts:?}");
    }
}
