//! What is old is forgotten by the running gateway, and what is owed is not.

use std::time::Duration;

use jiff::SignedDuration;

use crate::support::{
    command::run,
    eventually::eventually,
    receiver::{Plays, Receiver, answer},
    world::{Plan, World},
};

async fn has_content(world: &World, id: &str) -> bool {
    world.view(id).await.raw_bytes > 0
}

#[tokio::test]
async fn content_is_forgotten_after_its_time_and_the_story_and_what_is_owed_are_kept() {
    let receiver = Receiver::start(Plays::Answers(answer(200, "", "")));
    let plan = Plan::new().receiver("0101", "channel = \"mailbox\"").http("0707", &receiver.url(), "");
    let mut world = plan.and("[retention]\ncontent = \"2d\"\n").start().await;
    world.send("done", "0707");
    world.send("owed", "0101");
    world.reaches("done", "delivered").await;
    world.pass(SignedDuration::from_hours(72));
    world.send("new", "0707");
    world.reaches("new", "delivered").await;
    assert!(world.gateway.stop().await.success());
    world.gateway.restart().await;
    eventually("what is done and old has no content", Duration::from_secs(20), async || {
        (!has_content(&world, "done").await).then_some(())
    })
    .await;
    assert!(has_content(&world, "owed").await && has_content(&world, "new").await);
    let receipt = world.view("done").await.line.receipt_id.to_string();
    let story = run(&mut world.gateway.command(&["messages", "show", "done"])).exits(0).out;
    assert!(story.contains("delivered"), "{story}");
    run(&mut world.gateway.command(&["messages", "show", "done", "--raw"])).exits(4);
    run(&mut world.gateway.command(&["messages", "replay", &receipt])).exits(4);
}
