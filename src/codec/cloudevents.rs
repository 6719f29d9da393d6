//! `CloudEvents` 1.0 in both modes: one JSON object, or attributes in headers with the data as body.

use std::borrow::Cow;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Map, Value};

use super::{Content, Media, Parts, Raw, Transport, content_type_refused, pointer, text};
use crate::domain::{FaultCode, Text, Violation};

/// Splits a structured event into attributes and content.
pub(super) fn structured(
    mut attributes: Map<String, Value>,
    violations: &mut Vec<Violation>,
) -> Parts<'static> {
    let media = match attributes.remove("datacontenttype") {
        None | Some(Value::Null) => Some(Media::Json),
        Some(Value::String(text)) => Media::of_data(&text, violations),
        Some(_) => {
            violations.push(content_type_refused("/datacontenttype"));
            None
        }
    };
    let present = |value: Option<Value>| value.filter(|value| !value.is_null());
    let data = present(attributes.remove("data"));
    let encoded = present(attributes.remove("data_base64"));
    let content = match (media, data, encoded) {
        (_, Some(_), Some(_)) => {
            violations.push(data_violation(
                "/data_base64",
                "data eller data_base64, ikke begge",
                "data or data_base64, not both",
            ));
            Content::Refused
        }
        (None, ..) => Content::Refused,
        (Some(_), None, None) => Content::Missing,
        (Some(Media::Json), Some(data), None) => Content::Json(data),
        (Some(Media::Xml), Some(Value::String(xml)), None) => Content::XmlBytes(Cow::Owned(xml.into_bytes())),
        (Some(Media::Xml), Some(_), None) => {
            violations.push(data_violation("/data", "XML som tekst", "XML as a text"));
            Content::Refused
        }
        (Some(media), None, Some(encoded)) => {
            let bytes = encoded.as_str().and_then(|text| BASE64_STANDARD.decode(text).ok());
            bytes.map_or_else(
                || {
                    violations.push(data_violation("/data_base64", "base64", "base64"));
                    Content::Refused
                },
                |bytes| Content::of_bytes(media, Cow::Owned(bytes)),
            )
        }
    };
    Parts { attributes, content }
}

/// Reads the attributes from the headers of a message in binary mode; the body is the content.
pub(super) fn binary<'a>(raw: &Raw<'a>, media: Media, violations: &mut Vec<Violation>) -> Parts<'a> {
    let mut attributes = Map::new();
    for (header, value) in raw.headers {
        let Some(name) = attribute_of(raw.transport, header) else {
            continue;
        };
        let at = pointer::join("", name);
        if name == "datacontenttype" {
            // Content-Type says it already, and two words for one thing can differ.
            violations.push(data_violation(&at, "kun Content-Type", "Content-Type only"));
            continue;
        }
        let decoded = match raw.transport {
            Transport::Http => percent_decoded(value),
            Transport::Amqp | Transport::File => Some(Cow::Borrowed(value.as_str())),
        };
        let Some(decoded) = decoded else {
            violations.push(data_violation(&at, "procentkodet UTF-8", "percent-encoded UTF-8"));
            continue;
        };
        if let Err(violation) = text::check(&at, &decoded) {
            violations.push(*violation);
        } else if attributes.insert(name.to_owned(), Value::String(decoded.into_owned())).is_some() {
            violations.push(repeated(at));
        }
    }
    Parts { attributes, content: Content::of_bytes(media, Cow::Borrowed(raw.body)) }
}

/// Whether a message carries attributes in its headers.
pub(super) fn is_binary(raw: &Raw) -> bool {
    raw.headers.iter().any(|(header, _)| attribute_of(raw.transport, header).is_some())
}

/// The attribute that a header carries: `ce-id` over HTTP; `cloudEvents_id` or `cloudEvents:id` over AMQP,
/// both of which the AMQP binding allows. Names come in lower case.
fn attribute_of(transport: Transport, header: &str) -> Option<&str> {
    match transport {
        Transport::Http => header.strip_prefix("ce-"),
        Transport::Amqp => {
            header.strip_prefix("cloudevents_").or_else(|| header.strip_prefix("cloudevents:"))
        }
        Transport::File => None,
    }
}

/// Decodes a header value by the HTTP binding (3.1.3.2): outer quotes off, backslash pairs inside them to one
/// character, then `%XX`. `None` where an escape is cut short or the bytes are not UTF-8.
fn percent_decoded(value: &str) -> Option<Cow<'_, str>> {
    let quoted = value.len() >= 2 && value.starts_with('"') && value.ends_with('"');
    if !quoted && !value.contains('%') {
        return Some(Cow::Borrowed(value));
    }
    let inner = if quoted { &value[1..value.len() - 1] } else { value };
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let digit =
                    |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                bytes.push(digit(rest.next()?)? * 16 + digit(rest.next()?)?);
            }
            b'\\' if quoted => bytes.push(rest.next()?),
            b'"' if quoted => return None,
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

fn data_violation(at: &str, da: &str, en: &str) -> Violation {
    let text = Text::new(format!("Der ventes {da}."), format!("Expected: {en}."));
    let rule = format!("envelope.{}", at.trim_start_matches('/'));
    Violation::error(at, rule, FaultCode::EnvelopeWrong, text).expected(en)
}

fn repeated(at: String) -> Violation {
    let text = Text::new("Attributten står i to headere.", "The attribute stands in two headers.");
    Violation::error(at, "envelope.repeated", FaultCode::DuplicateKey, text).expected("once")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_values_are_decoded_once() {
        for (value, decoded) in [
            ("plain", Some("plain")),
            ("a%20b", Some("a b")),
            ("%C3%A6%e2%82%ac", Some("æ€")),
            ("%2520", Some("%20")),
            ("\"quoted \\\" value\"", Some("quoted \" value")),
            ("\"", Some("\"")),
            ("%", None),
            ("%4", None),
            ("%zz", None),
            ("%+1", None),
            ("%C0%AF", None),
            ("%ED%A0%80", None),
            ("\"a\"b\"", None),
            ("\"a%\"", None),
        ] {
            assert_eq!(percent_decoded(value).as_deref(), decoded, "{value}");
        }
    }

    #[test]
    fn each_transport_has_its_own_prefix() {
        for (transport, header, name) in [
            (Transport::Http, "ce-id", Some("id")),
            (Transport::Http, "cloudevents_id", None),
            (Transport::Amqp, "cloudevents_id", Some("id")),
            (Transport::Amqp, "cloudevents:id", Some("id")),
            (Transport::Amqp, "ce-id", None),
            (Transport::File, "ce-id", None),
        ] {
            assert_eq!(attribute_of(transport, header), name, "{transport:?} {header}");
        }
    }
}
