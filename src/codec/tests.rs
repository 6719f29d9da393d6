//! The one door: syntaxes, what they have in common, and what no input may do.

use base64::{Engine, prelude::BASE64_STANDARD};
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn kind_schema() -> Value {
    json!({
        "type": "object",
        "required": ["reason"],
        "properties": {
            "reason": {"type": "string"},
            "count": {"type": "integer"},
            "oral": {"type": "boolean"},
            "points": {"type": "array", "items": {"type": "object", "properties": {"text": {"type": "string"}}}}
        }
    })
}

fn decode_with(body: &[u8], content_type: Option<&str>, headers: &[(&str, &str)], transport: Transport) -> Result<Decoded, Undecodable> {
    let schema = kind_schema();
    let headers: Vec<_> = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let raw = Raw { body, content_type, headers: &headers, transport };
    decode(&raw, &Limits::default(), &|kind| (kind.name == "complaint").then_some(&schema))
}

fn structured_body() -> Value {
    json!({
        "specversion": "1.0", "id": "a-1", "source": "urn:dk:akasse:3f", "type": "dk.kassebro.complaint.v1",
        "time": "2026-03-02T09:30:00+01:00", "receiver": "urn:dk:jobcenter:0101",
        "datacontenttype": "application/json",
        "data": {"reason": "æ & <ø>", "count": 2, "points": [{"text": "1"}, {"text": "2"}]},
    })
}

const DATA_XML: &str = "<Complaint xmlns='urn:dk:kassebro:complaint:v1'><count>2</count><points><text>1</text></points>\
    <points><text>2</text></points><reason>æ &amp; &lt;ø></reason></Complaint>";

const HEADERS: [(&str, &str); 6] = [
    ("specversion", "1.0"),
    ("id", "a-1"),
    ("source", "urn:dk:akasse:3f"),
    ("type", "dk.kassebro.complaint.v1"),
    ("time", "2026-03-02T08:30:00Z"),
    ("receiver", "urn:dk:jobcenter:0101"),
];

fn headers(prefix: &str) -> Vec<(String, String)> {
    HEADERS.iter().map(|(name, value)| (format!("{prefix}{name}"), (*value).to_owned())).collect()
}

fn borrowed(headers: &[(String, String)]) -> Vec<(&str, &str)> {
    headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

fn structured_json(change: impl FnOnce(&mut Value)) -> Result<Decoded, Undecodable> {
    let mut body = structured_body();
    change(&mut body);
    decode_with(body.to_string().as_bytes(), Some("application/cloudevents+json"), &[], Transport::Http)
}

fn kombit_body(data: &str) -> String {
    format!(
        "<?xml version='1.0' encoding='UTF-8'?>\n\
        <n:Haendelsesbesked xmlns:n='urn:oio:besked:kuvert:1.0' xmlns='urn:oio:sagdok:3.0.0'>\n\
        <n:BeskedId><!-- id --><URNIdentifikator>a-1</URNIdentifikator></n:BeskedId>\n\
        <n:BeskedVersion>1.0</n:BeskedVersion>\n\
        <n:Beskedkuvert><n:Filtreringsdata>\
        <n:Beskedtype>dk.kassebro.complaint.v1</n:Beskedtype>\
        <n:TilladtModtager><URNIdentifikator>urn:dk:jobcenter:0101</URNIdentifikator></n:TilladtModtager>\
        </n:Filtreringsdata><n:Leveranceinformation>\
        <n:Kildesystem><URNIdentifikator>urn:dk:akasse:3f</URNIdentifikator></n:Kildesystem>\
        </n:Leveranceinformation>\
        <n:GyldighedFra><TidsstempelDatoTid>2026-03-02T09:30:00.000+01:00</TidsstempelDatoTid></n:GyldighedFra>\
        </n:Beskedkuvert><n:Beskeddata>{data}</n:Beskeddata></n:Haendelsesbesked>"
    )
}

fn decode_kombit(body: &str) -> Result<Decoded, Undecodable> {
    decode_with(body.as_bytes(), Some("application/xml"), &[], Transport::Amqp)
}

#[test]
fn a_message_is_the_same_in_every_syntax() {
    let data = structured_body()["data"].to_string();
    let without_data = |name: &str, value: Value, content_type: &str| {
        let mut body = structured_body();
        body.as_object_mut().unwrap().remove("data");
        body["datacontenttype"] = content_type.into();
        body[name] = value;
        body.to_string()
    };
    let structured = Some("application/cloudevents+json; charset=utf-8");
    let json = Some("application/json");
    let xml = Some("text/xml; charset=\"UTF-8\"");
    let cases: Vec<(&str, String, Option<&str>, &str, Transport, Syntax)> = vec![
        ("structured", structured_body().to_string(), structured, "", Transport::Http, Syntax::Structured),
        ("structured, indented", format!("{:#}", structured_body()), structured, "", Transport::Amqp, Syntax::Structured),
        ("structured as plain JSON", structured_body().to_string(), json, "", Transport::Http, Syntax::Structured),
        ("structured in a file", format!("\n {}", structured_body()), None, "", Transport::File, Syntax::Structured),
        ("structured, base64", without_data("data_base64", BASE64_STANDARD.encode(&data).into(), "application/json"), structured, "", Transport::Http, Syntax::Structured),
        ("structured, XML", without_data("data", DATA_XML.into(), "application/xml"), structured, "", Transport::Http, Syntax::Structured),
        ("structured, XML in base64", without_data("data_base64", BASE64_STANDARD.encode(DATA_XML).into(), "application/xml"), structured, "", Transport::Http, Syntax::Structured),
        ("binary over HTTP", data.clone(), json, "ce-", Transport::Http, Syntax::Binary),
        ("binary over AMQP", data.clone(), json, "cloudevents_", Transport::Amqp, Syntax::Binary),
        ("binary over AMQP, colon", data.clone(), json, "cloudevents:", Transport::Amqp, Syntax::Binary),
        ("binary without a content type", data, None, "ce-", Transport::Http, Syntax::Binary),
        ("binary, XML", DATA_XML.to_owned(), xml, "ce-", Transport::Http, Syntax::Binary),
        ("KOMBIT", kombit_body(DATA_XML), xml, "", Transport::Amqp, Syntax::Kombit),
        ("KOMBIT in a file", kombit_body(DATA_XML), None, "", Transport::File, Syntax::Kombit),
    ];
    let reference = structured_json(|_| {}).unwrap();
    for (name, body, content_type, prefix, transport, syntax) in cases {
        let headers = if prefix.is_empty() { Vec::new() } else { headers(prefix) };
        let decoded = decode_with(body.as_bytes(), content_type, &borrowed(&headers), transport);
        let decoded = decoded.unwrap_or_else(|refused| panic!("{name}: {refused:?}"));
        assert_eq!(decoded.event, reference.event, "{name}");
        assert_eq!(decoded.syntax, syntax, "{name}");
        assert_eq!(canonical_hash(&decoded.event), canonical_hash(&reference.event), "{name}");
    }
}

fn rules(refused: &Undecodable) -> Vec<(&str, &str)> {
    refused.violations.iter().map(|v| (v.rule.as_str(), v.pointer.as_str())).collect()
}

#[test]
fn what_is_wrong_with_an_event_is_said_all_at_once() {
    let refused = structured_json(|body| {
        body["id"] = json!("a b");
        body["time"] = json!("now");
        body["type"] = json!("dk.kassebro.poem.v1");
        body["data"] = Value::Null;
        body["Extra"] = json!([]);
    })
    .unwrap_err();
    let mut found = rules(&refused);
    found.sort_unstable();
    assert_eq!(found, [
        ("envelope.data", "/data"),
        ("envelope.extension", "/Extra"),
        ("envelope.id", "/id"),
        ("envelope.kind", "/type"),
        ("envelope.time", "/time"),
    ]);
    assert_eq!(refused.named.id.as_deref(), Some("a b"));
    assert_eq!(refused.named.receiver.as_deref(), Some("urn:dk:jobcenter:0101"));
}

#[test]
fn data_are_taken_once_and_in_a_known_form() {
    for (change, rule) in [
        (json!({"data_base64": "e30="}), ("envelope.data_base64", "/data_base64")),
        (json!({"data": null}), ("envelope.data", "/data")),
        (json!({"data": null, "data_base64": "e30"}), ("envelope.data_base64", "/data_base64")),
        (json!({"data": null, "data_base64": 7}), ("envelope.data_base64", "/data_base64")),
        (json!({"data": null, "data_base64": BASE64_STANDARD.encode("{\"a\":1,\"a\":2}")}), ("json.duplicate-key", "/data/a")),
        (json!({"datacontenttype": "text/plain"}), (CONTENT_TYPE_RULE, "/datacontenttype")),
        (json!({"datacontenttype": "application/json; charset=latin1"}), (CONTENT_TYPE_RULE, "/datacontenttype")),
        (json!({"datacontenttype": 7}), (CONTENT_TYPE_RULE, "/datacontenttype")),
        (json!({"datacontenttype": "application/xml"}), ("envelope.data", "/data")),
        (json!({"datacontenttype": "application/xml", "data": "<a>"}), ("xml.syntax", "/data")),
        (json!({"datacontenttype": "application/xml", "data": "<a/>"}), ("xml.root", "/data")),
        (json!({"datacontenttype": "application/xml", "data": "<!DOCTYPE a><a/>"}), ("xml.dtd", "/data")),
    ] {
        let refused = structured_json(|body| {
            for (name, value) in change.as_object().unwrap() {
                body[name] = value.clone();
            }
        })
        .unwrap_err();
        assert_eq!(rules(&refused), [rule], "{change}");
    }
}

#[test]
fn a_body_of_another_kind_is_refused() {
    for (body, content_type, rule) in [
        ("{}", "text/plain", CONTENT_TYPE_RULE),
        ("{}", "application/cloudevents-batch+json", CONTENT_TYPE_RULE),
        ("{}", "application/cloudevents+json; charset=utf-16", CONTENT_TYPE_RULE),
        ("{}", "", CONTENT_TYPE_RULE),
        ("[]", "application/cloudevents+json", "envelope.object"),
        ("7", "application/json", "envelope.object"),
        ("<a/>", "application/xml", "kombit.root"),
        ("<Haendelsesbesked/>", "application/xml", "kombit.root"),
        ("<a/>", "application/cloudevents+json", "json.syntax"),
        ("{}", "application/xml", "xml.syntax"),
    ] {
        let refused = decode_with(body.as_bytes(), Some(content_type), &[], Transport::Http).unwrap_err();
        assert_eq!(rules(&refused)[0].0, rule, "{content_type} {body}");
        assert_eq!(refused.violations.len(), 1, "{content_type} {body}");
    }
}

#[test]
fn headers_say_each_attribute_once_and_nothing_hidden() {
    let refused_with = |name: &str, value: &str| {
        let mut headers = headers("ce-");
        headers.push((name.to_owned(), value.to_owned()));
        let refused = decode_with(br#"{"reason":"x"}"#, Some("application/json"), &borrowed(&headers), Transport::Http);
        let refused = refused.unwrap_err();
        rules(&refused)[0].0.to_owned()
    };
    assert_eq!(refused_with("ce-id", "a-2"), "envelope.repeated");
    assert_eq!(refused_with("ce-datacontenttype", "application/json"), "envelope.datacontenttype");
    assert_eq!(refused_with("ce-subject", "%00"), "text.control-character");
    assert_eq!(refused_with("ce-subject", "a%0D%0Ab"), "envelope.subject");
    assert_eq!(refused_with("ce-subject", "%c0%af"), "envelope.subject");
    assert_eq!(refused_with("ce-subject", "0707614285"), "envelope.subject");
    assert_eq!(refused_with("ce-my_ext", "x"), "envelope.extension");
    let many: Vec<_> = (0..100).map(|i| (format!("ce-x{i}"), String::new())).collect();
    let refused = decode_with(b"{}", Some("application/json"), &borrowed(&many), Transport::Http).unwrap_err();
    assert_eq!(refused.violations[0].code, FaultCode::TooDeep);
}

#[test]
fn a_body_over_the_limit_is_not_read() {
    let refused = decode_with(&vec![b' '; limits::BODY_BYTES + 1], None, &[], Transport::Amqp).unwrap_err();
    assert_eq!(refused.violations[0].code, FaultCode::TooLarge);
}

#[test]
fn a_refused_message_is_named_by_what_was_read_of_it() {
    let text = structured_body().to_string();
    let cut = text.find("\"type\"").unwrap();
    let refused = decode_with(&text.as_bytes()[..cut], None, &[], Transport::Amqp).unwrap_err();
    assert_eq!(refused.named.id.as_deref(), Some("a-1"));
    assert_eq!(refused.named.source.as_deref(), Some("urn:dk:akasse:3f"));
    let refused = decode_kombit(&kombit_body("<x>&y;</x>")).unwrap_err();
    assert_eq!(refused.violations[0].code, FaultCode::DtdRefused);
    assert_eq!(refused.named.event_type.as_deref(), Some("dk.kassebro.complaint.v1"));
    let refused = decode_with(b"x", Some("image/png"), &borrowed(&headers("ce-")), Transport::Http).unwrap_err();
    assert_eq!(refused.named.receiver.as_deref(), Some("urn:dk:jobcenter:0101"));
}

#[test]
fn what_the_kombit_envelope_holds_beside_the_attributes_is_refused() {
    let body = kombit_body(DATA_XML);
    for (from, to, rule, pointer) in [
        ("</n:Filtreringsdata>", "<n:RelateretObjekt/></n:Filtreringsdata>", "kombit.element", "/Haendelsesbesked/Beskedkuvert/Filtreringsdata/RelateretObjekt"),
        ("<n:BeskedVersion>1.0", "<n:BeskedVersion>2.0", "kombit.element", "/Haendelsesbesked/BeskedVersion"),
        ("<n:BeskedVersion>1.0</n:BeskedVersion>", "<n:Beskedtype>x</n:Beskedtype>", "kombit.element", "/Haendelsesbesked/Beskedtype"),
        ("<n:BeskedVersion>", "<n:BeskedId>b</n:BeskedId><n:BeskedVersion>", "kombit.repeated", "/Haendelsesbesked/BeskedId"),
        ("</n:Haendelsesbesked>", "<n:Beskeddata/></n:Haendelsesbesked>", "kombit.repeated", "/Haendelsesbesked/Beskeddata"),
        ("<URNIdentifikator>a-1</URNIdentifikator>", "<n:URNIdentifikator>a-1</n:URNIdentifikator>", "kombit.element", "/Haendelsesbesked/BeskedId"),
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
fn an_event_without_a_place_in_kombits_envelope_is_not_written() {
    let event = structured_json(|body| body["subject"] = json!("sag 1")).unwrap().event;
    assert_eq!(kombit::write(&event), Err(kombit::NotKombit::Attribute("subject")));
}

fn any_data() -> impl Strategy<Value = Value> {
    let text = || "[ -~æøåÆØÅ€\t\r\n]{0,30}";
    (text(), any::<i64>(), any::<bool>(), proptest::collection::vec(text(), 0..4)).prop_map(|(reason, count, oral, points)| {
        let points: Vec<_> = points.into_iter().map(|text| json!({"text": text})).collect();
        json!({"reason": reason, "count": count, "oral": oral, "points": points})
    })
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
