//! The rules of handover reports, from one example.

use serde_json::json;

use super::*;
use crate::kinds::testing;

const EXAMPLE: &str = "schemas/examples/handover_report.v1/valid-transition.json";

#[test]
fn every_rule_is_found_at_its_place() {
    testing::check_table(
        EXAMPLE,
        &[
            (&[], &[]),
            (&[("/data/placementEnd", json!("2026-11-02"))], &[]),
            (&[("/data/placementEnd", json!("2026-11-01"))], &["/data/placementEnd handover_report.late"]),
            (&[("/data/transitionDate", json!("2026-11-02"))], &[]),
            (
                &[("/data/transitionDate", json!("2026-11-01"))],
                &["/data/transitionDate handover_report.after-transition"],
            ),
            (&[("/data/heldInterviews/0/date", json!("2026-11-02"))], &[]),
            (
                &[("/data/heldInterviews/0/date", json!("2026-11-03"))],
                &["/data/heldInterviews/0/date handover_report.date-to-come"],
            ),
            (
                &[("/data/minPlan/date", json!("2026-11-03")), ("/data/cv/date", json!("2026-11-03"))],
                &[
                    "/data/cv/date handover_report.date-to-come",
                    "/data/minPlan/date handover_report.date-to-come",
                ],
            ),
            (
                &[("/data/joblog/date", json!("2027-11-01"))],
                &["/data/joblog/date handover_report.date-to-come"],
            ),
            (
                &[("/data/heldInterviews", json!(null))],
                &["/data/heldInterviews handover_report.no-interviews"],
            ),
            (&[("/data/initiatives", json!(null))], &["/data/initiatives handover_report.no-initiatives"]),
            (&[("/data/agreements", json!(null))], &["/data/agreements handover_report.no-agreements"]),
            (&[("/data/minPlan/updated", json!(false))], &["/data/minPlan/updated handover_report.min-plan"]),
            (&[("/data/cv/complete", json!(false))], &["/data/cv/complete handover_report.cv"]),
            (&[("/data/cv/jobGoals", json!(null))], &["/data/cv/jobGoals handover_report.job-goals"]),
            (
                &[("/data/cv/professionalSkills", json!(null)), ("/data/cv/personalSkills", json!(null))],
                &[
                    "/data/cv/personalSkills handover_report.skills",
                    "/data/cv/professionalSkills handover_report.skills",
                ],
            ),
            (&[("/data/joblog/updated", json!(false))], &["/data/joblog/updated handover_report.joblog"]),
            (&[("/data/caseworker/phone", json!("112"))], &["/data/caseworker/phone phone.danish"]),
            (&[("/data/initiatives/1", json!("<b>1</b>"))], &["/data/initiatives/1 text.html"]),
            (&[("/data/agreements/0", json!("<b>1</b>"))], &["/data/agreements/0 text.html"]),
            (&[("/data/cv/jobGoals/1", json!("<b>1</b>"))], &["/data/cv/jobGoals/1 text.html"]),
            (
                &[("/data/cv/professionalSkills", json!("<i>x</i>"))],
                &["/data/cv/professionalSkills text.html"],
            ),
            (&[("/data/cv/personalSkills", json!("<i>x</i>"))], &["/data/cv/personalSkills text.html"]),
            (&[("/data/recommendations", json!("Se 0707614285"))], &["/data/recommendations text.cpr"]),
            (&[("/data/citizen/cpr", json!("3002000000"))], &["/data/citizen/cpr cpr.not-a-date"]),
        ],
    );
}

#[test]
fn a_poor_or_late_report_is_carried() {
    let event = testing::event(&testing::read_example("schemas/examples/handover_report.v1/valid-poor.json"));
    let violations = KIND.check(&event, testing::soon_after(&event));
    assert_eq!(violations.len(), 11, "{violations:?}");
    assert!(violations.iter().all(|violation| violation.severity == Severity::Warning));
}
