//! Risk notice (besked om risiko for langtidsledighed): the a-kasse tells the jobcenter that a citizen may be
//! unemployed for long, so that both assess what can begin before the transition.
//!
//! Norddjurs agreement, "A-kassens vurdering af den lediges risiko for langtidsledighed": digitally, and preferably
//! 14 days before the transition, so a later one is carried with a warning. The codes of reasons are groups that the
//! KRIFA agreement names: "Samarbejde om særlige målgrupper" and "Samarbejde om fremrykket langtidsledighedsindsats".
//! The day of the transition is the a-kasse's word: it follows from the benefit paid, which no message tells.

use jiff::{ToSpan, civil::Date};
use serde::Deserialize;

use super::{
    Direction, Kind,
    people::{Citizen, Contact},
    rules::{self, Findings},
};
use crate::domain::{Event, Format, Severity, placement::Bearing};

pub static KIND: Kind = Kind {
    name: "risk_notice",
    version: 1,
    title: "Notice of a risk of long-term unemployment (besked om risiko for langtidsledighed)",
    schema: include_str!("../../schemas/risk_notice.v1.json"),
    example: include_str!("../../schemas/examples/risk_notice.v1/valid-graduate.json"),
    direction: Direction::ToJobcenter,
    formats: &[Format::Kombit, Format::Cloudevents],
    ordering_domain: Some("placement"),
    check,
    says: |_| None,
    bears: |_| Some(Bearing::Within),
    figure: |_| None,
};

/// How long before the transition the jobcenter would have the notice, in days (Norddjurs agreement, "gerne").
pub const NOTICE_DAYS: i64 = 14;

/// The data, borrowed from the event.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Data<'e> {
    #[serde(borrow)]
    pub citizen: Citizen<'e>,
    pub transition_date: &'e str,
    pub assessment: &'e str,
    pub reason_codes: Vec<Reason>,
    pub expected_duration: Duration,
    #[serde(borrow, default)]
    pub proposed_initiatives: Vec<&'e str>,
    pub consent: Option<bool>,
    #[serde(borrow)]
    pub caseworker: Contact<'e>,
}

/// Why the a-kasse sees a risk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reason {
    /// Dimittend, med et års dagpenge
    Graduate,
    /// Dagpengeudløb
    BenefitPeriodEnding,
    /// Behov for fokus- eller gearskifte
    ChangeOfFocus,
    /// Brancheskifte
    ChangeOfLineOfBusiness,
    /// Justering af beskæftigelsesmål, cv eller jobsøgningsstrategi
    JobSearchStrategy,
    /// Ufaglært med erfaring fra en afgrænset jobfunktion
    NarrowExperience,
    /// Sprog, kultur og systemforståelse
    LanguageAndCulture,
    /// Helbred
    Health,
    /// Handicapkompenserende ordninger
    DisabilityCompensation,
    /// Andet
    Other,
}

/// How long the citizen is expected to be unemployed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Duration {
    /// Over 6 måneder
    #[serde(rename = "over6Months")]
    Over6Months,
    /// 6-12 måneder
    #[serde(rename = "sixTo12Months")]
    SixTo12Months,
    /// Over 12 måneder
    #[serde(rename = "over12Months")]
    Over12Months,
}

fn check(event: &Event, findings: &mut Findings) {
    let Some(data) = findings.read::<Data<'_>>(event) else { return };
    findings.cpr("/data/citizen/cpr", data.citizen.cpr);
    if let Some(transition) = rules::day(data.transition_date) {
        check_notice(transition, rules::day_of(event.envelope.time), findings);
    }
    if data.proposed_initiatives.is_empty() {
        findings.warning(
            "/data/proposedInitiatives",
            "risk_notice.no-initiatives",
            "Der er ikke foreslået noget, som kan sættes i gang inden overgangen.",
            "Nothing is proposed that could begin before the transition.",
        );
    }
    if data.consent == Some(false) {
        findings.warning(
            "/data/consent",
            "risk_notice.no-consent",
            "Den ledige har ikke givet samtykke til, at vurderingen sendes.",
            "The citizen did not agree that the assessment is passed on.",
        );
    }
    findings.caseworker(Some(&data.caseworker));
    findings.text("/data/assessment", data.assessment, Severity::Error);
    findings.texts("/data/proposedInitiatives", &data.proposed_initiatives, Severity::Error);
}

/// A late notice is of less use, and is carried all the same.
fn check_notice(transition: Date, sent: Date, findings: &mut Findings) {
    let latest = transition.saturating_sub(NOTICE_DAYS.days());
    if sent <= latest {
        return;
    }
    let warning = if sent > transition {
        findings.warning(
            "/data/transitionDate",
            "risk_notice.after-transition",
            "Overgangen til jobcentret var sket, da beskeden blev sendt.",
            "The transition to the jobcenter had taken place when the notice was sent.",
        )
    } else {
        findings.warning(
            "/data/transitionDate",
            "risk_notice.late",
            "Beskeden er sendt senere end 14 dage inden overgangen.",
            "The notice was sent later than 14 days before the transition.",
        )
    };
    warning.expected = format!("sent on {latest} or earlier");
    warning.actual = Some(format!("sent on {sent}"));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kinds::testing;

    #[test]
    fn every_rule_is_found_at_its_place() {
        testing::check_table(
            "schemas/examples/risk_notice.v1/valid-graduate.json",
            &[
                (&[], &[]),
                (&[("/data/transitionDate", json!("2026-11-16"))], &[]),
                (
                    &[("/data/transitionDate", json!("2026-11-15"))],
                    &["/data/transitionDate risk_notice.late"],
                ),
                (
                    &[("/data/transitionDate", json!("2026-11-02"))],
                    &["/data/transitionDate risk_notice.late"],
                ),
                (
                    &[("/data/transitionDate", json!("2026-11-01"))],
                    &["/data/transitionDate risk_notice.after-transition"],
                ),
                (
                    &[("/data/proposedInitiatives", json!(null))],
                    &["/data/proposedInitiatives risk_notice.no-initiatives"],
                ),
                (&[("/data/consent", json!(false))], &["/data/consent risk_notice.no-consent"]),
                (&[("/data/caseworker/phone", json!("112"))], &["/data/caseworker/phone phone.danish"]),
                (&[("/data/assessment", json!("<p>Risiko</p>"))], &["/data/assessment text.html"]),
                (
                    &[("/data/proposedInitiatives/1", json!("Tal med 070761-4285"))],
                    &["/data/proposedInitiatives/1 text.cpr"],
                ),
                (&[("/data/citizen/cpr", json!("0000000000"))], &["/data/citizen/cpr cpr.unknown"]),
            ],
        );
    }

    #[test]
    fn a_late_notice_is_carried() {
        for transition in ["2026-11-03", "2026-10-01"] {
            let mut value = testing::read_example("schemas/examples/risk_notice.v1/valid-graduate.json");
            value["data"]["transitionDate"] = json!(transition);
            let event = testing::event(&value);
            let violations = KIND.check(&event, testing::soon_after(&event));
            assert_eq!(violations.iter().map(|v| v.severity).collect::<Vec<_>>(), [Severity::Warning]);
        }
    }
}
