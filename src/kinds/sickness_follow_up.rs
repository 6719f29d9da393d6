//! Sickness follow-up (opfølgningssamtale med sygemeldt): the interview four weeks after a citizen reported sick.
//!
//! The regions' agreement with the a-kasser's association, "Dialogen med jobcentre og a-kasser": holding the
//! four-week interviews with unemployed people who are sick is the a-kasse's task; its aims want few sickness
//! benefit courses beyond 26 weeks. How many were held in time is counted from interview records.

use jiff::{Timestamp, ToSpan, civil::Date};
use serde::Deserialize;
use serde_json::Value;

use super::{
    Direction, Kind,
    people::{Citizen, Contact},
    rules::{self, Findings, days},
};
use crate::domain::{Event, Format, Severity, placement::Bearing};

pub static KIND: Kind = Kind {
    name: "sickness_follow_up",
    version: 1,
    title: "Sickness follow-up interview (opfølgningssamtale med sygemeldt)",
    schema: include_str!("../../schemas/sickness_follow_up.v1.json"),
    example: include_str!("../../schemas/examples/sickness_follow_up.v1/valid-held.json"),
    direction: Direction::ToJobcenter,
    formats: &[Format::Kombit, Format::Cloudevents],
    ordering_domain: Some("contact"),
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
    pub sick_report_date: &'e str,
    #[serde(borrow)]
    pub planned_date: Option<&'e str>,
    #[serde(borrow)]
    pub held_date: Option<&'e str>,
    pub outcome: Option<Outcome>,
    #[serde(borrow)]
    pub note: Option<&'e str>,
    #[serde(borrow)]
    pub caseworker: Option<Contact<'e>>,
}

/// What the interview led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// Fortsat sygemeldt
    StillSick,
    /// Raskmeldt
    Recovered,
    /// Overgået til sygedagpenge
    SicknessBenefit,
    /// Udeblevet: the citizen stayed away, so it was not held
    Absent,
}

/// When it was held: on that day, and not after the message.
pub(super) fn held(event: &Event) -> Option<Timestamp> {
    let day = days::day(event.data.get("heldDate").and_then(Value::as_str))?;
    days::begin(day.tomorrow().ok()?).map(|end| end.min(event.envelope.time))
}

/// Whether nobody is left to speak with, though it was not held: the citizen recovered or went over to sickness benefit.
pub(super) fn has_lapsed(event: &Event) -> bool {
    let outcome = event.data.get("outcome").and_then(|outcome| Outcome::deserialize(outcome).ok());
    matches!(outcome, Some(Outcome::Recovered | Outcome::SicknessBenefit)) && held(event).is_none()
}

/// Four weeks: when the interview is due after the sick report.
const FOLLOW_UP_DAYS: i64 = 28;

fn check(event: &Event, findings: &mut Findings) {
    let Some(data) = findings.read::<Data<'_>>(event) else { return };
    findings.cpr("/data/citizen/cpr", data.citizen.cpr);
    check_dates(&data, event, findings);
    check_outcome(&data, findings);
    findings.text("/data/note", data.note.unwrap_or_default(), Severity::Error);
    findings.caseworker(data.caseworker.as_ref());
}

fn check_dates(data: &Data<'_>, event: &Event, findings: &mut Findings) {
    let sent = rules::day_of(event.envelope.time);
    let (planned, held) = (days::day(data.planned_date), days::day(data.held_date));
    if planned.is_none() && held.is_none() {
        findings
            .error(
                "/data/heldDate",
                "sickness_follow_up.date",
                "Det er hverken sagt, hvornår samtalen er holdt, eller hvornår den er planlagt.",
                "It is not said when the interview was held, nor when it is planned.",
            )
            .expected = "heldDate or plannedDate".into();
    }
    if let Some(held) = held.filter(|held| *held > sent) {
        let error = findings.error(
            "/data/heldDate",
            "sickness_follow_up.held-later",
            "Samtalen er holdt efter den dag, beskeden gælder for.",
            "The interview was held after the day of the message.",
        );
        days::compare(error, format!("{sent} or earlier"), held);
    }
    let Some(reported) = rules::day(data.sick_report_date) else { return };
    for (pointer, day) in [("/data/plannedDate", planned), ("/data/heldDate", held)] {
        findings.period(pointer, "sickness_follow_up.before-report", Some(reported), day);
    }
    // What was held counts; what is planned does so only until then.
    let interview = held.map(|day| ("/data/heldDate", day)).or(planned.map(|day| ("/data/plannedDate", day)));
    if let Some((pointer, day)) = interview {
        check_due(pointer, reported, day, findings);
    }
}

fn check_due(pointer: &str, reported: Date, day: Date, findings: &mut Findings) {
    let due = reported.saturating_add(FOLLOW_UP_DAYS.days());
    if day > due {
        let warning = findings.warning(
            pointer,
            "sickness_follow_up.late",
            "Samtalen ligger mere end fire uger efter sygemeldingen.",
            "The interview is more than four weeks after the sick report.",
        );
        days::compare(warning, format!("{due} or earlier"), day);
    }
}

fn check_outcome(data: &Data<'_>, findings: &mut Findings) {
    match (data.held_date, data.outcome) {
        (Some(_), Some(Outcome::Absent)) => {
            findings.error(
                "/data/outcome",
                "sickness_follow_up.absent",
                "En samtale, som den ledige udeblev fra, er ikke holdt.",
                "An interview that the citizen stayed away from was not held.",
            );
        }
        (Some(_), None) => {
            findings.warning(
                "/data/outcome",
                "sickness_follow_up.outcome",
                "Det er ikke sagt, hvad samtalen førte til.",
                "It is not said what the interview led to.",
            );
        }
        (None, Some(Outcome::StillSick)) => {
            findings.warning(
                "/data/outcome",
                "sickness_follow_up.outcome-before",
                "Den ledige er fortsat sygemeldt, men samtalen er ikke holdt.",
                "The citizen is still sick, but the interview was not held.",
            );
        }
        // Whoever recovered or went over to sickness benefit before it has no interview left to hold.
        (_, Some(Outcome::Recovered | Outcome::SicknessBenefit))
        | (Some(_), Some(Outcome::StillSick))
        | (None, None | Some(Outcome::Absent)) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::kinds::testing;

    #[test]
    fn every_rule_is_found_at_its_place() {
        testing::check_table(
            "schemas/examples/sickness_follow_up.v1/valid-held.json",
            &[
                (&[], &[]),
                (&[("/data/citizen/cpr", json!("0000000000"))], &["/data/citizen/cpr cpr.unknown"]),
                (
                    &[
                        ("/data/plannedDate", json!(null)),
                        ("/data/heldDate", json!(null)),
                        ("/data/outcome", json!(null)),
                    ],
                    &["/data/heldDate sickness_follow_up.date"],
                ),
                (&[("/data/heldDate", json!("2026-11-02"))], &[]),
                (
                    &[("/data/heldDate", json!("2026-11-03"))],
                    &["/data/heldDate sickness_follow_up.held-later"],
                ),
                (
                    &[("/data/heldDate", json!("2026-10-05"))],
                    &["/data/heldDate sickness_follow_up.before-report"],
                ),
                (
                    &[("/data/plannedDate", json!("2026-10-05"))],
                    &["/data/plannedDate sickness_follow_up.before-report"],
                ),
                // Due on 2 November: four weeks after 5 October.
                (
                    &[("/data/sickReportDate", json!("2026-10-05")), ("/data/heldDate", json!("2026-11-02"))],
                    &[],
                ),
                (
                    &[("/data/sickReportDate", json!("2026-10-04")), ("/data/heldDate", json!("2026-11-02"))],
                    &["/data/heldDate sickness_follow_up.late"],
                ),
                (
                    &[
                        ("/data/heldDate", json!(null)),
                        ("/data/outcome", json!(null)),
                        ("/data/plannedDate", json!("2026-11-04")),
                    ],
                    &["/data/plannedDate sickness_follow_up.late"],
                ),
                // It was held in time, although it had been planned too late.
                (&[("/data/plannedDate", json!("2026-11-04"))], &[]),
                (&[("/data/outcome", json!("absent"))], &["/data/outcome sickness_follow_up.absent"]),
                (&[("/data/outcome", json!(null))], &["/data/outcome sickness_follow_up.outcome"]),
                (
                    &[("/data/heldDate", json!(null)), ("/data/plannedDate", json!("2026-11-03"))],
                    &["/data/outcome sickness_follow_up.outcome-before"],
                ),
                (
                    &[
                        ("/data/heldDate", json!(null)),
                        ("/data/plannedDate", json!("2026-11-03")),
                        ("/data/outcome", json!("recovered")),
                    ],
                    &[],
                ),
                (&[("/data/note", json!("<b>Rask</b>"))], &["/data/note text.html"]),
                (&[("/data/caseworker/phone", json!("112"))], &["/data/caseworker/phone phone.danish"]),
            ],
        );
    }
}
