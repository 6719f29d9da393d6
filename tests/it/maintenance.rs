//! Planned maintenance, through the whole gateway with its clock moved: attempts shift, deadlines are warned of at once.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

use std::time::Duration;

use jiff::SignedDuration;
use kassebro::store::Views;
use serde_json::Value;

use crate::support::{
    command::run,
    eventually::{eventually, stays},
    receiver::{Plays, Receiver, answer},
    world::{Plan, SOON, World, attempts},
};

const CODE: &str = "0101";
const COVERS: &str = "KassebroMaintenanceCoversDeadline";

fn down() -> Plays {
    Plays::Answers(answer(503, "", ""))
}

fn fine() -> Plays {
    Plays::Answers(answer(200, "", ""))
}

fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

/// Happened so long ago that so much of the day is left.
fn left(time: SignedDuration) -> SignedDuration {
    SignedDuration::from_hours(24) - time
}

fn said(world: &World, arguments: &[&str]) -> String {
    run(world.gateway.command(arguments).env("LC_ALL", "C")).exits(0).out
}

/// Plans a window from now on, and waits until the lane knows of it.
async fn rests(world: &World, time: SignedDuration) -> String {
    let until = (world.now() + time).to_string();
    let told = said(world, &["receivers", "maintain", CODE, "--to", &until, "--reason", "ny server"]);
    eventually("the lane knows", SOON, async || {
        world.gateway.log().contains(&format!("{CODE} is in maintenance until")).then_some(())
    })
    .await;
    told
}

async fn names(world: &World) -> Vec<String> {
    let open = world.store().open_alerts().await.unwrap();
    open.into_iter().map(|alert| alert.condition.name).collect()
}

#[tokio::test]
async fn a_window_over_a_deadline_warns_at_once_and_the_last_attempt_is_made() {
    let receiver = Receiver::start(fine());
    let mut world = Plan::new().http(CODE, &receiver.url(), "").start().await;
    let told = rests(&world, minutes(120)).await;
    assert!(told.contains("nothing will be late for it"), "{told}");
    world.send_kind("complaint", "within", CODE, left(minutes(60)));
    world.send_kind("complaint", "after", CODE, left(minutes(600)));
    let alert = eventually("it is told", SOON, async || {
        let open = world.store().open_alerts().await.unwrap();
        open.into_iter().map(|alert| alert.condition).find(|condition| condition.name == COVERS)
    })
    .await;
    assert!(alert.summary.contains("covers the deadline of 1 deliveries"), "{}", alert.summary);
    assert!(alert.description.contains("--cancel"), "{}", alert.description);
    assert!(!names(&world).await.contains(&"KassebroSlaPredictedMiss".into()), "it is told once");
    let predicted: Value =
        serde_json::from_str(&said(&world, &["--json", "sla", "list", "--predicted"])).unwrap();
    assert_eq!(predicted.as_array().unwrap().len(), 1);
    assert_eq!(
        (&predicted[0]["messageId"], &predicted[0]["cause"]),
        (&"within".into(), &"maintenance".into())
    );
    for id in ["within", "after"] {
        assert_eq!(world.view(id).await.deliveries[0].hold.as_deref(), Some("maintenance"));
    }
    assert!(said(&world, &["deliveries", "list"]).contains("pending (maintenance)"));
    assert!(said(&world, &["receivers", "show", CODE]).contains("ny server"));
    stays("nothing is sent", Duration::from_secs(2), 0, async || receiver.taken().len()).await;

    world.pass(minutes(60) - SignedDuration::from_secs(27));
    let view = world.reaches("within", "delivered").await;
    assert_eq!(view.promises[0].standing, "met", "the guaranteed attempt is made");
    eventually("the warning is over", SOON, async || {
        (!names(&world).await.contains(&COVERS.into())).then_some(())
    })
    .await;
    assert_eq!(world.state("after").await, "pending");
    let told = said(&world, &["receivers", "maintain", CODE, "--cancel"]);
    assert!(told.contains("No maintenance of 0101 is planned any more"), "{told}");
    world.reaches("after", "delivered").await;
    assert!(said(&world, &["receivers", "maintain", CODE, "--cancel"]).contains("was planned"));
}

#[tokio::test]
async fn what_waited_goes_in_deadline_order_when_the_window_is_over_also_after_a_restart() {
    let receiver = Receiver::start(fine());
    let mut world = Plan::new().http(CODE, &receiver.url(), "permits = 1").start().await;
    rests(&world, minutes(30)).await;
    for (id, hours) in [("fresh", 0), ("urgent", 20), ("older", 7)] {
        world.send_kind("complaint", id, CODE, SignedDuration::from_hours(hours));
    }
    world.gateway.kill();
    world.gateway.restart().await;
    stays("nothing is sent", Duration::from_secs(3), 0, async || receiver.taken().len()).await;
    world.pass(minutes(31));
    let mut started = Vec::new();
    for id in ["urgent", "older", "fresh"] {
        started.push(attempts(&world.reaches(id, "delivered").await)[0].2);
    }
    assert!(started.is_sorted(), "{started:?}");
    assert!(!said(&world, &["receivers", "show", CODE]).contains("ny server"), "it is over");
}

#[tokio::test]
async fn in_a_window_one_attempt_is_made_before_the_deadline_and_none_after_it() {
    let receiver = Receiver::start(down());
    let mut world =
        Plan::new().pace("[watch]\nperiod = \"100ms\"\n").http(CODE, &receiver.url(), "").start().await;
    rests(&world, minutes(120)).await;
    world.send_kind("complaint", "one", CODE, left(minutes(60)));
    world.send_kind("complaint", "late", CODE, left(minutes(-60)));
    world.pass(minutes(60) - SignedDuration::from_secs(27));
    world.attempted("one", 1).await;
    world.pass(minutes(30));
    stays("it is left alone", Duration::from_secs(3), 1, async || receiver.taken().len()).await;
    assert_eq!(world.view("late").await.deliveries[0].attempts, 0, "what is late is late");
    let view = world.view("one").await;
    let next = view.deliveries[0].next_attempt.unwrap();
    assert!(next > world.now() + minutes(25), "when the window is over: {next}");
    receiver.plays(fine());
    world.pass(minutes(60));
    world.reaches("one", "delivered").await;
    world.reaches("late", "delivered").await;
}

#[tokio::test]
async fn the_command_says_at_once_what_the_window_covers() {
    let receiver = Receiver::start(down());
    let world = Plan::new().http(CODE, &receiver.url(), "").start().await;
    world.send_kind("complaint", "within", CODE, left(minutes(60)));
    world.send_kind("complaint", "after", CODE, left(minutes(600)));
    world.attempted("after", 1).await;
    let until = (world.now() + minutes(120)).to_string();
    let told: Value = serde_json::from_str(&said(
        &world,
        &["--json", "receivers", "maintain", CODE, "--to", &until, "--reason", "ny server"],
    ))
    .unwrap();
    assert_eq!((&told["dueWithin"], &told["late"]), (&1.into(), &1.into()), "{told}");
    assert_eq!(told["first"]["messageId"], "within");
    assert_eq!(told["reason"], "ny server");
    let later = (world.now() + minutes(180)).to_string();
    let told = said(&world, &["receivers", "maintain", CODE, "--to", &later, "--reason", "ny server"]);
    assert!(told.contains("The deadline of 1 delivery that waits now lies within it."), "{told}");
    assert!(told.contains("It will make 1 late as things stand"), "{told}");
    let list = said(&world, &["receivers", "list"]);
    assert!(list.contains("until"), "{list}");

    let ends = |arguments: &[&str]| run(&mut world.gateway.command(arguments)).code;
    let past = (world.now() - minutes(1)).to_string();
    assert_eq!(ends(&["receivers", "maintain", "nobody", "--to", &until, "--reason", "x"]), 4);
    assert_eq!(ends(&["receivers", "maintain", CODE, "--to", &past, "--reason", "x"]), 2);
    assert_eq!(ends(&["receivers", "maintain", CODE, "--to", &until]), 2, "a reason is given");
    let long_past = (world.now() - minutes(9)).to_string();
    assert_eq!(
        ends(&["receivers", "maintain", CODE, "--from", &long_past, "--to", &past, "--reason", "x"]),
        5
    );
}
