//! Status of a company's offer (virksomhedsrettet tilbud): how an internship or a wage subsidy stands in VITAS.
//!
//! Norddjurs agreement, "Virksomhedsrettede aktiviteter": a company completes the offer in VITAS, the jobcenter decides
//! it as soon as possible, tells the company of the grant, creates the activity and publishes it to the citizen.

use serde::Deserialize;

use super::{
    Direction, Kind,
    people::{Citizen, Contact, Period},
    rules::{self, Findings},
};
use crate::domain::{
    Event, Format, Severity,
    case::{CaseState, Said},
};

pub static KIND: Kind = Kind {
    name: "company_offer_status",
    version: 1,
    title: "Status of a company's offer in VITAS (virksomhedsrettet tilbud)",
    schema: include_str!("../../schemas/company_offer_status.v1.json"),
    example: include_str!("../../schemas/examples/company_offer_status.v1/valid-granted.json"),
    direction: Direction::ToAkasse,
    formats: &[Format::Cloudevents, Format::Kombit],
    ordering_domain: Some("recommendation"),
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
    pub vitas_case_id: &'e str,
    #[serde(borrow)]
    pub vitas_url: Option<&'e str>,
    pub status: Status,
    #[serde(borrow)]
    pub decision_date: Option<&'e str>,
    #[serde(borrow)]
    pub reason: Option<&'e str>,
    #[serde(borrow)]
    pub period: Option<Period<'e>>,
    #[serde(borrow)]
    pub responsible_caseworker: Option<Contact<'e>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    /// Ansøgt: færdiggjort af virksomheden i VITAS
    Applied,
    /// Under behandling
    InProcess,
    /// Bevilget
    Granted,
    /// Afslag
    Refused,
    /// Aktivitet oprettet
    ActivityCreated,
    /// Publiceret for borgeren
    Published,
}

impl Status {
    fn says(self) -> CaseState {
        match self {
            Self::Applied => CaseState::Received,
            Self::InProcess => CaseState::InProcess,
            Self::Granted => CaseState::Granted,
            Self::Refused => CaseState::Refused,
            Self::ActivityCreated => CaseState::ActivityCreated,
            Self::Published => CaseState::Published,
        }
    }
}

fn says(event: &Event) -> Option<Said> {
    rules::read::<Data<'_>>(event).ok().map(|data| data.status.says().into())
}

fn check(event: &Event, findings: &mut Findings) {
    let Some(data) = findings.read::<Data<'_>>(event) else { return };
    findings.answers(event, "company_offer_status.correlation");
    findings.cpr("/data/citizen/cpr", data.citizen.cpr);
    findings.happened("/data/decisionDate", data.decision_date, event);
    if let Some(period) = &data.period {
        findings.offer_period("/data/period", period);
    }
    if let Some(caseworker) = &data.responsible_caseworker {
        findings.phone("/data/responsibleCaseworker/phone", caseworker.phone, Severity::Warning);
    }
    findings.text("/data/reason", data.reason.unwrap_or_default(), Severity::Error);
    check_decision(&data, findings);
}

fn check_decision(data: &Data<'_>, findings: &mut Findings) {
    if data.status == Status::Refused && data.reason.is_none() {
        findings.error(
            "/data/reason",
            "company_offer_status.reason",
            "Et afslag skal begrundes.",
            "A refusal needs a reason.",
        );
    }
    if matches!(data.status, Status::Granted | Status::Refused) && data.decision_date.is_none() {
        findings.warning(
            "/data/decisionDate",
            "company_offer_status.decision-date",
            "Det er ikke oplyst, hvornår afgørelsen er truffet.",
            "It is not said when the decision was made.",
        );
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kinds::testing;

    const EXAMPLE: &str = "schemas/examples/company_offer_status.v1/valid-granted.json";

    #[test]
    fn every_rule_is_found_at_its_place() {
        testing::check_table(
            EXAMPLE,
            &[
                (&[], &[]),
                (&[("/correlationid", json!(null))], &["/correlationid company_offer_status.correlation"]),
                (&[("/data/status", json!("refused"))], &["/data/reason company_offer_status.reason"]),
                (&[("/data/status", json!("refused")), ("/data/reason", json!("Der er ikke plads."))], &[]),
                (
                    &[("/data/decisionDate", json!(null))],
                    &["/data/decisionDate company_offer_status.decision-date"],
                ),
                (&[("/data/decisionDate", json!(null)), ("/data/status", json!("published"))], &[]),
                (&[("/data/decisionDate", json!("2026-11-03"))], &["/data/decisionDate day.after-message"]),
                (&[("/data/period/endDate", json!("2026-11-01"))], &["/data/period/endDate period.reversed"]),
                (&[("/data/reason", json!("<b>Ja</b>"))], &["/data/reason text.html"]),
                (
                    &[("/data/responsibleCaseworker/phone", json!("112"))],
                    &["/data/responsibleCaseworker/phone phone.danish"],
                ),
                (&[("/data/citizen/cpr", json!("3002000000"))], &["/data/citizen/cpr cpr.not-a-date"]),
            ],
        );
    }

    #[test]
    fn each_status_says_where_the_case_stands() {
        for (status, state) in [
            ("applied", CaseState::Received),
            ("inProcess", CaseState::InProcess),
            ("granted", CaseState::Granted),
            ("refused", CaseState::Refused),
            ("activityCreated", CaseState::ActivityCreated),
            ("published", CaseState::Published),
        ] {
            assert_eq!(testing::says(EXAMPLE, &[("/data/status", json!(status))]), Some(state), "{status}");
        }
    }
}
