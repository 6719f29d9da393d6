//! Activation request (henvendelse om jobplansaktivitet): the a-kasse asks the jobcenter to assess an activity before
//! the time of right and duty (ret og pligt).
//!
//! København agreement, "Kontaktforløbet": beyond the job-search course of two weeks (a course referral) the a-kasse
//! alone agrees on no activity; where it finds that one would further the citizen's chances of work, it turns to the
//! jobcenter, which assesses and decides. The activities are the offers of the law, as in a recommendation.

use serde::Deserialize;

use super::{
    Direction, Kind,
    people::{Citizen, Contact},
    recommendation::OfferKind,
    rules::{self, Findings, days},
};
use crate::domain::{Event, Format, Severity};

pub static KIND: Kind = Kind {
    name: "activation_request",
    version: 1,
    title: "Enquiry about an activity (henvendelse om jobplansaktivitet)",
    schema: include_str!("../../schemas/activation_request.v1.json"),
    example: include_str!("../../schemas/examples/activation_request.v1/valid-internship.json"),
    direction: Direction::ToJobcenter,
    formats: &[Format::Kombit, Format::Cloudevents],
    ordering_domain: Some("recommendation"),
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
    #[serde(borrow)]
    pub activity: Activity<'e>,
    pub reason: &'e str,
    #[serde(borrow)]
    pub caseworker: Contact<'e>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Activity<'e> {
    pub kind: OfferKind,
    pub description: &'e str,
    pub desired_start_date: &'e str,
    #[serde(borrow)]
    pub desired_end_date: Option<&'e str>,
}

fn check(event: &Event, findings: &mut Findings) {
    let Some(data) = findings.read::<Data<'_>>(event) else { return };
    findings.cpr("/data/citizen/cpr", data.citizen.cpr);
    let (first, last) =
        (rules::day(data.activity.desired_start_date), days::day(data.activity.desired_end_date));
    let sent = rules::day_of(event.envelope.time);
    findings.period("/data/activity/desiredEndDate", "activation_request.period", first, last);
    findings.begins("/data/activity/desiredStartDate", "activation_request.start-passed", first, sent);
    findings.caseworker(Some(&data.caseworker));
    findings.text("/data/activity/description", data.activity.description, Severity::Error);
    findings.text("/data/reason", data.reason, Severity::Error);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kinds::testing;

    #[test]
    fn every_rule_is_found_at_its_place() {
        testing::check_table(
            "schemas/examples/activation_request.v1/valid-internship.json",
            &[
                (&[], &[]),
                (&[("/data/activity/desiredEndDate", json!("2026-11-16"))], &[]),
                (
                    &[("/data/activity/desiredEndDate", json!("2026-11-15"))],
                    &["/data/activity/desiredEndDate activation_request.period"],
                ),
                (&[("/data/activity/desiredStartDate", json!("2026-11-02"))], &[]),
                (
                    &[("/data/activity/desiredStartDate", json!("2026-11-01"))],
                    &["/data/activity/desiredStartDate activation_request.start-passed"],
                ),
                (&[("/data/caseworker/phone", json!("112"))], &["/data/caseworker/phone phone.danish"]),
                (
                    &[("/data/activity/description", json!("<p>Praktik</p>"))],
                    &["/data/activity/description text.html"],
                ),
                (&[("/data/reason", json!("Som 070761-4285"))], &["/data/reason text.cpr"]),
                (&[("/data/citizen/cpr", json!("6707614285"))], &["/data/citizen/cpr cpr.replacement"]),
            ],
        );
    }

    #[test]
    fn it_waits_in_line_with_the_citizens_recommendations() {
        assert_eq!(KIND.ordering_domain, crate::kinds::recommendation::KIND.ordering_domain);
    }
}
