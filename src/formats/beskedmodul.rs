//! A recommendation for the labour-market authority's message module: text for people, fields for machines.
//!
//! Publicly known of that interface (and unverified): type 11 is "indstilling om tilbud", the heading is the
//! sender's, the body is free text that the citizen sees too, and one attachment is allowed, pdf or xml. The
//! XML around it and the attachment's fields are ours: `schemas/beskedmodul.v1.xsd`, `indstilling.v1.xsd`.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Map, Value};

use super::{
    ADDRESS, CITIZEN, CONTACT, DATA, citizen_text, compare_envelope, compare_instant, compare_leaf,
    mapping::{self, Codes, Differs, Field, Shape},
    object, packed, write_envelope,
    xml::{Document, NotAsWritten, Reading},
};
use crate::domain::{Event, Format, Parcel, Text, Violation};

/// Counted up when the bytes of an unchanged event change.
pub const VERSION: u16 = 1;

const BESKED: (&str, &str) = ("Besked", "urn:dk:kassebro:beskedmodul:v1");
const INDSTILLING: (&str, &str) = ("Indstilling", "urn:dk:kassebro:indstilling:v1");

/// The module's type for a recommendation of an offer.
const TYPE: &str = "11";
/// Within the 50 characters of OIO's `MeddelelseTitelTekst`.
pub(super) const HEADING: &str = "A-kassens indstilling til jobcentret om tilbud";
/// Longest text that we put into a message, in characters.
const TEXT_CHARACTERS_MAX: usize = 10_000;
pub(super) const ATTACHMENT: (&str, &str) = ("indstilling.xml", "application/xml");

const OFFER_KINDS: Codes = &[
    ("internship", "VIRKSOMHEDSPRAKTIK"),
    ("wageSubsidyPrivate", "LOENTILSKUD_PRIVAT"),
    ("wageSubsidyPublic", "LOENTILSKUD_OFFENTLIG"),
    ("communityWork", "NYTTEINDSATS"),
    ("ordinaryEducation", "ORDINAER_UDDANNELSE"),
    ("guidanceAndUpskilling", "OEVRIG_VEJLEDNING_OPKVALIFICERING"),
    ("jobRotation", "JOBROTATION"),
    ("adultApprenticeship", "VOKSENLAERLING"),
    ("priorLearningAssessment", "REALKOMPETENCEVURDERING"),
    ("mentor", "MENTOR"),
];

const FIELDS: &[Field] = &[
    Field::new("citizen", "Borger", Shape::Group(CITIZEN)),
    Field::new("guidanceGiven", "VejledningGivet", Shape::Boolean),
    Field::new(
        "preconditions",
        "Forudsaetninger",
        Shape::Group(&[
            Field::new("jobnetCvUpdated", "JobnetCvOpdateret", Shape::Boolean),
            Field::new("joblogUpdated", "JoblogOpdateret", Shape::Boolean),
        ]),
    ),
    Field::new(
        "offer",
        "Tilbud",
        Shape::Group(&[
            Field::new("kind", "TilbudstypeKode", Shape::Code(OFFER_KINDS)),
            Field::new("title", "Titel", Shape::Text { max: 100 }),
            Field::new("startDate", "Startdato", Shape::Day),
            Field::new("endDate", "Slutdato", Shape::Day),
            Field::new("weeklyHours", "TimerPrUge", Shape::Integer { max: 59 }),
            Field::new("weeklyMinutes", "MinutterPrUge", Shape::Integer { max: 59 }),
            Field::new("priceOere", "PrisOere", Shape::Integer { max: 10_000_000_000 }),
            Field::new("vitasCaseId", "VitasSagIdentifier", Shape::Text { max: 20 }),
        ]),
    ),
    Field::new(
        "provider",
        "Tilbudssted",
        Shape::Group(&[
            Field::new("name", "Navn", Shape::Text { max: 140 }),
            Field::new("address", "Adresse", Shape::Group(ADDRESS)),
            Field::new("email", "Email", Shape::Text { max: 254 }),
            Field::new("phone", "Telefon", Shape::Phone),
            Field::new("contactPerson", "Kontaktperson", Shape::Text { max: 140 }),
        ]),
    ),
    Field::new("fastestWayToJob", "HurtigsteVejIJob", Shape::Text { max: 3000 }),
    Field::new(
        "motivation",
        "Motivation",
        Shape::Group(&[
            Field::new("description", "EgenMotivation", Shape::Text { max: 3000 }),
            Field::new("changeOfLineOfBusiness", "OenskeOmBrancheskift", Shape::Text { max: 1000 }),
        ]),
    ),
    Field::new("caseworker", "Sagsbehandler", Shape::Group(CONTACT)),
];

/// The message with its attachment, re-read and compared.
///
/// # Errors
/// Everything that does not fit the module, or what the finished bytes do not say.
pub fn render(event: &Event) -> Result<Parcel, Vec<Violation>> {
    let data = object(event)?;
    let attachment = attachment(event, data)?;
    let text = citizen_text::compose(&event.data);
    let body = message(event, data, &text.text, &attachment)?;
    compare(&body, event, data, &text).map_err(|differs| vec![differs.into()])?;
    Ok(Parcel {
        format: Format::Beskedmodul,
        format_version: VERSION,
        content_type: "application/xml".into(),
        body: packed(body),
        citizen: None,
    })
}

/// The recommendation with all its fields, as one XML document.
pub(super) fn attachment(event: &Event, data: &Map<String, Value>) -> Result<String, Vec<Violation>> {
    let mut faults = Vec::new();
    let mut document = Document::new(INDSTILLING.0, INDSTILLING.1, 4096);
    write_envelope(&mut document, event, &mut faults);
    document.leaf("IndstilletTidspunkt", &event.envelope.time.to_string());
    document.fields(FIELDS, data, &DATA, &mut faults);
    if faults.is_empty() { Ok(document.finish()) } else { Err(faults) }
}

fn message(
    event: &Event,
    data: &Map<String, Value>,
    text: &str,
    attachment: &str,
) -> Result<String, Vec<Violation>> {
    let mut faults = Vec::new();
    if text.chars().count() > TEXT_CHARACTERS_MAX {
        faults.push(
            mapping::cannot(
                "/data".to_owned(),
                "format.length",
                Text::new(
                    "Teksten til borgeren bliver for lang.",
                    "The text for the citizen becomes too long.",
                ),
            )
            .expected(format!("1-{TEXT_CHARACTERS_MAX} characters"))
            .masked(text),
        );
    }
    let room = 2048 + text.len() + attachment.len() * 4 / 3;
    let mut document = Document::new(BESKED.0, BESKED.1, room);
    write_envelope(&mut document, event, &mut faults);
    document.leaf("AfsendtTidspunkt", &event.envelope.time.to_string());
    document.leaf("BeskedTypeIdentifier", TYPE);
    document.leaf("PersonCivilRegistrationIdentifier", cpr(data));
    document.leaf("OverskriftTekst", HEADING);
    document.leaf("BeskedTekst", text);
    document.open("Sagsbehandler");
    if let Some(Value::Object(caseworker)) = data.get("caseworker") {
        document.fields(CONTACT, caseworker, &DATA.key("caseworker"), &mut faults);
    }
    document.close("Sagsbehandler");
    document.open("Dokument");
    document.leaf("DokumentNavn", ATTACHMENT.0);
    document.leaf("MimeTypeKode", ATTACHMENT.1);
    document.leaf("DokumentIndhold", &BASE64_STANDARD.encode(attachment));
    document.close("Dokument");
    if faults.is_empty() { Ok(document.finish()) } else { Err(faults) }
}

fn cpr(data: &Map<String, Value>) -> &str {
    data.get("citizen").and_then(|citizen| citizen.get("cpr")).and_then(Value::as_str).unwrap_or_default()
}

/// Reads the finished bytes, the attachment within them too, and compares all of it with the event.
fn compare(
    body: &str,
    event: &Event,
    data: &Map<String, Value>,
    text: &citizen_text::CitizenText,
) -> Result<(), Differs> {
    let whole = |_: NotAsWritten| mapping::differs("");
    let mut reading = Reading::new(body, BESKED.0, BESKED.1).map_err(whole)?;
    compare_envelope(&mut reading, event)?;
    compare_instant(&mut reading, "AfsendtTidspunkt", event.envelope.time)?;
    compare_leaf(&mut reading, "BeskedTypeIdentifier", TYPE, "/type")?;
    compare_leaf(&mut reading, "PersonCivilRegistrationIdentifier", cpr(data), "/data/citizen/cpr")?;
    compare_leaf(&mut reading, "OverskriftTekst", HEADING, "/type")?;
    let read = reading.leaf("BeskedTekst").map_err(whole)?;
    text.compare(&read, &event.data)?;
    compare_caseworker(&mut reading, data)?;
    reading.open("Dokument").map_err(whole)?;
    compare_leaf(&mut reading, "DokumentNavn", ATTACHMENT.0, "/data")?;
    compare_leaf(&mut reading, "MimeTypeKode", ATTACHMENT.1, "/data")?;
    let encoded = reading.leaf("DokumentIndhold").map_err(whole)?;
    let attachment = BASE64_STANDARD.decode(encoded.as_bytes()).map_err(|_| mapping::differs("/data"))?;
    reading.close().map_err(whole)?;
    reading.finish().map_err(whole)?;
    compare_attachment(&attachment, event, data)
}

fn compare_caseworker(reading: &mut Reading<'_>, data: &Map<String, Value>) -> Result<(), Differs> {
    let path = DATA.key("caseworker");
    let missing = || mapping::differs(path.pointer());
    let caseworker = data.get("caseworker").and_then(Value::as_object).ok_or_else(missing)?;
    reading.open("Sagsbehandler").map_err(|_| missing())?;
    reading.fields(CONTACT, caseworker, &path)?;
    reading.close().map_err(|_| missing())
}

pub(super) fn compare_attachment(
    attachment: &[u8],
    event: &Event,
    data: &Map<String, Value>,
) -> Result<(), Differs> {
    let whole = |_: NotAsWritten| mapping::differs("/data");
    let attachment = std::str::from_utf8(attachment).map_err(|_| mapping::differs("/data"))?;
    let mut reading = Reading::new(attachment, INDSTILLING.0, INDSTILLING.1).map_err(whole)?;
    compare_envelope(&mut reading, event)?;
    compare_instant(&mut reading, "IndstilletTidspunkt", event.envelope.time)?;
    reading.fields(FIELDS, data, &DATA)?;
    reading.finish().map_err(whole)
}

/// The attachment of a finished message, for whoever wants to look inside: tests and the reference inbox.
pub fn read_attachment(body: &[u8]) -> Option<Vec<u8>> {
    let body = std::str::from_utf8(body).ok()?;
    let (_, rest) = body.split_once("<DokumentIndhold>")?;
    let (encoded, _) = rest.split_once("</DokumentIndhold>")?;
    BASE64_STANDARD.decode(encoded).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kinds::testing;

    fn example() -> Event {
        testing::event(&testing::read_example("schemas/examples/recommendation.v1/valid-marks.json"))
    }

    #[test]
    fn the_message_is_of_type_11_with_a_short_heading_and_one_attachment() {
        let body = String::from_utf8(render(&example()).unwrap().body.to_vec()).unwrap();
        assert!(body.contains("<BeskedTypeIdentifier>11</BeskedTypeIdentifier>"), "{body}");
        assert!(HEADING.chars().count() <= 50);
        assert_eq!(body.matches("<Dokument>").count(), 1);
        assert!(body.contains("tabulator. ]]&gt;") && body.contains("'timeløn'.&#13;\nAnden"), "{body}");
    }

    #[test]
    fn what_the_citizen_reads_holds_no_cpr_number() {
        let event = example();
        let text = citizen_text::compose(&event.data).text;
        assert!(!text.contains(event.data["citizen"]["cpr"].as_str().unwrap()));
    }

    #[test]
    fn the_attachment_holds_every_field() {
        let parcel = render(&example()).unwrap();
        let attachment = String::from_utf8(read_attachment(&parcel.body).unwrap()).unwrap();
        for piece in [
            "<TilbudstypeKode>OEVRIG_VEJLEDNING_OPKVALIFICERING</TilbudstypeKode>",
            "<PrisOere>745000</PrisOere>",
            "<Telefon>20123456</Telefon>",
            "<PersonNavn>Ærø Ødegård-Åkær</PersonNavn>",
            "<VejledningGivet>true</VejledningGivet>",
            "<KorrelationsIdentifier>forrige-1</KorrelationsIdentifier>",
            "<RegistreretTidspunkt>2026-11-02T09:20:00Z</RegistreretTidspunkt>",
        ] {
            assert!(attachment.contains(piece), "{piece} in {attachment}");
        }
    }

    #[test]
    fn finished_bytes_that_say_something_else_are_refused() {
        let event = example();
        let text = citizen_text::compose(&event.data);
        let data = object(&event).unwrap();
        let body = String::from_utf8(render(&event).unwrap().body.to_vec()).unwrap();
        assert!(compare(&body, &event, data, &text).is_ok());
        for (from, to) in [
            ("dk:akasse:3f", "dk:akasse:foa"),
            ("0103922852", "0707614285"),
            ("Identifier>11<", "Identifier>12<"),
            ("1. december 2026", "2. december 2026"),
            ("20123457", "20123458"),
            ("T09:15:00Z", "T09:16:00Z"),
            ("&#13;\n", "\n"),
            ("</Besked>", "<Mere/></Besked>"),
        ] {
            let other = body.replacen(from, to, 1);
            assert!(compare(&other, &event, data, &text).is_err(), "{from} → {to}");
        }
        let attachment = String::from_utf8(read_attachment(body.as_bytes()).unwrap()).unwrap();
        let changed = BASE64_STANDARD.encode(attachment.replacen("745000", "745001", 1));
        let original = BASE64_STANDARD.encode(attachment);
        let other = body.replacen(&original, &changed, 1);
        assert_eq!(compare(&other, &event, data, &text).unwrap_err().pointer, "/data/offer/priceOere");
    }

    #[test]
    fn what_does_not_fit_is_told_with_all_its_places() {
        let mut event = example();
        event.data["fastestWayToJob"] = json!("x".repeat(3001));
        event.data["offer"]["kind"] = json!("course");
        event.data["provider"]["fax"] = json!("20123456");
        event.data["motivation"]["description"] = json!("\u{B}");
        let faults = render(&event).unwrap_err();
        let pointers: Vec<_> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
        let expected = [
            "/data/offer/kind",
            "/data/provider/fax",
            "/data/fastestWayToJob",
            "/data/motivation/description",
        ];
        assert_eq!(pointers, expected);
        assert!(faults.iter().all(|fault| fault.code == crate::domain::FaultCode::CannotRender));
    }

    #[test]
    fn a_text_that_grows_past_the_module_is_refused_and_never_cut() {
        let event = example();
        let long = "x".repeat(TEXT_CHARACTERS_MAX + 1);
        let faults = message(&event, object(&event).unwrap(), &long, "").unwrap_err();
        assert_eq!(faults[0].rule, "format.length");
    }
}
