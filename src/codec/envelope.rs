//! The attributes of a message, read from whatever syntax carried them, with every fault at once.

pub mod tracestate;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{Limits, pointer, text};
use crate::domain::{Cpr, Envelope, FaultCode, KindId, Text, Violation};

/// Characters of an attribute that a refusal repeats to name the message.
const NAMED_CHARACTERS_MAX: usize = 200;

/// Characters of `subject`.
const SUBJECT_CHARACTERS_MAX: usize = 200;

/// Characters of `agreement`, `correlationid` and `causationid`.
const REFERENCE_CHARACTERS_MAX: usize = 100;

/// What a refused message calls itself, as far as it could be read: unchecked, cut, and for showing only.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    pub id: Option<String>,
    pub source: Option<String>,
    pub event_type: Option<String>,
    pub receiver: Option<String>,
}

impl Named {
    pub(super) fn of(attributes: &Map<String, Value>) -> Self {
        let shown = |name| {
            let value = attributes.get(name).and_then(Value::as_str)?;
            Some(text::excerpt(value, NAMED_CHARACTERS_MAX))
        };
        Self {
            id: shown("id"),
            source: shown("source"),
            event_type: shown("type"),
            receiver: shown("receiver"),
        }
    }
}

/// What the attributes say.
pub(super) struct Attributes {
    /// `None` where a required attribute is missing or wrong; an optional one that is wrong is left out.
    pub envelope: Option<Envelope>,
    /// The kind, which decides how the data are read, even where the rest is wrong.
    pub kind: Option<KindId>,
    /// Names of attributes that are allowed and not used.
    pub ignored: Vec<String>,
}

/// Reads the attributes; all that is wrong is added to `violations` under `/<attribute>`.
pub(super) fn read(
    attributes: Map<String, Value>,
    limits: &Limits,
    violations: &mut Vec<Violation>,
) -> Attributes {
    if attributes.len() > limits.attributes {
        violations.push(*limits.too_many_attributes());
        return Attributes { envelope: None, kind: None, ignored: Vec::new() };
    }
    let mut reading = Reading { attributes, violations };
    if let Some(version) = reading.required("specversion", "1.0")
        && version != "1.0"
    {
        reading.wrong("specversion", "1.0", Some(&version));
    }
    let id = reading.parsed("id", ID, |text| text.parse().ok());
    let source = reading
        .parsed("source", "urn:dk:akasse:<code> or urn:dk:jobcenter:<kommunekode>", |text| text.parse().ok());
    let kind = reading.parsed("type", "dk.kassebro.<kind>.v<n>", KindId::from_event_type);
    let time = reading.parsed("time", TIME, timestamp);
    let receiver =
        reading.parsed("receiver", "urn:dk:jobcenter:<kommunekode> or urn:dk:akasse:<code>", |text| {
            text.parse().ok()
        });
    let recorded = reading.optional("recordedtime").and_then(|text| {
        timestamp(&text).or_else(|| {
            reading.wrong("recordedtime", TIME, Some(&text));
            None
        })
    });
    let agreement = reading.short("agreement", REFERENCE_CHARACTERS_MAX);
    let mut subject = reading.short("subject", SUBJECT_CHARACTERS_MAX);
    if subject.take_if(|subject| holds_cpr(subject)).is_some() {
        reading.violations.push(cpr_in_subject());
    }
    let correlation_id = reading.short("correlationid", REFERENCE_CHARACTERS_MAX);
    let causation_id = reading.short("causationid", REFERENCE_CHARACTERS_MAX);
    // A trace that cannot be followed is no reason to refuse a message (W3C Trace Context, 3.2.2).
    let traceparent = match reading.attributes.remove("traceparent") {
        Some(Value::String(text)) if is_traceparent(&text) => Some(text),
        _ => None,
    };
    let tracestate = match reading.attributes.remove("tracestate") {
        Some(Value::String(text)) if traceparent.is_some() && tracestate::is_well_formed(&text) => Some(text),
        _ => None,
    };
    let ignored = reading.extensions();
    let envelope = match (id, source, kind.clone(), time, receiver) {
        (Some(id), Some(source), Some(kind), Some(time), Some(receiver)) => Some(Envelope {
            id,
            source,
            kind,
            time,
            recorded,
            receiver,
            agreement,
            subject,
            correlation_id,
            causation_id,
            traceparent,
            tracestate,
        }),
        _ => None,
    };
    Attributes { envelope, kind, ignored }
}

struct Reading<'a> {
    attributes: Map<String, Value>,
    violations: &'a mut Vec<Violation>,
}

impl Reading<'_> {
    /// The attribute's text. JSON's `null` is an attribute left out (JSON format of `CloudEvents`, 2.2).
    fn optional(&mut self, name: &str) -> Option<String> {
        match self.attributes.remove(name)? {
            Value::Null => None,
            Value::String(text) if !text.chars().any(char::is_control) => Some(text),
            _ => {
                self.wrong(name, TEXT, None);
                None
            }
        }
    }

    fn required(&mut self, name: &str, expected: &str) -> Option<String> {
        if self.attributes.get(name).is_none_or(Value::is_null) {
            self.violations.push(missing(name, expected));
        }
        self.optional(name)
    }

    fn parsed<T>(&mut self, name: &str, expected: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let text = self.required(name, expected)?;
        let parsed = parse(&text);
        if parsed.is_none() {
            self.wrong(name, expected, Some(&text));
        }
        parsed
    }

    fn short(&mut self, name: &str, characters_max: usize) -> Option<String> {
        let text = self.optional(name)?;
        if (1..=characters_max).contains(&text.chars().count()) {
            return Some(text);
        }
        self.wrong(name, &format!("1-{characters_max} characters"), Some(&text));
        None
    }

    /// What is left: extensions that are allowed by name and value are listed, others are violations.
    fn extensions(&mut self) -> Vec<String> {
        let mut ignored = Vec::new();
        for (name, value) in std::mem::take(&mut self.attributes) {
            let name_fits = (1..=20).contains(&name.len())
                && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
            let core = matches!(name.as_str(), "dataschema" | "datacontenttype");
            match value {
                Value::Null => {}
                Value::String(_) | Value::Bool(_) | Value::Number(_) if name_fits => {
                    if !core {
                        ignored.push(name);
                    }
                }
                _ => self.violations.push(bad_extension(&name)),
            }
        }
        ignored
    }

    fn wrong(&mut self, name: &str, expected: &str, actual: Option<&str>) {
        let text = Text::new(
            format!("Attributten {name} er forkert; der ventes {}.", in_danish(expected)),
            format!("The attribute {name} is wrong; {expected} is expected."),
        );
        let violation =
            Violation::error(format!("/{name}"), format!("envelope.{name}"), FaultCode::EnvelopeWrong, text)
                .expected(expected);
        self.violations.push(match actual {
            Some(actual) => violation.masked(actual),
            None => violation,
        });
    }
}

const ID: &str = "1-46 of A-Z, a-z, 0-9, dot, underscore, colon and hyphen";
const TEXT: &str = "a text without control characters";
const TIME: &str = "a time with its offset (RFC 3339), e.g. 2026-03-02T09:30:00+01:00";

/// What is expected of an attribute, as the Danish sentence has it.
fn in_danish(expected: &str) -> String {
    match expected {
        ID => "1-46 af A-Z, a-z, 0-9, punktum, understregning, kolon og bindestreg".to_owned(),
        TEXT => "en tekst uden kontroltegn".to_owned(),
        TIME => "et tidspunkt med tidszone (RFC 3339), f.eks. 2026-03-02T09:30:00+01:00".to_owned(),
        other => other.replace(" or ", " eller ").replace(" characters", " tegn"),
    }
}

/// Reads a time by RFC 3339: date, `T`, time to the second or finer (to nanoseconds), and `Z` or an offset.
pub(super) fn timestamp(text: &str) -> Option<Timestamp> {
    const FORM: &[u8] = b"0000-00-00T00:00:00";
    let bytes = text.as_bytes();
    let head_fits = bytes.len() > FORM.len()
        && FORM.iter().zip(bytes).all(|(form, byte)| match form {
            b'0' => byte.is_ascii_digit(),
            mark => mark == byte,
        });
    if !head_fits {
        return None;
    }
    let rest = &text[FORM.len()..];
    let rest = match rest.strip_prefix('.') {
        None => rest,
        Some(fraction) => {
            let end = fraction.find(|c: char| !c.is_ascii_digit())?;
            if !(1..=9).contains(&end) {
                return None;
            }
            &fraction[end..]
        }
    };
    let offset_fits = match rest.as_bytes() {
        b"Z" => true,
        [b'+' | b'-', h1, h2, b':', m1, m2] => [h1, h2, m1, m2].iter().all(|digit| digit.is_ascii_digit()),
        _ => false,
    };
    if offset_fits { text.parse().ok() } else { None }
}

/// Whether a text holds what can be read as a CPR number: ten digits that begin with a date, together or with
/// a hyphen or space after the sixth, and no further digit beside them.
pub fn holds_cpr(text: &str) -> bool {
    let bytes = text.as_bytes();
    let run =
        |from: usize| bytes[from.min(bytes.len())..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut at = 0;
    while at < bytes.len() {
        let length = run(at);
        let digits = match length {
            10 => Some(text[at..at + 10].to_owned()),
            6 if matches!(bytes.get(at + 6), Some(b'-' | b' ')) && run(at + 7) == 4 => {
                Some(format!("{}{}", &text[at..at + 6], &text[at + 7..at + 11]))
            }
            _ => None,
        };
        if digits.is_some_and(|digits| Cpr::parse(&digits).is_ok()) {
            return true;
        }
        at += length.max(1);
    }
    false
}

/// `00-<32 hex>-<16 hex>-<2 hex>`, as W3C Trace Context writes it.
fn is_traceparent(text: &str) -> bool {
    let mut parts = text.split('-');
    let mut next_fits = |length: usize| {
        parts.next().is_some_and(|part| {
            part.len() == length && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        })
    };
    next_fits(2) && next_fits(32) && next_fits(16) && next_fits(2) && parts.next().is_none()
}

fn missing(name: &str, expected: &str) -> Violation {
    let text = Text::new(format!("Attributten {name} mangler."), format!("The attribute {name} is missing."));
    Violation::error(format!("/{name}"), format!("envelope.{name}"), FaultCode::EnvelopeWrong, text)
        .expected(expected)
}

fn cpr_in_subject() -> Violation {
    let text = Text::new(
        "Attributten subject ligner et CPR-nummer; brug en sagsreference, for den står i logge og adresser.",
        "The attribute subject looks like a CPR number; use a case reference, for it stands in logs and addresses.",
    );
    Violation::error("/subject", "envelope.subject", FaultCode::EnvelopeWrong, text)
        .expected("a case reference without a CPR number")
}

fn bad_extension(name: &str) -> Violation {
    let text = Text::new(
        "En udvidelsesattribut skal hedde 1-20 små bogstaver eller cifre og være tekst, tal eller sand/falsk.",
        "An extension attribute is named by 1-20 lower-case letters or digits and is a text, a number or a boolean.",
    );
    Violation::error(pointer::join("", name), "envelope.extension", FaultCode::EnvelopeWrong, text)
        .expected("1-20 of a-z and 0-9; a text, number or boolean")
}

#[cfg(test)]
mod tests;
