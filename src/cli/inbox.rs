//! Filled in next.
use super::{Context, Exit, Outcome};

#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(_context: &Context, _args: &Args) -> Outcome {
    Ok(Exit::Done)
}
