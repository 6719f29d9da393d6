//! The data of a kind as XML, and back: the kind's JSON Schema says what each element is.
//!
//! Namespace `urn:dk:kassebro:<kind>:v<n>`, root the kind in upper camel case, children named as the schema's
//! properties in any order, lists as repeated elements. An empty list and no list are the same in XML.

use serde_json::{Map, Value};

use super::{Limits, limits::VIOLATIONS_MAX, number, pointer, text, xml, xml::Element};
use crate::domain::{FaultCode, KindId, Text, Violation};

/// References (`$ref`, `allOf`, …) followed in search of one property, so that a circle ends.
const REFERENCES_MAX: u32 = 32;

/// The namespace of a kind's XML: `urn:dk:kassebro:complaint:v1`.
pub fn namespace(kind: &KindId) -> String {
    format!("urn:dk:kassebro:{}:v{}", kind.name, kind.version)
}

/// The root of a kind's XML: `job_order` becomes `JobOrder`.
pub fn root(kind: &KindId) -> String {
    let mut root = String::with_capacity(kind.name.len());
    for word in kind.name.split('_') {
        let mut characters = word.chars();
        root.extend(characters.next().map(|first| first.to_ascii_uppercase()));
        root.push_str(characters.as_str());
    }
    root
}

/// Reads a kind's XML into its canonical data. What is wrong is added to `violations`, with pointers below
/// `/data`; a text that does not fit its type stays text, so that the schema reports it.
///
/// `None` where the root is another element, or an element is not one of the kind's.
pub fn read(
    element: &Element,
    kind: &KindId,
    schema: &Value,
    limits: &Limits,
    violations: &mut Vec<Violation>,
) -> Option<Value> {
    let namespace = namespace(kind);
    if !element.is(&namespace, &root(kind)) {
        violations.push(wrong_root(element, kind));
        return None;
    }
    let before = violations.len();
    let mut reading = Reading { namespace: &namespace, schema, depth_left: limits.depth(), violations };
    let data = reading.value(element, schema, "/data");
    (violations.len() == before).then_some(data)
}

struct Reading<'a> {
    namespace: &'a str,
    /// The whole schema, in which references are looked up.
    schema: &'a Value,
    depth_left: usize,
    violations: &'a mut Vec<Violation>,
}

impl Reading<'_> {
    fn value(&mut self, element: &Element, schema: &Value, at: &str) -> Value {
        let shape = Shape::of(self.schema, schema, REFERENCES_MAX);
        if shape == Shape::Object || !element.children.is_empty() {
            return self.object(element, schema, at);
        }
        let trimmed = element.text.trim_matches([' ', '\t', '\n', '\r']);
        match shape {
            Shape::Number => {
                number::parse(trimmed).map_or_else(|_| element.text.clone().into(), Value::Number)
            }
            Shape::Boolean => match trimmed {
                "true" | "1" => true.into(),
                "false" | "0" => false.into(),
                _ => element.text.clone().into(),
            },
            Shape::Text | Shape::Object | Shape::Array => element.text.clone().into(),
        }
    }

    fn object(&mut self, element: &Element, schema: &Value, at: &str) -> Value {
        if !element.text.trim_matches([' ', '\t', '\n', '\r']).is_empty() || self.depth_left == 0 {
            return element.text.clone().into();
        }
        self.depth_left -= 1;
        let mut members = Map::new();
        for child in &element.children {
            self.member(child, schema, at, &mut members);
        }
        self.depth_left += 1;
        Value::Object(members)
    }

    fn member(&mut self, child: &Element, schema: &Value, at: &str, members: &mut Map<String, Value>) {
        let at = pointer::join(at, &child.name);
        if &*child.namespace != self.namespace {
            return self.report(wrong_namespace(at, self.namespace));
        }
        let root = self.schema;
        let Some(property) = property(root, schema, &child.name, REFERENCES_MAX) else {
            return self.report(unknown_element(at));
        };
        if Shape::of(root, property, REFERENCES_MAX) == Shape::Array {
            let list = members.entry(child.name.as_str()).or_insert_with(|| Value::Array(Vec::new()));
            let Value::Array(items) = list else { return };
            let at = pointer::join(&at, &items.len().to_string());
            let item = items_of(root, property, REFERENCES_MAX).unwrap_or(&Value::Null);
            let value = self.value(child, item, &at);
            items.push(value);
        } else if members.contains_key(&child.name) {
            self.report(repeated_element(at));
        } else {
            let value = self.value(child, property, &at);
            members.insert(child.name.clone(), value);
        }
    }

    fn report(&mut self, violation: Violation) {
        if self.violations.len() < VIOLATIONS_MAX {
            self.violations.push(violation);
        }
    }
}

/// What a schema lets an element be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Text,
    Number,
    Boolean,
    Object,
    Array,
}

impl Shape {
    fn of(root: &Value, schema: &Value, left: u32) -> Self {
        Self::find(root, schema, left).unwrap_or(Self::Text)
    }

    /// The shape a schema names, itself or through a reference; the first that is not `null`.
    fn find(root: &Value, schema: &Value, left: u32) -> Option<Self> {
        let by_type = match schema.get("type") {
            Some(Value::String(name)) => Self::by_name(name),
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).find_map(Self::by_name),
            _ => None,
        };
        let by_keyword = || {
            let shape = [("properties", Self::Object), ("items", Self::Array), ("pattern", Self::Text)];
            shape.into_iter().find(|(keyword, _)| schema.get(keyword).is_some()).map(|(_, shape)| shape)
        };
        let by_value = || match schema.get("const").or_else(|| schema.get("enum")?.get(0))? {
            Value::Bool(_) => Some(Self::Boolean),
            Value::Number(_) => Some(Self::Number),
            _ => Some(Self::Text),
        };
        let left = left.checked_sub(1)?;
        by_type
            .or_else(by_keyword)
            .or_else(by_value)
            .or_else(|| parts(root, schema).find_map(|part| Self::find(root, part, left)))
    }

    fn by_name(name: &str) -> Option<Self> {
        match name {
            "string" => Some(Self::Text),
            "integer" | "number" => Some(Self::Number),
            "boolean" => Some(Self::Boolean),
            "object" => Some(Self::Object),
            "array" => Some(Self::Array),
            _ => None,
        }
    }
}

/// The schema of a property, wherever in the schema's parts it is described.
fn property<'s>(root: &'s Value, schema: &'s Value, name: &str, left: u32) -> Option<&'s Value> {
    let left = left.checked_sub(1)?;
    schema
        .get("properties")
        .and_then(|properties| properties.get(name))
        .or_else(|| parts(root, schema).find_map(|part| property(root, part, name, left)))
}

/// The schema of a list's items.
fn items_of<'s>(root: &'s Value, schema: &'s Value, left: u32) -> Option<&'s Value> {
    let left = left.checked_sub(1)?;
    schema.get("items").or_else(|| parts(root, schema).find_map(|part| items_of(root, part, left)))
}

/// The schemas that a schema is put together from.
fn parts<'s>(root: &'s Value, schema: &'s Value) -> impl Iterator<Item = &'s Value> {
    let reference = schema.get("$ref").and_then(Value::as_str);
    let referred = reference.and_then(|reference| root.pointer(reference.strip_prefix('#')?));
    let lists = ["allOf", "oneOf", "anyOf"].into_iter().filter_map(|keyword| schema.get(keyword)?.as_array());
    let branches = ["if", "then", "else"].into_iter().filter_map(|keyword| schema.get(keyword));
    referred.into_iter().chain(lists.flatten()).chain(branches)
}

/// Data that XML cannot carry: `null`, a list in a list, a name that is no XML name, a control character.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("XML cannot carry what stands at {pointer}")]
pub struct NotXml {
    pub pointer: String,
}

/// Writes canonical data as the kind's XML: the root element with its namespace, without a declaration.
///
/// # Errors
/// See [`NotXml`].
pub fn write(kind: &KindId, data: &Value) -> Result<String, NotXml> {
    let mut out = String::with_capacity(1024);
    let (root, namespace) = (root(kind), namespace(kind));
    out.extend(["<", &root, " xmlns=\"", &namespace, "\">"]);
    write_content(&mut out, data, "/data")?;
    out.extend(["</", &root, ">"]);
    Ok(out)
}

fn write_content(out: &mut String, value: &Value, at: &str) -> Result<(), NotXml> {
    let refused = || Err(NotXml { pointer: at.to_owned() });
    match value {
        Value::Object(members) => members.iter().try_for_each(|(name, member)| {
            let at = pointer::join(at, name);
            match member {
                Value::Array(items) => items.iter().try_for_each(|item| write_element(out, name, item, &at)),
                _ => write_element(out, name, member, &at),
            }
        }),
        Value::String(text) if text.chars().any(text::is_forbidden) => refused(),
        Value::String(text) => {
            xml::escape_into(out, text);
            Ok(())
        }
        Value::Bool(_) | Value::Number(_) => {
            out.push_str(&value.to_string());
            Ok(())
        }
        Value::Null | Value::Array(_) => refused(),
    }
}

fn write_element(out: &mut String, name: &str, value: &Value, at: &str) -> Result<(), NotXml> {
    if !xml::is_name(name) {
        return Err(NotXml { pointer: at.to_owned() });
    }
    out.extend(["<", name, ">"]);
    write_content(out, value, at)?;
    out.extend(["</", name, ">"]);
    Ok(())
}

/// Where a kind's XML says something else than the canonical data: the first such place, as a JSON Pointer.
pub fn differs(element: &Element, kind: &KindId, data: &Value) -> Option<String> {
    if !element.is(&namespace(kind), &root(kind)) {
        return Some("/data".to_owned());
    }
    differs_at(element, data, "/data")
}

fn differs_at(element: &Element, value: &Value, at: &str) -> Option<String> {
    let Value::Object(members) = value else {
        let same = match value {
            Value::String(text) => element.text == *text,
            Value::Bool(true) => element.text == "true",
            Value::Bool(false) => element.text == "false",
            other => {
                let text = other.to_string();
                element.text == text
            }
        };
        return (!same || !element.children.is_empty()).then(|| at.to_owned());
    };
    let mut read = element.children.iter();
    for (name, member) in members {
        let at = pointer::join(at, name);
        let items = member.as_array().map_or_else(|| std::slice::from_ref(member), Vec::as_slice);
        for (place, item) in items.iter().enumerate() {
            let at = if member.is_array() { pointer::join(&at, &place.to_string()) } else { at.clone() };
            let Some(child) = read.next().filter(|child| child.is(&element.namespace, name)) else {
                return Some(at);
            };
            if let Some(differs) = differs_at(child, item, &at) {
                return Some(differs);
            }
        }
    }
    read.next().map(|more| pointer::join(at, &more.name))
}

fn wrong_root(element: &Element, kind: &KindId) -> Violation {
    let (root, namespace) = (root(kind), namespace(kind));
    let text = Text::new(
        format!("XML for denne type har rodelementet {root} i navnerummet {namespace}."),
        format!("XML of this kind has the root element {root} in the namespace {namespace}."),
    );
    Violation::error("/data", "xml.root", FaultCode::SchemaViolation, text)
        .expected(format!("{{{namespace}}}{root}"))
        .actual(text::excerpt(&format!("{{{}}}{}", element.namespace, element.name), 120))
}

fn wrong_namespace(at: String, namespace: &str) -> Violation {
    let text = Text::new(
        format!("Elementet er ikke i navnerummet {namespace}."),
        format!("The element is not in the namespace {namespace}."),
    );
    Violation::error(at, "xml.namespace", FaultCode::SchemaViolation, text).expected(namespace)
}

fn unknown_element(at: String) -> Violation {
    let text = Text::new("Elementet kendes ikke her.", "The element is not known here.");
    Violation::error(at, "xml.element", FaultCode::SchemaViolation, text)
        .expected("an element of the kind's schema")
}

fn repeated_element(at: String) -> Violation {
    let text = Text::new("Elementet må kun stå én gang.", "The element may stand only once.");
    Violation::error(at, "xml.repeated-element", FaultCode::DuplicateKey, text).expected("once")
}

#[cfg(test)]
mod tests;
