//! KOMBIT's `Haendelsesbesked`, read by somebody else than who writes it: its elements, where they stand, and in
//! which order.

use quick_xml::{NsReader, events::Event, name::ResolveResult};

use super::{Found, rule};

const ENVELOPE: &str = "urn:oio:besked:kuvert:1.0";
const SAGDOK: &str = "urn:oio:sagdok:3.0.0";

/// What an element may hold, in this order.
const CHILDREN: &[(&str, &[&str])] = &[
    ("Haendelsesbesked", &["BeskedId", "BeskedVersion", "Beskedkuvert", "Beskeddata"]),
    ("Beskedkuvert", &["Filtreringsdata", "Leveranceinformation", "GyldighedFra", "GyldighedTil"]),
    (
        "Filtreringsdata",
        &[
            "Beskedtype",
            "BeskedAnsvarligAktoer",
            "TilladtModtager",
            "RelateretObjekt",
            "ObjektRegistrering",
            "TvaergaaendeProces",
        ],
    ),
    ("RelateretObjekt", &["ObjektId", "ObjektType", "ObjektRolle"]),
    (
        "Leveranceinformation",
        &[
            "Dannelsestidspunkt",
            "TransaktionsId",
            "Kildesystem",
            "Sikkerhedsklassificering",
            "Leveranceruter",
        ],
    ),
];

/// What must be there.
const REQUIRED: [&str; 6] =
    ["BeskedId", "Beskedkuvert", "Beskedtype", "Kildesystem", "GyldighedFra", "Beskeddata"];

/// What a document says of itself.
#[derive(Debug)]
pub(crate) struct Envelope {
    /// Empty where `BeskedId` is missing or empty.
    pub(crate) id: String,
    pub(crate) check: Found,
}

pub(super) struct Element {
    pub(super) namespace: String,
    pub(super) name: String,
    /// The place of the one that it stands in.
    pub(super) parent: Option<usize>,
    pub(super) text: String,
}

/// Reads it. `None`: not well-formed, or no envelope at all.
pub(crate) fn read(body: &[u8]) -> Option<Envelope> {
    let elements = elements(body)?;
    let root = elements.first()?;
    if root.namespace != ENVELOPE || root.name != "Haendelsesbesked" {
        return None;
    }
    let id = elements
        .iter()
        .find(|e| e.parent.is_some_and(|at| elements[at].name == "BeskedId"))
        .map(|e| e.text.trim().to_owned());
    Some(Envelope { id: id.unwrap_or_default(), check: check(&elements) })
}

fn check(elements: &[Element]) -> Found {
    for (place, element) in elements.iter().enumerate().filter(|(_, e)| e.namespace == ENVELOPE) {
        let children: Vec<&Element> = elements.iter().filter(|e| e.parent == Some(place)).collect();
        match CHILDREN.iter().find(|(name, _)| *name == element.name) {
            Some((_, order)) => {
                let places: Option<Vec<usize>> =
                    children.iter().map(|child| order.iter().position(|name| *name == child.name)).collect();
                rule(places.as_ref().is_some(), "an element that the envelope does not have")?;
                rule(places.is_some_and(|places| places.is_sorted()), "elements out of order")?;
            }
            None if ["BeskedVersion", "Beskeddata"].contains(&element.name.as_str()) => {}
            None => {
                let holder = matches!(&*children, [only] if only.namespace == SAGDOK);
                rule(holder, "a value without its identifier or time")?;
            }
        }
    }
    let has = |name: &&str| elements.iter().any(|e| e.namespace == ENVELOPE && e.name == *name);
    rule(REQUIRED.iter().all(has), "an element is missing")?;
    let data = elements.iter().position(|e| e.namespace == ENVELOPE && e.name == "Beskeddata");
    rule(elements.iter().filter(|e| e.parent == data).count() == 1, "not one message in Beskeddata")
}

/// All of a document's elements, in its order. `None`: not well-formed.
pub(super) fn elements(body: &[u8]) -> Option<Vec<Element>> {
    let mut reader = NsReader::from_str(std::str::from_utf8(body).ok()?);
    let (mut elements, mut open): (Vec<Element>, Vec<usize>) = (Vec::new(), Vec::new());
    loop {
        let (namespace, event) = reader.read_resolved_event().ok()?;
        let namespace = match namespace {
            ResolveResult::Bound(namespace) => namespace.as_ref().to_owned(),
            ResolveResult::Unbound => String::new(),
            ResolveResult::Unknown(_) => return None,
        };
        match event {
            Event::Start(start) => {
                let name = start.local_name().as_ref().to_owned();
                elements.push(Element { namespace, name, parent: open.last().copied(), text: String::new() });
                open.push(elements.len() - 1);
            }
            Event::Empty(empty) => {
                let name = empty.local_name().as_ref().to_owned();
                elements.push(Element { namespace, name, parent: open.last().copied(), text: String::new() });
            }
            Event::Text(text) => {
                if let Some(at) = open.last() {
                    elements[*at].text.push_str(&text);
                }
            }
            Event::End(_) => {
                open.pop()?;
            }
            Event::Eof => return open.is_empty().then_some(elements),
            _ => {}
        }
    }
}
