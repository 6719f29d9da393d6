//! Every kind, from its party to the other over RabbitMQ, and what comes back.

use kassebro::kinds::{Direction, KINDS};
use serde_json::{Value, json};

use crate::support::{
    eventually::eventually,
    scene::{Plan, SOON, Scene, event, event_back},
};

/// What the fund finds in its queue of that kind, until it is there.
async fn fetched(scene: &Scene, id: &str) -> Value {
    eventually(&format!("{id} lies in the fund's queue"), SOON, async || {
        let fetched = scene.broker.admin.fetch(&scene.fund.queue_out()).await?;
        let event: Value = serde_json::from_slice(&fetched.body).ok()?;
        (event["id"] == id).then_some(event)
    })
    .await
}

/// How the matter of a message stands, once it is so.
async fn case_is(scene: &Scene, id: &str, case: &str) -> Value {
    eventually(&format!("{id} is {case}"), SOON, async || {
        scene.shown(id).filter(|message| message["case"] == case)
    })
    .await
}

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

#[tokio::test]
async fn a_recommendation_is_answered_step_by_step_and_a_contradiction_changes_nothing() {
    let scene = Plan::new().both_ways().start().await;
    let jobcenter = scene.jobcenter.as_ref().expect("it sends too");
    scene.fund.publish(event("recommendation", 5, "wish").to_string().as_bytes()).await;
    scene.delivered(1).await;
    assert_eq!(scene.shown("wish").expect("it is known")["case"], Value::Null);
    let say = async |id: &str, status: &str| {
        let mut event = event_back("decision", 5, id);
        event["correlationid"] = json!("wish");
        event["data"]["status"] = json!(status);
        jobcenter.publish(event.to_string().as_bytes()).await;
        fetched(&scene, id).await
    };
    for (id, status, case) in [
        ("d-1", "inProcess", "in_process"),
        ("d-2", "granted", "granted"),
        ("d-3", "refused", "granted"),
        ("d-4", "activityCreated", "activity_created"),
        ("d-5", "inProcess", "activity_created"),
        ("d-6", "published", "published"),
    ] {
        let delivered = say(id, status).await;
        assert_eq!(delivered["correlationid"], "wish");
        assert_eq!(delivered["source"], "urn:dk:jobcenter:0101");
        case_is(&scene, "wish", case).await;
    }
    let shown = case_is(&scene, "wish", "published").await;
    let replies = shown["history"].as_array().expect("a history").iter().filter(|e| e["what"] == "reply");
    let steps: Vec<&str> = replies.filter_map(|e| e["data"]["step"].as_str()).collect();
    assert_eq!(steps, ["moved", "moved", "contradicts", "moved", "late", "moved"]);
}
