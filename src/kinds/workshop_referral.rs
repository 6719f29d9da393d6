//! Workshop referral (fælles workshop, individuel hånd, uddannelsessamtale): to what a-kasse and jobcenter hold
//! together.
//!
//! KRIFA agreement, "Aftalens indhold": 1, a joint workshop with a duty to attend, for those who may gain from early
//! effort, the regional positive list, an assessment of prior learning or an adult apprenticeship; 2, an individual
//! hand for special groups; 3, an interview about education at short notice. Groups and purpose may tell of health:
//! only the caseworkers of both sides read them.

use serde::Deserialize;

use super::{
    Direction, Kind,
    people::{Citizen, Contact},
    rules::{Findings, days},
};
use crate::domain::{Event, Format, Severity, placement::Bearing};

pub static KIND: Kind = Kind {
    name: "workshop_referral",
    version: 1,
    title: "Referral to a joint workshop (fælles workshop, individuel hånd, uddannelsessamtale)",
    schema: include_str!("../../schemas/workshop_referral.v1.json"),
    example: include_str!("../../schemas/examples/workshop_referral.v1/valid-workshop.json"),
    direction: Direction::ToJobcenter,
    formats: &[Format::Kombit, Format::Cloudevents],
    ordering_domain: Some("placement"),
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
    pub r#type: Type,
    #[serde(borrow)]
    pub date_time: Option<&'e str>,
    #[serde(borrow)]
    pub place: Option<&'e str>,
    pub reason_codes: Vec<Reason>,
    pub purpose: &'e str,
    pub attendance_duty: bool,
    #[serde(borrow)]
    pub caseworker: Contact<'e>,
}

/// To what the citizen is referred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Type {
    /// Fælles a-kasse- og jobcenterworkshop
    JointWorkshop,
    /// En individuel hånd
    IndividualHand,
    /// Uddannelsessamtale
    EducationInterview,
}

/// Why the citizen would benefit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reason {
    /// Justering af beskæftigelsesmål
    JobGoals,
    /// Justering af cv
    Cv,
    /// Jobsøgningsstrategi
    JobSearchStrategy,
    /// Op- og omkvalificering på den regionale positivliste
    PositiveList,
    /// Realkompetencevurdering
    PriorLearningAssessment,
    /// Voksenlærlingeordning
    AdultApprenticeship,
    /// Fra ufaglært til faglært
    UnskilledToSkilled,
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

fn check(event: &Event, findings: &mut Findings) {
    let Some(data) = findings.read::<Data<'_>>(event) else { return };
    findings.cpr("/data/citizen/cpr", data.citizen.cpr);
    let begins = data.date_time.and_then(days::instant);
    if begins.is_some_and(|begins| begins < event.envelope.time) {
        let warning = findings.warning(
            "/data/dateTime",
            "workshop_referral.time-passed",
            "Tidspunktet var passeret, da visitationen blev sendt.",
            "The time had passed when the referral was sent.",
        );
        warning.expected = format!("{} or later", event.envelope.time);
        warning.actual = data.date_time.map(str::to_owned);
    }
    if data.r#type == Type::JointWorkshop && !data.attendance_duty {
        findings
            .warning(
                "/data/attendanceDuty",
                "workshop_referral.attendance-duty",
                "Den fælles workshop holdes med mødepligt.",
                "The joint workshop is held with a duty to attend.",
            )
            .expected = "true".into();
    }
    findings.caseworker(Some(&data.caseworker));
    findings.text("/data/place", data.place.unwrap_or_default(), Severity::Error);
    findings.text("/data/purpose", data.purpose, Severity::Error);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::kinds::testing;

    #[test]
    fn every_rule_is_found_at_its_place() {
        testing::check_table(
            "schemas/examples/workshop_referral.v1/valid-workshop.json",
            &[
                (&[], &[]),
                (&[("/data/dateTime", json!("2026-11-02T09:15:00Z"))], &[]),
                (
                    &[("/data/dateTime", json!("2026-11-02T10:14:59+01:00"))],
                    &["/data/dateTime workshop_referral.time-passed"],
                ),
                (
                    &[("/data/attendanceDuty", json!(false))],
                    &["/data/attendanceDuty workshop_referral.attendance-duty"],
                ),
                (&[("/data/attendanceDuty", json!(false)), ("/data/type", json!("individualHand"))], &[]),
                (&[("/data/place", json!("<br>"))], &["/data/place text.html"]),
                (&[("/data/purpose", json!("Som 070761-4285"))], &["/data/purpose text.cpr"]),
                (&[("/data/caseworker/phone", json!("112"))], &["/data/caseworker/phone phone.danish"]),
                (&[("/data/citizen/cpr", json!("3002000000"))], &["/data/citizen/cpr cpr.not-a-date"]),
            ],
        );
    }
}
