//! Operations in a terminal: nouns first, `--json` everywhere, exit codes that scripts can trust.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use clap::{CommandFactory, Parser, Subcommand};

use crate::{
    clock,
    config::{self, Invalid, Loaded, Settings},
    gateway,
    intake::Rules,
    store::Store,
};

mod agreements;
mod alerts;
mod backup;
mod bench;
mod check;
mod configuration;
mod deliveries;
mod demo;
mod doctor;
mod explain;
mod files;
mod groups;
mod history;
mod inbox;
mod instant;
mod key;
mod man;
mod management;
mod messages;
mod output;
mod receivers;
mod route;
mod run;
mod scenario;
mod schemas;
mod send;
mod signature;
mod sla;
mod topology;
mod transform;
mod validate;
mod violations;

use output::Output;

/// How a command ended; documented in `kassebro --help`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    ConfigInvalid = 3,
    NotFound = 4,
    Conflict = 5,
    MessageInvalid = 6,
    Breached = 7,
    Crash = 70,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// A command that did not do what it was asked: its exit code, and the chain of causes.
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    pub error: anyhow::Error,
}

impl Failure {
    pub fn new(exit: Exit, error: impl Into<anyhow::Error>) -> Self {
        Self { exit, error: error.into() }
    }

    /// The configuration is read, and something it must say for this command is missing or does not fit.
    pub fn configuration(what: impl std::fmt::Display) -> Self {
        Self::new(Exit::ConfigInvalid, anyhow::anyhow!("{what}"))
    }

    /// Nothing has that name.
    pub fn not_found(what: impl std::fmt::Display) -> Self {
        Self::new(Exit::NotFound, anyhow::anyhow!("{what}"))
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        let error = error.into();
        let configuration = error.is::<Invalid>()
            || matches!(error.downcast_ref(), Some(gateway::StartError::Configuration(_)));
        Self { exit: if configuration { Exit::ConfigInvalid } else { Exit::Failed }, error }
    }
}

type Outcome = Result<Exit, Failure>;

#[derive(Debug, Parser)]
#[command(
    name = "kassebro",
    version,
    about = "The bridge to the a-kasse: messages between unemployment funds and job centres, delivered in time",
    after_help = "Exit codes: 0 done, 1 failed, 2 usage, 3 configuration invalid, 4 not found, 5 conflict, \
                  6 message invalid, 7 a breached promise was found, 70 a crash.\n\n\
                  Examples:\n  kassebro demo\n  kassebro check --config kassebro.toml\n  \
                  kassebro validate message.json\n  kassebro sla list --config kassebro.toml"
)]
struct Cli {
    /// Configuration file; conf.d/*.toml beside it is read too.
    #[arg(long, global = true, env = "KASSEBRO_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print JSON instead of tables.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve: the daemon.
    #[command(after_help = run::EXAMPLES)]
    Run(run::Args),
    /// Show the main job with no server at all: an embedded store, generated messages, a reference inbox.
    Demo(demo::Args),
    /// Send a message file to a gateway over HTTP and print its answer.
    Send(send::Args),
    /// Check message files: every error with its pointer. Exit code 6 if one is invalid.
    Validate(validate::Args),
    /// Show what a receiver would get for a message file.
    Transform(transform::Args),
    /// What runs, what it was before, and what another configuration would change.
    #[command(subcommand)]
    Config(configuration::Command),
    /// Explain every configuration error with file, line and a suggestion.
    #[command(after_help = check::EXAMPLES)]
    Check,
    /// Declare or compare what must exist on the broker.
    #[command(subcommand)]
    Topology(topology::Command),
    /// Find, show, replay, correct and discard messages.
    #[command(subcommand)]
    Messages(messages::Command),
    /// List, retry and cancel deliveries.
    #[command(subcommand)]
    Deliveries(deliveries::Command),
    /// What died of the same, tried again together.
    #[command(subcommand)]
    Groups(groups::Command),
    /// Promises and their clocks.
    #[command(subcommand)]
    Sla(sla::Command),
    /// What people are told.
    #[command(subcommand)]
    Alerts(alerts::Command),
    /// Cooperation agreements.
    #[command(subcommand)]
    Agreements(agreements::Command),
    /// Who receives, and how it stands with them.
    #[command(subcommand)]
    Receivers(receivers::Command),
    /// Why a message goes where it goes.
    #[command(subcommand)]
    Route(route::Command),
    /// The contract: kinds and their schemas.
    #[command(subcommand)]
    Schemas(schemas::Command),
    /// Explain a fault code, e.g. `kassebro explain GW1101`.
    Explain(explain::Args),
    /// Examine broker, store, disk, clock and receivers.
    Doctor(doctor::Args),
    /// Copy the store while it is in use, and check the copy.
    Backup(backup::Args),
    /// Serve a small reference inbox that can be told to be slow, to refuse or to break.
    Inbox(inbox::Args),
    /// Measure messages through the whole path on this machine.
    Bench(bench::Args),
    /// Make an API key and the hash that configuration keeps, or a pair of keys that sign reports.
    #[command(after_help = key::EXAMPLES)]
    Key(key::Args),
    /// Write manual pages.
    Man(man::Args),
    /// Print completions for a shell.
    #[command(after_help = "Example:\n  kassebro completions bash > /etc/bash_completion.d/kassebro")]
    Completions {
        /// bash, elvish, fish, powershell or zsh.
        shell: clap_complete::Shell,
    },
}

/// What a command reads for itself is no generation: those are what a gateway ran.
const GENERATION: u64 = 0;

/// What every command has.
struct Context {
    config: Option<PathBuf>,
    output: Output,
}

impl Context {
    fn settings(&self) -> Result<Settings, Failure> {
        Ok(config::load(self.config.as_deref(), &config::environment())?)
    }

    /// The settings with what they are read from.
    fn loaded(&self) -> Result<Loaded, Failure> {
        Ok(config::read(self.config.as_deref(), &config::environment())?)
    }

    /// The store that the settings name, opened beside a gateway that may be running.
    fn store(&self) -> Result<Arc<dyn Store>, Failure> {
        Ok(gateway::open_store(&self.settings()?)?)
    }
}

/// What the settings judge messages by.
fn rules(settings: &Settings) -> Result<Rules, Failure> {
    config::rules(settings, GENERATION).map_err(Failure::configuration)
}

/// The generation of the newest configuration that a gateway ran, if the one that is read here is the same.
async fn generation(store: &dyn Store, loaded: &Loaded) -> Result<u64, Failure> {
    let newest = store.generations(1).await?.pop().filter(|newest| newest.hash == loaded.hash());
    Ok(newest.map_or(GENERATION, |newest| newest.number))
}

/// Parses, calls, prints the chain of causes.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { Exit::Usage } else { Exit::Done };
            // Printing fails only where nobody reads any more.
            let _ = error.print();
            return code.into();
        }
    };
    let context = Context { config: cli.config, output: Output::new(cli.json) };
    match dispatch(&context, cli.command) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            context.output.failure(&failure);
            failure.exit.into()
        }
    }
}

fn dispatch(context: &Context, command: Command) -> Outcome {
    match command {
        Command::Run(args) => run::run(context, &args),
        Command::Demo(args) => demo::run(context, &args),
        Command::Send(args) => send::run(context, &args),
        Command::Validate(args) => validate::run(context, &args),
        Command::Transform(args) => transform::run(context, &args),
        Command::Config(command) => configuration::run(context, command),
        Command::Check => check::run(context),
        Command::Topology(command) => topology::run(context, &command),
        Command::Messages(command) => messages::run(context, command),
        Command::Deliveries(command) => deliveries::run(context, command),
        Command::Groups(command) => groups::run(context, command),
        Command::Sla(command) => sla::run(context, command),
        Command::Alerts(command) => alerts::run(context, command),
        Command::Agreements(command) => agreements::run(context, command),
        Command::Receivers(command) => receivers::run(context, command),
        Command::Route(command) => route::run(context, command),
        Command::Schemas(command) => schemas::run(context, command),
        Command::Explain(args) => explain::run(context, &args),
        Command::Doctor(args) => doctor::run(context, &args),
        Command::Backup(args) => backup::run(context, &args),
        Command::Inbox(args) => inbox::run(context, &args),
        Command::Bench(args) => bench::run(context, &args),
        Command::Key(args) => key::run(context, &args),
        Command::Man(args) => man::run(context, &args),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "kassebro", &mut std::io::stdout());
            Ok(Exit::Done)
        }
    }
}

/// Runs a command that waits for things.
fn block_on<T>(future: impl Future<Output = T>) -> Result<T, Failure> {
    // The store's writer is a thread of its own, so the runtime leaves it a core.
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let workers = cores.saturating_sub(1).max(1);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build()?;
    let value = runtime.block_on(future);
    runtime.shutdown_timeout(std::time::Duration::from_secs(5));
    Ok(value)
}

/// Runs what moves a clock: on one thread, or nobody could say when nothing is in hand.
fn block_on_one_thread<T>(future: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let value = runtime.block_on(future);
    runtime.shutdown_timeout(std::time::Duration::from_secs(5));
    Ok(value)
}

/// What time it is.
fn now() -> jiff::Timestamp {
    clock::from_environment().now()
}

/// Who a command acts for, as the audit names them.
fn who() -> String {
    #[expect(clippy::disallowed_methods, reason = "the login name is no setting")]
    let login = std::env::var("SUDO_USER").or_else(|_| std::env::var("USER"));
    format!("cli:{}", login.unwrap_or_else(|_| "unknown".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_tree_is_sound() {
        Cli::command().debug_assert();
    }
}
