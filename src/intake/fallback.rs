//! The second way that an agreement has for a message: owed beside the first, and held until the first endangers the
//! promise.

use super::{rules::Rules, withheld};
use crate::{
    domain::{
        Agreement, Cpr, Event, FaultCode, Format, Text, Violation, agreement::Fallback, route::Receiver,
    },
    kinds::Kind,
    store::{NewDelivery, OtherWay},
};

/// Adds the second way to the first, where the agreement has one at the message's receiver. A message that it cannot
/// carry goes by the first alone, with a warning.
///
/// A second way stands in no line: what it carries is late already, and those before it go another way.
pub(super) fn add(
    (rules, agreement): (&Rules, Option<&Agreement>),
    (kind, event, citizen): (&Kind, &Event, Option<&Cpr>),
    deliveries: &mut Vec<NewDelivery>,
    violations: &mut Vec<Violation>,
) {
    let Some(agreement) = agreement else { return };
    let ([first], Some(fallback)) = (&mut deliveries[..], agreement.fallback(kind.name)) else { return };
    let Some(receiver) = receiver(rules, fallback, event, first) else { return };
    let format = receiver.format.or(agreement.format(kind.name)).unwrap_or(kind.format());
    let Some(parcel) =
        withheld::replacement(format, citizen).is_none().then(|| kind.render(event, format).ok()).flatten()
    else {
        violations.push(cannot(receiver, format));
        return;
    };
    let course = &first.promise.course;
    let release = fallback.at.instant(course);
    let early = fallback.when_predicted.map(|at| at.instant(course)).filter(|early| *early < release);
    let second = NewDelivery {
        receiver: receiver.name.clone(),
        parcel,
        ordering_key: None,
        promise: first.promise.clone(),
        further: vec![],
        expires: first.expires,
        hold: None,
        other_way: Some(OtherWay { ordinal: 1, release: Some(release), early }),
    };
    first.other_way = Some(OtherWay { ordinal: 2, release: None, early: None });
    deliveries.push(second);
}

/// The agreement may be with others too: the second way is that of one of them.
fn receiver<'a>(
    rules: &'a Rules,
    fallback: &Fallback,
    event: &Event,
    first: &NewDelivery,
) -> Option<&'a Receiver> {
    let of_party = |r: &&Receiver| r.name == fallback.receiver && r.party == event.envelope.receiver;
    rules.receivers.iter().find(of_party).filter(|r| r.name != first.receiver)
}

fn cannot(receiver: &Receiver, format: Format) -> Violation {
    Violation::warning(
        "/data",
        "fallback.unfit",
        FaultCode::CannotRender,
        Text::new(
            "Beskeden kan ikke gå ad aftalens anden vej, hvis den første svigter.",
            "The message cannot go by the agreement's second way, should the first one fail.",
        ),
    )
    .expected(format!("what {} reads as {format}", receiver.name))
}

#[cfg(test)]
mod tests;
