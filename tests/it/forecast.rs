//! What will be late is known before it is, through the whole gateway with its clock moved: an outage, a pause, a pace.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kassebro::store::{Store, Views};
use serde_json::Value;

use crate::support::{
    command::run,
    eventually::{eventually, stays},
    receiver::{Plays, Receiver, answer},
    world::{Plan, SOON, World},
};

const CODE: &str = "0101";
const OTHER: &str = "0147";
const MISS: &str = "KassebroSlaPredictedMiss";

fn down() -> Plays {
    Plays::Answers(answer(503, "", ""))
}

fn fine() -> Plays {
    Plays::Answers(answer(200, "", ""))
}

fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

fn said(world: &World, arguments: &[&str]) -> String {
    run(world.gateway.command(arguments).env("LC_ALL", "C")).exits(0).out
}

fn predicted(world: &World) -> Vec<Value> {
    let list: Value =
        serde_json::from_str(&said(world, &["--json", "sla", "list", "--predicted", "--limit", "100"]))
            .unwrap();
    list.as_array().unwrap().clone()
}

fn ids(predicted: &[Value]) -> Vec<&str> {
    predicted.iter().map(|line| line["messageId"].as_str().unwrap()).collect()
}

/// Waits until an alert of that name is open for the receiver, with this summary's beginning; its summary and
/// description.
async fn alerted(world: &World, name: &str, begins: &str) -> (String, String) {
    eventually(&format!("{name} says {begins:?}"), SOON, async || {
        let open = world.store().open_alerts().await.unwrap();
        let found = open.into_iter().map(|alert| alert.condition).find(|c| c.name == name)?;
        found.summary.starts_with(begins).then_some((found.summary, found.description))
    })
    .await
}

async fn is_silent(world: &World, name: &str) -> bool {
    world.store().open_alerts().await.unwrap().iter().all(|alert| alert.condition.name != name)
}

async fn silent(world: &World, name: &str) {
    eventually(&format!("{name} is resolved"), SOON, async || is_silent(world, name).await.then_some(()))
        .await;
}

async fn gauge(world: &World, receiver: &str, value: u32) {
    let line = format!("kassebro_sla_predicted_misses{{receiver=\"{receiver}\"}} {value}\n");
    eventually(&line, SOON, async || {
        world.gateway.http().get("/metrics").unwrap().body.contains(&line).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_outage_shows_exactly_what_it_endangers_and_nothing_when_it_is_over() {
    let (receiver, well) = (Receiver::start(down()), Receiver::start(fine()));
    let plan = Plan::new().http(CODE, &receiver.url(), "").http(OTHER, &well.url(), "");
    let mut world = plan.start().await;
    let waited = |left: i64| SignedDuration::from_hours(24) - minutes(left);
    for (id, left) in [("soon", 60), ("sooner", 50), ("far", 600)] {
        world.send_kind("complaint", id, CODE, waited(left));
    }
    world.send_kind("complaint", "elsewhere", OTHER, waited(45));
    world.reaches("elsewhere", "delivered").await;
    alerted(&world, "KassebroCircuitOpen", "").await;
    stays("a short outage endangers nothing", Duration::from_secs(2), (0, true), async || {
        (predicted(&world).len(), is_silent(&world, MISS).await)
    })
    .await;

    world.pass(minutes(28));
    let begins = format!("1 deliveries to {CODE} will miss");
    let (summary, description) = alerted(&world, MISS, &begins).await;
    let shown = predicted(&world);
    assert_eq!(ids(&shown), ["sooner"], "it has lasted 28 minutes, and 22 are left");
    world.pass(minutes(12));
    alerted(&world, MISS, &format!("2 deliveries to {CODE} will miss")).await;
    let shown = predicted(&world);
    assert_eq!(ids(&shown), ["sooner", "soon"], "forty minutes, and ten and twenty are left");
    let due: Timestamp = shown[0]["due"].as_str().unwrap().parse().unwrap();
    let done: Timestamp = shown[0]["predicted"].as_str().unwrap().parse().unwrap();
    let off = done.duration_since(world.now() + minutes(40)).abs();
    assert!(off < minutes(1), "back after as long again: {done}");
    assert_eq!(shown[0]["slackSeconds"], due.duration_since(done).as_secs());
    assert_eq!((&shown[0]["cause"], &shown[0]["receiver"]), (&"outage".into(), &CODE.into()));
    assert!(shown[0]["why"].as_str().unwrap().starts_with("0101 has taken nothing since"), "{}", shown[0]);
    let clock = kassebro::domain::calendar::in_denmark(due).strftime("%Y-%m-%d %H:%M").to_string();
    assert!(summary.contains(&clock) && summary.contains("has taken nothing since"), "{summary}");
    assert!(description.contains("1 complaint.v1") && description.contains("ask 0101"), "{description}");
    gauge(&world, CODE, 2).await;
    let explained = |id: &str| said(&world, &["sla", "explain", id]);
    assert!(explained("soon").contains("Forecast: late at 0101: 0101 has taken nothing since"));
    assert!(!explained("far").contains("Forecast"));
    assert!(!explained("elsewhere").contains("Forecast"));
    let show = said(&world, &["receivers", "show", CODE]);
    assert!(show.contains("forecast     2 due") && show.contains("will be late"), "{show}");
    let exit = run(&mut world.gateway.command(&["sla", "list", "--predicted", "--exit-code"]));
    assert_eq!(exit.code, 7, "{}", exit.out);

    receiver.plays(fine());
    for id in ["soon", "sooner", "far"] {
        world.reaches(id, "delivered").await;
    }
    assert_eq!(predicted(&world).len(), 0);
    silent(&world, MISS).await;
    gauge(&world, CODE, 0).await;
    for id in ["soon", "sooner"] {
        let view = world.view(id).await;
        assert_eq!(view.promises[0].standing, "met");
        assert!(view.history.iter().all(|event| !event.what.contains("predict")), "a view, not an event");
    }
    let show = said(&world, &["receivers", "show", CODE]);
    assert!(show.contains("nothing will be late as things stand"), "{show}");
}

#[tokio::test]
async fn what_can_only_follow_the_delivery_is_endangered_with_it() {
    let receiver = Receiver::start(down());
    let promises = "[promise.recommendation]\nwithin = \"24h\"\nretry_window = \"30d\"\nalso = [\n\
        { name = \"answered\", within = \"1h\", stops = \"answered\" },\n\
        { name = \"decided\", within = \"20h\", stops = \"decided\" }]\n";
    let mut world = Plan::new().http(CODE, &receiver.url(), "").and(promises).start().await;
    world.send_kind("recommendation", "wish", CODE, SignedDuration::ZERO);
    alerted(&world, "KassebroCircuitOpen", "").await;
    world.pass(minutes(40));
    // Back after as long again, which is twenty minutes after the answer is due; all else is in time.
    let (_, description) = alerted(&world, MISS, "1 promises to 0101 will miss").await;
    assert!(description.contains("1 recommendation.v1"), "{description}");
    let shown = predicted(&world);
    assert_eq!(ids(&shown), ["wish"]);
    assert_eq!((&shown[0]["promise"], &shown[0]["cause"]), (&"answered".into(), &"outage".into()));
    let explained = said(&world, &["sla", "explain", "wish"]);
    assert!(
        explained.contains("Forecast: late at 0101, for \"answered\": 0101 has taken nothing"),
        "{explained}"
    );
    gauge(&world, CODE, 1).await;
    receiver.plays(fine());
    world.reaches("wish", "delivered").await;
    assert_eq!(predicted(&world).len(), 0, "now it is the receiver's to answer");
    silent(&world, MISS).await;
}

#[tokio::test]
async fn a_pause_endangers_all_that_waits_until_it_ends() {
    let receiver = Receiver::start(fine());
    let world = Plan::new().http(CODE, &receiver.url(), "").start().await;
    said(&world, &["receivers", "pause", CODE, "--reason", "flytter"]);
    alerted(&world, "KassebroReceiverPaused", "").await;
    eventually("the lane has seen it", SOON, async || {
        // Both look once a second.
        world.gateway.log().contains("KassebroReceiverPaused").then_some(())
    })
    .await;
    world.send("one", CODE);
    world.send("two", CODE);
    let (summary, description) = alerted(&world, MISS, "2 deliveries to 0101 will miss").await;
    assert!(summary.contains("is paused"), "{summary}");
    assert!(description.contains("kassebro receivers resume 0101"), "{description}");
    let shown = predicted(&world);
    assert_eq!(ids(&shown), ["one", "two"]);
    assert_eq!((&shown[0]["predicted"], &shown[0]["cause"]), (&Value::Null, &"pause".into()));
    said(&world, &["receivers", "resume", CODE]);
    world.reaches("two", "delivered").await;
    silent(&world, MISS).await;
}

#[tokio::test]
async fn a_receivers_pace_is_measured_and_kept_over_a_restart() {
    let receiver = Receiver::start(Plays::Trickles(answer(200, "", "    "), Duration::from_millis(20)));
    let mut world = Plan::new().http(CODE, &receiver.url(), "permits = 2").start().await;
    for number in 0..20 {
        world.send(&format!("m{number}"), CODE);
    }
    let pace = async |world: &World| {
        let list: Value = serde_json::from_str(&said(world, &["--json", "receivers", "list"])).unwrap();
        list[0]["pace"].clone()
    };
    let measured = eventually("a pace is written down", SOON, async || {
        Some(pace(&world).await).filter(|pace| !pace.is_null())
    })
    .await;
    let figure = |name: &str| measured[name].as_f64().unwrap();
    assert!(figure("took") > 0.02 && figure("took") < 2.0, "{measured}");
    assert!(figure("able") >= figure("perSecond") && figure("able") < 100.0, "{measured}");
    world.gateway.kill();
    world.gateway.restart().await;
    assert!(!pace(&world).await.is_null());
    assert!(said(&world, &["receivers", "show", CODE]).contains("a second when there is work"));
}

/// A store that was written by hand says what the forecast of another node would see.
#[tokio::test]
async fn a_backlog_that_is_too_much_for_the_pace_is_told_from_its_end() {
    let receiver = Receiver::start(Plays::Hangs);
    let plan = Plan::new().pace("[watch]\nperiod = \"100ms\"\n[circuit]\nfailures = 1000\n");
    let world = plan.http(CODE, &receiver.url(), "").start().await;
    let slow = kassebro::domain::pace::Pace { per_second: 0.002, busy: 1.0, able: 0.002, took: 1.0 };
    world.store().save_paces(vec![(CODE.into(), slow)], world.now()).await.unwrap();
    // One in 500 seconds: within an hour seven.
    let waited = SignedDuration::from_hours(23);
    for number in 0..9 {
        world.send_kind("complaint", &format!("m{number}"), CODE, waited);
    }
    let (summary, description) = alerted(&world, MISS, "2 deliveries").await;
    assert!(summary.contains("more waits for 0101 than it settles in the time"), "{summary}");
    assert!(description.contains("raise its permits"), "{description}");
    assert_eq!(ids(&predicted(&world)), ["m7", "m8"]);
}

/// One that comes back for a moment and goes away again is one trouble, and one alert.
#[tokio::test]
async fn a_receiver_that_wavers_does_not_make_the_alert_flap() {
    let receiver = Receiver::start(down());
    let mut world = Plan::new().http(CODE, &receiver.url(), "permits = 1").start().await;
    let left = minutes(50);
    for number in 0..40 {
        world.send_kind("complaint", &format!("m{number}"), CODE, SignedDuration::from_hours(24) - left);
    }
    alerted(&world, "KassebroCircuitOpen", "").await;
    world.pass(minutes(30));
    alerted(&world, MISS, "40 deliveries").await;
    // It takes one, and then is away again for so long that its outage is a young one.
    let before = receiver.taken().len();
    receiver.plays(Plays::Judges(|_, before| {
        if before.len().is_multiple_of(2) { answer(200, "", "") } else { answer(503, "", "") }
    }));
    eventually("some are taken", SOON, async || (receiver.taken().len() > before + 12).then_some(())).await;
    let changes = world.store().alert_changes(0, 1_000).await.unwrap();
    let opened = changes.iter().filter(|change| change.condition.name == MISS).count();
    assert_eq!(opened, 1, "{changes:?}");
}
