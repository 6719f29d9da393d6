//! Periodic condition (periodiske forhold): something that holds for a citizen for a while, as the portal keeps it.
//!
//! København agreement, "IT-understøtning": the a-kasse's system registers in "Periodiske Forhold". The portal's codes
//! are not published, so a code is carried as it stands, with the words for it beside it.

use serde::Deserialize;

use super::{
    Direction, Kind,
    people::{Citizen, Contact},
    rules::{Findings, days},
};
use crate::domain::{Event, Format, Severity, placement::Bearing};

pub static KIND: Kind = Kind {
    name: "periodic_condition",
    version: 1,
    title: "Periodic condition (periodiske forhold)",
    schema: include_str!("../../schemas/periodic_condition.v1.json"),
    example: include_str!("../../schemas/examples/periodic_condition.v1/valid-created.json"),
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
    /// Chosen by the sender; names the condition through all its changes.
    pub condition_reference: &'e str,
    pub condition_code: &'e str,
    pub condition_text: &'e str,
    pub from: &'e str,
    #[serde(borrow)]
    pub to: Option<&'e str>,
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
    /// Afsluttet
    Ended,
    /// Annulleret: it was registered by mistake
    Cancelled,
}

fn check(event: &Event, findings: &mut Findings) {
    let Some(data) = findings.read::<Data<'_>>(event) else { return };
    findings.cpr("/data/citizen/cpr", data.citizen.cpr);
    findings.period("/data/to", "periodic_condition.period", days::day(Some(data.from)), days::day(data.to));
    if data.action == Action::Ended && data.to.is_none() {
        findings.error(
            "/data/to",
            "periodic_condition.end",
            "Forholdet er afsluttet, men det er ikke sagt hvornår.",
            "The condition has ended, but it is not said when.",
        );
    }
    for (pointer, text) in [
        ("/data/conditionReference", data.condition_reference),
        ("/data/conditionCode", data.condition_code),
        ("/data/conditionText", data.condition_text),
    ] {
        findings.text(pointer, text, Severity::Error);
    }
    findings.caseworker(data.caseworker.as_ref());
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::kinds::testing;

    #[test]
    fn every_rule_is_found_at_its_place() {
        testing::check_table(
            "schemas/examples/periodic_condition.v1/valid-created.json",
            &[
                (&[], &[]),
                (&[("/data/citizen/cpr", json!("2110525629"))], &["/data/citizen/cpr cpr.future"]),
                (&[("/data/to", json!("2026-11-08"))], &["/data/to periodic_condition.period"]),
                (&[("/data/to", json!("2026-11-09"))], &[]),
                (&[("/data/to", json!(null))], &[]),
                (
                    &[("/data/action", json!("ended")), ("/data/to", json!(null))],
                    &["/data/to periodic_condition.end"],
                ),
                (&[("/data/action", json!("cancelled")), ("/data/to", json!(null))], &[]),
                (
                    &[("/data/conditionReference", json!("070761-4285"))],
                    &["/data/conditionReference text.cpr"],
                ),
                (&[("/data/conditionCode", json!("0707614285"))], &["/data/conditionCode text.cpr"]),
                (&[("/data/conditionText", json!("<i>Ferie</i>"))], &["/data/conditionText text.html"]),
                (&[("/data/caseworker/phone", json!("112"))], &["/data/caseworker/phone phone.danish"]),
            ],
        );
    }
}
