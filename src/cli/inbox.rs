//! `kassebro inbox`: the reference inbox, with a line for each delivery.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use super::{Context, Exit, Failure, Outcome, output::local};
use crate::{
    clock,
    lifecycle::{Stop, Tasks},
    tools::inbox::{Behaviour, Delivery, Handle, Inbox, Stats, ledger::Taken},
    webhook_signature::WebhookSecret,
};

/// How often new deliveries are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long the end may take.
const GRACE: Duration = Duration::from_secs(2);

#[derive(Debug, clap::Args)]
#[command(after_help = "A delivery's key, size and verdict are printed, never its content.\n\n\
                        Examples:\n  kassebro inbox\n  \
                        kassebro inbox --behave '{\"delay\":\"2s\",\"failShare\":0.3,\"failStatus\":503}'\n  \
                        curl -X POST http://127.0.0.1:8090/control -d '{\"refuse\":\"30s\"}' -H 'content-type: \
                        application/json'\n\n\
                        Behaviour: status, delay, failShare, failStatus, retryAfter, abort, location, close (never, \
                        beforeTaking, afterTaking), answer (receipt, empty, broken, slow, endless, gzip, never), \
                        refuse.\n\n\
                        Exit codes: 0 stopped, 1 the address is taken, 2 the behaviour is not one.")]
pub(super) struct Args {
    #[arg(long, default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
    /// How it behaves from the start, as JSON.
    #[arg(long, value_name = "JSON", value_parser = behaviour)]
    behave: Option<Behaviour>,
    /// File with Standard Webhooks secrets (`whsec_…`): what none of them has signed is answered with 401.
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
}

fn behaviour(text: &str) -> Result<Behaviour, String> {
    let behaviour: Behaviour = serde_json::from_str(text).map_err(|e| e.to_string())?;
    behaviour.check().map(|()| behaviour)
}

pub(super) fn run(context: &Context, args: &Args) -> Outcome {
    super::block_on(serve(context, args))?
}

async fn serve(context: &Context, args: &Args) -> Outcome {
    let secrets = args.secret_file.as_deref().map(WebhookSecret::read_file).transpose();
    let secrets = secrets.map_err(Failure::configuration)?.unwrap_or_default();
    let inbox = Inbox::bind(args.listen, secrets).await.map_err(|error| {
        Failure::new(Exit::Failed, anyhow::Error::new(error).context(format!("listening on {}", args.listen)))
    })?;
    let handle = inbox.handle();
    if let Some(behaviour) = &args.behave {
        handle.behave(behaviour.clone()).map_err(Failure::configuration)?;
    }
    let tasks = Tasks::new(Stop::new());
    tasks.listen_for_signals()?;
    welcome(context, &inbox);
    let stop = tasks.stop().clone();
    tasks.spawn("inbox", async move { inbox.serve(async move { stop.soft().await }).await });
    let stop = tasks.stop().clone();
    tell(context, &handle, &stop).await;
    let end = tasks.finish(GRACE).await;
    Ok(if end.crash.is_some() { Exit::Failed } else { Exit::Done })
}

fn welcome(context: &Context, inbox: &Inbox) {
    let base = format!("http://{}", inbox.address());
    if context.output.json {
        context
            .output
            .json_line(&serde_json::json!({ "url": inbox.url(), "control": format!("{base}/control") }));
        return;
    }
    for line in [
        format!("Deliveries  POST {}", inbox.url()),
        format!("Look        {base}/  {base}/stats  {base}/deliveries"),
        format!("Control     POST {base}/control  {{\"status\":503}} or {{}} for a good inbox again"),
        "Ctrl-C ends it.".to_owned(),
    ] {
        context.output.line(line);
    }
}

/// Prints what comes until the stop, and the totals then.
async fn tell(context: &Context, handle: &Handle, stop: &Stop) {
    let (clock, mut after, mut missed) = (clock::from_environment(), 0, 0);
    loop {
        let goes_on = stop.unless_soft(clock.sleep(LOOK_EVERY)).await.is_some();
        for delivery in handle.deliveries(after) {
            after = delivery.number;
            print(context, &delivery);
        }
        let Stats { not_taken, wrong, .. } = handle.stats();
        if not_taken + wrong > missed {
            missed = not_taken + wrong;
            context.output.line(format_args!("          {missed} not taken so far"));
        }
        if !goes_on {
            break;
        }
    }
    if context.output.json {
        context.output.json_line(&handle.stats());
        return;
    }
    let Stats { attempts, unique, duplicates, other_body, .. } = handle.stats();
    context.output.line(format_args!(
        "{attempts} requests: {unique} deliveries, {duplicates} duplicates, {other_body} with another body under \
         their key, {missed} not taken"
    ));
}

fn print(context: &Context, delivery: &Delivery) {
    if context.output.json {
        context.output.json_line(delivery);
        return;
    }
    let verdict = match delivery.verdict {
        Taken::New => "new",
        Taken::Duplicate => "duplicate",
        Taken::OtherBody => "ANOTHER BODY UNDER THE SAME KEY",
    };
    let Delivery { number, key, content_type, bytes, at, .. } = delivery;
    context
        .output
        .line(format_args!("{number:>8}  {}  {key}  {bytes} bytes  {content_type}  {verdict}", local(*at)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_behaviour_is_read_or_refused_with_a_sentence() {
        assert_eq!(behaviour("{\"status\":503}").map(|b| b.status), Ok(503));
        for text in ["", "{", "{\"sloth\":1}", "{\"status\":99}"] {
            assert!(behaviour(text).is_err(), "{text}");
        }
    }
}
