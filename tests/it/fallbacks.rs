//! An agreement's second way, through the whole gateway with its clock moved.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kassebro::store::{Views, views::DeliveryView};
use serde_json::Value;

use crate::support::{
    command::run,
    eventually::{eventually, stays},
    receiver::{Plays, Receiver, Taken, answer},
    world::{Plan, SOON, World},
};

const CODE: &str = "0101";
const SECOND: &str = "0101-second";
const RELEASED: &str = "KassebroFallbackReleased";

fn down() -> Plays {
    Plays::Answers(answer(503, "", ""))
}

fn fine() -> Plays {
    Plays::Answers(answer(200, "", ""))
}

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

/// A jobcentre with a second way for complaints, which are promised within a day: tried when four hours are left.
async fn with_two_ways(first: &Receiver, second: &Receiver) -> World {
    let second = format!(
        "[agreement.promises.complaint]\nwithin = \"24h\"\nfallback = {{ receiver = \"{SECOND}\", at = \"4h left\" }}\n\n\
         [[receiver]]\nname = \"{SECOND}\"\nparty = \"{CODE}\"\nfallback_only = true\nchannel = \"http\"\nurl = \"{}\"\n",
        second.url()
    );
    Plan::new().http(CODE, &first.url(), "").and(&second).start().await
}

async fn second_way(world: &World, id: &str) -> DeliveryView {
    world.view(id).await.deliveries.pop().unwrap()
}

fn says(world: &World, arguments: &[&str]) -> String {
    run(&mut world.gateway.command(arguments)).exits(0).out
}

fn counts(world: &World) -> bool {
    let line = format!(
        "kassebro_fallbacks_released_total{{kind=\"complaint.v1\",receiver=\"{CODE}\",way=\"{SECOND}\",reason=\"time\"}} 1"
    );
    world.gateway.http().get("/metrics").unwrap().body.contains(&line)
}

async fn is_alerted(world: &World) -> bool {
    world.store().open_alerts().await.unwrap().iter().any(|alert| alert.condition.name == RELEASED)
}

#[tokio::test]
async fn what_the_first_way_cannot_deliver_in_time_the_second_does() {
    let (first, second) = (Receiver::start(down()), Receiver::start(fine()));
    let mut world = with_two_ways(&first, &second).await;
    world.send("one", CODE);
    let view = world.attempted("one", 1).await;
    let (starts, delivery) = (view.promises[0].starts, view.deliveries[0].delivery_id);
    let waits = &view.deliveries[1];
    assert_eq!((waits.hold.as_deref(), waits.second_way_of), (Some("fallback"), Some(delivery)));
    assert!(says(&world, &["sla", "explain", "one"]).contains(&format!("second way {SECOND}: held until")));
    world.set_clock(hours(19));
    stays("the second way waits", Duration::from_secs(1), (0, false), async || {
        (second.taken().len(), is_alerted(&world).await)
    })
    .await;

    world.set_clock(hours(20));
    let view = world.reaches("one", "delivered").await;
    let states: Vec<&str> = view.deliveries.iter().map(|d| d.state.as_str()).collect();
    assert_eq!(states, ["cancelled", "delivered"]);
    assert_eq!(view.promises.len(), 1);
    let promise = &view.promises[0];
    assert_eq!((promise.standing.as_str(), promise.met), ("met", view.deliveries[1].settled));
    let released = view.history.iter().find(|event| event.what == "fallback_released").unwrap();
    let due: Timestamp = released.data["dueAt"].as_str().unwrap().parse().unwrap();
    assert_eq!((due, &released.data["reason"]), (starts + hours(20), &Value::from("time")));
    world.tells("one", &["accepted", "at_risk", "delivered"]).await;
    eventually("it is counted and alerted", SOON, async || {
        (counts(&world) && is_alerted(&world).await).then_some(())
    })
    .await;
    let told = says(&world, &["sla", "explain", "one"]);
    assert!(told.contains(&format!("second way {SECOND}: the first endangered the promise")), "{told}");
    assert!(told.contains(&format!("second way {SECOND}: it met the promise")), "{told}");
    let shown = says(&world, &["messages", "show", "one"]);
    assert!(shown.contains(&format!("it goes by the second way {SECOND} too: {CODE} endangers")), "{shown}");

    // Both ways bring the same message, under its own id, and each has a key of its own.
    let (by_first, by_second) = (first.taken().remove(0), second.taken().remove(0));
    assert_eq!(by_first.body, by_second.body);
    let key = |taken: &Taken| taken.header("idempotency-key").unwrap().to_owned();
    let ids = [0, 1].map(|way: usize| view.deliveries[way].delivery_id.to_string());
    assert_eq!([key(&by_first), key(&by_second)], ids);

    // The first is back: it is owed nothing any more.
    let tried = first.taken().len();
    first.plays(fine());
    world.pass(hours(2));
    stays("nothing is sent again", Duration::from_secs(1), (tried, 1), async || {
        (first.taken().len(), second.taken().len())
    })
    .await;
    eventually("the alert is resolved", SOON, async || (!is_alerted(&world).await).then_some(())).await;
}

#[tokio::test]
async fn a_first_way_that_comes_back_in_time_leaves_the_second_unused() {
    let (first, second) = (Receiver::start(down()), Receiver::start(fine()));
    let mut world = with_two_ways(&first, &second).await;
    world.send("one", CODE);
    world.attempted("one", 1).await;
    world.set_clock(hours(19));
    first.plays(fine());
    world.pass(SignedDuration::from_mins(16));
    let view = world.reaches("one", "delivered").await;
    assert_eq!(
        (view.deliveries[0].state.as_str(), view.deliveries[1].state.as_str()),
        ("delivered", "cancelled")
    );
    assert_eq!(view.promises[0].standing, "met");
    world.set_clock(hours(30));
    stays("the second way is not used", Duration::from_secs(1), (0, false, false), async || {
        (second.taken().len(), counts(&world), is_alerted(&world).await)
    })
    .await;
    assert_eq!(second_way(&world, "one").await.released, None);
    assert!(says(&world, &["sla", "explain", "one"]).contains(&format!("second way {SECOND}: not needed")));
}

#[tokio::test]
async fn a_second_way_that_fell_due_while_the_process_was_down_goes_at_the_start() {
    let (first, second) = (Receiver::start(down()), Receiver::start(fine()));
    let mut world = with_two_ways(&first, &second).await;
    world.send("one", CODE);
    world.attempted("one", 1).await;
    world.gateway.kill();
    world.set_clock(hours(23));
    world.gateway.restart().await;
    let view = world.reaches("one", "delivered").await;
    assert_eq!(view.promises[0].standing, "met");
    let released = view.history.iter().find(|event| event.what == "fallback_released").unwrap();
    let due: Timestamp = released.data["dueAt"].as_str().unwrap().parse().unwrap();
    assert_eq!(due, view.promises[0].starts + hours(20), "its true time");
    assert!(world.gateway.stop().await.success());
    world.gateway.restart().await;
    stays("it goes once", Duration::from_secs(1), 1, async || second.taken().len()).await;
}

/// What the first way refuses goes by the second at once, and the sender is not told that it failed.
#[tokio::test]
async fn what_the_first_way_refuses_goes_by_the_second_at_once() {
    let (first, second) = (Receiver::start(Plays::Answers(answer(422, "", ""))), Receiver::start(fine()));
    let world = with_two_ways(&first, &second).await;
    world.send("one", CODE);
    let view = world.reaches("one", "delivered").await;
    assert_eq!((view.deliveries[0].state.as_str(), view.deliveries[1].state.as_str()), ("dead", "delivered"));
    assert_eq!(view.promises[0].standing, "met");
    world.tells("one", &["accepted", "delivered"]).await;
    let told = says(&world, &["sla", "explain", "one"]);
    assert!(told.contains(&format!("second way {SECOND}: the first failed")), "{told}");
}
