//! The process dies at any place on a message's way, and nothing is lost, made up or sent under another key.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

mod broker;
mod damage;
mod disk;
mod power;
mod store;

use std::{
    collections::{BTreeMap, BTreeSet},
    os::unix::process::ExitStatusExt,
    process::ExitStatus,
    time::Duration,
};

use jiff::SignedDuration;
use kassebro::tools::inbox::Behaviour;
use serde_json::Value;

use crate::support::{
    command::run,
    eventually::eventually,
    kept::Kept,
    rounds,
    scene::{CRASH, Plan, SOON, Scene, body, messages},
    session::QueueKind,
};

/// Messages that are on their way when the process dies.
const MESSAGES: usize = 100;
/// What a lane of 16 permits has sent and not settled at the most: so many deliveries may be repeated by one death.
const UNSETTLED: u64 = 4 * 16;
const ABORTED: i32 = 6;

#[tokio::test]
async fn a_death_before_the_commit_loses_nothing() {
    dies_and_comes_back("intake.before-commit", 1).await;
}

#[tokio::test]
async fn a_death_between_commit_and_acknowledgement_takes_nothing_twice() {
    let kept = dies_and_comes_back("intake.after-commit", 1).await;
    assert!(kept.happened("duplicate") > 0, "the broker sends again what was committed");
}

#[tokio::test]
async fn a_death_between_lease_and_sending_loses_nothing() {
    dies_and_comes_back("lane.after-lease", 2).await;
}

#[tokio::test]
async fn a_death_between_sending_and_settling_repeats_the_key() {
    dies_and_comes_back("lane.after-send", 7).await;
}

#[tokio::test]
async fn a_death_after_settling_repeats_nothing_that_was_settled() {
    dies_and_comes_back("lane.after-settle", 1).await;
}

#[tokio::test]
async fn a_death_between_an_answer_and_its_cursor_repeats_the_answer_under_its_id() {
    dies_and_comes_back("answers.after-publish", 1).await;
}

/// Lets the process die at the `nth` passing of a point under load, starts it again, and judges what came of it all.
async fn dies_and_comes_back(point: &str, nth: usize) -> Kept {
    let mut scene = Plan::new().dying_at(point, nth).start().await;
    let sent = messages(rounds(MESSAGES), "m");
    for (_, body) in &sent {
        scene.fund.publish(body).await;
    }
    assert_eq!(scene.gateway.end().await.signal(), Some(ABORTED), "it died at {point}");
    scene.gateway.unset(CRASH);
    scene.gateway.restart().await;
    let kept = scene.delivered(sent.len()).await;
    let ids: Vec<String> = sent.iter().map(|(id, _)| id.clone()).collect();
    scene.assert_conserved(&kept, &ids);
    for (id, body) in &sent {
        assert_eq!(kept.of(id)[0].raw, *body);
    }
    let repeated = scene.inbox.handle.stats().duplicates;
    assert!(repeated <= UNSETTLED, "{repeated} deliveries were repeated");
    let answers = answered(&scene, sent.len()).await;
    assert!(answers.values().all(|(outcome, _)| outcome == "delivered"), "{answers:?}");
    assert_eq!(answers.keys().cloned().collect::<BTreeSet<_>>(), ids.into_iter().collect());

    scene.stop_with_nothing_left().await;
    let conservation = scene.conservation().await;
    assert!(conservation.holds(), "{conservation:?}");
    assert_eq!(conservation.taken, i64::try_from(sent.len()).unwrap());
    let kept = scene.kept();
    assert_eq!(kept.in_hand, 0, "nothing is still marked as in hand");
    kept
}

/// Outcome and answer id of each message, when `count` of them are answered. However often an answer came, it
/// came under one id.
async fn answered(scene: &Scene, count: usize) -> BTreeMap<String, (String, String)> {
    let mut answers: BTreeMap<String, (String, String)> = BTreeMap::new();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    eventually(&format!("{count} messages are answered"), SOON, async || {
        while let Some(fetched) = scene.broker.admin.fetch(&scene.fund.queue_out()).await {
            let answer: Value = serde_json::from_slice(&fetched.body).unwrap();
            let told = (text(&answer["data"]["outcome"]), text(&answer["id"]));
            let known = answers.entry(text(&answer["correlationid"])).or_insert_with(|| told.clone());
            assert_eq!(*known, told, "an answer that is repeated repeats its id");
        }
        (answers.len() >= count).then_some(())
    })
    .await;
    answers
}

/// F06, between a timer and its alert.
#[tokio::test]
async fn a_death_between_a_breach_and_its_alert_tells_the_breach_once_and_alerts_all_the_same() {
    let mut scene = Plan::new().dying_at("watch.after-steps", 1).start().await;
    scene.inbox.handle.behave(Behaviour { status: 503, ..Behaviour::default() }).unwrap();
    scene.fund.publish(&body("complaint", 1, "late")).await;
    scene.until("it is taken", |kept| kept.pending() == 1).await;
    scene.gateway.set_clock(SignedDuration::from_hours(25));
    assert_eq!(scene.gateway.end().await.signal(), Some(ABORTED));
    scene.gateway.unset(CRASH);
    scene.gateway.restart().await;
    eventually("the breach is alerted", SOON, async || {
        let log = scene.gateway.log();
        log.lines()
            .any(|line| line.contains("Alert ") && line.contains("opened") && line.contains("0101"))
            .then_some(())
    })
    .await;
    scene.inbox.handle.behave(Behaviour::default()).unwrap();
    let kept = scene.delivered(1).await;
    assert_eq!(kept.happened("sla_step"), 4, "each step once: {:?}", kept.history);
    assert_eq!(kept.told("late"), 1, "{:?}", kept.answers);
    scene.stop_with_nothing_left().await;
}

/// F01.
#[tokio::test]
async fn deaths_at_random_moments_under_load_lose_nothing() {
    let mut scene = Plan::new().start().await;
    let sent = messages(rounds(200), "m");
    let chance = uuid::Uuid::new_v4();
    println!("chance: {chance}");
    let Scene { gateway, inbox, fund, .. } = &mut scene;
    let publishing = async {
        for (_, body) in &sent {
            fund.publish(body).await;
        }
    };
    let killing = async {
        for (round, step) in (1..=rounds(10)).zip(chance.as_bytes().iter().cycle()) {
            // Some more attempts, or everything: then it dies idle.
            let before = inbox.handle.stats().attempts;
            let until = before + u64::from(step % 24);
            eventually(&format!("round {round} is on its way"), SOON, async || {
                let stats = inbox.handle.stats();
                (stats.attempts >= until || stats.unique >= sent.len() as u64).then_some(())
            })
            .await;
            gateway.kill();
            gateway.restart().await;
        }
    };
    tokio::join!(publishing, killing);
    let kept = settled(&scene, sent.len()).await;
    assert_conserved_or_set_aside(&scene, &kept, &sent);
    scene.stop_with_nothing_left().await;
    assert!(scene.conservation().await.holds());
}

/// A message that was taken and not acknowledged, and whose copies the broker sends again and again: however the process
/// dies then, its sender is told of one acceptance and of nothing else.
#[tokio::test]
async fn what_was_taken_is_not_set_aside_for_the_deaths_that_come_after() {
    let mut scene = Plan::new().dying_at("intake.after-commit", 1).start().await;
    let (id, body) = messages(1, "m").remove(0);
    scene.fund.publish(&body).await;
    assert_eq!(scene.gateway.end().await.signal(), Some(ABORTED), "it is taken");
    // Known again three times, and three times not acknowledged; then in hand at two deaths.
    let (known, in_hand) = ("intake.after-commit:1", "intake.before-commit:1");
    for point in [known, known, known, in_hand, in_hand] {
        scene.gateway.set(CRASH, point);
        scene.gateway.restart_unready();
        assert_eq!(scene.gateway.end().await.signal(), Some(ABORTED), "it died at {point}");
    }
    scene.gateway.unset(CRASH);
    scene.gateway.restart().await;
    // It was delivered long ago: that it is in nobody's hand any more says that it was brought and known again.
    let kept = scene.until("it is put down", |kept| kept.delivered() == 1 && kept.in_hand == 0).await;
    scene.assert_conserved(&kept, std::slice::from_ref(&id));
    scene.stop_with_nothing_left().await;
    let kept = scene.kept();
    assert_eq!((kept.invalid().count(), kept.told("rejected"), kept.in_hand), (0, 0, 0), "{kept}");
    assert_eq!(kept.happened("duplicate"), 3, "{:?}", kept.history);
}

/// Waits until each of `count` messages was delivered or set aside.
async fn settled(scene: &Scene, count: usize) -> Kept {
    scene
        .until("every message is delivered, or set aside", |kept| {
            kept.delivered() + kept.invalid().count() == count && kept.pending() == 0
        })
        .await
}

/// A message that was in hand at two deaths is set aside, though a signal and not the message was to blame: with
/// its bytes, and only if its time was that unlucky. What was taken is not.
fn assert_conserved_or_set_aside(scene: &Scene, kept: &Kept, sent: &[(String, Vec<u8>)]) {
    assert!(kept.invalid().count() <= 1 + sent.len() / 50, "{kept}");
    let aside: Vec<_> = kept.invalid().collect();
    for message in &aside {
        assert!(!kept.accepted().any(|taken| taken.raw == message.raw), "{kept}");
        assert_eq!(message.rules, ["message.set-aside"]);
        assert!(sent.iter().any(|(_, body)| *body == message.raw), "the evidence is the message");
    }
    let delivered: Vec<String> = sent
        .iter()
        .filter(|(_, body)| !aside.iter().any(|message| message.raw == *body))
        .map(|(id, _)| id.clone())
        .collect();
    scene.assert_conserved(kept, &delivered);
}

/// F38: what was prefetched at a death comes back, however often.
#[tokio::test]
async fn a_loop_of_crashes_with_all_messages_in_hand_loses_none() {
    let mut scene = Plan::new().start().await;
    assert!(scene.gateway.stop().await.success());
    let sent = messages(64, "m");
    for (_, body) in &sent {
        scene.fund.publish(body).await;
    }
    scene.gateway.set(CRASH, "intake.before-commit:1");
    for round in 0..rounds(25) {
        scene.gateway.restart_unready();
        assert_eq!(scene.gateway.end().await.signal(), Some(ABORTED), "in round {round}");
    }
    scene.gateway.unset(CRASH);
    scene.gateway.restart().await;
    let kept = settled(&scene, sent.len()).await;
    // The first of them was in hand each time; its neighbours are innocent.
    assert_eq!(kept.invalid().count(), 1, "{kept}");
    assert_conserved_or_set_aside(&scene, &kept, &sent);
    scene.stop_with_nothing_left().await;
}

#[tokio::test]
async fn a_message_that_stops_the_process_is_set_aside_with_the_evidence_and_its_neighbours_go_on() {
    for kind in [QueueKind::Quorum, QueueKind::Classic] {
        let mut scene = Plan::new().queues(kind).env(CRASH, "intake.poison:hemlock").start().await;
        assert!(scene.gateway.stop().await.success());
        let good = messages(10, "good");
        let poison = String::from_utf8(body("complaint", 1, "poison")).unwrap().replace("poison", "hemlock");
        for (number, (_, body)) in good.iter().enumerate() {
            scene.fund.publish(body).await;
            if number == 4 {
                let named = scene.fund.properties().with_message_id("poison-7".into());
                scene
                    .fund
                    .publish_with(
                        named.with_content_type("application/cloudevents+json".into()),
                        poison.as_bytes(),
                    )
                    .await;
            }
        }
        // Once unseen among its neighbours, twice behind a mark of its own.
        for death in 1..=3 {
            scene.gateway.restart_unready();
            let status: ExitStatus = scene.gateway.end().await;
            assert_eq!(status.signal(), Some(ABORTED), "death {death}");
        }
        scene.gateway.restart().await;
        let kept = settled(&scene, good.len() + 1).await;
        let aside: Vec<_> = kept.invalid().collect();
        assert_eq!(aside.len(), 1, "{kept}");
        assert_eq!(aside[0].rules, ["message.set-aside"]);
        assert_eq!(aside[0].raw, poison.as_bytes());
        let ids: Vec<String> = good.iter().map(|(id, _)| id.clone()).collect();
        scene.assert_conserved(&kept, &ids);
        let answers = scene.answers(&scene.fund, good.len() + 1).await;
        let rejected: Vec<_> = answers.iter().filter(|a| a["data"]["outcome"] == "rejected").collect();
        assert_eq!(rejected.len(), 1);
        assert_eq!(rejected[0]["data"]["errors"][0]["rule"], "message.set-aside");
        let shown =
            run(&mut scene.gateway.command(&["--json", "messages", "show", "poison-7"])).exits(0).json();
        assert_eq!(
            shown["receiptId"],
            aside[0].receipt.to_string(),
            "it is found by its name outside the body"
        );
        scene.stop_with_nothing_left().await;
        assert_eq!(scene.kept().in_hand, 0);
    }
}

/// F03.
#[tokio::test]
async fn a_pause_longer_than_the_heartbeats_loses_nothing() {
    let mut scene = Plan::new().with_short_heartbeats().start().await;
    let sent = messages(rounds(MESSAGES), "m");
    for (_, body) in &sent[..10] {
        scene.fund.publish(body).await;
    }
    scene.gateway.pause();
    for (_, body) in &sent[10..] {
        scene.fund.publish(body).await;
    }
    eventually("the broker gives its consumer up", Duration::from_secs(30), async || {
        (scene.broker.admin.count(&scene.fund.queue_in()).await.1 == 0).then_some(())
    })
    .await;
    scene.gateway.resume();
    let kept = scene.delivered(sent.len()).await;
    scene.assert_conserved(&kept, &sent.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>());
    scene.stop_with_nothing_left().await;
}
