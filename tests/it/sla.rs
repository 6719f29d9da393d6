//! Promises through the whole gateway, with its clock moved: steps, risk, breach, and the order of urgency.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kassebro::{
    clock::{Clock, System},
    domain::sla::step_instant,
    store::{Views, views::MessageView},
};

use crate::support::{
    eventually::{eventually, stays},
    receiver::{Plays, Receiver, answer},
    world::{Plan, SOON, World, attempts},
};

const CODE: &str = "0101";

fn down() -> Plays {
    Plays::Answers(answer(503, "", ""))
}

fn fine() -> Plays {
    Plays::Answers(answer(200, "", ""))
}

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

async fn to(receiver: &Receiver) -> World {
    Plan::new().http(CODE, &receiver.url(), "permits = 1").start().await
}

/// The steps in a message's history, each with its recorded due time and the event's own.
fn steps(view: &MessageView) -> Vec<(u64, Timestamp, Timestamp)> {
    let events = view.history.iter().filter(|event| event.what == "sla_step");
    events
        .map(|event| {
            let due = event.data["dueAt"].as_str().unwrap().parse().unwrap();
            (event.data["step"].as_u64().unwrap(), due, event.at)
        })
        .collect()
}

/// Waits until the message has passed exactly these steps, and checks that each stands there with the instant
/// at which it truly fell due.
async fn passes(world: &World, id: &str, expected: &[u64]) -> MessageView {
    let view = eventually(&format!("{id} has passed {expected:?}"), SOON, async || {
        let view = world.view(id).await;
        (steps(&view).len() >= expected.len()).then_some(view)
    })
    .await;
    let promise = &view.promises[0];
    let passed = steps(&view);
    assert_eq!(passed.iter().map(|(step, ..)| *step).collect::<Vec<_>>(), expected, "{passed:?}");
    for (step, due, at) in passed {
        let truly = step_instant(promise.starts, promise.due, u8::try_from(step).unwrap());
        assert_eq!(due, truly, "{step} %");
        assert!(at >= due, "{step} % is not early");
    }
    view
}

#[tokio::test]
async fn a_complaint_that_waited_twenty_hours_has_four_left_and_goes_before_fresh_ones() {
    let receiver = Receiver::start(down());
    let world = to(&receiver).await;
    for id in ["fresh-1", "fresh-2"] {
        world.send(id, CODE);
    }
    world.alerted(&["KassebroCircuitOpen"]).await;
    let answer = world.send_kind("complaint", "waited", CODE, hours(20));
    let deadline: Timestamp = answer["deadline"].as_str().unwrap().parse().unwrap();
    let left = deadline.duration_since(world.now());
    assert!(left <= hours(4) && left > hours(4) - SignedDuration::from_mins(1), "{left}");
    world.attempted("waited", 1).await;
    receiver.plays(fine());
    let mut delivered = Vec::new();
    for id in ["waited", "fresh-1", "fresh-2"] {
        let view = world.reaches(id, "delivered").await;
        delivered.push((view.deliveries[0].settled, view.deliveries[0].due));
    }
    world.send_kind("complaint", "a", CODE, hours(1));
    world.reaches("a", "delivered").await;
    assert_eq!(world.view("waited").await.promises[0].standing, "met");
    assert_eq!(
        delivered.iter().min().map(|(_, due)| *due),
        delivered.iter().map(|(_, due)| *due).min(),
        "{delivered:?}"
    );
}

#[tokio::test]
async fn each_step_is_recorded_once_and_risk_and_lateness_are_told_once() {
    let receiver = Receiver::start(down());
    let mut world = to(&receiver).await;
    world.send("one", CODE);
    for (passed, expected) in [
        (12, &[50][..]),
        (18, &[50, 75]),
        (22, &[50, 75, 90]),
        (24, &[50, 75, 90, 100]),
        (60, &[50, 75, 90, 100]),
    ] {
        world.set_clock(hours(passed));
        passes(&world, "one", expected).await;
    }
    let metrics = world.gateway.http().get("/metrics").unwrap().body;
    for step in ["50", "75", "90", "100"] {
        let line = format!(
            "kassebro_sla_steps_total{{kind=\"complaint.v1\",promise=\"delivered\",receiver=\"{CODE}\",step=\"{step}\"}} 1"
        );
        assert!(metrics.contains(&line), "{line} in {metrics}");
    }
    world.tells("one", &["accepted", "at_risk", "late"]).await;
    let before = world.view("one").await.deliveries[0].attempts;
    world.pass(SignedDuration::from_mins(16));
    world.attempted("one", before + 1).await;
    receiver.plays(fine());
    world.pass(SignedDuration::from_mins(16));
    let view = world.reaches("one", "delivered").await;
    assert_eq!(view.promises[0].standing, "met_late");
    assert_eq!(steps(&view).len(), 4);
    world.tells("one", &["accepted", "at_risk", "late", "delivered"]).await;
}

#[tokio::test]
async fn what_fell_due_while_the_process_was_down_is_recorded_at_the_start_with_its_true_time() {
    let receiver = Receiver::start(down());
    let mut world = to(&receiver).await;
    world.send("one", CODE);
    world.send_kind("job_order", "two", CODE, SignedDuration::from_secs(1));
    world.attempted("one", 1).await;
    world.gateway.kill();
    world.set_clock(hours(19));
    world.gateway.restart().await;
    let began = System.monotonic();
    passes(&world, "one", &[50, 75]).await;
    passes(&world, "two", &[50, 75, 90, 100]).await;
    assert!(System.monotonic().saturating_sub(began) < Duration::from_secs(5), "within seconds of the start");
    for passed in [30, 31] {
        assert!(world.gateway.stop().await.success());
        world.set_clock(hours(passed));
        world.gateway.restart().await;
        passes(&world, "one", &[50, 75, 90, 100]).await;
    }
    world.tells("one", &["accepted", "at_risk", "late"]).await;
    world.tells("two", &["accepted", "late"]).await;
}

#[tokio::test]
async fn a_message_late_on_arrival_is_breached_at_once_and_delivered_all_the_same() {
    let receiver = Receiver::start(fine());
    let world = to(&receiver).await;
    world.send_kind("complaint", "one", CODE, hours(49));
    let view = world.reaches("one", "delivered").await;
    assert_eq!(view.promises[0].standing, "met_late");
    passes(&world, "one", &[50, 75, 90, 100]).await;
    world.tells("one", &["accepted", "late", "delivered"]).await;
    let metrics = world.gateway.http().get("/metrics").unwrap().body;
    assert!(
        !metrics.contains("kassebro_sla_steps_total{"),
        "what came late had passed them before: {metrics}"
    );
}

#[tokio::test]
async fn a_breach_does_not_end_the_attempts() {
    let receiver = Receiver::start(down());
    let mut world = to(&receiver).await;
    world.send("one", CODE);
    world.attempted("one", 1).await;
    for day in [2, 30, 365] {
        world.set_clock(hours(24 * day));
        let tried = world.view("one").await.deliveries[0].attempts;
        world.pass(SignedDuration::from_mins(16));
        world.attempted("one", tried + 1).await;
        assert_eq!(world.state("one").await, "pending", "a complaint never dies of waiting");
    }
    receiver.plays(fine());
    world.pass(SignedDuration::from_mins(16));
    world.reaches("one", "delivered").await;
}

/// F62, F63.
#[tokio::test]
async fn a_clock_that_is_set_neither_loses_nor_doubles_a_step_nor_stops_the_attempts() {
    let receiver = Receiver::start(down());
    let mut world = to(&receiver).await;
    world.send("one", CODE);
    world.attempted("one", 1).await;
    world.set_clock(hours(26));
    passes(&world, "one", &[50, 75, 90, 100]).await;
    world.set_clock(SignedDuration::ZERO);
    world.send("two", CODE);
    world.set_clock(hours(-2));
    stays("no step goes away and none comes again", Duration::from_secs(2), 4, async || {
        steps(&world.view("one").await).len()
    })
    .await;
    receiver.plays(fine());
    world.send("three", CODE);
    world.reaches("three", "delivered").await;
    world.set_clock(SignedDuration::ZERO);
    world.reaches("two", "delivered").await;
    world.set_clock(hours(27));
    let view = world.reaches("one", "delivered").await;
    assert_eq!(steps(&view).len(), 4);
    assert!(steps(&world.view("two").await).is_empty(), "it was delivered before any step");
}

/// F65. The days on which the clocks are changed, a leap day, and the turn of a year.
#[tokio::test]
async fn a_day_is_24_elapsed_hours_whatever_the_calendar_says() {
    for (received, due) in [
        ("2026-10-24T20:30:00+02:00", "2026-10-25T19:30:00+01:00"),
        ("2027-03-27T20:30:00+01:00", "2027-03-28T21:30:00+02:00"),
        ("2028-02-28T23:30:00+01:00", "2028-02-29T23:30:00+01:00"),
        ("2027-12-31T18:00:00+01:00", "2028-01-01T18:00:00+01:00"),
    ] {
        lasts_a_day(received.parse().unwrap(), due.parse().unwrap()).await;
    }
}

/// A complaint that the a-kasse received then is due then, is not breached before, and is breached at once.
async fn lasts_a_day(starts: Timestamp, due: Timestamp) {
    assert_eq!(due.duration_since(starts), hours(24), "the test's own table");
    let receiver = Receiver::start(down());
    let offset = |at: Timestamp| at.duration_since(System.now());
    let sent = starts + SignedDuration::from_secs(10);
    let mut world = Plan::new().http(CODE, &receiver.url(), "").start_at(offset(sent)).await;
    let answer = world.send_at("complaint", "one", CODE, starts);
    assert_eq!(answer["deadline"].as_str().unwrap().parse::<Timestamp>().unwrap(), due);
    let promise = world.view("one").await.promises[0].clone();
    assert_eq!((promise.starts, promise.due), (starts, due));
    // By the wall, two of these days are over an hour earlier, or later.
    world.set_clock(offset(due - SignedDuration::from_mins(2)));
    passes(&world, "one", &[50, 75, 90]).await;
    stays("it is not breached before", Duration::from_secs(1), 3, async || {
        steps(&world.view("one").await).len()
    })
    .await;
    world.set_clock(offset(due));
    let view = passes(&world, "one", &[50, 75, 90, 100]).await;
    let (_, true_due, recorded) = steps(&view)[3];
    assert!(recorded.duration_since(true_due) < SignedDuration::from_secs(10), "at the time, not later");
    assert!(!attempts(&view).is_empty());
    let totals = world.store().sla_totals(world.now()).await.unwrap();
    assert_eq!(totals.get("breached"), Some(&1));
}
