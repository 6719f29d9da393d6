//! What another promise means for what is open: shown before it is made, made by a person's word only.

use jiff::SignedDuration;

use super::{CODE, command, reload, rewrite};
use crate::support::world::Plan;

#[tokio::test]
async fn a_shorter_promise_is_shown_and_moves_what_is_open_only_when_told_to() {
    let world = Plan::new().receiver(CODE, "channel = \"mailbox\"").start().await;
    let gateway = &world.gateway;
    let hours = SignedDuration::from_hours;
    for (id, kind, waited) in
        [("c1", "complaint", 1), ("c2", "complaint", 20), ("late", "complaint", 30), ("o1", "job_order", 1)]
    {
        world.send_kind(kind, id, CODE, hours(waited));
    }
    let due = async |id: &str| world.view(id).await.promises[0].due;
    let before = (due("c1").await, due("o1").await, due("late").await);
    rewrite(gateway, |text| {
        format!("{text}\n[promise.complaint]\nwithin = \"8h\"\nretry_window = \"never\"\n")
    });
    let found = command(gateway, &["config", "diff", "--effect", "--json"]).exits(0).json();
    let effect = &found["effect"];
    assert_eq!(effect["groups"].as_array().unwrap().len(), 1, "{effect}");
    let group = &effect["groups"][0];
    assert_eq!(
        (
            &group["kind"],
            &group["receiver"],
            &group["agreement"],
            &group["count"],
            &group["earlier"],
            &group["breachedAtOnce"]
        ),
        (&"complaint.v1".into(), &CODE.into(), &format!("{CODE}-3f").into(), &2.into(), &2.into(), &1.into())
    );
    assert_eq!((&effect["open"], &effect["breachedAlready"]), (&3.into(), &1.into()), "{effect}");
    let examples: Vec<&str> =
        effect["examples"].as_array().unwrap().iter().map(|e| e["messageId"].as_str().unwrap()).collect();
    assert_eq!(examples.len(), 2, "{effect}");
    let words = command(gateway, &["config", "diff", "--effect"]).exits(0).out;
    assert!(words.contains("Of 3 open promises 2 would get another deadline"), "{words}");
    // Not before the configuration is in force.
    let refused = command(gateway, &["sla", "recompute", "--reason", "a new rule"]).exits(5);
    assert!(refused.err.contains("kassebro config reload"), "{}", refused.err);
    reload(gateway).exits(0);
    assert_eq!(due("c1").await, before.0, "what was promised stays");
    world.send("new", CODE);
    command(gateway, &["sla", "recompute"]).exits(2);
    let moved = command(gateway, &["sla", "recompute", "--reason", "a new rule", "--json"]).exits(0).json();
    assert_eq!((&moved["moved"], &moved["generation"]), (&2.into(), &2.into()));
    assert_eq!(
        (due("c1").await, due("o1").await, due("late").await),
        (before.0 - hours(16), before.1, before.2)
    );
    world.tells("c2", &["accepted", "at_risk", "late"]).await;
    let view = world.view("c1").await;
    let event = view.history.iter().find(|e| e.what == "recomputed").expect("it is told");
    assert_eq!((&event.data["reason"], &event.data["generation"]), (&"a new rule".into(), &2.into()));
    let shown = command(gateway, &["messages", "show", "c1"]).exits(0).out;
    assert!(shown.contains("moved the deadline at 0101 from") && shown.contains("a new rule"), "{shown}");
    let again = command(gateway, &["sla", "recompute", "--reason", "again", "--json"]).exits(0).json();
    assert_eq!(again["moved"], 0, "it is made once");
}

/// Second ways that are held move with the deadline of their promise, and are shown with it.
#[tokio::test]
async fn second_ways_that_are_held_are_counted_in_the_effect() {
    let agreed = "[agreement.promises.complaint]\nwithin = \"24h\"\nfallback = { receiver = \"second\", at = \"2h left\" }\n\n\
                  [[receiver]]\nname = \"second\"\nparty = \"0101\"\nfallback_only = true\nchannel = \"mailbox\"\n";
    let world = Plan::new().receiver(CODE, "channel = \"mailbox\"").and(agreed).start().await;
    let gateway = &world.gateway;
    world.send("c1", CODE);
    world.send("c2", CODE);
    world.send_kind("job_order", "o1", CODE, SignedDuration::from_hours(1));
    let second = world.view("c1").await.deliveries[1].delivery_id.to_string();
    command(gateway, &["deliveries", "cancel", &second, "--reason", "not by mail"]).exits(0);
    rewrite(gateway, |text| text.replace("within = \"24h\"", "within = \"8h\""));
    let effect =
        command(gateway, &["config", "diff", "--effect", "--json"]).exits(0).json()["effect"].clone();
    let group = &effect["groups"][0];
    assert_eq!((&group["count"], &group["secondWays"]), (&2.into(), &1.into()), "{effect}");
    let words = command(gateway, &["config", "diff", "--effect"]).exits(0).out;
    assert!(words.contains("second ways"), "{words}");
}
