//! Job offer (jobsupplement): a job that the jobcenter knows of and that the a-kasse may pass on to its members.
//!
//! Norddjurs agreement, "Jobformidling": the jobcenter may supplement with jobs that the a-kasse can pass on with
//! advantage, and its placement officer is the one contact into the company.

use serde::Deserialize;

use super::{
    Direction, Kind,
    people::{Company, Contact, Occupation, WorkingTime},
    rules::{self, Findings},
};
use crate::domain::{Event, Format, Severity};

pub static KIND: Kind = Kind {
    name: "job_offer",
    version: 1,
    title: "Job that the a-kasse may pass on (jobsupplement)",
    schema: include_str!("../../schemas/job_offer.v1.json"),
    example: include_str!("../../schemas/examples/job_offer.v1/valid-job.json"),
    direction: Direction::ToAkasse,
    formats: &[Format::Cloudevents, Format::Kombit],
    // It is about nobody.
    ordering_domain: None,
    check,
    // It answers nothing.
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
    pub occupation: Option<Occupation<'e>>,
    pub description: &'e str,
    pub openings: u64,
    #[serde(borrow)]
    pub start_date: Option<&'e str>,
    #[serde(borrow)]
    pub application_deadline: Option<&'e str>,
    #[serde(borrow)]
    pub working_time: WorkingTime<'e>,
    #[serde(borrow)]
    pub contact: Contact<'e>,
    #[serde(borrow)]
    pub link: Option<&'e str>,
}

fn check(event: &Event, findings: &mut Findings) {
    let Some(data) = findings.read::<Data<'_>>(event) else { return };
    findings.cvr("/data/company/cvr", data.company.cvr);
    if let Some(phone) = data.company.contact_person.as_ref().and_then(|person| person.phone) {
        findings.phone("/data/company/contactPerson/phone", phone, Severity::Warning);
    }
    findings.phone("/data/contact/phone", data.contact.phone, Severity::Warning);
    findings.weekly_hours("job_offer.no-hours", &data.working_time);
    check_deadline(&data, event, findings);
    for (pointer, text) in [
        ("/data/title", Some(data.title)),
        ("/data/occupation/title", data.occupation.as_ref().and_then(|occupation| occupation.title)),
        ("/data/description", Some(data.description)),
        ("/data/workingTime/note", data.working_time.note),
    ] {
        findings.text(pointer, text.unwrap_or_default(), Severity::Error);
    }
}

fn check_deadline(data: &Data<'_>, event: &Event, findings: &mut Findings) {
    let sent = rules::day_of(event.envelope.time);
    if let Some(deadline) = data.application_deadline.and_then(rules::day).filter(|day| *day < sent) {
        let warning = findings.warning(
            "/data/applicationDeadline",
            "job_offer.deadline-passed",
            "Ansøgningsfristen var udløbet, da jobbet blev tilbudt.",
            "The application deadline had passed when the job was offered.",
        );
        warning.expected = format!("{sent} or later");
        warning.actual = Some(deadline.to_string());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::kinds::testing;

    #[test]
    fn every_rule_is_found_at_its_place() {
        testing::check_table(
            "schemas/examples/job_offer.v1/valid-job.json",
            &[
                (&[], &[]),
                (&[("/data/company/cvr", json!("99999999"))], &["/data/company/cvr cvr.check-digit"]),
                (
                    &[("/data/company/contactPerson", json!({"name": "B", "phone": "112"}))],
                    &["/data/company/contactPerson/phone phone.danish"],
                ),
                (&[("/data/contact/phone", json!("112"))], &["/data/contact/phone phone.danish"]),
                (
                    &[("/data/workingTime", json!({"weeklyHours": 0}))],
                    &["/data/workingTime/weeklyHours job_offer.no-hours"],
                ),
                (
                    &[("/data/applicationDeadline", json!("2026-11-01"))],
                    &["/data/applicationDeadline job_offer.deadline-passed"],
                ),
                (&[("/data/applicationDeadline", json!("2026-11-02"))], &[]),
                (&[("/data/title", json!("<b>Bager</b>"))], &["/data/title text.html"]),
                (&[("/data/occupation/title", json!("<b>Bager</b>"))], &["/data/occupation/title text.html"]),
                (&[("/data/workingTime/note", json!("<i>nat</i>"))], &["/data/workingTime/note text.html"]),
                (&[("/data/description", json!("Som 0707614285"))], &["/data/description text.cpr"]),
            ],
        );
    }
}
