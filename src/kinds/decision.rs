//! Decision (afgørelse): what the jobcenter says to a recommendation or to an enquiry about early activation.
//!
//! Norddjurs agreement, "Vejledning og opkvalificering": the citizen and the a-kasse are both told the result, and a
//! grant is followed by an activity and a plan that is published to the citizen. København agreement, "Input til
//! fremtidig aktivering/jobplan": what the a-kasse may not agree on by itself, the jobcenter assesses and decides. What
//! is not complete comes back with what is missing.

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
    name: "decision",
    version: 1,
    title: "Decision on a recommendation (afgørelse på indstilling)",
    schema: include_str!("../../schemas/decision.v1.json"),
    example: include_str!("../../schemas/examples/decision.v1/valid-granted.json"),
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
    pub status: Status,
    #[serde(borrow)]
    pub decided_on: Option<&'e str>,
    #[serde(borrow)]
    pub reason: Option<&'e str>,
    #[serde(borrow, default)]
    pub missing: Vec<&'e str>,
    #[serde(borrow)]
    pub conditions: Option<&'e str>,
    #[serde(borrow)]
    pub activity_id: Option<&'e str>,
    #[serde(borrow)]
    pub activity: Option<Period<'e>>,
    #[serde(default)]
    pub told: Told,
    #[serde(borrow)]
    pub caseworker: Contact<'e>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    /// Under behandling
    InProcess,
    /// Bevilget
    Granted,
    /// Afslag
    Refused,
    /// Mangler oplysninger
    Incomplete,
    /// Aktivitet oprettet
    ActivityCreated,
    /// Publiceret for borgeren
    Published,
}

impl Status {
    fn says(self) -> CaseState {
        match self {
            Self::InProcess => CaseState::InProcess,
            Self::Granted => CaseState::Granted,
            Self::Refused => CaseState::Refused,
            Self::Incomplete => CaseState::Incomplete,
            Self::ActivityCreated => CaseState::ActivityCreated,
            Self::Published => CaseState::Published,
        }
    }
}

/// Who has been told of the decision, besides by this message.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Told {
    pub citizen: bool,
    pub akasse: bool,
}

fn says(event: &Event) -> Option<Said> {
    rules::read::<Data<'_>>(event).ok().map(|data| data.status.says().into())
}

fn check(event: &Event, findings: &mut Findings) {
    let Some(data) = findings.read::<Data<'_>>(event) else { return };
    findings.answers(event, "decision.correlation");
    findings.cpr("/data/citizen/cpr", data.citizen.cpr);
    findings.happened("/data/decidedOn", data.decided_on, event);
    match data.status {
        Status::Granted | Status::Refused => check_decided(&data, findings),
        Status::ActivityCreated | Status::Published => check_activity(&data, findings),
        Status::InProcess | Status::Incomplete => {}
    }
    check_reason(&data, findings);
    check_missing(&data, findings);
    if let Some(activity) = &data.activity {
        findings.offer_period("/data/activity", activity);
    }
    findings.phone("/data/caseworker/phone", data.caseworker.phone, Severity::Warning);
    findings.text("/data/reason", data.reason.unwrap_or_default(), Severity::Error);
    findings.text("/data/conditions", data.conditions.unwrap_or_default(), Severity::Error);
    for (index, missing) in data.missing.iter().enumerate() {
        findings.text(&format!("/data/missing/{index}"), missing, Severity::Error);
    }
}

fn check_decided(data: &Data<'_>, findings: &mut Findings) {
    if data.decided_on.is_none() {
        findings.warning(
            "/data/decidedOn",
            "decision.decided-on",
            "Det er ikke oplyst, hvornår afgørelsen er truffet.",
            "It is not said when the decision was made.",
        );
    }
    if !data.told.citizen {
        findings.warning(
            "/data/told/citizen",
            "decision.told-citizen",
            "Afgørelsen meddeles både borgeren og a-kassen; borgeren er ikke oplyst som underrettet.",
            "A decision is told to the citizen and the a-kasse; the citizen is not said to have been told.",
        );
    }
}

fn check_activity(data: &Data<'_>, findings: &mut Findings) {
    if data.activity_id.is_none() {
        findings.error(
            "/data/activityId",
            "decision.activity-id",
            "Når en aktivitet er oprettet, skal dens id oplyses.",
            "Once an activity is created, its id must be given.",
        );
    }
}

fn check_reason(data: &Data<'_>, findings: &mut Findings) {
    if matches!(data.status, Status::Refused | Status::Incomplete) && data.reason.is_none() {
        findings.error(
            "/data/reason",
            "decision.reason",
            "Et afslag og en tilbagesendt indstilling skal begrundes.",
            "A refusal, and a recommendation sent back, need a reason.",
        );
    }
}

fn check_missing(data: &Data<'_>, findings: &mut Findings) {
    let incomplete = data.status == Status::Incomplete;
    if incomplete && data.missing.is_empty() {
        findings
            .error(
                "/data/missing",
                "decision.missing",
                "Det skal fremgå, hvilke oplysninger der mangler.",
                "It must be said what is missing.",
            )
            .expected = "JSON Pointers into the recommendation, or words".into();
    }
    if !incomplete && !data.missing.is_empty() {
        findings.warning(
            "/data/missing",
            "decision.missing-unexpected",
            "Der nævnes manglende oplysninger, men indstillingen er ikke sendt tilbage.",
            "Something is said to be missing, but the recommendation was not sent back.",
        );
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kinds::testing;

    const EXAMPLE: &str = "schemas/examples/decision.v1/valid-granted.json";

    #[test]
    fn every_rule_is_found_at_its_place() {
        testing::check_table(
            EXAMPLE,
            &[
                (&[], &[]),
                (&[("/correlationid", json!(null))], &["/correlationid decision.correlation"]),
                (&[("/data/decidedOn", json!(null))], &["/data/decidedOn decision.decided-on"]),
                (&[("/data/decidedOn", json!("2026-11-03"))], &["/data/decidedOn day.after-message"]),
                (&[("/data/told", json!(null))], &["/data/told/citizen decision.told-citizen"]),
                (
                    &[("/data/told/citizen", json!(false)), ("/data/status", json!("refused"))],
                    &["/data/told/citizen decision.told-citizen"],
                ),
                (
                    &[
                        ("/data/status", json!("inProcess")),
                        ("/data/told", json!(null)),
                        ("/data/decidedOn", json!(null)),
                    ],
                    &[],
                ),
                (
                    &[("/data/status", json!("refused")), ("/data/reason", json!(null))],
                    &["/data/reason decision.reason"],
                ),
                (
                    &[("/data/status", json!("incomplete")), ("/data/reason", json!(null))],
                    &["/data/missing decision.missing", "/data/reason decision.reason"],
                ),
                (
                    &[("/data/missing", json!(["/data/offer/priceOere"]))],
                    &["/data/missing decision.missing-unexpected"],
                ),
                (
                    &[("/data/status", json!("activityCreated")), ("/data/activityId", json!(null))],
                    &["/data/activityId decision.activity-id"],
                ),
                (
                    &[("/data/status", json!("published")), ("/data/activityId", json!(null))],
                    &["/data/activityId decision.activity-id"],
                ),
                (
                    &[("/data/activity/endDate", json!("2026-11-15"))],
                    &["/data/activity/endDate period.reversed"],
                ),
                (&[("/data/activity/endDate", json!(null))], &[]),
                (&[("/data/caseworker/phone", json!("112"))], &["/data/caseworker/phone phone.danish"]),
                (&[("/data/reason", json!("Se <a href=x>her</a>"))], &["/data/reason text.html"]),
                (&[("/data/conditions", json!("Som 070761-4285"))], &["/data/conditions text.cpr"]),
                (&[("/data/citizen/cpr", json!("3002000000"))], &["/data/citizen/cpr cpr.not-a-date"]),
            ],
        );
        testing::check_table(
            "schemas/examples/decision.v1/valid-incomplete.json",
            &[(&[("/data/missing/1", json!("<i>pris</i>"))], &["/data/missing/1 text.html"])],
        );
    }

    #[test]
    fn each_status_says_where_the_case_stands() {
        for (status, state) in [
            ("inProcess", CaseState::InProcess),
            ("granted", CaseState::Granted),
            ("refused", CaseState::Refused),
            ("incomplete", CaseState::Incomplete),
            ("activityCreated", CaseState::ActivityCreated),
            ("published", CaseState::Published),
        ] {
            assert_eq!(testing::says(EXAMPLE, &[("/data/status", json!(status))]), Some(state), "{status}");
        }
    }
}
