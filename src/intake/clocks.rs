//! Starts the clocks of a message: that of being delivered, and those of what else is promised.

use std::sync::Arc;

use jiff::{Timestamp, civil::Date};

use super::rules::{KindPromise, Rules};
use crate::{
    domain::{
        Agreement, Event,
        placement::{Bearing, Placed},
        sla::{Clocked, Further, Promise, Starts, Stops, Within},
    },
    kinds::{self, Kind},
    store::{Arrived, Meets, Renews},
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
    kind: &Kind,
    event: &Event,
    arrived: &Arrived,
) -> Vec<Further> {
    let envelope = &event.envelope;
    let mut further = Vec::new();
    for promise in rules.further(kind.name, agreement) {
        if promise.terms.starts.date().is_some() && (kind.has_lapsed(event) || is_kept(promise, kind, event))
        {
            continue;
        }
        let about = match &promise.terms.stops {
            Stops::Kind(_) if has_ended(event) => continue,
            Stops::Kind(_) => {
                let Some(about) = about(event) else { continue };
                Some(about)
            }
            _ => None,
        };
        let promise = match promise.terms.within {
            Within::Limit => {
                let Some(limited) = agreement.and_then(|agreement| to_limit(promise, agreement, event))
                else {
                    continue;
                };
                Arc::new(limited)
            }
            Within::Time(_) | Within::Days(_) => promise.clone(),
        };
        let occurred = envelope.time.min(arrived.received);
        let starts = match &promise.terms.starts {
            Starts::Occurred => Some(occurred),
            Starts::Received => Some(arrived.received),
            Starts::Delivered => None,
            Starts::Registration => Some(registration(event).unwrap_or(occurred)),
            Starts::Date(_) | Starts::Before(_) => match supplied(&promise, event) {
                Some(starts) => Some(starts),
                None => continue,
            },
        };
        further.push(Further { promise, starts, about });
    }
    further
}

/// Which promises about the citizen the message tells anew: those that go by a date of it, and those that have lapsed
/// with it. What earlier messages promised under these names by their dates, and is not due yet, is over.
pub(super) fn renews(
    rules: &Rules,
    agreement: Option<&Agreement>,
    kind: &Kind,
    event: &Event,
) -> Option<Renews> {
    let lapsed = kind.has_lapsed(event);
    let is_told = |promise: &&Arc<Promise>| {
        let terms = &promise.terms;
        let by_date = terms.starts.date().is_some() && matches!(terms.stops, Stops::Kind(_));
        by_date && (lapsed || (supplied(promise, event).is_some() && !is_kept(promise, kind, event)))
    };
    let told = rules.further(kind.name, agreement).filter(is_told);
    let promises: Vec<String> = told.map(|promise| promise.name().to_owned()).collect();
    if promises.is_empty() || has_ended(event) {
        return None;
    }
    Some(Renews { about: about(event)?, promises })
}

/// Whether the message itself is what the promise waits for.
fn is_kept(promise: &Promise, kind: &Kind, event: &Event) -> bool {
    matches!(&promise.terms.stops, Stops::Kind(awaited) if awaited == kind.name)
        && kind.happened(event).is_some()
}

/// When a clock starts that goes by a date of the message.
fn supplied(promise: &Promise, event: &Event) -> Option<Timestamp> {
    let begin = kinds::rules::days::begin;
    match (&promise.terms.starts, promise.terms.within) {
        (Starts::Date(name), _) => begin(day(event, name)?),
        (Starts::Before(name), Within::Time(time)) => {
            begin(day(event, name)?.tomorrow().ok()?)?.checked_sub(time).ok()
        }
        _ => None,
    }
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
    kinds::rules::days::begin(day(event, "registrationDate")?)
}

/// A promise as it is given to the citizen of the message: to the end of the last day that the agreement leaves them
/// with the a-kasse. Where the message tells of an earlier `endDate`, that day is it; a later one changes nothing
/// (København agreement: "uanfægtet at udlægningsperioden i arbejdsmarkedsportalen overstiger"). Nothing where the
/// agreement sets them no limit, or they are past it before they begin.
fn to_limit(promise: &Promise, agreement: &Agreement, event: &Event) -> Option<Promise> {
    let citizen = kinds::rules::citizen(event)?;
    let first = day(event, "registrationDate")?;
    let limit = agreement.last_day_of(&citizen, first, event.envelope.time)?;
    let last = day(event, "endDate").map_or(limit, |end| end.min(limit));
    let (starts, due) =
        (kinds::rules::days::begin(first)?, kinds::rules::days::begin(last.tomorrow().ok()?)?);
    (starts < due).then(|| promise.until(starts, due))
}

fn day(event: &Event, field: &str) -> Option<Date> {
    kinds::rules::day(event.data.get(field)?.as_str()?)
}

#[cfg(test)]
mod tests;
