//! What is sent under no agreement in force, where the configuration says that it is held; and below, what
//! agreements say as data.

mod alerts;
mod commands;
mod seeds;

use std::{fs, time::Duration};

use jiff::SignedDuration;

use crate::support::{
    command::run,
    eventually::stays,
    receiver::{Plays, Receiver, answer},
    world::{Plan, World},
};

/// A jobcentre whose agreement has run out.
fn expired(url: &str) -> String {
    format!(
        "[intake]\noutside_validity = \"hold\"\n\n[[party]]\ncode = \"0101\"\n\n[[receiver]]\nparty = \"0101\"\nchannel = \
         \"http\"\nurl = \"{url}\"\n\n{}",
        agreement("old", "valid_from = \"2020-01-01\"\nvalid_to = \"2020-12-31\"")
    )
}

fn agreement(id: &str, validity: &str) -> String {
    format!("[[agreement]]\nid = \"{id}\"\nakasse = \"3f\"\njobcenter = \"0101\"\n{validity}\n")
}

/// Held for want of an agreement, and not sent.
async fn is_held(world: &World, id: &str) -> bool {
    let view = world.view(id).await;
    (view.line.state.as_str(), view.deliveries[0].hold.as_deref()) == ("pending", Some("agreement"))
}

#[tokio::test]
async fn what_no_agreement_covers_waits_for_one_or_for_a_person_and_a_complaint_does_not() {
    let receiver = Receiver::start(Plays::Answers(answer(200, "", "")));
    let mut world = Plan::new().and(&expired(&receiver.url())).start().await;
    let second = SignedDuration::from_secs(1);
    for id in ["by-a-person", "by-an-agreement", "of-another-time"] {
        let waited = if id == "of-another-time" { SignedDuration::from_hours(24 * 20) } else { second };
        world.send_kind("job_order", id, "0101", waited);
    }
    world.send_kind("complaint", "at-once", "0101", second);
    let carried = world.reaches("at-once", "delivered").await;
    assert!(carried.findings.iter().any(|f| f.rule == "agreement.validity"), "{:?}", carried.findings);

    let held = world.view("by-a-person").await.deliveries[0].delivery_id.to_string();
    let told = run(&mut world.gateway.command(&["sla", "explain", "by-a-person"])).exits(0).out;
    assert!(told.contains("it waits for an agreement in force"), "{told}");
    run(&mut world.gateway.command(&["deliveries", "retry", &held])).exits(0);
    world.reaches("by-a-person", "delivered").await;

    // A restart alone changes nothing; an agreement in force at the message's own time lets it go.
    assert!(world.gateway.stop().await.success());
    world.gateway.restart().await;
    stays("they are held still", Duration::from_secs(2), true, async || {
        is_held(&world, "by-an-agreement").await && is_held(&world, "of-another-time").await
    })
    .await;
    let file = world.gateway.folder().join("kassebro.toml");
    let day = (world.now() - SignedDuration::from_hours(24 * 10)).strftime("%F").to_string();
    let renewed = agreement("new", &format!("valid_from = \"{day}\""));
    fs::write(&file, format!("{}\n{renewed}", fs::read_to_string(&file).unwrap())).unwrap();
    assert!(world.gateway.stop().await.success());
    world.gateway.restart().await;
    let view = world.reaches("by-an-agreement", "delivered").await;
    let retried = view.history.iter().find(|event| event.what == "retried").expect("it is told");
    assert_eq!(retried.data["by"], "gateway (agreement new)");
    assert!(is_held(&world, "of-another-time").await, "its own time decides, not today");
    assert_eq!(receiver.taken().len(), 3);
}
