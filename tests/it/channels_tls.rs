//! Whom the HTTP channel trusts: over TLS nothing is sent to a receiver that cannot show who it is.

use std::time::Duration;

use kassebro::{channels::Channel, domain::FaultCode};

use crate::support::{
    certificates::{Authority, Server},
    consignment,
    http_channel::{channel, code},
    receiver::{Plays, Receiver, answer},
};

fn good() -> Plays {
    Plays::Answers(answer(200, "", ""))
}

/// F18.
#[tokio::test]
async fn nothing_is_sent_to_a_receiver_whose_certificate_is_wrong() {
    let authority = Authority::new();
    let trusting = format!("ca_file = {:?}", authority.ca_file());
    for (server, trust, meaning) in [
        (Server::Sound, trusting.as_str(), None),
        (Server::Sound, "", Some(FaultCode::ReceiverCertificate)),
        (Server::Expired, &trusting, Some(FaultCode::ReceiverCertificate)),
        (Server::NotYetValid, &trusting, Some(FaultCode::ReceiverCertificate)),
        (Server::OtherHost, &trusting, Some(FaultCode::ReceiverCertificate)),
        (Server::SelfSigned, &trusting, Some(FaultCode::ReceiverCertificate)),
        (Server::WantsOurs, &trusting, Some(FaultCode::ReceiverCertificate)),
    ] {
        let receiver = Receiver::start_tls(good(), authority.server(server));
        let outcome = channel(&receiver.url(), trust).send(&consignment::saying("{}")).await;
        assert_eq!(code(&outcome), meaning, "{server:?} {trust:?}: {outcome:?}");
        assert_eq!(receiver.taken().len(), usize::from(meaning.is_none()), "{server:?}");
    }
}

#[tokio::test]
async fn a_receiver_that_asks_who_we_are_is_shown_our_certificate() {
    let authority = Authority::new();
    let receiver = Receiver::start_tls(good(), authority.server(Server::WantsOurs));
    let more = format!(
        "ca_file = {:?}\nclient_identity_file = {:?}",
        authority.ca_file(),
        authority.identity_file()
    );
    let outcome = channel(&receiver.url(), &more).send(&consignment::saying("{}")).await;
    assert!(outcome.is_delivered(), "{outcome:?}");
}

#[tokio::test]
async fn old_tls_and_no_tls_are_not_spoken() {
    // A TLS alert, fatal, "protocol version": what a server says that knows TLS 1.0 only.
    let old = Plays::Blurts(vec![0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x46]);
    let none = Plays::Blurts(answer(400, "", "this is plain HTTP").into_bytes());
    for plays in [old, none] {
        let receiver = Receiver::start(plays.clone());
        let url = receiver.url().replace("http:", "https:");
        let outcome = channel(&url, "").send(&consignment::saying("{}")).await;
        assert_eq!(code(&outcome), Some(FaultCode::ReceiverCertificate), "{plays:?}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_handshake_that_does_not_end_was_sent_nothing() {
    for plays in [Plays::Ignores, Plays::ResetsAtOnce, Plays::Blurts(Vec::new())] {
        let receiver = Receiver::start(plays.clone());
        let url = receiver.url().replace("http:", "https:");
        let send = channel(&url, "");
        let parcel = consignment::saying("{}");
        let outcome = tokio::time::timeout(Duration::from_secs(4), send.send(&parcel)).await;
        let outcome = outcome.expect("bounded by its own time-outs");
        assert_eq!(code(&outcome), Some(FaultCode::ConnectFailed), "{plays:?}: {outcome:?}");
    }
}

#[tokio::test]
async fn after_the_handshake_a_reset_is_ambiguous() {
    let authority = Authority::new();
    let receiver = Receiver::start_tls(Plays::Resets, authority.server(Server::Sound));
    let more = format!("ca_file = {:?}", authority.ca_file());
    let outcome = channel(&receiver.url(), &more).send(&consignment::saying("{}")).await;
    assert_eq!(code(&outcome), Some(FaultCode::NoAnswer), "{outcome:?}");
    assert_eq!(receiver.taken().len(), 1);
}
