//! `kassebro config diff`: what differs, and what that would mean for what is open.

use std::path::Path;

use serde::Serialize;

use super::{
    Configuration,
    effect::{self, Effect},
    expect_buildable, generation, of_file, word,
};
use crate::{
    cli::{Context, Exit, Failure, Outcome, output::Output},
    config::{Loaded, diff::Diff},
};

pub(in crate::cli) const EXAMPLES: &str = "Examples:\n  kassebro config diff                     what a reload would change\n  \
    kassebro config diff --effect            and which open promises would get another deadline\n  \
    kassebro config diff 3                   from generation 3 to the files here\n  \
    kassebro config diff 3 5 --json          from generation 3 to generation 5\n  \
    kassebro config diff 5 /tmp/new.toml     from generation 5 to a file\n\n\
    A reload moves no promise: what was promised stays. `kassebro sla recompute` moves them, once the configuration is \
    in force.\n\n\
    Exit codes: 0 done, 3 the files are not valid, 4 no such generation.";

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The generation to begin from; the newest unless one is named.
    from: Option<u64>,
    /// A generation or a file; the configuration's own files unless one is named.
    to: Option<String>,
    /// Also what it would mean for open promises and for what waits.
    #[arg(long)]
    effect: bool,
}

#[derive(Serialize)]
struct Found<'a> {
    from: String,
    to: String,
    #[serde(flatten)]
    diff: &'a Diff,
    #[serde(skip_serializing_if = "Option::is_none")]
    effect: Option<&'a Effect>,
}

pub(in crate::cli) async fn run(context: &Context, args: &Args) -> Outcome {
    let store = super::open(context)?;
    let from = match args.from {
        Some(number) => generation(&*store, number).await?,
        None => match store.generation(None).await? {
            Some(kept) => Configuration::of_generation(kept)?,
            None => {
                return Err(Failure::not_found("no gateway has run on this store: there is no generation"));
            }
        },
    };
    let number = args.to.as_ref().and_then(|to| to.parse::<u64>().ok());
    let (to, loaded) = match (number, &args.to) {
        (Some(number), _) => {
            let to = generation(&*store, number).await?;
            let loaded = if args.effect { Some(again(&to)?) } else { None };
            (to, loaded)
        }
        (None, Some(file)) => of_loaded(of_file(Path::new(file))?),
        (None, None) => of_loaded(context.loaded()?),
    };
    let diff = Diff::between(&from.effective, &to.effective);
    let effect = match loaded {
        Some(loaded) if args.effect => {
            expect_buildable(&loaded)?;
            Some(effect::of(&*store, &loaded, &diff).await?)
        }
        _ => None,
    };
    let to_name = match &args.to {
        Some(file) if number.is_none() => file.clone(),
        _ => to.name(),
    };
    if context.output.json {
        let found = Found { from: from.name(), to: to_name, diff: &diff, effect: effect.as_ref() };
        context.output.value(&found);
        return Ok(Exit::Done);
    }
    print(&context.output, &diff, &from.name(), &to_name);
    if let Some(effect) = &effect {
        effect.print(&context.output);
    }
    Ok(Exit::Done)
}

fn of_loaded(loaded: Loaded) -> (Configuration, Option<Loaded>) {
    (Configuration::of_files(&loaded), Some(loaded))
}

/// A generation's files, read with the environment of now.
pub(super) fn again(of: &Configuration) -> Result<Loaded, Failure> {
    let environment = crate::config::environment();
    Ok(crate::config::read_kept(of.source.main.as_deref(), &of.source.files, &environment)?)
}

pub(super) fn print(output: &Output, diff: &Diff, from: &str, to: &str) {
    if diff.is_empty() {
        output.line(format_args!("{from} and {to} come to the same."));
        return;
    }
    output.line(format_args!("From {from} to {to}:"));
    for entry in &diff.removed {
        output.line(format_args!("- {entry}"));
    }
    for entry in &diff.added {
        output.line(format_args!("+ {entry}"));
    }
    for change in diff.of_what_stays() {
        let (old, new) = (word(change.old.as_ref()), word(change.new.as_ref()));
        output.line(format_args!("  {}: {old} -> {new}", change.key));
    }
}
