//! The history is the record and the deadlines its index: one is reckoned from the other and compared.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Office, recorded};
use crate::{
    domain::sla::{AT_RISK, Course, DELIVERED, STEPS, Standing, Unmet},
    store::views::{EventView, MessageFilter, MessageView, PromiseView},
};

/// A promise as its history tells it.
#[derive(Debug, Default, PartialEq)]
struct Told {
    steps: Vec<u8>,
    met: Option<Timestamp>,
    ended: bool,
    waived: bool,
    paused: Option<Timestamp>,
    course: Option<Course>,
}

impl Told {
    fn unmet(&self) -> Option<Unmet> {
        if self.waived { Some(Unmet::Waived) } else { self.ended.then_some(Unmet::Ended) }
    }
}

pub(super) async fn agrees_with_the_promises(office: &Office) {
    let filter = MessageFilter { most: 10_000, ..MessageFilter::default() };
    let mut endangered: BTreeMap<u8, i64> = BTreeMap::new();
    for line in office.store().messages(filter).await.unwrap() {
        let id = line.receipt_id.to_string();
        let message = office.store().message(id, None, office.now).await.unwrap().expect("it is listed");
        for promise in &message.promises {
            let of_it = message.history.iter().filter(|e| e.delivery_id == Some(promise.delivery_id));
            let is_delivered = promise.promise == DELIVERED;
            let told = if is_delivered { reckon(of_it, promise) } else { clock(of_it, promise) };
            compare(&told, promise, office.now, &message);
            let is_open = told.met.is_none() && told.unmet().is_none() && told.paused.is_none();
            if let Some(step) = told.steps.last().filter(|step| is_open && **step >= AT_RISK) {
                *endangered.entry(*step).or_default() += 1;
            }
        }
    }
    let mut counted: BTreeMap<u8, i64> = BTreeMap::new();
    for group in office.store().endangered(recorded()).await.unwrap() {
        *counted.entry(group.step).or_default() += group.count;
    }
    assert_eq!(counted, endangered, "the steps in the index are those in the history");
}

fn reckon<'a>(events: impl Iterator<Item = &'a EventView>, promise: &PromiseView) -> Told {
    let events: Vec<_> = events.collect();
    let time = |event: &EventView, key: &str| event.data[key].as_str().unwrap().parse::<Timestamp>().unwrap();
    // Before the first move it had the deadline that was moved.
    let first = events.iter().find(|event| event.what == "recomputed");
    let mut course = first.map_or_else(
        || Course::between(promise.starts, promise.due),
        |moved| Course::between(time(moved, "oldStarts"), time(moved, "oldDue")),
    );
    let mut told = Told::default();
    for event in events {
        match (event.what.as_str(), event.data["promise"].as_str()) {
            ("sla_step", Some(DELIVERED)) => told.steps.push(step(event, course)),
            (_, Some("met" | "met_late")) => told.met = Some(event.at),
            (_, Some("ended")) | ("cancelled", _) => told.ended = told.met.is_none(),
            ("retried" | "fallback_resumed", _) => told.ended = false,
            ("waived", _) => told.waived = told.met.is_none() && !told.ended,
            ("recomputed", _) => {
                let had = (time(event, "oldStarts"), time(event, "oldDue"));
                assert_eq!(had, (course.starts, course.due), "what it had");
                course = Course::between(time(event, "starts"), time(event, "due"));
            }
            _ => {}
        }
    }
    told.course = Some(course);
    told
}

/// The step that an event tells of, at its true instant.
fn step(event: &EventView, course: Course) -> u8 {
    let step = u8::try_from(event.data["step"].as_u64().unwrap()).unwrap();
    let due_at: Timestamp = event.data["dueAt"].as_str().unwrap().parse().unwrap();
    assert_eq!(due_at, course.step_instant(step), "its true instant");
    assert!(due_at <= event.at, "no step is recorded before it is due");
    step
}

/// A promise beside that of being delivered: every one of its instants is in the history.
fn clock<'a>(events: impl Iterator<Item = &'a EventView>, promise: &PromiseView) -> Told {
    let mut told = Told::default();
    for event in events.filter(|event| event.data["promise"] == *promise.promise) {
        match event.what.as_str() {
            "sla_started" | "sla_moved" => told.course = Some(course(event)),
            "sla_step" => told.steps.push(step(event, told.course.expect("it has started"))),
            "sla_paused" => told.paused = Some(event.at),
            "sla_resumed" => (told.paused, told.ended) = (None, false),
            "sla_met" => told.met = Some(met(event)),
            "sla_ended" => told.ended = true,
            "sla_waived" => (told.waived, told.paused) = (true, None),
            _ => {}
        }
    }
    told
}

/// When it was met: with the event, or before anybody knew of the promise.
fn met(event: &EventView) -> Timestamp {
    event.data["at"].as_str().map_or(event.at, |at| at.parse().unwrap())
}

fn course(event: &EventView) -> Course {
    let instant = |value: &serde_json::Value| value.as_str().unwrap().parse::<Timestamp>().unwrap();
    let shares = event.data["shares"].as_array().map(|shares| {
        let shares: Vec<Timestamp> = shares.iter().map(instant).collect();
        shares.try_into().expect("three steps before the last")
    });
    Course { starts: instant(&event.data["starts"]), due: instant(&event.data["due"]), shares }
}

fn compare(told: &Told, promise: &PromiseView, now: Timestamp, message: &MessageView) {
    let history = &message.history;
    let course = told.course.expect("it has started");
    assert_eq!((course.starts, course.due), (promise.starts, promise.due), "{history:#?}");
    assert_eq!((told.met, told.paused), (promise.met, promise.paused), "{history:#?}");
    let standing = Standing::of(course, told.met, told.unmet(), told.paused.is_some(), now).name();
    assert_eq!(standing, promise.standing, "{history:#?}");
    assert_eq!(told.steps, STEPS[..told.steps.len()], "each step once and in order: {history:#?}");
    let late = told.met.is_some_and(|met| met > promise.due);
    let breached = told.steps.last() == Some(&100);
    let at_the_instant = told.met == Some(promise.due);
    assert!(
        told.met.is_none() || late == breached || at_the_instant,
        "a breach is recorded when it was one: {history:#?}"
    );
}
