//! SIGTERM: what is in hand is finished or handed back, and the process ends in time with 0.

use std::{process::Stdio, time::Duration};

use kassebro::{
    clock::{Clock, System},
    tools::inbox::Behaviour,
};

use crate::support::{
    eventually::eventually,
    receiver::{Plays, Receiver, answer},
    rounds,
    scene::{Plan, SOON, Scene, messages},
};

/// The grace of the tests' configuration, and what the rest may take on a busy machine.
const STOP_MAX: Duration = Duration::from_secs(15);

/// F02.
#[tokio::test]
async fn a_stop_under_load_ends_with_zero_in_time_and_loses_nothing() {
    let mut scene = Plan::new().start().await;
    let slow = Behaviour { delay: Duration::from_millis(100), ..Behaviour::default() };
    scene.inbox.handle.behave(slow).unwrap();
    let sent = messages(rounds(150), "m");
    let Scene { gateway, inbox, fund, .. } = &mut scene;
    let publishing = async {
        for (_, body) in &sent {
            fund.publish(body).await;
        }
    };
    let stopping = async {
        for stop in 1..=3u64 {
            eventually("some are delivered", SOON, async || {
                let stats = inbox.handle.stats();
                (stats.unique >= stop * 10 || stats.unique == sent.len() as u64).then_some(())
            })
            .await;
            let began = System.monotonic();
            let status = gateway.stop().await;
            assert!(status.success(), "{status}");
            let took = System.monotonic().saturating_sub(began);
            assert!(took < STOP_MAX, "stopping took {took:?}");
            gateway.restart().await;
        }
    };
    tokio::join!(publishing, stopping);
    let kept = scene.delivered(sent.len()).await;
    scene.assert_conserved(&kept, &sent.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>());
    assert_eq!(scene.inbox.handle.stats().duplicates, 0, "an orderly stop repeats nothing");
    scene.stop_with_nothing_left().await;
    assert!(!scene.gateway.log().contains("Tasks were dropped"), "{}", scene.gateway.log());
}

#[tokio::test]
async fn a_receiver_that_hangs_does_not_hold_up_the_stop() {
    let receiver = Receiver::start(Plays::Hangs);
    let mut scene = Plan::new().delivering_to(&receiver.url()).with("STOP__GRACE", "1s").start().await;
    let sent = messages(20, "m");
    for (_, body) in &sent {
        scene.fund.publish(body).await;
    }
    eventually("attempts are under way", SOON, async || (!receiver.taken().is_empty()).then_some(())).await;
    let began = System.monotonic();
    scene.stop_with_nothing_left().await;
    assert!(System.monotonic().saturating_sub(began) < STOP_MAX);
    assert_eq!(scene.kept().pending(), sent.len(), "they are due again");

    receiver.plays(Plays::Answers(answer(202, "", "")));
    scene.gateway.restart().await;
    let kept = scene.delivered(sent.len()).await;
    for delivery in kept.accepted().flat_map(|message| &message.deliveries) {
        let tries: Vec<_> = receiver
            .taken()
            .into_iter()
            .filter(|t| t.header("idempotency-key") == Some(&delivery.key))
            .collect();
        assert!(!tries.is_empty(), "{} came", delivery.key);
        assert!(tries.iter().all(|t| t.body == tries[0].body), "with the same bytes each time");
    }
    scene.stop_with_nothing_left().await;
}

/// F05.
#[tokio::test]
async fn a_second_process_on_the_same_store_says_why_it_does_not_start_and_harms_nobody() {
    let mut scene = Plan::new().start().await;
    let mut second = scene.gateway.command(&["run"]);
    second.env("KASSEBRO__HTTP__LISTEN", "127.0.0.1:0").stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || second.output().unwrap()).await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(said.contains("another process serves"), "{said}");
    assert!(said.contains("kassebro.db"), "{said}");

    let sent = messages(10, "m");
    for (_, body) in &sent {
        scene.fund.publish(body).await;
    }
    let kept = scene.delivered(sent.len()).await;
    scene.assert_conserved(&kept, &sent.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>());
    assert_eq!(scene.inbox.handle.stats().duplicates, 0);
    scene.stop_with_nothing_left().await;
}
