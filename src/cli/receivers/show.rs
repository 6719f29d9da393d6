//! `kassebro receivers show`: one receiver, what lies ahead of it, and what that endangers.

use jiff::Timestamp;
use serde::Serialize;

use super::{
    super::{
        Context, Exit, Failure, Outcome, now,
        output::{local, or_dash, span},
    },
    Line, circuit_words, lines,
};
use crate::{
    domain::{forecast::Late, maintenance::Maintenance, pace::Pace},
    store::{Store, views::Backlog},
    watch::forecast::{Forecast, forecasts, why},
};

/// What lies ahead of a receiver.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Ahead {
    /// How fast it works, as measured; absent before it settled anything.
    pub(super) pace: Option<Pace>,
    /// Windows that are not over.
    pub(super) maintenance: Vec<Maintenance>,
    /// Pending deliveries that will miss their deadline as things stand.
    pub(super) predicted_misses: u64,
    late: Vec<Late>,
}

/// What lies ahead of every receiver, in the order of the names.
pub(super) async fn ahead(
    store: &dyn Store,
    names: &[&str],
    backlogs: &[Backlog],
    now: Timestamp,
) -> Result<Vec<Ahead>, Failure> {
    let windows = store.maintenance().await?;
    let known = names.iter().map(|name| (*name).to_owned()).collect();
    let forecasts = forecasts(store, backlogs, known, now).await?;
    let ahead = |name: &&str| {
        let forecast = forecasts.iter().find(|forecast| forecast.receiver == **name);
        let own = windows.iter().filter(|window| window.receiver == **name && window.until > now);
        Ahead {
            pace: forecast.and_then(|f| f.outlook.pace()),
            maintenance: own.cloned().collect(),
            predicted_misses: forecast.map_or(0, |f| f.misses),
            late: forecast.map(|f: &Forecast| f.late.clone()).unwrap_or_default(),
        }
    };
    Ok(names.iter().map(ahead).collect())
}

pub(super) async fn show(context: &Context, name: &str) -> Outcome {
    let settings = context.settings()?;
    super::configured(&settings, name)?;
    let now = now();
    let lines = lines(&settings, now).await?;
    let Some(line) = lines.into_iter().find(|line| line.receiver == name) else { return Ok(Exit::NotFound) };
    if context.output.json {
        context.output.value(&line);
        return Ok(Exit::Done);
    }
    for told in words(&line, now) {
        context.output.line(told);
    }
    Ok(Exit::Done)
}

/// The receiver, a line each.
fn words(line: &Line, now: Timestamp) -> Vec<String> {
    let Ahead { pace, maintenance, predicted_misses, late } = &line.ahead;
    let pace = pace.map_or_else(
        || "not measured yet".to_owned(),
        |p| format!("{:.1} a second when there is work, {:.3} s an attempt", p.able, p.took),
    );
    let left = line.nearest_deadline.map_or_else(String::new, |due| {
        format!(", the nearest deadline {} ({})", local(due), span(due.duration_since(now)))
    });
    let mut lines = vec![
        format!("{} of {} by {}", line.receiver, line.party, line.channel),
        format!("  circuit      {}", circuit_words(line)),
        format!("  paused       {}", or_dash(line.paused.as_deref())),
        format!("  pace         {pace}"),
        format!("  waits        {} pending, {} held, {} dead{left}", line.pending, line.held, line.dead),
    ];
    for window in maintenance {
        let Maintenance { from, until, reason, by, .. } = window;
        lines.push(format!("  maintenance  {} to {}: {reason} ({by})", local(*from), local(*until)));
    }
    if *predicted_misses == 0 {
        lines.push("  forecast     nothing will be late as things stand".to_owned());
    }
    for range in late {
        let Late { from, until, count, cause, .. } = range;
        lines.push(format!(
            "  forecast     {count} due {} to {} will be late: {}",
            local(*from),
            local(*until),
            why(*cause, &line.receiver)
        ));
    }
    lines
}
