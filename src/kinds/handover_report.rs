//! Handover report (overlevering, slutindberetning): what the jobcenter goes on from when the a-kasse's part of the
//! contact course ends.
//!
//! København agreement, "Samarbejdet mellem A-kasse og Jobcenter" and "Input til fremtidig aktivering/jobplan": by an
//! agreed template, after the concluding interview and before the last week of the placement ends. Norddjurs agreement,
//! "Jobplan" and "CV-oplysninger": the initiatives, the agreements, Min Plan and a complete CV; its "Vejledning og
//! opkvalificering" adds the job log. KRIFA agreement, "Samarbejde om best-practice overlevering": before the first
//! interview at the jobcenter.
//! What is poor or late is told in warnings: a poor report is worth more to the jobcenter than none.

use jiff::civil::Date;
use serde::Deserialize;

use super::{
    Direction, Kind,
    interview_record::InterviewType,
    people::{Citizen, Contact},
    rules::{self, Findings, days},
};
use crate::domain::{Event, Format, Severity, placement::Bearing};

pub static KIND: Kind = Kind {
    name: "handover_report",
    version: 1,
    title: "Handover report (overlevering, slutindberetning)",
    schema: include_str!("../../schemas/handover_report.v1.json"),
    example: include_str!("../../schemas/examples/handover_report.v1/valid-transition.json"),
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
    pub template_version: &'e str,
    pub transition_date: &'e str,
    /// Counted from 1.
    pub unemployment_week: u64,
    #[serde(borrow)]
    pub placement_end: Option<&'e str>,
    #[serde(borrow, default)]
    pub held_interviews: Vec<HeldInterview<'e>>,
    #[serde(borrow, default)]
    pub initiatives: Vec<&'e str>,
    #[serde(borrow, default)]
    pub agreements: Vec<&'e str>,
    #[serde(borrow)]
    pub min_plan: UpToDate<'e>,
    #[serde(borrow)]
    pub cv: Cv<'e>,
    #[serde(borrow)]
    pub joblog: UpToDate<'e>,
    pub recommendations: &'e str,
    pub wishes_joint_interview: Option<bool>,
    #[serde(borrow)]
    pub caseworker: Contact<'e>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HeldInterview<'e> {
    pub r#type: InterviewType,
    pub date: &'e str,
}

/// How Min Plan or the job log is kept.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpToDate<'e> {
    pub updated: bool,
    #[serde(borrow)]
    pub date: Option<&'e str>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cv<'e> {
    pub complete: bool,
    #[serde(borrow)]
    pub date: Option<&'e str>,
    #[serde(borrow, default)]
    pub job_goals: Vec<&'e str>,
    #[serde(borrow)]
    pub professional_skills: Option<&'e str>,
    #[serde(borrow)]
    pub personal_skills: Option<&'e str>,
}

fn check(event: &Event, findings: &mut Findings) {
    let Some(data) = findings.read::<Data<'_>>(event) else { return };
    let sent = rules::day_of(event.envelope.time);
    findings.cpr("/data/citizen/cpr", data.citizen.cpr);
    check_in_time(&data, sent, findings);
    check_what_was_done(&data, sent, findings);
    check_course(&data, findings);
    check_papers(&data, findings);
    findings.caseworker(Some(&data.caseworker));
    findings.texts("/data/initiatives", &data.initiatives, Severity::Error);
    findings.texts("/data/agreements", &data.agreements, Severity::Error);
    findings.texts("/data/cv/jobGoals", &data.cv.job_goals, Severity::Error);
    for (pointer, text) in [
        ("/data/cv/professionalSkills", data.cv.professional_skills),
        ("/data/cv/personalSkills", data.cv.personal_skills),
        ("/data/recommendations", Some(data.recommendations)),
    ] {
        findings.text(pointer, text.unwrap_or_default(), Severity::Error);
    }
}

/// The jobcenter has the report before the placement ends, and when it takes over.
fn check_in_time(data: &Data<'_>, sent: Date, findings: &mut Findings) {
    for (pointer, day, rule, da, en) in [
        (
            "/data/placementEnd",
            data.placement_end,
            "handover_report.late",
            "Rapporten er sendt efter udgangen af aftalens sidste uge.",
            "The report was sent after the agreement's last week had ended.",
        ),
        (
            "/data/transitionDate",
            Some(data.transition_date),
            "handover_report.after-transition",
            "Rapporten er sendt efter overgangen til jobcentret.",
            "The report was sent after the transition to the jobcenter.",
        ),
    ] {
        if let Some(day) = days::day(day).filter(|day| sent > *day) {
            let warning = findings.warning(pointer, rule, da, en);
            warning.expected = format!("sent on {day} or earlier");
            warning.actual = Some(format!("sent on {sent}"));
        }
    }
}

/// What the report says was done lies before the report.
fn check_what_was_done(data: &Data<'_>, sent: Date, findings: &mut Findings) {
    let interviews = data.held_interviews.iter().enumerate();
    let held = interviews.map(|(at, held)| (format!("/data/heldInterviews/{at}/date"), Some(held.date)));
    let papers = [
        ("/data/minPlan/date", data.min_plan.date),
        ("/data/cv/date", data.cv.date),
        ("/data/joblog/date", data.joblog.date),
    ];
    let papers = papers.map(|(pointer, date)| (pointer.to_owned(), date));
    for (pointer, date) in held.chain(papers) {
        if let Some(day) = days::day(date).filter(|day| *day > sent) {
            let error = findings.error(
                &pointer,
                "handover_report.date-to-come",
                "Rapporten siger, at det er sket, men datoen ligger efter afsendelsen.",
                "The report says that it was done, but the date lies after it was sent.",
            );
            days::compare(error, format!("{sent} or earlier"), day);
        }
    }
}

/// The jobcenter shall see what was done and agreed.
fn check_course(data: &Data<'_>, findings: &mut Findings) {
    for (missing, pointer, rule, da, en) in [
        (
            data.held_interviews.is_empty(),
            "/data/heldInterviews",
            "handover_report.no-interviews",
            "Der er ikke oplyst nogen afholdt samtale.",
            "No interview is said to have been held.",
        ),
        (
            data.initiatives.is_empty(),
            "/data/initiatives",
            "handover_report.no-initiatives",
            "Det er ikke oplyst, hvilke initiativer der har været sat i gang.",
            "It is not said which initiatives were set going.",
        ),
        (
            data.agreements.is_empty(),
            "/data/agreements",
            "handover_report.no-agreements",
            "Det er ikke oplyst, hvilke aftaler der er indgået.",
            "It is not said what was agreed.",
        ),
    ] {
        if missing {
            findings.warning(pointer, rule, da, en);
        }
    }
}

/// Min Plan, CV and job log are often poor; the jobcenter is told so and can go on from there.
fn check_papers(data: &Data<'_>, findings: &mut Findings) {
    let cv = &data.cv;
    for (poor, pointer, rule, da, en) in [
        (
            !data.min_plan.updated,
            "/data/minPlan/updated",
            "handover_report.min-plan",
            "Den lediges Min Plan er ikke ajourført.",
            "The citizen's Min Plan is not up to date.",
        ),
        (
            !cv.complete,
            "/data/cv/complete",
            "handover_report.cv",
            "Den lediges CV er ikke fyldestgørende.",
            "The citizen's CV is not complete.",
        ),
        (
            cv.job_goals.is_empty(),
            "/data/cv/jobGoals",
            "handover_report.job-goals",
            "Det er ikke oplyst, hvad den ledige søger job indenfor.",
            "It is not said what work the citizen looks for.",
        ),
        (
            cv.professional_skills.is_none(),
            "/data/cv/professionalSkills",
            "handover_report.skills",
            "Den lediges faglige kompetencer er ikke oplyst.",
            "The citizen's professional skills are not said.",
        ),
        (
            cv.personal_skills.is_none(),
            "/data/cv/personalSkills",
            "handover_report.skills",
            "Den lediges personlige kompetencer er ikke oplyst.",
            "The citizen's personal skills are not said.",
        ),
        (
            !data.joblog.updated,
            "/data/joblog/updated",
            "handover_report.joblog",
            "Den lediges joblog er ikke ajourført.",
            "The citizen's job log is not up to date.",
        ),
    ] {
        if poor {
            findings.warning(pointer, rule, da, en);
        }
    }
}

#[cfg(test)]
mod tests;
