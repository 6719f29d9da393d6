//! `kassebro backup`: a checked copy of the store, while the gateway serves.

use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressStyle};

use super::{Context, Exit, Failure, Outcome, output::size};
use crate::{
    gateway,
    store::{
        Place,
        sqlite::backup::{BackupError, back_up},
    },
};

/// What is said where the store is no file.
const POSTGRES: &str = "the store is a PostgreSQL, which is copied by its own tools: pg_basebackup with archived logs \
                        to go back to any moment, or pg_dump for the gateway's tables alone";

#[derive(Debug, clap::Args)]
#[command(
    after_help = "The copy is one moment of the store. It is read in full before it gets its name, and only \
                        its owner may read it: it holds what the messages hold.\n\n\
                        Examples:\n  kassebro backup \"backup-$(date +%F).db\"\n  kassebro backup --json copy.db\n\n\
                        To go back: stop the gateway, move kassebro.db, kassebro.db-wal and kassebro.db-shm away, put \
                        the copy in their place, start the gateway.\n\n\
                        A store in PostgreSQL is copied by PostgreSQL's own tools (pg_basebackup, pg_dump).\n\n\
                        Exit codes: 0 copied and checked, 1 failed, 2 the store is a PostgreSQL, 5 the file exists."
)]
pub(super) struct Args {
    /// The file to write; nothing is written over.
    file: PathBuf,
}

pub(super) fn run(context: &Context, args: &Args) -> Outcome {
    let Place::Sqlite(store) = gateway::store_place(&context.settings()?)? else {
        return Err(Failure::new(Exit::Usage, anyhow::anyhow!("{POSTGRES}")));
    };
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
