//! A whole gateway between one a-kasse and jobcentres, asked and looked into the way its neighbours do.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

use std::{fmt::Write, time::Duration};

use jiff::{SignedDuration, Timestamp};
use kassebro::{
    clock::{Clock, System},
    store::{
        Views,
        sqlite::{Mode, Sqlite},
        views::MessageView,
    },
    tools::generate,
    units,
};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{
    eventually::eventually,
    gateway::{Gateway, Setup},
    http,
};

/// Long enough for a retry or two on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// The a-kasse that sends.
pub(crate) const FUND: &str = "3f";

/// Retries and probes come fast, and what is open is looked at often.
const QUICK: &str = r#"
[log]
level = "info,kassebro=debug"
[retry]
first = "200ms"
[circuit]
failures = 3
probe_first = "200ms"
[watch]
period = "100ms"
[stop]
grace = "2s"
"#;

/// HTTP receivers give up this soon.
const IMPATIENT: &str = "attempt_timeout = \"4s\"\nconnect_timeout = \"1s\"\nfirst_byte_timeout = \"1s\"\ntotal_timeout = \"2s\"\n";

/// What is configured besides the a-kasse.
#[derive(Default)]
pub(crate) struct Plan {
    text: String,
    own_pace: bool,
}

impl Plan {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A jobcentre that calls with the key [`key`], and its agreement with the a-kasse.
    fn party(mut self, code: &str) -> Self {
        write!(
            self.text,
            "[[party]]\ncode = \"{code}\"\napi_key_sha256 = [\"{}\"]\n\n[[agreement]]\nid = \"{code}-{FUND}\"\nakasse = \
             \"{FUND}\"\njobcenter = \"{code}\"\nvalid_from = \"2020-01-01\"\n\n",
            units::hex(&Sha256::digest(key(code))),
        )
        .unwrap();
        self
    }

    /// A jobcentre with one receiver of its own code; `settings` name its channel.
    pub(crate) fn receiver(self, code: &str, settings: &str) -> Self {
        let mut plan = self.party(code);
        write!(plan.text, "[[receiver]]\nparty = \"{code}\"\n{settings}\n\n").unwrap();
        plan
    }

    /// A jobcentre reached over HTTP.
    pub(crate) fn http(self, code: &str, url: &str, more: &str) -> Self {
        self.receiver(code, &format!("channel = \"http\"\nurl = \"{url}\"\n{IMPATIENT}{more}"))
    }

    /// More tables.
    pub(crate) fn and(mut self, text: &str) -> Self {
        self.text.push_str(text);
        self.text.push('\n');
        self
    }

    /// Without the quick retries: `text` sets the pace, or the defaults do.
    pub(crate) fn pace(mut self, text: &str) -> Self {
        self.own_pace = true;
        self.and(text)
    }

    pub(crate) async fn start(self) -> World {
        self.start_at(SignedDuration::ZERO).await
    }

    /// Starts with the clock this far from the real one.
    pub(crate) async fn start_at(self, clock: SignedDuration) -> World {
        let fund = units::hex(&Sha256::digest(key(FUND)));
        let answers = r#"["accepted", "rejected", "delivered", "failed", "at_risk", "late"]"#;
        let quick = if self.own_pace { "" } else { QUICK };
        let text = format!(
            "{quick}\n[[party]]\ncode = \"{FUND}\"\nanswers = {answers}\napi_key_sha256 = [\"{fund}\"]\n\n{}",
            self.text
        );
        let gateway = Setup::new(&text).clock(clock).start().await;
        World { gateway, clock }
    }
}

/// A party's API key.
pub(crate) fn key(code: &str) -> String {
    format!("key-of-{code}-for-tests-only")
}

/// A running gateway and its clock.
pub(crate) struct World {
    pub(crate) gateway: Gateway,
    clock: SignedDuration,
}

impl World {
    pub(crate) fn now(&self) -> Timestamp {
        System.now() + self.clock
    }

    /// Moves the gateway's clock to `offset` from the real one.
    pub(crate) fn set_clock(&mut self, offset: SignedDuration) {
        self.clock = offset;
        self.gateway.set_clock(offset);
    }

    /// Lets so much more time have passed.
    pub(crate) fn pass(&mut self, time: SignedDuration) {
        self.set_clock(self.clock + time);
    }

    /// The gateway's interface, called by a party.
    pub(crate) fn as_party(&self, code: &str) -> http::Server {
        self.gateway.http().with_key(&key(code))
    }

    /// Sends a valid message of that kind that happened `waited` ago; the answer's body.
    pub(crate) fn send_kind(&self, kind: &str, id: &str, to: &str, waited: SignedDuration) -> Value {
        self.send_at(kind, id, to, self.now() - waited)
    }

    /// Sends a valid message of that kind that happened then; the answer's body.
    pub(crate) fn send_at(&self, kind: &str, id: &str, to: &str, happened: Timestamp) -> Value {
        let (source, receiver) = (format!("urn:dk:akasse:{FUND}"), format!("urn:dk:jobcenter:{to}"));
        let event = generate::event(kind, 1, id, &source, &receiver, happened);
        let answer = self.as_party(FUND).call("POST", "/v1/messages", &event.to_string()).unwrap();
        assert_eq!(answer.status, 202, "{}", answer.body);
        serde_json::from_str(&answer.body).unwrap()
    }

    /// Sends a complaint that the a-kasse has just received.
    pub(crate) fn send(&self, id: &str, to: &str) -> Value {
        self.send_kind("complaint", id, to, SignedDuration::from_secs(1))
    }

    /// The store, opened beside the gateway as the commands do.
    pub(crate) fn store(&self) -> Sqlite {
        Sqlite::open(&self.gateway.folder().join("kassebro.db"), Mode::Tool).unwrap()
    }

    pub(crate) async fn view(&self, id: &str) -> MessageView {
        self.store().message(id.into(), None, self.now()).await.unwrap().expect("it was taken")
    }

    pub(crate) async fn state(&self, id: &str) -> String {
        self.view(id).await.line.state
    }

    /// Waits until the message is in that state.
    pub(crate) async fn reaches(&self, id: &str, state: &str) -> MessageView {
        eventually(&format!("{id} is {state}"), SOON, async || {
            let view = self.view(id).await;
            (view.line.state == state).then_some(view)
        })
        .await
    }

    /// Waits until that many attempts of the message have ended.
    pub(crate) async fn attempted(&self, id: &str, times: u32) -> MessageView {
        eventually(&format!("{id} was attempted {times} times"), SOON, async || {
            let view = self.view(id).await;
            (view.deliveries[0].attempts >= times).then_some(view)
        })
        .await
    }

    /// Waits until alerts of these names are open, and no others of the gateway's but the watchdog; says since
    /// when, in the order of the names.
    pub(crate) async fn alerted(&self, names: &[&str]) -> Vec<Timestamp> {
        let store = self.store();
        eventually(&format!("the open alerts are {names:?}"), SOON, async || {
            let open = store.open_alerts().await.unwrap();
            let open: Vec<_> = open.iter().filter(|a| a.condition.name != "KassebroWatchdog").collect();
            let since =
                |name: &&str| open.iter().find(|a| a.condition.name == *name).map(|a| a.condition.since);
            let found: Option<Vec<_>> = names.iter().map(since).collect();
            found.filter(|_| open.len() == names.len())
        })
        .await
    }

    /// What the a-kasse was told about a message, in order.
    pub(crate) fn told(&self, id: &str) -> Vec<String> {
        let (mut told, mut after) = (Vec::new(), "0".to_owned());
        loop {
            let answer = self.as_party(FUND).get(&format!("/v1/answers?after={after}")).unwrap();
            assert_eq!(answer.status, 200, "{}", answer.body);
            let page: Value = serde_json::from_str(&answer.body).unwrap();
            let log = page["answers"].as_array().expect("a list of answers");
            if log.is_empty() {
                return told;
            }
            let mine = log.iter().map(|event| &event["data"]).filter(|data| data["messageId"] == id);
            told.extend(mine.map(|data| data["outcome"].as_str().unwrap().to_owned()));
            page["next"].as_str().unwrap().clone_into(&mut after);
        }
    }

    /// Waits until the a-kasse was told exactly this.
    pub(crate) async fn tells(&self, id: &str, outcomes: &[&str]) {
        eventually(&format!("the sender of {id} was told {outcomes:?}"), SOON, async || {
            (self.told(id) == outcomes).then_some(())
        })
        .await;
    }
}

/// The attempts in a message's history: outcome, fault code, start.
pub(crate) fn attempts(view: &MessageView) -> Vec<(String, String, Timestamp)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    view.history
        .iter()
        .filter(|event| event.what == "attempt")
        .map(|event| {
            let data = &event.data;
            (text(&data["outcome"]), text(&data["code"]), text(&data["started"]).parse().unwrap())
        })
        .collect()
}
