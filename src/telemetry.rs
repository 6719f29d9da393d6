//! What the process says about itself: structured logs without personal data, and metrics with bounded labels.

use std::sync::Arc;

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

pub mod flow;
pub mod gauges;
mod table;
pub mod trace;

use flow::Flow;
use gauges::Gauges;
use trace::Tracer;

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people: one line each.
    #[default]
    Text,
    /// For machines: one JSON object each.
    Json,
}

/// Starts writing logs to standard error. `level` is a filter such as `info` or `kassebro=debug,lapin=warn`.
///
/// # Errors
/// A filter that cannot be read, or logs that were started before.
pub fn start(level: &str, format: LogFormat) -> Result<(), String> {
    // lapin logs returned messages with their bodies, as a warning: never here (invariant I10).
    let quiet = "lapin=error".parse().expect("it is a directive");
    let filter = EnvFilter::try_new(level).map_err(|e| format!("{level:?} is not a log filter: {e}"))?;
    let filter = filter.add_directive(quiet);
    let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(false);
    let started = match format {
        LogFormat::Text => tracing_subscriber::registry().with(filter).with(lines).try_init(),
        LogFormat::Json => {
            tracing_subscriber::registry().with(filter).with(lines.json().flatten_event(true)).try_init()
        }
    };
    started.map_err(|e| e.to_string())
}

/// One receiver.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ForReceiver {
    pub receiver: String,
}

/// One receiver and one word for its state.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct InState {
    pub receiver: String,
    pub state: &'static str,
}

/// A promise's step.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Steps {
    pub kind: String,
    pub promise: String,
    pub receiver: String,
    pub step: &'static str,
}

/// Why a message went by a second way beside the first.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Fallback {
    pub kind: String,
    pub receiver: String,
    pub way: String,
    pub reason: &'static str,
}

/// One named part of the program.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Part {
    pub part: String,
}

/// The version that runs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Build {
    pub version: &'static str,
}

/// Every metric of the gateway, under the prefix `kassebro_`. Labels come from configuration and closed sets.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    pub commit_duration: Family<Part, Histogram>,
    pub sla_steps: Family<Steps, Counter>,
    pub sla_predicted_misses: Family<ForReceiver, Gauge>,
    pub fallbacks_released: Family<Fallback, Counter>,
    pub answers_published: Family<Part, Counter>,
    pub broker_connected: Family<Part, Gauge>,
    pub broker_sessions: Family<Part, Counter>,
    pub deliveries: Family<InState, Gauge>,
    pub nearest_deadline: Family<ForReceiver, Gauge>,
    pub oldest_undelivered: Family<ForReceiver, Gauge>,
    pub circuit: Family<InState, Gauge>,
    pub alerts_open: Gauge,
    pub notifications: Family<Part, Counter>,
    pub notifications_failed: Family<Part, Counter>,
    pub notified: Family<Part, Gauge>,
    pub intake_paused: Gauge,
    pub configuration: Configuration,
    /// What each message and each attempt counts.
    pub flow: Flow,
    /// How things stand.
    pub gauges: Gauges,
    /// Where spans go.
    pub tracer: Tracer,
}

/// Which configuration runs, and how the last reading of it went.
#[derive(Debug, Clone)]
pub struct Configuration {
    pub generation: Gauge,
    pub successful: Gauge,
    pub succeeded: Gauge,
}

impl Configuration {
    fn new() -> Self {
        let configuration =
            Self { generation: Gauge::default(), successful: Gauge::default(), succeeded: Gauge::default() };
        configuration.successful.set(1);
        configuration
    }

    fn register(&self, registry: &mut Registry) {
        let generation = "The generation of the configuration that runs";
        registry.register("config_generation", generation, self.generation.clone());
        let successful = "1 unless the configuration was read again and could not be used";
        registry.register("config_last_reload_successful", successful, self.successful.clone());
        let succeeded = "When a configuration was last put in force";
        registry.register("config_last_reload_success_timestamp_seconds", succeeded, self.succeeded.clone());
    }
}

/// Seconds, for what takes from a fraction of a millisecond to a minute.
fn seconds() -> Histogram {
    Histogram::new([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0])
}

impl Metrics {
    pub fn new() -> Arc<Self> {
        let mut registry = Registry::with_prefix("kassebro");
        let build: Family<Build, Gauge> = Family::default();
        build.get_or_create(&Build { version: env!("CARGO_PKG_VERSION") }).set(1);
        registry.register("build_info", "The version that runs", build);
        let flow = Flow::new(&mut registry);
        let gauges = Gauges::new(&mut registry);
        let mut metrics = Self {
            registry: Registry::default(),
            tracer: Tracer::new(gauges.spans_dropped.clone()),
            flow,
            gauges,
            commit_duration: Family::new_with_constructor(seconds),
            sla_steps: Family::default(),
            sla_predicted_misses: Family::default(),
            fallbacks_released: Family::default(),
            answers_published: Family::default(),
            broker_connected: Family::default(),
            broker_sessions: Family::default(),
            deliveries: Family::default(),
            nearest_deadline: Family::default(),
            oldest_undelivered: Family::default(),
            circuit: Family::default(),
            alerts_open: Gauge::default(),
            notifications: Family::default(),
            notifications_failed: Family::default(),
            notified: Family::default(),
            intake_paused: Gauge::default(),
            configuration: Configuration::new(),
        };
        let m = &metrics;
        let commit = m.commit_duration.clone();
        registry.register_with_unit(
            "commit_duration",
            "How long callers waited for a commit",
            Unit::Seconds,
            commit,
        );
        registry.register(
            "sla_steps",
            "Steps of open promises when the watcher saw them passed; not of promises that came late or ended first",
            m.sla_steps.clone(),
        );
        registry.register(
            "sla_predicted_misses",
            "Pending deliveries that will miss their deadline as things stand",
            m.sla_predicted_misses.clone(),
        );
        registry.register(
            "fallbacks_released",
            "Second ways that were let go because the first endangered a promise",
            m.fallbacks_released.clone(),
        );
        registry.register(
            "answers_published",
            "Answers confirmed by the broker",
            m.answers_published.clone(),
        );
        registry.register(
            "broker_connected",
            "1 while the queue is being consumed",
            m.broker_connected.clone(),
        );
        registry.register("broker_sessions", "Sessions begun with the broker", m.broker_sessions.clone());
        registry.register("deliveries", "Deliveries that are not finished", m.deliveries.clone());
        let (nearest, oldest) = (m.nearest_deadline.clone(), m.oldest_undelivered.clone());
        registry.register(
            "nearest_deadline_timestamp_seconds",
            "The nearest deadline of a pending delivery",
            nearest,
        );
        registry.register(
            "oldest_undelivered_timestamp_seconds",
            "When the oldest pending message arrived",
            oldest,
        );
        registry.register(
            "circuit_state",
            "1 for the state that the receiver's circuit is in",
            m.circuit.clone(),
        );
        registry.register("alerts_open", "Alerts that are open", m.alerts_open.clone());
        registry.register("notifications", "Notices that a target of alerts took", m.notifications.clone());
        registry.register(
            "notified_timestamp_seconds",
            "When a target of alerts last took a notice, heartbeats among them",
            m.notified.clone(),
        );
        registry.register(
            "notifications_failed",
            "Notifications that did not get through",
            m.notifications_failed.clone(),
        );
        registry.register(
            "intake_paused",
            "1 while nothing is taken because the store cannot commit",
            m.intake_paused.clone(),
        );
        m.configuration.register(&mut registry);
        metrics.registry = registry;
        Arc::new(metrics)
    }

    /// The exposition, in OpenMetrics text.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing to a String does not fail");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exposition_names_units_and_totals() {
        let metrics = Metrics::new();
        metrics.flow.attempted("kbh", "delivered", std::time::Duration::from_millis(3));
        metrics.commit_duration.get_or_create(&Part { part: "intake".into() }).observe(0.002);
        let text = metrics.encode();
        assert!(
            text.contains("kassebro_delivery_attempts_total{receiver=\"kbh\",outcome=\"delivered\"} 1"),
            "{text}"
        );
        assert!(text.contains("kassebro_build_info{version="), "{text}");
        assert!(text.contains("# UNIT kassebro_commit_duration_seconds seconds"), "{text}");
    }
}
