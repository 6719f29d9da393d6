//! Back-referral (tilbagevisitering): the a-kasse gives the contact course back to the jobcenter.
//!
//! København agreement, "Samarbejdet mellem A-kasse og Jobcenter": at the agreement's limit of weeks at the latest,
//! even where the portal has a later end, so only `limitDate` is measured against. "Information til de ledige": a
//! citizen may choose the jobcenter instead. The LO agreement leaves out those under the jobcenter's special effort.
//! A late back-referral is carried: refusing it would make it later.

use serde::Deserialize;

use super::{
    Direction, Kind,
    people::{Citizen, Contact},
    rules::{self, Findings, days},
};
use crate::domain::{Event, Format, Severity};

pub static KIND: Kind = Kind {
    name: "back_referral",
    version: 1,
    title: "Back-referral (tilbagevisitering)",
    schema: include_str!("../../schemas/back_referral.v1.json"),
    example: include_str!("../../schemas/examples/back_referral.v1/valid-limit.json"),
    direction: Direction::ToJobcenter,
    formats: &[Format::Kombit, Format::Cloudevents],
    ordering_domain: Some("placement"),
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
    pub reason: Reason,
    #[serde(borrow)]
    pub reason_text: Option<&'e str>,
    /// Counted from 1.
    pub unemployment_week: u64,
    pub date: &'e str,
    #[serde(borrow)]
    pub limit_date: Option<&'e str>,
    #[serde(borrow)]
    pub portal_end_date: Option<&'e str>,
    #[serde(borrow)]
    pub placement_reference: Option<&'e str>,
    #[serde(borrow)]
    pub caseworker: Option<Contact<'e>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reason {
    /// Grænsen er nået
    LimitReached,
    /// Fravalg
    OptOut,
    /// Specialindsats
    SpecialEffort,
    /// Andet
    Other,
}

fn check(event: &Event, findings: &mut Findings) {
    let Some(data) = findings.read::<Data<'_>>(event) else { return };
    findings.cpr("/data/citizen/cpr", data.citizen.cpr);
    match data.reason {
        Reason::LimitReached => check_limit(&data, findings),
        Reason::Other if data.reason_text.is_none() => {
            findings.error(
                "/data/reasonText",
                "back_referral.reason-text",
                "Når årsagen er en anden, skal den skrives i ord.",
                "Another reason must be said in words.",
            );
        }
        Reason::OptOut | Reason::SpecialEffort | Reason::Other => {}
    }
    findings.caseworker(data.caseworker.as_ref());
    findings.text("/data/reasonText", data.reason_text.unwrap_or_default(), Severity::Error);
}

/// The agreement's limit decides, whatever end the portal has.
fn check_limit(data: &Data<'_>, findings: &mut Findings) {
    let Some(limit) = data.limit_date else {
        findings.warning(
            "/data/limitDate",
            "back_referral.limit-date",
            "Det er ikke oplyst, hvornår grænsen er nået.",
            "It is not said when the limit is reached.",
        );
        return;
    };
    if let (Some(date), Some(limit)) = (rules::day(data.date), rules::day(limit))
        && date > limit
    {
        let warning = findings.warning(
            "/data/date",
            "back_referral.late",
            "Borgeren er visiteret tilbage efter aftalens grænse. Portalens slutdato ændrer ikke grænsen.",
            "The citizen was referred back after the agreement's limit. The portal's end does not change the limit.",
        );
        days::compare(warning, format!("{limit} or earlier"), date);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kinds::testing;

    #[test]
    fn every_rule_is_found_at_its_place() {
        testing::check_table(
            "schemas/examples/back_referral.v1/valid-limit.json",
            &[
                (&[], &[]),
                (&[("/data/date", json!("2026-11-08"))], &[]),
                (&[("/data/date", json!("2026-11-09"))], &["/data/date back_referral.late"]),
                (
                    &[("/data/date", json!("2026-11-09")), ("/data/portalEndDate", json!(null))],
                    &["/data/date back_referral.late"],
                ),
                (&[("/data/portalEndDate", json!("2026-11-01"))], &[]),
                (&[("/data/date", json!("2026-11-09")), ("/data/reason", json!("optOut"))], &[]),
                (&[("/data/limitDate", json!(null))], &["/data/limitDate back_referral.limit-date"]),
                (&[("/data/limitDate", json!(null)), ("/data/reason", json!("specialEffort"))], &[]),
                (&[("/data/reason", json!("other"))], &["/data/reasonText back_referral.reason-text"]),
                (&[("/data/reason", json!("other")), ("/data/reasonText", json!("Flyttet"))], &[]),
                (&[("/data/reasonText", json!("<p>Grænse</p>"))], &["/data/reasonText text.html"]),
                (&[("/data/caseworker/phone", json!("112"))], &["/data/caseworker/phone phone.danish"]),
                (&[("/data/citizen/cpr", json!("3002000000"))], &["/data/citizen/cpr cpr.not-a-date"]),
            ],
        );
    }

    #[test]
    fn a_late_back_referral_is_carried() {
        let event =
            testing::event(&testing::read_example("schemas/examples/back_referral.v1/valid-late.json"));
        let violations = KIND.check(&event, testing::soon_after(&event));
        assert_eq!(violations.iter().map(|v| v.severity).collect::<Vec<_>>(), [Severity::Warning]);
    }
}
