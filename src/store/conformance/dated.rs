//! Promises that go by dates which messages tell of: a later message tells of them anew.

use jiff::{SignedDuration, Timestamp};

use super::{
    Accepted, Office,
    clocks::{ANNA, citizen, command, further, terms},
    fault, hours,
};
use crate::{
    domain::{
        FaultCode,
        sla::{Further, Starts, Stops},
    },
    store::{Command, Meets, Next, Renews},
};

const FOLLOW_UP: &str = "sickness_follow_up";
const PROMISE: &str = "four_week_interview";

fn days(days: i64) -> SignedDuration {
    hours(24 * days)
}

/// An interview that is planned with somebody who is sick from `sick` on: it is waited for 28 days.
fn planned(office: &mut Office, id: &str, sick: Timestamp) -> Accepted {
    let (mut message, about) = citizen(office, id, FOLLOW_UP, ANNA);
    let stops = Stops::Kind(FOLLOW_UP.into());
    let waits = terms(PROMISE, days(28), Starts::Date("sickReportDate".into()), stops);
    message.deliveries[0].further = vec![Further { about: Some(about), ..further(waits, None, sick) }];
    message.meets = Some(Meets { about, happened: None });
    message.renews = Some(Renews { about, promises: vec![PROMISE.into()] });
    message
}

/// One that was held now.
fn held(office: &mut Office, id: &str) -> Accepted {
    let (mut message, about) = citizen(office, id, FOLLOW_UP, ANNA);
    message.meets = Some(Meets { about, happened: Some(office.now) });
    message.deliveries.clear();
    message
}

/// That none is to be held any more.
fn lapsed(office: &mut Office, id: &str) -> Accepted {
    let mut message = planned(office, id, office.now);
    message.deliveries.clear();
    message
}

/// How the promise of a message stands, when it is due, and which steps of it were recorded.
async fn stands(office: &Office, id: &str) -> (String, Timestamp, Vec<u64>) {
    let view = office.view(id).await;
    let promise = view.promises.into_iter().find(|promise| promise.promise == PROMISE).expect("it has begun");
    let steps = view.history.iter().filter(|e| e.what == "sla_step" && e.data["promise"] == PROMISE);
    let steps = steps.map(|event| event.data["step"].as_u64().unwrap()).collect();
    (promise.standing, promise.due, steps)
}

pub(super) async fn a_date_in_the_past_is_breached_from_the_first_with_its_true_time(mut office: Office) {
    let sick = office.now - days(40);
    let message = planned(&mut office, "late", sick);
    office.accept(message).await;
    let (standing, due, steps) = stands(&office, "late").await;
    assert_eq!((standing.as_str(), due, steps), ("breached", sick + days(28), vec![50, 75, 90, 100]));
    let event = office.view("late").await.history.into_iter().find(|e| e.data["step"] == 100).unwrap();
    assert_eq!(event.data["dueAt"], due.to_string());
    let own: Vec<_> = office.advance().await.into_iter().filter(|step| step.promise == PROMISE).collect();
    assert!(own.is_empty(), "what is recorded is not recorded again: {own:?}");
}

pub(super) async fn a_date_that_is_told_anew_takes_the_place_of_the_earlier_one(mut office: Office) {
    let sick = office.now;
    let first = planned(&mut office, "first", sick);
    office.accept(first).await;
    office.pass(days(20));
    // Four days later than was told, and then two days earlier.
    for (id, before, sick) in [("second", "first", sick + days(4)), ("third", "second", sick - days(2))] {
        let message = planned(&mut office, id, sick);
        office.accept(message).await;
        assert_eq!(stands(&office, before).await.0, "ended", "{id} took its place");
        let (standing, due, _) = stands(&office, id).await;
        assert_ne!(standing, "ended", "its own stays");
        assert_eq!(due, sick + days(28));
    }
    let ended = office.view("first").await.history.into_iter().find(|e| e.what == "sla_ended").unwrap();
    assert_eq!(ended.data["why"], "a later message tells of the date");
    office.crash();
    let interview = held(&mut office, "held");
    office.accept(interview).await;
    assert_eq!(stands(&office, "third").await.0, "met");
    office.pass(days(60));
    office.advance().await;
    assert_eq!(stands(&office, "first").await.0, "ended", "what is over is never late");
    office.check().await;
}

pub(super) async fn what_was_due_before_its_date_was_told_anew_stays_breached(mut office: Office) {
    let sick = office.now;
    let first = planned(&mut office, "first", sick);
    office.accept(first).await;
    office.pass(days(29));
    for (id, told) in [("second", true), ("off", false)] {
        let now = office.now;
        let message = if told { planned(&mut office, id, now) } else { lapsed(&mut office, id) };
        office.accept(message).await;
        assert_eq!(stands(&office, "first").await.0, "breached", "{id}");
    }
    assert_eq!(stands(&office, "second").await.0, "ended", "nobody is to be spoken with any more");
    let interview = held(&mut office, "held");
    office.accept(interview).await;
    assert_eq!(stands(&office, "first").await.0, "met_late");
}

pub(super) async fn what_gave_way_while_its_delivery_was_dead_is_not_taken_up_again(mut office: Office) {
    let sick = office.now;
    let first = planned(&mut office, "first", sick);
    let delivery = office.accept(first).await.answer().receipt_id.delivery(1);
    office.attempt(Next::Dead(fault(FaultCode::ReceiverRefused))).await;
    let second = planned(&mut office, "second", sick + days(1));
    office.accept(second).await;
    command(&office, Command::Retry(delivery)).await;
    assert_eq!(stands(&office, "first").await.0, "ended");
    assert_eq!(stands(&office, "second").await.0, "on_track");
}

/// What names the plan as its cause takes its place among the records, and is the first that tells of anything held.
pub(super) async fn what_was_planned_is_kept_by_the_record_that_corrects_it(mut office: Office) {
    let now = office.now;
    let plan = planned(&mut office, "plan", now);
    office.accept(plan).await;
    office.pass(days(10));
    let mut interview = held(&mut office, "held");
    interview.envelope.causation_id = Some("plan".into());
    office.accept(interview).await;
    assert_eq!(stands(&office, "plan").await.0, "met");
}

/// Of another citizen, or of another name: none of its affair.
pub(super) async fn what_is_told_anew_concerns_its_own_promises_only(mut office: Office) {
    let now = office.now;
    let first = planned(&mut office, "first", now);
    let (_, anna) = citizen(&mut office, "nobody", FOLLOW_UP, ANNA);
    let (_, bent) = citizen(&mut office, "nobody", FOLLOW_UP, "0103922852");
    office.accept(first).await;
    for (id, about, name) in [("bent", bent, PROMISE), ("other", anna, "handover")] {
        let mut message = lapsed(&mut office, id);
        message.renews = Some(Renews { about, promises: vec![name.into()] });
        message.meets = None;
        office.accept(message).await;
        assert_eq!(stands(&office, "first").await.0, "on_track", "{id}");
    }
    // One of the same name that goes by no date is nobody's to end either.
    let (mut message, about) = citizen(&mut office, "by-its-time", FOLLOW_UP, ANNA);
    let waits = terms(PROMISE, days(28), Starts::Occurred, Stops::Kind(FOLLOW_UP.into()));
    message.deliveries[0].further = vec![Further { about: Some(about), ..further(waits, None, office.now) }];
    office.accept(message).await;
    let anew = lapsed(&mut office, "anew");
    office.accept(anew).await;
    assert_eq!(stands(&office, "by-its-time").await.0, "on_track");
    assert_eq!(stands(&office, "first").await.0, "ended");
}
