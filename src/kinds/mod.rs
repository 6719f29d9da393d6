//! The business messages, one file each: schema, rules, facts and translation. Pure.
//!
//! Adding a kind is one file, one schema with its examples, and one line in [`KINDS`].

use jiff::Timestamp;

use crate::{
    domain::{
        Event, Format, KindId, Parcel, Violation, case::Said, figure::Figure, party::PartyKind,
        placement::Bearing,
    },
    formats,
};
use rules::Findings;

pub mod activation_request;
pub mod appointment;
pub mod back_referral;
pub mod company_offer_status;
pub mod complaint;
pub mod complaint_outcome;
pub mod contact_notice;
pub mod course_referral;
pub mod decision;
pub mod enrolment_status;
pub mod handover_report;
pub mod interview_record;
pub mod job_offer;
pub mod job_order;
pub mod job_order_status;
pub mod joint_interview_invitation;
pub mod joint_interview_wish;
pub mod opt_out;
pub mod people;
pub mod periodic_condition;
pub mod placement;
pub mod receipt;
pub mod recommendation;
pub mod risk_notice;
pub mod rules;
pub mod sickness_follow_up;
#[cfg(test)]
pub(crate) mod testing;
pub mod workshop_referral;

/// One business message: what it is called, who sends it, and what is known of its content.
///
/// `check`, `says` and `figure` are only called with data that passed the schema.
pub struct Kind {
    /// The name on the wire, e.g. `job_order`.
    pub name: &'static str,
    /// The version, from 1. A new version is a new kind beside the old one.
    pub version: u16,
    /// One line for people, in English, with the Danish word.
    pub title: &'static str,
    /// JSON Schema 2020-12 of the event's `data`.
    pub schema: &'static str,
    /// A valid message of the kind, as a structured `CloudEvent`.
    pub example: &'static str,
    pub direction: Direction,
    /// What a receiver may get; the first where its configuration does not say otherwise.
    pub formats: &'static [Format],
    /// The business domain within which one citizen's messages to one receiver keep their order. `None`:
    /// nothing holds this kind back.
    pub ordering_domain: Option<&'static str>,
    /// What a schema cannot say. Pointers begin with `/data`.
    pub check: fn(&Event, &mut Findings),
    /// What it says of the case of the message that it answers by `correlationid`.
    pub says: fn(&Event) -> Option<Said>,
    /// What it has to do with the citizen's placement at the a-kasse.
    pub bears: fn(&Event) -> Option<Bearing>,
    /// What counts of it in the key figures.
    pub figure: fn(&Event) -> Option<Figure>,
}

impl Kind {
    pub fn id(&self) -> KindId {
        KindId::new(self.name, self.version)
    }

    /// When what a message tells of happened, by its own dates: an interview when it was held, and everything else at its
    /// `time`. `None`: it tells that it did not happen, or not yet.
    pub fn happened(&self, event: &Event) -> Option<Timestamp> {
        match self.name {
            name if name == interview_record::KIND.name => interview_record::held(event),
            name if name == sickness_follow_up::KIND.name => sickness_follow_up::held(event),
            name if name == joint_interview_invitation::KIND.name => {
                joint_interview_invitation::stands(event)
            }
            _ => Some(event.envelope.time),
        }
    }

    /// Whether a message tells that nothing is left to wait for of what goes by its dates: a wish that is taken back, an
    /// interview that nobody is to be called to any more.
    pub fn has_lapsed(&self, event: &Event) -> bool {
        match self.name {
            name if name == sickness_follow_up::KIND.name => sickness_follow_up::has_lapsed(event),
            name if name == joint_interview_wish::KIND.name => joint_interview_wish::has_lapsed(event),
            _ => false,
        }
    }

    /// The kind's rules over a message that passed its schema. `now` is the time of receipt.
    pub fn check(&self, event: &Event, now: Timestamp) -> Vec<Violation> {
        let mut findings = Findings::new(now);
        (self.check)(event, &mut findings);
        findings.finish()
    }

    /// The format of a receiver that asks for none.
    pub fn format(&self) -> Format {
        self.formats[0]
    }

    /// Whether a receiver may ask for that format. What is about one citizen can go to a service of the
    /// labour-market authority.
    pub fn offers(&self, format: Format) -> bool {
        self.formats.contains(&format) || (format == Format::Star && self.is_about_a_citizen())
    }

    /// Whether each message of the kind names its citizen: its schema asks for one.
    pub fn is_about_a_citizen(&self) -> bool {
        let schema: serde_json::Value = serde_json::from_str(self.schema).expect("a test reads the schemas");
        let required = schema["required"].as_array().into_iter().flatten();
        required.into_iter().any(|name| name == "citizen")
    }

    /// The finished parcel, already re-read and compared with `event` and the receiver's limits.
    ///
    /// # Errors
    /// A format that the kind does not have, or everything that does not fit it.
    pub fn render(&self, event: &Event, format: Format) -> Result<Parcel, Vec<Violation>> {
        // Whether there is a citizen the format itself finds out, of the message and not of the schema.
        if format != Format::Star && !self.formats.contains(&format) {
            return Err(formats::not_offered(format));
        }
        formats::render(event, format)
    }
}

/// Between whom a kind goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From an a-kasse to a jobcenter.
    ToJobcenter,
    /// From a jobcenter to an a-kasse.
    ToAkasse,
    /// From either to the other.
    BothWays,
}

impl Direction {
    pub fn allows(self, from: PartyKind, to: PartyKind) -> bool {
        match (from, to) {
            (PartyKind::Akasse, PartyKind::Jobcenter) => self != Self::ToAkasse,
            (PartyKind::Jobcenter, PartyKind::Akasse) => self != Self::ToJobcenter,
            _ => false,
        }
    }

    /// As people read it.
    pub fn text(self) -> &'static str {
        match self {
            Self::ToJobcenter => "a-kasse to jobcenter",
            Self::ToAkasse => "jobcenter to a-kasse",
            Self::BothWays => "between a-kasse and jobcenter, both ways",
        }
    }
}

/// Every kind the gateway knows.
pub static KINDS: &[&Kind] = &[
    &recommendation::KIND,
    &complaint::KIND,
    &job_order::KIND,
    &risk_notice::KIND,
    &handover_report::KIND,
    &activation_request::KIND,
    &back_referral::KIND,
    &course_referral::KIND,
    &joint_interview_wish::KIND,
    &workshop_referral::KIND,
    &receipt::KIND,
    &decision::KIND,
    &joint_interview_invitation::KIND,
    &job_order_status::KIND,
    &job_offer::KIND,
    &company_offer_status::KIND,
    &complaint_outcome::KIND,
    &interview_record::KIND,
    &sickness_follow_up::KIND,
    &appointment::KIND,
    &periodic_condition::KIND,
    &opt_out::KIND,
    &enrolment_status::KIND,
    &placement::KIND,
    &contact_notice::KIND,
];

/// What a message costs, in øre: of those kinds that have a price.
pub fn price(event: &Event) -> Option<i64> {
    event.data.pointer(price_at(&event.envelope.kind.name)?)?.as_i64()
}

/// Whether messages of a kind have a price.
pub fn has_price(kind: &str) -> bool {
    price_at(kind).is_some()
}

/// Where in its data the price of a kind stands.
fn price_at(kind: &str) -> Option<&'static str> {
    let priced =
        [(&course_referral::KIND, course_referral::PRICE), (&recommendation::KIND, recommendation::PRICE)];
    priced.into_iter().find(|(known, _)| known.name == kind).map(|(_, pointer)| pointer)
}

/// The kind of that name and version.
pub fn find(id: &KindId) -> Option<&'static Kind> {
    KINDS.iter().copied().find(|k| k.name == id.name && k.version == id.version)
}

#[cfg(test)]
mod tests;
