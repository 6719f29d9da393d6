//! A complaint as a case document for the jobcenter's complaint handlers: `schemas/klagesag.v1.xsd`.
//!
//! The jobcenter decides the complaint and may have to judge whether it came in time, so the document says
//! when the a-kasse received it, in UTC and by Danish clocks, before anything else.

use bytes::Bytes;
use serde_json::{Map, Value};

use super::{
    ADDRESS, CITIZEN, CONTACT, DATA, compare_envelope, compare_instant, local,
    mapping::{self, Codes, Field, Shape},
    object, write_envelope,
    xml::{Document, NotAsWritten, Reading},
};
use crate::domain::{Event, Format, Parcel, Violation};

/// Counted up when the bytes of an unchanged event change.
pub const VERSION: u16 = 1;

const KLAGESAG: (&str, &str) = ("Klagesag", "urn:dk:kassebro:klagesag:v1");

const FORMS: Codes = &[("written", "SKRIFTLIG"), ("oral", "MUNDTLIG")];
const SUBJECTS: Codes = &[
    ("decision", "AFGOERELSE"),
    ("contactCourse", "KONTAKTFORLOEB"),
    ("offer", "TILBUD"),
    ("other", "ANDET"),
];

const FIELDS: &[Field] = &[
    Field::new("citizen", "Borger", Shape::Group(CITIZEN)),
    Field::new("form", "KlageformKode", Shape::Code(FORMS)),
    Field::new("takenDownBy", "NedskrevetAf", Shape::Text { max: 140 }),
    Field::new(
        "concerns",
        "KlagenAngaar",
        Shape::Group(&[
            Field::new("subject", "EmneKode", Shape::Code(SUBJECTS)),
            Field::new("description", "Beskrivelse", Shape::Text { max: 2000 }),
            Field::new("decisionDate", "Afgoerelsesdato", Shape::Day),
            Field::new("decisionReference", "AfgoerelseIdentifier", Shape::Text { max: 100 }),
        ]),
    ),
    Field::new("text", "KlageTekst", Shape::Text { max: 20_000 }),
    Field::new("points", "Klagepunkt", Shape::Texts { max: 2000 }),
    Field::new(
        "guidance",
        "Klagevejledning",
        Shape::Group(&[
            Field::new("handedOut", "Udleveret", Shape::Boolean),
            Field::new("date", "Dato", Shape::Day),
        ]),
    ),
    Field::new(
        "representative",
        "Partsrepraesentant",
        Shape::Group(&[
            Field::new("name", "Navn", Shape::Text { max: 140 }),
            Field::new("organisation", "Organisation", Shape::Text { max: 140 }),
            Field::new("address", "Adresse", Shape::Group(ADDRESS)),
            Field::new("email", "Email", Shape::Text { max: 254 }),
            Field::new("phone", "Telefon", Shape::Phone),
            Field::new("powerOfAttorney", "FuldmagtVedlagt", Shape::Boolean),
        ]),
    ),
    Field::new("caseworker", "Sagsbehandler", Shape::Group(CONTACT)),
    Field::new(
        "attachments",
        "Bilag",
        Shape::Groups(&[
            Field::new("fileName", "Filnavn", Shape::Text { max: 100 }),
            Field::new("mediaType", "MimeTypeKode", Shape::Text { max: 100 }),
            Field::new("content", "Indhold", Shape::Text { max: 8_000_000 }),
        ]),
    ),
];

/// The case document, re-read and compared.
///
/// # Errors
/// Everything that does not fit the document, or what the finished bytes do not say.
pub fn render(event: &Event) -> Result<Parcel, Vec<Violation>> {
    let data = object(event)?;
    let body = document(event, data)?;
    compare(&body, event, data).map_err(|violation| vec![violation])?;
    Ok(Parcel {
        format: Format::Klagesag,
        format_version: VERSION,
        content_type: "application/xml".into(),
        body: Bytes::from(body),
    })
}

fn document(event: &Event, data: &Map<String, Value>) -> Result<Vec<u8>, Vec<Violation>> {
    let mut faults = Vec::new();
    let mut document = Document::new(KLAGESAG.0, KLAGESAG.1);
    write_envelope(&mut document, event, &mut faults);
    document.leaf("ModtagetIAkassenTidspunkt", &event.envelope.time.to_string());
    document.leaf("ModtagetIAkassenLokalTidspunkt", &local(event.envelope.time));
    document.fields(FIELDS, data, &DATA, &mut faults);
    if faults.is_empty() { Ok(document.finish()) } else { Err(faults) }
}

fn compare(body: &[u8], event: &Event, data: &Map<String, Value>) -> Result<(), Violation> {
    let whole = |_: NotAsWritten| mapping::differs(String::new());
    let mut reading = Reading::new(body, KLAGESAG.0, KLAGESAG.1).map_err(whole)?;
    compare_envelope(&mut reading, event)?;
    compare_instant(&mut reading, "ModtagetIAkassenTidspunkt", event.envelope.time)?;
    compare_instant(&mut reading, "ModtagetIAkassenLokalTidspunkt", event.envelope.time)?;
    reading.fields(FIELDS, data, &DATA)?;
    reading.finish().map_err(whole)
}
