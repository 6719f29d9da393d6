//! `kassebro sla list --predicted`: deliveries that will miss their deadline as things stand, and why.

use jiff::Timestamp;
use serde::Serialize;

use super::{
    super::{
        Context, Exit, Failure, Outcome, now,
        output::{local, span},
    },
    Standing,
};
use crate::{
    domain::{
        DeliveryId,
        forecast::{Cause, Late},
        sla::DELIVERED,
    },
    store::{Store, views::MessageView},
    watch::forecast::{Forecast, LOOKED_AT, forecasts, why},
};

/// One delivery that will be late, or what else is promised of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Predicted {
    receipt_id: String,
    delivery_id: DeliveryId,
    message_id: String,
    kind: String,
    receiver: String,
    promise: String,
    due: Timestamp,
    /// When its delivery will have gone; absent where that is never, as things stand.
    #[serde(rename = "predicted")]
    done: Option<Timestamp>,
    /// From then to the deadline: negative.
    slack_seconds: Option<i64>,
    #[serde(flatten)]
    cause: Cause,
    why: String,
}

fn predicted(forecast: &Forecast) -> impl Iterator<Item = Predicted> {
    forecast.first.iter().map(|(place, cause, ahead)| {
        let done = forecast.outlook.done(*place);
        Predicted {
            receipt_id: ahead.delivery.receipt().to_string(),
            delivery_id: ahead.delivery,
            message_id: ahead.message_id.clone(),
            kind: ahead.kind.clone(),
            receiver: forecast.receiver.clone(),
            promise: ahead.promise.clone(),
            due: ahead.due,
            done,
            slack_seconds: done.map(|done| ahead.due.duration_since(done).as_secs()),
            cause: *cause,
            why: why(*cause, &forecast.receiver),
        }
    })
}

/// The endangered deliveries of all receivers, the nearest deadline first; of one receiver at most [`LOOKED_AT`].
pub(super) async fn list(context: &Context, limit: u32, exit_code: bool) -> Outcome {
    let (store, now) = (context.store()?, now());
    let forecasts = forecasts(&*store, &store.backlogs().await?, [].into(), now).await?;
    let mut late: Vec<Predicted> = forecasts.iter().flat_map(predicted).collect();
    late.sort_by(|a, b| {
        (a.due, &a.receiver, a.delivery_id, &a.promise).cmp(&(b.due, &b.receiver, b.delivery_id, &b.promise))
    });
    late.truncate(limit as usize);
    let columns =
        ["receipt", "message", "kind", "receiver", "promise", "due", "left", "predicted", "slack", "why"];
    context.output.list(&late, &columns, |l| {
        vec![
            l.receipt_id.clone(),
            l.message_id.clone(),
            l.kind.clone(),
            l.receiver.clone(),
            l.promise.clone(),
            local(l.due),
            span(l.due.duration_since(now)),
            l.done.map_or_else(|| "never".to_owned(), local),
            l.done.map_or_else(|| "-".to_owned(), |done| span(l.due.duration_since(done))),
            l.why.clone(),
        ]
    });
    let all: u64 = forecasts.iter().map(|forecast| forecast.misses).sum();
    if all > late.len() as u64 {
        context.output.note(format_args!(
            "{all} in all; --limit shows more, and of one receiver the first {LOOKED_AT}"
        ));
    }
    Ok(if exit_code && all > 0 { Exit::Breached } else { Exit::Done })
}

/// What the forecast says of a message's deliveries, a line each; nothing for what it does not endanger.
pub(super) async fn lines(
    store: &dyn Store,
    message: &MessageView,
    now: Timestamp,
) -> Result<Vec<String>, Failure> {
    let running = [Standing::OnTrack.name(), Standing::AtRisk.name()];
    if !message.promises.iter().any(|promise| running.contains(&promise.standing.as_str())) {
        return Ok(vec![]);
    }
    let receivers: Vec<&str> = message.deliveries.iter().map(|d| d.receiver.as_str()).collect();
    let mut backlogs = store.backlogs().await?;
    backlogs.retain(|backlog| receivers.contains(&backlog.receiver.as_str()));
    let forecasts = forecasts(store, &backlogs, [].into(), now).await?;
    let mut lines = Vec::new();
    for delivery in message.deliveries.iter().filter(|d| d.settled.is_none()) {
        let Some(forecast) = forecasts.iter().find(|f| f.receiver == delivery.receiver) else { continue };
        let looked_at = forecast.first.iter().filter(|(_, _, ahead)| ahead.delivery == delivery.delivery_id);
        let mut late: Vec<_> = looked_at
            .map(|(place, cause, ahead)| (ahead.promise.as_str(), *cause, forecast.outlook.done(*place)))
            .collect();
        // Behind those that are looked at one by one.
        if late.iter().all(|(promise, ..)| *promise != DELIVERED) && forecast.misses > u64::from(LOOKED_AT) {
            let range = forecast.late.iter().find(|l| l.from <= delivery.due && delivery.due <= l.until);
            let done = |late: &Late| forecast.outlook.done(late.before + late.count);
            late.extend(range.map(|range| (DELIVERED, range.cause, done(range))));
        }
        for (promise, cause, done) in late {
            let done = done.map_or_else(
                || "as things stand it will not go".to_owned(),
                |done| format!("as things stand it will go about {}", local(done)),
            );
            let promise = if promise == DELIVERED { String::new() } else { format!(", for \"{promise}\"") };
            lines.push(format!(
                "Forecast: late at {}{promise}: {}; {done}.",
                delivery.receiver,
                why(cause, &delivery.receiver)
            ));
        }
    }
    Ok(lines)
}
