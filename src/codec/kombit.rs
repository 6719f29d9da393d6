//! KOMBIT's `Haendelsesbesked` (`urn:oio:besked:kuvert:1.0`) as the second syntax of a message.
//!
//! | element | attribute |
//! |---|---|
//! | `BeskedId` | `id` |
//! | `Beskedkuvert/Filtreringsdata/Beskedtype` | `type` |
//! | `Beskedkuvert/Filtreringsdata/TilladtModtager` | `receiver` |
//! | `Beskedkuvert/Leveranceinformation/Dannelsestidspunkt` | `recordedtime` |
//! | `Beskedkuvert/Leveranceinformation/TransaktionsId` | `correlationid` |
//! | `Beskedkuvert/Leveranceinformation/Kildesystem` | `source` |
//! | `Beskedkuvert/GyldighedFra` | `time` |
//! | `Beskeddata` | the kind's XML |
//!
//! A value stands in the element itself, or as the envelope's own schema has it: in one
//! `UUIDIdentifikator`, `URNIdentifikator` or `TidsstempelDatoTid` of `urn:oio:sagdok:3.0.0`.
//! `BeskedVersion` may say 1.0. Anything else would be lost on the way, and is refused.

use serde_json::{Map, Value};

use super::{Content, Parts, mapping, mapping::NotXml, pointer, xml, xml::Element};
use crate::domain::{Event, FaultCode, Text, Violation};

/// The envelope's namespace.
pub const ENVELOPE: &str = "urn:oio:besked:kuvert:1.0";

/// The namespace of identifiers and times inside the envelope.
const SAGDOK: &str = "urn:oio:sagdok:3.0.0";

/// Whether a document is such an envelope.
pub(super) fn is_envelope(root: &Element) -> bool {
    root.is(ENVELOPE, "Haendelsesbesked")
}

/// Splits an envelope into attributes and content.
pub(super) fn read(root: Element, violations: &mut Vec<Violation>) -> Parts<'static> {
    let mut reading = Reading { attributes: Map::new(), content: None, violations };
    reading.attributes.insert("specversion".into(), "1.0".into());
    if is_envelope(&root) {
        reading.container(root, "/Haendelsesbesked");
    }
    let content = reading.content.unwrap_or(Content::Missing);
    Parts { attributes: reading.attributes, content }
}

struct Reading<'a> {
    attributes: Map<String, Value>,
    content: Option<Content<'static>>,
    violations: &'a mut Vec<Violation>,
}

impl Reading<'_> {
    /// Reads an element that holds others; it calls itself no deeper than the envelope's two levels.
    fn container(&mut self, element: Element, path: &str) {
        if !element.text.trim().is_empty() {
            self.violations.push(not_carried(path.to_owned()));
        }
        for child in element.children {
            let at = pointer::join(path, &child.name);
            if &*child.namespace != ENVELOPE {
                self.violations.push(not_carried(at));
                continue;
            }
            match (element.name.as_str(), child.name.as_str()) {
                ("Haendelsesbesked", "BeskedId") => self.attribute("id", &child, at),
                ("Haendelsesbesked", "BeskedVersion") if value(&child).as_deref() == Some("1.0") => {}
                ("Haendelsesbesked", "Beskedkuvert")
                | ("Beskedkuvert", "Filtreringsdata" | "Leveranceinformation") => self.container(child, &at),
                ("Haendelsesbesked", "Beskeddata") => self.data(child, at),
                ("Beskedkuvert", "GyldighedFra") => self.attribute("time", &child, at),
                ("Filtreringsdata", "Beskedtype") => self.attribute("type", &child, at),
                ("Filtreringsdata", "TilladtModtager") => self.attribute("receiver", &child, at),
                ("Leveranceinformation", "Dannelsestidspunkt") => self.attribute("recordedtime", &child, at),
                ("Leveranceinformation", "TransaktionsId") => self.attribute("correlationid", &child, at),
                ("Leveranceinformation", "Kildesystem") => self.attribute("source", &child, at),
                _ => self.violations.push(not_carried(at)),
            }
        }
    }

    fn attribute(&mut self, name: &str, element: &Element, at: String) {
        match value(element) {
            None => self.violations.push(not_carried(at)),
            Some(value) => {
                if self.attributes.insert(name.to_owned(), value.into()).is_some() {
                    self.violations.push(repeated(at));
                }
            }
        }
    }

    fn data(&mut self, element: Element, at: String) {
        if self.content.is_some() {
            return self.violations.push(repeated(at));
        }
        let mut children = element.children.into_iter();
        self.content = Some(match (children.next(), children.next()) {
            (None, _) if element.text.trim().is_empty() => Content::Missing,
            (Some(data), None) => Content::Xml(data),
            _ => {
                self.violations.push(not_carried(at));
                Content::Refused
            }
        });
    }
}

/// The text of an element, or of the one identifier or time it holds.
fn value(element: &Element) -> Option<String> {
    let holder = match element.children.as_slice() {
        [] => element,
        [only]
            if ["UUIDIdentifikator", "URNIdentifikator", "TidsstempelDatoTid"]
                .iter()
                .any(|name| only.is(SAGDOK, name)) =>
        {
            only
        }
        _ => return None,
    };
    holder.children.is_empty().then(|| holder.text.trim().to_owned())
}

/// An event that the envelope cannot hold.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotKombit {
    #[error("a Haendelsesbesked has no place for the attribute {0}")]
    Attribute(&'static str),
    #[error(transparent)]
    Data(#[from] NotXml),
}

/// Writes an event as a `Haendelsesbesked`. The trace is left out: it belongs to the transport.
///
/// # Errors
/// See [`NotKombit`].
pub fn write(event: &Event) -> Result<String, NotKombit> {
    let envelope = &event.envelope;
    for (name, value) in [
        ("agreement", &envelope.agreement),
        ("subject", &envelope.subject),
        ("causationid", &envelope.causation_id),
    ] {
        if value.is_some() {
            return Err(NotKombit::Attribute(name));
        }
    }
    let mut out = Writing { out: String::with_capacity(2048) };
    out.push("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    out.push(&format!("<k:Haendelsesbesked xmlns:k=\"{ENVELOPE}\" xmlns:s=\"{SAGDOK}\">"));
    out.identifier("BeskedId", envelope.id.as_str());
    out.push("<k:BeskedVersion>1.0</k:BeskedVersion><k:Beskedkuvert><k:Filtreringsdata>");
    out.identifier("Beskedtype", &envelope.kind.event_type());
    out.identifier("TilladtModtager", &envelope.receiver.to_string());
    out.push("</k:Filtreringsdata><k:Leveranceinformation>");
    if let Some(recorded) = envelope.recorded {
        out.value("Dannelsestidspunkt", "TidsstempelDatoTid", &recorded.to_string());
    }
    if let Some(correlation) = &envelope.correlation_id {
        out.identifier("TransaktionsId", correlation);
    }
    out.identifier("Kildesystem", &envelope.source.to_string());
    out.push("</k:Leveranceinformation>");
    out.value("GyldighedFra", "TidsstempelDatoTid", &envelope.time.to_string());
    out.push("</k:Beskedkuvert><k:Beskeddata>");
    out.push(&mapping::write(&envelope.kind, &event.data)?);
    out.push("</k:Beskeddata></k:Haendelsesbesked>\n");
    Ok(out.out)
}

struct Writing {
    out: String,
}

impl Writing {
    fn push(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn identifier(&mut self, name: &str, value: &str) {
        let is_uuid = value.len() == 36 && uuid::Uuid::try_parse(value).is_ok();
        self.value(name, if is_uuid { "UUIDIdentifikator" } else { "URNIdentifikator" }, value);
    }

    fn value(&mut self, name: &str, holder: &str, value: &str) {
        self.push(&format!("<k:{name}><s:{holder}>"));
        xml::escape_into(&mut self.out, value);
        self.push(&format!("</s:{holder}></k:{name}>"));
    }
}

/// The violation of a document that is no such envelope.
pub(super) fn wrong_root() -> Violation {
    let text = Text::new(
        format!("XML uden CloudEvents-headere skal være en Haendelsesbesked i navnerummet {ENVELOPE}."),
        format!("XML without CloudEvents headers must be a Haendelsesbesked in the namespace {ENVELOPE}."),
    );
    Violation::error("", "kombit.root", FaultCode::EnvelopeWrong, text)
        .expected(format!("{{{ENVELOPE}}}Haendelsesbesked"))
}

fn not_carried(at: String) -> Violation {
    let text = Text::new(
        "Dette i kuverten kan ikke føres videre og modtages derfor ikke.",
        "This in the envelope cannot be passed on and so is not taken.",
    );
    Violation::error(at, "kombit.element", FaultCode::EnvelopeWrong, text)
        .expected("the elements that have an attribute in CloudEvents, each with one value")
}

fn repeated(at: String) -> Violation {
    let text = Text::new("Elementet må kun stå én gang.", "The element may stand only once.");
    Violation::error(at, "kombit.repeated", FaultCode::DuplicateKey, text).expected("once")
}
