//! `kassebro demo`: the main job, with no server at all.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};

use super::{Context, Exit, Failure, Outcome, scenario};
use crate::{
    clock,
    lifecycle::{Stop, Tasks},
    telemetry,
    tools::demo::{self, FUNDS, Plan, Summary},
};

/// How long settling may take before the demonstration says that something is wrong.
const SETTLE_MAX: Duration = Duration::from_mins(2);

#[derive(Debug, clap::Args)]
#[command(
    after_help = "A scenario says what is sent, what receivers do and what is expected; a day of it passes in seconds, \
                  for the clock leaps. config/scenarios/README.md tells how one is written. Exit codes: 0 everything \
                  was as expected, 1 something was not, 3 a scenario is not valid.\n\n\
                  Examples:\n  kassebro demo\n  kassebro demo --messages 500 --exit --json\n  \
                  kassebro demo --scenario config/scenarios/good-day.toml\n  \
                  kassebro demo --scenario ci/*.toml --junit scenarios.xml"
)]
pub(super) struct Args {
    /// Play these scenarios instead, and say whether what they expect came true.
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with_all = ["messages", "exit", "listen"])]
    scenario: Vec<PathBuf>,
    /// Write what came of the scenarios as `JUnit` XML too.
    #[arg(long, value_name = "FILE", requires = "scenario")]
    junit: Option<PathBuf>,
    /// Messages to send.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    messages: u32,
    /// End when everything is delivered and answered, instead of staying to be tried out.
    #[arg(long)]
    exit: bool,
    /// The same seed makes the same messages, and the same chance in a scenario. Default 1, or what the scenario says.
    #[arg(long)]
    seed: Option<u64>,
    /// Address of the gateway; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

pub(super) fn run(context: &Context, args: &Args) -> Outcome {
    if !args.scenario.is_empty() {
        return scenario::run(context, &args.scenario, args.seed, args.junit.as_deref());
    }
    telemetry::start("warn", telemetry::LogFormat::Text)
        .map_err(|e| Failure::new(Exit::Failed, anyhow::anyhow!(e)))?;
    let folder = std::env::temp_dir().join(format!("kassebro-demo-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let outcome = super::block_on(async {
        let tasks = Tasks::new(Stop::new());
        tasks.listen_for_signals()?;
        let outcome = show(context, args, &folder, &tasks).await;
        tasks.stop().request();
        tasks.finish(Duration::from_secs(10)).await;
        outcome
    })?;
    std::fs::remove_dir_all(&folder)?;
    outcome
}

async fn show(context: &Context, args: &Args, folder: &std::path::Path, tasks: &Tasks) -> Outcome {
    let plan = Plan {
        messages: args.messages,
        seed: args.seed.unwrap_or(1),
        listen: args.listen,
        more: String::new(),
    };
    let mut demo = demo::start(folder, &plan, clock::from_environment(), tasks).await?;
    context.output.line(format_args!("Gateway   http://{}", demo.address));
    context.output.line(format_args!("Inbox     {}", demo.inbox_url));
    context.output.line(format_args!("Spool     {}", folder.join("spool").display()));
    context.output.line("");
    let bar = progress(context, args.messages);
    demo.send(folder, &plan, |through| bar.set_position(u64::from(through))).await?;
    bar.finish_and_clear();
    let summary = demo.settled(args.messages, SETTLE_MAX).await?;
    report(context, &summary);
    if !context.output.json {
        let kinds: Vec<String> = demo.kinds.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        context.output.line(format_args!("Of each kind: {}.", kinds.join(", ")));
    }
    if !args.exit && !context.output.json {
        try_it_out(context, &demo, folder);
        tasks.stop().soft().await;
    }
    Ok(Exit::Done)
}

fn progress(context: &Context, messages: u32) -> ProgressBar {
    let bar = if context.output.json { ProgressBar::hidden() } else { ProgressBar::new(u64::from(messages)) };
    let style = ProgressStyle::with_template("Sending   {wide_bar} {pos}/{len}");
    style.map(|style| bar.clone().with_style(style)).unwrap_or(bar)
}

fn report(context: &Context, summary: &Summary) {
    if context.output.json {
        context.output.value(summary);
        return;
    }
    let Summary { sent, accepted, rejected, delivered, duplicates, pending, dead, sla } = summary;
    context.output.line(format_args!(
        "{sent} messages were sent: {accepted} accepted, {rejected} rejected with their errors,"
    ));
    context.output.line(format_args!("{duplicates} of them sent twice and taken once."));
    context.output.line(format_args!("{delivered} delivered and answered, {pending} pending, {dead} dead."));
    context.output.line(format_args!(
        "Promises: {} met, {} met late, {} breached, {} open.",
        sla.met, sla.met_late, sla.breached, sla.open
    ));
}

fn try_it_out(context: &Context, demo: &demo::Demo, folder: &std::path::Path) {
    let (code, key) = FUNDS[0];
    context.output.line("");
    context.output.line("Try it out (Ctrl-C ends and removes everything):");
    for line in [
        format!("  export KASSEBRO_CONFIG={}", folder.join(demo::CONFIGURATION).display()),
        "  kassebro messages list".to_owned(),
        "  kassebro messages list --state invalid".to_owned(),
        "  kassebro sla list --all".to_owned(),
        format!("  kassebro send --to http://{} --key {key} message.json      # as {code}", demo.address),
        format!("  curl -H 'Authorization: Bearer {key}' 'http://{}/v1/answers?after=0'", demo.address),
        format!("  curl {}/stats", demo.inbox_url.trim_end_matches("/inbox")),
    ] {
        context.output.line(line);
    }
}
