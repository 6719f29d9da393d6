//! `kassebro run`: load, start everything, wait for the stop.

use std::sync::Arc;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use tracing::{error, info};

use super::{Context, Exit, Failure, Outcome};
use crate::{
    clock, config,
    gateway::{self, Role, Roles},
    lifecycle::{Stop, Tasks, supervisor},
    telemetry,
};

pub(super) const EXAMPLES: &str = "Examples:\n  kassebro run --config kassebro.toml\n  \
    kassebro run --config kassebro.toml --roles intake,api      (and, beside it on the same PostgreSQL:)\n  \
    kassebro run --config kassebro.toml --roles dispatch,watch\n\n\
    A role: intake takes from RabbitMQ and folders; dispatch delivers to receivers and answers senders; watch \
    keeps promises and alerts; api answers calls over HTTP. Each must be somebody's. /livez, /readyz and /metrics \
    are answered by every process, and /readyz names its roles.\n\n\
    SIGTERM stops it in order; a second one at once. Exit codes: 0 stopped, 1 it could not start, 3 the \
    configuration is not valid, 70 a crash.";

/// What to serve.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What this process does, of several that share one PostgreSQL; every role unless some are named.
    #[arg(long, env = "KASSEBRO_ROLES", value_name = "ROLE,…", value_delimiter = ',', value_parser = role())]
    roles: Vec<Role>,
}

fn role() -> impl TypedValueParser<Value = Role> {
    PossibleValuesParser::new(Role::ALL.map(Role::name)).try_map(|name| name.parse::<Role>())
}

pub(super) fn run(context: &Context, args: &Args) -> Outcome {
    let roles: Roles = args.roles.iter().copied().collect();
    let loaded = context.loaded()?;
    let settings = loaded.settings.clone();
    telemetry::start(&settings.log.level, settings.log.format)
        .map_err(|e| Failure::new(Exit::ConfigInvalid, anyhow::anyhow!("log.level: {e}")))?;
    super::block_on(async {
        let tasks = Tasks::new(Stop::new());
        tasks.listen_for_signals()?;
        let clock = clock::from_environment();
        let started = gateway::start(loaded, &roles, clock, &tasks).await;
        let gateway = match started {
            Ok(gateway) => gateway,
            Err(error) => {
                tasks.stop().force();
                tasks.finish(settings.stop.grace).await;
                let exit = if matches!(error, gateway::StartError::Configuration(_)) {
                    Exit::ConfigInvalid
                } else {
                    Exit::Failed
                };
                return Err(Failure::new(exit, error));
            }
        };
        info!(version = env!("CARGO_PKG_VERSION"), address = ?gateway.address, %roles, "Kassebro serves");
        let (file, environment) = (context.config.clone(), config::environment());
        let source: gateway::Source = Arc::new(move || config::read(file.as_deref(), &environment));
        tasks.spawn("configuration", gateway::follow(gateway.live, source, tasks.stop().clone()));
        supervisor::ready();
        let grace = settings.stop.grace + std::time::Duration::from_secs(5);
        let end = tasks.finish(grace).await;
        if let Some(crash) = &end.crash {
            error!(task = crash.task, reason = %crash.reason, "Stopped by a crash");
            return Ok(Exit::Crash);
        }
        info!("Stopped");
        Ok(Exit::Done)
    })?
}
