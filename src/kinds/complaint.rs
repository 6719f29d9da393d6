//! Complaint (klage): carried to the jobcenter within the agreement's time, whatever it looks like.
//!
//! København agreement, "Klagesagsbehandling": the a-kasse guides the citizen, hands out the complaint
//! guidance and passes the complaint on; the jobcenter decides it. So what is imperfect about a complaint is
//! a warning; only what makes it unreadable or nobody's is an error. When the a-kasse received it is the
//! event's `time` and stands nowhere else.

use serde::Deserialize;

use super::{
    Direction, Kind,
    people::{Address, Citizen, Contact},
    rules::{self, Findings},
};
use crate::domain::{Event, Format, Severity};

pub static KIND: Kind = Kind {
    name: "complaint",
    version: 1,
    title: "Complaint (klage)",
    schema: include_str!("../../schemas/complaint.v1.json"),
    example: include_str!("../../schemas/examples/complaint.v1/valid-written.json"),
    direction: Direction::ToJobcenter,
    formats: &[Format::Klagesag, Format::Cloudevents, Format::Kombit],
    // Nothing holds a complaint back.
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
    pub citizen: Citizen<'e>,
    pub form: Form,
    #[serde(borrow)]
    pub taken_down_by: Option<&'e str>,
    #[serde(borrow)]
    pub concerns: Concerns<'e>,
    #[serde(borrow)]
    pub text: Option<&'e str>,
    #[serde(borrow, default)]
    pub points: Vec<&'e str>,
    #[serde(borrow)]
    pub guidance: Guidance<'e>,
    #[serde(borrow)]
    pub representative: Option<Representative<'e>>,
    #[serde(borrow)]
    pub caseworker: Option<Contact<'e>>,
    #[serde(borrow, default)]
    pub attachments: Vec<Attachment<'e>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Form {
    /// Skriftlig
    Written,
    /// Mundtlig, nedskrevet
    Oral,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Concerns<'e> {
    pub subject: Subject,
    pub description: &'e str,
    #[serde(borrow)]
    pub decision_date: Option<&'e str>,
    #[serde(borrow)]
    pub decision_reference: Option<&'e str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Subject {
    /// Afgørelse
    Decision,
    /// Kontaktforløb
    ContactCourse,
    /// Tilbud
    Offer,
    /// Andet
    Other,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Guidance<'e> {
    pub handed_out: bool,
    #[serde(borrow)]
    pub date: Option<&'e str>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Representative<'e> {
    pub name: &'e str,
    #[serde(borrow)]
    pub organisation: Option<&'e str>,
    #[serde(borrow)]
    pub address: Option<Address<'e>>,
    #[serde(borrow)]
    pub email: Option<&'e str>,
    #[serde(borrow)]
    pub phone: Option<&'e str>,
    pub power_of_attorney: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Attachment<'e> {
    pub file_name: &'e str,
    pub media_type: &'e str,
    pub content: &'e str,
}

fn check(event: &Event, findings: &mut Findings) {
    let Some(data) = findings.read::<Data<'_>>(event) else { return };
    findings.cpr("/data/citizen/cpr", data.citizen.cpr);
    check_content(&data, findings);
    check_guidance(&data, findings);
    check_decision(&data, event, findings);
    if let Some(phone) = data.representative.as_ref().and_then(|representative| representative.phone) {
        findings.phone("/data/representative/phone", phone, Severity::Warning);
    }
    if let Some(caseworker) = &data.caseworker {
        findings.phone("/data/caseworker/phone", caseworker.phone, Severity::Warning);
    }
    for (index, attachment) in data.attachments.iter().enumerate() {
        findings.base64(&format!("/data/attachments/{index}/content"), attachment.content);
    }
}

/// There must be something to read: a text, points or an attachment; an oral complaint was taken down.
fn check_content(data: &Data<'_>, findings: &mut Findings) {
    let written_down = data.text.is_some() || !data.points.is_empty();
    if !written_down && data.attachments.is_empty() {
        findings
            .error(
                "/data/text",
                "complaint.content",
                "Klagen har hverken tekst, klagepunkter eller bilag.",
                "The complaint has neither text, points nor attachments.",
            )
            .expected = "a text, points or an attachment".into();
    } else if data.form == Form::Oral && !written_down {
        findings.error(
            "/data/text",
            "complaint.oral-text",
            "En mundtlig klage skal være skrevet ned.",
            "An oral complaint must have been taken down.",
        );
    }
    if data.form == Form::Oral && data.taken_down_by.is_none() {
        findings.warning(
            "/data/takenDownBy",
            "complaint.taken-down-by",
            "Det er ikke oplyst, hvem der skrev den mundtlige klage ned.",
            "It is not said who took the oral complaint down.",
        );
    }
    findings.text("/data/text", data.text.unwrap_or_default(), Severity::Warning);
    for (index, point) in data.points.iter().enumerate() {
        findings.text(&format!("/data/points/{index}"), point, Severity::Warning);
    }
    findings.text("/data/concerns/description", data.concerns.description, Severity::Warning);
}

/// The a-kasse hands out the jobcenter's complaint guidance. A complaint goes on without it, too.
fn check_guidance(data: &Data<'_>, findings: &mut Findings) {
    if !data.guidance.handed_out {
        findings.warning(
            "/data/guidance/handedOut",
            "complaint.guidance-handed-out",
            "Klagevejledningen er ikke udleveret. Klagen afleveres alligevel.",
            "The complaint guidance was not handed out. The complaint is delivered all the same.",
        );
    } else if data.guidance.date.is_none() {
        findings.warning(
            "/data/guidance/date",
            "complaint.guidance-date",
            "Det er ikke oplyst, hvornår klagevejledningen blev udleveret.",
            "It is not said when the complaint guidance was handed out.",
        );
    }
}

fn check_decision(data: &Data<'_>, event: &Event, findings: &mut Findings) {
    let received = rules::day_of(event.envelope.time);
    if data.concerns.decision_date.and_then(rules::day).is_some_and(|decided| decided > received) {
        findings
            .warning(
                "/data/concerns/decisionDate",
                "complaint.decision-later",
                "Afgørelsen er dateret, efter at klagen blev modtaget.",
                "The decision is dated after the complaint was received.",
            )
            .expected = format!("{received} or earlier");
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
            "schemas/examples/complaint.v1/valid-written.json",
            &[
                (&[], &[]),
                (&[("/data/text", json!(null))], &["/data/text complaint.content"]),
                (
                    &[
                        ("/data/text", json!(null)),
                        ("/data/form", json!("oral")),
                        ("/data/takenDownBy", json!("Prøve Skriver")),
                        (
                            "/data/attachments",
                            json!([{"fileName": "klage.pdf", "mediaType": "application/pdf", "content": "UHLDuHZl"}]),
                        ),
                    ],
                    &["/data/text complaint.oral-text"],
                ),
                (&[("/data/form", json!("oral"))], &["/data/takenDownBy complaint.taken-down-by"]),
                (
                    &[("/data/guidance", json!({"handedOut": false}))],
                    &["/data/guidance/handedOut complaint.guidance-handed-out"],
                ),
                (
                    &[("/data/guidance", json!({"handedOut": true}))],
                    &["/data/guidance/date complaint.guidance-date"],
                ),
                (
                    &[("/data/concerns/decisionDate", json!("2026-11-03"))],
                    &["/data/concerns/decisionDate complaint.decision-later"],
                ),
                (&[("/data/text", json!("<b>Uret!</b>"))], &["/data/text text.html"]),
                (&[("/data/points", json!(["ok", "<i>x</i>"]))], &["/data/points/1 text.html"]),
                (
                    &[(
                        "/data/attachments",
                        json!([{"fileName": "a.pdf", "mediaType": "application/pdf", "content": "????"}]),
                    )],
                    &["/data/attachments/0/content attachment.base64"],
                ),
                (
                    &[("/data/representative", json!({"name": "Prøve Partsen", "phone": "+46 8 123456"}))],
                    &["/data/representative/phone phone.danish"],
                ),
                (&[("/data/citizen/cpr", json!("0000000000"))], &["/data/citizen/cpr cpr.unknown"]),
            ],
        );
    }

    #[test]
    fn a_missing_guidance_or_a_replacement_number_never_stops_a_complaint() {
        let mut value = testing::read_example("schemas/examples/complaint.v1/valid-written.json");
        value["data"]["guidance"] = json!({"handedOut": false});
        value["data"]["citizen"]["cpr"] = json!("6707614285");
        let event = testing::event(&value);
        let violations = KIND.check(&event, testing::soon_after(&event));
        assert_eq!(violations.len(), 2);
        assert!(violations.iter().all(|v| !v.is_error()));
        assert!(!crate::formats::refuses_replacement_cpr(KIND.format()));
        assert!(KIND.render(&event, KIND.format()).is_ok());
    }

    #[test]
    fn nothing_holds_a_complaint_back() {
        assert_eq!(KIND.ordering_domain, None);
    }
}
