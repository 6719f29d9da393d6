//! Job order (jobordre): a company's vacancy that the a-kasse passes on to the jobcenter, by way of `JobAG`.
//!
//! Norddjurs agreement, "Jobformidling": job orders go through `JobAG` only, the jobcenter is the owner unless
//! agreed otherwise, and whoever found a candidate has contacted them before they are passed on.

use serde::Deserialize;

use super::{
    Direction, Kind,
    people::{Company, Occupation, Side, WorkingTime},
    rules::{self, Findings},
};
use crate::domain::{Event, FaultCode, Format, Severity, Text, Violation};

pub static KIND: Kind = Kind {
    name: "job_order",
    version: 1,
    title: "Job order (jobordre)",
    schema: include_str!("../../schemas/job_order.v1.json"),
    example: include_str!("../../schemas/examples/job_order.v1/valid-candidates.json"),
    direction: Direction::ToJobcenter,
    formats: &[Format::Jobag, Format::Cloudevents, Format::Kombit],
    // An order is about a company's vacancy, and its candidates may be many.
    ordering_domain: None,
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
    pub company: Company<'e>,
    pub title: &'e str,
    #[serde(borrow)]
    pub occupation: Occupation<'e>,
    pub description: &'e str,
    #[serde(borrow)]
    pub internal_comment: Option<&'e str>,
    pub openings: u64,
    pub start_date: &'e str,
    #[serde(borrow)]
    pub working_time: WorkingTime<'e>,
    #[serde(borrow)]
    pub application_deadline: Option<&'e str>,
    #[serde(borrow)]
    pub placement_officer: PlacementOfficer<'e>,
    #[serde(default)]
    pub owner: Side,
    #[serde(borrow)]
    pub agreed_handling_time: Option<AgreedHandlingTime<'e>>,
    #[serde(borrow, default)]
    pub candidates: Vec<Candidate<'e>>,
}

/// The formidlingsansvarlige: the one contact into the company.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlacementOfficer<'e> {
    pub name: &'e str,
    pub email: &'e str,
    pub phone: &'e str,
    pub organisation: &'e str,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AgreedHandlingTime<'e> {
    pub handle_by: &'e str,
    #[serde(borrow)]
    pub note: Option<&'e str>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Candidate<'e> {
    pub cpr: &'e str,
    #[serde(borrow)]
    pub name: Option<&'e str>,
    pub found_by: Side,
    pub contacted: bool,
}

fn check(event: &Event, findings: &mut Findings) {
    let Some(data) = findings.read::<Data<'_>>(event) else { return };
    check_company(&data, findings);
    check_days(&data, event, findings);
    findings.weekly_hours("job_order.no-hours", &data.working_time);
    findings.phone("/data/placementOfficer/phone", data.placement_officer.phone, Severity::Error);
    for (pointer, text) in [
        ("/data/title", Some(data.title)),
        ("/data/occupation/title", data.occupation.title),
        ("/data/description", Some(data.description)),
        ("/data/internalComment", data.internal_comment),
        ("/data/workingTime/note", data.working_time.note),
        ("/data/agreedHandlingTime/note", data.agreed_handling_time.as_ref().and_then(|agreed| agreed.note)),
    ] {
        findings.text(pointer, text.unwrap_or_default(), Severity::Error);
    }
    check_candidates(&data.candidates, findings);
}

fn check_company(data: &Data<'_>, findings: &mut Findings) {
    findings.cvr("/data/company/cvr", data.company.cvr);
    if let Some(phone) = data.company.contact_person.as_ref().and_then(|person| person.phone) {
        findings.phone("/data/company/contactPerson/phone", phone, Severity::Error);
    }
    let p_number = data.company.p_number;
    if p_number.is_some() && data.candidates.iter().any(|candidate| Some(candidate.cpr) == p_number) {
        findings.push(Violation::error(
            "/data/company/pNumber",
            "job_order.p-number",
            FaultCode::IdentifierWrong,
            Text::new("P-nummeret er en kandidats CPR-nummer.", "The P-number is a candidate's CPR number."),
        ));
    }
}

fn check_days(data: &Data<'_>, event: &Event, findings: &mut Findings) {
    let sent = rules::day_of(event.envelope.time);
    let agreed = data.agreed_handling_time.as_ref().map(|agreed| agreed.handle_by);
    for (pointer, day, rule, da, en) in [
        (
            "/data/applicationDeadline",
            data.application_deadline,
            "job_order.deadline-passed",
            "Ansøgningsfristen var udløbet, da jobordren blev sendt.",
            "The application deadline had passed when the job order was sent.",
        ),
        (
            "/data/agreedHandlingTime/handleBy",
            agreed,
            "job_order.handling-time-passed",
            "Den aftalte behandlingstid var udløbet, da jobordren blev sendt.",
            "The agreed handling time had passed when the job order was sent.",
        ),
    ] {
        if let Some(day) = day.and_then(rules::day).filter(|day| *day < sent) {
            let warning = findings.warning(pointer, rule, da, en);
            warning.expected = format!("{sent} or later");
            warning.actual = Some(day.to_string());
        }
    }
}

/// Candidates are contacted before they are passed on, and stand in the list once.
fn check_candidates(candidates: &[Candidate<'_>], findings: &mut Findings) {
    for (index, candidate) in candidates.iter().enumerate() {
        let pointer = format!("/data/candidates/{index}/cpr");
        findings.cpr(&pointer, candidate.cpr);
        if candidates[..index].iter().any(|earlier| earlier.cpr == candidate.cpr) {
            findings.error(
                &pointer,
                "job_order.candidate-twice",
                "Kandidaten står på listen to gange.",
                "The candidate stands in the list twice.",
            );
        }
        if !candidate.contacted {
            findings
                .error(
                    &format!("/data/candidates/{index}/contacted"),
                    "job_order.candidate-contacted",
                    "Kandidaten skal være kontaktet, før jobordren sendes videre.",
                    "The candidate must have been contacted before the job order is passed on.",
                )
                .expected = "true".into();
        }
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
            "schemas/examples/job_order.v1/valid-candidates.json",
            &[
                (&[], &[]),
                (&[("/data/company/cvr", json!("99999999"))], &["/data/company/cvr cvr.check-digit"]),
                (
                    &[("/data/company/pNumber", json!("0707614285"))],
                    &["/data/company/pNumber job_order.p-number"],
                ),
                (
                    &[("/data/company/contactPerson/phone", json!("112"))],
                    &["/data/company/contactPerson/phone phone.danish"],
                ),
                (
                    &[("/data/applicationDeadline", json!("2026-11-01"))],
                    &["/data/applicationDeadline job_order.deadline-passed"],
                ),
                (
                    &[("/data/agreedHandlingTime/handleBy", json!("2026-11-01"))],
                    &["/data/agreedHandlingTime/handleBy job_order.handling-time-passed"],
                ),
                (
                    &[("/data/workingTime", json!({"weeklyHours": 0}))],
                    &["/data/workingTime/weeklyHours job_order.no-hours"],
                ),
                (&[("/data/description", json!("Job <br> her"))], &["/data/description text.html"]),
                (&[("/data/description", json!("Ring til 070761-4285"))], &["/data/description text.cpr"]),
                (
                    &[("/data/candidates/1/contacted", json!(false))],
                    &["/data/candidates/1/contacted job_order.candidate-contacted"],
                ),
                (
                    &[("/data/candidates/1/cpr", json!("0707614285"))],
                    &["/data/candidates/1/cpr job_order.candidate-twice"],
                ),
                (
                    &[("/data/candidates/0/cpr", json!("3002000000"))],
                    &["/data/candidates/0/cpr cpr.not-a-date"],
                ),
            ],
        );
    }

    #[test]
    fn the_jobcenter_is_the_owner_unless_the_sender_says_otherwise() {
        let mut value = testing::read_example("schemas/examples/job_order.v1/valid-candidates.json");
        value["data"].as_object_mut().unwrap().remove("owner");
        for (owner, shown) in
            [(None, "JOBCENTER"), (Some("akasse"), "AKASSE"), (Some("jobcenter"), "JOBCENTER")]
        {
            if let Some(owner) = owner {
                value["data"]["owner"] = json!(owner);
            }
            let parcel = KIND.render(&testing::event(&value), Format::Jobag).unwrap();
            let order: serde_json::Value = serde_json::from_slice(&parcel.body).unwrap();
            assert_eq!(order["tovholder"], shown);
        }
    }
}
