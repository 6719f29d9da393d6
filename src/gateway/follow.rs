//! Reads the configuration again when somebody asks for it, and says what runs.
//!
//! Somebody is SIGHUP, which is for this process, or a row in the store, which every node looks for: that way a
//! command reaches a gateway wherever it runs, on either engine, without its process id or the right to signal it,
//! and hears in the same place what came of it.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tracing::{error, info, warn};

use super::live::{Live, Refused, Wanted};
use crate::{
    config::{Invalid, Loaded},
    lifecycle::{Stop, Tasks, supervisor},
    store::{
        StoreError,
        generations::{How, NodeReport, Order},
    },
};

/// How often requests are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often the node says that it is there.
const REPORT_EVERY: Duration = Duration::from_secs(10);

/// Reads the configuration from where it lies.
pub type Source = Arc<dyn Fn() -> Result<Loaded, Invalid> + Send + Sync>;

/// What this node is called: its machine, and its process.
pub(super) fn node_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = if host.trim().is_empty() { "localhost" } else { host.trim() };
    format!("{host}:{}", std::process::id())
}

/// What a node says of itself at its start.
pub(super) fn first_report(roles: String, generation: u64, asked: i64, now: Timestamp) -> NodeReport {
    NodeReport {
        node: node_name(),
        generation,
        roles,
        started: now,
        since: now,
        seen: now,
        asked,
        failed: serde_json::Value::Null,
    }
}

/// Follows the configuration until the stop.
///
/// # Errors
/// The store cannot be used any more, or the operating system refused the signal handler.
pub async fn follow(mut live: Live, source: Source, stop: Stop) -> anyhow::Result<()> {
    let mut hang_ups = Tasks::hang_ups()?;
    let mut reported: Option<Duration> = None;
    while !stop.is_soft() {
        let wanted = tokio::select! {
            _ = hang_ups.recv() => Some(Wanted { by: "signal".to_owned(), how: How::Reload, of: None }),
            () = live.clock.sleep(if reported.is_none() { Duration::ZERO } else { LOOK_EVERY }) => {
                asked(&mut live).await?
            }
            () = stop.soft() => None,
        };
        if let Some(wanted) = &wanted {
            reload(&mut live, &source, wanted).await?;
        }
        let now = live.clock.monotonic();
        if wanted.is_some() || reported.is_none_or(|at| now.saturating_sub(at) >= REPORT_EVERY) {
            report(&mut live).await?;
            reported = Some(now);
        }
    }
    let leave = Order::Leave { node: live.report.node.clone() };
    // It is forgotten after a while all the same.
    if let Err(error) = live.store.configure(leave).await {
        info!(%error, "The store was not told that this node ends");
    }
    Ok(())
}

/// The newest request to this node that it has not worked on: one reading answers those before it too.
async fn asked(live: &mut Live) -> Result<Option<Wanted>, StoreError> {
    let found = match live.store.reload_asked(live.report.node.clone(), live.report.asked).await {
        Ok(found) => found,
        Err(error @ StoreError::Unusable(_)) => return Err(error),
        Err(error) => {
            warn!(%error, "Looking for requests to read the configuration again failed; trying again");
            return Ok(None);
        }
    };
    Ok(found.map(|ask| {
        live.report.asked = ask.seq;
        Wanted { by: ask.by, how: ask.how, of: ask.of }
    }))
}

/// Puts in force what lies there now, or keeps what runs.
async fn reload(live: &mut Live, source: &Source, wanted: &Wanted) -> Result<(), StoreError> {
    info!(by = %wanted.by, how = wanted.how.name(), "Reading the configuration again");
    supervisor::reloading();
    let read = Arc::clone(source);
    let changed = match tokio::task::spawn_blocking(move || read()).await {
        Ok(Ok(loaded)) => live.change(loaded, wanted).await,
        Ok(Err(Invalid(problems))) => Err(Refused::Invalid(problems)),
        Err(error) => {
            Err(Refused::Store(StoreError::Unavailable(format!("reading stopped: {error}").into())))
        }
    };
    supervisor::ready();
    match changed {
        Ok(_) => Ok(()),
        Err(Refused::Store(error @ StoreError::Unusable(_))) => Err(error),
        Err(refused) => {
            for problem in refused.problems() {
                error!(problem, "The configuration was not put in force: {problem}");
            }
            live.failed(&refused);
            Ok(())
        }
    }
}

async fn report(live: &mut Live) -> Result<(), StoreError> {
    live.report.seen = live.clock.now();
    match live.store.configure(Order::Report(Box::new(live.report.clone()))).await {
        Err(error @ StoreError::Unusable(_)) => Err(error),
        Err(error) => {
            warn!(%error, "The store was not told what this node runs; trying again");
            Ok(())
        }
        Ok(_) => Ok(()),
    }
}
