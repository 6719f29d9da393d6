//! `kassebro bench`: what a message costs on this machine.

use std::time::Duration;

use super::{Context, Exit, Outcome, output::Output};
use crate::{
    clock,
    tools::bench::{
        self, Measured, Plan,
        deployment::{AGREEMENTS_MAX, RECEIVERS_MAX},
        messages::Ids,
        recoveries,
        stock::Stock,
        timers,
    },
};

/// Messages that wait beside the one that is looked at.
const OTHERS: u32 = 1000;
/// A lane looks for probes each second. Looking this seldom is quicker, and never in its favour.
const STEP: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
#[command(
    after_help = "What a message costs against something is seen by measuring with several sizes of it.\n\n\
                  Examples:\n  kassebro bench\n  kassebro bench --messages 40000 --json\n  \
                  kassebro bench --amqp amqp://guest:guest@127.0.0.1/%2f\n  kassebro bench --rate 200 --messages 4000\n  \
                  kassebro bench --stored 1000000 --stored-with-bodies 100000\n  \
                  kassebro bench --records 1000000\n  kassebro bench --timers 1000000\n  kassebro bench --recoveries\n  for n in 6 98 294; do kassebro bench --receivers $n --json; done"
)]
pub(super) struct Args {
    /// Messages to measure.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(10..=1_000_000))]
    messages: u32,
    /// The same seed makes the same content.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Ids of the messages: UUID version 4, or 7.
    #[arg(long, value_enum, default_value_t = IdsArg::Random)]
    ids: IdsArg,
    /// Take the messages from this RabbitMQ (amqp://user:password@host:port/vhost) instead of from this
    /// process. Queues of the benchmark's own are declared, filled, and deleted afterwards.
    #[arg(long, value_name = "URI")]
    amqp: Option<String>,
    /// So many messages a second instead of as many as are taken, and how long each was on its way.
    #[arg(long, conflicts_with = "amqp", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: Option<u32>,
    /// Receivers in all. More than 98 are several for a job centre, by kind of message.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..=i64::from(RECEIVERS_MAX)))]
    receivers: u16,
    /// Agreements in all. Beyond those that are needed, they are past ones.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=i64::from(AGREEMENTS_MAX)))]
    agreements: u32,
    /// Open promises that lie in the store before it starts, due in 300 days.
    #[arg(long, default_value_t = 0)]
    promises: u32,
    /// Delivered messages that lie in the store before it starts.
    #[arg(long, default_value_t = 0)]
    stored: u32,
    /// How many of these have bodies; the others' are empty.
    #[arg(long, default_value_t = 0, requires = "stored")]
    stored_with_bodies: u32,
    /// Instead of all that: how long the key figures (sla report) over so many interview records take.
    #[arg(long, conflicts_with_all = ["amqp", "rate", "stored", "promises"], group = "laid", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    records: Option<u32>,
    /// Instead of all that: deadlines beside so many open promises, and what the gateway uses while nothing happens.
    #[arg(long, value_name = "PROMISES", group = "laid", conflicts_with_all = ["amqp", "rate", "stored", "promises", "records"])]
    timers: Option<u32>,
    /// Deadlines that fall into one second.
    #[arg(long, default_value_t = 10_000, requires = "timers", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    due: u32,
    /// Seconds for which the gateway is watched doing nothing.
    #[arg(long, default_value_t = 30, requires = "timers")]
    idle: u64,
    /// A PostgreSQL database that is empty, instead of a SQLite file. What is laid there stays.
    #[arg(long, value_name = "URL", requires = "laid")]
    store: Option<String>,
    /// Instead of all that: the share of a day's recoveries of a receiver that miss a deadline of 24 hours. The clock
    /// leaps.
    #[arg(long, conflicts_with_all = ["amqp", "rate", "stored", "promises", "records", "timers"])]
    recoveries: bool,
    /// Days with a recovery that are played for proof, for each row.
    #[arg(long, default_value_t = 12, requires = "recoveries")]
    proofs: u32,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum IdsArg {
    Random,
    Ordered,
}

impl From<IdsArg> for Ids {
    fn from(ids: IdsArg) -> Self {
        match ids {
            IdsArg::Random => Self::Random,
            IdsArg::Ordered => Self::Ordered,
        }
    }
}

pub(super) fn run(context: &Context, args: &Args) -> Outcome {
    if let Some(count) = args.records {
        return records(context, count, args.store.as_deref());
    }
    if let Some(promises) = args.timers {
        let idle = Duration::from_secs(args.idle);
        let plan = timers::Plan { promises, due: args.due, idle, store: args.store.clone() };
        return time(context, &plan);
    }
    if args.recoveries {
        return recover(context, args);
    }
    let plan = Plan {
        messages: args.messages,
        seed: args.seed,
        ids: args.ids.into(),
        amqp: args.amqp.clone(),
        rate: args.rate,
        receivers: args.receivers,
        agreements: args.agreements,
        stock: Stock {
            finished: args.stored,
            with_bodies: args.stored_with_bodies.min(args.stored),
            promises: args.promises,
        },
    };
    let measured = super::block_on(bench::measure(&plan, clock::from_environment()))??;
    if context.output.json {
        context.output.value(&measured);
    } else {
        print(context, &measured);
    }
    Ok(Exit::Done)
}

fn records(context: &Context, count: u32, store: Option<&str>) -> Outcome {
    let counted = super::block_on(bench::records::measure(count, store, clock::from_environment()))??;
    if context.output.json {
        context.output.value(&counted);
        return Ok(Exit::Done);
    }
    context.output.line(format_args!(
        "{count} interview records, {} of them corrected{}",
        u64::from(count) - counted.interviews,
        counted.store_mebibytes.map_or_else(String::new, |size| format!(", in a store of {size:.0} MiB"))
    ));
    context.output.line(format_args!(
        "counted in {:.2} s into {} groups, with {:.1} MiB of memory more than before",
        counted.seconds, counted.groups, counted.grew_mebibytes
    ));
    Ok(Exit::Done)
}

fn time(context: &Context, plan: &timers::Plan) -> Outcome {
    let measured = super::block_on(timers::measure(plan, clock::from_environment()))??;
    if context.output.json {
        context.output.value(&measured);
        return Ok(Exit::Done);
    }
    let timers::Measured { promises, due, late, .. } = &measured;
    context.output.line(format_args!("{promises} open promises, laid in {:.0} s", measured.laid_seconds));
    context.output.line(format_args!(
        "{:.2} % of one core while nothing changes (the whole gateway, with nobody to deliver to)",
        measured.idle_cpu_percent
    ));
    context.output.line(format_args!(
        "{due} deadlines within one second: recorded {:.0} ms late in the middle, {:.0} ms for 99 of 100, {:.0} ms at \
         the most",
        late.p50, late.p99, late.max
    ));
    context.output.line(format_args!(
        "as many that passed while it was down: recorded {:.2} s after the start",
        measured.caught_up_seconds
    ));
    let words = |holds: bool| if holds { "yes" } else { "NO" };
    context.output.line(format_args!(
        "in the order of the deadlines: {}; with the true instants: {}",
        words(measured.in_order),
        words(measured.true_instants)
    ));
    Ok(Exit::Done)
}

fn recover(context: &Context, args: &Args) -> Outcome {
    let plan = recoveries::Plan { others: vec![0, OTHERS], proofs: args.proofs, step: STEP, seed: args.seed };
    let told = |row: &recoveries::Row| {
        context.output.note(format_args!(
            "{}, {} others: {:.4} %",
            row.down.words(),
            row.others,
            row.missed_percent
        ));
    };
    let measured = super::block_on_one_thread(recoveries::measure(&plan, told))??;
    if context.output.json {
        context.output.value(&measured);
        return Ok(Exit::Done);
    }
    context.output.line(
        "Down from the message's arrival and back at any instant of 24 hours: how many of these instants",
    );
    context.output.line(
        "miss the deadline of 24 hours. Others are computed from the formulas they ship, without chance;",
    );
    context.output.line("Kassebro's rows are measured with its own lane.");
    let peers = measured.peers.iter().map(|peer| {
        let how = format!("{} (computed)", peer.system);
        let last = format!("{:.2} h", peer.last_hours);
        vec![how, peer.attempts.to_string(), last, format!("{:.1} %", peer.missed_percent), String::new()]
    });
    let own = measured.rows.iter().map(|row| {
        let others = if row.others == 0 { String::new() } else { format!(", {} others wait", row.others) };
        let last = format!("{:.3} h", 24.0 - row.last_before_seconds / 3600.0);
        let proofs = format!("{} days, {} wrong", row.proofs, row.proofs_wrong);
        let how = format!("Kassebro: receiver {}{others} (measured)", row.down.words());
        vec![how, row.attempts_of_all.to_string(), last, format!("{:.4} %", row.missed_percent), proofs]
    });
    let columns = ["SYSTEM", "ATTEMPTS", "LAST IN TIME", "MISSED", "PLAYED FOR PROOF"];
    context.output.line(Output::table(&columns, peers.chain(own)));
    Ok(Exit::Done)
}

fn print(context: &Context, measured: &Measured) {
    let Measured { messages, receivers, agreements, stock, seconds, .. } = measured;
    context.output.line(format_args!("{messages} messages in {seconds:.2} s"));
    context.output.line(format_args!(
        "to {receivers} receivers under {agreements} agreements, beside {} open promises and {} delivered messages, \
         {} of them with bodies",
        stock.promises, stock.finished, stock.with_bodies
    ));
    context.output.line(format_args!("{:.0} messages a second", measured.messages_per_second));
    context.output.line(format_args!(
        "{:.0} microseconds of CPU a message (sender, gateway and inbox together)",
        measured.cpu_microseconds_per_message
    ));
    context.output.line(format_args!(
        "{:.0} MiB of memory at the peak, {:.0} MiB of store",
        measured.peak_memory_mebibytes, measured.store_mebibytes
    ));
    if let Some(latency) = measured.latency {
        context.output.line(format_args!(
            "{:.2} ms on the way in the middle, {:.2} ms for 99 of 100, {:.2} ms at the most",
            latency.p50, latency.p99, latency.max
        ));
    }
}
