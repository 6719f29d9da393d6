//! Everything under HTTP: messages in, answers and parcels out, and the contract for machines.
//!
//! A caller is a party, by the key it sends. What it may see and settle is its own: its messages, its answers,
//! and the deliveries to its receivers.

use std::{sync::Arc, time::Duration};

use axum::{Router, middleware};
use serde::Deserialize;
use tokio::sync::Semaphore;

use crate::{
    clock::Clock,
    domain::{Text, Violation},
    intake::Intake,
    lifecycle::Stop,
    store::{Store, StoreError},
    telemetry::Metrics,
    units,
};

mod alert_schema;
mod answers;
pub mod asyncapi;
mod body;
mod caller;
mod contract;
mod credentials;
mod embed;
mod guard;
mod health;
mod home;
mod idempotency;
mod language;
mod mailbox;
pub mod openapi;
mod poll;
mod post_message;
mod problem;
mod receipts;
mod routes;
pub mod schemas;
mod server;
mod show_message;
mod stall;
#[cfg(test)]
mod tests;

pub use credentials::{Access, Credentials};
pub use health::Health;
pub use server::{ServeError, Server, serve};

use caller::Caps;
use problem::{Kind, Problem};

/// Bytes of bodies that may be in memory at a time, over all parties.
const BODIES_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Mailboxes read at a time: one reading holds up to [`mailbox::PARCELS_MAX`] parcels of each receiver.
const MAILBOX_READINGS_MAX: usize = 4;

/// How HTTP is served.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Address and port. The default is reached from this machine only.
    #[serde(default = "listen")]
    pub listen: String,
    /// Connections at a time; a further one waits until another ends.
    #[serde(default = "connections_max")]
    pub connections_max: usize,
    /// From the accepted connection, or from the end of the answer before, to the end of a request's headers.
    /// So a silent connection, a slow header and an idle connection are cut after it.
    #[serde(default = "header_read_timeout", with = "units::duration")]
    pub header_read_timeout: Duration,
    /// For reading a whole body.
    #[serde(default = "body_timeout", with = "units::duration")]
    pub body_timeout: Duration,
    /// A caller that takes nothing of its answer for this long is cut.
    #[serde(default = "write_timeout", with = "units::duration")]
    pub write_timeout: Duration,
    /// For one operation of the store; then the answer is 503, and the caller may send again.
    #[serde(default = "store_timeout", with = "units::duration")]
    pub store_timeout: Duration,
    /// Requests of one party at a time; a further one is answered 429.
    #[serde(default = "requests_max")]
    pub requests_max: usize,
    /// Waiting calls (`wait=`) of one party at a time; a further one is answered 429.
    #[serde(default = "waiting_max")]
    pub waiting_max: usize,
    /// After the soft stop, for requests that are under way.
    #[serde(default = "grace", with = "units::duration")]
    pub grace: Duration,
}

fn listen() -> String {
    "127.0.0.1:8080".to_owned()
}

fn connections_max() -> usize {
    1024
}

fn header_read_timeout() -> Duration {
    Duration::from_secs(15)
}

fn body_timeout() -> Duration {
    Duration::from_secs(15)
}

fn write_timeout() -> Duration {
    Duration::from_secs(15)
}

fn store_timeout() -> Duration {
    Duration::from_secs(20)
}

fn requests_max() -> usize {
    32
}

fn waiting_max() -> usize {
    8
}

fn grace() -> Duration {
    Duration::from_secs(5)
}

impl Config {
    /// Says what is wrong beyond the form of each setting.
    ///
    /// # Errors
    /// A sentence that names the setting.
    pub fn check(&self) -> Result<(), String> {
        for (name, most) in [
            ("connections_max", self.connections_max),
            ("requests_max", self.requests_max),
            ("waiting_max", self.waiting_max),
        ] {
            if !(1..=100_000).contains(&most) {
                return Err(format!("{name} must lie between 1 and 100000"));
            }
        }
        for (name, time) in [
            ("header_read_timeout", self.header_read_timeout),
            ("body_timeout", self.body_timeout),
            ("write_timeout", self.write_timeout),
            ("store_timeout", self.store_timeout),
        ] {
            if time.is_zero() {
                return Err(format!("{name} must be longer than nothing"));
            }
        }
        Ok(())
    }
}

/// What the calls work with. Cheap to clone.
#[derive(Clone)]
pub struct Desk {
    pub intake: Intake,
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub metrics: Arc<Metrics>,
    /// Who may call, and as whom.
    pub parties: Arc<Credentials>,
    /// What `/readyz` says beyond the store.
    pub health: Arc<Health>,
    pub scope: Scope,
}

/// Which calls a process answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    Everything,
    /// `/livez`, `/readyz` and `/metrics`.
    Health,
}

/// The state behind every call.
struct Api {
    desk: Desk,
    config: Config,
    caps: Caps,
    /// In units of [`body::UNIT`] bytes.
    bodies: Arc<Semaphore>,
    mailbox_readings: Semaphore,
    stop: Stop,
}

impl Api {
    /// Waits for the store no longer than the caller should.
    async fn bounded<T>(&self, operation: impl Future<Output = Result<T, StoreError>>) -> Result<T, Problem> {
        let done = tokio::select! {
            done = operation => done,
            () = self.desk.clock.sleep(self.config.store_timeout) => {
                Err(StoreError::Unavailable("it did not answer in time".into()))
            }
        };
        done.map_err(|error| Problem::of_store(&error))
    }
}

/// Every call, as one service. [`Server`] puts it on a socket.
pub fn router(desk: Desk, config: Config, stop: Stop) -> Router {
    let scope = desk.scope;
    let api = Arc::new(Api {
        caps: Caps::new(&config),
        desk,
        config,
        bodies: Arc::new(Semaphore::new(BODIES_BYTES_MAX / body::UNIT)),
        mailbox_readings: Semaphore::new(MAILBOX_READINGS_MAX),
        stop,
    });
    routes::ROUTES
        .iter()
        .filter(|route| scope == Scope::Everything || health::PATHS.contains(&route.path))
        .fold(Router::new(), |router, route| router.route(route.path, (route.serve)()))
        .fallback(async || Problem::new(Kind::NotFound, no_such_path()))
        .method_not_allowed_fallback(async || Problem::new(Kind::MethodNotAllowed, no_such_method()))
        .layer(middleware::from_fn(guard::guard))
        .with_state(api)
}

fn no_such_path() -> Text {
    Text::new("Adressen findes ikke; se /openapi.json.", "There is no such path; see /openapi.json.")
}

fn no_such_method() -> Text {
    Text::new(
        "Adressen har ikke den metode; se /openapi.json.",
        "The path does not have that method; see /openapi.json.",
    )
}

/// The violations that make a message invalid.
fn errors(violations: &[Violation]) -> impl Iterator<Item = &Violation> {
    violations.iter().filter(|violation| violation.is_error())
}
