//! What senders should not send: bodies and properties, each with what is to be said of it.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

use serde_json::{Value, json};

use crate::support::{
    raw_amqp::{Properties, entry, long, nested_arrays, nested_tables},
    scene::{body, event},
};

/// The content type of structured mode.
pub(super) const STRUCTURED: &str = "application/cloudevents+json";

/// A message that must be refused, with the rules that it breaks, in the order they are told.
pub(super) struct Bad {
    pub(super) name: &'static str,
    pub(super) content_type: Option<&'static str>,
    pub(super) body: Vec<u8>,
    /// The id it can be found by.
    pub(super) id: Option<&'static str>,
    pub(super) rules: &'static [&'static str],
}

/// A good complaint that was changed. It names itself first, so that it is known by its name whatever follows.
fn changed(id: &str, change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut event = event("complaint", 1, id);
    change(&mut event);
    event.as_object_mut().unwrap().remove("id");
    let rest = event.to_string();
    format!("{{\"id\":{},{}", json!(id), &rest[1..]).into_bytes()
}

/// A good complaint whose text was changed.
fn rewritten(id: &str, from: &str, to: &str) -> Vec<u8> {
    let text = String::from_utf8(changed(id, |_| ())).unwrap();
    assert!(text.contains(from));
    text.replacen(from, to, 1).into_bytes()
}

const FILE: &str = "<!DOCTYPE k [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>";
const LAUGHS: &str = "<!DOCTYPE k [<!ENTITY a \"haha\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">]>";

fn xml(prolog: &str, inside: &str) -> Vec<u8> {
    format!(
        "<?xml version=\"1.0\"?>{prolog}<Haendelsesbesked xmlns=\"urn:oio:besked:kuvert:1.0\">{inside}</Haendelsesbesked>"
    )
    .into_bytes()
}

/// All of them.
pub(super) fn bad_bodies() -> Vec<Bad> {
    [syntax(), content(), content_types(), documents()].into_iter().flatten().collect()
}

fn structured(
    name: &'static str,
    body: Vec<u8>,
    id: Option<&'static str>,
    rules: &'static [&'static str],
) -> Bad {
    Bad { name, content_type: Some(STRUCTURED), body, id, rules }
}

/// What cannot be read to its end.
fn syntax() -> Vec<Bad> {
    vec![
        structured("empty", vec![], None, &["json.syntax"]),
        structured("two megabytes", vec![b' '; 2 << 20], None, &["body.size"]),
        structured("arrays 100000 deep", vec![b'['; 100_000], None, &["body.depth"]),
        structured("objects 100000 deep", b"{\"a\":".repeat(100_000), None, &["body.depth"]),
        structured("no UTF-8", b"{\"id\":\"\xff\xfe\"}".to_vec(), None, &["text.utf-8"]),
        structured("UTF-16", "{}".encode_utf16().flat_map(u16::to_be_bytes).collect(), None, &["text.utf-8"]),
        structured("an array", b"[]".to_vec(), None, &["envelope.object"]),
        structured("null", b"null".to_vec(), None, &["envelope.object"]),
        structured(
            "no attribute",
            b"{}".to_vec(),
            None,
            &[
                "envelope.specversion",
                "envelope.id",
                "envelope.source",
                "envelope.type",
                "envelope.time",
                "envelope.receiver",
                "envelope.data",
            ],
        ),
        structured("cut off", changed("cut", |_| ())[..300].to_vec(), Some("cut"), &["json.syntax"]),
        structured(
            "two in one",
            [changed("one", |_| ()), changed("two", |_| ())].concat(),
            None,
            &["json.syntax"],
        ),
        structured(
            "an id twice",
            rewritten("first", "\"id\":", "\"id\":\"second\",\"id\":"),
            Some("second"),
            &["json.duplicate-key"],
        ),
        structured(
            "NUL in a text",
            changed("nul", |e| e["data"]["text"] = json!("a\0b")),
            Some("nul"),
            &["text.control-character"],
        ),
        structured(
            "half a surrogate",
            rewritten("half", "\"text\":\"", "\"text\":\"\\ud800"),
            Some("half"),
            &["text.surrogate"],
        ),
        structured(
            "an endless number",
            rewritten("number", "\"text\":", "\"amount\":1e999999,\"text\":"),
            Some("number"),
            &["number.exact"],
        ),
    ]
}

/// What can be read and says something wrong.
fn content() -> Vec<Bad> {
    vec![
        structured("an id too long", changed(LONG_ID, |_| ()), Some(LONG_ID), &["envelope.id"]),
        structured("an id with blanks", changed("my id", |_| ()), Some("my id"), &["envelope.id"]),
        structured(
            "a person in the subject",
            changed("person", |e| e["subject"] = json!("0707614285")),
            Some("person"),
            &["envelope.subject"],
        ),
        structured(
            "everything at once",
            changed("all", |e| {
                e["specversion"] = json!("0.3");
                e["time"] = json!("yesterday");
                e["data"]["text"] = json!(7);
                e["data"].as_object_mut().unwrap().remove("form");
                e["data"]["more"] = json!({});
            }),
            Some("all"),
            &[
                "envelope.specversion",
                "envelope.time",
                "schema.required",
                "schema.type",
                "schema.additionalProperties",
            ],
        ),
        structured(
            "two faults of the schema",
            changed("schema", |e| {
                e["data"]["text"] = json!("");
                e["data"]["form"] = json!("shouted");
            }),
            Some("schema"),
            &["schema.enum", "schema.minLength"],
        ),
        structured(
            "a kind that is none",
            changed("kind", |e| e["type"] = json!("dk.kassebro.poem.v1")),
            Some("kind"),
            &["envelope.kind"],
        ),
        structured(
            "another's name",
            changed("other", |e| e["source"] = json!("urn:dk:akasse:hk")),
            Some("other"),
            &["party.source"],
        ),
        structured(
            "of tomorrow",
            changed("ahead", |e| e["time"] = json!("2126-01-01T00:00:00Z")),
            Some("ahead"),
            &["time.ahead"],
        ),
    ]
}

fn content_types() -> Vec<Bad> {
    let as_is = |name, content_type, body, rules| Bad { name, content_type, body, id: None, rules };
    vec![
        as_is("plain text", Some("text/plain"), body("complaint", 1, "text"), &["envelope.datacontenttype"]),
        as_is(
            "Latin-1",
            Some("application/json; charset=iso-8859-1"),
            body("complaint", 1, "latin"),
            &["envelope.datacontenttype"],
        ),
        as_is("no content type and no JSON", None, b"hello".to_vec(), &["json.syntax"]),
        as_is(
            "a batch",
            Some("application/cloudevents-batch+json"),
            b"[]".to_vec(),
            &["envelope.datacontenttype"],
        ),
    ]
}

/// What is, or pretends to be, a `Haendelsesbesked`.
fn documents() -> Vec<Bad> {
    let content_type = Some("application/xml");
    let as_xml = |name, body, rules| Bad { name, content_type, body, id: None, rules };
    vec![
        as_xml("an entity from a file", xml(FILE, "&x;"), &["xml.dtd"]),
        as_xml("entities in entities", xml(LAUGHS, "&b;"), &["xml.dtd"]),
        as_xml("elements 100000 deep", b"<a>".repeat(100_000), &["body.depth"]),
        as_xml("another root", b"<a/>".to_vec(), &["kombit.root"]),
        as_xml(
            "nothing in it",
            xml("", ""),
            &[
                "envelope.id",
                "envelope.source",
                "envelope.type",
                "envelope.time",
                "envelope.receiver",
                "envelope.data",
            ],
        ),
        as_xml("not closed", b"<Haendelsesbesked".to_vec(), &["xml.syntax"]),
    ]
}

const LONG_ID: &str = "01234567890123456789012345678901234567890123456789";

/// What it is, the properties, and the rules that the message breaks; none where it is delivered all the same.
pub(super) type Absurd = (&'static str, Properties, &'static [&'static str]);

/// Properties that a library for senders would not let through, or that nobody expects.
pub(super) fn absurd_properties(user: &[u8]) -> Vec<Absurd> {
    let structured = || Properties::default().content_type(STRUCTURED.as_bytes());
    let with_headers = |entries: &[u8]| structured().headers(entries).user_id(user);
    let many: Vec<u8> =
        (0..5000).flat_map(|n| entry(format!("h{n}").as_bytes(), b'S', &long(b"v"))).collect();
    vec![
        ("tables 5000 deep", with_headers(&nested_tables(5000)), &[]),
        ("tables 20000 deep", with_headers(&nested_tables(20_000)), &[]),
        ("arrays 25000 deep", with_headers(&nested_arrays(25_000)), &[]),
        ("5000 headers", with_headers(&many), &[]),
        ("100000 bytes in a header", with_headers(&entry(b"x", b'S', &long(&[0xFF; 100_000]))), &[]),
        ("a header without a name", with_headers(&entry(b"", b'S', &long(b"x"))), &[]),
        ("a header whose name is no text", with_headers(&entry(b"\xff\xfe", b'S', &long(b"x"))), &[]),
        ("a header of nothing", with_headers(&entry(b"x", b'V', &[])), &[]),
        ("an attribute that is a table", with_headers(&entry(b"cloudEvents_id", b'F', &long(b""))), &[]),
        ("NUL in the message id", structured().message_id(b"a\0b").user_id(user), &[]),
        ("a message id that is no text", structured().message_id(&[0xFF; 255]).user_id(user), &[]),
        ("the end of time", structured().timestamp(u64::MAX).user_id(user), &[]),
        ("the highest priority", structured().priority(255).user_id(user), &[]),
        (
            "an answer wanted elsewhere",
            structured()
                .correlation_id(b"\xc3")
                .reply_to(b"kassebro.in.hk")
                .event_type(b"\xff")
                .user_id(user)
                .app_id(b"\x80"),
            &[],
        ),
        ("a coding that is no text", structured().content_encoding(b"\xff").user_id(user), &[]),
        (
            "a content type that is no text",
            Properties::default().content_type(b"application/\xff").user_id(user),
            &["envelope.datacontenttype"],
        ),
        ("no user", structured(), &["party.amqp-user"]),
    ]
}
