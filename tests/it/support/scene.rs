//! The whole on one page: a broker with two a-kasser's queues, the real binary, and a jobcenter's inbox.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

mod configuration;
mod fund;
mod inbox;

use std::{fmt::Display, path::PathBuf, time::Duration};

use kassebro::{
    intake::topology::{QueueType, Topology},
    store::{
        Conservation, Views,
        sqlite::{Mode, Sqlite},
    },
};
use lapin::{Connection, ConnectionProperties};
use serde_json::Value;

use super::{
    broker::{Broker, NodeAddress, Rights},
    disk::Disk,
    eventually::eventually,
    gateway::{Gateway, Setup},
    http,
    kept::{Kept, Message},
    session::QueueKind,
};
pub(crate) use fund::{FUND, Fund, JOBCENTER, OTHER, body, event, event_back, headers, messages};
pub(crate) use inbox::Served;

/// For what takes a moment, also on a busy machine.
pub(crate) const SOON: Duration = Duration::from_mins(1);

/// What is not as usual.
pub(crate) struct Plan {
    node: Option<NodeAddress>,
    kind: QueueKind,
    environment: Vec<(String, String)>,
    /// Takes deliveries instead of the inbox.
    url: Option<String>,
    /// Stands between the gateway and the broker.
    broker_at: Option<String>,
    /// Added to the broker's address: `?heartbeat=2`.
    query: &'static str,
    tls: Option<Login>,
    both_ways: bool,
}

/// How the gateway says over TLS who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Login {
    Password,
    /// With a certificate besides.
    Both,
    Certificate,
}

impl Plan {
    pub(crate) fn new() -> Self {
        Self {
            node: None,
            kind: QueueKind::Quorum,
            environment: Vec::new(),
            url: None,
            broker_at: None,
            query: "",
            tls: None,
            both_ways: false,
        }
    }

    /// The jobcenter sends over RabbitMQ too.
    pub(crate) fn both_ways(mut self) -> Self {
        self.both_ways = true;
        self
    }

    /// On a node of the test's own.
    pub(crate) fn on(mut self, node: &NodeAddress) -> Self {
        self.node = Some(node.clone());
        self
    }

    pub(crate) fn queues(mut self, kind: QueueKind) -> Self {
        self.kind = kind;
        self
    }

    /// A setting, as `RETRY__FIRST`.
    pub(crate) fn with(self, setting: &str, value: &str) -> Self {
        self.env(&format!("KASSEBRO__{setting}"), value)
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The process dies at the `nth` passing of a point.
    pub(crate) fn dying_at(self, point: &str, nth: usize) -> Self {
        self.env(CRASH, &format!("{point}:{nth}"))
    }

    /// Its store lies on this disk.
    pub(crate) fn on_disk(self, disk: &Disk) -> Self {
        disk.environment().into_iter().fold(self, |plan, (name, value)| plan.env(name, &value))
    }

    pub(crate) fn delivering_to(mut self, url: &str) -> Self {
        self.url = Some(url.to_owned());
        self
    }

    /// Reaches the broker through a proxy, or at these hosts of its cluster.
    pub(crate) fn through(mut self, place: impl Display) -> Self {
        self.broker_at = Some(place.to_string());
        self
    }

    /// With heartbeats so short that a test can wait for two of them.
    pub(crate) fn with_short_heartbeats(mut self) -> Self {
        self.query = "?heartbeat=2";
        self
    }

    /// Reaches the broker over TLS, and trusts its authority.
    pub(crate) fn over_tls(mut self, login: Login) -> Self {
        self.tls = Some(login);
        self
    }

    /// Builds everything and waits until the gateway is ready.
    pub(crate) async fn start(self) -> Scene {
        let mut scene = self.build().await;
        scene.gateway.ready().await;
        scene
    }

    /// Builds everything; the gateway may not be up yet.
    pub(crate) async fn build(self) -> Scene {
        let mut broker = match self.node {
            Some(node) => Broker::fresh_on(node).await,
            None => Broker::fresh().await,
        };
        let codes: &[&str] = if self.both_ways { &[FUND, OTHER, JOBCENTER] } else { &[FUND, OTHER] };
        apply_topology(&broker, self.kind, codes).await;
        let jobcenter = if self.both_ways { Some(Fund::new(&mut broker, JOBCENTER).await) } else { None };
        let (fund, other) = (Fund::new(&mut broker, FUND).await, Fund::new(&mut broker, OTHER).await);
        let inbox = Served::start().await;
        let url = self.url.as_ref().unwrap_or(&inbox.url);
        let uri = self.broker_at.map_or_else(|| broker.uri(), |at| through(&broker.uri(), &at));
        let uri = match self.tls {
            None => uri + self.query,
            Some(Login::Certificate) => broker.tls_uri_of_nobody(),
            Some(Login::Password | Login::Both) => broker.tls_uri(),
        };
        // What the test says of its own counts more.
        let mut environment = Vec::new();
        for (name, file) in tls_files(&mut broker, self.tls).await {
            environment.push((format!("KASSEBRO__AMQP__{name}"), file.to_str().unwrap().to_owned()));
        }
        environment.extend(self.environment);
        let plan = Configured {
            text: configuration::text(&uri, url, [&fund, &other], jobcenter.as_ref()),
            environment,
        };
        Scene { gateway: plan.setup().start_unready(), inbox, fund, other, jobcenter, broker, plan }
    }
}

/// What a gateway of the scene is started with.
struct Configured {
    text: String,
    environment: Vec<(String, String)>,
}

impl Configured {
    fn setup(&self) -> Setup {
        let setup = Setup::new(&self.text);
        self.environment.iter().fold(setup, |setup, (name, value)| setup.env(name, value))
    }
}

/// The settings with the files that TLS needs.
async fn tls_files(broker: &mut Broker, login: Option<Login>) -> Vec<(&'static str, PathBuf)> {
    let mut files = vec![];
    if login.is_some() {
        files.push(("CA_FILE", broker.pem("ca.pem")));
    }
    if matches!(login, Some(Login::Both | Login::Certificate)) {
        let name = broker.own_name("gateway");
        broker.add_user(&name, Rights::ALL);
        let [certificate, key] = broker.client(&name).await;
        files.extend([("CLIENT_CERTIFICATE", certificate), ("CLIENT_KEY", key)]);
    }
    files
}

/// Says where the process dies; see `lifecycle::crash`.
pub(crate) const CRASH: &str = "KASSEBRO_TEST_CRASH";

/// The address with another host and port, or several.
pub(crate) fn through(uri: &str, place: &str) -> String {
    let (credentials, rest) = uri.split_once('@').unwrap();
    let (_, vhost) = rest.split_once('/').unwrap();
    format!("{credentials}@{place}/{vhost}")
}

/// Exchanges, queues and bindings, as `kassebro topology apply` declares them.
async fn apply_topology(broker: &Broker, kind: QueueKind, codes: &[&str]) {
    let queue_type = match kind {
        QueueKind::Quorum => QueueType::Quorum,
        QueueKind::Classic => QueueType::Classic,
    };
    let topology = topology(queue_type, codes);
    let connection = Connection::connect(&broker.uri(), ConnectionProperties::default()).await.unwrap();
    topology.apply(&connection).await.unwrap();
    connection.close(200, "done".into()).await.unwrap();
}

fn topology(queue_type: QueueType, codes: &[&str]) -> Topology {
    Topology {
        exchange_in: "kassebro.messages".into(),
        exchange_answers: "kassebro.answers".into(),
        queue_type,
        replicas: 0,
        queues: codes
            .iter()
            .map(|code| ((*code).to_owned(), format!("kassebro.in.{code}"), format!("kassebro.out.{code}")))
            .collect(),
        alerts: vec![],
    }
}

/// Broker, gateway and inbox. Dropping it ends all three.
pub(crate) struct Scene {
    pub(crate) gateway: Gateway,
    pub(crate) inbox: Served,
    pub(crate) fund: Fund,
    pub(crate) other: Fund,
    /// Where it sends over RabbitMQ too.
    pub(crate) jobcenter: Option<Fund>,
    pub(crate) broker: Broker,
    plan: Configured,
}

impl Scene {
    /// Another gateway with the same configuration, ready, at an address of its own.
    pub(crate) async fn another(&self) -> Gateway {
        self.plan.setup().start().await
    }

    /// What the store holds, read beside the gateway.
    pub(crate) fn kept(&self) -> Kept {
        Kept::read(&self.gateway.folder().join("kassebro.db"))
    }

    /// Applies the topology again, after something of it was deleted.
    pub(crate) async fn apply_topology(&self) {
        apply_topology(&self.broker, QueueKind::Quorum, &[FUND, OTHER]).await;
    }

    /// What the program itself says is where; to be asked when the gateway is stopped.
    pub(crate) async fn conservation(&self) -> Conservation {
        let store = Sqlite::open(&self.gateway.folder().join("kassebro.db"), Mode::Tool).unwrap();
        store.conservation().await.unwrap()
    }

    /// The fund's own view over HTTP.
    pub(crate) fn http_as(&self, fund: &Fund) -> http::Server {
        self.gateway.http().with_key(&fund.key())
    }

    /// Sends over HTTP as the fund: the answer's status, `None` where the gateway is not there.
    pub(crate) fn post(&self, body: &[u8]) -> Option<u16> {
        let body = std::str::from_utf8(body).unwrap();
        Some(self.http_as(&self.fund).call("POST", "/v1/messages", body).ok()?.status)
    }

    /// `GET /v1/messages/{id}` as the fund; `None` where it is not there.
    pub(crate) fn shown(&self, id: &str) -> Option<Value> {
        let answer = self.http_as(&self.fund).get(&format!("/v1/messages/{id}")).unwrap();
        (answer.status == 200).then(|| serde_json::from_str(&answer.body).unwrap())
    }

    /// Waits until the store holds what `fits` says, and gives it.
    pub(crate) async fn until(&self, what: &str, fits: impl Fn(&Kept) -> bool) -> Kept {
        self.until_within(SOON, what, fits).await
    }

    pub(crate) async fn until_within(
        &self,
        within: Duration,
        what: &str,
        fits: impl Fn(&Kept) -> bool,
    ) -> Kept {
        let last = std::cell::RefCell::new(String::new());
        let looking = async {
            eventually(what, within * 2, async || {
                let kept = self.kept();
                if fits(&kept) {
                    return Some(kept);
                }
                *last.borrow_mut() = kept.to_string();
                None
            })
            .await
        };
        tokio::time::timeout(within, looking)
            .await
            .unwrap_or_else(|_| panic!("within {within:?} it did not happen that {what}: {}", last.borrow()))
    }

    /// Waits until `count` messages were delivered.
    pub(crate) async fn delivered(&self, count: usize) -> Kept {
        self.until(&format!("{count} messages are delivered"), |kept| kept.delivered() == count).await
    }

    /// Stops the gateway in order. Nothing then lies in the queues: without a consumer, what was not
    /// acknowledged would be back.
    pub(crate) async fn stop_with_nothing_left(&mut self) {
        let status = self.gateway.stop().await;
        assert!(status.success(), "an orderly stop: {status}");
        for fund in [&self.fund, &self.other] {
            let queue = fund.queue_in();
            let left = eventually(&format!("nobody consumes {queue}"), SOON, async || {
                let (messages, consumers) = self.broker.admin.count(&queue).await;
                (consumers == 0).then_some(messages)
            })
            .await;
            assert_eq!(left, 0, "everything in {queue} is acknowledged");
        }
    }

    /// Takes answers out of the fund's queue until there are `count`.
    pub(crate) async fn answers(&self, fund: &Fund, count: usize) -> Vec<Value> {
        let mut answers = Vec::new();
        eventually(&format!("{} has {count} answers", fund.code), SOON, async || {
            while let Some(fetched) = self.broker.admin.fetch(&fund.queue_out()).await {
                answers.push(serde_json::from_slice(&fetched.body).unwrap());
            }
            (answers.len() >= count).then_some(())
        })
        .await;
        answers
    }

    /// Everything that was taken reached its end, once, with its own bytes: what the store says it delivered
    /// the inbox has under that very key, and the inbox has nothing else.
    pub(crate) fn assert_conserved(&self, kept: &Kept, published: &[String]) {
        let in_inbox = self.inbox.taken();
        kept.assert_delivered(published, &in_inbox);
        assert_eq!(self.inbox.handle.stats().other_body, 0, "one key always has one body");
    }
}

/// The one message under that id.
pub(crate) fn only<'a>(kept: &'a Kept, id: &str) -> &'a Message {
    let found = kept.of(id);
    assert_eq!(found.len(), 1, "one message is {id}: {kept}");
    found[0]
}
