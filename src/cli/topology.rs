//! `kassebro topology`: exchanges, queues and bindings, declared or compared.

use anyhow::Context as _;

use super::{Context, Exit, Failure, Outcome};
use crate::{
    amqp_client,
    config::{self, Settings},
    intake::topology::{Difference, Topology},
};

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
    /// Compare the broker with the configuration, as far as AMQP shows it.
    #[command(after_help = "Example:\n  kassebro topology check --json\n\n\
                            Exit codes: 0 the same, 1 something differs or is missing, 3 no broker is configured.")]
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
            let differences = super::block_on(differences(&settings, &topology))??;
            context
                .output
                .list(&differences, &["what", "problem"], |d| vec![d.what.clone(), d.problem.clone()]);
            Ok(if differences.is_empty() { Exit::Done } else { Exit::Failed })
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
    topology.apply(&connection).await.context("declaring on the broker")?;
    close(&connection).await;
    Ok(())
}

/// What is not as it should be on the broker that the settings name.
pub(super) async fn differences(
    settings: &Settings,
    topology: &Topology,
) -> Result<Vec<Difference>, Failure> {
    let connection = connect(settings).await?;
    let differences = topology.check(&connection).await.context("comparing with the broker")?;
    close(&connection).await;
    Ok(differences)
}

async fn connect(settings: &Settings) -> Result<lapin::Connection, Failure> {
    let broker = config::broker(settings).map_err(Failure::configuration)?;
    let broker = broker.ok_or_else(|| Failure::configuration("amqp.url: no broker is configured"))?;
    Ok(amqp_client::connect(&broker, "kassebro topology").await?)
}

/// What was asked is known by now: how the connection ends is of no account.
async fn close(connection: &lapin::Connection) {
    drop(connection.close(200, "done".into()).await);
}
