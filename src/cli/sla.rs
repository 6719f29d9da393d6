//! `kassebro sla`: promises by their deadlines, where a message's time went, and key figures.

use jiff::Timestamp;

use super::{
    Context, Exit, Failure, Outcome, messages, now,
    output::{Output, local, local_or_dash, span},
};
use crate::{domain::sla::Standing, store::views::PromiseView};

mod explain;
mod predicted;
mod recompute;
mod report;
mod waive;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Open promises, the nearest deadline first.
    #[command(
        after_help = "Examples:\n  kassebro sla list\n  kassebro sla list --breached --exit-code   # for cron\n  \
                            kassebro sla list --all --limit 1000 --json\n  kassebro sla list --predicted   # what will be late as things stand, and why\n\n\
                            Exit codes: 0 done; with --exit-code, 7 where an open promise is breached, or is predicted to be."
    )]
    List {
        /// Also what is met or ended.
        #[arg(long)]
        all: bool,
        /// Only what is breached and open.
        #[arg(long)]
        breached: bool,
        /// What is not late yet and will be, as its receiver stands.
        #[arg(long, conflicts_with_all = ["all", "breached"])]
        predicted: bool,
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
        /// End with exit code 7 if an open promise is breached; with --predicted, if one will be.
        #[arg(long)]
        exit_code: bool,
    },
    /// Say in words where the time of a message went.
    #[command(after_help = "Example:\n  kassebro sla explain 019a4c10-7d00-7000-8000-000000000000\n\n\
                            Exit codes: 0 done, 4 no such message, or one that is promised nothing.")]
    Explain {
        /// Receipt id, delivery id or message id.
        id: String,
    },
    /// Give up what is promised for a delivery. It is delivered all the same, and is never breached again.
    #[command(after_help = waive::EXAMPLES)]
    Waive(waive::Args),
    /// Agree to a waiver that another asked for, where two people are needed.
    #[command(after_help = waive::APPROVE_EXAMPLES)]
    Approve(waive::ApproveArgs),
    /// Give open promises the deadlines that the configuration in force gives new ones.
    #[command(after_help = recompute::EXAMPLES)]
    Recompute(recompute::Args),
    /// Key figures of a period: interviews held in time, promises, volumes, lateness and decisions.
    #[command(after_help = report::EXAMPLES)]
    Report(Box<report::Args>),
    /// Check that a report is as it was signed.
    #[command(after_help = report::VERIFY_EXAMPLES)]
    VerifyReport(report::VerifyArgs),
}

pub(super) fn run(context: &Context, command: Command) -> Outcome {
    super::block_on(async {
        match command {
            Command::List { predicted: true, limit, exit_code, .. } => {
                predicted::list(context, limit, exit_code).await
            }
            Command::List { all, breached, limit, exit_code, .. } => {
                list(context, all && !breached, breached, limit, exit_code).await
            }
            Command::Recompute(args) => recompute::run(context, args).await,
            Command::Report(args) => report::report(context, &args).await,
            Command::VerifyReport(args) => report::verify(context, &args),
            Command::Explain { id } => explain(context, &id).await,
            Command::Waive(args) => waive::waive(context, args).await,
            Command::Approve(args) => waive::approve(context, args).await,
        }
    })?
}

async fn list(context: &Context, all: bool, breached: bool, limit: u32, exit_code: bool) -> Outcome {
    let now = now();
    let store = context.store()?;
    let mut promises = store.promises(!all, limit, now).await?;
    let is_breached = |p: &PromiseView| p.standing == Standing::Breached.name();
    if breached {
        promises.retain(is_breached);
    }
    print(&context.output, &promises, now);
    waive::note_requests(&context.output, &store.waiver_requests().await?);
    // The nearest deadline comes first: if that one is not breached, none is.
    let found = exit_code && store.promises(true, 1, now).await?.iter().any(is_breached);
    Ok(if found { Exit::Breached } else { Exit::Done })
}

pub(super) fn print(output: &Output, promises: &[PromiseView], now: Timestamp) {
    let columns = [
        "receipt",
        "message",
        "kind",
        "receiver",
        "promise",
        "due",
        "left",
        "standing",
        "attempts",
        "next attempt",
    ];
    output.list(promises, &columns, |p| {
        vec![
            p.receipt_id.to_string(),
            p.message_id.clone(),
            p.kind.clone(),
            p.receiver.clone(),
            p.promise.clone(),
            local(p.due),
            left(p, now),
            p.standing.replace('_', " "),
            p.attempts.to_string(),
            local_or_dash(p.next_attempt),
        ]
    });
}

/// The countdown: to the deadline while it is open, at the moment it was met afterwards.
fn left(promise: &PromiseView, now: Timestamp) -> String {
    if [Standing::Ended, Standing::Waived, Standing::Paused]
        .iter()
        .any(|standing| promise.standing == standing.name())
    {
        return "-".to_owned();
    }
    span(promise.due.duration_since(promise.met.unwrap_or(now)))
}

async fn explain(context: &Context, id: &str) -> Outcome {
    let store = context.store()?;
    let message = messages::find(&*store, id).await?;
    let clocks = store.clocks(message.line.receipt_id).await?;
    let first = message.promises.iter().map(|promise| promise.starts).min();
    let from = first.unwrap_or(message.line.received);
    let around = explain::Around::read(&*store, &message, from).await?;
    let explained = explain::explain(&message, &clocks, &around, now());
    if explained.is_empty() {
        let what = format!("nothing is promised for message {id}: it is {}", message.line.state);
        return Err(Failure::not_found(what));
    }
    if context.output.json {
        context.output.value(&explained);
        return Ok(Exit::Done);
    }
    for promise in &explained {
        for line in promise.words() {
            context.output.line(line);
        }
        context.output.line("");
    }
    for line in predicted::lines(&*store, &message, now()).await? {
        context.output.line(line);
    }
    Ok(Exit::Done)
}
