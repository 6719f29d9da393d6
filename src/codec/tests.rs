//! The one door: syntaxes, what they have in common, and what no input may do.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::json;

use super::*;

mod syntaxes;

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

fn decode_with(
    body: &[u8],
    content_type: Option<&str>,
    headers: &[(&str, &str)],
    transport: Transport,
) -> Result<Decoded, Box<Undecodable>> {
    let schema = kind_schema();
    let headers: Vec<_> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
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

fn structured_json(change: impl FnOnce(&mut Value)) -> Result<Decoded, Box<Undecodable>> {
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

fn decode_kombit(body: &str) -> Result<Decoded, Box<Undecodable>> {
    decode_with(body.as_bytes(), Some("application/xml"), &[], Transport::Amqp)
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
    assert_eq!(
        found,
        [
            ("envelope.data", "/data"),
            ("envelope.extension", "/Extra"),
            ("envelope.id", "/id"),
            ("envelope.kind", "/type"),
            ("envelope.time", "/time"),
        ]
    );
    assert_eq!(refused.named.id.as_deref(), Some("a b"));
    assert_eq!((&refused.envelope, &refused.data), (&None, &None));
    assert_eq!(refused.named.receiver.as_deref(), Some("urn:dk:jobcenter:0101"));
}

#[test]
fn what_an_attribute_should_be_is_said_in_danish_too() {
    let refused = structured_json(|body| {
        body["specversion"] = json!("2");
        body["id"] = json!("a b");
        body["time"] = json!("now");
        body["source"] = json!("3f");
        body["agreement"] = json!("");
        body["subject"] = json!(7);
    })
    .unwrap_err();
    assert_eq!(refused.violations.len(), 6);
    for violation in &refused.violations {
        let said = &violation.message.da;
        for english in [" or ", " a ", " of ", "characters", "without"] {
            assert!(!said.contains(english), "{said}");
        }
    }
}

#[test]
fn what_is_sound_in_a_refused_message_is_kept_for_further_checks() {
    let refused = structured_json(|body| body["subject"] = json!("0707614285")).unwrap_err();
    assert_eq!(rules(&refused), [("envelope.subject", "/subject")]);
    assert_eq!(refused.envelope.unwrap().subject, None);
    assert_eq!(refused.data, Some(structured_body()["data"].clone()));
    let refused = structured_json(|body| body["id"] = Value::Null).unwrap_err();
    assert_eq!(refused.envelope, None);
    assert_eq!(refused.kind, Some(KindId::new("complaint", 1)));
    assert!(refused.data.is_some());
}

#[test]
fn data_are_taken_once_and_in_a_known_form() {
    for (change, rule) in [
        (json!({"data_base64": "e30="}), ("envelope.data_base64", "/data_base64")),
        (json!({"data": null}), ("envelope.data", "/data")),
        (json!({"data": null, "data_base64": "e30"}), ("envelope.data_base64", "/data_base64")),
        (json!({"data": null, "data_base64": 7}), ("envelope.data_base64", "/data_base64")),
        (
            json!({"data": null, "data_base64": BASE64_STANDARD.encode("{\"a\":1,\"a\":2}")}),
            ("json.duplicate-key", "/data/a"),
        ),
        (json!({"datacontenttype": "text/plain"}), (CONTENT_TYPE_RULE, "/datacontenttype")),
        (
            json!({"datacontenttype": "application/json; charset=latin1"}),
            (CONTENT_TYPE_RULE, "/datacontenttype"),
        ),
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
        let refused =
            decode_with(br#"{"reason":"x"}"#, Some("application/json"), &borrowed(&headers), Transport::Http);
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
    let refused =
        decode_with(b"{}", Some("application/json"), &borrowed(&many), Transport::Http).unwrap_err();
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
    let refused =
        decode_with(b"x", Some("image/png"), &borrowed(&headers("ce-")), Transport::Http).unwrap_err();
    assert_eq!(refused.named.receiver.as_deref(), Some("urn:dk:jobcenter:0101"));
}
