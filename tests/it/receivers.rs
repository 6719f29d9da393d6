//! Lanes: what one receiver does to another, to itself after an outage, and over a restart.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kassebro::store::{Store, Views, views::MessageView};

use crate::support::{
    eventually::{eventually, stays},
    receiver::{Plays, Receiver, answer},
    world::{Plan, SOON, World, attempts},
};

fn fine() -> Plays {
    Plays::Answers(answer(200, "", ""))
}

/// Messages to each receiver of a sample: enough for a 99th percentile.
const SAMPLE: usize = 100;

/// The 99th percentile of arrival to delivery over the four that are well.
async fn p99_of_the_well(
    world: &World,
    codes: &[&str],
    run: &str,
    send_to_dead: Option<&str>,
) -> SignedDuration {
    let mut ids = Vec::new();
    for number in 0..SAMPLE {
        if let Some(dead) = send_to_dead {
            world.send(&format!("{run}-{dead}-{number}"), dead);
        }
        for code in codes {
            let id = format!("{run}-{code}-{number}");
            world.send(&id, code);
            ids.push(id);
        }
    }
    let store = world.store();
    let mut took = Vec::new();
    for id in ids {
        let view = eventually(&format!("{id} is delivered"), SOON, async || {
            let view: MessageView = store.message(id.clone(), None, world.now()).await.ok()??;
            (view.line.state == "delivered").then_some(view)
        })
        .await;
        let settled = view.deliveries[0].settled.expect("it is delivered");
        took.push(settled.duration_since(view.line.received));
    }
    took.sort();
    took[took.len() * 99 / 100]
}

/// F20.
#[tokio::test]
async fn one_dead_receiver_of_five_does_not_slow_the_others() {
    let well = ["0101", "0147", "0151", "0153"].map(|code| (code, Receiver::start(fine())));
    let dead = Receiver::start(Plays::Hangs);
    let plan = well.iter().fold(Plan::new(), |plan, (code, receiver)| plan.http(code, &receiver.url(), ""));
    let world = plan.http("0155", &dead.url(), "").start().await;
    let codes = [well[0].0, well[1].0, well[2].0, well[3].0];
    let calm = p99_of_the_well(&world, &codes, "calm", None).await;
    let beside = p99_of_the_well(&world, &codes, "beside", Some("0155")).await;
    // A fifth of the messages more, and a machine that does other things: a poll lost would be a second.
    let bound = calm.saturating_mul(2) + SignedDuration::from_millis(150);
    assert!(beside <= bound, "p99 {beside:?} beside a dead receiver, {calm:?} without");
    let backlogs = world.store().backlogs().await.expect("the store answers");
    assert_eq!(backlogs.len(), 1, "{backlogs:?}");
    assert_eq!(backlogs[0].pending, i64::try_from(SAMPLE).expect("a small number"));
}

/// F19, R40.
#[tokio::test]
async fn an_open_circuit_stays_open_over_a_restart() {
    let receiver = Receiver::start(Plays::Answers(answer(503, "", "")));
    let pace = "[circuit]\nfailures = 1\nprobe_first = \"5m\"\n[retry]\nfirst = \"200ms\"\n";
    let mut world = Plan::new().pace(pace).http("0101", &receiver.url(), "").start().await;
    world.send("one", "0101");
    world.alerted(&["KassebroCircuitOpen"]).await;
    let lanes = async |world: &World| world.store().lanes().await.expect("the store answers");
    let before = lanes(&world).await;
    for stop in [true, false] {
        if stop {
            world.gateway.stop().await;
        } else {
            world.gateway.kill();
        }
        world.gateway.restart().await;
        world.send(if stop { "two" } else { "three" }, "0101");
        let tried = receiver.taken().len();
        stays("it is left alone", Duration::from_secs(2), tried, async || receiver.taken().len()).await;
        assert_eq!(lanes(&world).await, before);
    }
    assert_eq!(receiver.taken().len(), 1);
    // Who knows that it is back need not wait for the next probe.
    receiver.plays(fine());
    pause(&world, None).await;
    for id in ["one", "two", "three"] {
        world.reaches(id, "delivered").await;
    }
}

/// Pauses the receiver, or resumes it.
async fn pause(world: &World, reason: Option<&str>) {
    let (store, now) = (world.store(), world.now());
    store.pause("0101".into(), reason.map(str::to_owned), "op".into(), now).await.expect("the store answers");
}

/// R42.
#[tokio::test]
async fn after_an_outage_it_starts_slowly() {
    let receiver = Receiver::start(Plays::Answers(answer(503, "", "")));
    let world = Plan::new().http("0101", &receiver.url(), "permits = 8").start().await;
    let ids: Vec<_> = (0..20).map(|number| format!("m{number}")).collect();
    for id in &ids {
        world.send(id, "0101");
    }
    world.alerted(&["KassebroCircuitOpen"]).await;
    // Each takes a while, so that those under way together are seen to be.
    receiver.plays(Plays::Trickles(answer(200, "", &" ".repeat(20)), Duration::from_millis(12)));
    let mut spans: Vec<(Timestamp, Timestamp)> = Vec::new();
    for id in &ids {
        let view = world.reaches(id, "delivered").await;
        let last = view.history.iter().rfind(|event| event.what == "attempt").expect("an attempt");
        let (_, _, started) = attempts(&view).pop().expect("an attempt");
        let took = SignedDuration::from_millis(last.data["tookMs"].as_i64().expect("milliseconds"));
        spans.push((started, started + took));
    }
    spans.sort();
    let under_way = |at: Timestamp| spans.iter().filter(|(from, to)| *from <= at && at < *to).count();
    let first_end = spans.iter().map(|(_, to)| *to).min().expect("twenty");
    assert!(spans[1].0 >= first_end, "the first goes alone: {spans:?}");
    assert!(under_way(spans[1].0) <= 2 && under_way(spans[2].0) <= 2, "then two: {spans:?}");
    assert!(spans.iter().all(|(from, _)| under_way(*from) <= 8), "never more than the permits: {spans:?}");
    assert!(spans.iter().any(|(from, _)| under_way(*from) > 2), "and then more: {spans:?}");
    world.alerted(&[]).await;
}

/// R44.
#[tokio::test]
async fn a_paused_receiver_is_held_with_its_clock_running_and_resumed_gets_the_most_urgent_first() {
    let receiver = Receiver::start(fine());
    let mut world = Plan::new().http("0101", &receiver.url(), "permits = 1").start().await;
    pause(&world, Some("flytter server")).await;
    world.alerted(&["KassebroReceiverPaused"]).await;
    // The lane looks at pauses once a second and before its first parcel: whether it has seen this one is known after a
    // restart only, which takes no pause back.
    assert!(world.gateway.stop().await.success());
    world.gateway.restart().await;
    for (id, hours) in [("fresh", 0), ("urgent", 20), ("older", 7)] {
        world.send_kind("complaint", id, "0101", SignedDuration::from_hours(hours));
    }
    stays("nothing is sent", Duration::from_secs(3), 0, async || receiver.taken().len()).await;
    assert_eq!(world.view("urgent").await.promises[0].standing, "at_risk", "its clock runs");
    pause(&world, None).await;
    let mut started = Vec::new();
    for id in ["urgent", "older", "fresh"] {
        let view = world.reaches(id, "delivered").await;
        started.push(attempts(&view)[0].2);
    }
    assert!(started.is_sorted(), "{started:?}");
    world.alerted(&[]).await;
}

/// What is no longer there is not shown as waiting.
#[tokio::test]
async fn the_gauges_fall_when_the_backlog_is_gone() {
    let receiver = Receiver::start(Plays::Answers(answer(503, "", "")));
    let world = Plan::new().http("0101", &receiver.url(), "").start().await;
    world.send("one", "0101");
    let shows = async |what: &str, line: &str| {
        eventually(what, SOON, async || {
            let metrics = world.gateway.http().get("/metrics").ok()?.body;
            let value =
                metrics.lines().find_map(|found| found.strip_prefix(line)?.trim().parse::<f64>().ok());
            Some(value.unwrap_or(0.0))
        })
        .await
    };
    let pending = "kassebro_deliveries{receiver=\"0101\",state=\"pending\"}";
    let nearest = "kassebro_nearest_deadline_timestamp_seconds{receiver=\"0101\"}";
    eventually("one waits", SOON, async || (shows("a value", pending).await > 0.5).then_some(())).await;
    assert!(shows("a value", nearest).await > 0.5);
    receiver.plays(fine());
    world.reaches("one", "delivered").await;
    eventually("none waits", SOON, async || (shows("a value", pending).await < 0.5).then_some(())).await;
    assert!(shows("a value", nearest).await < 0.5, "nobody's deadline is near");
}
