//! A message about one citizen for a service of the labour-market authority (STAR): JSON in Danish
//! lowerCamelCase, the citizen's CPR number beside it and not in it.
//!
//! Publicly known of these services (and unverified): the CPR number travels in the header
//! `x-civilregistrationIdentifier` and in no address or body, names are Danish lowerCamelCase without æ, ø and
//! å, and a recommendation is a message of type 11 with heading, text and one attachment. No schema of them is
//! public. The names here are ours: `schemas/star.v1.json`.

use std::ops::Range;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Map, Value, json};

use super::{
    CONTACT, DATA, beskedmodul, citizen_text,
    mapping::{self, Differs, Field},
    not_offered, packed,
};
use crate::domain::{Cpr, Event, Format, Parcel, Text, Violation};

/// Counted up when the bytes of an unchanged event change.
pub const VERSION: u16 = 1;

/// The rule that no text tells the citizen's number.
pub const TELLS_IT: &str = "format.cpr-in-body";

/// The kind that has a message type of its own in the message module.
const RECOMMENDATION: &str = "recommendation";

/// The message, re-read and compared; the citizen beside it.
///
/// # Errors
/// A message that is not about one citizen, a text with the citizen's CPR number in it, what does not fit the
/// message module, or what the finished bytes do not say.
pub fn render(event: &Event) -> Result<Parcel, Vec<Violation>> {
    let Some(citizen) = citizen(event) else { return Err(not_offered(Format::Star)) };
    let nameless = without_number(event);
    let told = places_that_tell(&citizen, &nameless);
    if !told.is_empty() {
        return Err(told);
    }
    let content = if event.envelope.kind.name == RECOMMENDATION {
        recommendation(&nameless)?
    } else {
        Map::from_iter([("indhold".to_owned(), nameless.data.clone())])
    };
    let mut body = envelope(&nameless);
    body.extend(content);
    let body = serde_json::to_vec(&body).expect("texts and numbers are always JSON");
    compare(&body, &nameless, &citizen).map_err(|differs| vec![differs.into()])?;
    Ok(Parcel {
        format: Format::Star,
        format_version: VERSION,
        content_type: "application/json".into(),
        body: packed(body),
        citizen: Some(citizen),
    })
}

fn citizen(event: &Event) -> Option<Cpr> {
    Cpr::parse(event.data.get("citizen")?.get("cpr")?.as_str()?).ok()
}

/// The event without the citizen's number.
fn without_number(event: &Event) -> Event {
    let mut event = event.clone();
    if let Some(citizen) = event.data.get_mut("citizen").and_then(Value::as_object_mut) {
        citizen.remove("cpr");
    }
    event
}

/// A violation for each text that holds the citizen's number all the same, in either way of writing it.
fn places_that_tell(citizen: &Cpr, event: &Event) -> Vec<Violation> {
    let mut told = Vec::new();
    let envelope = &event.envelope;
    for (pointer, text) in [
        ("/id", Some(envelope.id.as_str())),
        ("/subject", envelope.subject.as_deref()),
        ("/agreement", envelope.agreement.as_deref()),
        ("/correlationid", envelope.correlation_id.as_deref()),
    ] {
        if text.is_some_and(|text| tells(citizen, text)) {
            told.push(tells_it(pointer.to_owned()));
        }
    }
    search(citizen, &event.data, &DATA, &mut told);
    told
}

/// As deep as intake lets a body be.
fn search(citizen: &Cpr, value: &Value, path: &mapping::Path<'_>, told: &mut Vec<Violation>) {
    match value {
        Value::String(text) if tells(citizen, text) => told.push(tells_it(path.pointer())),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                search(citizen, item, &path.index(index), told);
            }
        }
        Value::Object(members) => {
            for (key, member) in members {
                search(citizen, member, &path.key(key), told);
            }
        }
        _ => {}
    }
}

fn tells(citizen: &Cpr, text: &str) -> bool {
    number(citizen, text).is_some()
}

/// Where the number stands first: ten digits together, or six and four with a hyphen or a space between.
fn number(citizen: &Cpr, text: &str) -> Option<Range<usize>> {
    let (birthday, serial) = citizen.digits().split_at(6);
    let mut from = 0;
    while let Some(found) = text[from..].find(birthday) {
        let at = from + found;
        let rest = &text[at + birthday.len()..];
        let gap = usize::from(rest.starts_with(['-', ' ']));
        if rest[gap..].starts_with(serial) {
            return Some(at..at + birthday.len() + gap + serial.len());
        }
        // A day such as 111111 may begin anew within itself.
        from = at + 1;
    }
    None
}

/// The finished parcel of a message whose texts tell the number, with [`CROSSED_OUT`] in its place, for a person to let
/// go. Identifiers and what attachments hold are not touched: `None` where the number stands there, and whatever else
/// there is against the message.
pub fn crossed_out(event: &Event) -> Option<Parcel> {
    let citizen = citizen(event)?;
    let mut event = without_number(event);
    cross_out(&citizen, &mut event.data);
    event.data.get_mut("citizen")?.as_object_mut()?.insert("cpr".into(), citizen.digits().into());
    render(&event).ok()
}

/// What stands for the number; no longer than it.
const CROSSED_OUT: &str = "[CPR-nr.]";

fn cross_out(citizen: &Cpr, value: &mut Value) {
    match value {
        Value::String(text) => {
            while let Some(place) = number(citizen, text) {
                text.replace_range(place, CROSSED_OUT);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| cross_out(citizen, item)),
        // An attachment's content is no text: it would be another file.
        Value::Object(members) => members
            .iter_mut()
            .filter(|(key, _)| *key != "content")
            .for_each(|(_, member)| cross_out(citizen, member)),
        _ => {}
    }
}

fn tells_it(pointer: String) -> Violation {
    let text = Text::new(
        "Teksten rummer borgerens CPR-nummer, som hos modtageren kun må stå i en header.",
        "The text holds the citizen's CPR number, which may stand in a header only at the receiver.",
    );
    mapping::cannot(pointer, TELLS_IT, text).expected("no CPR number in texts")
}

/// What every such message begins with.
fn envelope(event: &Event) -> Map<String, Value> {
    let envelope = &event.envelope;
    let mut members = Map::new();
    for (name, value) in [
        ("beskedIdentifier", Some(envelope.id.to_string())),
        ("beskedtype", Some(envelope.kind.event_type())),
        ("afsenderIdentifier", Some(envelope.source.to_string())),
        ("modtagerIdentifier", Some(envelope.receiver.to_string())),
        ("haendelsestidspunkt", Some(envelope.time.to_string())),
        ("registreringstidspunkt", envelope.recorded.map(|at| at.to_string())),
        ("aftaleIdentifier", envelope.agreement.clone()),
        ("sagIdentifier", envelope.subject.clone()),
        ("korrelationsIdentifier", envelope.correlation_id.clone()),
        ("aarsagIdentifier", envelope.causation_id.clone()),
    ] {
        if let Some(value) = value {
            members.insert(name.to_owned(), value.into());
        }
    }
    members
}

/// The members of a caseworker, by the table that the XML is written by too.
const CASEWORKER: [&str; 3] = ["navn", "email", "telefon"];

/// A recommendation as the message module's message of type 11: text for people, fields for machines.
fn recommendation(event: &Event) -> Result<Map<String, Value>, Vec<Violation>> {
    let data = super::object(event)?;
    let attachment = beskedmodul::attachment(event, data)?;
    let text = citizen_text::compose(&event.data);
    let mut caseworker = Map::new();
    let place = DATA.key("caseworker");
    for (Field { key, shape, .. }, name) in CONTACT.iter().zip(CASEWORKER) {
        let Some(value) = event.data["caseworker"].get(key) else { continue };
        let encoded = mapping::encode(*shape, value, &place.key(key)).map_err(|fault| vec![*fault])?;
        caseworker.insert(name.to_owned(), encoded.into_owned().into());
    }
    let mut members = Map::new();
    members.insert("beskedTypeIdentifier".into(), TYPE.into());
    members.insert("overskrift".into(), beskedmodul::HEADING.into());
    members.insert("tekst".into(), text.text.into());
    members.insert("sagsbehandler".into(), caseworker.into());
    members.insert(
        "dokumenter".into(),
        json!([{
            "dokumentNavn": beskedmodul::ATTACHMENT.0,
            "mimeType": beskedmodul::ATTACHMENT.1,
            "indhold": BASE64_STANDARD.encode(attachment),
        }]),
    );
    Ok(members)
}

/// The message module's type for a recommendation of an offer.
const TYPE: u16 = 11;

/// Reads the finished bytes: every member says what the event says, and no member is there besides.
fn compare(body: &[u8], event: &Event, citizen: &Cpr) -> Result<(), Differs> {
    let whole = || mapping::differs("");
    if std::str::from_utf8(body).map_or(true, |text| tells(citizen, text)) {
        return Err(whole());
    }
    let Ok(Value::Object(mut read)) = serde_json::from_slice(body) else { return Err(whole()) };
    for (name, value) in envelope(event) {
        if read.remove(&name) != Some(value) {
            return Err(whole());
        }
    }
    if event.envelope.kind.name != RECOMMENDATION {
        let same = read.remove("indhold").as_ref() == Some(&event.data) && read.is_empty();
        return if same { Ok(()) } else { Err(mapping::differs("/data")) };
    }
    let data = event.data.as_object().ok_or_else(whole)?;
    if read.remove("beskedTypeIdentifier") != Some(TYPE.into())
        || read.remove("overskrift") != Some(beskedmodul::HEADING.into())
    {
        return Err(mapping::differs("/type"));
    }
    let text = read.remove("tekst");
    citizen_text::compose(&event.data)
        .compare(text.as_ref().and_then(Value::as_str).unwrap_or_default(), &event.data)?;
    compare_caseworker(&read.remove("sagsbehandler").unwrap_or_default(), &event.data["caseworker"])?;
    let documents = read.remove("dokumenter").unwrap_or_default();
    let encoded = documents[0]["indhold"].as_str().unwrap_or_default();
    let attachment = BASE64_STANDARD.decode(encoded).map_err(|_| mapping::differs("/data"))?;
    beskedmodul::compare_attachment(&attachment, event, data)?;
    if read.is_empty() { Ok(()) } else { Err(whole()) }
}

fn compare_caseworker(read: &Value, canonical: &Value) -> Result<(), Differs> {
    for (Field { key, shape, .. }, name) in CONTACT.iter().zip(CASEWORKER) {
        let same = match (canonical.get(key), read[name].as_str()) {
            (Some(canonical), Some(read)) => mapping::says(*shape, canonical, read),
            (canonical, read) => canonical.is_none() && read.is_none(),
        };
        if !same {
            return Err(mapping::differs(format!("/data/caseworker/{key}")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
