//! Opt-out (fravalg): the citizen wants the jobcenter's contact course instead of the a-kasse's, or wants it no longer.
//!
//! København agreement, "Information til de ledige": the placement with the a-kasse is voluntary, and the contact
//! course of the jobcenter can be chosen instead. The partnership of the LO a-kasser: whoever prefers the jobcenter
//! from the start of the unemployment may choose it.

use serde::Deserialize;

use super::{
    Direction, Kind,
    people::{Citizen, Contact},
    rules::{self, Findings, days},
};
use crate::domain::{Event, Format, Severity, placement::Bearing};

pub static KIND: Kind = Kind {
    name: "opt_out",
    version: 1,
    title: "Opt-out of the placement (fravalg)",
    schema: include_str!("../../schemas/opt_out.v1.json"),
    example: include_str!("../../schemas/examples/opt_out.v1/valid-written.json"),
    direction: Direction::ToJobcenter,
    formats: &[Format::Kombit, Format::Cloudevents],
    ordering_domain: Some("placement"),
    check,
    says: |_| None,
    bears,
    figure: |_| None,
};

/// The data, borrowed from the event.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Data<'e> {
    #[serde(borrow)]
    pub citizen: Citizen<'e>,
    pub action: Action,
    pub scope: Scope,
    pub effective_from: &'e str,
    pub stated_on: &'e str,
    pub stated_how: StatedHow,
    #[serde(borrow)]
    pub note: Option<&'e str>,
    #[serde(borrow)]
    pub caseworker: Option<Contact<'e>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// Fravalg
    OptOut,
    /// Fravalg trukket tilbage
    Withdrawal,
}

/// What the citizen does not want.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Scope {
    /// Udlægning: the contact course with the a-kasse
    Placement,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StatedHow {
    /// Skriftligt
    Written,
    /// Mundtligt
    Oral,
}

fn bears(event: &Event) -> Option<Bearing> {
    let data = rules::read::<Data<'_>>(event).ok()?;
    Some(match data.action {
        Action::OptOut => Bearing::OptsOut(rules::day(data.effective_from).and_then(days::begin)?),
        Action::Withdrawal => Bearing::OptsIn,
    })
}

fn check(event: &Event, findings: &mut Findings) {
    let Some(data) = findings.read::<Data<'_>>(event) else { return };
    findings.cpr("/data/citizen/cpr", data.citizen.cpr);
    check_dates(&data, event, findings);
    if data.stated_how == StatedHow::Oral && data.caseworker.is_none() {
        findings.warning(
            "/data/caseworker",
            "opt_out.heard-by",
            "Det er ikke sagt, hvem der tog imod det mundtlige ønske.",
            "It is not said who heard what the citizen stated orally.",
        );
    }
    findings.text("/data/note", data.note.unwrap_or_default(), Severity::Error);
    findings.caseworker(data.caseworker.as_ref());
}

fn check_dates(data: &Data<'_>, event: &Event, findings: &mut Findings) {
    let Some(stated) = rules::day(data.stated_on) else { return };
    let sent = rules::day_of(event.envelope.time);
    if stated > sent {
        let error = findings.error(
            "/data/statedOn",
            "opt_out.stated-later",
            "Ønsket er fremsat efter den dag, beskeden gælder for.",
            "The citizen stated it after the day of the message.",
        );
        days::compare(error, format!("{sent} or earlier"), stated);
    }
    if let Some(effective) = rules::day(data.effective_from).filter(|effective| *effective < stated) {
        let warning = findings.warning(
            "/data/effectiveFrom",
            "opt_out.effective-before",
            "Det skal gælde fra en dag, før den ledige gav udtryk for det.",
            "It is to take effect before the citizen stated it.",
        );
        days::compare(warning, format!("{stated} or later"), effective);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::kinds::testing;

    #[test]
    fn every_rule_is_found_at_its_place() {
        testing::check_table(
            "schemas/examples/opt_out.v1/valid-written.json",
            &[
                (&[], &[]),
                (&[("/data/citizen/cpr", json!("0000000000"))], &["/data/citizen/cpr cpr.unknown"]),
                (&[("/data/statedOn", json!("2026-11-02"))], &[]),
                (
                    &[("/data/statedOn", json!("2026-11-03")), ("/data/effectiveFrom", json!("2026-11-03"))],
                    &["/data/statedOn opt_out.stated-later"],
                ),
                (
                    &[("/data/effectiveFrom", json!("2026-10-29"))],
                    &["/data/effectiveFrom opt_out.effective-before"],
                ),
                (&[("/data/effectiveFrom", json!("2026-10-30"))], &[]),
                (
                    &[("/data/statedHow", json!("oral")), ("/data/caseworker", json!(null))],
                    &["/data/caseworker opt_out.heard-by"],
                ),
                (&[("/data/caseworker", json!(null))], &[]),
                (&[("/data/statedHow", json!("oral"))], &[]),
                (&[("/data/note", json!("<b>Nej</b>"))], &["/data/note text.html"]),
                (&[("/data/caseworker/phone", json!("112"))], &["/data/caseworker/phone phone.danish"]),
            ],
        );
    }
}
