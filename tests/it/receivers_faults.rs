//! What receivers do wrong, through the whole gateway: what is tried again, what is held, what dies.

use std::{process::Command, time::Duration};

use jiff::SignedDuration;
use kassebro::{domain::identifiers::municipalities, store::Views};

use crate::support::{
    certificates::{Authority, Server},
    eventually::{eventually, stays},
    receiver::{Plays, Receiver, answer},
    world::{Plan, SOON, World, attempts},
};

fn fine() -> Plays {
    Plays::Answers(answer(200, "", ""))
}

fn says(status: u16) -> Plays {
    Plays::Answers(answer(status, "", ""))
}

/// A gateway with a jobcentre for each of these, and the jobcentres' codes.
async fn each(plays: Vec<Plays>) -> (World, Vec<(&'static str, Receiver)>) {
    let receivers: Vec<_> =
        municipalities().map(|(code, _)| code).zip(plays.into_iter().map(Receiver::start)).collect();
    let plan =
        receivers.iter().fold(Plan::new(), |plan, (code, receiver)| plan.http(code, &receiver.url(), ""));
    let world = plan.start().await;
    for (code, _) in &receivers {
        world.send(&format!("m-{code}"), code);
    }
    (world, receivers)
}

/// F10, F12, F13, F14, F15.
#[tokio::test]
async fn what_may_pass_is_tried_again_with_the_same_key_and_bytes_until_it_does() {
    let slow = Duration::from_millis(300);
    let table = [
        (says(500), "unavailable"),
        (says(503), "unavailable"),
        (says(408), "unavailable"),
        (says(425), "unavailable"),
        (says(418), "unavailable"),
        // A reset may come before the connection is known to stand.
        (Plays::ResetsAtOnce, "ambiguous or unavailable"),
        (Plays::Resets, "ambiguous"),
        (Plays::Hangs, "ambiguous"),
        (Plays::Trickles(answer(200, "", ""), slow), "ambiguous"),
        (Plays::AnswersAndCloses("SSH-2.0-Server\r\n".into()), "ambiguous"),
        (Plays::AnswersAndCloses("<html>hello</html>".into()), "ambiguous"),
        (Plays::AnswersAndCloses(String::new()), "ambiguous"),
    ];
    let (plays, meant): (Vec<_>, Vec<_>) = table.into_iter().unzip();
    let (world, receivers) = each(plays).await;
    for (code, _) in &receivers {
        world.attempted(&format!("m-{code}"), 2).await;
    }
    for (_, receiver) in &receivers {
        receiver.plays(fine());
    }
    for ((code, receiver), meant) in receivers.iter().zip(meant) {
        let view = world.reaches(&format!("m-{code}"), "delivered").await;
        let told = attempts(&view);
        let (last, before) = told.split_last().expect("it was attempted");
        assert_eq!(last.0, "delivered");
        assert!(
            before.iter().all(|(outcome, ..)| meant.contains(outcome.as_str())),
            "{code}, {meant}: {told:?}"
        );
        let taken = receiver.taken();
        let keys: Vec<_> = taken.iter().map(|t| (t.header("idempotency-key"), &t.body)).collect();
        assert!(keys.windows(2).all(|pair| pair[0] == pair[1]), "{code}: {keys:?}");
        assert_eq!(keys[0].0, Some(view.deliveries[0].delivery_id.to_string().as_str()));
        assert_eq!(view.promises[0].standing, "met");
    }
    world.alerted(&[]).await;
}

/// F11.
#[tokio::test]
async fn a_wish_to_wait_is_a_floor() {
    let asks = Plays::Answers(answer(429, "Retry-After: 4\r\n", ""));
    let (world, receivers) = each(vec![asks]).await;
    let id = format!("m-{}", receivers[0].0);
    let view = world.attempted(&id, 1).await;
    assert_eq!(attempts(&view)[0].0, "throttled");
    receivers[0].1.plays(fine());
    let view = world.reaches(&id, "delivered").await;
    let started: Vec<_> = attempts(&view).iter().map(|(.., at)| *at).collect();
    assert_eq!(started.len(), 2);
    let waited = started[1].duration_since(started[0]);
    assert!(waited >= SignedDuration::from_secs(4), "{waited}");
    assert!(waited < SignedDuration::from_secs(12), "and not much longer: {waited}");
}

/// F16 and the like: nothing dies of what is the receiver's own fault.
#[tokio::test]
async fn the_receivers_own_faults_hold_its_lane_and_are_alerted_until_they_are_mended() {
    let away = Plays::Answers(answer(302, "Location: http://127.0.0.1:1/\r\n", ""));
    let around = Plays::Answers(answer(307, "Location: /inbox\r\n", ""));
    let (world, receivers) =
        each(vec![says(401), says(403), says(404), says(407), says(405), away, around]).await;
    world.alerted(&["KassebroCircuitOpen"; 7]).await;
    for (code, _) in &receivers {
        // Once is enough for the circuit, and the second of them waits behind the probes.
        world.send(&format!("n-{code}"), code);
        let view = world.attempted(&format!("m-{code}"), 3).await;
        assert!(attempts(&view).iter().all(|(outcome, ..)| outcome == "receiver_fault"), "{code}: {view:?}");
        assert_eq!(view.line.state, "pending");
    }
    for (_, receiver) in &receivers {
        receiver.plays(fine());
    }
    for (code, _) in &receivers {
        world.reaches(&format!("m-{code}"), "delivered").await;
        world.reaches(&format!("n-{code}"), "delivered").await;
    }
    world.alerted(&[]).await;
}

/// F17: what comes after a 2xx cannot undo it, and cannot hurt.
#[tokio::test]
async fn an_answer_without_end_or_in_pieces_is_a_delivery_all_the_same() {
    let whole = "HTTP/1.1 200 OK\r\n";
    let gzip = "Content-Encoding: gzip\r\n";
    let (world, receivers) = each(vec![
        Plays::Endless(format!("{whole}\r\n")),
        Plays::Endless(format!("{whole}{gzip}\r\n\u{1f}")),
        Plays::AnswersAndCloses(answer(202, gzip, "not gzip at all")),
        Plays::AnswersAndCloses(answer(200, "", r#"{"receiptId":"#)),
        Plays::AnswersAndCloses(format!("{whole}Content-Length: 99\r\n\r\nab")),
    ])
    .await;
    for (code, receiver) in &receivers {
        let view = world.reaches(&format!("m-{code}"), "delivered").await;
        assert_eq!((view.deliveries[0].attempts, receiver.taken().len()), (1, 1), "{code}");
    }
}

/// F17: a kilobyte of answer for each megabyte that it says it is.
#[tokio::test]
async fn an_answer_that_unpacks_to_a_thousand_times_its_size_is_not_unpacked() {
    const UNPACKED: u64 = 256 * 1024 * 1024;
    let packed = Command::new("sh")
        .args(["-c", &format!("head -c {UNPACKED} /dev/zero | gzip -9")])
        .output()
        .expect("sh, head and gzip are there")
        .stdout;
    assert!((100_000..UNPACKED / 500).contains(&(packed.len() as u64)), "{} bytes", packed.len());
    let mut bombs = Vec::new();
    for status in ["200 OK", "503 Later", "422 No"] {
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n\
             Content-Length: {}\r\n\r\n",
            packed.len()
        );
        bombs.push(Plays::AnswersBytes([head.as_bytes(), &packed].concat().into()));
    }
    let (world, receivers) = each(bombs).await;
    let (ok, later, no) = (&receivers[0], &receivers[1], &receivers[2]);
    world.reaches(&format!("m-{}", ok.0), "delivered").await;
    world.reaches(&format!("m-{}", no.0), "dead").await;
    world.attempted(&format!("m-{}", later.0), 3).await;
    // The lanes go on as if nothing had been.
    world.send("next", ok.0);
    world.reaches("next", "delivered").await;
    later.1.plays(fine());
    world.reaches(&format!("m-{}", later.0), "delivered").await;
    let peak = world.gateway.peak_memory();
    assert!(peak < UNPACKED / 2, "{peak} bytes of memory at the most");
    for taken in receivers.iter().flat_map(|(_, receiver)| receiver.taken()) {
        assert_eq!(taken.header("accept-encoding"), None, "nothing packed is asked for");
    }
}

/// F18.
#[tokio::test]
async fn a_wrong_certificate_is_sent_nothing_and_mended_gets_everything() {
    let authority = Authority::new();
    let kinds = [Server::SelfSigned, Server::Expired, Server::NotYetValid, Server::OtherHost];
    let receivers: Vec<_> = municipalities()
        .map(|(code, _)| code)
        .zip(kinds)
        .map(|(code, kind)| (code, Receiver::start_tls(fine(), authority.server(kind))))
        .collect();
    let trust = format!("ca_file = \"{}\"\n", authority.ca_file().display());
    let plan =
        receivers.iter().fold(Plan::new(), |plan, (code, receiver)| plan.http(code, &receiver.url(), &trust));
    let world = plan.start().await;
    for (code, _) in &receivers {
        world.send(code, code);
    }
    world.alerted(&["KassebroCircuitOpen"; 4]).await;
    for (code, receiver) in receivers {
        let view = world.attempted(code, 1).await;
        assert_eq!(attempts(&view)[0].1, "GW2053", "{code}");
        assert!(receiver.taken().is_empty(), "{code}");
        let address = receiver.address();
        drop(receiver);
        let mended = Receiver::bind(address, fine(), Some(authority.server(Server::Sound)));
        world.reaches(code, "delivered").await;
        assert_eq!(mended.taken().len(), 1, "{code}");
    }
    world.alerted(&[]).await;
}

/// F19.
#[tokio::test]
async fn a_receiver_that_refuses_then_is_silent_then_is_up_gets_it() {
    let (world, mut receivers) = each(vec![Plays::Ignores]).await;
    let (code, receiver) = receivers.remove(0);
    let (id, address) = (format!("m-{code}"), receiver.address());
    drop(receiver);
    let mut seen = world.attempted(&id, 2).await.deliveries[0].attempts;
    let silent = Receiver::bind(address, Plays::Ignores, None);
    seen = world.attempted(&id, seen + 2).await.deliveries[0].attempts;
    drop(silent);
    let up = Receiver::bind(address, fine(), None);
    let view = world.reaches(&id, "delivered").await;
    let told = attempts(&view);
    assert!(told.len() > usize::try_from(seen).unwrap_or(0));
    assert!(told.iter().any(|(outcome, ..)| outcome == "unavailable"), "{told:?}");
    assert!(told.iter().any(|(outcome, ..)| outcome == "ambiguous"), "{told:?}");
    assert_eq!(up.taken().len(), 1);
}

/// F21.
#[tokio::test]
async fn a_refusal_is_a_death_at_once_that_the_sender_and_the_operator_hear_of() {
    let statuses = [400, 410, 413, 415, 422];
    let (world, receivers) = each(statuses.map(says).to_vec()).await;
    for (code, _) in &receivers {
        let id = format!("m-{code}");
        let view = world.reaches(&id, "dead").await;
        assert_eq!(view.deliveries[0].attempts, 1);
        world.tells(&id, &["accepted", "failed"]).await;
    }
    world.alerted(&["KassebroDeliveriesDead"; 5]).await;
    stays("no further try", Duration::from_secs(2), vec![1; 5], async || {
        receivers.iter().map(|(_, receiver)| receiver.taken().len()).collect()
    })
    .await;
    // The lane goes on: a refusal is an answer.
    let (code, receiver) = &receivers[0];
    receiver.plays(fine());
    world.send("next", code);
    world.reaches("next", "delivered").await;
    let lanes = world.store().lanes().await.expect("the store answers");
    assert!(lanes.iter().all(|lane| !lane.circuit.is_open()), "{lanes:?}");
}

/// Contract: the receiver's profile decides what an attempt without an answer means.
#[tokio::test]
async fn an_ambiguous_outcome_waits_for_a_person_where_the_profile_says_so() {
    let receiver = Receiver::start(Plays::Resets);
    let world = Plan::new().http("0101", &receiver.url(), "ambiguous = \"hold\"").start().await;
    world.send("one", "0101");
    let held =
        eventually("it is held", SOON, async || world.view("one").await.deliveries[0].hold.clone()).await;
    assert_eq!(held, "person");
    receiver.plays(fine());
    stays("nobody sends it again", Duration::from_secs(2), 1, async || receiver.taken().len()).await;
}
