//! `kassebro sla waive` and `approve`: a promise given up, by one person or by two.

use serde_json::json;
use uuid::Uuid;

use super::super::{
    Context, Exit, Failure, Outcome, messages, now,
    output::{Output, local},
};
use crate::{
    config,
    domain::DeliveryId,
    store::{Command, Commanded, Store, views::WaiverRequest},
};

pub(super) const EXAMPLES: &str = "Where watch.waive_needs_two or the promise's ladder says so, it is only asked for, and another person agrees with \
     kassebro sla approve. What was asked for is shown by kassebro sla list and alerted.\n\n\
     Example:\n  kassebro sla waive 019a4c10-7d00-7000-8000-000000000001 --reason 'agreed by telephone'\n\n\
     Exit codes: 0 waived or asked for (or was so), 4 no such delivery, 5 the promise is met or ended.";

pub(super) const APPROVE_EXAMPLES: &str = "Example:\n  kassebro sla approve 019a4c10-7d00-7000-8000-000000000001\n\n\
     Exit codes: 0 waived, 4 no such delivery, 5 nobody asked, it was you who asked, or the promise is met or ended.";

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    delivery: Uuid,
    /// Stands in the message's history.
    #[arg(long)]
    reason: String,
    /// Instead of your login name.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ApproveArgs {
    delivery: Uuid,
    /// Instead of your login name. It must be another than who asked.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

fn parse(delivery: Uuid) -> Result<DeliveryId, Failure> {
    delivery.to_string().parse().map_err(|_| no_such(delivery))
}

fn no_such(delivery: Uuid) -> Failure {
    Failure::not_found(format!(
        "no delivery has the id {delivery} (a receipt id is not one: see `kassebro messages show`)"
    ))
}

pub(super) async fn waive(context: &Context, args: Args) -> Outcome {
    let (store, id) = (context.store()?, parse(args.delivery)?);
    let two = needs_two(context, &*store, id).await?;
    let (delivery, reason) = (id, args.reason);
    let command =
        if two { Command::RequestWaiver { delivery, reason } } else { Command::Waive { delivery, reason } };
    let by = args.by.unwrap_or_else(super::super::who);
    let commanded = store.command(command, by, now()).await?;
    let words = match (commanded, two) {
        (Commanded::NotFound, _) => return Err(no_such(args.delivery)),
        (Commanded::NotNow, _) => return Err(conflict("its promise is met or ended")),
        (Commanded::Done, false) => "It is waived.",
        (Commanded::Already, false) => "It was waived already.",
        (Commanded::Done, true) => "It is asked for: another person agrees with `kassebro sla approve`.",
        (Commanded::Already, true) => {
            "It was asked for already: another person agrees with `kassebro sla approve`."
        }
    };
    told(&context.output, args.delivery, if two { "requested" } else { "waived" }, words);
    Ok(Exit::Done)
}

pub(super) async fn approve(context: &Context, args: ApproveArgs) -> Outcome {
    let (store, id) = (context.store()?, parse(args.delivery)?);
    let by = args.by.unwrap_or_else(super::super::who);
    let asked = store.waiver_requests().await?;
    let request = asked.iter().find(|request| request.delivery_id == id);
    if request.is_some_and(|request| request.by == by) {
        return Err(conflict(&format!("{by} asked for it: another person has to agree")));
    }
    match store.command(Command::ApproveWaiver(id), by, now()).await? {
        Commanded::Done | Commanded::Already => {
            told(&context.output, args.delivery, "waived", "It is waived.");
            Ok(Exit::Done)
        }
        Commanded::NotFound => Err(no_such(args.delivery)),
        Commanded::NotNow => Err(conflict("nobody asked for it, or its promise is met or ended")),
    }
}

fn conflict(why: &str) -> Failure {
    Failure::new(Exit::Conflict, anyhow::anyhow!("it is not waived: {why}"))
}

fn told(output: &Output, delivery: Uuid, outcome: &str, words: &str) {
    if output.json {
        output.value(&json!({ "delivery": delivery, "outcome": outcome }));
    }
    output.line(words);
}

/// Whether the ladder of one of the delivery's promises asks for two people; of one that has not begun too, for it is
/// given up with the others.
async fn needs_two(context: &Context, store: &dyn Store, delivery: DeliveryId) -> Result<bool, Failure> {
    let settings = context.settings()?;
    let ladders = config::ladders(&settings).map_err(Failure::configuration)?;
    let message = messages::find(store, &delivery.to_string()).await?;
    let kind = message.line.kind.as_deref().unwrap_or_default();
    let wants_two = |promise: &str| {
        let ladder = ladders.of(kind, message.agreement.as_deref(), promise);
        ladder.map_or(settings.watch.waive_needs_two, |ladder| ladder.waive_needs_two)
    };
    let begun = message.promises.iter().filter(|promise| promise.delivery_id == delivery);
    let clocks = store.clocks(delivery.receipt()).await?;
    let said = clocks.iter().filter(|clock| clock.delivery_id == delivery).map(|clock| clock.promise.name());
    Ok(begun.map(|promise| promise.promise.as_str()).chain(said).any(wants_two))
}

/// Says under a table what waits for a second person.
pub(super) fn note_requests(output: &Output, requests: &[WaiverRequest]) {
    for WaiverRequest { delivery_id, kind, receiver, by, reason, at } in requests {
        let at = local(*at);
        output.note(format_args!(
            "{by} asked on {at} to waive delivery {delivery_id} ({kind} to {receiver}): {reason}; another agrees \
             with `kassebro sla approve {delivery_id}`"
        ));
    }
}
