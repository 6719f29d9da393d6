//! `kassebro bench`: what a message costs on this machine.

use super::{Context, Exit, Outcome};
use crate::{clock, tools::bench};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  kassebro bench\n  kassebro bench --messages 40000 --json\n  kassebro bench --amqp amqp://guest:guest@127.0.0.1/%2f"
)]
pub(super) struct Args {
    /// Messages to measure.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    messages: u32,
    /// The same seed makes the same messages.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Take the messages from this RabbitMQ (amqp://user:password@host:port/vhost) instead of from this
    /// process. Queues of the benchmark's own are declared, filled, and deleted afterwards.
    #[arg(long, value_name = "URI")]
    amqp: Option<String>,
}

pub(super) fn run(context: &Context, args: &Args) -> Outcome {
    let measured = super::block_on(bench::measure(
        args.messages,
        args.seed,
        args.amqp.as_deref(),
        clock::from_environment(),
    ))??;
    if context.output.json {
        context.output.value(&measured);
        return Ok(Exit::Done);
    }
    context.output.line(format_args!("{} messages in {:.2} s", measured.messages, measured.seconds));
    context.output.line(format_args!("{:.0} messages a second", measured.messages_per_second));
    context.output.line(format_args!(
        "{:.0} microseconds of CPU a message (sender, gateway and inbox together)",
        measured.cpu_microseconds_per_message
    ));
    context.output.line(format_args!("{:.0} MiB of memory at the peak", measured.peak_memory_mebibytes));
    Ok(Exit::Done)
}
