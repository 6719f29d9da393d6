//! How large and how deep a message may be.

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
}

impl Default for Limits {
    fn default() -> Self {
        Self { body_bytes: BODY_BYTES, depth: DEPTH, nodes: NODES, attributes: ATTRIBUTES }
    }
}
