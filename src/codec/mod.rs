//! Bytes to canonical events and back, without trust in the bytes.
//!
//! [`decode`] is the one door in: whatever syntax a message came in, one event comes out, or every reason
//! why not. Nothing here does I/O, and nothing in a message makes it fetch anything.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::domain::{Envelope, Event, FaultCode, KindId, Text, Violation};

pub mod cloudevents;
pub mod envelope;
mod hash;
pub mod json;
pub mod kombit;
pub mod limits;
pub mod mapping;
pub mod number;
pub mod pointer;
pub mod schema;
pub mod text;
pub mod xml;

pub use envelope::Named;
pub use hash::canonical_hash;
pub use limits::Limits;
pub use schema::Schema;

/// The rule of a message whose content type is not read here; over HTTP its answer is 415.
pub const CONTENT_TYPE_RULE: &str = "envelope.datacontenttype";

/// How a message came; it decides which headers carry attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    Http,
    Amqp,
    File,
}

/// A message as it came.
#[derive(Debug, Clone, Copy)]
pub struct Raw<'a> {
    pub body: &'a [u8],
    pub content_type: Option<&'a str>,
    /// Header names in lower case, values as text.
    pub headers: &'a [(String, String)],
    pub transport: Transport,
}

/// The syntax a message was written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// `CloudEvents`, one JSON object.
    Structured,
    /// `CloudEvents`, attributes in headers.
    Binary,
    /// KOMBIT's `Haendelsesbesked`.
    Kombit,
}

/// A message that could be read. Whether its data fit their schema is not yet asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    pub event: Event,
    pub syntax: Syntax,
    /// Extension attributes that are allowed and not used.
    pub ignored: Vec<String>,
}

/// A message that is refused: all that is wrong, and what it calls itself as far as that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Undecodable {
    pub named: Named,
    /// At least one, at most [`limits::VIOLATIONS_MAX`].
    pub violations: Vec<Violation>,
    /// What could be read all the same, so that schema and rules can add their violations to these: a sender
    /// mends everything in one go. Nothing of it may be accepted.
    pub kind: Option<KindId>,
    /// There if every required attribute is sound; what is wrong is left out of it.
    pub envelope: Option<Envelope>,
    pub data: Option<Value>,
}

impl Undecodable {
    fn new(named: Named, violation: Violation) -> Box<Self> {
        Box::new(Self { named, violations: vec![violation], kind: None, envelope: None, data: None })
    }
}

/// Reads a message. `schema_of` gives a kind's JSON Schema; `None` says that the kind is not known.
///
/// # Errors
/// Every violation that can be found once the body can be parsed at all; see [`json`], [`xml`], [`envelope`].
pub fn decode<'s>(
    raw: &Raw,
    limits: &Limits,
    schema_of: &dyn Fn(&KindId) -> Option<&'s Value>,
) -> Result<Decoded, Box<Undecodable>> {
    let mut violations = Vec::new();
    let (syntax, parts) = split(raw, limits, &mut violations)?;
    let named = Named::of(&parts.attributes);
    let attributes = envelope::read(parts.attributes, limits, &mut violations);
    let data = data(parts.content, attributes.kind.as_ref(), limits, schema_of, &mut violations);
    match (attributes.envelope, data) {
        (Some(envelope), Some(data)) if violations.is_empty() => {
            Ok(Decoded { event: Event { envelope, data }, syntax, ignored: attributes.ignored })
        }
        (envelope, data) => {
            violations.truncate(limits::VIOLATIONS_MAX);
            Err(Box::new(Undecodable { named, violations, kind: attributes.kind, envelope, data }))
        }
    }
}

/// A message taken apart, its attributes not yet read.
struct Parts<'a> {
    /// By `CloudEvents` name; without the data and their content type.
    attributes: Map<String, Value>,
    content: Content<'a>,
}

/// The data of a message, as far as its syntax has read them.
enum Content<'a> {
    Missing,
    Json(Value),
    JsonBytes(Cow<'a, [u8]>),
    Xml(xml::Element),
    XmlBytes(Cow<'a, [u8]>),
    /// What is wrong has been said.
    Refused,
}

impl<'a> Content<'a> {
    fn of_bytes(media: Media, bytes: Cow<'a, [u8]>) -> Self {
        match media {
            _ if bytes.is_empty() => Self::Missing,
            Media::Json => Self::JsonBytes(bytes),
            Media::Xml => Self::XmlBytes(bytes),
        }
    }
}

/// What data are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Media {
    Json,
    Xml,
}

impl Media {
    /// Reads the content type of data; one that is not read here is a violation.
    fn of_data(content_type: &str, violations: &mut Vec<Violation>) -> Option<Self> {
        let media = Self::of_essence(essence(content_type).as_deref());
        if media.is_none() {
            violations.push(content_type_refused("/datacontenttype"));
        }
        media
    }

    fn of_essence(essence: Option<&str>) -> Option<Self> {
        match essence? {
            "application/json" | "text/json" => Some(Self::Json),
            "application/xml" | "text/xml" => Some(Self::Xml),
            _ => None,
        }
    }
}

/// Type and subtype in lower case; `None` where a charset other than UTF-8 is named.
fn essence(content_type: &str) -> Option<String> {
    let mut parts = content_type.split(';').map(str::trim);
    let essence = parts.next()?.to_ascii_lowercase();
    let utf8 = parts.all(|parameter| match parameter.split_once('=') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
            let value = value.trim().trim_matches('"');
            value.eq_ignore_ascii_case("utf-8") || value.eq_ignore_ascii_case("us-ascii")
        }
        _ => true,
    });
    utf8.then_some(essence)
}

fn content_type_refused(at: &str) -> Violation {
    let text = Text::new(
        "Indholdstypen modtages ikke; brug application/cloudevents+json, application/json eller application/xml i UTF-8.",
        "The content type is not taken; use application/cloudevents+json, application/json or application/xml in UTF-8.",
    );
    Violation::error(at, CONTENT_TYPE_RULE, FaultCode::EnvelopeWrong, text)
        .expected("application/cloudevents+json, application/json or application/xml, in UTF-8")
}

/// Finds the syntax by content type and headers, by the first character where there is neither, and takes the
/// message apart by it.
fn split<'a>(
    raw: &Raw<'a>,
    limits: &Limits,
    violations: &mut Vec<Violation>,
) -> Result<(Syntax, Parts<'a>), Box<Undecodable>> {
    if raw.body.len() > limits.body_bytes {
        return Err(Undecodable::new(Named::default(), *limits.too_large(raw.body.len())));
    }
    let media = match raw.content_type.map(essence) {
        None => None,
        Some(Some(essence)) if essence == "application/cloudevents+json" => {
            return structured(raw, limits, violations);
        }
        Some(essence) => match Media::of_essence(essence.as_deref()) {
            Some(media) => Some(media),
            None => return Err(unread_content_type(raw)),
        },
    };
    if cloudevents::is_binary(raw) {
        return Ok((Syntax::Binary, cloudevents::binary(raw, media.unwrap_or(Media::Json), violations)));
    }
    let first = || raw.body.iter().find(|byte| !byte.is_ascii_whitespace());
    match media.unwrap_or(if first() == Some(&b'<') { Media::Xml } else { Media::Json }) {
        Media::Json => structured(raw, limits, violations),
        Media::Xml => kombit(raw, limits, violations),
    }
}

/// A content type that is not read here; headers may still name the message.
fn unread_content_type(raw: &Raw) -> Box<Undecodable> {
    let attributes = cloudevents::binary(raw, Media::Json, &mut Vec::new()).attributes;
    Undecodable::new(Named::of(&attributes), content_type_refused("/datacontenttype"))
}

fn structured<'a>(
    raw: &Raw<'a>,
    limits: &Limits,
    violations: &mut Vec<Violation>,
) -> Result<(Syntax, Parts<'a>), Box<Undecodable>> {
    match json::parse_or_partial(raw.body, limits) {
        Ok(Value::Object(members)) => Ok((Syntax::Structured, cloudevents::structured(members, violations))),
        Ok(_) => Err(Undecodable::new(Named::default(), not_an_object())),
        Err(broken) => Err(Undecodable::new(Named::of(&broken.read), broken.violation)),
    }
}

fn kombit<'a>(
    raw: &Raw<'a>,
    limits: &Limits,
    violations: &mut Vec<Violation>,
) -> Result<(Syntax, Parts<'a>), Box<Undecodable>> {
    match xml::read(raw.body, limits) {
        Ok(root) if kombit::is_envelope(&root) => Ok((Syntax::Kombit, kombit::read(root, violations))),
        Ok(_) => Err(Undecodable::new(Named::default(), kombit::wrong_root())),
        Err(broken) => {
            let parts = broken.read.map(|root| kombit::read(root, violations));
            let named = parts.map(|parts| Named::of(&parts.attributes)).unwrap_or_default();
            Err(Undecodable::new(named, broken.violation))
        }
    }
}

/// Brings the content into canonical form.
fn data<'s>(
    content: Content,
    kind: Option<&KindId>,
    limits: &Limits,
    schema_of: &dyn Fn(&KindId) -> Option<&'s Value>,
    violations: &mut Vec<Violation>,
) -> Option<Value> {
    let schema = kind.and_then(|kind| Some((kind, schema_of(kind)?)));
    if schema.is_none() && kind.is_some() {
        violations.push(unknown_kind());
    }
    let element = match content {
        Content::Json(value) => return Some(value),
        Content::JsonBytes(bytes) => match json::parse(&bytes, limits) {
            Ok(value) => return Some(value),
            Err(violation) => Err(below_data(*violation)),
        },
        Content::Xml(element) => Ok(element),
        Content::XmlBytes(bytes) => xml::read(&bytes, limits).map_err(|broken| below_data(broken.violation)),
        Content::Missing => Err(no_data()),
        Content::Refused => return None,
    };
    let element = element.map_err(|violation| violations.push(violation)).ok()?;
    let (kind, schema) = schema?;
    mapping::read(&element, kind, schema, limits, violations)
}

/// Content is parsed on its own, and stands in the event at `/data`.
fn below_data(violation: Violation) -> Violation {
    Violation { pointer: format!("/data{}", violation.pointer), ..violation }
}

fn not_an_object() -> Violation {
    let text = Text::new("En besked er ét JSON-objekt.", "A message is one JSON object.");
    Violation::error("", "envelope.object", FaultCode::EnvelopeWrong, text)
        .expected("a CloudEvents 1.0 object")
}

fn no_data() -> Violation {
    let text = Text::new("Beskeden har intet indhold (data).", "The message has no content (data).");
    Violation::error("/data", "envelope.data", FaultCode::EnvelopeWrong, text).expected("data")
}

fn unknown_kind() -> Violation {
    let text = Text::new(
        "Beskedtypen kendes ikke; se `kassebro schemas list`.",
        "The kind of message is not known; see `kassebro schemas list`.",
    );
    Violation::error("/type", "envelope.kind", FaultCode::UnknownKind, text)
        .expected("dk.kassebro.<kind>.v<n> of a known kind")
}

#[cfg(test)]
mod tests;
