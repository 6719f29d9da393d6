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
//! | `Beskedkuvert/Filtreringsdata/RelateretObjekt` of the type `urn:dk:kassebro:subject` | `subject` |
//! | … of the type `urn:dk:kassebro:agreement` | `agreement` |
//! | … of the type `urn:dk:kassebro:causation` | `causationid` |
//! | `Beskeddata` | the kind's XML |
//!
//! A value stands in the element itself, or as the envelope's own schema has it: in one
//! `UUIDIdentifikator`, `URNIdentifikator` or `TidsstempelDatoTid` of `urn:oio:sagdok:3.0.0`.
//! `BeskedVersion` may say 1.0. Anything else would be lost on the way, and is refused.

use serde_json::{Map, Value};

use super::{Content, Limits, Parts, mapping, mapping::NotXml, pointer, xml, xml::Element};
use crate::domain::{Event, FaultCode, Text, Violation};

/// The envelope's namespace.
pub const ENVELOPE: &str = "urn:oio:besked:kuvert:1.0";

/// The namespace of identifiers and times inside the envelope.
const SAGDOK: &str = "urn:oio:sagdok:3.0.0";

/// What a `RelateretObjekt` may be, and the attribute that its id is.
const RELATED: [(&str, &str); 3] = [
    ("urn:dk:kassebro:subject", "subject"),
    ("urn:dk:kassebro:agreement", "agreement"),
    ("urn:dk:kassebro:causation", "causationid"),
];

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
                ("Filtreringsdata", "RelateretObjekt") => self.related(&child, at),
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
            Some(value) => self.put(name, value, at),
        }
    }

    fn put(&mut self, name: &str, value: String, at: String) {
        if self.attributes.insert(name.to_owned(), value.into()).is_some() {
            self.violations.push(repeated(at));
        }
    }

    /// An object that the message is about: its id and its type, in this order.
    fn related(&mut self, element: &Element, at: String) {
        let [id, kind] = element.children.as_slice() else { return self.violations.push(not_carried(at)) };
        let known = (id.is(ENVELOPE, "ObjektId") && kind.is(ENVELOPE, "ObjektType"))
            .then(|| value(kind))
            .flatten()
            .and_then(|kind| RELATED.into_iter().find(|(urn, _)| *urn == kind));
        match (known, value(id)) {
            (Some((_, name)), Some(id)) => self.put(name, id, at),
            _ => self.violations.push(not_carried(at)),
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

/// Writes an event as a `Haendelsesbesked`. The trace is left out: it belongs to the transport.
///
/// # Errors
/// Data that XML cannot carry.
pub fn write(event: &Event) -> Result<String, NotXml> {
    let envelope = &event.envelope;
    let mut out = Writing { out: String::with_capacity(2048) };
    out.push("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    out.push(&format!("<k:Haendelsesbesked xmlns:k=\"{ENVELOPE}\" xmlns:s=\"{SAGDOK}\">"));
    out.identifier("BeskedId", envelope.id.as_str());
    out.push("<k:BeskedVersion>1.0</k:BeskedVersion><k:Beskedkuvert><k:Filtreringsdata>");
    out.identifier("Beskedtype", &envelope.kind.event_type());
    out.identifier("TilladtModtager", &envelope.receiver.to_string());
    for ((kind, _), id) in RELATED.into_iter().zip(related(event)) {
        let Some(id) = id else { continue };
        out.push("<k:RelateretObjekt>");
        out.identifier("ObjektId", id);
        out.identifier("ObjektType", kind);
        out.push("</k:RelateretObjekt>");
    }
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

/// The ids of [`RELATED`] in an event, in the same order.
fn related(event: &Event) -> [Option<&str>; 3] {
    let envelope = &event.envelope;
    [&envelope.subject, &envelope.agreement, &envelope.causation_id].map(Option::as_deref)
}

/// Where a written envelope says something else than the event: the first such place, as a JSON Pointer.
pub fn differs(written: &str, event: &Event) -> Option<String> {
    let Ok(root) = xml::read(written.as_bytes(), &Limits::default()) else { return Some(String::new()) };
    let mut violations = Vec::new();
    let read = self::read(root, &mut violations);
    if let Some(violation) = violations.into_iter().next() {
        return Some(violation.pointer);
    }
    let envelope = &event.envelope;
    let [subject, agreement, causation] = related(event).map(|id| id.map(str::to_owned));
    let meant = [
        ("id", Some(envelope.id.to_string())),
        ("type", Some(envelope.kind.event_type())),
        ("source", Some(envelope.source.to_string())),
        ("receiver", Some(envelope.receiver.to_string())),
        ("time", Some(envelope.time.to_string())),
        ("recordedtime", envelope.recorded.map(|at| at.to_string())),
        ("correlationid", envelope.correlation_id.clone()),
        ("subject", subject),
        ("agreement", agreement),
        ("causationid", causation),
    ];
    let other = |(name, meant): &(&str, Option<String>)| {
        read.attributes.get(*name).and_then(Value::as_str) != meant.as_deref()
    };
    if let Some((name, _)) = meant.iter().find(|attribute| other(attribute)) {
        return Some(format!("/{name}"));
    }
    match read.content {
        Content::Xml(data) => mapping::differs(&data, &envelope.kind, &event.data),
        _ => Some("/data".to_owned()),
    }
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
