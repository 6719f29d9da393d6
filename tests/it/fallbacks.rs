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

/// A jobcentre with a second way for complaints, which are promised within a day: tried when four hours are left,
/// whatever the forecast says.
async fn with_two_ways(first: &Receiver, second: &Receiver) -> World {
    with_ways((first, ""), second, "at = \"4h left\", when_predicted = \"never\"").await
}

async fn with_ways((first, settings): (&Receiver, &str), second: &Receiver, when: &str) -> World {
    let second = format!(
        "[agreement.promises.complaint]\nwithin = \"24h\"\nfallback = {{ receiver = \"{SECOND}\", {when} }}\n\n\
         [[receiver]]\nname = \"{SECOND}\"\nparty = \"{CODE}\"\nfallback_only = true\nchannel = \"http\"\nurl = \"{}\"\n",
        second.url()
    );
    let first = format!("channel = \"http\"\nurl = \"{}\"\n{settings}", first.url());
    Plan::new().receiver(CODE, &first).and(&second).start().await
}

async fn second_way(world: &World, id: &str) -> DeliveryView {
    world.view(id).await.deliveries.pop().unwrap()
}

fn says(world: &World, arguments: &[&str]) -> String {
    run(&mut world.gateway.command(arguments)).exits(0).out
}

/// How many were let go for that reason.
fn counted(world: &World, reason: &str) -> u32 {
    let line = format!(
        "kassebro_fallbacks_released_total{{kind=\"complaint.v1\",receiver=\"{CODE}\",way=\"{SECOND}\",reason=\"{reason}\"}} "
    );
    let metrics = world.gateway.http().get("/metrics").unwrap().body;
    metrics.lines().find_map(|found| found.strip_prefix(&line)).map_or(0, |count| count.parse().unwrap())
}

fn counts(world: &World) -> bool {
    counted(world, "time") == 1
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

/// A receiver that works, and too slowly for what waits: those at the end of its backlog go by the second way while the
/// clock alone would have let them wait, and the others by the first.
#[tokio::test]
async fn what_a_slow_receiver_will_not_get_to_in_time_goes_by_the_second_way_before_its_time() {
    const WAIT: usize = 240;
    // Somewhat more than a second for each.
    let slow = Plays::Trickles(answer(200, "", "    "), Duration::from_millis(28));
    let (first, second) = (Receiver::start(slow), Receiver::start(fine()));
    let mut world = with_ways((&first, "permits = 1"), &second, "at = \"15s left\"").await;
    for number in 0..WAIT {
        world.send(&format!("m{number}"), CODE);
    }
    let last = format!("m{}", WAIT - 1);
    let view = world.view(&last).await;
    let (starts, due) = (view.promises[0].starts, view.promises[0].due);
    assert_eq!(view.deliveries[1].early, Some(starts + hours(12)), "half of the day");
    world.set_clock(hours(11));
    stays("with hours left it is in time", Duration::from_secs(2), 0, async || counted(&world, "predicted"))
        .await;

    world.set_clock(hours(24) - SignedDuration::from_secs(130));
    let view = eventually("the last goes by the second way", SOON, async || {
        Some(world.view(&last).await).filter(|view| view.deliveries[1].released.is_some())
    })
    .await;
    let released = view.deliveries[1].released.unwrap();
    assert!(
        released < due - SignedDuration::from_secs(15),
        "before the clock would have said so: {released}, {due}"
    );
    let told = view.history.iter().find(|event| event.what == "fallback_released").unwrap();
    let forecast = &told.data["forecast"];
    assert_eq!((&told.data["reason"], &forecast["cause"]), (&"predicted".into(), &"backlog".into()));
    let done: Timestamp = forecast["done"].as_str().unwrap().parse().unwrap();
    assert!(done > due, "{forecast}");
    let view = world.reaches(&last, "delivered").await;
    let states: Vec<&str> = view.deliveries.iter().map(|delivery| delivery.state.as_str()).collect();
    assert_eq!((&states[..], view.promises[0].standing.as_str()), (&["cancelled", "delivered"][..], "met"));
    assert_eq!(world.view("m0").await.deliveries[1].released, None, "the first of them was in time");
    assert_eq!(second_way(&world, "m0").await.state, "cancelled");
    let by_second = u32::try_from(second.taken().len()).unwrap();
    assert!(counted(&world, "predicted") >= by_second.max(1) && counted(&world, "time") == 0);
    eventually("it is alerted", SOON, async || is_alerted(&world).await.then_some(())).await;
    let open = world.store().open_alerts().await.unwrap();
    assert!(open.iter().all(|alert| alert.condition.name != "KassebroCircuitOpen"), "it works: {open:?}");
    let explained = says(&world, &["sla", "explain", &last]);
    let why = format!("second way {SECOND}: by the forecast {CODE} would have it about ");
    assert!(
        explained.contains(&why) && explained.contains("more waits for 0101 than it settles"),
        "{explained}"
    );
    assert!(explained.contains(&format!("second way {SECOND}: it met the promise")), "{explained}");
}

/// An outage is taken to last as long again as it has lasted: a short one releases nothing, and a long one does.
#[tokio::test]
async fn an_outage_lets_second_ways_go_when_it_has_lasted_as_long_as_is_left_and_not_before() {
    let (first, second) = (Receiver::start(down()), Receiver::start(fine()));
    let mut world = with_ways((&first, ""), &second, "at = \"1h left\"").await;
    // Ten hours are left of one, and twenty-four of the other.
    world.send_kind("complaint", "old", CODE, hours(14));
    world.send("young", CODE);
    world.alerted(&["KassebroCircuitOpen"]).await;
    let explained = says(&world, &["sla", "explain", "young"]);
    assert!(explained.contains("it goes as soon as the forecast has the first late"), "{explained}");
    let quiet = async |world: &World| (second.taken().len(), counted(world, "predicted"));
    stays("an outage of a moment", Duration::from_secs(2), (0, 0), async || quiet(&world).await).await;
    world.set_clock(hours(4));
    stays("four hours, and six left", Duration::from_secs(2), (0, 0), async || quiet(&world).await).await;
    world.set_clock(hours(6));
    let view = world.reaches("old", "delivered").await;
    assert_eq!(view.promises[0].standing, "met");
    let told = view.history.iter().find(|event| event.what == "fallback_released").unwrap();
    assert_eq!(
        (&told.data["reason"], &told.data["forecast"]["cause"]),
        (&"predicted".into(), &"outage".into())
    );
    assert_eq!(second_way(&world, "young").await.hold.as_deref(), Some("fallback"), "it has eighteen hours");
    let shown = says(&world, &["messages", "show", "old"]);
    assert!(shown.contains("0101 has taken nothing since"), "{shown}");
}

/// Whoever paused a receiver can resume it: that endangers what waits, and is alerted, and lets nothing go before its time.
#[tokio::test]
async fn a_pause_lets_no_second_way_go_before_its_time() {
    let (first, second) = (Receiver::start(fine()), Receiver::start(fine()));
    let mut world = with_ways((&first, ""), &second, "at = \"4h left\"").await;
    says(&world, &["receivers", "pause", CODE, "--reason", "flytter"]);
    eventually("the lane has seen it", SOON, async || {
        world.gateway.log().contains("KassebroReceiverPaused").then_some(())
    })
    .await;
    world.send("one", CODE);
    world.set_clock(hours(16));
    eventually("its miss is predicted", SOON, async || {
        let open = world.store().open_alerts().await.unwrap();
        open.iter().any(|alert| alert.condition.name == "KassebroSlaPredictedMiss").then_some(())
    })
    .await;
    stays("nothing goes", Duration::from_secs(2), 0, async || second.taken().len()).await;
    world.set_clock(hours(20));
    world.reaches("one", "delivered").await;
    assert_eq!((counted(&world, "time"), counted(&world, "predicted")), (1, 0));
}
