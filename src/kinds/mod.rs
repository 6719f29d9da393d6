//! The business messages, one file each: schema, rules, facts and translation. Pure.
//!
//! Adding a kind is one file, one schema with its examples, and one line in [`KINDS`].

use jiff::Timestamp;

use crate::domain::{Cpr, Event, Format, KindId, Parcel, Violation, party::PartyKind};

pub mod complaint;
pub mod job_order;
pub mod recommendation;
pub mod rules;
#[cfg(test)]
pub(crate) mod testing;

/// One business message.
///
/// `check`, `facts` and `render` are only called with data that passed [`MessageKind::schema`].
pub trait MessageKind: Send + Sync {
    /// The name on the wire, e.g. `job_order`.
    fn name(&self) -> &'static str;
    /// The version, from 1. A new version is a new kind beside the old one.
    fn version(&self) -> u16;
    /// One line for people, in English, with the Danish word.
    fn title(&self) -> &'static str;
    /// JSON Schema 2020-12 of the event's `data`.
    fn schema(&self) -> &'static str;
    /// Who sends it and who receives it.
    fn direction(&self) -> (PartyKind, PartyKind);
    /// The format a receiver gets where its configuration does not say otherwise.
    fn format(&self) -> Format;
    /// What a schema cannot say. Pointers begin with `/data`. `now` is the time of receipt.
    fn check(&self, event: &Event, now: Timestamp) -> Vec<Violation>;
    /// What the gateway needs to know of the content.
    fn facts(&self, event: &Event) -> Facts;
    /// The finished parcel, already re-read and compared with `event` and the receiver's limits.
    fn render(&self, event: &Event, format: Format) -> Result<Parcel, Vec<Violation>>;

    fn id(&self) -> KindId {
        KindId::new(self.name(), self.version())
    }
}

/// What the gateway needs to know of a message's content.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// The citizen it is about.
    pub citizen: Option<Cpr>,
    /// The business domain within which one citizen's messages keep their order. `None`: nothing holds this
    /// kind back (complaints).
    pub ordering_domain: Option<&'static str>,
}

/// Every kind the gateway knows.
pub const KINDS: &[&dyn MessageKind] = &[&recommendation::KIND, &complaint::KIND, &job_order::KIND];

/// The kind of that name and version.
pub fn find(id: &KindId) -> Option<&'static dyn MessageKind> {
    KINDS.iter().copied().find(|k| k.name() == id.name && k.version() == id.version)
}
