//! XML 1.0 with namespaces, read strictly and within limits into a small tree; and text written as XML.
//!
//! A subset on purpose: elements, text and comments between elements. There is no document type, no entity
//! but the five predefined ones, no processing instruction, and no attribute but namespace declarations and
//! the two schema locations, which are passed over and never fetched. The text of an element is one piece:
//! readers disagree on text that a comment or a CDATA section splits, so such a text is refused.

use std::sync::Arc;

use quick_xml::{
    NsReader,
    events::{BytesCData, BytesDecl, BytesRef, BytesStart, BytesText, Event},
    name::{PrefixDeclaration, ResolveResult},
};

use super::{Limits, json, text};
use crate::domain::{FaultCode, Text, Violation};

const SCHEMA_INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// An element: either of child elements or of text, never of both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// The URI its prefix stands for; empty where it is in no namespace.
    pub namespace: Arc<str>,
    /// Its name without the prefix.
    pub name: String,
    /// Its text as it stands, spaces included, line ends as LF; empty where there are children.
    pub text: String,
    pub children: Vec<Element>,
}

impl Element {
    pub fn is(&self, namespace: &str, name: &str) -> bool {
        &*self.namespace == namespace && self.name == name
    }
}

/// A document that could not be read to its end.
#[derive(Debug)]
pub struct Broken {
    pub violation: Violation,
    /// The tree as far as it had been read.
    pub read: Option<Element>,
}

/// Reads one XML document.
///
/// # Errors
/// The first thing that is wrong: whatever the module's first lines leave out, what is not well-formed, text
/// beside child elements, an undeclared prefix, UTF-16 or a declared encoding other than UTF-8, control
/// characters other than TAB, LF and CR, and more depth, elements, attributes or bytes than `limits`.
pub fn read(bytes: &[u8], limits: &Limits) -> Result<Element, Box<Broken>> {
    let mut tree = Tree { limits, open: Vec::new(), root: None, elements: 0, namespaces: Vec::new() };
    tree.document(bytes).map_err(|violation| Box::new(Broken { violation, read: tree.so_far() }))
}

/// An element whose end tag has not come yet.
struct Open {
    element: Element,
    /// A reference or a run of characters has been added to the text.
    plain: bool,
    /// CDATA sections so far.
    sections: usize,
    comments: bool,
}

struct Tree<'a> {
    limits: &'a Limits,
    open: Vec<Open>,
    root: Option<Element>,
    elements: usize,
    /// Every namespace met, kept once.
    namespaces: Vec<Arc<str>>,
}

impl Tree<'_> {
    fn document(&mut self, bytes: &[u8]) -> Result<Element, Violation> {
        if bytes.len() > self.limits.body_bytes {
            return Err(json::too_large(bytes.len(), self.limits));
        }
        let document = text::utf8(bytes)?;
        text::check("", document)?;
        let mut reader = NsReader::from_str(document);
        reader.config_mut().check_comments = true;
        reader.resolver_mut().set_max_namespace_bindings(self.limits.attributes);
        loop {
            let at = reader.buffer_position();
            let event = reader.read_event().map_err(|error| malformed(&reader, &error))?;
            match event {
                Event::Decl(declaration) if at == 0 => check_declaration(&declaration)?,
                Event::Decl(_) => return Err(syntax(at, "en erklæring kun forrest", "a declaration at the front only")),
                Event::Start(start) => self.start(&reader, &start, at)?,
                Event::Empty(start) => {
                    self.start(&reader, &start, at)?;
                    self.end()?;
                }
                Event::End(_) => self.end()?,
                Event::Text(chunk) => self.characters(&chunk, at)?,
                Event::GeneralRef(reference) => self.reference(&reference, at)?,
                Event::CData(section) => self.section(&section, at)?,
                Event::Comment(_) => {
                    if let Some(open) = self.open.last_mut() {
                        open.comments = true;
                    }
                }
                Event::PI(_) => {
                    return Err(syntax(at, "ingen behandlingsinstruktioner", "no processing instructions"));
                }
                Event::DocType(_) => return Err(dtd("dokumenttype (DOCTYPE)", "document type (DOCTYPE)")),
                Event::Eof => break,
            }
        }
        if !self.open.is_empty() {
            return Err(syntax(reader.buffer_position(), "et sluttag", "an end tag"));
        }
        self.root.take().ok_or_else(|| syntax(0, "et element", "an element"))
    }

    fn start(&mut self, reader: &NsReader<&[u8]>, start: &BytesStart, at: u64) -> Result<(), Violation> {
        if self.open.is_empty() && self.root.is_some() {
            return Err(syntax(at, "kun ét rodelement", "one root element only"));
        }
        if self.open.len() >= self.limits.depth() {
            return Err(json::too_deep(String::new(), self.limits));
        }
        self.elements += 1;
        if self.elements > self.limits.nodes {
            return Err(json::too_many(String::new(), self.limits));
        }
        self.check_attributes(reader, start, at)?;
        let (namespace, name) = reader.resolver().resolve_element(start.name());
        let namespace = match namespace {
            ResolveResult::Bound(namespace) => namespace.into_inner(),
            ResolveResult::Unbound => "",
            ResolveResult::Unknown(_) => return Err(syntax(at, "et erklæret præfiks", "a declared prefix")),
        };
        let name = name.into_inner();
        let prefix_fits = start.name().prefix().is_none_or(|prefix| is_name(prefix.into_inner()));
        if !is_name(name) || !prefix_fits {
            return Err(syntax(at, "et elementnavn af a-z, A-Z, 0-9, _, - og .", "an element name of a-z, A-Z, 0-9, _, - and ."));
        }
        let namespace = self.intern(namespace);
        let element = Element { namespace, name: name.to_owned(), text: String::new(), children: Vec::new() };
        self.open.push(Open { element, plain: false, sections: 0, comments: false });
        Ok(())
    }

    fn check_attributes(&self, reader: &NsReader<&[u8]>, start: &BytesStart, at: u64) -> Result<(), Violation> {
        if start.attributes_raw().contains('<') {
            return Err(syntax(at, "&lt; i stedet for < i en attribut", "&lt; instead of < in an attribute"));
        }
        for (index, attribute) in start.attributes().enumerate() {
            if index >= self.limits.attributes {
                return Err(too_many_attributes(self.limits));
            }
            let attribute = attribute.map_err(|_| syntax(at, "velformede attributter, hver én gang", "well-formed attributes, each once"))?;
            match attribute.key.as_namespace_binding() {
                Some(PrefixDeclaration::Named(_)) if attribute.value.is_empty() => {
                    return Err(syntax(at, "et navnerum til præfikset", "a namespace for the prefix"));
                }
                Some(_) => continue,
                None => {}
            }
            let (namespace, name) = reader.resolver().resolve_attribute(attribute.key);
            let location = matches!(name.into_inner(), "schemaLocation" | "noNamespaceSchemaLocation");
            match namespace {
                ResolveResult::Bound(namespace) if namespace.into_inner() == SCHEMA_INSTANCE && location => {}
                _ => return Err(unknown_attribute(name.into_inner())),
            }
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), Violation> {
        let mut open = self.open.pop().expect("the reader refuses an end tag without a start tag");
        if open.element.children.is_empty() {
            let pieces = usize::from(open.plain) + open.sections + usize::from(open.comments);
            if pieces > 1 {
                return Err(split_text(&open.element.name));
            }
        } else {
            if open.sections > 0 || !open.element.text.bytes().all(is_space) {
                return Err(mixed_content(&open.element.name));
            }
            open.element.text.clear();
        }
        self.put(open.element);
        Ok(())
    }

    fn put(&mut self, element: Element) {
        match self.open.last_mut() {
            Some(parent) => parent.element.children.push(element),
            None => self.root = Some(element),
        }
    }

    fn characters(&mut self, chunk: &BytesText, at: u64) -> Result<(), Violation> {
        let chunk = chunk.xml10_content();
        let Some(open) = self.open.last_mut() else {
            return if chunk.bytes().all(is_space) { Ok(()) } else { Err(outside_root(at)) };
        };
        if chunk.contains("]]>") {
            return Err(syntax(at, "]]&gt; i stedet for ]]>", "]]&gt; instead of ]]>"));
        }
        open.plain |= !chunk.is_empty();
        open.element.text.push_str(&chunk);
        Ok(())
    }

    fn reference(&mut self, reference: &BytesRef, at: u64) -> Result<(), Violation> {
        let Some(open) = self.open.last_mut() else { return Err(outside_root(at)) };
        open.plain = true;
        if reference.is_char_ref() {
            let character = reference.resolve_char_ref().ok().flatten();
            let character = character.ok_or_else(|| syntax(at, "en gyldig tegnreference", "a valid character reference"))?;
            if text::is_forbidden(character) {
                return Err(text::forbidden("", character));
            }
            open.element.text.push(character);
            return Ok(());
        }
        let known = quick_xml::escape::resolve_xml_entity(reference);
        open.element.text.push_str(known.ok_or_else(|| dtd("entitet", "entity"))?);
        Ok(())
    }

    fn section(&mut self, section: &BytesCData, at: u64) -> Result<(), Violation> {
        let Some(open) = self.open.last_mut() else { return Err(outside_root(at)) };
        open.sections += 1;
        open.element.text.push_str(&section.xml10_content());
        Ok(())
    }

    /// Declared namespaces are bounded, so a walk through those already met is short.
    fn intern(&mut self, namespace: &str) -> Arc<str> {
        if let Some(known) = self.namespaces.iter().rev().find(|known| &***known == namespace) {
            return Arc::clone(known);
        }
        let new: Arc<str> = Arc::from(namespace);
        if self.namespaces.len() < self.limits.attributes {
            self.namespaces.push(Arc::clone(&new));
        }
        new
    }

    /// Closes what is open, for a refusal that wants to name the message.
    fn so_far(&mut self) -> Option<Element> {
        while let Some(open) = self.open.pop() {
            self.put(open.element);
        }
        self.root.take()
    }
}

fn check_declaration(declaration: &BytesDecl) -> Result<(), Violation> {
    if declaration.version().is_ok_and(|version| version != "1.0") || declaration.version().is_err() {
        return Err(syntax(0, "XML-version 1.0", "XML version 1.0"));
    }
    match declaration.encoding() {
        None => Ok(()),
        Some(Ok(encoding)) if encoding.eq_ignore_ascii_case("utf-8") => Ok(()),
        Some(_) => {
            let text = Text::new("XML-erklæringen angiver en anden tegnkodning end UTF-8.", "The XML declaration names an encoding other than UTF-8.");
            Err(Violation::error("", "text.utf-8", FaultCode::NotUtf8, text).expected("UTF-8"))
        }
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Whether a text is a name in the alphabet that the formats use.
pub fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

fn syntax(at: u64, da: &str, en: &str) -> Violation {
    let text = Text::new(
        format!("Indholdet kan ikke læses som XML: ved byte {at} ventes {da}."),
        format!("The body cannot be read as XML: at byte {at} {en} is expected."),
    );
    Violation::error("", "xml.syntax", FaultCode::NotReadable, text).expected(en)
}

fn outside_root(at: u64) -> Violation {
    syntax(at, "intet indhold uden for rodelementet", "nothing outside the root element")
}

fn malformed(reader: &NsReader<&[u8]>, error: &quick_xml::Error) -> Violation {
    let at = reader.error_position();
    match error {
        quick_xml::Error::Namespace(_) => syntax(at, "tilladte navnerum", "namespaces that are allowed"),
        _ => syntax(at, "velformet XML", "well-formed XML"),
    }
}

fn dtd(da: &str, en: &str) -> Violation {
    let text = Text::new(
        format!("XML med {da} modtages ikke; kun &lt;, &gt;, &amp;, &quot;, &apos; og tegnreferencer kendes."),
        format!("XML with a {en} is not taken; only &lt;, &gt;, &amp;, &quot;, &apos; and character references are known."),
    );
    Violation::error("", "xml.dtd", FaultCode::DtdRefused, text).expected("no document type and no entities")
}

fn too_many_attributes(limits: &Limits) -> Violation {
    let limit = limits.attributes;
    let text = Text::new(
        format!("Et element har mere end {limit} attributter."),
        format!("An element has more than {limit} attributes."),
    );
    Violation::error("", "xml.attributes", FaultCode::TooDeep, text).expected(format!("at most {limit} attributes"))
}

fn unknown_attribute(name: &str) -> Violation {
    let text = Text::new("XML-attributter bruges ikke; værdier står i elementer.", "XML attributes are not used; values stand in elements.");
    Violation::error("", "xml.attribute", FaultCode::NotReadable, text)
        .expected("namespace declarations only")
        .masked(name)
}

fn split_text(name: &str) -> Violation {
    let text = Text::new(
        "Teksten i et element er delt af en kommentar eller en CDATA-sektion; send den i ét stykke.",
        "The text of an element is split by a comment or a CDATA section; send it in one piece.",
    );
    Violation::error("", "xml.split-text", FaultCode::NotReadable, text)
        .expected("text, or one CDATA section")
        .actual(text::excerpt(name, 64))
}

fn mixed_content(name: &str) -> Violation {
    let text = Text::new("Et element har både tekst og underelementer.", "An element has both text and child elements.");
    Violation::error("", "xml.mixed-content", FaultCode::NotReadable, text)
        .expected("text or child elements")
        .actual(text::excerpt(name, 64))
}

/// Appends text as XML character data. CR becomes a reference, or a reader would turn it into LF.
pub fn escape_into(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\r' => out.push_str("&#13;"),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests;
