//! Starts the clocks of a message: that of being delivered, and those of what else is promised.

use jiff::Timestamp;

use super::rules::{KindPromise, Rules};
use crate::{
    domain::{
        Agreement, Event,
        placement::{Bearing, Placed},
        sla::{Clocked, Further, Starts, Stops},
    },
    kinds::{self, Kind},
    store::{Arrived, Meets},
};

/// The clock starts at the business time, or at receipt where that lies a little ahead. With it comes the instant
/// after which it is tried no more; `None`: never.
pub(super) fn delivered(
    rules: &Rules,
    kind: &str,
    agreement: Option<&Agreement>,
    occurred: Timestamp,
    received: Timestamp,
) -> (Clocked, Option<Timestamp>) {
    let KindPromise { promise, retry_window, .. } = rules.promise_of(kind);
    let promise = agreement.and_then(|a| a.promise(kind)).unwrap_or(promise);
    let starts = match promise.terms.starts {
        Starts::Received => received,
        _ => occurred.min(received),
    };
    let clocked = promise.clocked(starts);
    let due = clocked.course.due;
    let expires = retry_window.and_then(|window| due.max(received).checked_add(window).ok());
    (clocked, expires)
}

/// What else is promised. A clock that another message stops needs a citizen to find it by: without one it is not
/// promised, and neither is it by the message that tells of the end of a placement.
pub(super) fn further(
    rules: &Rules,
    agreement: Option<&Agreement>,
    event: &Event,
    arrived: &Arrived,
) -> Vec<Further> {
    let envelope = &event.envelope;
    let mut further = Vec::new();
    for promise in rules.further(&envelope.kind.name, agreement) {
        let about = match &promise.terms.stops {
            Stops::Kind(_) if has_ended(event) => continue,
            Stops::Kind(_) => {
                let Some(about) = about(event) else { continue };
                Some(about)
            }
            _ => None,
        };
        let occurred = envelope.time.min(arrived.received);
        let starts = match promise.terms.starts {
            Starts::Occurred => Some(occurred),
            Starts::Received => Some(arrived.received),
            Starts::Delivered => None,
            Starts::Registration => Some(registration(event).unwrap_or(occurred)),
        };
        further.push(Further { promise: promise.clone(), starts, about });
    }
    further
}

/// What the message is to promises that may wait for its kind: about whom, and when it happened.
pub(super) fn meets(rules: &Rules, kind: &Kind, event: &Event) -> Option<Meets> {
    let about = rules.awaited.contains(kind.name).then(|| about(event)).flatten()?;
    Some(Meets { about, happened: kind.happened(event) })
}

/// Between whom and about whom the message is, where it ends the citizen's placement: by an opt-out, by the jobcenter's
/// special effort, because it ran out, or because the citizen is registered no more. Nothing of the placement is waited for then.
pub(super) fn ends_placement(kind: &Kind, event: &Event) -> Option<Placed> {
    let ends = matches!((kind.bears)(event), Some(Bearing::OptsOut(_) | Bearing::SpecialEffort(Some(_))));
    (ends || has_ended(event)).then(|| about(event)).flatten()
}

fn about(event: &Event) -> Option<Placed> {
    let citizen = kinds::rules::citizen(event)?;
    Some(Placed::of(&event.envelope.source, &event.envelope.receiver, &citizen))
}

/// Whether it tells that a placement ended, or the registration that it goes with.
fn has_ended(event: &Event) -> bool {
    let says =
        |field: &str, word: &str| event.data.get(field).and_then(serde_json::Value::as_str) == Some(word);
    match event.envelope.kind.name.as_str() {
        "placement" => says("action", "ended"),
        "enrolment_status" => says("status", "deregistered"),
        _ => false,
    }
}

/// The beginning of the day in its `registrationDate`.
fn registration(event: &Event) -> Option<Timestamp> {
    let day = kinds::rules::day(event.data.get("registrationDate")?.as_str()?)?;
    kinds::rules::days::begin(day)
}

#[cfg(test)]
mod tests;
