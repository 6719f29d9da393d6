//! `kassebro backup`: a checked copy of the store, while the gateway serves.

use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressStyle};

use super::{Context, Exit, Failure, Outcome, output::size};
use crate::{
    gateway,
    store::sqlite::backup::{BackupError, back_up},
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "The copy is one moment of the store. It is read in full before it gets its name, and only \
                        its owner may read it: it holds what the messages hold.\n\n\
                        Examples:\n  kassebro backup \"backup-$(date +%F).db\"\n  kassebro backup --json copy.db\n\n\
                        To go back: stop the gateway, move kassebro.db, kassebro.db-wal and kassebro.db-shm away, put \
                        the copy in their place, start the gateway.\n\n\
                        Exit codes: 0 copied and checked, 1 failed, 5 the file exists."
)]
pub(super) struct Args {
    /// The file to write; nothing is written over.
    file: PathBuf,
}

pub(super) fn run(context: &Context, args: &Args) -> Outcome {
    let store = gateway::store_path(&context.settings()?)?;
    let bar = if context.output.json { ProgressBar::hidden() } else { ProgressBar::new(1) };
    if let Ok(style) = ProgressStyle::with_template("Copying   {wide_bar} {pos}/{len} pages") {
        bar.set_style(style);
    }
    let copied = back_up(&store, &args.file, |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let copied = copied.map_err(|error| match error {
        BackupError::Exists(_) => Failure::new(Exit::Conflict, error),
        _ => Failure::from(error),
    })?;
    if context.output.json {
        context.output.value(&copied);
    }
    context.output.line(format_args!(
        "Copied {} to {} and checked the copy.",
        size(copied.bytes),
        copied.file.display()
    ));
    Ok(Exit::Done)
}
