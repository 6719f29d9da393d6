//! The whole, put together: store, ways in, lanes, watch and answers, as one configuration says.

use std::sync::Arc;

use tokio::sync::watch;

use crate::{
    amqp_client::Broker,
    api,
    channels::amqp_publisher::{self, Publisher},
    clock::Clock,
    config::{self, Built, Settings},
    dispatch::{self, answers},
    domain::Party,
    http_client,
    intake::{self, Intake, Rules, broker::Queue},
    lifecycle::{Stop, Tasks},
    otlp,
    store::{Mode, Place, Store, StoreError},
    telemetry::{Metrics, Part},
    watch as watchers,
};

mod roles;

pub use roles::{Role, Roles};

/// Why the gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// What `kassebro check` would have said.
    #[error("{0}")]
    Configuration(String),
    #[error("opening the store")]
    Store(#[from] StoreError),
    #[error("serving HTTP")]
    Http(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A gateway that runs, as its neighbours in the process see it.
pub struct Gateway {
    pub store: Arc<dyn Store>,
    pub intake: Intake,
    pub metrics: Arc<Metrics>,
    /// Where HTTP is served, if it is.
    pub address: Option<std::net::SocketAddr>,
    /// Kept: the day a reload comes, its rules go out here.
    _rules: watch::Sender<Arc<Rules>>,
}

/// Where the store is. Reads the files with its password and its authority; connects to nobody.
///
/// # Errors
/// A sentence that names the setting.
pub fn store_place(settings: &Settings) -> Result<Place, StartError> {
    let store = &settings.store;
    let place = Place::parse(&store.url, store.password_file.as_deref(), store.ca_file.as_deref());
    place.map_err(|problem| StartError::Configuration(format!("store: {problem}")))
}

/// Opens the store beside a gateway that may be running: for commands.
///
/// # Errors
/// There is none, or it cannot be read.
pub fn open_store(settings: &Settings) -> Result<Arc<dyn Store>, StartError> {
    Ok(store_place(settings)?.open(Mode::Tool)?)
}

/// Opens it for the gateway itself, apart from the tasks: an answer may take seconds.
async fn own_store(settings: &Settings) -> Result<Arc<dyn Store>, StartError> {
    let place = store_place(settings)?;
    let opened = tokio::task::spawn_blocking(move || place.open(Mode::Daemon)).await;
    Ok(opened.map_err(|error| StoreError::Unusable(format!("opening it: {error}").into()))??)
}

/// Starts everything the settings name, as far as it is one of the roles. The tasks end with `tasks`' stop.
///
/// # Errors
/// See [`StartError`]. What was started before the error ends with the stop.
pub async fn start(
    settings: &Settings,
    roles: &Roles,
    clock: Arc<dyn Clock>,
    tasks: &Tasks,
) -> Result<Gateway, StartError> {
    expect_shared(settings, roles)?;
    let built = config::build(settings, 1).map_err(StartError::Configuration)?;
    let store = own_store(settings).await?;
    let metrics = Metrics::new();
    start_traces(settings, &clock, &metrics, tasks)?;
    let (keep, in_force) = watch::channel(Arc::clone(&built.rules));
    let intake = Intake::new(Arc::clone(&store), Arc::clone(&clock), Arc::clone(&metrics), in_force);
    let health = Arc::<api::Health>::default();
    health.roles(roles.names());
    let scope = if roles.has(Role::Api) { api::Scope::Everything } else { api::Scope::Health };
    let address = serve_http(settings, &built, &intake, (scope, &health), tasks).await?;
    let desk = dispatch::Desk { store: Arc::clone(&store), clock, metrics: Arc::clone(&metrics) };
    if roles.has(Role::Intake) {
        start_intake(&built, &intake, &desk, health, tasks);
    }
    if roles.has(Role::Dispatch) {
        start_answers(settings, &built, &desk, tasks);
        dispatch::start(&desk, built.lanes, tasks).await?;
    }
    if roles.has(Role::Watch) {
        start_watch(settings, &built.rules, &desk, tasks)?;
    }
    Ok(Gateway { store, intake, metrics, address, _rules: keep })
}

/// Sends traces to the collector that the settings name, if they do.
fn start_traces(
    settings: &Settings,
    clock: &Arc<dyn Clock>,
    metrics: &Arc<Metrics>,
    tasks: &Tasks,
) -> Result<(), StartError> {
    let trace = &settings.trace;
    if trace.otlp.is_none() {
        return Ok(());
    }
    let exporter = otlp::Exporter::new(trace).map_err(StartError::Configuration)?;
    if let Some(spans) = metrics.tracer.switch_on(trace.share.0, otlp::ROOM) {
        let (clock, metrics, stop) = (Arc::clone(clock), Arc::clone(metrics), tasks.stop().clone());
        tasks.spawn("traces", otlp::run(spans, exporter, clock, metrics, stop));
    }
    Ok(())
}

/// A part of the work can be left to others only where they see the same table.
fn expect_shared(settings: &Settings, roles: &Roles) -> Result<(), StartError> {
    if roles.are_some() && matches!(store_place(settings)?, Place::Sqlite(_)) {
        return Err(StartError::Configuration(format!(
            "roles: a process that does only {roles} needs others for the rest, and a SQLite file is for one \
             process: name a PostgreSQL in store.url, or give all roles"
        )));
    }
    Ok(())
}

/// Binds and serves HTTP, unless the settings name no address.
async fn serve_http(
    settings: &Settings,
    built: &Built,
    intake: &Intake,
    (scope, health): (api::Scope, &Arc<api::Health>),
    tasks: &Tasks,
) -> Result<Option<std::net::SocketAddr>, StartError> {
    if settings.http.listen.is_empty() {
        return Ok(None);
    }
    let parties = api::Credentials::new(built.access.clone()).map_err(StartError::Configuration)?;
    let desk = api::Desk {
        intake: intake.clone(),
        store: Arc::clone(&intake.store),
        clock: Arc::clone(&intake.clock),
        metrics: Arc::clone(&intake.metrics),
        parties: Arc::new(parties),
        health: Arc::clone(health),
        scope,
    };
    let server =
        api::Server::bind(desk, settings.http.clone()).await.map_err(|e| StartError::Http(e.into()))?;
    let (address, stop) = (server.address(), tasks.stop().clone());
    tasks.spawn("http", async move {
        server.run(stop).await;
        Ok::<(), std::convert::Infallible>(())
    });
    Ok(address)
}

/// A consumer for each queue, a reader for each folder of messages or receipts, and a look at what waits for an agreement.
fn start_intake(
    built: &Built,
    intake: &Intake,
    desk: &dispatch::Desk,
    health: Arc<api::Health>,
    tasks: &Tasks,
) {
    if let Some(broker) = &built.broker {
        for queue in &built.queues {
            let (intake, broker, queue) = (intake.clone(), broker.clone(), queue.clone());
            tasks.spawn("queue", intake::broker::run(intake, broker, queue, tasks.stop().clone()));
        }
        tasks.spawn("health", watch_queues(built.queues.clone(), desk.clone(), health, tasks.stop().clone()));
    }
    for folder in &built.folders {
        tasks.spawn("spool", intake::spool::run(intake.clone(), folder.clone(), tasks.stop().clone()));
    }
    for folder in &built.receipts {
        tasks.spawn("receipts", intake::receipts::run(intake.clone(), folder.clone(), tasks.stop().clone()));
    }
    tasks.spawn("held", intake::held::release(intake.clone(), tasks.stop().clone()));
}

/// A publisher of answers for each party that has a queue for them.
fn start_answers(settings: &Settings, built: &Built, desk: &dispatch::Desk, tasks: &Tasks) {
    let Some(broker) = &built.broker else { return };
    let publisher = Arc::new(Publisher::new("kassebro answers", &publishing(settings, broker)));
    for queue in &built.queues {
        let to_queue = settings.party.iter().any(|p| p.code == queue.party && p.publish_answers);
        if let (true, Ok(party)) = (to_queue, Party::from_code(&queue.party)) {
            let outbox = answers::Outbox { party, exchange: settings.amqp.exchange_answers.clone() };
            let run = answers::run(desk.clone(), Arc::clone(&publisher), outbox, tasks.stop().clone());
            tasks.spawn("answers", run);
        }
    }
}

/// Tells readiness which queues are not being consumed: degraded, and still ready, for messages wait at the
/// broker and everything else goes on.
async fn watch_queues(
    queues: Vec<Queue>,
    desk: dispatch::Desk,
    health: Arc<api::Health>,
    stop: Stop,
) -> Result<(), std::convert::Infallible> {
    while !queues.is_empty() && stop.unless_soft(desk.clock.sleep(dispatch::POLL)).await.is_some() {
        for queue in &queues {
            let part = Part { part: queue.name.clone() };
            if desk.metrics.broker_connected.get_or_create(&part).get() == 1 {
                health.restore(&queue.name);
            } else {
                health.degrade(&queue.name, "the queue is not being consumed");
            }
        }
    }
    Ok(())
}

fn publishing(settings: &Settings, broker: &Broker) -> amqp_publisher::Settings {
    amqp_publisher::Settings { broker: broker.clone(), confirm_timeout: settings.amqp.confirm_timeout }
}

fn start_watch(
    settings: &Settings,
    rules: &Rules,
    desk: &dispatch::Desk,
    tasks: &Tasks,
) -> Result<(), StartError> {
    let desk = watchers::Desk {
        store: Arc::clone(&desk.store),
        clock: Arc::clone(&desk.clock),
        metrics: Arc::clone(&desk.metrics),
        period: settings.watch.period,
        backlog_age: settings.watch.backlog_age,
        survey: watchers::Survey::default(),
        danger: watchers::Danger::default(),
        ladders: Arc::new(config::ladders(settings).map_err(StartError::Configuration)?),
        agreements: rules.agreements.clone().into(),
        agreement_expiry_days: settings.watch.agreement_expiry_days(),
    };
    tasks.spawn("watch", watchers::run(desk.clone(), tasks.stop().clone()));
    let retention = config::retention(settings);
    tasks.spawn("retention", watchers::retention::run(desk.clone(), retention, tasks.stop().clone()));
    for target in alert_targets(settings)? {
        tasks.spawn("alerts", watchers::notify::run(desk.clone(), target, tasks.stop().clone()));
    }
    Ok(())
}

/// Who is told of alerts. Reads the files that the settings name; connects to nobody.
///
/// # Errors
/// The settings of one do not fit together.
pub fn alert_targets(settings: &Settings) -> Result<Vec<watchers::notify::Target>, StartError> {
    let publisher = if config::wants_broker(settings) {
        let broker = config::broker(settings).map_err(StartError::Configuration)?;
        broker.map(|broker| Arc::new(Publisher::new("kassebro alerts", &publishing(settings, &broker))))
    } else {
        None
    };
    config::targets(settings, &client()?, publisher.as_ref()).map_err(StartError::Configuration)
}

/// A client for the operator's own addresses, which may well be private.
fn client() -> Result<reqwest::Client, StartError> {
    let settings = http_client::Settings {
        connect_timeout: std::time::Duration::from_secs(5),
        ca_file: None,
        client_identity_file: None,
        allow_private_addresses: true,
    };
    http_client::build(&settings).map_err(|e| StartError::Configuration(format!("alerts: {e}")))
}
