//! What the agreements that ship promise by dates that messages tell of, played at their own time.

use super::*;

/// From an a-kasse or a jobcenter of these codes, with those fields; one that is null is taken out.
fn told(then: &Then, kind: &str, (id, from, to): (&str, &str, &str), fields: &[(&str, Value)]) -> Value {
    let urn = |code: &str| {
        let side = if code.bytes().all(|byte| byte.is_ascii_digit()) { "jobcenter" } else { "akasse" };
        format!("urn:dk:{side}:{code}")
    };
    let mut event = generate::event(kind, 1, id, &urn(from), &urn(to), then.now);
    event["data"]["citizen"] = json!({ "cpr": "0707614285" });
    for (field, value) in fields {
        event["data"][field] = value.clone();
    }
    event["data"].as_object_mut().unwrap().retain(|_, value| !value.is_null());
    let answered = then.send(&event);
    assert_eq!(answered.status, 202, "{id}: {:?}", answered.said);
    event
}

/// How a promise stands, and when it is due.
fn stands(then: &Then, id: &str, name: &str) -> (String, String) {
    let promised = then.promised(id, name);
    let text = |field: &str| promised[field].as_str().unwrap().to_owned();
    (text("standing"), text("due"))
}

fn is(standing: &str, due: &str) -> (String, String) {
    (standing.to_owned(), due.to_owned())
}

#[tokio::test]
async fn the_regions_wait_four_weeks_for_the_interview_with_who_is_sick() {
    let mut then = Then::at("2009-12-07T10:00:00Z").await;
    let name = "four_week_interview";
    let sick = |then: &Then, id: &str, sick: &str, planned: Value, held: Value| {
        let fields = [
            ("sickReportDate", json!(sick)),
            ("plannedDate", planned),
            ("heldDate", held.clone()),
            ("outcome", if held.is_null() { json!(null) } else { json!("stillSick") }),
        ];
        told(then, "sickness_follow_up", (id, "hk", "0707"), &fields);
    };
    let null = || json!(null);
    sick(&then, "plan", "2009-12-02", json!("2009-12-28"), null());
    assert_eq!(then.under("plan"), "regional-2009");
    // The end of the 28th day after the report of 2 December.
    assert_eq!(stands(&then, "plan", name), is("on_track", "2009-12-30T23:00:00Z"));
    let basis = then.promised("plan", name)["basis"].clone();
    assert_eq!(basis, "agreement regional-2009, C. Dialogen med jobcentre og a-kasser");
    // The report was of the day before: the promise moves with it.
    sick(&then, "again", "2009-12-01", json!("2009-12-28"), null());
    assert_eq!(stands(&then, "plan", name).0, "ended");
    assert_eq!(stands(&then, "again", name), is("on_track", "2009-12-29T23:00:00Z"));
    then.move_to("2009-12-29T22:00:00Z");
    sick(&then, "held", "2009-12-01", null(), json!("2009-12-29"));
    assert_eq!(stands(&then, "again", name).0, "met");
    // Of a sick report of long ago that is told only now.
    then.move_to("2010-02-15T10:00:00Z");
    sick(&then, "late", "2010-01-04", json!("2010-02-16"), null());
    assert_eq!(stands(&then, "late", name), is("breached", "2010-02-01T23:00:00Z"));
    then.move_to("2010-02-16T12:00:00Z");
    sick(&then, "held-late", "2010-01-04", null(), json!("2010-02-16"));
    assert_eq!(stands(&then, "late", name).0, "met_late");
}

#[tokio::test]
async fn norddjurs_2024_waits_for_the_report_by_the_day_that_is_told_for_the_handover() {
    let mut then = Then::at("2024-04-02T10:00:00Z").await;
    let day = |day: &str| [("transitionDate", json!(day))];
    told(&then, "risk_notice", ("risk", "foa", "0707"), &day("2024-05-01"));
    assert_eq!(stands(&then, "risk", "handover"), is("on_track", "2024-05-01T22:00:00Z"));
    assert_eq!(then.promised("risk", "handover")["basis"], "agreement norddjurs-foa-2024, Jobplan");
    // The jobcenter tells of a later day: the last word counts.
    then.move_to("2024-04-20T10:00:00Z");
    let contact = [("transitionDate", json!("2024-05-06")), ("contactDate", json!("2024-04-22"))];
    told(&then, "contact_notice", ("contact", "0707", "foa"), &contact);
    assert_eq!(stands(&then, "risk", "handover").0, "ended");
    let standing = stands(&then, "contact", "handover").1;
    assert_eq!(standing, "2024-05-06T22:00:00Z");
    then.move_to("2024-05-06T20:00:00Z");
    told(&then, "handover_report", ("report", "foa", "0707"), &day("2024-05-06"));
    assert_eq!(stands(&then, "contact", "handover").0, "met");
    // Who tells of the day after the report was sent finds it there; who has none by the day is late.
    told(&then, "risk_notice", ("after", "foa", "0707"), &day("2024-05-07"));
    assert_eq!(stands(&then, "after", "handover").0, "met");
    then.move_to("2024-09-01T10:00:00Z");
    told(&then, "risk_notice", ("no-report", "foa", "0707"), &day("2024-08-20"));
    assert_eq!(stands(&then, "no-report", "handover"), is("breached", "2024-08-20T22:00:00Z"));
}

#[tokio::test]
async fn norddjurs_2024_waits_for_an_invitation_where_the_a_kasse_is_wished_for() {
    let mut then = Then::at("2024-04-02T10:00:00Z").await;
    let wish = |then: &Then, id: &str, wishes: bool| {
        let fields = [("wishes", json!(wishes)), ("interviewDate", json!("2024-04-12"))];
        told(then, "joint_interview_wish", (id, "foa", "0707"), &fields);
    };
    wish(&then, "wish", true);
    assert_eq!(stands(&then, "wish", "invitation").1, "2024-04-12T22:00:00Z");
    wish(&then, "back", false);
    assert_eq!(stands(&then, "wish", "invitation").0, "ended", "nobody is to be invited any more");
    wish(&then, "wish-again", true);
    then.move_to("2024-04-09T10:00:00Z");
    let off = [("cancelled", json!(true))];
    told(&then, "joint_interview_invitation", ("off", "0707", "foa"), &off);
    assert_ne!(stands(&then, "wish-again", "invitation").0, "met", "a cancelled one invites nobody");
    told(&then, "joint_interview_invitation", ("invited", "0707", "foa"), &[("cancelled", json!(false))]);
    assert_eq!(stands(&then, "wish-again", "invitation").0, "met");
}
