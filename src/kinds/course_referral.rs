//! Course referral (visitation til jobsøgningsforløb): the a-kasse sends a citizen to a job-search course or a job
//! club that the jobcenter pays for.
//!
//! København agreement, "Jobsøgningsforløb": up to two weeks and 30 hours in all, at a provider of the a-kasse's choice
//! that has a framework agreement with the municipality; "Rammeaftale": which framework and which sub-agreement it is;
//! "Økonomi": settled with the provider within a yearly frame, so each referral has its price. The LO agreement says
//! the same of job clubs. What goes beyond these limits is not the a-kasse's to give, and is refused.

use jiff::civil::Date;
use serde::Deserialize;

use super::{
    Direction, Kind,
    people::{Address, Citizen, Contact},
    rules::{self, Findings},
};
use crate::domain::{Event, Format, Severity, placement::Bearing};

/// Where the price stands in the data, in øre.
pub(super) const PRICE: &str = "/priceOere";

pub static KIND: Kind = Kind {
    name: "course_referral",
    version: 1,
    title: "Referral to a job-search course (visitation til jobsøgningsforløb)",
    schema: include_str!("../../schemas/course_referral.v1.json"),
    example: include_str!("../../schemas/examples/course_referral.v1/valid-two-weeks.json"),
    direction: Direction::ToJobcenter,
    formats: &[Format::Kombit, Format::Cloudevents],
    ordering_domain: Some("placement"),
    check,
    says: |_| None,
    bears: |_| Some(Bearing::Within),
    figure: |_| None,
};

/// How long a course may last, in days, the first and the last counted (København agreement, two weeks).
pub const COURSE_DAYS_MAX: i32 = 14;

/// How many hours a course may have in all (København agreement).
pub const COURSE_HOURS_MAX: u64 = 30;

/// The data, borrowed from the event.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Data<'e> {
    #[serde(borrow)]
    pub citizen: Citizen<'e>,
    pub form: Form,
    #[serde(borrow)]
    pub provider: Provider<'e>,
    pub start_date: &'e str,
    pub end_date: &'e str,
    pub hours: u64,
    /// In øre, 1/100 krone.
    pub price_oere: u64,
    pub framework_id: &'e str,
    pub sub_agreement_id: &'e str,
    #[serde(borrow)]
    pub caseworker: Contact<'e>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Form {
    /// Jobsøgningsforløb
    JobSearchCourse,
    /// Jobklub
    JobClub,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Provider<'e> {
    pub cvr: &'e str,
    pub name: &'e str,
    #[serde(borrow)]
    pub address: Option<Address<'e>>,
    /// The a-kasse's attestation; the schema asks for `true`.
    pub approved_by_municipality: bool,
}

fn check(event: &Event, findings: &mut Findings) {
    let Some(data) = findings.read::<Data<'_>>(event) else { return };
    findings.cpr("/data/citizen/cpr", data.citizen.cpr);
    findings.cvr("/data/provider/cvr", data.provider.cvr);
    if let (Some(start), Some(end)) = (rules::day(data.start_date), rules::day(data.end_date)) {
        let sent = rules::day_of(event.envelope.time);
        findings.period("/data/endDate", "course_referral.period", Some(start), Some(end));
        findings.begins("/data/startDate", "course_referral.start-passed", Some(start), sent);
        check_length(start, end, findings);
    }
    check_hours_and_price(&data, findings);
    findings.caseworker(Some(&data.caseworker));
    findings.text("/data/provider/name", data.provider.name, Severity::Error);
}

fn check_length(start: Date, end: Date, findings: &mut Findings) {
    let days = (end - start).get_days() + 1;
    if days > COURSE_DAYS_MAX {
        let error = findings.error(
            "/data/endDate",
            "course_referral.length",
            "Forløbet varer mere end 14 dage.",
            "The course lasts more than 14 days.",
        );
        error.expected = format!("at most {COURSE_DAYS_MAX} days, both counted");
        error.actual = Some(format!("{days} days"));
    }
}

fn check_hours_and_price(data: &Data<'_>, findings: &mut Findings) {
    if data.hours > COURSE_HOURS_MAX {
        let error = findings.error(
            "/data/hours",
            "course_referral.hours",
            "Forløbet har mere end 30 timer i alt.",
            "The course has more than 30 hours in all.",
        );
        error.expected = format!("at most {COURSE_HOURS_MAX} hours");
        error.actual = Some(format!("{} hours", data.hours));
    }
    if data.price_oere == 0 {
        let error = findings.error(
            "/data/priceOere",
            "course_referral.price-above-zero",
            "Prisen skal være over nul.",
            "The price must be more than zero.",
        );
        error.expected = "1 øre or more".into();
        error.actual = Some("0".into());
        error.star_code = Some(8112);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::kinds::testing;

    #[test]
    fn every_rule_is_found_at_its_place() {
        testing::check_table(
            "schemas/examples/course_referral.v1/valid-two-weeks.json",
            &[
                (&[], &[]),
                (&[("/data/endDate", json!("2026-11-30"))], &["/data/endDate course_referral.length"]),
                (&[("/data/endDate", json!("2027-11-29"))], &["/data/endDate course_referral.length"]),
                (&[("/data/endDate", json!("2026-11-16"))], &[]),
                (&[("/data/endDate", json!("2026-11-15"))], &["/data/endDate course_referral.period"]),
                (
                    &[("/data/startDate", json!("2026-11-01")), ("/data/endDate", json!("2026-11-14"))],
                    &["/data/startDate course_referral.start-passed"],
                ),
                (&[("/data/hours", json!(31))], &["/data/hours course_referral.hours"]),
                (&[("/data/priceOere", json!(1))], &[]),
                (&[("/data/priceOere", json!(0))], &["/data/priceOere course_referral.price-above-zero"]),
                (&[("/data/provider/cvr", json!("99999999"))], &["/data/provider/cvr cvr.check-digit"]),
                (&[("/data/provider/name", json!("<b>x</b>"))], &["/data/provider/name text.html"]),
                (&[("/data/caseworker/phone", json!("112"))], &["/data/caseworker/phone phone.danish"]),
                (&[("/data/citizen/cpr", json!("3002000000"))], &["/data/citizen/cpr cpr.not-a-date"]),
            ],
        );
    }
}
