//! The HTTP channel with short time-outs, and what came of a send.
#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

use kassebro::{
    channels::{Channel, http},
    domain::{FaultCode, Outcome},
};

use super::{
    consignment,
    receiver::{Plays, Receiver},
};

/// A channel that gives up soon, and what else the test sets. Two seconds for a connection are room enough for
/// a TLS handshake in an unoptimised build on a busy machine.
pub(crate) fn channel(url: &str, more: &str) -> http::Http {
    let toml = format!(
        "url = \"{url}\"\nconnect_timeout = \"2s\"\nfirst_byte_timeout = \"2s\"\ntotal_timeout = \"3s\"\n{more}"
    );
    http::Http::new(&toml::from_str(&toml).unwrap()).unwrap()
}

/// The fault's code; `None` for a delivery.
pub(crate) fn code(outcome: &Outcome) -> Option<FaultCode> {
    match outcome {
        Outcome::Fault { fault, .. } => Some(fault.code),
        Outcome::Delivered(_) => None,
        Outcome::Deposited => panic!("only a mailbox deposits"),
    }
}

/// One send to a receiver that plays this.
pub(crate) async fn sent_to(plays: Plays, more: &str) -> (Outcome, Receiver) {
    let receiver = Receiver::start(plays);
    let outcome = channel(&receiver.url(), more).send(&consignment::saying("{}")).await;
    (outcome, receiver)
}
