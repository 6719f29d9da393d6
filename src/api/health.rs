//! `/livez`, `/readyz` and `/metrics`: whether the process lives, whether it can take messages, and how it does.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use tracing::warn;

use super::Api;
use crate::{
    domain::circuit::Circuit,
    store::{LaneState, StoreError},
};

/// The calls that every process answers, whatever it does beside.
pub(super) const PATHS: [&str; 3] = ["/livez", "/readyz", "/metrics"];

/// An answer about the store is given for so long: probing costs a commit.
const FRESH: Duration = Duration::from_secs(1);
/// A store that has not committed by then cannot.
const CHECK_MAX: Duration = Duration::from_secs(5);

/// What `/readyz` says beyond the store; the process tells it.
#[derive(Debug, Default)]
pub struct Health {
    told: Mutex<Told>,
    looked: tokio::sync::Mutex<Option<(Duration, Look)>>,
}

#[derive(Debug, Default)]
struct Told {
    roles: Vec<&'static str>,
    configuration: Option<String>,
    degraded: BTreeMap<String, String>,
}

/// The store, as it was found.
#[derive(Debug, Clone)]
struct Look {
    can_commit: bool,
    lanes: Vec<Degraded>,
}

/// Something that does not work just now, and does not stop intake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Degraded {
    part: String,
    why: String,
}

#[derive(Debug, Serialize)]
struct Check {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
}

#[derive(Debug, Serialize)]
struct Checks {
    store: Check,
    configuration: Check,
}

#[derive(Debug, Serialize)]
struct Readiness {
    status: &'static str,
    version: &'static str,
    roles: Vec<&'static str>,
    checks: Checks,
    degraded: Vec<Degraded>,
}

impl Health {
    /// What this process does.
    pub fn roles(&self, roles: Vec<&'static str>) {
        self.told().roles = roles;
    }

    /// The configuration that runs is valid (`None`), or what is wrong with it. Not ready until it is valid.
    pub fn configuration(&self, fault: Option<String>) {
        self.told().configuration = fault;
    }

    /// A part (`broker`, `alertmanager`) does not work just now; the process stays ready.
    pub fn degrade(&self, part: &str, why: &str) {
        self.told().degraded.insert(part.to_owned(), why.to_owned());
    }

    /// The part works again.
    pub fn restore(&self, part: &str) {
        self.told().degraded.remove(part);
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) async fn live() -> Response {
    Json(serde_json::json!({ "status": "pass" })).into_response()
}

pub(super) async fn ready(State(api): State<Arc<Api>>) -> Response {
    let look = look(&api).await;
    let told = api.desk.health.told();
    let (roles, configuration) = (told.roles.clone(), told.configuration.clone());
    let mut degraded = look.lanes;
    degraded
        .extend(told.degraded.iter().map(|(part, why)| Degraded { part: part.clone(), why: why.clone() }));
    drop(told);
    let ready = look.can_commit && configuration.is_none();
    let readiness = Readiness {
        status: match (ready, degraded.is_empty()) {
            (false, _) => "fail",
            (true, false) => "warn",
            (true, true) => "pass",
        },
        version: env!("CARGO_PKG_VERSION"),
        roles,
        checks: Checks {
            store: check((!look.can_commit).then(|| "the store cannot commit".to_owned())),
            configuration: check(configuration),
        },
        degraded,
    };
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(readiness)).into_response()
}

fn check(output: Option<String>) -> Check {
    Check { status: if output.is_some() { "fail" } else { "pass" }, output }
}

/// Looks at the store at most once a second, however many ask.
async fn look(api: &Api) -> Look {
    let mut looked = api.desk.health.looked.lock().await;
    let now = api.desk.clock.monotonic();
    if let Some((at, look)) = &*looked
        && now.saturating_sub(*at) < FRESH
    {
        return look.clone();
    }
    let (store, clock) = (&api.desk.store, &api.desk.clock);
    let found = async {
        store.check().await?;
        store.lanes().await
    };
    let found = tokio::select! {
        found = found => found,
        () = clock.sleep(CHECK_MAX) => Err(StoreError::Unavailable("it did not answer in time".into())),
    };
    if let Err(error) = &found {
        warn!(%error, "Not ready: the store cannot be used");
    }
    let lanes = found.as_deref().unwrap_or_default().iter().filter_map(degraded).collect();
    let look = Look { can_commit: found.is_ok(), lanes };
    *looked = Some((now, look.clone()));
    look
}

fn degraded(lane: &LaneState) -> Option<Degraded> {
    let why = match (&lane.paused, &lane.circuit) {
        (Some(_), _) => "paused by a person".to_owned(),
        (None, Circuit::Open { fault, .. }) => format!("not reached: {}", fault.code),
        (None, Circuit::Recovering { .. }) => "recovering".to_owned(),
        (None, Circuit::Closed { .. }) => return None,
    };
    Some(Degraded { part: format!("receiver/{}", lane.receiver), why })
}

pub(super) async fn metrics(State(api): State<Arc<Api>>) -> Response {
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, content_type)], api.desk.metrics.encode()).into_response()
}
