//! What arrived: the envelope every message carries, and the kind it says it is.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde_json::Value;

use super::{EventId, Party};

/// Which business message, with its version: `complaint.v1`. On the wire `dk.kassebro.complaint.v1`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KindId {
    /// Lower-case `snake_case` name, e.g. `job_order`; 1–40 characters.
    pub name: String,
    pub version: u16,
}

/// What every CloudEvents `type` of ours begins with.
pub const TYPE_PREFIX: &str = "dk.kassebro.";

impl KindId {
    pub fn new(name: impl Into<String>, version: u16) -> Self {
        Self { name: name.into(), version }
    }

    /// The CloudEvents `type`: `dk.kassebro.<name>.v<n>`.
    pub fn event_type(&self) -> String {
        format!("{TYPE_PREFIX}{self}")
    }

    /// Reads a CloudEvents `type`. `None` where it is not one of ours in form.
    pub fn from_event_type(event_type: &str) -> Option<Self> {
        event_type.strip_prefix(TYPE_PREFIX)?.parse().ok()
    }
}

impl fmt::Display for KindId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.v{}", self.name, self.version)
    }
}

/// The text is not `<name>.v<n>`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a kind is written <name>.v<number>, e.g. complaint.v1")]
pub struct NotAKind;

impl FromStr for KindId {
    type Err = NotAKind;

    fn from_str(text: &str) -> Result<Self, NotAKind> {
        let (name, version) = text.rsplit_once(".v").ok_or(NotAKind)?;
        let name_fits = (1..=40).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        let version_fits = version.bytes().all(|b| b.is_ascii_digit()) && !version.starts_with('0');
        match version.parse() {
            Ok(version) if name_fits && version_fits => Ok(Self::new(name, version)),
            _ => Err(NotAKind),
        }
    }
}

/// The attributes of a message, whatever syntax carried them (CloudEvents 1.0, KOMBIT Haendelsesbesked).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// With `source` the identity of an accepted message.
    pub id: EventId,
    pub source: Party,
    pub kind: KindId,
    /// When it happened in the business; a complaint's is the a-kasse's receipt. SLA clocks start here.
    pub time: Timestamp,
    /// When the sender's system recorded it.
    pub recorded: Option<Timestamp>,
    pub receiver: Party,
    /// The agreement it is sent under, where the sender says.
    pub agreement: Option<String>,
    /// The sender's case reference; never a CPR number.
    pub subject: Option<String>,
    pub correlation_id: Option<String>,
    pub causation_id: Option<String>,
    pub traceparent: Option<String>,
    /// What tracing systems of its sender's want carried along with [`Self::traceparent`].
    pub tracestate: Option<String>,
}

/// A message in canonical form: the envelope, and the data as JSON by the kind's schema.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub envelope: Envelope,
    pub data: Value,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_read_from_its_event_type_and_back() {
        let kind = KindId::from_event_type("dk.kassebro.job_order.v1").unwrap();
        assert_eq!(kind, KindId::new("job_order", 1));
        assert_eq!(kind.event_type(), "dk.kassebro.job_order.v1");
    }

    #[test]
    fn what_is_not_a_kind_is_refused() {
        for text in [
            "",
            "complaint",
            ".v1",
            "complaint.v",
            "complaint.v0",
            "complaint.v01",
            "Complaint.v1",
            "a b.v1",
            "complaint.v70000",
            "complaint.v+1",
        ] {
            assert_eq!(KindId::from_str(text), Err(NotAKind), "{text}");
        }
    }
}
