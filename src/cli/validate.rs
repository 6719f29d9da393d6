//! Filled in next.
use super::{Context, Exit, Outcome};

#[derive(Debug, clap::Args)]
pub(super) struct Args {}
#[derive(Debug, clap::Args)]
pub(super) struct TransformArgs {}

pub(super) fn run(_context: &Context, _args: &Args) -> Outcome {
    Ok(Exit::Done)
}
pub(super) fn transform(_context: &Context, _args: &TransformArgs) -> Outcome {
    Ok(Exit::Done)
}
