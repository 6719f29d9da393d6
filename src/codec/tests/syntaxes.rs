//! The syntaxes say the same, and none of them can be made to panic.

use base64::{Engine, prelude::BASE64_STANDARD};
use proptest::prelude::*;
use serde_json::json;

use super::*;

struct Case {
    name: &'static str,
    body: String,
    content_type: Option<&'static str>,
    prefix: &'static str,
    transport: Transport,
}

fn case(
    name: &'static str,
    body: String,
    content_type: Option<&'static str>,
    prefix: &'static str,
    transport: Transport,
) -> Case {
    Case { name, body, content_type, prefix, transport }
}

fn with_data(name: &str, value: Value, content_type: &str) -> String {
    let mut body = structured_body();
    body.as_object_mut().unwrap().remove("data");
    body["datacontenttype"] = content_type.into();
    body[name] = value;
    body.to_string()
}

const STRUCTURED: Option<&str> = Some("application/cloudevents+json; charset=utf-8");
const JSON: Option<&str> = Some("application/json");
const XML: Option<&str> = Some("text/xml; charset=\"UTF-8\"");

fn structured() -> Vec<Case> {
    let plain = structured_body().to_string();
    let indented = format!("{:#}", structured_body());
    let base64 = BASE64_STANDARD.encode(structured_body()["data"].to_string());
    let json_in_base64 = with_data("data_base64", base64.into(), "application/json");
    let xml = with_data("data", DATA_XML.into(), "application/xml");
    let xml_in_base64 = with_data("data_base64", BASE64_STANDARD.encode(DATA_XML).into(), "application/xml");
    vec![
        case("over HTTP", plain.clone(), STRUCTURED, "", Transport::Http),
        case("over AMQP, indented", indented.clone(), STRUCTURED, "", Transport::Amqp),
        case("as plain JSON", plain.clone(), JSON, "", Transport::Http),
        case("in a file", format!("\n {indented}"), None, "", Transport::File),
        case("with attributes in headers too", plain, STRUCTURED, "ce-", Transport::Http),
        case("data in base64", json_in_base64, STRUCTURED, "", Transport::Http),
        case("data in XML", xml, STRUCTURED, "", Transport::Http),
        case("data in XML in base64", xml_in_base64, STRUCTURED, "", Transport::Http),
    ]
}

fn binary() -> Vec<Case> {
    let data = structured_body()["data"].to_string();
    vec![
        case("over HTTP", data.clone(), JSON, "ce-", Transport::Http),
        case("over AMQP", data.clone(), JSON, "cloudevents_", Transport::Amqp),
        case("over AMQP, with a colon", data.clone(), JSON, "cloudevents:", Transport::Amqp),
        case("without a content type", data, None, "ce-", Transport::Http),
        case("in XML", DATA_XML.to_owned(), XML, "ce-", Transport::Http),
    ]
}

fn kombits() -> Vec<Case> {
    vec![
        case("over AMQP", kombit_body(DATA_XML), XML, "", Transport::Amqp),
        case("in a file", kombit_body(DATA_XML), None, "", Transport::File),
    ]
}

#[test]
fn a_message_is_the_same_in_every_syntax() {
    let reference = structured_json(|_| {}).unwrap();
    for (syntax, cases) in
        [(Syntax::Structured, structured()), (Syntax::Binary, binary()), (Syntax::Kombit, kombits())]
    {
        for Case { name, body, content_type, prefix, transport } in cases {
            let headers = if prefix.is_empty() { Vec::new() } else { headers(prefix) };
            let decoded = decode_with(body.as_bytes(), content_type, &borrowed(&headers), transport);
            let decoded = decoded.unwrap_or_else(|refused| panic!("{syntax:?} {name}: {refused:?}"));
            assert_eq!(decoded.event, reference.event, "{syntax:?} {name}");
            assert_eq!(decoded.syntax, syntax, "{syntax:?} {name}");
            assert_eq!(canonical_hash(&decoded.event), canonical_hash(&reference.event), "{syntax:?} {name}");
        }
    }
}

#[test]
fn what_the_kombit_envelope_holds_beside_the_attributes_is_refused() {
    let body = kombit_body(DATA_XML);
    for (from, to, rule, pointer) in [
        (
            "</n:Filtreringsdata>",
            "<n:RelateretObjekt/></n:Filtreringsdata>",
            "kombit.element",
            "/Haendelsesbesked/Beskedkuvert/Filtreringsdata/RelateretObjekt",
        ),
        ("<n:BeskedVersion>1.0", "<n:BeskedVersion>2.0", "kombit.element", "/Haendelsesbesked/BeskedVersion"),
        (
            "<n:BeskedVersion>1.0</n:BeskedVersion>",
            "<n:Beskedtype>x</n:Beskedtype>",
            "kombit.element",
            "/Haendelsesbesked/Beskedtype",
        ),
        (
            "<n:BeskedVersion>",
            "<n:BeskedId>b</n:BeskedId><n:BeskedVersion>",
            "kombit.repeated",
            "/Haendelsesbesked/BeskedId",
        ),
        (
            "</n:Haendelsesbesked>",
            "<n:Beskeddata/></n:Haendelsesbesked>",
            "kombit.repeated",
            "/Haendelsesbesked/Beskeddata",
        ),
        (
            "<URNIdentifikator>a-1</URNIdentifikator>",
            "<n:URNIdentifikator>a-1</n:URNIdentifikator>",
            "kombit.element",
            "/Haendelsesbesked/BeskedId",
        ),
        ("</n:Beskeddata>", "<x/></n:Beskeddata>", "kombit.element", "/Haendelsesbesked/Beskeddata"),
        ("<n:Beskedtype>dk.kassebro.complaint.v1</n:Beskedtype>", "", "envelope.type", "/type"),
        ("09:30:00.000+01:00", "09:30:00", "envelope.time", "/time"),
    ] {
        assert!(body.contains(from), "{from}");
        let refused = decode_kombit(&body.replace(from, to)).unwrap_err();
        assert!(rules(&refused).contains(&(rule, pointer)), "{to}: {refused:?}");
    }
    let empty = decode_kombit(&kombit_body("")).unwrap_err();
    assert_eq!(rules(&empty), [("envelope.data", "/data")]);
}

#[test]
fn the_example_in_kombits_envelope_is_a_complaint() {
    let schema = Schema::compile(include_str!("../../../schemas/complaint.v1.json")).unwrap();
    let body = include_bytes!("../../../schemas/examples/complaint.v1/valid-kombit.xml");
    let raw = Raw { body, content_type: None, headers: &[], transport: Transport::File };
    let event = decode(&raw, &Limits::default(), &|_| Some(schema.document())).unwrap().event;
    assert_eq!(schema.validate(&event.data, "/data"), []);
    assert_eq!(event.data["points"].as_array().map(Vec::len), Some(2));
    assert_eq!(event.data["guidance"]["handedOut"], json!(true));
    assert_eq!(event.envelope.recorded.map(|time| time.to_string()).as_deref(), Some("2026-11-03T08:12:40Z"));
    let written = kombit::write(&event).unwrap();
    let again = Raw { body: written.as_bytes(), ..raw };
    assert_eq!(decode(&again, &Limits::default(), &|_| Some(schema.document())).unwrap().event, event);
}

#[test]
fn what_a_message_is_about_travels_in_kombits_envelope() {
    let event = structured_json(|body| {
        body["subject"] = json!("sag & 1");
        body["agreement"] = json!("norddjurs-2024");
        body["causationid"] = json!("c-1");
    });
    let event = event.unwrap().event;
    let written = kombit::write(&event).unwrap();
    assert_eq!(kombit::differs(&written, &event), None);
    assert_eq!(decode_kombit(&written).unwrap().event.envelope, event.envelope);
    for (from, to, rule) in [
        ("urn:dk:kassebro:subject", "urn:dk:other", "kombit.element"),
        ("urn:dk:kassebro:subject", "urn:dk:kassebro:agreement", "kombit.repeated"),
        ("<k:ObjektType>", "<k:ObjektRolle>x</k:ObjektRolle><k:ObjektType>", "kombit.element"),
    ] {
        let refused = decode_kombit(&written.replacen(from, to, 1)).unwrap_err();
        let place = "/Haendelsesbesked/Beskedkuvert/Filtreringsdata/RelateretObjekt";
        assert_eq!(rules(&refused), [(rule, place)], "{to}");
    }
}

#[test]
fn a_written_envelope_that_says_something_else_is_noticed() {
    let event = structured_json(|body| {
        body["subject"] = json!("sag 1");
        body["data"] = json!({"reason": "r & s", "count": 3, "points": [{"text": "a"}, {"text": "b"}]});
    });
    let event = event.unwrap().event;
    let written = kombit::write(&event).unwrap();
    assert_eq!(kombit::differs(&written, &event), None);
    for (from, to, pointer) in [
        ("sag 1", "sag 2", "/subject"),
        ("r &amp; s", "r &amp; t", "/data/reason"),
        ("<count>3</count>", "<count>4</count>", "/data/count"),
        ("<points><text>b</text></points>", "", "/data/points/1"),
        ("<text>a</text>", "<text>c</text>", "/data/points/0/text"),
        ("<count>3</count>", "<count>3</count><more/>", "/data/points/0"),
    ] {
        assert!(written.contains(from), "{from} in {written}");
        assert_eq!(kombit::differs(&written.replacen(from, to, 1), &event).as_deref(), Some(pointer), "{to}");
    }
}

fn any_data() -> impl Strategy<Value = Value> {
    let text = || "[ -~æøåÆØÅ€\t\r\n]{0,30}";
    (text(), any::<i64>(), any::<bool>(), proptest::collection::vec(text(), 0..4)).prop_map(
        |(reason, count, oral, points)| {
            let points: Vec<_> = points.into_iter().map(|text| json!({"text": text})).collect();
            json!({"reason": reason, "count": count, "oral": oral, "points": points})
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_for_kombit_says_the_same(data in any_data(), id in "[A-Za-z0-9._:-]{1,46}", nanos in 0..4_000_000_000_000_000_000i64) {
        let time = jiff::Timestamp::from_nanosecond(nanos.into()).unwrap();
        let json = structured_json(|body| {
            body["data"] = data;
            body["id"] = id.into();
            body["time"] = time.to_string().into();
            body["recordedtime"] = time.to_string().into();
            body["correlationid"] = json!("c & 1");
        });
        let json = json.unwrap().event;
        let kombit = decode_kombit(&kombit::write(&json).unwrap()).unwrap().event;
        prop_assert_eq!(canonical_hash(&kombit), canonical_hash(&json));
        prop_assert_eq!(kombit.envelope, json.envelope);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), which in 0..5usize) {
        let content_type = [None, Some("application/json"), Some("application/xml"), Some("application/cloudevents+json"), Some("")][which];
        for (prefix, transport) in [("ce-", Transport::Http), ("cloudevents_", Transport::Amqp), ("", Transport::File)] {
            let _ = decode_with(&bytes, content_type, &borrowed(&headers(prefix)), transport);
            let _ = decode_with(&bytes, content_type, &[], transport);
        }
    }

    #[test]
    fn no_damage_to_a_message_makes_it_panic(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>()) {
        for body in [structured_body().to_string(), kombit_body(DATA_XML)] {
            let mut bytes = body.into_bytes();
            let place = at.index(bytes.len());
            bytes[place] = byte;
            let _ = decode_with(&bytes, None, &[], Transport::File);
            let length = cut.index(bytes.len());
            let _ = decode_with(&bytes[..length], None, &[], Transport::File);
        }
    }
}
