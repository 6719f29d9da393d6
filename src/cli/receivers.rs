//! Filled in next.
use super::{Context, Exit, Outcome};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List.
    List,
}

pub(super) fn run(_context: &Context, _command: Command) -> Outcome {
    Ok(Exit::Done)
}
