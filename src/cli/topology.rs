//! `kassebro topology`: exchanges, queues and bindings, declared or compared.

use std::time::Duration;

use anyhow::Context as _;

use super::{
    Context, Exit, Failure, Outcome,
    management::{Management, Seen},
};
use crate::{
    amqp_client,
    config::{self, Settings},
    intake::topology::{Difference, Topology},
};

/// The broker answers all of one command within this, or the command has failed.
const OPERATION_MAX: Duration = Duration::from_secs(30);

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Declare exchanges, queues and bindings. What is there and the same stays as it is.
    #[command(after_help = "Examples:\n  kassebro topology apply --dry-run\n  kassebro topology apply\n\n\
                            Exit codes: 0 declared, 1 something that exists differs or may not be declared, \
                            3 no broker is configured.")]
    Apply {
        /// Print what would be declared and connect to nobody.
        #[arg(long)]
        dry_run: bool,
    },
    /// Compare the broker with the configuration: what AMQP shows, and policies and members of replicated queues where
    /// `amqp.management_url` is set.
    #[command(after_help = "Example:\n  kassebro topology check --json\n\n\
                            Exit codes: 0 the same (warnings may stand), 1 something differs or is missing, 3 no broker is \
                            configured.")]
    Check,
}

pub(super) fn run(context: &Context, command: &Command) -> Outcome {
    let settings = context.settings()?;
    let topology = config::topology(&settings);
    match command {
        Command::Apply { dry_run: true } => {
            declared(context, &topology);
            Ok(Exit::Done)
        }
        Command::Apply { dry_run: false } => {
            super::block_on(apply(&settings, &topology))??;
            declared(context, &topology);
            Ok(Exit::Done)
        }
        Command::Check => {
            let Compared { differences, unseen } = super::block_on(compare(&settings, &topology))??;
            context.output.list(&differences, &["", "what", "problem"], |d| {
                let standing = if d.warning { "WARN" } else { "FAIL" };
                vec![standing.to_owned(), d.what.clone(), d.problem.clone()]
            });
            if let Some(unseen) = unseen {
                context.output.note(unseen);
            }
            Ok(if differences.iter().all(|d| d.warning) { Exit::Done } else { Exit::Failed })
        }
    }
}

fn declared(context: &Context, topology: &Topology) {
    let declarations = topology.declarations();
    context
        .output
        .list(&declarations, &["what", "properties"], |d| vec![d.what.clone(), d.properties.clone()]);
}

async fn apply(settings: &Settings, topology: &Topology) -> Result<(), Failure> {
    let connection = connect(settings).await?;
    bounded(topology.apply(&connection)).await?.context("declaring on the broker")?;
    close(&connection).await;
    Ok(())
}

/// What is not as it should be on the broker that the settings name.
pub(super) struct Compared {
    pub(super) differences: Vec<Difference>,
    /// What could not be looked at, and how it can be.
    pub(super) unseen: Option<&'static str>,
}

const UNSEEN: &str = "Policies could not be seen: AMQP does not show them. Name RabbitMQ's management interface in \
                      amqp.management_url, or look at the output of `rabbitmqctl list_policies` yourself: none may set a \
                      delivery limit, a dead-letter exchange, a time to live or a maximum length on an intake queue.";

pub(super) async fn compare(settings: &Settings, topology: &Topology) -> Result<Compared, Failure> {
    let seen = match Management::of(settings)? {
        None => None,
        Some(management) => Some(management.queues(topology).await),
    };
    let mut asked = topology.clone();
    if let Some(Ok(Seen { silent, .. })) = &seen {
        asked
            .queues
            .retain(|(_, queue_in, queue_out)| !silent.contains(queue_in) && !silent.contains(queue_out));
    }
    let connection = connect(settings).await?;
    let mut differences = bounded(asked.check(&connection)).await?.context("comparing with the broker")?;
    close(&connection).await;
    let unseen = seen.is_none().then_some(UNSEEN);
    match seen {
        None => {}
        Some(Ok(seen)) => differences.extend(seen.differences),
        Some(Err(problem)) => differences.push(Difference::new(
            "management interface",
            format!("policies and members could not be seen: {problem}"),
        )),
    }
    Ok(Compared { differences, unseen })
}

async fn connect(settings: &Settings) -> Result<lapin::Connection, Failure> {
    let broker = config::broker(settings).map_err(Failure::configuration)?;
    let broker = broker.ok_or_else(|| Failure::configuration("amqp.url: no broker is configured"))?;
    Ok(amqp_client::connect(&broker, "kassebro topology").await?)
}

/// Waits for the broker, but not for ever.
async fn bounded<T>(operation: impl Future<Output = T>) -> Result<T, Failure> {
    let done = tokio::time::timeout(OPERATION_MAX, operation).await;
    Ok(done.with_context(|| format!("the broker did not answer within {} s", OPERATION_MAX.as_secs()))?)
}

/// What was asked is known by now: how the connection ends is of no account.
async fn close(connection: &lapin::Connection) {
    drop(bounded(connection.close(200, "done".into())).await);
}
