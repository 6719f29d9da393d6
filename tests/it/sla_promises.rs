//! Several promises of one message through the whole gateway: when each clock starts, stands still and stops, and
//! whose the time was.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

use jiff::{SignedDuration, Timestamp};
use kassebro::{store::views::PromiseView, tools::generate};
use serde_json::Value;

use crate::support::{
    command::run,
    eventually::eventually,
    receiver::{Plays, Receiver, answer},
    world::{FUND, Plan, SOON, World},
};

const CODE: &str = "0101";

const PROMISES: &str = r#"
[promise.recommendation]
within = "8h"
retry_window = "30d"
also = [
    { name = "receipted", within = "1 business day", calendar = "every_day", stops = "receipt" },
    { name = "decided", within = "48h", starts = "delivered", stops = "decided", paused_by = "missing_information" },
]

[promise.placement]
within = "24h"
retry_window = "30d"
also = [
    { name = "first_interview", within = "14d", stops = "interview_record" },
    { name = "three_interviews", within = "92 days", calendar = "every_day", stops = "interview_record", count = 3 },
]
"#;

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

/// A message of the jobcentre to the a-kasse.
fn back(world: &World, kind: &str, id: &str, change: impl FnOnce(&mut Value)) {
    let (source, receiver) = (format!("urn:dk:jobcenter:{CODE}"), format!("urn:dk:akasse:{FUND}"));
    let happened = world.now() - SignedDuration::from_secs(1);
    let mut event = generate::event(kind, 5, id, &source, &receiver, happened);
    change(&mut event);
    let answer = world.as_party(CODE).call("POST", "/v1/messages", &event.to_string()).unwrap();
    assert_eq!(answer.status, 202, "{}", answer.body);
}

fn says(world: &World, id: &str, status: &str) {
    back(world, "decision", id, |event| {
        event["correlationid"] = "wish".into();
        event["data"]["status"] = status.into();
        if status == "incomplete" {
            event["data"]["missing"] = serde_json::json!(["vitasCaseId"]);
            event["data"]["reason"] = "Sagsnummeret mangler.".into();
        }
    });
}

async fn promise(world: &World, id: &str, name: &str, standing: &str) -> PromiseView {
    eventually(&format!("{name} of {id} is {standing}"), SOON, async || {
        let promises = world.view(id).await.promises;
        promises.into_iter().find(|p| p.promise == name && p.standing == standing)
    })
    .await
}

fn explained(world: &World, id: &str, name: &str) -> Value {
    let told = run(&mut world.gateway.command(&["sla", "explain", id, "--json"])).exits(0).out;
    let told: Value = serde_json::from_str(&told).unwrap();
    told.as_array().unwrap().iter().find(|promise| promise["promise"] == name).unwrap().clone()
}

const PARTS: [&str; 8] = [
    "atSenderSeconds",
    "gatewayDownSeconds",
    "beforeFirstAttemptSeconds",
    "attemptingSeconds",
    "receiverUnavailableSeconds",
    "receiverSeconds",
    "pausedSeconds",
    "waitingSeconds",
];

/// Hours of each part, rounded; they add up to the time from start to end, to the second.
fn parts(explained: &Value) -> [i64; 8] {
    let seconds = PARTS.map(|part| explained[part].as_i64().unwrap());
    let instant = |name: &str| explained[name].as_str().unwrap().parse::<Timestamp>().unwrap().as_second();
    assert_eq!(seconds.iter().sum::<i64>(), instant("until") - instant("starts"), "{explained:#}");
    seconds.map(|seconds| (seconds + 1800) / 3600)
}

#[tokio::test]
async fn each_promise_of_a_message_has_its_own_clock_and_its_own_story() {
    let receiver = Receiver::start(Plays::Answers(answer(503, "", "")));
    let mut world = Plan::new().http(CODE, &receiver.url(), "permits = 1").and(PROMISES).start().await;
    let told = world.send_kind("recommendation", "wish", CODE, hours(2));
    let view = world.attempted("wish", 1).await;
    assert_eq!(
        told["deadline"],
        view.deliveries[0].due.to_string(),
        "the answer's deadline is that of its delivery"
    );
    // Nobody is up for three hours.
    world.gateway.kill();
    world.pass(hours(3));
    world.gateway.restart().await;
    receiver.plays(Plays::Answers(answer(200, "", "")));
    let delivered = world.reaches("wish", "delivered").await.deliveries[0].settled.unwrap();
    let of_delivery = explained(&world, "wish", "delivered");
    assert_eq!(parts(&of_delivery), [2, 3, 0, 0, 0, 0, 0, 0], "{of_delivery:#}");
    assert_eq!(of_delivery["basis"], "setting promise.recommendation");
    assert_eq!(promise(&world, "wish", "receipted", "on_track").await.starts, view.promises[0].starts);
    let decided = promise(&world, "wish", "decided", "on_track").await;
    assert_eq!((decided.starts, decided.due), (delivered, delivered + hours(48)));
    // Asked for more, five hours pass; then it is granted.
    world.pass(hours(1));
    says(&world, "d-1", "incomplete");
    promise(&world, "wish", "decided", "paused").await;
    // A return message is a receipt.
    promise(&world, "wish", "receipted", "met").await;
    world.pass(hours(5));
    says(&world, "d-2", "inProcess");
    let moved = promise(&world, "wish", "decided", "on_track").await;
    let late = moved.due.duration_since(decided.due);
    assert!(late >= hours(5) && late < hours(5) + SignedDuration::from_mins(2), "{late:#}");
    world.pass(hours(2));
    says(&world, "d-3", "granted");
    promise(&world, "wish", "decided", "met").await;
    // Once the gateway has said that it was up all the while.
    eventually("the story of the decision is told", SOON, async || {
        (parts(&explained(&world, "wish", "decided")) == [0, 0, 0, 0, 0, 3, 5, 0]).then_some(())
    })
    .await;
    let words = run(&mut world.gateway.command(&["sla", "explain", "wish"])).exits(0).out;
    for line in
        ["it waits for the decision", "the clock stands still", "the deadline moved from", "it is met: "]
    {
        assert!(words.contains(line), "{line}: {words}");
    }
    let listed = run(&mut world.gateway.command(&["sla", "list", "--all", "--json"])).exits(0).out;
    assert!(
        listed.contains("\"promise\": \"decided\"") || listed.contains("\"promise\":\"decided\""),
        "{listed}"
    );
}

#[tokio::test]
async fn an_interview_stops_the_clock_that_the_placement_started() {
    let receiver = Receiver::start(Plays::Answers(answer(200, "", "")));
    let mut world = Plan::new().http(CODE, &receiver.url(), "").and(PROMISES).start().await;
    let mut citizen = Value::Null;
    back(&world, "placement", "placed", |event| citizen = event["data"]["citizen"].clone());
    world.pass(hours(24 * 12));
    let at_risk = promise(&world, "placed", "first_interview", "at_risk").await;
    eventually("it is alerted", SOON, async || {
        let alerts = run(&mut world.gateway.command(&["alerts", "list"])).exits(0).out;
        alerts.contains("first_interview").then_some(())
    })
    .await;
    held(&world, "held", &citizen, world.now() - SignedDuration::from_secs(1));
    let met = promise(&world, "placed", "first_interview", "met").await;
    assert_eq!(met.due, at_risk.due);
}

/// The a-kasse tells of an interview with the citizen that was held then.
fn held(world: &World, id: &str, citizen: &Value, at: Timestamp) {
    let (source, to) = (format!("urn:dk:akasse:{FUND}"), format!("urn:dk:jobcenter:{CODE}"));
    let mut interview = generate::event("interview_record", 1, id, &source, &to, at);
    interview["data"]["citizen"] = citizen.clone();
    interview["data"]["status"] = "held".into();
    interview["data"]["heldAt"] = at.to_string().into();
    let answer = world.as_party(FUND).call("POST", "/v1/messages", &interview.to_string()).unwrap();
    assert_eq!(answer.status, 202, "{}", answer.body);
}

#[tokio::test]
async fn interviews_that_came_before_their_placement_count_and_it_is_told_how_many() {
    let receiver = Receiver::start(Plays::Answers(answer(200, "", "")));
    let mut world = Plan::new().http(CODE, &receiver.url(), "").and(PROMISES).start().await;
    let began = world.now();
    let (source, to) = (format!("urn:dk:jobcenter:{CODE}"), format!("urn:dk:akasse:{FUND}"));
    let mut placement = generate::event("placement", 5, "placed", &source, &to, began);
    let citizen = placement["data"]["citizen"].clone();
    placement["time"] = began.to_string().into();
    held(&world, "earlier", &citizen, began - hours(1));
    world.pass(hours(24 * 3));
    held(&world, "first", &citizen, began + hours(30));
    let of_first = world.view("first").await.line.received;
    // The placement of three days ago comes only now.
    world.pass(hours(1));
    let answer = world.as_party(CODE).call("POST", "/v1/messages", &placement.to_string()).unwrap();
    assert_eq!(answer.status, 202, "{}", answer.body);
    let first = promise(&world, "placed", "first_interview", "met").await;
    assert_eq!(first.met, Some(of_first), "as of when the interview came");
    let told = |count: usize| {
        format!("3 messages of kind interview_record about the same citizen: {count} of 3 have come")
    };
    let words = |world: &World| run(&mut world.gateway.command(&["sla", "explain", "placed"])).exits(0).out;
    assert!(words(&world).contains(&told(1)), "{}", words(&world));
    held(&world, "second", &citizen, world.now() - SignedDuration::from_secs(1));
    assert!(words(&world).contains(&told(2)), "{}", words(&world));
    held(&world, "third", &citizen, world.now() - SignedDuration::from_secs(1));
    promise(&world, "placed", "three_interviews", "met").await;
    assert!(words(&world).contains(&told(3)), "{}", words(&world));
    assert_eq!(explained(&world, "placed", "three_interviews")["progress"]["of"], 3);
}

#[tokio::test]
async fn monitoring_is_shown_how_all_open_promises_stand_and_what_was_waived() {
    let receiver = Receiver::start(Plays::Answers(answer(200, "", "")));
    let world = Plan::new().http(CODE, &receiver.url(), "").and(PROMISES).start().await;
    world.send_kind("recommendation", "wish", CODE, hours(0));
    world.reaches("wish", "delivered").await;
    let shows = async |line: &str| {
        let line = format!("kassebro_sla_{line}\n");
        eventually(&line, SOON, async || {
            world.gateway.http().get("/metrics").unwrap().body.contains(&line).then_some(())
        })
        .await;
    };
    let of = format!("kind=\"recommendation.v1\",receiver=\"{CODE}\"");
    shows("open{kind=\"\",receiver=\"\",standing=\"on_track\"} 2").await;
    says(&world, "d-1", "incomplete");
    shows(&format!("open{{{of},standing=\"paused\"}} 1")).await;
    let delivery = world.view("wish").await.deliveries[0].delivery_id.to_string();
    let waive = ["sla", "waive", &delivery, "--reason", "agreed by telephone"];
    run(&mut world.gateway.command(&waive)).exits(0);
    shows(&format!("outcomes_total{{{of},outcome=\"waived\",cause=\"none\"}} 1")).await;
    shows(&format!("open{{{of},standing=\"paused\"}} 0")).await;
}
