//! Contact notice (kontaktvarsel): the jobcenter contacts a citizen who is in the a-kasse's contact course.
//!
//! København agreement, "Samarbejdet mellem A-kasse og Jobcenter", and the partnership of the LO a-kasser: the jobcenter
//! may contact them at any time for recruitment, information meetings and the like. Norddjurs agreement, "Vejledning
//! og opkvalificering": in the month before the transition it may do so to prepare an offer that begins on the first
//! day, and under "Jobformidling" about a job order.

use jiff::ToSpan;
use serde::Deserialize;

use super::{
    Direction, Kind,
    people::{Citizen, Contact},
    rules::{self, Findings, days},
};
use crate::domain::{Event, Format, Severity};

pub static KIND: Kind = Kind {
    name: "contact_notice",
    version: 1,
    title: "Contact notice (jobcentret kontakter den ledige)",
    schema: include_str!("../../schemas/contact_notice.v1.json"),
    example: include_str!("../../schemas/examples/contact_notice.v1/valid-offer-preparation.json"),
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
    pub purpose: Purpose,
    pub contact_date: &'e str,
    #[serde(borrow)]
    pub transition_date: Option<&'e str>,
    #[serde(borrow)]
    pub note: Option<&'e str>,
    #[serde(borrow)]
    pub caseworker: Option<Contact<'e>>,
}

/// Why the jobcenter contacts the citizen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Purpose {
    /// Rekruttering
    Recruitment,
    /// Informationsmøde
    InformationMeeting,
    /// Forberedelse af tilbud, that begins on the first day after the transition
    OfferPreparation,
    /// Jobsamtale
    Interview,
    /// Formidling af jobordre
    JobOrder,
    /// Andet arrangement med jobsigte
    Other,
}

fn check(event: &Event, findings: &mut Findings) {
    let Some(data) = findings.read::<Data<'_>>(event) else { return };
    findings.cpr("/data/citizen/cpr", data.citizen.cpr);
    if data.purpose == Purpose::OfferPreparation {
        check_window(&data, findings);
    }
    findings.text("/data/note", data.note.unwrap_or_default(), Severity::Error);
    findings.caseworker(data.caseworker.as_ref());
}

/// How long before the transition the jobcenter may begin to prepare offers, in months.
const WINDOW_MONTHS: i64 = 1;

fn check_window(data: &Data<'_>, findings: &mut Findings) {
    let Some(transition) = days::day(data.transition_date) else {
        findings.warning(
            "/data/transitionDate",
            "contact_notice.transition-date",
            "Når der forberedes tilbud, bør datoen for overgangen oplyses.",
            "Where an offer is prepared, the date of the transition should be given.",
        );
        return;
    };
    let opens = transition.saturating_sub(WINDOW_MONTHS.months());
    if let Some(contact) = rules::day(data.contact_date)
        && !(opens..=transition).contains(&contact)
    {
        let warning = findings.warning(
            "/data/contactDate",
            "contact_notice.window",
            "Jobcentret forbereder tilbud med den ledige i måneden før overgangen.",
            "The jobcenter prepares offers with the citizen in the month before the transition.",
        );
        days::compare(warning, format!("{opens} to {transition}"), contact);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::kinds::testing;

    #[test]
    fn every_rule_is_found_at_its_place() {
        testing::check_table(
            "schemas/examples/contact_notice.v1/valid-offer-preparation.json",
            &[
                (&[], &[]),
                (&[("/data/citizen/cpr", json!("0000000000"))], &["/data/citizen/cpr cpr.unknown"]),
                (
                    &[("/data/transitionDate", json!(null))],
                    &["/data/transitionDate contact_notice.transition-date"],
                ),
                // The contact is on 5 November.
                (&[("/data/transitionDate", json!("2026-12-05"))], &[]),
                (
                    &[("/data/transitionDate", json!("2026-12-06"))],
                    &["/data/contactDate contact_notice.window"],
                ),
                (&[("/data/transitionDate", json!("2026-11-05"))], &[]),
                (
                    &[("/data/transitionDate", json!("2026-11-04"))],
                    &["/data/contactDate contact_notice.window"],
                ),
                // Any other contact may be at any time.
                (
                    &[("/data/purpose", json!("recruitment")), ("/data/transitionDate", json!("2027-02-01"))],
                    &[],
                ),
                (&[("/data/purpose", json!("interview")), ("/data/transitionDate", json!(null))], &[]),
                (&[("/data/note", json!("<b>Kom</b>"))], &["/data/note text.html"]),
                (&[("/data/caseworker/phone", json!("112"))], &["/data/caseworker/phone phone.danish"]),
            ],
        );
    }
}
