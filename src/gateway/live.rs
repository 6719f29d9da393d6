//! What follows the configuration, and how it is exchanged for another: as a whole, or not at all.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::watch;
use tracing::info;

use super::{
    Alerting, Roles, StartError,
    parts::{Exchange, Parts, Planned},
    plan,
};
use crate::{
    api,
    clock::Clock,
    config::{self, Built, Loaded, Problem, diff},
    dispatch::{self, Lanes},
    intake::{Intake, Rules},
    lifecycle::Tasks,
    store::{
        Store, StoreError,
        generations::{How, NewGeneration, NodeReport, Order},
    },
    telemetry::Metrics,
};

/// Beyond the grace that the settings give.
const GRACE_MARGIN: Duration = Duration::from_secs(5);

/// Why another configuration does not come into force. The one before it goes on.
#[derive(Debug)]
pub enum Refused {
    /// What `kassebro check` would say.
    Invalid(Vec<Problem>),
    /// Something changed that a process reads once.
    NeedsRestart(Vec<Problem>),
    /// The store could not be asked for its number.
    Store(StoreError),
}

impl Refused {
    /// The word for it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid",
            Self::NeedsRestart(_) => "needs-restart",
            Self::Store(_) => "store",
        }
    }

    /// Every problem in words.
    pub fn problems(&self) -> Vec<String> {
        match self {
            Self::Invalid(problems) | Self::NeedsRestart(problems) => {
                problems.iter().map(ToString::to_string).collect()
            }
            Self::Store(error) => vec![error.to_string()],
        }
    }
}

/// Who wants a configuration in force, and how.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub by: String,
    pub how: How,
    /// The generation that a rollback repeats.
    pub of: Option<u64>,
}

/// The configuration that runs, with everything that was started from it.
pub struct Live {
    pub(super) tasks: Tasks,
    pub(super) roles: Roles,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) store: Arc<dyn Store>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) intake: Intake,
    pub(super) health: Arc<api::Health>,
    pub(super) credentials: Arc<api::Credentials>,
    pub(super) rules: watch::Sender<Arc<Rules>>,
    /// How lanes stand; read by whoever delivers.
    pub(super) lanes: Option<Lanes>,
    pub(super) inward: Parts,
    pub(super) outward: Parts,
    pub(super) watching: Parts,
    pub(super) loaded: Arc<Loaded>,
    pub(super) report: NodeReport,
}

/// Everything that a configuration comes to, built and not started.
pub(super) struct Ready {
    pub(super) built: Built,
    pub(super) credentials: api::Credentials,
    pub(super) alerting: Alerting,
}

impl Ready {
    /// With rules that know their generation.
    pub(super) fn numbered(self, generation: u64) -> Self {
        Self { built: self.built.numbered(generation), ..self }
    }
}

/// Builds everything: whatever can be wrong is found before anything stops.
///
/// # Errors
/// A sentence that names the setting.
pub(super) fn ready(loaded: &Loaded) -> Result<Ready, StartError> {
    let built = config::build(&loaded.settings, 0).map_err(StartError::Configuration)?;
    let credentials = api::Credentials::new(built.access.clone()).map_err(StartError::Configuration)?;
    Ok(Ready { built, credentials, alerting: Alerting::new(&loaded.settings)? })
}

/// Looks whether a configuration can be put in force: everything that can be built without connecting to anybody.
///
/// # Errors
/// A sentence that names the setting.
pub fn can_be_built(loaded: &Loaded) -> Result<(), StartError> {
    ready(loaded).map(drop)
}

/// What the store keeps of a configuration.
pub(super) fn new_generation(loaded: &Loaded, node: &str, wanted: &Wanted) -> NewGeneration {
    let source = json!({ "main": loaded.main, "files": loaded.files(), "environment": loaded.environment() });
    NewGeneration {
        hash: loaded.hash(),
        by: wanted.by.clone(),
        how: wanted.how,
        of: wanted.of,
        node: node.to_owned(),
        source,
        effective: serde_json::to_value(loaded.effective()).unwrap_or_default(),
    }
}

/// Gives the configuration its number.
///
/// # Errors
/// The store cannot commit.
pub(super) async fn activate(
    store: &dyn Store,
    generation: NewGeneration,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let number = store.configure(Order::Activate { generation: Box::new(generation), now }).await?;
    Ok(u64::try_from(number).unwrap_or_default())
}

impl Live {
    /// The generation that runs.
    pub fn generation(&self) -> u64 {
        self.report.generation
    }

    /// Puts another configuration in force, or says why not. Nothing is stopped before everything of the new one is
    /// built and has its number; after that nothing can go wrong.
    ///
    /// # Errors
    /// See [`Refused`]: the configuration before it goes on, untouched.
    pub async fn change(&mut self, loaded: Loaded, wanted: &Wanted) -> Result<u64, Refused> {
        let fixed = diff::needs_restart(&self.loaded, &loaded);
        if !fixed.is_empty() {
            return Err(Refused::NeedsRestart(fixed));
        }
        let loaded = Arc::new(loaded);
        let built = tokio::task::spawn_blocking({
            let loaded = Arc::clone(&loaded);
            move || ready(&loaded)
        });
        let unbuilt = |problem: String| {
            let file = loaded.main.as_ref().map_or_else(String::new, |file| file.display().to_string());
            Refused::Invalid(vec![Problem {
                file,
                line: None,
                key: String::new(),
                problem,
                suggestion: None,
            }])
        };
        let ready = match built.await {
            Ok(Ok(ready)) => ready,
            Ok(Err(error)) => return Err(unbuilt(error.to_string())),
            Err(error) => return Err(unbuilt(format!("building it failed: {error}"))),
        };
        let generation = new_generation(&loaded, &self.report.node, wanted);
        let number = activate(&*self.store, generation, self.clock.now()).await.map_err(Refused::Store)?;
        self.exchange(loaded, ready.numbered(number), number).await;
        Ok(number)
    }

    /// Exchanges everything that is another. Ways in that change are closed before the rules do, and opened after:
    /// nobody's message is judged by rules that do not know its sender.
    pub(super) async fn exchange(&mut self, loaded: Arc<Loaded>, ready: Ready, number: u64) {
        let grace = self.loaded.settings.stop.grace + GRACE_MARGIN;
        let Ready { mut built, credentials, alerting } = ready;
        let desk = dispatch::Desk {
            store: Arc::clone(&self.store),
            clock: Arc::clone(&self.clock),
            metrics: Arc::clone(&self.metrics),
        };
        let (inward, outward, watching) = plan::plan(self, &loaded, (&mut built, alerting), &desk, number);
        let exchange = self.inward.stop_for(inward, grace).await;
        self.rules.send_replace(Arc::clone(&built.rules));
        self.credentials.replace(credentials);
        self.inward.start(exchange, &self.tasks);
        exchanged(&mut self.outward, outward, grace, &self.tasks).await;
        exchanged(&mut self.watching, watching, grace, &self.tasks).await;
        self.loaded = loaded;
        if self.report.generation != number {
            self.report.since = self.clock.now();
        }
        self.report.generation = number;
        self.report.failed = Value::Null;
        self.health.restore("configuration");
        let told = &self.metrics.configuration;
        told.generation.set(i64::try_from(number).unwrap_or(i64::MAX));
        told.successful.set(1);
        told.succeeded.set(self.clock.now().as_second());
        info!(generation = number, "Generation {number} of the configuration is in force");
    }

    /// Notes that a configuration did not come into force.
    pub fn failed(&mut self, refused: &Refused) {
        let problems = refused.problems();
        self.report.failed = json!({ "at": self.clock.now(), "kind": refused.name(), "problems": problems });
        self.metrics.configuration.successful.set(0);
        let generation = self.generation();
        let why =
            format!("its last reading failed; generation {generation} runs on: {}", problems.join("; "));
        self.health.degrade("configuration", &why);
    }
}

async fn exchanged(parts: &mut Parts, planned: Vec<Planned>, grace: Duration, tasks: &Tasks) {
    let exchange: Exchange = parts.stop_for(planned, grace).await;
    parts.start(exchange, tasks);
}
