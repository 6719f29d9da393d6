//! What the HTTP channel makes of every way in which a receiver can answer, or not.

use jiff::SignedDuration;
use kassebro::{
    channels::Channel,
    domain::{FaultCode, Outcome, attempt::Proof},
    webhook_signature::WebhookSecret,
};

use crate::support::{
    consignment,
    http_channel::{channel, code, sent_to},
    receiver::{Plays, Receiver, answer},
};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn proof(outcome: Outcome) -> Proof {
    match outcome {
        Outcome::Delivered(proof) => proof,
        other => panic!("not delivered: {other:?}"),
    }
}

#[tokio::test]
async fn a_delivery_carries_its_key_its_type_and_its_signature() {
    let folder = tempfile::tempdir().unwrap();
    let (signing, bearer) = (folder.path().join("secret"), folder.path().join("token"));
    std::fs::write(&signing, SECRET).unwrap();
    std::fs::write(&bearer, "Bearer invented\n").unwrap();
    let more = format!(
        "webhook_secret_file = {signing:?}\nheaders = {{ X-Municipality = \"0707\" }}\nheader_files = {{ Authorization = {bearer:?} }}"
    );
    let receiver = Receiver::start(Plays::Answers(answer(200, "", "")));
    let channel = channel(&receiver.url(), &more);
    let consignment = consignment::saying(r#"{"a":1}"#);
    for _ in 0..2 {
        assert!(channel.send(&consignment).await.is_delivered());
    }
    let requests = receiver.taken();
    let [first, second] = &requests[..] else { panic!("two attempts, {} requests", requests.len()) };
    let id = consignment.delivery.to_string();
    for (name, value) in [
        ("idempotency-key", id.as_str()),
        ("x-requestid", &id),
        ("webhook-id", &id),
        ("webhook-timestamp", "1772449200"),
        ("content-type", "application/cloudevents+json"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("tracestate", "rojo=00f067aa0ba902b7"),
        ("content-length", "7"),
        ("x-municipality", "0707"),
        ("authorization", "Bearer invented"),
    ] {
        assert_eq!(first.header(name), Some(value), "{name}");
        assert_eq!(second.header(name), Some(value), "{name} at the second attempt");
    }
    let signature = first.header("webhook-signature").expect("a secret is set");
    let secret = WebhookSecret::parse(SECRET).unwrap();
    assert!(secret.verify(signature, &id, 1_772_449_200, br#"{"a":1}"#));
    assert!(first.head.starts_with("POST /inbox HTTP/1.1"));
    assert_eq!((first.body.as_slice(), second.body.as_slice()), (&br#"{"a":1}"#[..], &br#"{"a":1}"#[..]));
    assert_eq!(first.header("accept-encoding"), None, "nothing packed is asked for");
    assert!(!first.head.to_lowercase().contains("ce-"));
    assert_eq!(receiver.connections(), 1, "a connection that stays open is used again");
}

#[tokio::test]
async fn every_status_becomes_what_the_contract_says() {
    use FaultCode as F;
    for (status, headers, meaning) in [
        (200, "", None),
        (204, "", None),
        (202, "", None),
        (409, "", None),
        (412, "", Some(F::ReceiverError)),
        (400, "", Some(F::ReceiverRefused)),
        (410, "", Some(F::ReceiverRefused)),
        (413, "", Some(F::ReceiverRefused)),
        (415, "", Some(F::ReceiverRefused)),
        (422, "", Some(F::ReceiverRefused)),
        (401, "", Some(F::ReceiverUnauthorised)),
        (403, "", Some(F::ReceiverUnauthorised)),
        (407, "", Some(F::ReceiverUnauthorised)),
        (404, "", Some(F::ReceiverMisplaced)),
        (408, "", Some(F::ReceiverError)),
        (425, "", Some(F::ReceiverError)),
        (429, "", Some(F::Throttled)),
        (500, "", Some(F::ReceiverError)),
        (503, "", Some(F::ReceiverError)),
        (503, "Retry-After: 5\r\n", Some(F::Throttled)),
        (500, "webhook-delivery: abort-message\r\n", Some(F::ReceiverRefused)),
    ] {
        let plays = Plays::AnswersAndCloses(answer(status, headers, ""));
        let (outcome, receiver) = sent_to(plays, "already_have = [409]").await;
        assert_eq!(code(&outcome), meaning, "{status} {headers:?}: {outcome:?}");
        assert_eq!(receiver.taken().len(), 1, "{status}: one attempt is one request");
        match outcome {
            Outcome::Fault { status: told, .. } => assert_eq!(told, Some(status)),
            Outcome::Delivered(proof) => {
                assert_eq!(proof.status, Some(status));
                assert_eq!((proof.receipt_follows, proof.already_had_it), (status == 202, status == 409));
            }
            Outcome::Deposited => unreachable!("checked above"),
        }
    }
}

#[tokio::test]
async fn a_wish_to_wait_is_handed_on() {
    for (said, seconds) in
        [("90", 90), ("Mon, 02 Mar 2026 11:02:00 GMT", 120), ("Mon, 02 Mar 2020 11:00:00 GMT", 0)]
    {
        let plays = Plays::Answers(answer(429, &format!("Retry-After: {said}\r\n"), ""));
        let (outcome, _receiver) = sent_to(plays, "").await;
        let Outcome::Fault { retry_after, .. } = outcome else { panic!("{outcome:?}") };
        assert_eq!(retry_after, Some(SignedDuration::from_secs(seconds)), "{said}");
    }
}

#[tokio::test]
async fn a_receipt_is_read_and_the_answer_hashed() {
    let plays = Plays::Answers(answer(202, "Content-Type: application/json\r\n", r#"{"receiptId":"R-17"}"#));
    let proof = proof(sent_to(plays, "").await.0);
    assert_eq!(proof.receipt.as_deref(), Some("R-17"));
    assert_eq!(proof.body_sha256.map(|hash| hash.len()), Some(64));
    assert!(proof.receipt_follows);
}

#[tokio::test]
async fn a_body_that_says_it_is_packed_is_not_unpacked() {
    // Ten bytes that no unpacker takes; whoever tried would fail.
    let plays = Plays::Answers(answer(200, "Content-Encoding: gzip\r\n", "0123456789"));
    let proof = proof(sent_to(plays, "").await.0);
    let hash = "84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882";
    assert_eq!(proof.body_sha256.as_deref(), Some(hash));
}

/// F16.
#[tokio::test]
async fn a_redirect_is_not_followed() {
    let inside = Receiver::start(Plays::Answers(answer(200, "", "")));
    for status in [301, 302, 303, 307, 308] {
        let location = format!("Location: {}\r\n", inside.url());
        let (outcome, _receiver) = sent_to(Plays::Answers(answer(status, &location, "")), "").await;
        assert_eq!(code(&outcome), Some(FaultCode::ReceiverMisplaced), "{status}");
    }
    assert_eq!(inside.connections(), 0);
}

#[tokio::test]
async fn the_detail_of_a_fault_holds_neither_path_nor_body() {
    let receiver = Receiver::start(Plays::Answers(answer(400, "", "the citizen 0707614285 is unknown")));
    let url = format!("{}?key=hidden-key", receiver.url());
    for plays in [None, Some(Plays::Resets), Some(Plays::Hangs)] {
        if let Some(plays) = plays {
            receiver.plays(plays);
        }
        let outcome = channel(&url, "").send(&consignment::saying("{}")).await;
        let Outcome::Fault { fault, .. } = outcome else { panic!("delivered") };
        for hidden in ["hidden-key", "/inbox", "0707614285"] {
            assert!(!fault.detail.contains(hidden), "{}", fault.detail);
        }
        assert!(fault.detail.contains("127.0.0.1"), "{}", fault.detail);
    }
}

#[tokio::test]
async fn a_probe_reaches_without_sending_a_message() {
    for (status, meaning) in [
        (200, None),
        (405, None),
        (401, Some(FaultCode::ReceiverUnauthorised)),
        (404, Some(FaultCode::ReceiverMisplaced)),
        (302, Some(FaultCode::ReceiverMisplaced)),
        (500, Some(FaultCode::ReceiverError)),
    ] {
        let receiver = Receiver::start(Plays::Answers(answer(status, "", "")));
        let probed = channel(&receiver.url(), "").probe().await;
        assert_eq!(probed.err().map(|fault| fault.code), meaning, "{status}");
        let taken = receiver.taken();
        assert!(taken[0].head.starts_with("HEAD "), "{}", taken[0].head);
        assert!(taken[0].body.is_empty() && taken[0].header("idempotency-key").is_none());
    }
    let gone = Receiver::start(Plays::Hangs).url();
    let probed = channel(&gone, "").probe().await;
    assert_eq!(probed.err().map(|fault| fault.code), Some(FaultCode::ConnectFailed));
}
