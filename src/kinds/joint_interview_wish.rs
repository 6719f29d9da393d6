//! Joint interview wish (ønske om a-kassens deltagelse): whether the citizen wants the a-kasse at the first interview
//! at the jobcenter.
//!
//! Norddjurs agreement, "Jobsamtale og overlevering": the a-kasse may take part if the citizen wishes it; then the
//! jobcenter summons and sends a link. A citizen who does not wish it is told of too, so that nobody waits.

use serde::Deserialize;

use super::{
    Direction, Kind,
    people::{Citizen, Contact},
    rules::{self, Findings, days},
};
use crate::domain::{Event, Format, Severity, placement::Bearing};

pub static KIND: Kind = Kind {
    name: "joint_interview_wish",
    version: 1,
    title: "Wish for a joint interview (ønske om a-kassens deltagelse)",
    schema: include_str!("../../schemas/joint_interview_wish.v1.json"),
    example: include_str!("../../schemas/examples/joint_interview_wish.v1/valid-video.json"),
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
    pub wishes: bool,
    #[serde(borrow)]
    pub interview_date: Option<&'e str>,
    pub preferred_form: Option<ContactForm>,
    #[serde(borrow)]
    pub note: Option<&'e str>,
    /// Who takes part for the a-kasse, where it is not the caseworker.
    #[serde(borrow)]
    pub participant: Option<Contact<'e>>,
    #[serde(borrow)]
    pub caseworker: Contact<'e>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ContactForm {
    /// Personligt fremmøde
    InPerson,
    /// Video
    Video,
    /// Telefon
    Phone,
}

/// Whether the citizen does not wish it, or not any more.
pub(super) fn has_lapsed(event: &Event) -> bool {
    event.data.get("wishes").and_then(serde_json::Value::as_bool) == Some(false)
}

fn check(event: &Event, findings: &mut Findings) {
    let Some(data) = findings.read::<Data<'_>>(event) else { return };
    findings.cpr("/data/citizen/cpr", data.citizen.cpr);
    let sent = rules::day_of(event.envelope.time);
    if let Some(interview) = days::day(data.interview_date).filter(|interview| *interview < sent) {
        let warning = findings.warning(
            "/data/interviewDate",
            "joint_interview_wish.interview-passed",
            "Samtalen lå før den dag, ønsket blev sendt.",
            "The interview had taken place when the wish was sent.",
        );
        days::compare(warning, format!("{sent} or later"), interview);
    }
    if let Some(participant) = &data.participant {
        findings.phone("/data/participant/phone", participant.phone, Severity::Warning);
    }
    findings.caseworker(Some(&data.caseworker));
    findings.text("/data/note", data.note.unwrap_or_default(), Severity::Error);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::kinds::testing;

    #[test]
    fn every_rule_is_found_at_its_place() {
        testing::check_table(
            "schemas/examples/joint_interview_wish.v1/valid-video.json",
            &[
                (&[], &[]),
                (&[("/data/wishes", json!(false))], &[]),
                (&[("/data/interviewDate", json!("2026-11-02"))], &[]),
                (
                    &[("/data/interviewDate", json!("2026-11-01"))],
                    &["/data/interviewDate joint_interview_wish.interview-passed"],
                ),
                (&[("/data/participant/phone", json!("112"))], &["/data/participant/phone phone.danish"]),
                (&[("/data/caseworker/phone", json!("112"))], &["/data/caseworker/phone phone.danish"]),
                (&[("/data/note", json!("Ikke <i>onsdag</i>"))], &["/data/note text.html"]),
                (&[("/data/citizen/cpr", json!("0000000000"))], &["/data/citizen/cpr cpr.unknown"]),
            ],
        );
    }
}
