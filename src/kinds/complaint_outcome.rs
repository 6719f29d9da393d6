//! Outcome of a complaint (udfald af klage): what the jobcenter decided on a complaint that the a-kasse passed on.
//!
//! København agreement, "Klagesagsbehandling": the jobcenter handles complaints, the hearing of parties included. The
//! gateway decides none; it tells the a-kasse what was decided, whatever is imperfect about the telling.

use serde::Deserialize;

use super::{
    Direction, Kind,
    people::{Citizen, Contact},
    rules::{self, Findings},
};
use crate::domain::{
    Event, Format, Severity,
    case::{CaseState, Said},
};

pub static KIND: Kind = Kind {
    name: "complaint_outcome",
    version: 1,
    title: "Outcome of a complaint (udfald af klage)",
    schema: include_str!("../../schemas/complaint_outcome.v1.json"),
    example: include_str!("../../schemas/examples/complaint_outcome.v1/valid-partly-upheld.json"),
    direction: Direction::ToAkasse,
    formats: &[Format::Cloudevents, Format::Kombit],
    // Nothing holds it back, as nothing holds the complaint back.
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
    #[serde(borrow)]
    pub citizen: Citizen<'e>,
    pub status: Status,
    #[serde(borrow)]
    pub decided_on: Option<&'e str>,
    pub forwarded_to_appeals_board: Option<bool>,
    #[serde(borrow)]
    pub reason: Option<&'e str>,
    #[serde(borrow)]
    pub caseworker: Contact<'e>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    /// Modtaget
    Received,
    /// Under behandling
    InProcess,
    /// Medhold
    Upheld,
    /// Delvist medhold
    PartlyUpheld,
    /// Ikke medhold
    Rejected,
    /// Afvist: ikke behandlet, f.eks. for sent indgivet
    Dismissed,
    /// Trukket tilbage af borgeren
    Withdrawn,
}

impl Status {
    fn says(self) -> CaseState {
        match self {
            Self::Received => CaseState::Received,
            Self::InProcess => CaseState::InProcess,
            Self::Upheld => CaseState::Granted,
            Self::PartlyUpheld | Self::Dismissed | Self::Withdrawn => CaseState::Closed,
            Self::Rejected => CaseState::Refused,
        }
    }

    /// The jobcenter has decided.
    fn is_decided(self) -> bool {
        match self {
            Self::Upheld | Self::PartlyUpheld | Self::Rejected | Self::Dismissed => true,
            Self::Received | Self::InProcess | Self::Withdrawn => false,
        }
    }
}

fn says(event: &Event) -> Option<Said> {
    rules::read::<Data<'_>>(event).ok().map(|data| data.status.says().into())
}

fn check(event: &Event, findings: &mut Findings) {
    let Some(data) = findings.read::<Data<'_>>(event) else { return };
    findings.answers(event, "complaint_outcome.correlation");
    findings.cpr("/data/citizen/cpr", data.citizen.cpr);
    findings.happened("/data/decidedOn", data.decided_on, event);
    findings.phone("/data/caseworker/phone", data.caseworker.phone, Severity::Warning);
    findings.text("/data/reason", data.reason.unwrap_or_default(), Severity::Warning);
    check_decided(&data, findings);
    let settled = matches!(data.status, Status::Upheld | Status::Withdrawn);
    if settled && data.forwarded_to_appeals_board == Some(true) {
        findings.warning(
            "/data/forwardedToAppealsBoard",
            "complaint_outcome.forwarded",
            "Klagen er sendt videre til Ankestyrelsen, selv om der er givet medhold, eller den er trukket tilbage.",
            "The complaint went on to the appeals board although it was upheld or withdrawn.",
        );
    }
}

fn check_decided(data: &Data<'_>, findings: &mut Findings) {
    if data.status.is_decided() && data.decided_on.is_none() {
        findings.warning(
            "/data/decidedOn",
            "complaint_outcome.decided-on",
            "Det er ikke oplyst, hvornår klagen er afgjort.",
            "It is not said when the complaint was decided.",
        );
    }
    if data.status.is_decided() && data.status != Status::Upheld && data.reason.is_none() {
        findings.warning(
            "/data/reason",
            "complaint_outcome.reason",
            "Det er ikke oplyst, hvorfor der ikke er givet fuldt medhold.",
            "It is not said why the complaint was not upheld in full.",
        );
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kinds::testing;

    const EXAMPLE: &str = "schemas/examples/complaint_outcome.v1/valid-partly-upheld.json";

    #[test]
    fn every_rule_is_found_at_its_place() {
        testing::check_table(
            EXAMPLE,
            &[
                (&[], &[]),
                (&[("/correlationid", json!(null))], &["/correlationid complaint_outcome.correlation"]),
                (&[("/data/decidedOn", json!(null))], &["/data/decidedOn complaint_outcome.decided-on"]),
                (&[("/data/decidedOn", json!("2026-11-03"))], &["/data/decidedOn day.after-message"]),
                (&[("/data/reason", json!(null))], &["/data/reason complaint_outcome.reason"]),
                (
                    &[
                        ("/data/reason", json!(null)),
                        ("/data/forwardedToAppealsBoard", json!(false)),
                        ("/data/status", json!("upheld")),
                    ],
                    &[],
                ),
                (
                    &[("/data/status", json!("withdrawn"))],
                    &["/data/forwardedToAppealsBoard complaint_outcome.forwarded"],
                ),
                (&[("/data/reason", json!("<p>Nej</p>"))], &["/data/reason text.html"]),
                (&[("/data/caseworker/phone", json!("112"))], &["/data/caseworker/phone phone.danish"]),
                (&[("/data/citizen/cpr", json!("3002000000"))], &["/data/citizen/cpr cpr.not-a-date"]),
            ],
        );
    }

    #[test]
    fn each_status_says_where_the_case_stands() {
        for (status, state) in [
            ("received", CaseState::Received),
            ("inProcess", CaseState::InProcess),
            ("upheld", CaseState::Granted),
            ("partlyUpheld", CaseState::Closed),
            ("rejected", CaseState::Refused),
            ("dismissed", CaseState::Closed),
            ("withdrawn", CaseState::Closed),
        ] {
            assert_eq!(testing::says(EXAMPLE, &[("/data/status", json!(status))]), Some(state), "{status}");
        }
    }
}
