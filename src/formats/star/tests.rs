//! Messages about one citizen, and where that citizen is told.

use super::*;
use crate::kinds::testing;

const MARKS: &str = "schemas/examples/recommendation.v1/valid-marks.json";
const WRITTEN: &str = "schemas/examples/complaint.v1/valid-written.json";

fn example(path: &str) -> Event {
    testing::event(&testing::read_example(path))
}

fn read(parcel: &Parcel) -> Value {
    serde_json::from_slice(&parcel.body).unwrap()
}

/// The attachment of a recommendation.
fn attachment(message: &Value) -> String {
    let encoded = message["dokumenter"][0]["indhold"].as_str().unwrap();
    String::from_utf8(BASE64_STANDARD.decode(encoded).unwrap()).unwrap()
}

#[test]
fn a_recommendation_is_a_message_of_type_11_and_its_citizen_stands_beside_it() {
    let event = example(MARKS);
    let parcel = render(&event).unwrap();
    let cpr = event.data["citizen"]["cpr"].as_str().unwrap();
    assert_eq!(parcel.citizen.as_ref().map(Cpr::digits), Some(cpr));
    let message = read(&parcel);
    assert_eq!(message["beskedTypeIdentifier"], 11);
    assert_eq!(message["overskrift"], beskedmodul::HEADING);
    assert_eq!(message["sagsbehandler"]["telefon"], "20123457");
    let attachment = attachment(&message);
    assert!(attachment.contains("<PersonNavn>Ærø Ødegård-Åkær</PersonNavn>"), "{attachment}");
    assert!(!attachment.contains("PersonCivilRegistrationIdentifier"), "{attachment}");
    for text in [attachment, String::from_utf8(parcel.body.to_vec()).unwrap()] {
        assert!(!text.contains(cpr));
    }
}

#[test]
fn any_other_kind_about_a_citizen_is_its_data_without_the_number() {
    let event = example(WRITTEN);
    let parcel = render(&event).unwrap();
    let message = read(&parcel);
    assert_eq!(message["beskedtype"], "dk.kassebro.complaint.v1");
    let mut expected = event.data.clone();
    expected["citizen"].as_object_mut().unwrap().remove("cpr");
    assert_eq!(message["indhold"], expected);
}

#[test]
fn every_message_fits_the_published_schema_and_its_attachment_stays_whole() {
    let validator = testing::validator(include_str!("../../../schemas/star.v1.json"));
    for seed in 0..200 {
        for kind in ["recommendation", "complaint"] {
            let event = testing::event(&testing::generated(kind, seed));
            let message = read(&render(&event).unwrap());
            let errors: Vec<_> = validator.iter_errors(&message).map(|e| e.to_string()).collect();
            assert_eq!(errors, [] as [String; 0], "{kind} {seed}");
        }
    }
    let mut told = read(&render(&example(WRITTEN)).unwrap());
    told["indhold"]["citizen"]["cpr"] = "0707614285".into();
    assert!(!validator.is_valid(&told), "the schema has no place for the number");
}

#[test]
fn a_parcel_does_not_show_its_citizen() {
    let parcel = Parcel { body: bytes::Bytes::new(), ..render(&example(MARKS)).unwrap() };
    assert!(format!("{parcel:?}").contains("-****"), "{parcel:?}");
}

#[test]
fn a_message_about_nobody_is_not_offered() {
    let event = testing::event(&testing::generated("job_order", 1));
    assert_eq!(render(&event).unwrap_err()[0].rule, "format.not-offered");
}

#[test]
fn a_text_with_the_number_in_it_is_refused_with_its_place() {
    let cpr = "0103922852";
    let event = example(MARKS);
    assert_eq!(event.data["citizen"]["cpr"], cpr);
    for written in
        [cpr.to_owned(), format!("x{}-{}.", &cpr[..6], &cpr[6..]), format!("{} {}", &cpr[..6], &cpr[6..])]
    {
        let mut event = event.clone();
        event.data["motivation"]["description"] = json!(format!("Mit nummer: {written}"));
        let faults = render(&event).unwrap_err();
        assert_eq!(
            (faults.len(), faults[0].pointer.as_str()),
            (1, "/data/motivation/description"),
            "{written}"
        );
        assert_eq!(faults[0].actual, None, "it is not repeated");
    }
    let mut other = event;
    other.data["motivation"]["description"] = json!("Mit nummer var 0103922853.");
    assert!(render(&other).is_ok(), "another number is not the citizen's");
}

#[test]
fn a_number_is_crossed_out_of_every_text_and_of_nothing_else() {
    let mut event = example(WRITTEN);
    let cpr = event.data["citizen"]["cpr"].as_str().unwrap().to_owned();
    let (birthday, serial) = cpr.split_at(6);
    event.data["text"] = format!("{birthday}-{serial} og {cpr}{cpr}, {birthday} {serial}. {birthday}").into();
    event.data["concerns"]["description"] = format!("Om {cpr}").into();
    assert_eq!(render(&event).unwrap_err().len(), 2);
    let parcel = crossed_out(&event).unwrap();
    assert_eq!(parcel.citizen.as_ref().map(Cpr::digits), Some(&*cpr));
    let message = read(&parcel);
    assert_eq!(message["indhold"]["text"], format!("[CPR-nr.] og [CPR-nr.][CPR-nr.], [CPR-nr.]. {birthday}"));
    assert_eq!(message["indhold"]["concerns"]["description"], "Om [CPR-nr.]");
    event.envelope.correlation_id = Some(cpr);
    assert!(crossed_out(&event).is_none(), "an identifier stays as it is");
    let whole = example(WRITTEN);
    assert_eq!(crossed_out(&whole).unwrap().body, render(&whole).unwrap().body);
}

#[test]
fn a_number_that_begins_within_itself_is_found() {
    let citizen = Cpr::parse("1111111119").unwrap();
    assert_eq!(number(&citizen, "11111111119"), Some(1..11));
    assert_eq!(number(&citizen, "x111111 1119"), Some(1..12));
    assert_eq!(number(&citizen, "111111 119"), None);
}

#[test]
fn finished_bytes_that_say_something_else_are_refused() {
    for (path, changes) in [
        (
            MARKS,
            &[
                ("20123457", "20123458"),
                ("1. december", "2. december"),
                (":11", ":12"),
                ("akasse:3f", "akasse:hk"),
            ][..],
        ),
        (
            WRITTEN,
            &[
                ("complaint.v1", "complaint.v2"),
                ("\"indhold\":{", "\"indhold\":{\"mere\":1,"),
                ("{\"", "{\"mere\":1,\""),
            ],
        ),
    ] {
        let event = example(path);
        let (citizen, event) = (citizen(&event).unwrap(), without_number(&event));
        let body = render(&example(path)).unwrap().body;
        assert!(compare(&body, &event, &citizen).is_ok());
        for (from, to) in changes {
            let other = String::from_utf8(body.to_vec()).unwrap();
            assert!(other.contains(from), "{from}");
            assert!(compare(other.replacen(from, to, 1).as_bytes(), &event, &citizen).is_err(), "{from}");
        }
    }
}
