//! The gateway beside a bare program that does the same work and promises nothing, on the same broker, queue and
//! inbox: throughput in rounds, latency at a steady rate, and how the gateway bears a receiver that is gone.
//!
//! `benches/README.md` says how it is run and read.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "what is measured is told on the terminal")]

use std::{path::PathBuf, time::Duration};

use clap::{Parser, Subcommand, ValueEnum};
use kassebro::tools::bench::messages::Ids;
use tokio::signal::unix::{SignalKind, signal};

mod contestants;
mod database;
mod inbox;
mod latency;
mod nodes;
mod process;
mod reference;
mod rig;
mod scenarios;
mod table;
mod throughput;

use contestants::Contestant;

#[derive(Debug, Parser)]
#[command(
    name = "side_by_side",
    about = "Measures the gateway beside a bare reference, on a RabbitMQ of yours"
)]
struct Cli {
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    plan: Plan,
    /// What `cargo bench` adds.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What this program is when it is not the one who measures.
#[derive(Debug, Subcommand)]
enum Part {
    /// The lean inbox. Ends with its standard input.
    #[command(hide = true)]
    Inbox,
    /// The bare reference. Ends with its standard input.
    #[command(hide = true)]
    Reference(reference::Args),
}

/// What is measured.
#[derive(Debug, Clone, clap::Args)]
struct Plan {
    /// The broker: amqp://user:password@host:port/vhost. Queues of the benchmark's own are declared and deleted.
    #[arg(
        long,
        value_name = "URI",
        env = "KASSEBRO_TEST_AMQP",
        default_value = "amqp://guest:guest@127.0.0.1/%2f"
    )]
    amqp: String,
    /// The broker's process, so that its CPU time is read.
    #[arg(long, value_name = "PID")]
    broker_pid: Option<u32>,
    /// A server for the gateway and the reference on PostgreSQL, beside those on SQLite. Each run has the schema
    /// `kassebro_side` there, which is made and dropped.
    #[arg(long, value_name = "URL")]
    postgres: Option<String>,
    /// The PostgreSQL server's first process, so that its CPU time is read.
    #[arg(long, value_name = "PID")]
    postgres_pid: Option<u32>,
    /// The folder of the pipeline in Node.js, with its packages installed: it is measured too, and with `--postgres`
    /// also on that server.
    #[arg(long, value_name = "FOLDER")]
    node: Option<PathBuf>,
    /// Messages of each run; of a scenario, those that pend or that are sent.
    #[arg(long, default_value_t = 40_000, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    messages: u32,
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// The same seed makes the same content; ids are new each time.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Ids of the messages: UUID version 4, or 7.
    #[arg(long, value_enum, default_value_t = IdsArg::Random)]
    ids: IdsArg,
    /// Requests under way to the inbox at one time.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=512))]
    connections: u16,
    /// Only these, separated by commas.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Contestant>,
    /// How long each message is on its way, at a steady rate, instead of how many pass.
    #[arg(long, conflicts_with = "scenario")]
    latency: bool,
    /// Messages a second of `--latency` and of `--scenario dead-of-five`.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// How the gateway bears a receiver that is gone.
    #[arg(long, value_enum)]
    scenario: Option<Scenario>,
    /// Every run as JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// A line for each row of the table: what, a tab, what was measured.
    #[arg(long, conflicts_with = "json")]
    lines: bool,
    /// Folder for stores and logs; the disk under it is the disk that is measured.
    #[arg(long, value_name = "FOLDER", default_value_os_t = std::env::temp_dir())]
    folder: PathBuf,
}

/// How it is told what was measured.
enum Form {
    Table,
    Lines,
    Json,
}

impl Plan {
    fn form(&self) -> Form {
        match (self.json, self.lines) {
            (true, _) => Form::Json,
            (false, true) => Form::Lines,
            (false, false) => Form::Table,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scenario {
    /// Memory while more and more messages pend for a receiver that refuses connections.
    Pending,
    /// From the start of the process until it is ready, after SIGKILL with messages pending.
    Restart,
    /// How long messages to four receivers take while a fifth takes connections and never answers.
    DeadOfFive,
    /// Two gateways on one PostgreSQL beside one, with a quick inbox and with a slow one.
    Nodes,
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match cli.part {
        Some(Part::Inbox) => {
            process::end_with_standard_input();
            runtime.block_on(inbox::serve())
        }
        Some(Part::Reference(args)) => {
            process::end_with_standard_input();
            runtime.block_on(reference::run(&args))
        }
        None => runtime.block_on(unless_stopped(&cli.plan)),
    }
}

/// Measures. A signal drops everything under way, and that ends every process that was started.
async fn unless_stopped(plan: &Plan) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        done = Box::pin(measure(plan)) => done,
        _ = terminate.recv() => anyhow::bail!("stopped"),
        _ = interrupt.recv() => anyhow::bail!("stopped"),
    }
}

async fn measure(plan: &Plan) -> anyhow::Result<()> {
    let rig = rig::Rig::start(plan.clone()).await?;
    match plan.scenario {
        Some(Scenario::Pending) => scenarios::pending(&rig).await,
        Some(Scenario::Restart) => scenarios::restart(&rig).await,
        Some(Scenario::DeadOfFive) => scenarios::dead_of_five(&rig).await,
        Some(Scenario::Nodes) => nodes::measure(&rig).await,
        None if plan.latency => latency::measure(&rig).await,
        None => throughput::measure(&rig).await,
    }
}

/// How long anything may stand still before the run is given up.
const STANDSTILL_MAX: Duration = Duration::from_mins(1);
