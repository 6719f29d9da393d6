//! The data of a kind as XML, and back: the kind's JSON Schema says what each element is.
//!
//! Namespace `urn:dk:kassebro:<kind>:v<n>`, root the kind in UpperCamelCase, children named as the schema's
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
            Shape::Number => number::parse(trimmed).map_or_else(|_| element.text.clone().into(), Value::Number),
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
    out.push_str(&format!("<{root} xmlns=\"{namespace}\">"));
    write_content(&mut out, data, "/data")?;
    out.push_str(&format!("</{root}>"));
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
    out.push_str(&format!("<{name}>"));
    write_content(out, value, at)?;
    out.push_str(&format!("</{name}>"));
    Ok(())
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
    Violation::error(at, "xml.element", FaultCode::SchemaViolation, text).expected("an element of the kind's schema")
}

fn repeated_element(at: String) -> Violation {
    let text = Text::new("Elementet må kun stå én gang.", "The element may stand only once.");
    Violation::error(at, "xml.repeated-element", FaultCode::DuplicateKey, text).expected("once")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn kind() -> KindId {
        KindId::new("job_order", 1)
    }

    fn schema() -> Value {
        json!({
            "type": "object",
            "properties": {
                "title": {"type": "string"},
                "count": {"type": "integer"},
                "hours": {"type": ["number", "null"]},
                "urgent": {"$ref": "#/$defs/flag"},
                "level": {"enum": [1, 2]},
                "company": {"$ref": "#/$defs/company"},
                "candidates": {"type": "array", "items": {"$ref": "#/$defs/company"}},
                "notes": {"$ref": "#/$defs/notes"},
                "circle": {"$ref": "#/$defs/circle"}
            },
            "allOf": [{"if": {"properties": {"count": {}}}, "then": {"properties": {"extra": {"type": "integer"}}}}],
            "$defs": {
                "flag": {"type": "boolean"},
                "company": {"allOf": [
                    {"properties": {"name": {"type": "string"}}},
                    {"oneOf": [{"properties": {"cvr": {"type": "string"}}}, {"properties": {"size": {"type": "integer"}}}]}
                ]},
                "notes": {"type": "array", "items": {"type": "string"}},
                "circle": {"$ref": "#/$defs/circle"}
            }
        })
    }

    fn read_text(inner: &str) -> Result<Value, Vec<Violation>> {
        let document = format!("<JobOrder xmlns='urn:dk:kassebro:job_order:v1'>{inner}</JobOrder>");
        read_document(&document)
    }

    fn read_document(document: &str) -> Result<Value, Vec<Violation>> {
        let element = xml::read(document.as_bytes(), &Limits::default()).unwrap();
        let mut violations = Vec::new();
        read(&element, &kind(), &schema(), &Limits::default(), &mut violations).ok_or(violations)
    }

    #[test]
    fn each_element_becomes_what_its_schema_says() {
        for (inner, data) in [
            ("", json!({})),
            ("<title>007</title>", json!({"title": "007"})),
            ("<title/>", json!({"title": ""})),
            ("<count> 7\n</count><extra>3</extra>", json!({"count": 7, "extra": 3})),
            ("<hours>37.5</hours><level>2</level>", json!({"hours": 37.5, "level": 2})),
            ("<urgent>true</urgent>", json!({"urgent": true})),
            ("<urgent>0</urgent>", json!({"urgent": false})),
            ("<company><name>A</name><cvr>13585628</cvr></company>", json!({"company": {"name": "A", "cvr": "13585628"}})),
            ("<company><size>3</size></company>", json!({"company": {"size": 3}})),
            ("<company/>", json!({"company": {}})),
            ("<notes>a</notes><title>t</title><notes>b</notes>", json!({"notes": ["a", "b"], "title": "t"})),
            ("<candidates><size>1</size></candidates>", json!({"candidates": [{"size": 1}]})),
            ("<circle>x</circle>", json!({"circle": "x"})),
        ] {
            assert_eq!(read_text(inner), Ok(data), "{inner}");
        }
    }

    #[test]
    fn a_text_that_does_not_fit_stays_for_the_schema_to_report() {
        for (inner, data) in [
            ("<count>seven</count>", json!({"count": "seven"})),
            ("<count>12345678901234567890123</count>", json!({"count": "12345678901234567890123"})),
            ("<count>007</count>", json!({"count": "007"})),
            ("<urgent>ja</urgent>", json!({"urgent": "ja"})),
            ("<company>A</company>", json!({"company": "A"})),
        ] {
            assert_eq!(read_text(inner), Ok(data), "{inner}");
        }
    }

    #[test]
    fn what_is_not_the_kinds_is_reported_where_it_stands() {
        for (inner, rule, pointer) in [
            ("<colour>red</colour>", "xml.element", "/data/colour"),
            ("<company><nick>A</nick></company>", "xml.element", "/data/company/nick"),
            ("<candidates/><candidates><x/></candidates>", "xml.element", "/data/candidates/1/x"),
            ("<title><b/></title>", "xml.element", "/data/title/b"),
            ("<title>a</title><title>b</title>", "xml.repeated-element", "/data/title"),
            ("<title xmlns=''>a</title>", "xml.namespace", "/data/title"),
            ("<x:title xmlns:x='urn:dk:kassebro:complaint:v1'>a</x:title>", "xml.namespace", "/data/title"),
        ] {
            let violations = read_text(inner).unwrap_err();
            assert_eq!((violations[0].rule.as_str(), violations[0].pointer.as_str()), (rule, pointer), "{inner}");
        }
        let many = read_text("<a/><b/><c/>").unwrap_err();
        assert_eq!(many.len(), 3);
        assert!(read_text(&"<a/>".repeat(1000)).unwrap_err().len() <= VIOLATIONS_MAX);
    }

    #[test]
    fn the_root_is_the_kind_in_its_namespace() {
        for document in [
            "<JobOrder/>",
            "<Joborder xmlns='urn:dk:kassebro:job_order:v1'/>",
            "<JobOrder xmlns='urn:dk:kassebro:job_order:v2'/>",
            "<Complaint xmlns='urn:dk:kassebro:complaint:v1'/>",
        ] {
            assert_eq!(read_document(document).unwrap_err()[0].rule, "xml.root", "{document}");
        }
    }

    #[test]
    fn what_xml_cannot_carry_is_not_written() {
        for (data, pointer) in [
            (json!({"a": null}), "/data/a"),
            (json!({"a": [[1]]}), "/data/a"),
            (json!({"a b": 1}), "/data/a b"),
            (json!({"a": {"b": "\u{1}"}}), "/data/a/b"),
            (json!([1]), "/data"),
        ] {
            assert_eq!(write(&kind(), &data), Err(NotXml { pointer: pointer.to_owned() }), "{data}");
        }
    }

    fn company() -> impl Strategy<Value = Value> {
        ("[ -~æøå\r\n\t]{0,20}", any::<i64>()).prop_map(|(name, size)| json!({"name": name, "size": size}))
    }

    proptest! {
        #[test]
        fn data_is_read_back_from_the_xml_it_is_written_as(
            title in "[ -~æøå<&>\r\n\t]{0,30}",
            count in any::<i64>(),
            quarters in -10_000i32..10_000,
            urgent in any::<bool>(),
            company in company(),
            candidates in proptest::collection::vec(company(), 1..4),
            notes in proptest::collection::vec("[ -~]{0,5}", 1..4),
        ) {
            let hours = f64::from(quarters * 2 + 1) / 4.0;
            let data = json!({
                "title": title, "count": count, "hours": hours, "urgent": urgent,
                "company": company, "candidates": candidates, "notes": notes,
            });
            let document = write(&kind(), &data).unwrap();
            prop_assert_eq!(read_document(&document), Ok(data));
        }
    }
}
