//! Promises at risk or breached, one alert per receiver, kind, promise and step of its ladder: a storm of messages is
//! one alert.

use std::{collections::BTreeMap, sync::Arc};

use futures_util::{FutureExt, future::BoxFuture};
use jiff::Timestamp;

use super::{Desk, Watcher, seldom::Seldom};
use crate::{
    domain::{
        ReceiptId,
        alert::Condition,
        calendar,
        circuit::Circuit,
        ladder::{At, Ladder, Step, short},
    },
    store::{LaneState, StoreError, views::Endangered},
};

pub(super) struct Sla;

const BREACHED: &str = "KassebroSlaBreached";
const AT_RISK: &str = "KassebroSlaAtRisk";

/// The promises in danger as they were counted last, and for which time: who counts walks over all of them.
pub type Danger = Seldom<(Timestamp, Vec<Endangered>)>;

impl Watcher for Sla {
    fn names(&self) -> &'static [&'static str] {
        &[BREACHED, AT_RISK]
    }

    fn conditions<'a>(
        &'a self,
        desk: &'a Desk,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Condition>, StoreError>> {
        async move {
            let counted = in_danger(desk, now).await?;
            let lanes = desk.store.lanes().await?;
            Ok(groups(desk, counted.0, &counted.1).iter().map(|group| group.condition(now, &lanes)).collect())
        }
        .boxed()
    }
}

/// The promises in danger, and for which time they were counted.
///
/// # Errors
/// The store cannot be read.
pub(super) async fn in_danger(
    desk: &Desk,
    now: Timestamp,
) -> Result<Arc<(Timestamp, Vec<Endangered>)>, StoreError> {
    let count = async { Ok((now, desk.store.endangered(desk.ladders.reach(now)).await?)) };
    desk.danger.get(&*desk.clock, count).await
}

/// What stands on one step.
struct Group<'a> {
    ladder: &'a Ladder,
    step: &'a Step,
    receiver: &'a str,
    kind: &'a str,
    promise: &'a str,
    count: i64,
    earliest: Timestamp,
    since: Timestamp,
    example: ReceiptId,
}

fn groups<'a>(desk: &'a Desk, now: Timestamp, endangered: &'a [Endangered]) -> Vec<Group<'a>> {
    let mut groups: BTreeMap<(&str, &str, &str, &str, String), Group<'a>> = BTreeMap::new();
    for found in endangered {
        let Endangered { receiver, kind, promise, count, earliest, .. } = found;
        let Some(ladder) = desk.ladders.of(kind, found.agreement.as_deref(), promise) else { continue };
        let Some(step) = ladder.reached(found.step, *earliest, now) else { continue };
        let since = step.at.instant(&found.course);
        let key = (receiver.as_str(), kind.as_str(), promise.as_str(), ladder.name.as_str(), step.at.label());
        let group = groups.entry(key).or_insert(Group {
            ladder,
            step,
            receiver,
            kind,
            promise,
            count: 0,
            earliest: *earliest,
            since,
            example: found.example,
        });
        group.count += count;
        group.since = group.since.min(since);
        if *earliest < group.earliest {
            (group.earliest, group.example) = (*earliest, found.example);
        }
    }
    groups.into_values().collect()
}

impl Group<'_> {
    fn condition(&self, now: Timestamp, lanes: &[LaneState]) -> Condition {
        let Self { ladder, step, receiver, kind, promise, earliest, example, .. } = self;
        let label = step.at.label();
        let mut labels =
            vec![("kind", *kind), ("promise", promise), ("receiver", receiver), ("step", &label)];
        // Beside other agreements the same receiver may have another ladder.
        if !ladder.agreements.is_empty() {
            labels.push(("ladder", &ladder.name));
        }
        let name = if step.at.is_missed() { BREACHED } else { AT_RISK };
        let condition = Condition::new(name, step.urgency, &labels, self.since)
            .summary(format!("{}{}", self.words(now), lane_words(receiver, lanes, now)))
            .description(format!(
                "earliest due {earliest}; first message {example}; kassebro sla explain {example}"
            ));
        Condition { targets: step.targets.clone(), climb: ladder.climb(step), ..condition }
    }

    fn words(&self, now: Timestamp) -> String {
        let Self { step, receiver, kind, count, earliest, .. } = self;
        match step.at {
            At::Share(share) => format!("{count} {kind} to {receiver} have used {share} % of their time"),
            At::Left(left) => format!(
                "{count} {kind} to {receiver} are due within {}, the first at {}",
                short(left),
                clock(*earliest, now)
            ),
            At::Breach => format!("{count} {kind} to {receiver} missed the deadline; attempts go on"),
            At::After(after) => format!(
                "{count} {kind} to {receiver} missed the deadline by {} or more, the first at {}; attempts go on",
                short(after),
                clock(*earliest, now)
            ),
        }
    }
}

/// Why it may be that they wait.
fn lane_words(receiver: &str, lanes: &[LaneState], now: Timestamp) -> String {
    let Some(lane) = lanes.iter().find(|lane| lane.receiver == receiver) else { return String::new() };
    match (&lane.circuit, &lane.paused) {
        (_, Some(_)) => "; the receiver is paused".to_owned(),
        (Circuit::Open { since, .. }, None) => {
            format!("; the receiver's circuit is open since {}", clock(*since, now))
        }
        _ => String::new(),
    }
}

/// The time in Denmark, with its day where that is another than today.
fn clock(at: Timestamp, now: Timestamp) -> String {
    let (at, now) = (calendar::in_denmark(at), calendar::in_denmark(now));
    let form = if at.date() == now.date() { "%H:%M" } else { "%Y-%m-%d %H:%M" };
    at.strftime(form).to_string()
}
