//! `kassebro receivers maintain`: plans a receiver's maintenance, and says at once which deadlines that covers.

use jiff::Timestamp;
use serde::Serialize;

use super::{
    super::{
        Context, Exit, Failure, Outcome,
        instant::from_now,
        now,
        output::{counted, local},
    },
    configured,
};
use crate::{
    domain::{forecast::Cause, maintenance::Maintenance},
    gateway,
    store::{
        Commanded, Store,
        ahead::{Maintain, SlicesAsk, WINDOWS_MAX},
    },
    watch::forecast::forecasts,
};

pub(super) const EXAMPLES: &str = "Examples:\n  \
    kassebro receivers maintain kbh-klager --from '2026-12-05 22:00' --to '2026-12-06 02:00' --reason 'new server'\n  \
    kassebro receivers maintain kbh-klager --to 2026-12-06T02:00:00Z --reason 'new server'   # from now on\n  \
    kassebro receivers maintain kbh-klager --cancel\n\n\
    No ordinary attempt is made in a window; what waits goes when it is over, nearest deadline first. The one attempt \
    that is guaranteed shortly before a deadline is made all the same.\n\n\
    Exit codes: 0 planned or cancelled (or was so), 2 no times to plan for, 4 no such receiver, 5 it is over already, \
    or too many are planned.";

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    name: String,
    /// When it begins: by Danish clocks, with an offset, or how long from now; now, where it is left out.
    #[arg(long, value_parser = from_now, conflicts_with = "cancel")]
    from: Option<Timestamp>,
    /// When it is over.
    #[arg(long, value_parser = from_now, required_unless_present = "cancel", conflicts_with = "cancel")]
    to: Option<Timestamp>,
    /// Stands where the window is shown.
    #[arg(long, required_unless_present = "cancel", conflicts_with = "cancel")]
    reason: Option<String>,
    /// Cancel every window of the receiver that is not over.
    #[arg(long)]
    cancel: bool,
}

/// What a new window covers.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Covered {
    #[serde(flatten)]
    window: Maintenance,
    /// Pending deliveries whose deadline lies in it.
    due_within: u64,
    /// Of them, and of those that come after, how many it will make late as things stand.
    late: u64,
    first: Option<First>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct First {
    receipt_id: String,
    message_id: String,
    kind: String,
    due: Timestamp,
}

pub(super) async fn maintain(context: &Context, args: Args) -> Outcome {
    let settings = context.settings()?;
    configured(&settings, &args.name)?;
    let store = gateway::open_store(&settings)?;
    let now = now();
    let (Some(until), Some(reason)) = (args.to, args.reason) else {
        return cancel(context, &*store, args.name, now).await;
    };
    let from = args.from.unwrap_or(now);
    if until <= from {
        let wrong = anyhow::anyhow!("the window is over before it begins: --to lies after --from");
        return Err(Failure::new(Exit::Usage, wrong));
    }
    let window = Maintenance { receiver: args.name, from, until, reason, by: super::super::who() };
    match store.maintain(Maintain::Plan(window.clone()), now).await? {
        Commanded::Done | Commanded::Already => {}
        Commanded::NotNow | Commanded::NotFound => {
            context.output.note(format_args!(
                "the window is over already, or {} has {WINDOWS_MAX} planned: nothing was changed",
                window.receiver
            ));
            return Ok(Exit::Conflict);
        }
    }
    let covered = covered(&*store, window, now).await?;
    if context.output.json {
        context.output.value(&covered);
    }
    let Covered { window: Maintenance { receiver, from, until, .. }, due_within, late, first } = &covered;
    context.output.line(format_args!("{receiver} is left alone from {} to {}.", local(*from), local(*until)));
    if *due_within > 0 {
        let waiting = usize::try_from(*due_within).unwrap_or(usize::MAX);
        context.output.line(format_args!(
            "The deadline of {} lies within it.",
            counted(waiting, "delivery that waits now", "deliveries that wait now")
        ));
    }
    let Some(First { receipt_id, kind, due, .. }) = first else {
        context.output.line("As things stand, nothing will be late for it.");
        return Ok(Exit::Done);
    };
    context.output.line(format_args!(
        "It will make {late} late as things stand, the first {kind} {receipt_id}, due {}. One attempt is made shortly \
         before each deadline. `kassebro receivers maintain {receiver} --cancel` takes the window back.",
        local(*due)
    ));
    Ok(Exit::Done)
}

async fn cancel(context: &Context, store: &dyn Store, receiver: String, now: Timestamp) -> Outcome {
    let asked = Maintain::Cancel { receiver: receiver.clone(), by: super::super::who() };
    let commanded = store.maintain(asked, now).await?;
    if context.output.json {
        let cancelled = commanded == Commanded::Done;
        context.output.value(&serde_json::json!({ "receiver": receiver, "cancelled": cancelled }));
    }
    context.output.line(match commanded {
        Commanded::Done => format!("No maintenance of {receiver} is planned any more."),
        _ => format!("No maintenance of {receiver} was planned."),
    });
    Ok(Exit::Done)
}

async fn covered(store: &dyn Store, window: Maintenance, now: Timestamp) -> Result<Covered, Failure> {
    // From an instant before the window: what is due at its very beginning lies within it.
    let from = window.from.max(now) - jiff::SignedDuration::from_micros(1);
    let last = window.until - jiff::SignedDuration::from_micros(1);
    let ask = SlicesAsk { receiver: window.receiver.clone(), now: from, until: Some(last), width: i64::MAX };
    let within = store.slices(ask).await?;
    let backlogs: Vec<_> =
        store.backlogs().await?.into_iter().filter(|b| b.receiver == window.receiver).collect();
    let forecasts = forecasts(store, &backlogs, [].into(), now).await?;
    let forecast = forecasts.iter().find(|forecast| forecast.receiver == window.receiver);
    let is_its = |cause: Cause| matches!(cause, Cause::Maintenance { .. });
    let ranges = forecast.iter().flat_map(|f| &f.late).filter(|late| is_its(late.cause));
    let first = forecast.and_then(|f| f.first.iter().find(|(_, cause, _)| is_its(*cause)));
    Ok(Covered {
        due_within: within.slices.iter().map(|slice| slice.count).sum(),
        late: ranges.map(|late| late.count).sum(),
        first: first.map(|(_, _, ahead)| First {
            receipt_id: ahead.delivery.receipt().to_string(),
            message_id: ahead.message_id.clone(),
            kind: ahead.kind.clone(),
            due: ahead.due,
        }),
        window,
    })
}
