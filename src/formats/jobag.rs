//! A job order with `JobAG`'s names and limits: JSON by `schemas/jobag.v1.json`.
//!
//! Publicly known of that interface (and unverified): `jobordreId`, `titel`, `conceptUriDa`,
//! `jobordreBeskrivelse`, `internKommentar` and `startdato` with their lengths. The other names follow its
//! habit, Danish lowerCamelCase without æ, ø and å.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{
    DATA,
    mapping::{self, Codes, Differs, Field, Path, Shape},
    object, packed,
};
use crate::domain::{Event, Format, Parcel, Text, Violation};

/// Counted up when the bytes of an unchanged event change.
pub const VERSION: u16 = 1;

const PARTIES: Codes = &[("akasse", "AKASSE"), ("jobcenter", "JOBCENTER")];

const CONTACT: &[Field] = &[
    Field::new("name", "navn", Shape::Text { max: 140 }),
    Field::new("email", "email", Shape::Text { max: 254 }),
    Field::new("phone", "telefon", Shape::Phone),
];

const FIELDS: &[Field] = &[
    Field::new("title", "titel", Shape::Text { max: 100 }),
    Field::new(
        "occupation",
        "stilling",
        Shape::Group(&[
            Field::new("title", "stillingsbetegnelse", Shape::Text { max: 100 }),
            Field::new("conceptUri", "conceptUriDa", Shape::Text { max: 255 }),
            Field::new("disco08", "disco08", Shape::Text { max: 6 }),
        ]),
    ),
    Field::new("description", "jobordreBeskrivelse", Shape::Text { max: 5000 }),
    Field::new("internalComment", "internKommentar", Shape::Text { max: 2000 }),
    Field::new("openings", "antalStillinger", Shape::Integer { max: 999 }),
    Field::new("startDate", "startdato", Shape::Day),
    Field::new(
        "workingTime",
        "arbejdstid",
        Shape::Group(&[
            Field::new("weeklyHours", "timerPrUge", Shape::Integer { max: 59 }),
            Field::new("weeklyMinutes", "minutterPrUge", Shape::Integer { max: 59 }),
            Field::new("note", "bemaerkning", Shape::Text { max: 200 }),
        ]),
    ),
    Field::new("applicationDeadline", "ansoegningsfrist", Shape::Day),
    Field::new(
        "company",
        "virksomhed",
        Shape::Group(&[
            Field::new("cvr", "cvrNummer", Shape::Text { max: 8 }),
            Field::new("pNumber", "pNummer", Shape::Text { max: 10 }),
            Field::new("name", "navn", Shape::Text { max: 140 }),
            Field::new(
                "address",
                "adresse",
                Shape::Group(&[
                    Field::new("street", "vejnavn", Shape::Text { max: 100 }),
                    Field::new("houseNumber", "husnummer", Shape::Text { max: 10 }),
                    Field::new("floorAndDoor", "etageDoer", Shape::Text { max: 20 }),
                    Field::new("postCode", "postnummer", Shape::Text { max: 4 }),
                    Field::new("city", "postdistrikt", Shape::Text { max: 50 }),
                ]),
            ),
            Field::new("contactPerson", "kontaktperson", Shape::Group(CONTACT)),
        ]),
    ),
    Field::new(
        "placementOfficer",
        "formidlingsansvarlig",
        Shape::Group(&[
            Field::new("name", "navn", Shape::Text { max: 140 }),
            Field::new("email", "email", Shape::Text { max: 254 }),
            Field::new("phone", "telefon", Shape::Phone),
            Field::new("organisation", "organisation", Shape::Text { max: 140 }),
        ]),
    ),
    Field::new("owner", "tovholder", Shape::CodeOr { codes: PARTIES, default: "jobcenter" }),
    Field::new(
        "agreedHandlingTime",
        "aftaltBehandlingstid",
        Shape::Group(&[
            Field::new("handleBy", "senest", Shape::Day),
            Field::new("note", "bemaerkning", Shape::Text { max: 200 }),
        ]),
    ),
    Field::new(
        "candidates",
        "kandidater",
        Shape::Groups(&[
            Field::new("cpr", "personnummer", Shape::Text { max: 10 }),
            Field::new("name", "navn", Shape::Text { max: 140 }),
            Field::new("foundBy", "fundetAf", Shape::Code(PARTIES)),
            Field::new("contacted", "kontaktet", Shape::Boolean),
        ]),
    ),
];

/// The job order, re-read and compared.
///
/// # Errors
/// Everything that does not fit `JobAG`, or what the finished bytes do not say.
pub fn render(event: &Event) -> Result<Parcel, Vec<Violation>> {
    let data = object(event)?;
    let body = order(event, data)?;
    compare(&body, event, data).map_err(|differs| vec![differs.into()])?;
    Ok(Parcel {
        format: Format::Jobag,
        format_version: VERSION,
        content_type: "application/json".into(),
        body: packed(body),
        citizen: None,
    })
}

/// The order's id: the same for the same source and message id, at every rendering (UUID version 8, the
/// first 16 bytes of SHA-256).
pub fn order_id(event: &Event) -> Uuid {
    let mut hash = Sha256::new();
    hash.update(event.envelope.source.to_string());
    hash.update([0]);
    hash.update(event.envelope.id.as_str());
    let digest = hash.finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// The envelope under JobAG-like names, with the pointers of the event.
fn envelope(event: &Event) -> [(&'static str, &'static str, Option<String>); 9] {
    let envelope = &event.envelope;
    [
        ("jobordreId", "/id", Some(order_id(event).to_string())),
        ("beskedId", "/id", Some(envelope.id.to_string())),
        ("afsender", "/source", Some(envelope.source.to_string())),
        ("modtager", "/receiver", Some(envelope.receiver.to_string())),
        ("oprettet", "/time", Some(envelope.time.to_string())),
        ("registreret", "/recordedtime", envelope.recorded.map(|at| at.to_string())),
        ("aftaleId", "/agreement", envelope.agreement.clone()),
        ("sagsnummer", "/subject", envelope.subject.clone()),
        ("korrelationsId", "/correlationid", envelope.correlation_id.clone()),
    ]
}

fn order(event: &Event, data: &Map<String, Value>) -> Result<Vec<u8>, Vec<Violation>> {
    let mut faults = Vec::new();
    let mut out = Vec::with_capacity(2048);
    out.push(b'{');
    for (name, pointer, value) in envelope(event) {
        let Some(value) = value else { continue };
        if mapping::carries_control(&value) {
            faults.push(mapping::cannot(
                pointer.to_owned(),
                "format.control-character",
                Text::new("Feltet rummer et kontroltegn.", "It holds a control character."),
            ));
        }
        member(&mut out, name);
        string(&mut out, &value);
    }
    members(&mut out, FIELDS, data, &DATA, &mut faults);
    out.push(b'}');
    if faults.is_empty() { Ok(out) } else { Err(faults) }
}

/// The members of an object by the table, in its order.
fn members(
    out: &mut Vec<u8>,
    fields: &[Field],
    map: &Map<String, Value>,
    path: &Path<'_>,
    faults: &mut Vec<Violation>,
) {
    mapping::uncarried(fields, map, path, faults);
    for field in fields {
        let path = path.key(field.key);
        match (map.get(field.key), field.shape) {
            (None, Shape::CodeOr { default, .. }) => {
                member(out, field.name);
                value(out, field.shape, &Value::from(default), &path, faults);
            }
            (None, _) => {}
            (Some(Value::Object(group)), Shape::Group(inner)) => {
                member(out, field.name);
                out.push(b'{');
                members(out, inner, group, &path, faults);
                out.push(b'}');
            }
            (Some(Value::Array(items)), Shape::Groups(inner)) => {
                member(out, field.name);
                out.push(b'[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    out.push(b'{');
                    match item {
                        Value::Object(group) => members(out, inner, group, &path.index(index), faults),
                        other => value(out, field.shape, other, &path.index(index), faults),
                    }
                    out.push(b'}');
                }
                out.push(b']');
            }
            (Some(canonical), _) => {
                member(out, field.name);
                value(out, field.shape, canonical, &path, faults);
            }
        }
    }
}

fn value(out: &mut Vec<u8>, shape: Shape, value: &Value, path: &Path<'_>, faults: &mut Vec<Violation>) {
    match (mapping::encode(shape, value, path), shape) {
        (Ok(text), Shape::Integer { .. } | Shape::Boolean) => out.extend_from_slice(text.as_bytes()),
        (Ok(text), _) => string(out, &text),
        (Err(violation), _) => faults.push(*violation),
    }
}

fn member(out: &mut Vec<u8>, name: &str) {
    if !matches!(out.last(), Some(b'{')) {
        out.push(b',');
    }
    string(out, name);
    out.push(b':');
}

fn string(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("writing a text to memory does not fail");
}

/// Reads the finished bytes and compares all of it with the event.
fn compare(body: &[u8], event: &Event, data: &Map<String, Value>) -> Result<(), Differs> {
    let read: Map<String, Value> = serde_json::from_slice(body).map_err(|_| mapping::differs(""))?;
    let mut matched = 0;
    for (name, pointer, value) in envelope(event) {
        let Some(value) = value else { continue };
        if read.get(name).and_then(Value::as_str) != Some(value.as_str()) {
            return Err(mapping::differs(pointer));
        }
        matched += 1;
    }
    let matched = matched + same_members(&read, FIELDS, data, &DATA)?;
    if matched == read.len() { Ok(()) } else { Err(mapping::differs("/data")) }
}

/// How many members of `read` were compared; all of them must say what the canonical data says.
fn same_members(
    read: &Map<String, Value>,
    fields: &[Field],
    map: &Map<String, Value>,
    path: &Path<'_>,
) -> Result<usize, Differs> {
    let mut matched = 0;
    for field in fields {
        let path = path.key(field.key);
        let default = match field.shape {
            Shape::CodeOr { default, .. } => Some(Value::from(default)),
            _ => None,
        };
        let Some(canonical) = map.get(field.key).or(default.as_ref()) else {
            continue;
        };
        let theirs = read.get(field.name).ok_or_else(|| mapping::differs(path.pointer()))?;
        same(theirs, field.shape, canonical, &path)?;
        matched += 1;
    }
    Ok(matched)
}

fn same(theirs: &Value, shape: Shape, canonical: &Value, path: &Path<'_>) -> Result<(), Differs> {
    let differs = || mapping::differs(path.pointer());
    match (shape, theirs, canonical) {
        (Shape::Group(inner), Value::Object(read), Value::Object(map)) => {
            let matched = same_members(read, inner, map, path)?;
            if matched == read.len() { Ok(()) } else { Err(differs()) }
        }
        (Shape::Groups(inner), Value::Array(read), Value::Array(items)) if read.len() == items.len() => {
            for (index, (theirs, item)) in read.iter().zip(items).enumerate() {
                same(theirs, Shape::Group(inner), item, &path.index(index))?;
            }
            Ok(())
        }
        (Shape::Integer { .. } | Shape::Boolean, Value::Number(_) | Value::Bool(_), _)
            if theirs == canonical =>
        {
            Ok(())
        }
        (Shape::Group(_) | Shape::Groups(_) | Shape::Integer { .. } | Shape::Boolean, _, _) => Err(differs()),
        (_, Value::String(text), _) if mapping::says(shape, canonical, text) => Ok(()),
        _ => Err(differs()),
    }
}

#[cfg(test)]
mod tests;
