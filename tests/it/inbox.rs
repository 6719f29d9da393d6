//! The reference inbox against the real HTTP channel: it counts right, and it breaks when told to.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

use std::time::Duration;

use kassebro::{
    channels::{Channel, http},
    domain::{FaultCode, Outcome},
    tools::inbox::{Behaviour, Handle, Inbox},
    webhook_signature::WebhookSecret,
};
use tokio::{sync::oneshot, task::JoinHandle};

use crate::support::{
    consignment,
    http_channel::{channel, code},
};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

struct Running {
    handle: Handle,
    url: String,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Running {
    #[expect(clippy::disallowed_methods, reason = "a test joins its own task")]
    async fn start(secrets: Vec<WebhookSecret>) -> Self {
        let inbox = Inbox::bind("127.0.0.1:0".parse().unwrap(), secrets).await.unwrap();
        let (handle, url) = (inbox.handle(), inbox.url());
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(inbox.serve(async {
            let _ = stopped.await;
        }));
        Self { handle, url, stop: Some(stop), serving }
    }

    async fn stop(mut self) {
        drop(self.stop.take());
        self.serving.await.unwrap().unwrap();
    }

    fn channel(&self, more: &str) -> http::Http {
        channel(&self.url, more)
    }
}

#[tokio::test]
async fn a_key_is_a_delivery_once_and_a_duplicate_after() {
    let inbox = Running::start(vec![]).await;
    let (channel, consignment) = (inbox.channel(""), consignment::saying("one"));
    let receipts: Vec<_> = [channel.send(&consignment).await, channel.send(&consignment).await]
        .into_iter()
        .map(|outcome| match outcome {
            Outcome::Delivered(proof) => proof.receipt,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(receipts, [Some("INBOX-00000001".to_owned()), Some("INBOX-00000001".to_owned())]);
    let mut other = consignment.clone();
    other.parcel.body = "two".into();
    channel.send(&other).await;
    let stats = inbox.handle.stats();
    assert_eq!((stats.unique, stats.duplicates, stats.other_body), (1, 1, 1));
    assert_eq!(inbox.handle.deliveries(1).len(), 2);
    inbox.stop().await;
}

#[tokio::test]
async fn it_is_slow_refuses_and_breaks_as_told() {
    use FaultCode as F;
    let inbox = Running::start(vec![]).await;
    let channel = inbox.channel("");
    for (told, meaning, taken) in [
        ("{}", None, true),
        (r#"{"status":422}"#, Some(F::ReceiverRefused), false),
        (r#"{"failShare":1.0}"#, Some(F::ReceiverError), false),
        (r#"{"status":429,"retryAfter":"3"}"#, Some(F::Throttled), false),
        (r#"{"status":500,"abort":true}"#, Some(F::ReceiverRefused), false),
        (r#"{"status":302,"location":"/elsewhere"}"#, Some(F::ReceiverMisplaced), false),
        (r#"{"close":"beforeTaking"}"#, Some(F::NoAnswer), false),
        (r#"{"close":"afterTaking"}"#, Some(F::NoAnswer), true),
        (r#"{"answer":"never"}"#, Some(F::NoAnswer), true),
        (r#"{"delay":"3s"}"#, Some(F::NoAnswer), false),
        (r#"{"answer":"slow"}"#, None, true),
        (r#"{"answer":"endless"}"#, None, true),
        (r#"{"answer":"broken"}"#, None, true),
        (r#"{"answer":"gzip"}"#, None, true),
        (r#"{"answer":"empty","status":204}"#, None, true),
    ] {
        let before = inbox.handle.stats().unique;
        let behaviour: Behaviour = serde_json::from_str(told).unwrap();
        inbox.handle.behave(behaviour).unwrap();
        let outcome = channel.send(&consignment::saying(told)).await;
        assert_eq!(code(&outcome), meaning, "{told}: {outcome:?}");
        assert_eq!(inbox.handle.stats().unique - before, u64::from(taken), "{told}");
    }
    inbox.stop().await;
}

#[tokio::test]
async fn it_lets_nobody_in_for_a_while_and_then_again() {
    let inbox = Running::start(vec![]).await;
    let channel = inbox.channel("");
    let parcel = consignment::saying("patience");
    assert!(channel.send(&parcel).await.is_delivered());
    inbox.handle.behave(Behaviour { refuse: Duration::from_millis(600), ..Behaviour::default() }).unwrap();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    let mut refused = false;
    loop {
        let outcome = channel.send(&parcel).await;
        refused |= !outcome.is_delivered();
        if refused && outcome.is_delivered() {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "refused: {refused}, last {outcome:?}");
    }
    inbox.stop().await;
}

#[tokio::test]
async fn with_a_secret_only_signed_deliveries_are_taken() {
    let secret = WebhookSecret::parse(SECRET).unwrap();
    let inbox = Running::start(vec![secret]).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, SECRET).unwrap();
    let mut parcel = consignment::saying("signed");
    assert_eq!(code(&inbox.channel("").send(&parcel).await), Some(FaultCode::ReceiverUnauthorised));
    let signing = inbox.channel(&format!("webhook_secret_file = {file:?}"));
    let old = signing.send(&parcel).await;
    assert_eq!(code(&old), Some(FaultCode::ReceiverUnauthorised), "a signature of long ago");
    parcel.now = kassebro::clock::Clock::now(&kassebro::clock::System);
    assert!(signing.send(&parcel).await.is_delivered());
    assert_eq!(inbox.handle.stats().wrong, 2);
    inbox.stop().await;
}

#[tokio::test]
async fn its_pages_show_what_it_took_and_take_orders() {
    let inbox = Running::start(vec![]).await;
    inbox.channel("").send(&consignment::saying("shown <b>")).await;
    let client = kassebro::http_client::build(&kassebro::http_client::Settings {
        connect_timeout: Duration::from_secs(1),
        ca_file: None,
        client_identity_file: None,
        allow_private_addresses: false,
    })
    .unwrap();
    let base = inbox.url.trim_end_matches("inbox").to_owned();
    let get =
        async |path: &str| client.get(format!("{base}{path}")).send().await.unwrap().text().await.unwrap();
    assert!(get("").await.contains("1 deliveries"));
    assert!(get("stats").await.contains("\"unique\":1"));
    assert!(get("deliveries?after=0").await.contains("INBOX-00000001"));
    assert_eq!(get("deliveries/1").await, "shown <b>");
    for (order, status) in [(r#"{"status":503}"#, 200), (r#"{"status":99}"#, 422), ("{", 422)] {
        let told = client.post(format!("{base}control")).body(order).send().await.unwrap();
        assert_eq!(told.status().as_u16(), status, "{order}");
    }
    let outcome = inbox.channel("").send(&consignment::saying("x")).await;
    assert_eq!(code(&outcome), Some(FaultCode::ReceiverError));
    inbox.stop().await;
}
