//! `kassebro run`: load, start everything, wait for the stop.

use tracing::{error, info};

use super::{Context, Exit, Failure, Outcome};
use crate::{
    clock, gateway,
    lifecycle::{Stop, Tasks, supervisor},
    telemetry,
};

pub(super) fn run(context: &Context) -> Outcome {
    let settings = context.settings()?;
    telemetry::start(&settings.log.level, settings.log.format)
        .map_err(|e| Failure::new(Exit::ConfigInvalid, anyhow::anyhow!("log.level: {e}")))?;
    super::block_on(async {
        let tasks = Tasks::new(Stop::new());
        tasks.listen_for_signals()?;
        let clock = clock::from_environment();
        let started = gateway::start(&settings, clock, &tasks).await;
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
        info!(version = env!("CARGO_PKG_VERSION"), address = ?gateway.address, "Kassebro serves");
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
