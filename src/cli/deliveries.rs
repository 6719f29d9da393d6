//! `kassebro deliveries`: what is owed to receivers, tried again or cancelled by a person.

use clap::ValueEnum;
use serde::Serialize;
use uuid::Uuid;

use super::{
    Context, Exit, Outcome, now,
    output::{Output, local, local_or_dash, or_dash},
};
use crate::{
    domain::DeliveryId,
    store::{
        self, Commanded,
        ahead::show_maintenance,
        views::{DeliveryView, HELD},
    },
};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// The latest first.
    #[command(after_help = "Examples:\n  kassebro deliveries list --state dead\n  \
                            kassebro deliveries list --state held\n  kassebro deliveries list --receiver kbh-klager --limit 500 --json")]
    List {
        #[arg(long)]
        state: Option<State>,
        /// Receiver's name.
        #[arg(long)]
        receiver: Option<String>,
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
    },
    /// Try again now, also what is dead, or held for a person or an agreement. The receiver sees the same
    /// delivery id.
    #[command(after_help = "Examples:\n  kassebro deliveries retry 019a4c10-7d00-7000-8000-000000000001\n  \
                            kassebro deliveries list --state dead --json | jq -r '.[].deliveryId' | xargs kassebro \
                            deliveries retry\n\n\
                            Exit codes: 0 all will be tried, 4 no such delivery, 5 one is delivered or cancelled.")]
    Retry {
        #[arg(required = true, value_name = "DELIVERY")]
        deliveries: Vec<Uuid>,
    },
    /// Never try it again. Its promise ends unmet.
    #[command(
        after_help = "Example:\n  kassebro deliveries cancel 019a4c10-7d00-7000-8000-000000000001 --reason 'sent by post'\n\n\
                            Exit codes: 0 cancelled (or was so), 4 no such delivery, 5 it is delivered."
    )]
    Cancel {
        delivery: Uuid,
        /// Stands in the message's history.
        #[arg(long)]
        reason: String,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum State {
    Pending,
    /// Pending, and waiting for a person
    Held,
    Delivered,
    Dead,
    Cancelled,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Held => HELD,
            Self::Delivered => "delivered",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What became of a command.
#[derive(Serialize)]
struct Told {
    delivery: Uuid,
    /// `done`, `already`, `not_found` or `not_now`.
    outcome: &'static str,
}

pub(super) fn run(context: &Context, command: Command) -> Outcome {
    super::block_on(async {
        match command {
            Command::List { state, receiver, limit } => {
                let state = state.map(|state| state.name().to_owned());
                let store = context.store()?;
                let mut deliveries = store.deliveries(state, receiver, limit).await?;
                show_maintenance(&mut deliveries, &store.maintenance().await?, now());
                print(&context.output, &deliveries);
                Ok(Exit::Done)
            }
            Command::Retry { deliveries } => give(context, deliveries, store::Command::Retry).await,
            Command::Cancel { delivery, reason } => {
                let cancel = |delivery| store::Command::Cancel { delivery, reason: Some(reason.clone()) };
                give(context, vec![delivery], cancel).await
            }
        }
    })?
}

pub(super) fn print(output: &Output, deliveries: &[DeliveryView]) {
    let columns =
        ["delivery", "message", "kind", "receiver", "state", "attempts", "due", "next attempt", "fault"];
    output.list(deliveries, &columns, |d| {
        let state = d.hold.as_ref().map_or_else(|| d.state.clone(), |hold| format!("{} ({hold})", d.state));
        vec![
            d.delivery_id.to_string(),
            d.message_id.clone(),
            d.kind.clone(),
            d.receiver.clone(),
            state,
            d.attempts.to_string(),
            local(d.due),
            // Of a second way that is held back: when it goes, unless the first is done before.
            local_or_dash(d.next_attempt.filter(|_| matches!(d.hold.as_deref(), None | Some("fallback")))),
            or_dash(d.fault.as_ref().map(ToString::to_string).as_deref()),
        ]
    });
}

/// Gives the command to each, and ends with the gravest of what became of them.
pub(super) async fn give(
    context: &Context,
    deliveries: Vec<Uuid>,
    command: impl Fn(DeliveryId) -> store::Command,
) -> Outcome {
    let store = context.store()?;
    let mut told = Vec::with_capacity(deliveries.len());
    let mut end = Exit::Done;
    for delivery in deliveries {
        let commanded = match delivery.to_string().parse::<DeliveryId>() {
            Ok(id) => store.command(command(id), super::who(), now()).await?,
            Err(_) => Commanded::NotFound,
        };
        let (outcome, exit) = outcome(commanded);
        end = if end as u8 > exit as u8 { end } else { exit };
        told.push(Told { delivery, outcome });
    }
    context
        .output
        .list(&told, &["delivery", "outcome"], |t| vec![t.delivery.to_string(), words(t.outcome).to_owned()]);
    Ok(end)
}

fn outcome(commanded: Commanded) -> (&'static str, Exit) {
    match commanded {
        Commanded::Done => ("done", Exit::Done),
        Commanded::Already => ("already", Exit::Done),
        Commanded::NotFound => ("not_found", Exit::NotFound),
        Commanded::NotNow => ("not_now", Exit::Conflict),
    }
}

fn words(outcome: &str) -> &'static str {
    match outcome {
        "done" => "done",
        "already" => "it was so already",
        "not_found" => "no delivery has this id (a receipt id is not one: see `kassebro messages show`)",
        _ => "its state does not allow it",
    }
}
