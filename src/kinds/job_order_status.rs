//! Status of a job order (jobordrestatus): what became of an order that the a-kasse passed on, and who was hired.
//!
//! Norddjurs agreement, "Jobformidling": the placement officer follows the order up at the company and notes who was
//! hired. The states are those that BEK 442/2023 § 137 makes jobcenters keep.

use serde::Deserialize;

use super::{
    Direction, Kind,
    people::Side,
    rules::{self, Findings},
};
use crate::domain::{
    Event, Format, Severity,
    case::{CaseState, Said},
};

pub static KIND: Kind = Kind {
    name: "job_order_status",
    version: 1,
    title: "Status of a job order (jobordrestatus)",
    schema: include_str!("../../schemas/job_order_status.v1.json"),
    example: include_str!("../../schemas/examples/job_order_status.v1/valid-filled.json"),
    direction: Direction::ToAkasse,
    formats: &[Format::Cloudevents, Format::Kombit],
    // Like the order itself: it is about a company's vacancy.
    ordering_domain: None,
    check,
    says,
    bears: |_| None,
    figure: |_| None,
};

/// The data, borrowed from the event.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Data<'e> {
    pub status: Status,
    pub status_on: &'e str,
    #[serde(borrow, default)]
    pub hired: Vec<Hired<'e>>,
    pub openings_filled: Option<u64>,
    #[serde(borrow)]
    pub text: Option<&'e str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    /// Under behandling
    InProcess,
    /// Inaktiveret, tilstrækkeligt antal henviste
    Inactivated,
    /// Afsluttet, opfyldt
    Filled,
    /// Afsluttet, frist udløbet
    Expired,
}

impl Status {
    fn says(self) -> CaseState {
        match self {
            Self::InProcess => CaseState::InProcess,
            Self::Inactivated | Self::Filled | Self::Expired => CaseState::Closed,
        }
    }
}

/// A candidate who got the job. The a-kasse need not know one whom the jobcenter found.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Hired<'e> {
    #[serde(borrow)]
    pub cpr: Option<&'e str>,
    #[serde(borrow)]
    pub name: Option<&'e str>,
    pub hired_on: &'e str,
    pub found_by: Side,
}

fn says(event: &Event) -> Option<Said> {
    rules::read::<Data<'_>>(event).ok().map(|data| data.status.says().into())
}

fn check(event: &Event, findings: &mut Findings) {
    let Some(data) = findings.read::<Data<'_>>(event) else { return };
    findings.answers(event, "job_order_status.correlation");
    findings.happened("/data/statusOn", Some(data.status_on), event);
    findings.text("/data/text", data.text.unwrap_or_default(), Severity::Error);
    if data.status == Status::Filled && data.hired.is_empty() {
        findings.warning(
            "/data/hired",
            "job_order_status.hired",
            "Jobordren er opfyldt, men det er ikke oplyst, hvem der er ansat.",
            "The job order is filled, but it is not said who was hired.",
        );
    }
    check_count(&data, findings);
    check_hired(&data.hired, findings);
}

fn check_count(data: &Data<'_>, findings: &mut Findings) {
    let named = data.hired.len() as u64;
    if let Some(filled) = data.openings_filled.filter(|filled| *filled < named) {
        let warning = findings.warning(
            "/data/openingsFilled",
            "job_order_status.openings-filled",
            "Der er nævnt flere ansatte, end der er besatte stillinger.",
            "More people are named as hired than openings are filled.",
        );
        warning.expected = format!("{named} or more");
        warning.actual = Some(filled.to_string());
    }
}

/// The a-kasse can tell which of its own candidates got the job; nobody stands in the list twice.
fn check_hired(hired: &[Hired<'_>], findings: &mut Findings) {
    for (index, person) in hired.iter().enumerate() {
        let pointer = format!("/data/hired/{index}/cpr");
        match person.cpr {
            Some(cpr) => findings.cpr(&pointer, cpr),
            None if person.found_by == Side::Akasse && person.name.is_none() => {
                findings.warning(
                    &pointer,
                    "job_order_status.hired-unknown",
                    "Det fremgår ikke, hvilken af a-kassens kandidater der er ansat.",
                    "It is not said which of the a-kasse's candidates was hired.",
                );
            }
            None => {}
        }
        if person.cpr.is_some() && hired[..index].iter().any(|earlier| earlier.cpr == person.cpr) {
            findings.error(
                &pointer,
                "job_order_status.hired-twice",
                "Den ansatte står på listen to gange.",
                "The person hired stands in the list twice.",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kinds::testing;

    const EXAMPLE: &str = "schemas/examples/job_order_status.v1/valid-filled.json";

    #[test]
    fn every_rule_is_found_at_its_place() {
        testing::check_table(
            EXAMPLE,
            &[
                (&[], &[]),
                (&[("/correlationid", json!(null))], &["/correlationid job_order_status.correlation"]),
                (&[("/data/statusOn", json!("2026-11-03"))], &["/data/statusOn day.after-message"]),
                (&[("/data/hired", json!(null))], &["/data/hired job_order_status.hired"]),
                (&[("/data/hired", json!(null)), ("/data/status", json!("expired"))], &[]),
                (
                    &[("/data/openingsFilled", json!(1))],
                    &["/data/openingsFilled job_order_status.openings-filled"],
                ),
                (
                    &[("/data/hired/0/cpr", json!(null)), ("/data/hired/0/name", json!(null))],
                    &["/data/hired/0/cpr job_order_status.hired-unknown"],
                ),
                (
                    &[("/data/hired/1/cpr", json!("0707614285"))],
                    &["/data/hired/1/cpr job_order_status.hired-twice"],
                ),
                (&[("/data/hired/0/cpr", json!("3002000000"))], &["/data/hired/0/cpr cpr.not-a-date"]),
                (&[("/data/text", json!("Ja<br>"))], &["/data/text text.html"]),
            ],
        );
    }

    #[test]
    fn an_order_is_closed_however_it_ended() {
        for (status, state) in [
            ("inProcess", CaseState::InProcess),
            ("inactivated", CaseState::Closed),
            ("filled", CaseState::Closed),
            ("expired", CaseState::Closed),
        ] {
            assert_eq!(testing::says(EXAMPLE, &[("/data/status", json!(status))]), Some(state), "{status}");
        }
    }
}
