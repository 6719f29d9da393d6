//! `kassebro sla recompute`: open promises moved to what the configuration in force says, by a person's word.

use serde::Serialize;

use crate::{
    cli::{Context, Exit, Failure, Outcome, configuration::effect, now, output::counted, who},
    config,
    config::diff::Diff,
    store::generations::{Order, Recompute},
};

pub(super) const EXAMPLES: &str = "What was promised stays as it was promised, whatever the configuration says later: \
    this is how it is moved all the same. Nothing is moved that is met, ended, waived or breached, nor what was promised \
    under an agreement that is configured no more. Each promise that is moved has it in its history, with the reason, \
    and the audit has it too. It may be stopped and begun again.\n\n\
    Examples:\n  kassebro sla recompute --dry-run\n  \
    kassebro sla recompute --reason 'the new agreement also holds for what is under way'\n\n\
    Exit codes: 0 done, 3 the files are not valid, 5 the files are not what runs: kassebro config reload.";

/// Promises moved in one transaction, so that what is taken and delivered meanwhile does not wait.
const SLICE: usize = 100;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Stands in the history of each message.
    #[arg(long, required_unless_present = "dry_run")]
    reason: Option<String>,
    /// Only say what would be moved.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Serialize)]
struct Moved {
    generation: u64,
    /// Promises that got another deadline.
    moved: i64,
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    let loaded = context.loaded()?;
    let store = context.store()?;
    if args.dry_run {
        let found = effect::of(&*store, &loaded, &Diff::default()).await?;
        if context.output.json {
            context.output.value(&found);
        } else {
            found.print(&context.output);
        }
        return Ok(Exit::Done);
    }
    let generation = crate::cli::generation(&*store, &loaded).await?;
    if generation == 0 {
        let what =
            "the files here are not the newest generation: `kassebro config reload` puts them in force first";
        return Err(Failure::new(Exit::Conflict, anyhow::anyhow!(what)));
    }
    let rules = config::rules(&loaded.settings, generation).map_err(Failure::configuration)?;
    let reason = args.reason.unwrap_or_default();
    let mut all = Moved { generation, moved: 0 };
    let mut after = effect::FIRST;
    while let Some((moves, _)) = effect::page(&*store, &rules, &mut after).await? {
        let moves: Vec<_> = moves.into_iter().map(|(_, to)| to).collect();
        for slice in moves.chunks(SLICE) {
            let slice = Recompute {
                moves: slice.to_vec(),
                generation,
                by: who(),
                reason: reason.clone(),
                now: now(),
            };
            all.moved += store.configure(Order::Recompute(Box::new(slice))).await?;
        }
    }
    if context.output.json {
        context.output.value(&all);
    }
    context.output.line(format_args!(
        "{} have the deadline now that generation {generation} gives them; the others had it before.",
        counted(usize::try_from(all.moved).unwrap_or_default(), "open promise", "open promises")
    ));
    Ok(Exit::Done)
}
