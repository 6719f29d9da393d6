//! Appointment (registrering i "Ny aftale"): that a citizen is to be somewhere at some time, and that it changed.
//!
//! København agreement, "IT-understøtning": the a-kasse's system writes to the field "Ny aftale" of the portal. The
//! portal has no published interface, so the content is what such an entry needs: whom, what, when and where. Every
//! message holds the whole appointment as it stands now, and a reference that stays the same through its changes.

use serde::Deserialize;

use super::{
    Direction, Kind,
    interview_record::InterviewType,
    people::{Citizen, Contact},
    rules::{Findings, days},
};
use crate::domain::{Event, Format, Severity, placement::Bearing};

pub static KIND: Kind = Kind {
    name: "appointment",
    version: 1,
    title: "Appointment (ny aftale)",
    schema: include_str!("../../schemas/appointment.v1.json"),
    example: include_str!("../../schemas/examples/appointment.v1/valid-created.json"),
    direction: Direction::ToJobcenter,
    formats: &[Format::Kombit, Format::Cloudevents],
    ordering_domain: Some("contact"),
    check,
    says: |_| None,
    bears: |_| Some(Bearing::Within),
    figure: |_| None,
};

/// The data, borrowed from the event.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Data<'e> {
    #[serde(borrow)]
    pub citizen: Citizen<'e>,
    pub action: Action,
    /// Chosen by the sender; names the appointment through all its changes.
    pub appointment_reference: &'e str,
    pub r#type: InterviewType,
    pub start: &'e str,
    #[serde(borrow)]
    pub end: Option<&'e str>,
    pub place: &'e str,
    #[serde(borrow)]
    pub link: Option<&'e str>,
    #[serde(borrow)]
    pub note: Option<&'e str>,
    #[serde(borrow)]
    pub caseworker: Option<Contact<'e>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// Oprettet
    Created,
    /// Ændret
    Changed,
    /// Aflyst
    Cancelled,
}

fn check(event: &Event, findings: &mut Findings) {
    let Some(data) = findings.read::<Data<'_>>(event) else { return };
    findings.cpr("/data/citizen/cpr", data.citizen.cpr);
    check_times(&data, event, findings);
    for (pointer, text) in [
        ("/data/appointmentReference", Some(data.appointment_reference)),
        ("/data/place", Some(data.place)),
        ("/data/link", data.link),
        ("/data/note", data.note),
    ] {
        findings.text(pointer, text.unwrap_or_default(), Severity::Error);
    }
    findings.caseworker(data.caseworker.as_ref());
}

fn check_times(data: &Data<'_>, event: &Event, findings: &mut Findings) {
    let Some(start) = days::instant(data.start) else { return };
    if data.end.and_then(days::instant).is_some_and(|end| end <= start) {
        let error = findings.error(
            "/data/end",
            "appointment.period",
            "Aftalen slutter, før den begynder.",
            "The appointment ends before it begins.",
        );
        error.expected = format!("after {start}");
        error.star_code = Some(1003);
    }
    // What is cancelled may have been about to begin.
    if data.action != Action::Cancelled && start < event.envelope.time {
        let warning = findings.warning(
            "/data/start",
            "appointment.start-passed",
            "Aftalen begynder, før beskeden er sendt.",
            "The appointment begins before the message was sent.",
        );
        warning.expected = format!("{} or later", event.envelope.time);
        warning.star_code = Some(4783);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::kinds::testing;

    #[test]
    fn every_rule_is_found_at_its_place() {
        testing::check_table(
            "schemas/examples/appointment.v1/valid-created.json",
            &[
                (&[], &[]),
                (&[("/data/citizen/cpr", json!("3002000000"))], &["/data/citizen/cpr cpr.not-a-date"]),
                // The same instant as the start, in another offset.
                (&[("/data/end", json!("2026-11-09T09:00:00Z"))], &["/data/end appointment.period"]),
                (&[("/data/end", json!("2026-11-09T09:00:01Z"))], &[]),
                (
                    &[("/data/start", json!("2026-11-02T09:14:59Z"))],
                    &["/data/start appointment.start-passed"],
                ),
                (
                    &[("/data/start", json!("2026-11-02T09:14:59Z")), ("/data/action", json!("changed"))],
                    &["/data/start appointment.start-passed"],
                ),
                (
                    &[("/data/start", json!("2026-11-02T09:14:59Z")), ("/data/action", json!("cancelled"))],
                    &[],
                ),
                (&[("/data/place", json!("<b>Lokale 2</b>"))], &["/data/place text.html"]),
                (&[("/data/note", json!("Medbring cv <br>"))], &["/data/note text.html"]),
                (
                    &[("/data/appointmentReference", json!("070761-4285"))],
                    &["/data/appointmentReference text.cpr"],
                ),
                (&[("/data/link", json!("https://moede.example/0707614285"))], &["/data/link text.cpr"]),
                (&[("/data/caseworker/phone", json!("112"))], &["/data/caseworker/phone phone.danish"]),
            ],
        );
    }
}
