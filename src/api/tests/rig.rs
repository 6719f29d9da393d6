//! Two a-kasser and a jobcenter over a real store, called through the router. Every answer is held against the
//! contract that `/openapi.json` states.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode},
};
use bytes::Bytes;
use http_body_util::BodyExt;
use jiff::{SignedDuration, Timestamp, civil::date};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::sync::watch;
use tower::ServiceExt;

use super::{
    super::{Access, Config, Credentials, Desk, Health, router},
    contract,
};
use crate::{
    clock::{Clock, Moved},
    codec::Limits,
    domain::{
        Agreement, AttemptRecord, DeliveryId, Format, HoldReason, Outcome, Party,
        agreement::{OutsideValidity, Side},
        answer::Subscription,
        route::Receiver,
        sla::Promise,
    },
    intake::{AHEAD_MAX, Intake, KindPromise, Rules, Sender},
    lifecycle::Stop,
    store::{
        LeaseAsk, Next, Settlement, Store, Views,
        sqlite::{Mode, Sqlite},
    },
    telemetry::Metrics,
    tools::generate,
};

/// When the tests begin.
pub(super) const NOW: &str = "2026-11-02T09:15:00.123456789Z";
/// The jobcenter's receivers: one for all kinds but job orders, one for those.
pub(super) const INBOX: &str = "kbh";
pub(super) const JOBS: &str = "kbh-jobs";

/// Everything that one test calls.
pub(super) struct Rig {
    pub(super) router: Router,
    pub(super) desk: Desk,
    pub(super) clock: Moved,
    pub(super) stop: Stop,
    _folder: TempDir,
}

/// One answer.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Reply {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The rules of the errors that the answer names.
    pub(super) fn rules(&self) -> Vec<String> {
        let errors = self.json()["errors"].as_array().cloned().unwrap_or_default();
        errors.iter().map(|error| error["rule"].as_str().unwrap().to_owned()).collect()
    }
}

pub(super) fn hash(key: &str) -> String {
    Sha256::digest(key).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

pub(super) fn credentials() -> Credentials {
    let access = |code: &str, receivers: &[&str]| Access {
        party: Party::from_code(code).unwrap(),
        api_key_sha256: vec![hash(&format!("key-{code}"))],
        receivers: receivers.iter().map(|name| (*name).to_owned()).collect(),
    };
    let parties = vec![
        access("3f", &["3f-inbox"]),
        access("krifa", &[]),
        access("0101", &[INBOX, JOBS]),
        access("0707", &["norddjurs"]),
    ];
    Credentials::new(parties).unwrap()
}

pub(super) fn rules() -> Rules {
    let sender = |code: &str, headers: &[(&str, &str)]| Sender {
        party: Party::from_code(code).unwrap(),
        amqp_user: None,
        answers: Subscription::default(),
        headers: headers
            .iter()
            .map(|(header, attribute)| ((*header).to_owned(), (*attribute).to_owned()))
            .collect(),
        defaults: BTreeMap::new(),
    };
    let side = |code: &str| Side::These(vec![Party::from_code(code).unwrap()]);
    let agreement =
        |akasse: &str| Agreement::new(format!("{akasse}-kbh"), side(akasse), side("0101"), date(2024, 1, 1));
    let receiver = |name: &str, kinds: &[&str]| Receiver {
        name: name.into(),
        party: Party::from_code("0101").unwrap(),
        kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect(),
        format: Some(Format::Cloudevents),
        distribution: None,
        fallback_only: false,
    };
    let promise = Promise::elapsed("delivered", SignedDuration::from_hours(24)).into();
    Rules {
        generation: 1,
        limits: Limits { body_bytes: 200 * 1024, ..Limits::default() },
        kinds: Rules::compile_kinds(),
        senders: ["3f", "krifa", "0101"]
            .into_iter()
            .map(|code| {
                (code.to_owned(), sender(code, &[("x-old-number", "id"), ("authorization", "subject")]))
            })
            .collect(),
        agreements: vec![agreement("3f"), agreement("krifa")],
        outside_validity: OutsideValidity::Refuse,
        receivers: vec![receiver(INBOX, &[]), receiver(JOBS, &["job_order"])],
        promises: BTreeMap::new(),
        promise: KindPromise {
            promise,
            further: vec![],
            retry_window: Some(SignedDuration::from_hours(24 * 30)),
        },
        awaited: BTreeSet::new(),
        ahead_max: AHEAD_MAX,
        age_max: SignedDuration::from_hours(24 * 400),
    }
}

pub(super) fn config() -> Config {
    toml::from_str("listen = \"127.0.0.1:0\"").unwrap()
}

impl Rig {
    pub(super) fn new() -> Self {
        Self::with(config(), |store| store)
    }

    pub(super) fn with(config: Config, wrap: impl FnOnce(Arc<dyn Store>) -> Arc<dyn Store>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = wrap(Arc::new(Sqlite::open(&folder.path().join("store"), Mode::Daemon).unwrap()));
        let moved = Moved::starting_at(NOW.parse().unwrap());
        let clock: Arc<dyn Clock> = Arc::new(moved.clone());
        let metrics = Metrics::new();
        let (_, rules) = watch::channel(rules().shared());
        let desk = Desk {
            intake: Intake::new(Arc::clone(&store), Arc::clone(&clock), Arc::clone(&metrics), rules),
            store,
            clock,
            metrics,
            parties: Arc::new(credentials()),
            scope: crate::api::Scope::Everything,
            health: Arc::new(Health::default()),
        };
        let stop = Stop::new();
        Self { router: router(desk.clone(), config, stop.clone()), desk, clock: moved, stop, _folder: folder }
    }

    pub(super) async fn ask(&self, request: Request<Body>) -> Reply {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let reply = Reply { status, headers, body };
        contract::hold(method.as_str(), &path, &reply);
        reply
    }

    pub(super) async fn get(&self, party: &str, path: &str) -> Reply {
        self.ask(request(party, path).body(Body::empty()).unwrap()).await
    }

    pub(super) async fn post(&self, party: &str, path: &str, body: &Value) -> Reply {
        let request = request(party, path).method("POST").header("content-type", "application/json");
        self.ask(request.body(body.to_string().into()).unwrap()).await
    }

    /// Sends a structured event.
    pub(super) async fn send(&self, party: &str, event: &Value) -> Reply {
        let request = request(party, "/v1/messages")
            .method("POST")
            .header("content-type", "application/cloudevents+json");
        self.ask(request.body(event.to_string().into()).unwrap()).await
    }

    /// Does what a mailbox receiver's lane does: what is due goes into the mailbox.
    pub(super) async fn deposit(&self, receiver: &str) -> Vec<DeliveryId> {
        let now = self.clock.now();
        let until = now + SignedDuration::from_mins(1);
        let ask = LeaseAsk {
            receiver: receiver.into(),
            most: 10,
            now,
            until,
            due_by: None,
            due_after: None,
            wake_all: false,
            probe: false,
        };
        let leased = self.desk.store.lease_due(ask).await.unwrap();
        let ids = leased.leases.iter().map(|lease| lease.delivery).collect();
        let settle = |lease| Settlement {
            lease,
            record: AttemptRecord { started: now, took: SignedDuration::ZERO, outcome: Outcome::Deposited },
            next: Next::Hold(HoldReason::Mailbox),
            now,
        };
        self.desk.store.settle(Arc::new(leased.leases.into_iter().map(settle).collect())).await.unwrap();
        ids
    }

    /// Lets time pass, a second at a time, until the call answers.
    pub(super) async fn meanwhile<T>(&self, call: impl Future<Output = T>) -> (T, Duration) {
        let began = self.clock.monotonic();
        let mut call = std::pin::pin!(call);
        loop {
            let answered = tokio::time::timeout(Duration::from_millis(20), &mut call).await;
            if let Ok(done) = answered {
                return (done, self.clock.monotonic().saturating_sub(began));
            }
            self.clock.advance(Duration::from_secs(1));
        }
    }

    pub(super) async fn taken(&self) -> i64 {
        Views::conservation(&*self.desk.store).await.unwrap().taken
    }
}

pub(super) fn request(party: &str, path: &str) -> axum::http::request::Builder {
    let request = Request::builder().uri(path);
    if party.is_empty() { request } else { request.header("authorization", format!("Bearer key-{party}")) }
}

/// A valid message of that kind from that a-kasse.
pub(super) fn event(kind: &str, party: &str, id: &str) -> Value {
    let time: Timestamp = NOW.parse().unwrap();
    let time = time - SignedDuration::from_mins(5);
    generate::event(kind, 7, id, &format!("urn:dk:akasse:{party}"), "urn:dk:jobcenter:0101", time)
}

/// One that the rules refuse.
pub(super) fn invalid(party: &str, id: &str) -> Value {
    let mut event = event("complaint", party, id);
    event["data"]["form"] = json!("sung");
    event
}
