//! Invitation to a joint interview (indkaldelse til fælles samtale): when and where, or the link, or that it is off.
//!
//! Norddjurs agreement, "Jobsamtale og overlevering": the a-kasse may attend the first interview at the jobcenter if
//! the citizen wishes it; the jobcenter invites, and sends the link by way of DFDG. A change is a new invitation.

use jiff::Timestamp;
use serde::Deserialize;

use super::{
    Direction, Kind,
    people::{Citizen, Contact},
    rules::{self, Findings},
};
use crate::domain::{
    Event, Format, Severity,
    case::{CaseState, Said},
};

pub static KIND: Kind = Kind {
    name: "joint_interview_invitation",
    version: 1,
    title: "Invitation to a joint interview (indkaldelse til fælles samtale)",
    schema: include_str!("../../schemas/joint_interview_invitation.v1.json"),
    example: include_str!("../../schemas/examples/joint_interview_invitation.v1/valid-video.json"),
    direction: Direction::ToAkasse,
    formats: &[Format::Cloudevents, Format::Kombit],
    ordering_domain: Some("contact"),
    check,
    says,
    bears: |_| None,
    figure: |_| None,
};

/// The data, borrowed from the event.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Data<'e> {
    #[serde(borrow)]
    pub citizen: Citizen<'e>,
    pub start: &'e str,
    pub form: Form,
    #[serde(borrow)]
    pub link: Option<&'e str>,
    #[serde(borrow)]
    pub place: Option<&'e str>,
    #[serde(borrow)]
    pub contact: Contact<'e>,
    #[serde(default)]
    pub cancelled: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Form {
    /// Personligt fremmøde
    InPerson,
    /// Videosamtale
    Video,
    /// Telefonsamtale
    Phone,
}

/// A wish that led to an invitation is granted. A cancelled one says nothing: another may follow.
fn says(event: &Event) -> Option<Said> {
    let data = rules::read::<Data<'_>>(event).ok()?;
    (!data.cancelled).then(|| CaseState::Granted.into())
}

/// When the citizen and the a-kasse were invited; a cancelled interview is none.
pub(super) fn stands(event: &Event) -> Option<Timestamp> {
    let cancelled = event.data.get("cancelled").and_then(serde_json::Value::as_bool);
    (cancelled != Some(true)).then_some(event.envelope.time)
}

fn check(event: &Event, findings: &mut Findings) {
    let Some(data) = findings.read::<Data<'_>>(event) else { return };
    findings.cpr("/data/citizen/cpr", data.citizen.cpr);
    if event.envelope.correlation_id.is_none() {
        findings.warning(
            "/correlationid",
            "joint_interview_invitation.correlation",
            "Det er ikke oplyst, hvilket ønske om fælles samtale indkaldelsen svarer på.",
            "It is not said which wish for a joint interview the invitation answers.",
        );
    }
    if !data.cancelled {
        check_where(&data, findings);
        check_start(&data, event, findings);
    }
    findings.phone("/data/contact/phone", data.contact.phone, Severity::Warning);
    findings.text("/data/place", data.place.unwrap_or_default(), Severity::Error);
}

/// By telephone nobody goes anywhere; else there is a link or a place, best the one that the form needs.
fn check_where(data: &Data<'_>, findings: &mut Findings) {
    let (needed, there) = match data.form {
        Form::Phone => return,
        Form::Video => ("/data/link", data.link.is_some()),
        Form::InPerson => ("/data/place", data.place.is_some()),
    };
    if data.link.is_none() && data.place.is_none() {
        findings.error(
            needed,
            "joint_interview_invitation.where",
            "Indkaldelsen har hverken link eller sted.",
            "The invitation has neither a link nor a place.",
        );
    } else if !there {
        findings.warning(
            needed,
            "joint_interview_invitation.form",
            "En videosamtale har et link, og et fremmøde har et sted. Aftal med kontaktpersonen, hvad der gælder.",
            "A video interview has a link, and one in person a place. Ask the contact which it is.",
        );
    }
}

fn check_start(data: &Data<'_>, event: &Event, findings: &mut Findings) {
    let sent = event.envelope.time;
    if rules::days::instant(data.start).is_some_and(|start| start < sent) {
        let warning = findings.warning(
            "/data/start",
            "joint_interview_invitation.start-passed",
            "Samtalen begyndte, før indkaldelsen blev sendt.",
            "The interview began before the invitation was sent.",
        );
        warning.expected = format!("{sent} or later");
        warning.star_code = Some(4783);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kinds::testing;

    const EXAMPLE: &str = "schemas/examples/joint_interview_invitation.v1/valid-video.json";

    #[test]
    fn every_rule_is_found_at_its_place() {
        testing::check_table(
            EXAMPLE,
            &[
                (&[], &[]),
                (
                    &[("/correlationid", json!(null))],
                    &["/correlationid joint_interview_invitation.correlation"],
                ),
                (&[("/data/link", json!(null))], &["/data/link joint_interview_invitation.where"]),
                (
                    &[("/data/link", json!(null)), ("/data/form", json!("inPerson"))],
                    &["/data/place joint_interview_invitation.where"],
                ),
                (&[("/data/link", json!(null)), ("/data/form", json!("phone"))], &[]),
                (&[("/data/link", json!(null)), ("/data/cancelled", json!(true))], &[]),
                (
                    &[("/data/link", json!(null)), ("/data/place", json!("Lokale 2"))],
                    &["/data/link joint_interview_invitation.form"],
                ),
                (&[("/data/form", json!("inPerson"))], &["/data/place joint_interview_invitation.form"]),
                (
                    &[("/data/start", json!("2026-11-02T10:14:59+01:00"))],
                    &["/data/start joint_interview_invitation.start-passed"],
                ),
                (&[("/data/start", json!("2026-11-01T10:00:00Z")), ("/data/cancelled", json!(true))], &[]),
                (&[("/data/place", json!("<b>Her</b>"))], &["/data/place text.html"]),
                (&[("/data/contact/phone", json!("112"))], &["/data/contact/phone phone.danish"]),
                (&[("/data/citizen/cpr", json!("0000000000"))], &["/data/citizen/cpr cpr.unknown"]),
            ],
        );
    }

    #[test]
    fn an_invitation_grants_the_wish_and_a_cancelled_one_says_nothing() {
        assert_eq!(testing::says(EXAMPLE, &[]), Some(CaseState::Granted));
        assert_eq!(testing::says(EXAMPLE, &[("/data/cancelled", json!(true))]), None);
    }
}
