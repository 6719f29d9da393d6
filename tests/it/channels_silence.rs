//! What the HTTP channel makes of receivers that are silent, slow, broken or gone.

use std::time::Duration;

use kassebro::{
    channels::{Channel, Consignment},
    clock::{Clock, System},
    domain::{FaultCode, Outcome},
};

use crate::support::{
    consignment,
    http_channel::{channel, code, sent_to},
    receiver::{Plays, Receiver, answer},
};

fn since(begin: Duration) -> Duration {
    System.monotonic().saturating_sub(begin)
}

/// F12, F13, F14, F15, F17: what comes back after the message went.
#[tokio::test]
async fn once_the_message_went_silence_and_garbage_are_ambiguous_and_a_2xx_is_a_delivery() {
    use FaultCode as F;
    let slow = Duration::from_millis(200);
    let whole = "HTTP/1.1 200 OK\r\n";
    for (name, plays, meaning) in [
        ("silence", Plays::Hangs, Some(F::NoAnswer)),
        ("nothing is read", Plays::Ignores, Some(F::NoAnswer)),
        ("a reset", Plays::Resets, Some(F::NoAnswer)),
        ("an empty answer", Plays::AnswersAndCloses(String::new()), Some(F::NoAnswer)),
        ("half a status line", Plays::AnswersAndCloses("HTTP/1.1 2".into()), Some(F::NoAnswer)),
        ("a head byte by byte", Plays::Trickles(answer(200, "", ""), slow), Some(F::NoAnswer)),
        (
            "interim answers only",
            Plays::AnswersAndCloses("HTTP/1.1 102 Wait\r\n\r\n".into()),
            Some(F::NoAnswer),
        ),
        ("garbage", Plays::AnswersAndCloses("\u{0}\u{1}garbage\r\n\r\n".into()), Some(F::AnswerUnreadable)),
        ("HTTP/0.9", Plays::AnswersAndCloses("<html>hello</html>".into()), Some(F::AnswerUnreadable)),
        ("another protocol", Plays::AnswersAndCloses("SSH-2.0-Server\r\n".into()), Some(F::AnswerUnreadable)),
        (
            "a status of words",
            Plays::AnswersAndCloses("HTTP/1.1 OK 200\r\n\r\n".into()),
            Some(F::AnswerUnreadable),
        ),
        (
            "two lengths",
            Plays::AnswersAndCloses(format!("{whole}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab")),
            Some(F::AnswerUnreadable),
        ),
        (
            "a length of words",
            Plays::AnswersAndCloses(format!("{whole}Content-Length: x\r\n\r\n")),
            Some(F::AnswerUnreadable),
        ),
        (
            "a thousand headers",
            Plays::AnswersAndCloses(answer(200, &"a: b\r\n".repeat(1000), "")),
            Some(F::AnswerUnreadable),
        ),
        ("a short body", Plays::AnswersAndCloses(format!("{whole}Content-Length: 99\r\n\r\nab")), None),
        (
            "a broken chunk",
            Plays::AnswersAndCloses(format!("{whole}Transfer-Encoding: chunked\r\n\r\nzz\r\n")),
            None,
        ),
        (
            "a body byte by byte",
            Plays::Trickles(answer(200, "", &"x".repeat(99)), Duration::from_millis(4)),
            None,
        ),
        ("a body without end", Plays::Endless(format!("{whole}\r\n")), None),
        ("broken JSON", Plays::AnswersAndCloses(answer(200, "", r#"{"receiptId":"#)), None),
        ("a body too long", Plays::AnswersAndCloses(answer(200, "", &"x".repeat(70_000))), None),
    ] {
        let started = System.monotonic();
        let (outcome, receiver) = sent_to(plays, "").await;
        assert_eq!(code(&outcome), meaning, "{name}: {outcome:?}");
        assert!(since(started) < Duration::from_secs(4), "{name} took {:?}", since(started));
        assert!(receiver.taken().len() <= 1, "{name}: nothing is sent twice in one attempt");
        if let Outcome::Delivered(proof) = outcome {
            assert_eq!(proof.receipt, None, "{name}");
        }
    }
}

#[tokio::test]
async fn after_a_reset_the_same_key_and_body_come_again() {
    let receiver = Receiver::start(Plays::Resets);
    let channel = channel(&receiver.url(), "");
    let consignment = consignment::saying("taken, then reset");
    assert_eq!(code(&channel.send(&consignment).await), Some(FaultCode::NoAnswer));
    receiver.plays(Plays::Answers(answer(200, "", "")));
    assert!(channel.send(&consignment).await.is_delivered());
    let taken = receiver.taken();
    assert_eq!(taken.len(), 2);
    assert_eq!(taken[0].header("idempotency-key"), taken[1].header("idempotency-key"));
    assert_eq!(taken[0].body, taken[1].body);
}

/// F19.
#[tokio::test]
async fn a_receiver_that_refuses_was_sent_nothing_and_gets_it_once_it_is_up() {
    let receiver = Receiver::start(Plays::Hangs);
    let address = receiver.address();
    let channel = channel(&receiver.url(), "");
    let consignment = consignment::saying("{}");
    assert_eq!(code(&channel.send(&consignment).await), Some(FaultCode::NoAnswer), "silent");
    drop(receiver);
    assert_eq!(code(&channel.send(&consignment).await), Some(FaultCode::ConnectFailed), "refused");
    let receiver = Receiver::bind(address, Plays::Answers(answer(200, "", "")), None);
    assert!(channel.send(&consignment).await.is_delivered(), "up");
    assert_eq!(receiver.taken().len(), 1);
}

#[tokio::test]
async fn a_name_that_is_nobodys_was_sent_nothing() {
    let channel = channel("http://nobody.invalid/inbox", "private_network = true");
    let outcome = channel.send(&consignment::saying("{}")).await;
    assert_eq!(code(&outcome), Some(FaultCode::ConnectFailed), "{outcome:?}");
}

#[tokio::test]
async fn a_large_body_that_nobody_reads_is_ambiguous_in_time() {
    let receiver = Receiver::start(Plays::Ignores);
    let consignment = consignment::saying(&"x".repeat(8 * 1024 * 1024));
    let started = System.monotonic();
    let outcome = channel(&receiver.url(), "").send(&consignment).await;
    assert_eq!(code(&outcome), Some(FaultCode::NoAnswer));
    assert!(since(started) < Duration::from_secs(3));
}

/// F20, at this boundary: one receiver that hangs holds up no other that shares nothing with it.
#[tokio::test]
async fn a_receiver_that_hangs_does_not_hold_up_the_next() {
    let (dead, well) = (Receiver::start(Plays::Hangs), Receiver::start(Plays::Answers(answer(200, "", ""))));
    let (to_dead, to_well) = (channel(&dead.url(), ""), channel(&well.url(), ""));
    let parcel: Consignment = consignment::saying("{}");
    let hanging = to_dead.send(&parcel);
    let delivered = async {
        for _ in 0..20 {
            assert!(to_well.send(&parcel).await.is_delivered());
        }
    };
    tokio::select! {
        biased;
        () = delivered => {}
        outcome = hanging => panic!("the dead one was done first: {outcome:?}"),
    }
}
