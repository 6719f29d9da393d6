//! Enrolment status (Tilmeldeoverblikket): whether a citizen is registered as unemployed, and since when.
//!
//! København agreement, "IT-understøtning": the a-kasse follows what is registered in "Tilmeldeoverblikket", and
//! "Målgrupper": whoever is deregistered and registers again before the first placement ran out is placed again.

use serde::Deserialize;

use super::{
    Direction, Kind,
    people::Citizen,
    rules::{self, Findings, days},
};
use crate::domain::{Event, Format, Severity};

pub static KIND: Kind = Kind {
    name: "enrolment_status",
    version: 1,
    title: "Enrolment status (tilmeldeoverblik)",
    schema: include_str!("../../schemas/enrolment_status.v1.json"),
    example: include_str!("../../schemas/examples/enrolment_status.v1/valid-enrolled.json"),
    direction: Direction::ToAkasse,
    formats: &[Format::Cloudevents, Format::Kombit],
    ordering_domain: Some("contact"),
    check,
    says: |_| None,
    bears: |_| None,
    figure: |_| None,
};

/// The data, borrowed from the event.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Data<'e> {
    #[serde(borrow)]
    pub citizen: Citizen<'e>,
    pub status: Status,
    pub registration_date: &'e str,
    #[serde(borrow)]
    pub deregistration_date: Option<&'e str>,
    #[serde(borrow)]
    pub reason: Option<&'e str>,
    /// Whole weeks of unemployment so far, over all periods that count.
    pub unemployment_weeks: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    /// Tilmeldt
    Enrolled,
    /// Gentilmeldt; the deregistration that may be named is the one before
    Reenrolled,
    /// Afmeldt
    Deregistered,
}

fn check(event: &Event, findings: &mut Findings) {
    let Some(data) = findings.read::<Data<'_>>(event) else { return };
    findings.cpr("/data/citizen/cpr", data.citizen.cpr);
    check_dates(&data, event, findings);
    findings.text("/data/reason", data.reason.unwrap_or_default(), Severity::Error);
}

fn check_dates(data: &Data<'_>, event: &Event, findings: &mut Findings) {
    let registered = rules::day(data.registration_date);
    let deregistered = days::day(data.deregistration_date);
    match (data.status, deregistered) {
        (Status::Enrolled, Some(_)) => {
            findings.error(
                "/data/deregistrationDate",
                "enrolment_status.enrolled",
                "Den ledige er tilmeldt, men har en dato for afmelding.",
                "The citizen is enrolled, but has a date of deregistration.",
            );
        }
        (Status::Deregistered, None) => {
            findings.error(
                "/data/deregistrationDate",
                "enrolment_status.deregistration-date",
                "Den ledige er afmeldt, men det er ikke sagt hvornår.",
                "The citizen is deregistered, but it is not said when.",
            );
        }
        (Status::Deregistered, Some(_)) => {
            let pointer = "/data/deregistrationDate";
            findings.period(pointer, "enrolment_status.period", registered, deregistered);
        }
        (Status::Reenrolled, Some(_)) => {
            findings.period("/data/registrationDate", "enrolment_status.period", deregistered, registered);
        }
        (Status::Enrolled | Status::Reenrolled, None) => {}
    }
    let sent = rules::day_of(event.envelope.time);
    if let Some(registered) = registered.filter(|registered| *registered > sent) {
        let warning = findings.warning(
            "/data/registrationDate",
            "enrolment_status.registration-later",
            "Tilmeldingen ligger efter den dag, beskeden gælder for.",
            "The registration is after the day of the message.",
        );
        days::compare(warning, format!("{sent} or earlier"), registered);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::kinds::testing;

    #[test]
    fn every_rule_is_found_at_its_place() {
        testing::check_table(
            "schemas/examples/enrolment_status.v1/valid-enrolled.json",
            &[
                (&[], &[]),
                (&[("/data/citizen/cpr", json!("0000000000"))], &["/data/citizen/cpr cpr.unknown"]),
                (
                    &[("/data/deregistrationDate", json!("2026-11-06"))],
                    &["/data/deregistrationDate enrolment_status.enrolled"],
                ),
                (
                    &[("/data/status", json!("deregistered"))],
                    &["/data/deregistrationDate enrolment_status.deregistration-date"],
                ),
                (
                    &[
                        ("/data/status", json!("deregistered")),
                        ("/data/deregistrationDate", json!("2026-10-25")),
                    ],
                    &["/data/deregistrationDate enrolment_status.period"],
                ),
                // Deregistered from a day to come.
                (
                    &[
                        ("/data/status", json!("deregistered")),
                        ("/data/deregistrationDate", json!("2026-11-09")),
                    ],
                    &[],
                ),
                (&[("/data/status", json!("reenrolled"))], &[]),
                (
                    &[
                        ("/data/status", json!("reenrolled")),
                        ("/data/deregistrationDate", json!("2026-10-27")),
                    ],
                    &["/data/registrationDate enrolment_status.period"],
                ),
                (&[("/data/registrationDate", json!("2026-11-02"))], &[]),
                (
                    &[("/data/registrationDate", json!("2026-11-03"))],
                    &["/data/registrationDate enrolment_status.registration-later"],
                ),
                (&[("/data/reason", json!("<p>Job</p>"))], &["/data/reason text.html"]),
            ],
        );
    }
}
