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

/// What lies in a party's queue: a message by its id, an answer by its outcome and what it answers.
fn label(event: &Value) -> Option<String> {
    let data = &event["data"];
    match event["type"].as_str()? {
        "dk.kassebro.answer.v1" => {
            Some(format!("{} {}", data["outcome"].as_str()?, data["messageId"].as_str()?))
        }
        _ => event["id"].as_str().map(str::to_owned),
    }
}

/// Takes what lies in a party's queue until all of that was there, each once, and nothing that was refused.
async fn all_lie_in(scene: &Scene, queue: &str, wanted: impl Iterator<Item = String>) {
    let mut wanted: Vec<String> = wanted.collect();
    let mut found = Vec::new();
    eventually(&format!("everything lies in {queue}"), SOON, async || {
        while let Some(fetched) = scene.broker.admin.fetch(queue).await {
            let event: Value = serde_json::from_slice(&fetched.body).expect("an event");
            found.extend(label(&event));
        }
        wanted.iter().all(|one| found.contains(one)).then_some(())
    })
    .await;
    found.sort();
    wanted.sort();
    assert_eq!(found, wanted, "each once");
}

#[tokio::test]
async fn every_kind_goes_from_its_party_to_the_other_and_back_with_its_receipts() {
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
    // The jobcenter says of each that it works on it.
    for (seed, answered) in (1..).zip(&there) {
        let mut receipt = event_back("receipt", seed, &format!("receipt-{answered}"));
        receipt["correlationid"] = json!(answered);
        receipt["data"] =
            json!({ "level": "business", "business": "ACCEPTERET", "receiptId": format!("J-{seed}") });
        jobcenter.publish(receipt.to_string().as_bytes()).await;
        back.push(format!("receipt-{answered}"));
    }
    scene.delivered(there.len() + back.len()).await;
    for answered in there.iter().filter(|id| *id != "there-recommendation") {
        let shown = case_is(&scene, answered, "in_process").await;
        assert_eq!(shown["deliveries"][0]["state"], "delivered", "{answered}");
    }
    let told = |of: &[String]| of.iter().map(|id| format!("delivered {id}")).collect::<Vec<_>>();
    all_lie_in(&scene, &scene.fund.queue_out(), back.iter().cloned().chain(told(&there))).await;
    all_lie_in(&scene, &jobcenter.queue_out(), told(&back).into_iter()).await;
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
