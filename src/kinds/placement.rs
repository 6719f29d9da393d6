//! Placement (udlægning) and replacement (genudlægning): the jobcenter leaves a citizen's contact course to the a-kasse.
//!
//! København agreement, "Målgrupper": 26 weeks for those of 30 to 59 years, 16 for those of 60 and over; whoever
//! registers again before the first period ran out is placed again with the same end date. "Samarbejdet mellem
//! A-kasse og Jobcenter": the limit in weeks holds even where the portal's period is longer. "Rammeaftale": each
//! placement is under a framework agreement and the municipality's sub-agreement to it. The partnership of the LO
//! a-kasser: until the end of the sixth month at most, and nobody whom the jobcenter has in a special effort.

use jiff::{Span, civil::Date};
use serde::Deserialize;

use super::{
    Direction, Kind,
    people::Citizen,
    rules::{self, Findings, days},
};
use crate::domain::{Event, Format, Severity, placement::Bearing};

pub static KIND: Kind = Kind {
    name: "placement",
    version: 1,
    title: "Placement with the a-kasse (udlægning og genudlægning)",
    schema: include_str!("../../schemas/placement.v1.json"),
    example: include_str!("../../schemas/examples/placement.v1/valid-placement.json"),
    direction: Direction::ToAkasse,
    formats: &[Format::Cloudevents, Format::Kombit],
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
    /// The target group's code in the agreement, such as `A` or `B`.
    pub group: &'e str,
    pub start_date: &'e str,
    pub end_date: &'e str,
    pub registration_date: &'e str,
    #[serde(borrow)]
    pub first_end_date: Option<&'e str>,
    /// Weeks of unemployment after which the placement ends whatever its end date says.
    pub limit_weeks: Option<u16>,
    /// The same in months, where the agreement counts so.
    pub limit_months: Option<u16>,
    #[serde(borrow)]
    pub framework_id: Option<&'e str>,
    #[serde(borrow)]
    pub sub_agreement_id: Option<&'e str>,
    pub special_effort: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// Udlægning
    Placement,
    /// Genudlægning, after a deregistration
    Replacement,
    /// Ophørt; the end date is the last day it held
    Ended,
}

fn bears(event: &Event) -> Option<Bearing> {
    let data = rules::read::<Data<'_>>(event).ok()?;
    let kept = data.special_effort && data.action != Action::Ended;
    let from = if kept { Some(rules::day(data.start_date).and_then(days::begin)?) } else { None };
    Some(Bearing::SpecialEffort(from))
}

fn check(event: &Event, findings: &mut Findings) {
    let Some(data) = findings.read::<Data<'_>>(event) else { return };
    findings.cpr("/data/citizen/cpr", data.citizen.cpr);
    check_period(&data, findings);
    check_same_end(&data, findings);
    check_limit(&data, findings);
    if data.special_effort && data.action != Action::Ended {
        findings.warning(
            "/data/specialEffort",
            "placement.special-effort",
            "Den ledige er under jobcentrets specialindsats. Nogle aftaler undtager dem.",
            "The citizen is in a special effort of the jobcenter. Some agreements leave these out.",
        );
    }
    for (pointer, text) in [
        ("/data/group", Some(data.group)),
        ("/data/frameworkId", data.framework_id),
        ("/data/subAgreementId", data.sub_agreement_id),
    ] {
        findings.text(pointer, text.unwrap_or_default(), Severity::Error);
    }
}

fn check_period(data: &Data<'_>, findings: &mut Findings) {
    let (start, end) = (rules::day(data.start_date), rules::day(data.end_date));
    findings.period("/data/endDate", "placement.period", start, end);
    let (Some(start), Some(registered)) = (start, rules::day(data.registration_date)) else { return };
    if start < registered {
        let warning = findings.warning(
            "/data/startDate",
            "placement.before-registration",
            "Udlægningen begynder, før den ledige er tilmeldt.",
            "The placement begins before the citizen is registered.",
        );
        days::compare(warning, format!("{registered} or later"), start);
    }
}

/// A replacement keeps the end date of the first placement.
fn check_same_end(data: &Data<'_>, findings: &mut Findings) {
    if data.action == Action::Ended {
        return;
    }
    let (first_end, end) = (days::day(data.first_end_date), rules::day(data.end_date));
    match (first_end, end) {
        (None, _) if data.action == Action::Replacement => {
            findings.error(
                "/data/firstEndDate",
                "placement.first-end-date",
                "Ved genudlægning skal slutdatoen for den første udlægning oplyses.",
                "A replacement needs the end date of the first placement.",
            );
        }
        (Some(first_end), Some(end)) if first_end != end => {
            let error = findings.error(
                "/data/endDate",
                "placement.same-end-date",
                "Slutdatoen skal være den samme som for den første udlægning.",
                "The end date must be the same as that of the first placement.",
            );
            days::compare(error, first_end.to_string(), end);
        }
        (None | Some(_), _) => {}
    }
}

/// The limit counts from the registration; only for a first placement is that this one. An end date may be the last
/// day or the day after: the agreements do not say.
fn check_limit(data: &Data<'_>, findings: &mut Findings) {
    if data.limit_weeks.is_some() && data.limit_months.is_some() {
        findings
            .warning(
                "/data/limitMonths",
                "placement.two-limits",
                "Grænsen er angivet både i uger og i måneder.",
                "The limit is given both in weeks and in months.",
            )
            .expected = "limitWeeks or limitMonths".into();
    }
    let (Some(registered), Some(end)) = (rules::day(data.registration_date), rules::day(data.end_date))
    else {
        return;
    };
    if let Some(limit) = limit_after(data, registered)
        && data.action == Action::Placement
        && end > limit
    {
        let warning = findings.warning(
            "/data/endDate",
            "placement.over-limit",
            "Udlægningen slutter efter grænsen. Grænsen gælder alligevel.",
            "The placement ends after the limit. The limit holds all the same.",
        );
        days::compare(warning, format!("{limit} or earlier"), end);
    }
}

/// The earlier of the limits that are given.
fn limit_after(data: &Data<'_>, registered: Date) -> Option<Date> {
    let weeks = data.limit_weeks.map(|weeks| Span::new().weeks(weeks));
    let months = data.limit_months.map(|months| Span::new().months(months));
    weeks.into_iter().chain(months).map(|span| registered.saturating_add(span)).min()
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use serde_json::json;

    use crate::kinds::testing;

    #[test]
    fn every_rule_is_found_at_its_place() {
        testing::check_table(
            "schemas/examples/placement.v1/valid-placement.json",
            &[
                (&[], &[]),
                (&[("/data/citizen/cpr", json!("0000000000"))], &["/data/citizen/cpr cpr.unknown"]),
                (&[("/data/endDate", json!("2026-11-01"))], &["/data/endDate placement.period"]),
                (
                    &[("/data/startDate", json!("2026-10-25"))],
                    &["/data/startDate placement.before-registration"],
                ),
                // 26 weeks after 26 October.
                (&[("/data/endDate", json!("2027-04-26"))], &[]),
                (&[("/data/endDate", json!("2027-04-27"))], &["/data/endDate placement.over-limit"]),
                (
                    &[
                        ("/data/limitWeeks", json!(null)),
                        ("/data/limitMonths", json!(6)),
                        ("/data/endDate", json!("2027-04-27")),
                    ],
                    &["/data/endDate placement.over-limit"],
                ),
                (&[("/data/limitMonths", json!(6))], &["/data/limitMonths placement.two-limits"]),
                (&[("/data/specialEffort", json!(true))], &["/data/specialEffort placement.special-effort"]),
                (&[("/data/group", json!("070761-4285"))], &["/data/group text.cpr"]),
                (&[("/data/frameworkId", json!("0707614285"))], &["/data/frameworkId text.cpr"]),
                (&[("/data/subAgreementId", json!("0707614285"))], &["/data/subAgreementId text.cpr"]),
            ],
        );
    }

    #[test]
    fn a_replacement_keeps_the_end_date_of_the_first_placement() {
        let replacement = ("/data/action", json!("replacement"));
        testing::check_table(
            "schemas/examples/placement.v1/valid-placement.json",
            &[
                (from_ref(&replacement), &["/data/firstEndDate placement.first-end-date"]),
                (&[replacement.clone(), ("/data/firstEndDate", json!("2027-04-25"))], &[]),
                (
                    &[replacement.clone(), ("/data/firstEndDate", json!("2027-04-24"))],
                    &["/data/endDate placement.same-end-date"],
                ),
                (
                    &[replacement.clone(), ("/data/firstEndDate", json!("2027-04-26"))],
                    &["/data/endDate placement.same-end-date"],
                ),
                (&[("/data/firstEndDate", json!("2027-04-24"))], &["/data/endDate placement.same-end-date"]),
                // It ended before its time.
                (
                    &[
                        ("/data/action", json!("ended")),
                        ("/data/endDate", json!("2026-11-30")),
                        ("/data/firstEndDate", json!("2027-04-25")),
                        ("/data/specialEffort", json!(true)),
                    ],
                    &[],
                ),
            ],
        );
    }
}
