//! `kassebro man`: the manual pages, made from the commands themselves.

use std::{fs, path::PathBuf};

use anyhow::Context as _;
use clap::CommandFactory;

use super::{Cli, Context, Exit, Outcome};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  kassebro man --dir /usr/local/share/man/man1\n\n\
                        Exit codes: 0 done, 1 the folder cannot be written.")]
pub(super) struct Args {
    /// The folder to write to, one page for each command; it is made where it is missing.
    #[arg(long)]
    dir: PathBuf,
}

pub(super) fn run(context: &Context, args: &Args) -> Outcome {
    let folder = args.dir.display();
    fs::create_dir_all(&args.dir).with_context(|| format!("making {folder}"))?;
    clap_mangen::generate_to(Cli::command(), &args.dir).with_context(|| format!("writing to {folder}"))?;
    if !context.output.json {
        context.output.line(format_args!("manual pages in {folder}: man -l {folder}/kassebro.1"));
    }
    Ok(Exit::Done)
}
