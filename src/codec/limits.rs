//! How large and how deep a message may be.

use crate::domain::{FaultCode, Text, Violation};

/// Bytes of a body taken by default: 1 MiB.
pub const BODY_BYTES: usize = 1 << 20;

/// Levels of nesting taken by default.
pub const DEPTH: usize = 64;

/// The most levels that configuration can ask for. Dropping, validating and writing a value recurse, so the
/// depth of what is read decides how much stack everything after it needs.
pub const DEPTH_MAX: usize = 128;

/// Values (members, elements and the root) in one body by default.
pub const NODES: usize = 20_000;

/// Envelope attributes, header attributes, and attributes of one XML element by default.
pub const ATTRIBUTES: usize = 64;

/// Violations reported of one message. A message with more is wrong enough.
pub const VIOLATIONS_MAX: usize = 100;

/// What a body may not exceed. Whatever exceeds it is refused before it is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes in the body as it came.
    pub body_bytes: usize,
    /// Levels of nesting; more than [`DEPTH_MAX`] counts as [`DEPTH_MAX`].
    pub depth: usize,
    /// Values in all.
    pub nodes: usize,
    /// Attributes of the envelope, and of one XML element.
    pub attributes: usize,
}

impl Limits {
    /// The depth that is kept, whatever configuration says.
    pub fn depth(&self) -> usize {
        self.depth.min(DEPTH_MAX)
    }

    /// The violation of a body of so many bytes.
    pub fn too_large(&self, bytes: usize) -> Box<Violation> {
        let limit = self.body_bytes;
        let text = Text::new(
            format!("Indholdet er på {bytes} byte; højst {limit} modtages."),
            format!("The body has {bytes} bytes; at most {limit} are taken."),
        );
        let violation = Violation::error("", "body.size", FaultCode::TooLarge, text);
        Box::new(violation.expected(format!("at most {limit} bytes")).actual(format!("{bytes} bytes")))
    }

    /// The violation of a body with too much nesting.
    pub fn too_deep(&self, pointer: String) -> Box<Violation> {
        let limit = self.depth();
        let text = Text::new(
            format!("Indholdet er indlejret i mere end {limit} niveauer."),
            format!("The body is nested more than {limit} levels deep."),
        );
        let violation = Violation::error(pointer, "body.depth", FaultCode::TooDeep, text);
        Box::new(violation.expected(format!("at most {limit} levels")))
    }

    /// The violation of a body with too many values.
    pub fn too_many(&self, pointer: String) -> Box<Violation> {
        let limit = self.nodes;
        let text = Text::new(
            format!("Indholdet består af mere end {limit} værdier."),
            format!("The body has more than {limit} values."),
        );
        let violation = Violation::error(pointer, "body.nodes", FaultCode::TooDeep, text);
        Box::new(violation.expected(format!("at most {limit} values")))
    }

    /// The violation of a message, or an XML element, with too many attributes.
    pub fn too_many_attributes(&self) -> Box<Violation> {
        let limit = self.attributes;
        let text = Text::new(
            format!("Der er mere end {limit} attributter."),
            format!("There are more than {limit} attributes."),
        );
        let violation = Violation::error("", "envelope.attributes", FaultCode::TooDeep, text);
        Box::new(violation.expected(format!("at most {limit} attributes")))
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { body_bytes: BODY_BYTES, depth: DEPTH, nodes: NODES, attributes: ATTRIBUTES }
    }
}
