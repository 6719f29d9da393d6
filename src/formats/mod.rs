//! What receivers read, one file per format: written, re-read and compared before anything is sent. Pure.

use std::borrow::Cow;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::domain::{Event, Format, Parcel, Text, Violation, calendar::copenhagen};

pub mod beskedmodul;
pub mod citizen_text;
pub mod cloudevents;
pub mod danish;
pub mod jobag;
pub mod klagesag;
pub mod kombit;
pub mod mapping;
pub mod sf2900;
pub mod star;
pub mod xml;

use mapping::{Differs, Path};
use xml::{Document, Reading};

/// Whether the format's pattern for CPR numbers leaves out replacement numbers (day + 60). OIO's
/// `PersonCivilRegistrationIdentifier` does, and the systems of the labour-market authority use it; such a
/// delivery waits for a person. Complaints and events are carried.
pub fn refuses_replacement_cpr(format: Format) -> bool {
    match format {
        Format::Beskedmodul | Format::Jobag | Format::Star => true,
        Format::Klagesag | Format::Cloudevents | Format::Kombit => false,
    }
}

/// The receiver's format is not one this kind has.
pub fn not_offered(format: Format) -> Vec<Violation> {
    vec![
        mapping::cannot(
            String::new(),
            "format.not-offered",
            Text::new(
                format!("Beskedtypen kan ikke afleveres i formatet {format}."),
                format!("This kind cannot be delivered in the format {format}."),
            ),
        )
        .actual(format.name()),
    ]
}

/// The finished parcel in that format, re-read and compared.
///
/// # Errors
/// Everything of the event that the format cannot carry.
pub fn render(event: &Event, format: Format) -> Result<Parcel, Vec<Violation>> {
    match format {
        Format::Beskedmodul => beskedmodul::render(event),
        Format::Jobag => jobag::render(event),
        Format::Klagesag => klagesag::render(event),
        Format::Cloudevents => cloudevents::render(event),
        Format::Kombit => kombit::render(event),
        Format::Star => star::render(event),
    }
}

/// The finished bytes, without the room that was left beside them: they stay in memory until they are delivered.
fn packed(body: impl Into<Vec<u8>>) -> Bytes {
    Bytes::from(body.into().into_boxed_slice())
}

/// The event's data as an object, which every kind's schema says it is.
fn object(event: &Event) -> Result<&Map<String, Value>, Vec<Violation>> {
    event.data.as_object().ok_or_else(|| vec![mapping::differs("/data").into()])
}

/// An instant as Danish clocks show it, with its offset.
pub fn local(instant: Timestamp) -> String {
    instant.display_with_offset(copenhagen().to_offset(instant)).to_string()
}

/// What of the envelope a receiver reads: name and value, in the order of the documents. Tracing and
/// causation belong to the transport and travel in its headers.
fn envelope_elements(event: &Event) -> [(&'static str, Option<Cow<'_, str>>); 7] {
    let envelope = &event.envelope;
    [
        ("BeskedIdentifier", Some(Cow::Borrowed(envelope.id.as_str()))),
        ("AfsenderIdentifier", Some(Cow::Owned(envelope.source.to_string()))),
        ("ModtagerIdentifier", Some(Cow::Owned(envelope.receiver.to_string()))),
        ("AftaleIdentifier", envelope.agreement.as_deref().map(Cow::Borrowed)),
        ("SagIdentifier", envelope.subject.as_deref().map(Cow::Borrowed)),
        ("KorrelationsIdentifier", envelope.correlation_id.as_deref().map(Cow::Borrowed)),
        ("RegistreretTidspunkt", envelope.recorded.map(|at| Cow::Owned(at.to_string()))),
    ]
}

/// The JSON Pointers of [`envelope_elements`], in the same order.
const ENVELOPE_POINTERS: [&str; 7] =
    ["/id", "/source", "/receiver", "/agreement", "/subject", "/correlationid", "/recordedtime"];

fn write_envelope(document: &mut Document, event: &Event, faults: &mut Vec<Violation>) {
    for ((name, value), pointer) in envelope_elements(event).into_iter().zip(ENVELOPE_POINTERS) {
        let Some(value) = value else { continue };
        if value.is_empty() || mapping::carries_control(&value) {
            faults.push(mapping::cannot(
                pointer.to_owned(),
                "format.control-character",
                Text::new(
                    "Feltet er tomt eller rummer et kontroltegn.",
                    "It is empty or holds a control character.",
                ),
            ));
        }
        document.leaf(name, &value);
    }
}

fn compare_envelope(reading: &mut Reading<'_>, event: &Event) -> Result<(), Differs> {
    for ((name, value), pointer) in envelope_elements(event).into_iter().zip(ENVELOPE_POINTERS) {
        let Some(value) = value else { continue };
        if reading.leaf(name) != Ok(value) {
            return Err(mapping::differs(pointer));
        }
    }
    Ok(())
}

/// The element holds that instant, in whatever offset.
fn compare_instant(reading: &mut Reading<'_>, name: &str, instant: Timestamp) -> Result<(), Differs> {
    let read = reading.leaf(name).ok().and_then(|text| text.parse::<Timestamp>().ok());
    if read == Some(instant) { Ok(()) } else { Err(mapping::differs("/time")) }
}

/// The element holds exactly that text.
fn compare_leaf(reading: &mut Reading<'_>, name: &str, text: &str, pointer: &str) -> Result<(), Differs> {
    match reading.leaf(name) {
        Ok(read) if read == text => Ok(()),
        _ => Err(mapping::differs(pointer)),
    }
}

/// The address of a place, as two tables share it.
const ADDRESS: &[mapping::Field] = &[
    mapping::Field::new("street", "Vejnavn", mapping::Shape::Text { max: 100 }),
    mapping::Field::new("houseNumber", "Husnummer", mapping::Shape::Text { max: 10 }),
    mapping::Field::new("floorAndDoor", "EtageDoer", mapping::Shape::Text { max: 20 }),
    mapping::Field::new("postCode", "PostCodeIdentifier", mapping::Shape::Text { max: 4 }),
    mapping::Field::new("city", "Postdistrikt", mapping::Shape::Text { max: 50 }),
];

/// A person at work: how to reach them.
const CONTACT: &[mapping::Field] = &[
    mapping::Field::new("name", "Navn", mapping::Shape::Text { max: 140 }),
    mapping::Field::new("email", "Email", mapping::Shape::Text { max: 254 }),
    mapping::Field::new("phone", "Telefon", mapping::Shape::Phone),
];

/// The citizen.
const CITIZEN: &[mapping::Field] = &[
    mapping::Field::new("cpr", "PersonCivilRegistrationIdentifier", mapping::Shape::Text { max: 10 }),
    mapping::Field::new("name", "PersonNavn", mapping::Shape::Text { max: 140 }),
];

/// Where the walk over the data begins.
const DATA: Path<'static> = Path::DATA;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_time_follows_danish_summer_time() {
        for (utc, shown) in [
            ("2026-07-01T12:00:00Z", "2026-07-01T14:00:00+02:00"),
            ("2026-12-01T12:00:00Z", "2026-12-01T13:00:00+01:00"),
            ("2026-10-25T00:30:00Z", "2026-10-25T02:30:00+02:00"),
            ("2026-10-25T01:30:00Z", "2026-10-25T02:30:00+01:00"),
        ] {
            assert_eq!(local(utc.parse().unwrap()), shown);
        }
    }
}
