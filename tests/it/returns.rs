//! Every kind, from its party to the other over RabbitMQ, and what comes back.

use kassebro::kinds::{Direction, KINDS};
use serde_json::{Value, json};

use crate::support::{
    eventually::eventually,
    scene::{Plan, SOON, event, event_back},
};

#[tokio::test]
async fn every_kind_goes_from_its_party_to_the_other() {
    let mut scene = Plan::new().both_ways().start().await;
    let jobcenter = scene.jobcenter.as_ref().expect("it sends too");
    let (mut there, mut back) = (Vec::new(), Vec::new());
    for (seed, kind) in (1..).zip(KINDS) {
        let id = |way: &str| format!("{way}-{}", kind.name);
        if kind.direction != Direction::ToAkasse {
            scene.fund.publish(event(kind.name, seed, &id("there")).to_string().as_bytes()).await;
            there.push(id("there"));
        }
        if kind.direction != Direction::ToJobcenter {
            let mut event = event_back(kind.name, seed, &id("back"));
            event["correlationid"] = json!("there-recommendation");
            jobcenter.publish(event.to_string().as_bytes()).await;
            back.push(id("back"));
        }
    }
    scene.delivered(there.len() + back.len()).await;
    assert_eq!(scene.inbox.taken().len(), there.len());
    let mut found = Vec::new();
    eventually("everything lies in the fund's queue", SOON, async || {
        while let Some(fetched) = scene.broker.admin.fetch(&scene.fund.queue_out()).await {
            let event: Value = serde_json::from_slice(&fetched.body).expect("an event");
            found.extend(event["id"].as_str().filter(|id| back.iter().any(|b| b == id)).map(str::to_owned));
        }
        (found.len() >= back.len()).then_some(())
    })
    .await;
    found.sort();
    back.sort();
    assert_eq!(found, back, "each once");
    scene.stop_with_nothing_left().await;
}
