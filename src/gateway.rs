//! The whole, put together: store, ways in, lanes, watch and answers, as one configuration says.

use std::sync::Arc;

use tokio::sync::watch;

use crate::{
    amqp_client::Broker,
    api,
    channels::amqp_publisher::{self, Publisher},
    clock::Clock,
    config::{self, Loaded, Settings},
    dispatch,
    domain::ladder::Ladders,
    http_client,
    intake::{Intake, Rules, broker::Queue},
    lifecycle::{Stop, Tasks},
    otlp,
    store::{Mode, Place, Store, StoreError, generations::How},
    telemetry::{Metrics, Part},
    watch as watchers,
};

mod brought;
mod follow;
mod live;
mod parts;
mod plan;
mod roles;

pub use follow::{Source, follow};
pub use live::{Live, Refused, Wanted, can_be_built};
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
    /// What follows the configuration, for whoever changes it.
    pub live: Live,
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

/// Starts everything the configuration names, as far as it is one of the roles. The tasks end with `tasks`' stop.
///
/// # Errors
/// See [`StartError`]. What was started before the error ends with the stop.
pub async fn start(
    loaded: Loaded,
    roles: &Roles,
    clock: Arc<dyn Clock>,
    tasks: &Tasks,
) -> Result<Gateway, StartError> {
    let settings = &loaded.settings;
    expect_shared(settings, roles)?;
    let ready = live::ready(&loaded)?;
    let store = own_store(settings).await?;
    let now = clock.now();
    let wanted = Wanted { by: "gateway".to_owned(), how: How::Start, of: None };
    let asked = store.reload_asked(follow::node_name(), 0).await?.map_or(0, |ask| ask.seq);
    let generation = live::new_generation(&loaded, &follow::node_name(), &wanted);
    let number = live::activate(&*store, generation, now).await?;
    let ready = ready.numbered(number);
    let metrics = Metrics::new();
    start_traces(settings, &clock, &metrics, tasks)?;
    let (in_force, seen) = watch::channel(Arc::clone(&ready.built.rules));
    let intake = Intake::new(Arc::clone(&store), Arc::clone(&clock), Arc::clone(&metrics), seen);
    let health = Arc::<api::Health>::default();
    health.roles(roles.names());
    let desk = dispatch::Desk {
        store: Arc::clone(&store),
        clock: Arc::clone(&clock),
        metrics: Arc::clone(&metrics),
    };
    let lanes = if roles.has(Role::Dispatch) { Some(dispatch::lanes(&desk, tasks).await?) } else { None };
    let mut live = Live {
        tasks: tasks.clone(),
        roles: roles.clone(),
        clock,
        store: Arc::clone(&store),
        metrics: Arc::clone(&metrics),
        intake: intake.clone(),
        health,
        credentials: Arc::default(),
        rules: in_force,
        lanes,
        inward: parts::Parts::default(),
        outward: parts::Parts::default(),
        watching: parts::Parts::default(),
        report: follow::first_report(roles.to_string(), number, asked, now),
        loaded: Arc::new(loaded),
    };
    let scope = if roles.has(Role::Api) { api::Scope::Everything } else { api::Scope::Health };
    let loaded = Arc::clone(&live.loaded);
    // Bound before anything begins, and served when everything has: nobody is refused for a key that comes later.
    let server = bind_http(&loaded.settings, &live, scope).await?;
    live.exchange(loaded, ready, number).await;
    tasks.spawn("brought", brought::count(desk, tasks.stop().clone()));
    let address = server.as_ref().and_then(api::Server::address);
    if let Some(server) = server {
        let stop = tasks.stop().clone();
        tasks.spawn("http", async move {
            server.run(stop).await;
            Ok::<(), std::convert::Infallible>(())
        });
    }
    Ok(Gateway { store, intake, metrics, address, live })
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

/// Binds HTTP, unless the settings name no address.
async fn bind_http(
    settings: &Settings,
    live: &Live,
    scope: api::Scope,
) -> Result<Option<api::Server>, StartError> {
    if settings.http.listen.is_empty() {
        return Ok(None);
    }
    let desk = api::Desk {
        intake: live.intake.clone(),
        store: Arc::clone(&live.store),
        clock: Arc::clone(&live.clock),
        metrics: Arc::clone(&live.metrics),
        parties: Arc::clone(&live.credentials),
        health: Arc::clone(&live.health),
        scope,
    };
    let server =
        api::Server::bind(desk, settings.http.clone()).await.map_err(|e| StartError::Http(e.into()))?;
    Ok(Some(server))
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
    // Whoever watches them after this begins anew.
    for queue in &queues {
        health.restore(&queue.name);
    }
    Ok(())
}

fn start_watch(
    settings: &Settings,
    rules: &Rules,
    alerting: Alerting,
    desk: &dispatch::Desk,
    generation: u64,
    tasks: &Tasks,
) {
    let desk = watchers::Desk {
        store: Arc::clone(&desk.store),
        clock: Arc::clone(&desk.clock),
        metrics: Arc::clone(&desk.metrics),
        period: settings.watch.period,
        backlog_age: settings.watch.backlog_age,
        survey: watchers::Survey::default(),
        danger: watchers::Danger::default(),
        ladders: Arc::new(alerting.ladders),
        generation,
        agreements: rules.agreements.clone().into(),
        agreement_expiry_days: settings.watch.agreement_expiry_days(),
        receivers: settings.receiver.iter().map(|r| r.common.name().to_owned()).collect(),
    };
    tasks.spawn("watch", watchers::run(desk.clone(), tasks.stop().clone()));
    let retention = config::retention(settings);
    tasks.spawn("retention", watchers::retention::run(desk.clone(), retention, tasks.stop().clone()));
    for target in alerting.targets {
        tasks.spawn("alerts", watchers::notify::run(desk.clone(), target, tasks.stop().clone()));
    }
}

/// Who is told of alerts, and when. Made before anything of a configuration starts: what can be wrong is found there.
struct Alerting {
    ladders: Ladders,
    targets: Vec<watchers::notify::Target>,
}

impl Alerting {
    /// Reads the files that the settings name; connects to nobody.
    fn new(settings: &Settings) -> Result<Self, StartError> {
        let ladders = config::ladders(settings).map_err(StartError::Configuration)?;
        Ok(Self { ladders, targets: alert_targets(settings)? })
    }
}

fn publishing(settings: &Settings, broker: &Broker) -> amqp_publisher::Settings {
    amqp_publisher::Settings { broker: broker.clone(), confirm_timeout: settings.amqp.confirm_timeout }
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

#[cfg(test)]
mod tests;
