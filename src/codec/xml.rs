//! XML 1.0 with namespaces, read strictly and within limits into a small tree; and text written as XML.
//!
//! A subset on purpose: elements, text and comments between elements. There is no document type, no entity
//! but the five predefined ones, no processing instruction, and no attribute but namespace declarations and
//! the two schema locations, which are passed over and never fetched. The text of an element is one piece:
//! readers disagree on text that a comment or a CDATA section splits, so such a text is refused.

use std::sync::Arc;

use quick_xml::{
    NsReader,
    events::{BytesCData, BytesRef, BytesStart, BytesText, Event},
    name::{PrefixDeclaration, ResolveResult},
};

use super::{Limits, text};
use crate::domain::Violation;

mod attributes;
mod refusals;

use attributes::{check_declaration, pairs};
use refusals::{dtd, malformed, mixed_content, outside_root, split_text, syntax, unknown_attribute};

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
    tree.document(bytes).map_err(|violation| Box::new(Broken { violation: *violation, read: tree.so_far() }))
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
    fn document(&mut self, bytes: &[u8]) -> Result<Element, Box<Violation>> {
        if bytes.len() > self.limits.body_bytes {
            return Err(self.limits.too_large(bytes.len()));
        }
        let document = text::utf8(bytes)?;
        text::check("", document)?;
        let mut reader = NsReader::from_str(document);
        reader.config_mut().check_comments = true;
        reader.resolver_mut().set_max_namespace_bindings(self.limits.attributes);
        loop {
            let at = reader.buffer_position();
            let event = reader.read_event().map_err(|error| malformed(reader.error_position(), &error))?;
            match event {
                Event::Decl(_) if at == 0 => {
                    let end = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
                    check_declaration(document.get(..end).unwrap_or_default())?;
                }
                Event::Decl(_) => {
                    return Err(syntax(at, "en erklæring kun forrest", "a declaration at the front only"));
                }
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

    fn start(&mut self, reader: &NsReader<&[u8]>, start: &BytesStart, at: u64) -> Result<(), Box<Violation>> {
        if self.open.is_empty() && self.root.is_some() {
            return Err(syntax(at, "kun ét rodelement", "one root element only"));
        }
        if self.open.len() >= self.limits.depth() {
            return Err(self.limits.too_deep(String::new()));
        }
        self.elements += 1;
        if self.elements > self.limits.nodes {
            return Err(self.limits.too_many(String::new()));
        }
        self.check_attributes(reader, start, at)?;
        if pairs(start.attributes_raw()).is_none() {
            return Err(syntax(at, "velformede attributter", "well-formed attributes"));
        }
        let (namespace, name) = reader.resolver().resolve_element(start.name());
        let namespace = match namespace {
            ResolveResult::Bound(namespace) => namespace.into_inner(),
            ResolveResult::Unbound => "",
            ResolveResult::Unknown(_) => return Err(syntax(at, "et erklæret præfiks", "a declared prefix")),
        };
        let name = name.into_inner();
        let prefix_fits = start.name().prefix().is_none_or(|prefix| is_name(prefix.into_inner()));
        if !is_name(name) || !prefix_fits {
            return Err(syntax(
                at,
                "et elementnavn af a-z, A-Z, 0-9, _, - og .",
                "an element name of a-z, A-Z, 0-9, _, - and .",
            ));
        }
        let namespace = self.intern(namespace);
        let element = Element { namespace, name: name.to_owned(), text: String::new(), children: Vec::new() };
        self.open.push(Open { element, plain: false, sections: 0, comments: false });
        Ok(())
    }

    fn check_attributes(
        &self,
        reader: &NsReader<&[u8]>,
        start: &BytesStart,
        at: u64,
    ) -> Result<(), Box<Violation>> {
        for (index, attribute) in start.attributes().enumerate() {
            if index >= self.limits.attributes {
                return Err(self.limits.too_many_attributes());
            }
            let attribute = attribute.map_err(|_| {
                syntax(at, "velformede attributter, hver én gang", "well-formed attributes, each once")
            })?;
            match attribute.key.as_namespace_binding() {
                Some(PrefixDeclaration::Named(prefix)) if !is_name(prefix) || attribute.value.is_empty() => {
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

    fn end(&mut self) -> Result<(), Box<Violation>> {
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

    fn characters(&mut self, chunk: &BytesText, at: u64) -> Result<(), Box<Violation>> {
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

    fn reference(&mut self, reference: &BytesRef, at: u64) -> Result<(), Box<Violation>> {
        let Some(open) = self.open.last_mut() else {
            return Err(outside_root(at));
        };
        open.plain = true;
        if reference.is_char_ref() {
            let character = reference.resolve_char_ref().ok().flatten();
            let character = character
                .ok_or_else(|| syntax(at, "en gyldig tegnreference", "a valid character reference"))?;
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

    fn section(&mut self, section: &BytesCData, at: u64) -> Result<(), Box<Violation>> {
        let Some(open) = self.open.last_mut() else {
            return Err(outside_root(at));
        };
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

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Whether a text is a name in the alphabet that the formats use.
pub fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
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
