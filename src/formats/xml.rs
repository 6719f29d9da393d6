//! Writing an XML document by a table, and reading it back against the event it was made of.

use std::borrow::Cow;

use quick_xml::{
    Reader,
    escape::{escape, partial_escape},
    events::{BytesRef, Event},
};
use serde_json::{Map, Value};

use super::mapping::{self, Differs, Field, Path, Shape};
use crate::{codec::text, domain::Violation};

/// What [`partial_escape`] escapes, as ranges.
const ESCAPED: [(u8, u8); 4] = [(b'<', b'<'), (b'>', b'>'), (b'&', b'&'), (b'\r', b'\r')];

/// A document being written. No indentation: white space would be content to whoever reads it.
pub struct Document {
    text: String,
    root: &'static str,
}

impl Document {
    /// Opens a document with its root element in the namespace. `bytes` is about how many it will have.
    pub fn new(root: &'static str, namespace: &'static str, bytes: usize) -> Self {
        let mut text = String::with_capacity(bytes);
        text.push_str(r#"<?xml version="1.0" encoding="UTF-8"?>"#);
        let mut document = Self { text, root };
        document.open_in(root, namespace);
        document
    }

    pub fn open(&mut self, name: &'static str) {
        self.text.push('<');
        self.text.push_str(name);
        self.text.push('>');
    }

    /// An element in another namespace, with all that stands in it.
    pub fn open_in(&mut self, name: &'static str, namespace: &'static str) {
        self.text.push('<');
        self.text.push_str(name);
        self.text.push_str(r#" xmlns=""#);
        self.text.push_str(&escape(namespace));
        self.text.push_str(r#"">"#);
    }

    /// An element that stands in this one as it is written, root and all.
    pub fn verbatim(&mut self, xml: &str) {
        self.text.push_str(xml);
    }

    pub fn close(&mut self, name: &'static str) {
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push('>');
    }

    /// An element with text. A carriage return is written `&#13;`, or a reader would take it for a line end.
    pub fn leaf(&mut self, name: &'static str, text: &str) {
        self.open(name);
        // Most texts hold nothing to escape, and the library looks at each byte by itself.
        if text::holds(text, ESCAPED) {
            self.text.push_str(&partial_escape(text));
        } else {
            self.text.push_str(text);
        }
        self.close(name);
    }

    /// The elements of a table, in its order.
    pub fn fields(
        &mut self,
        fields: &[Field],
        map: &Map<String, Value>,
        path: &Path<'_>,
        faults: &mut Vec<Violation>,
    ) {
        mapping::uncarried(fields, map, path, faults);
        for field in fields {
            let path = path.key(field.key);
            match (map.get(field.key), field.shape) {
                (None, Shape::CodeOr { codes, default }) => {
                    let theirs = codes.iter().find(|(canonical, _)| *canonical == default);
                    self.leaf(field.name, theirs.expect("a default is one of its codes").1);
                }
                (None, _) => {}
                (Some(Value::Object(group)), Shape::Group(inner)) => {
                    self.group(field.name, inner, group, &path, faults);
                }
                (Some(Value::Array(items)), Shape::Groups(inner)) => {
                    for (index, item) in items.iter().enumerate() {
                        match item {
                            Value::Object(group) => {
                                self.group(field.name, inner, group, &path.index(index), faults);
                            }
                            other => self.value(field, other, &path.index(index), faults),
                        }
                    }
                }
                (Some(Value::Array(items)), Shape::Texts { .. }) => {
                    for (index, item) in items.iter().enumerate() {
                        self.value(field, item, &path.index(index), faults);
                    }
                }
                (Some(value), _) => self.value(field, value, &path, faults),
            }
        }
    }

    fn group(
        &mut self,
        name: &'static str,
        fields: &[Field],
        map: &Map<String, Value>,
        path: &Path<'_>,
        faults: &mut Vec<Violation>,
    ) {
        self.open(name);
        self.fields(fields, map, path, faults);
        self.close(name);
    }

    fn value(&mut self, field: &Field, value: &Value, path: &Path<'_>, faults: &mut Vec<Violation>) {
        match mapping::encode(field.shape, value, path) {
            Ok(text) => self.leaf(field.name, &text),
            Err(violation) => faults.push(*violation),
        }
    }

    /// Closes the root and hands over the text.
    pub fn finish(mut self) -> String {
        self.close(self.root);
        self.text
    }
}

/// A document being read back, element by element, in the order it must have.
pub struct Reading<'b> {
    reader: Reader<&'b [u8]>,
}

/// The document is not what was expected at this place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAsWritten;

impl<'b> Reading<'b> {
    /// Begins at a root element in its namespace.
    ///
    /// # Errors
    /// Another root, another namespace, or no XML.
    pub fn new(xml: &'b str, root: &str, namespace: &str) -> Result<Self, NotAsWritten> {
        let mut reading = Self { reader: Reader::from_str(xml) };
        let Event::Decl(_) = reading.next()? else {
            return Err(NotAsWritten);
        };
        let Event::Start(start) = reading.next()? else {
            return Err(NotAsWritten);
        };
        let declared = start.try_get_attribute("xmlns").ok().flatten().ok_or(NotAsWritten)?;
        if start.name().as_ref() != root || declared.value.as_ref() != namespace {
            return Err(NotAsWritten);
        }
        Ok(reading)
    }

    fn next(&mut self) -> Result<Event<'b>, NotAsWritten> {
        self.reader.read_event().map_err(|_| NotAsWritten)
    }

    /// The next thing is the start of that element.
    pub fn open(&mut self, name: &str) -> Result<(), NotAsWritten> {
        match self.next()? {
            Event::Start(start) if start.name().as_ref() == name => Ok(()),
            _ => Err(NotAsWritten),
        }
    }

    /// The next thing is the start of that element in another namespace.
    pub fn open_in(&mut self, name: &str, namespace: &str) -> Result<(), NotAsWritten> {
        let Event::Start(start) = self.next()? else { return Err(NotAsWritten) };
        let declared = start.try_get_attribute("xmlns").ok().flatten().ok_or(NotAsWritten)?;
        let same = start.name().as_ref() == name && declared.value.as_ref() == namespace;
        if same { Ok(()) } else { Err(NotAsWritten) }
    }

    /// The next thing is that element; gives what stands in it, as it is written.
    pub fn verbatim(&mut self, name: &str) -> Result<Cow<'b, str>, NotAsWritten> {
        let Event::Start(start) = self.next()? else { return Err(NotAsWritten) };
        if start.name().as_ref() != name {
            return Err(NotAsWritten);
        }
        Ok(self.reader.read_text(start.name()).map_err(|_| NotAsWritten)?.into_inner())
    }

    /// The next thing is the end of the open element.
    pub fn close(&mut self) -> Result<(), NotAsWritten> {
        match self.next()? {
            Event::End(_) => Ok(()),
            _ => Err(NotAsWritten),
        }
    }

    /// The next thing is that element with text and nothing else in it.
    pub fn leaf(&mut self, name: &str) -> Result<Cow<'b, str>, NotAsWritten> {
        self.open(name)?;
        let mut text = Cow::Borrowed("");
        loop {
            match self.next()? {
                Event::Text(piece) => append(&mut text, piece.xml10_content()),
                Event::GeneralRef(reference) => append(&mut text, resolve(&reference)?),
                Event::End(_) => return Ok(text),
                _ => return Err(NotAsWritten),
            }
        }
    }

    /// The elements of a table, each saying what the canonical data says, and no others.
    ///
    /// # Errors
    /// The first element that is missing, out of place or says something else.
    pub fn fields(
        &mut self,
        fields: &[Field],
        map: &Map<String, Value>,
        path: &Path<'_>,
    ) -> Result<(), Differs> {
        for field in fields {
            let path = path.key(field.key);
            match (map.get(field.key), field.shape) {
                (None, Shape::CodeOr { default, .. }) => self.value(field, &Value::from(default), &path)?,
                (None, _) => {}
                (Some(Value::Object(group)), Shape::Group(inner)) => {
                    self.group(field.name, inner, group, &path)?;
                }
                (Some(Value::Array(items)), Shape::Groups(inner)) => {
                    for (index, item) in items.iter().enumerate() {
                        let path = path.index(index);
                        let group = item.as_object().ok_or_else(|| mapping::differs(path.pointer()))?;
                        self.group(field.name, inner, group, &path)?;
                    }
                }
                (Some(Value::Array(items)), Shape::Texts { .. }) => {
                    for (index, item) in items.iter().enumerate() {
                        self.value(field, item, &path.index(index))?;
                    }
                }
                (Some(value), _) => self.value(field, value, &path)?,
            }
        }
        Ok(())
    }

    fn group(
        &mut self,
        name: &str,
        fields: &[Field],
        map: &Map<String, Value>,
        path: &Path<'_>,
    ) -> Result<(), Differs> {
        self.open(name).map_err(|_| mapping::differs(path.pointer()))?;
        self.fields(fields, map, path)?;
        self.close().map_err(|_| mapping::differs(path.pointer()))
    }

    fn value(&mut self, field: &Field, value: &Value, path: &Path<'_>) -> Result<(), Differs> {
        match self.leaf(field.name) {
            Ok(text) if mapping::says(field.shape, value, &text) => Ok(()),
            _ => Err(mapping::differs(path.pointer())),
        }
    }

    /// The root ends here, and with it the document.
    ///
    /// # Errors
    /// Anything more.
    pub fn finish(mut self) -> Result<(), NotAsWritten> {
        self.close()?;
        match self.next()? {
            Event::Eof => Ok(()),
            _ => Err(NotAsWritten),
        }
    }
}

/// Adds a piece; a text in one piece stays borrowed.
fn append<'b>(text: &mut Cow<'b, str>, piece: Cow<'b, str>) {
    if text.is_empty() {
        *text = piece;
    } else {
        text.to_mut().push_str(&piece);
    }
}

/// What a reference stands for: a character number, or one of XML's five.
fn resolve(reference: &BytesRef<'_>) -> Result<Cow<'static, str>, NotAsWritten> {
    if let Some(character) = reference.resolve_char_ref().map_err(|_| NotAsWritten)? {
        return Ok(Cow::Owned(character.to_string()));
    }
    match reference.xml10_content().as_ref() {
        "amp" => Ok(Cow::Borrowed("&")),
        "lt" => Ok(Cow::Borrowed("<")),
        "gt" => Ok(Cow::Borrowed(">")),
        "quot" => Ok(Cow::Borrowed("\"")),
        "apos" => Ok(Cow::Borrowed("'")),
        _ => Err(NotAsWritten),
    }
}

#[cfg(test)]
mod tests;
