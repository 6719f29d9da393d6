//! A complaint as a case document for the jobcenter's complaint handlers: `schemas/klagesag.v1.xsd`.
//!
//! The jobcenter decides the complaint and may have to judge whether it came in time, so the document says
//! when the a-kasse received it, in UTC and by Danish clocks, before anything else.

use serde_json::{Map, Value};

use super::{
    ADDRESS, CITIZEN, CONTACT, DATA, compare_envelope, compare_instant, local,
    mapping::{self, Codes, Differs, Field, Shape},
    object, packed, write_envelope,
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
    compare(&body, event, data).map_err(|differs| vec![differs.into()])?;
    Ok(Parcel {
        format: Format::Klagesag,
        format_version: VERSION,
        content_type: "application/xml".into(),
        body: packed(body),
        citizen: None,
    })
}

fn document(event: &Event, data: &Map<String, Value>) -> Result<String, Vec<Violation>> {
    let mut faults = Vec::new();
    let mut document = Document::new(KLAGESAG.0, KLAGESAG.1, 4096);
    write_envelope(&mut document, event, &mut faults);
    document.leaf("ModtagetIAkassenTidspunkt", &event.envelope.time.to_string());
    document.leaf("ModtagetIAkassenLokalTidspunkt", &local(event.envelope.time));
    document.fields(FIELDS, data, &DATA, &mut faults);
    if faults.is_empty() { Ok(document.finish()) } else { Err(faults) }
}

fn compare(body: &str, event: &Event, data: &Map<String, Value>) -> Result<(), Differs> {
    let whole = |_: NotAsWritten| mapping::differs("");
    let mut reading = Reading::new(body, KLAGESAG.0, KLAGESAG.1).map_err(whole)?;
    compare_envelope(&mut reading, event)?;
    compare_instant(&mut reading, "ModtagetIAkassenTidspunkt", event.envelope.time)?;
    compare_instant(&mut reading, "ModtagetIAkassenLokalTidspunkt", event.envelope.time)?;
    reading.fields(FIELDS, data, &DATA)?;
    reading.finish().map_err(whole)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kinds::testing;

    fn example() -> Event {
        testing::event(&testing::read_example("schemas/examples/complaint.v1/valid-oral.json"))
    }

    #[test]
    fn the_receipt_at_the_akasse_stands_in_utc_and_by_danish_clocks() {
        // The night the clocks go back: 02:30 happens twice, and the offset says which.
        let body = String::from_utf8(render(&example()).unwrap().body.to_vec()).unwrap();
        assert!(
            body.contains("<ModtagetIAkassenTidspunkt>2026-10-25T00:30:00Z</ModtagetIAkassenTidspunkt>"),
            "{body}"
        );
        assert!(body.contains(">2026-10-25T02:30:00+02:00</ModtagetIAkassenLokalTidspunkt>"), "{body}");
    }

    #[test]
    fn finished_bytes_that_say_something_else_are_refused() {
        let event = example();
        let data = object(&event).unwrap();
        let body = String::from_utf8(render(&event).unwrap().body.to_vec()).unwrap();
        for (from, to, pointer) in [
            ("T00:30:00Z", "T01:30:00Z", "/time"),
            ("T02:30:00+02:00", "T02:30:00+01:00", "/time"),
            ("0103922852", "0707614285", "/data/citizen/cpr"),
            ("MUNDTLIG", "SKRIFTLIG", "/data/form"),
            ("varsel.&#13;\n", "varsel.\n", "/data/text"),
            ("<Udleveret>false", "<Udleveret>true", "/data/guidance/handedOut"),
            ("<Klagepunkt>Der", "<Klagepunkt>Her", "/data/points/1"),
            ("urn:dk:jobcenter:0101", "urn:dk:jobcenter:0707", "/receiver"),
        ] {
            assert!(body.contains(from), "{from}");
            let other = body.replacen(from, to, 1);
            assert_eq!(compare(&other, &event, data).unwrap_err().pointer, pointer, "{from} → {to}");
        }
    }

    #[test]
    fn a_control_character_is_refused_although_admission_would_have_done_it() {
        let mut event = example();
        event.data["text"] = json!("a\u{8}b");
        event.envelope.subject = Some("sag\u{1}".to_owned());
        let faults = render(&event).unwrap_err();
        let pointers: Vec<_> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
        assert_eq!(pointers, ["/subject", "/data/text"]);
    }
}
