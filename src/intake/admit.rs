//! Judges one raw message: everything it owes, or everything that is wrong with it. Pure.

use jiff::SignedDuration;
use sha2::{Digest, Sha256};

use super::{
    agreements::{self, Under},
    clocks,
    examine::{beside, content},
    fallback,
    measured::Lap,
    rules::{CompiledKind, Rules, Sender},
    withheld,
};
use crate::{
    codec::{self, Decoded, Raw, Transport, Undecodable, limits::VIOLATIONS_MAX},
    domain::{
        Cpr, DeliveryId, Envelope, Event, FaultCode, KindId, Parcel, Party, Text, Violation,
        agreement::budget::Spend,
        answer::Subscription,
        placement::{Bearing, Placed},
        route::{Receiver, route},
    },
    formats::sf2900,
    kinds::{self, Kind},
    store::{Accepted, Admission, Arrived, Invalid, NewDelivery, Way},
};

/// Judges what arrived. The sender is the party whose credential brought it; the message may speak for no other.
pub fn admit(rules: &Rules, arrived: Arrived) -> Admission {
    admit_timed(rules, arrived, &Lap::default())
}

/// [`admit`], for whoever measures it.
pub fn admit_timed(rules: &Rules, arrived: Arrived, lap: &Lap<'_>) -> Admission {
    let sender = rules.senders.get(&arrived.party);
    let answers = sender.map_or_else(Subscription::default, |s| s.answers);
    let headers = sender.map_or_else(|| arrived.headers.clone(), |s| mapped(s, &arrived));
    let raw = Raw {
        body: &arrived.raw,
        content_type: arrived.content_type.as_deref(),
        headers: &headers,
        transport: transport(&arrived),
    };
    let schema_of = |id: &KindId| rules.kinds.get(id).map(|k| k.schema.document());
    match codec::decode(&raw, &rules.limits, &schema_of) {
        Ok(decoded) => judge(rules, arrived, sender, answers, decoded, lap),
        Err(mut refused) => {
            check_more(rules, &arrived, sender, &mut refused);
            let named = refused.named;
            Admission::Invalid(Box::new(Invalid {
                arrived,
                message_id: named.id,
                source: named.source,
                kind: refused.kind.map(|kind| kind.to_string()).or(named.event_type),
                receiver: named.receiver,
                violations: refused.violations,
                answers,
                astray_in: None,
            }))
        }
    }
}

fn transport(arrived: &Arrived) -> Transport {
    match arrived.way {
        Way::Http => Transport::Http,
        Way::Spool => Transport::File,
        // What is taken again has the headers it came with at first, and these tell how that was.
        Way::Local if arrived.headers.is_empty() => Transport::File,
        Way::Local if arrived.headers.iter().any(|(name, _)| name.starts_with("ce-")) => Transport::Http,
        Way::Amqp | Way::Local => Transport::Amqp,
    }
}

/// What else is wrong with a message that is refused already: its sender mends everything in one go.
fn check_more(rules: &Rules, arrived: &Arrived, sender: Option<&Sender>, refused: &mut Undecodable) {
    let compiled = refused.kind.as_ref().and_then(|kind| rules.kinds.get(kind));
    let violations = &mut refused.violations;
    if let Some(envelope) = &refused.envelope {
        check_source(envelope, sender, violations);
        check_time(rules, envelope, arrived, violations);
        agreements::check(rules, envelope, violations);
        if let Some(compiled) = compiled {
            check_direction(compiled, envelope, violations);
        }
    }
    if let (Some(compiled), Some(data)) = (compiled, &refused.data) {
        violations.extend(content(compiled, refused.envelope.as_ref(), data, arrived.received));
    }
    violations.truncate(VIOLATIONS_MAX);
}

/// A legacy sender's own headers, as the attributes they stand for.
fn mapped(sender: &Sender, arrived: &Arrived) -> Vec<(String, String)> {
    let prefix = if transport(arrived) == Transport::Amqp { "cloudevents_" } else { "ce-" };
    let mut headers = arrived.headers.clone();
    for (header, attribute) in &sender.headers {
        if let Some((_, value)) = arrived.headers.iter().find(|(name, _)| name == header) {
            headers.push((format!("{prefix}{attribute}"), value.clone()));
        }
    }
    for (attribute, value) in &sender.defaults {
        let name = format!("{prefix}{attribute}");
        if !headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(&name)) {
            headers.push((name, value.clone()));
        }
    }
    headers
}

fn judge(
    rules: &Rules,
    arrived: Arrived,
    sender: Option<&Sender>,
    answers: Subscription,
    decoded: Decoded,
    lap: &Lap<'_>,
) -> Admission {
    let event = decoded.event;
    let mut violations = Vec::new();
    check_source(&event.envelope, sender, &mut violations);
    check_time(rules, &event.envelope, &arrived, &mut violations);
    let under = agreements::check(rules, &event.envelope, &mut violations);
    let owed = match rules.kinds.get(&event.envelope.kind) {
        None => {
            violations.push(unknown_kind(&event.envelope.kind));
            None
        }
        Some(compiled) => {
            let owed = check_content(rules, compiled, &event, &arrived, under, &mut violations, lap);
            owed.map(|deliveries| (compiled.kind, deliveries))
        }
    };
    let envelope = event.envelope.clone();
    match owed {
        Some((kind, deliveries)) if !violations.iter().any(Violation::is_error) => {
            Admission::Accepted(Box::new(Accepted {
                meets: clocks::meets(rules, kind, &event),
                renews: clocks::renews(rules, under.agreement(), kind, &event),
                ends_placement: clocks::ends_placement(kind, &event),
                bearing: bearing(kind, &event),
                spends: under
                    .agreement()
                    .and_then(|agreement| Spend::of(agreement, &event, kinds::price(&event))),
                reply: (kind.says)(&event),
                figure: (kind.figure)(&event),
                arrived,
                hash: codec::canonical_hash(&event),
                agreement: under.agreement().map(|a| a.id.clone()),
                warnings: violations,
                answers,
                deliveries,
                envelope,
            }))
        }
        _ => Admission::Invalid(Box::new(Invalid {
            arrived,
            message_id: Some(envelope.id.to_string()),
            source: Some(envelope.source.to_string()),
            kind: Some(envelope.kind.to_string()),
            receiver: Some(envelope.receiver.to_string()),
            violations,
            answers,
            astray_in: None,
        })),
    }
}

/// What the message has to do with its citizen's placement.
fn bearing(kind: &Kind, event: &Event) -> Option<(Placed, Bearing)> {
    let bearing = (kind.bears)(event)?;
    let citizen = kinds::rules::citizen(event)?;
    Some((Placed::of(&event.envelope.source, &event.envelope.receiver, &citizen), bearing))
}

/// Nobody speaks for another: identity comes from the credential, never from the body.
fn check_source(envelope: &Envelope, sender: Option<&Sender>, violations: &mut Vec<Violation>) {
    if sender.is_some_and(|s| s.party == envelope.source) {
        return;
    }
    violations.push(
        Violation::error(
            "/source",
            "party.source",
            FaultCode::NotYourSource,
            Text::new(
                "Beskeden er sendt i en anden parts navn end den, der er logget ind.",
                "The message speaks for another party than the one whose credential brought it.",
            ),
        )
        .expected(sender.map_or_else(|| "a configured party".to_owned(), |s| s.party.to_string()))
        .actual(envelope.source.to_string()),
    );
}

/// A business time may lie a little ahead, never far; an old one is taken for complaints only.
fn check_time(rules: &Rules, envelope: &Envelope, arrived: &Arrived, violations: &mut Vec<Violation>) {
    let ahead = envelope.time.duration_since(arrived.received);
    if ahead > rules.ahead_max {
        violations.push(
            Violation::error(
                "/time",
                "time.ahead",
                FaultCode::TimeOutOfBounds,
                Text::new(
                    "Hændelsestidspunktet ligger længere ude i fremtiden, end ure kan afvige.",
                    "The business time lies further ahead than clocks may differ.",
                ),
            )
            .expected(format!("at most {} s ahead", rules.ahead_max.as_secs()))
            .actual(format!("{} s ahead", ahead.as_secs())),
        );
    }
    if -ahead > rules.age_max {
        let text = Text::new(
            "Hændelsestidspunktet er ældre, end besked-id'er huskes.",
            "The business time is older than message ids are remembered.",
        );
        let (rule, code) = ("time.too-old", FaultCode::TimeOutOfBounds);
        violations.push(if envelope.kind.name == "complaint" {
            Violation::warning("/time", rule, code, text)
        } else {
            Violation::error("/time", rule, code, text)
        });
    }
}

fn unknown_kind(kind: &KindId) -> Violation {
    Violation::error(
        "/type",
        "kind.unknown",
        FaultCode::UnknownKind,
        Text::new("Beskedtypen kendes ikke.", "The kind is not known."),
    )
    .expected("a kind from `kassebro schemas list`")
    .actual(kind.to_string())
    .star(1014)
}

/// Schema, then the kind's rules, then the agreement's, then routes and parcels. `None` where no parcel can be made.
fn check_content(
    rules: &Rules,
    compiled: &CompiledKind,
    event: &Event,
    arrived: &Arrived,
    under: Under<'_>,
    violations: &mut Vec<Violation>,
    lap: &Lap<'_>,
) -> Option<Vec<NewDelivery>> {
    check_direction(compiled, &event.envelope, violations);
    let found = compiled.schema.validate(&event.data, "/data");
    let citizen = kinds::rules::citizen(event);
    if !found.is_empty() {
        // The kind's own rules read data that fit the schema; those of the agreement name a field each.
        let mut rest = kinds::rules::of_the_citizen(&event.data, arrived.received);
        if let Some(agreement) = under.agreement() {
            agreement.rules_for(compiled.kind.name).check(event, citizen.as_ref(), &mut rest);
        }
        violations.extend(beside(found, rest));
        return None;
    }
    violations.extend(compiled.kind.check(event, arrived.received));
    if let Some(agreement) = under.agreement() {
        agreement.rules_for(compiled.kind.name).check(event, citizen.as_ref(), violations);
    }
    let routed = route(&rules.receivers, &event.envelope.receiver, compiled.kind.name);
    if routed.receivers.is_empty() {
        violations.push(no_route(&event.envelope.receiver));
    }
    if violations.iter().any(Violation::is_error) {
        return None;
    }
    let agreed = under.agreement().and_then(|agreement| agreement.format(compiled.kind.name));
    lap.translates();
    let mut deliveries = Vec::with_capacity(routed.receivers.len());
    for receiver in routed.receivers {
        let format = receiver.format.or(agreed).unwrap_or(compiled.kind.format());
        let rendered = withheld::render(compiled.kind, event, format, violations);
        let distributed = rendered.and_then(|(parcel, withheld)| {
            let ordinal = u8::try_from(deliveries.len() + 1).unwrap_or(u8::MAX);
            let delivery = arrived.receipt.delivery(ordinal);
            Ok((distributed(parcel, compiled.kind, event, receiver, delivery)?, withheld))
        });
        match distributed {
            Ok((parcel, withheld)) => {
                let envelope = &event.envelope;
                let (promise, expires) = clocks::delivered(
                    rules,
                    &envelope.kind.name,
                    under.agreement(),
                    envelope.time,
                    arrived.received,
                );
                deliveries.push(NewDelivery {
                    receiver: receiver.name.clone(),
                    parcel,
                    ordering_key: ordering_key(receiver, compiled.kind, &event.envelope, citizen.as_ref()),
                    promise,
                    further: clocks::further(rules, under.agreement(), compiled.kind, event, arrived),
                    expires,
                    hold: withheld
                        .or_else(|| withheld::replacement(format, citizen.as_ref()))
                        .or_else(|| under.hold()),
                    other_way: None,
                });
            }
            Err(cannot) => violations.extend(cannot),
        }
    }
    let about = (compiled.kind, event, citizen.as_ref());
    fallback::add((rules, under.agreement()), about, &mut deliveries, violations);
    lap.has_translated();
    Some(deliveries)
}

/// The parcel as a distributor on the way to that receiver wants it, if there is one.
fn distributed(
    parcel: Parcel,
    kind: &Kind,
    event: &Event,
    receiver: &Receiver,
    delivery: DeliveryId,
) -> Result<Parcel, Vec<Violation>> {
    match &receiver.distribution {
        None => Ok(parcel),
        Some(distribution) => sf2900::wrap(parcel, event, distribution, delivery, kind.title),
    }
}

fn check_direction(compiled: &CompiledKind, envelope: &Envelope, violations: &mut Vec<Violation>) {
    let direction = compiled.kind.direction;
    if !direction.allows(envelope.source.kind(), envelope.receiver.kind()) {
        violations.push(
            Violation::error(
                "/receiver",
                "kind.direction",
                FaultCode::WrongDirection,
                Text::new(
                    "Beskedtypen går ikke fra denne part til den modtager.",
                    "The kind does not go from this party to that receiver.",
                ),
            )
            .expected(direction.text()),
        );
    }
}

fn no_route(receiver: &Party) -> Violation {
    Violation::error(
        "/receiver",
        "route.none",
        FaultCode::NoRoute,
        Text::new(
            "Ingen modtager er sat op for denne part og beskedtype.",
            "No receiver is configured for this party and kind.",
        ),
    )
    .actual(receiver.to_string())
    .star(4695)
}

/// Deliveries to one receiver about one citizen within one business domain keep their order. The key is a
/// hash: it says nothing by itself, and a collision only makes two strangers wait for each other.
fn ordering_key(receiver: &Receiver, kind: &Kind, envelope: &Envelope, citizen: Option<&Cpr>) -> Option<i64> {
    let domain = kind.ordering_domain?;
    let about = citizen.map(Cpr::digits).or(envelope.subject.as_deref())?;
    let mut hash = Sha256::new();
    for part in [receiver.name.as_str(), domain, about] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let digest = hash.finalize();
    let head: [u8; 8] = digest[..8].try_into().expect("a SHA-256 has more than eight bytes");
    Some(i64::from_be_bytes(head))
}

/// The longest that clocks may differ by default.
pub const AHEAD_MAX: SignedDuration = SignedDuration::from_mins(5);

#[cfg(test)]
mod tests;
