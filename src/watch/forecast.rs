//! Deliveries that will miss their deadline as things stand, told before they do; and what else is promised of them and
//! can only be met once they are delivered.
//!
//! A view that is reckoned anew: what is shown follows from the circuits, pauses, maintenance, paces and backlogs in
//! the store ([`crate::domain::forecast`]), and nothing is written for a message. An alert opens as soon as one
//! delivery is endangered. It does not flap: it resolves when nothing waits any more, or when the receiver works (no
//! pause, no open circuit, three parcels taken since an outage) and nothing would be late though it were a fifth
//! slower than measured.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{FutureExt, future::BoxFuture};
use jiff::Timestamp;

use super::{Desk, Watcher};
use crate::{
    domain::{
        alert::{Condition, Urgency},
        calendar,
        circuit::Circuit,
        forecast::{Cause, Late, Outlook},
        pace::together,
        sla::DELIVERED,
    },
    store::{
        Store, StoreError,
        ahead::{Ahead, BehindAsk, SlicesAsk},
        views::Backlog,
    },
    telemetry::ForReceiver,
};

pub(super) struct Misses;

const MISS: &str = "KassebroSlaPredictedMiss";
/// So many of the first endangered deliveries are looked at one by one; beyond them they are counted only.
pub const LOOKED_AT: u32 = 1_000;
/// Due times of a larger backlog are counted in so many slices.
const SLICES: i64 = 512;

/// What lies ahead of one receiver.
#[derive(Debug, Clone)]
pub struct Forecast {
    pub receiver: String,
    pub outlook: Outlook,
    /// Pending deliveries with an open promise that will be late, beyond [`LOOKED_AT`] with those that have none; and the
    /// promises behind deliveries that will be late with them, of the first [`LOOKED_AT`] deliveries that have any.
    pub misses: u64,
    pub late: Vec<Late>,
    /// The first of the late ones, at most [`LOOKED_AT`], and the promises behind deliveries, by deadline: each with its
    /// delivery's place among all that are sent.
    pub first: Vec<(u64, Cause, Ahead)>,
    /// Nothing is late, and yet it is too early to say that the danger is over.
    pub lingers: bool,
}

impl Forecast {
    /// How many of the first are of which kind.
    fn kinds(&self, of: impl Fn(Cause, Timestamp) -> bool) -> BTreeMap<&str, u64> {
        let mut kinds = BTreeMap::new();
        for (_, cause, ahead) in &self.first {
            if of(*cause, ahead.due) {
                *kinds.entry(ahead.kind.as_str()).or_default() += 1;
            }
        }
        kinds
    }

    /// Those of the late ones that fit, counted: how many, which first, of which kinds.
    pub(super) fn of(&self, fits: impl Fn(Cause, Timestamp) -> bool + Copy) -> Option<Group<'_>> {
        let first = self.first.iter().find(|(_, cause, ahead)| fits(*cause, ahead.due))?;
        let kinds = self.kinds(fits);
        let looked_at: u64 = self.late.iter().map(|late| late.count).sum();
        let count = if looked_at > u64::from(LOOKED_AT) {
            // What lies behind deliveries is counted by no slice.
            let behind =
                self.first.iter().filter(|(_, cause, ahead)| is_behind(ahead) && fits(*cause, ahead.due));
            let behind = behind.count() as u64;
            behind
                + self
                    .late
                    .iter()
                    .filter(|late| fits(late.cause, late.from))
                    .map(|late| late.count)
                    .sum::<u64>()
        } else {
            kinds.values().sum()
        };
        let is_plain =
            self.first.iter().all(|(_, cause, ahead)| !is_behind(ahead) || !fits(*cause, ahead.due));
        let what = if is_plain { "deliveries" } else { "promises" };
        Some(Group { count, what, kinds, first: &first.2, cause: first.1 })
    }
}

/// Whether it is promised of what follows the delivery.
fn is_behind(ahead: &Ahead) -> bool {
    ahead.promise != DELIVERED
}

/// Late deliveries of one receiver that are told in one alert.
pub(super) struct Group<'a> {
    pub(super) count: u64,
    /// Of what: deliveries, or promises where some are made of more than being delivered.
    pub(super) what: &'static str,
    pub(super) kinds: BTreeMap<&'a str, u64>,
    pub(super) first: &'a Ahead,
    pub(super) cause: Cause,
}

impl Group<'_> {
    /// `3 complaint.v1, 1 job_order.v1`.
    pub(super) fn kinds(&self) -> String {
        let counted: u64 = self.kinds.values().sum();
        let kinds: Vec<String> = self.kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        let of = if counted < self.count { format!("of the first {counted}: ") } else { String::new() };
        format!("{of}{}", kinds.join(", "))
    }
}

/// Whether it is told as a window's, and not as a miss: its deadline lies before the end of the window.
pub(super) fn in_window(cause: Cause, due: Timestamp) -> bool {
    matches!(cause, Cause::Maintenance { until } if due < until)
}

/// The forecast of every receiver that has a backlog or an open alert, and of those that are `known`.
///
/// # Errors
/// The store cannot be read.
pub async fn forecasts(
    store: &dyn Store,
    backlogs: &[Backlog],
    known: BTreeSet<String>,
    now: Timestamp,
) -> Result<Vec<Forecast>, StoreError> {
    let open = store.open_alerts().await?;
    let open: BTreeSet<_> = open
        .iter()
        .filter(|alert| alert.condition.name == MISS)
        .filter_map(|alert| alert.condition.labels.get("receiver").cloned())
        .collect();
    let outlooks = outlooks(store, now).await?;
    let unknown = Outlook::new(&Circuit::default(), false, [], None, now);
    let mut receivers: BTreeSet<String> = backlogs.iter().map(|backlog| backlog.receiver.clone()).collect();
    receivers.extend(known);
    receivers.extend(open.iter().cloned());
    let mut forecasts = Vec::with_capacity(receivers.len());
    for receiver in receivers {
        let backlog = backlogs.iter().find(|backlog| backlog.receiver == receiver);
        let outlook = outlooks.get(&receiver).unwrap_or(&unknown);
        let is_open = open.contains(&receiver);
        forecasts.push(one(store, receiver, backlog, outlook, is_open, now).await?);
    }
    Ok(forecasts)
}

/// How each receiver stands of which the store knows anything.
///
/// # Errors
/// The store cannot be read.
pub async fn outlooks(store: &dyn Store, now: Timestamp) -> Result<BTreeMap<String, Outlook>, StoreError> {
    let (lanes, paces, windows) = (store.lanes().await?, store.paces().await?, store.maintenance().await?);
    let mut names: BTreeSet<&str> = lanes.iter().map(|lane| lane.receiver.as_str()).collect();
    names.extend(paces.iter().map(|paced| paced.receiver.as_str()));
    names.extend(windows.iter().map(|window| window.receiver.as_str()));
    let outlook = |receiver: &str| {
        let lane = lanes.iter().find(|lane| lane.receiver == receiver);
        let circuit = lane.map(|lane| lane.circuit.clone()).unwrap_or_default();
        let paused = lane.is_some_and(|lane| lane.paused.is_some());
        let windows = windows.iter().filter(|window| window.receiver == receiver).cloned();
        let pace = together(paces.iter().filter(|paced| paced.receiver == receiver));
        Outlook::new(&circuit, paused, windows, pace, now)
    };
    Ok(names.into_iter().map(|receiver| (receiver.to_owned(), outlook(receiver))).collect())
}

async fn one(
    store: &dyn Store,
    receiver: String,
    backlog: Option<&Backlog>,
    outlook: &Outlook,
    is_open: bool,
    now: Timestamp,
) -> Result<Forecast, StoreError> {
    let late = late(store, backlog, outlook, now).await?;
    let mut first = Vec::new();
    for range in &late {
        let left = LOOKED_AT.saturating_sub(u32::try_from(first.len()).unwrap_or(u32::MAX));
        if left == 0 {
            break;
        }
        let ahead = store.ahead(receiver.clone(), range.from, range.until, left).await?;
        let placed = (range.before + 1..).zip(ahead).map(|(place, ahead)| (place, range.cause, ahead));
        first.extend(placed.filter(|(_, _, ahead)| ahead.promised));
    }
    let counted: u64 = late.iter().map(|range| range.count).sum();
    let mut misses = if counted > u64::from(LOOKED_AT) { counted } else { first.len() as u64 };
    let behind = behind(store, backlog, outlook, now).await?;
    if !behind.is_empty() {
        misses += behind.len() as u64;
        first.extend(behind);
        first.sort_by_key(|(_, _, ahead)| ahead.due);
    }
    let lingers = misses == 0
        && is_open
        && backlog.is_some_and(|backlog| backlog.pending > 0)
        && (!outlook.is_steady() || !self::late(store, backlog, &outlook.cautious(), now).await?.is_empty());
    Ok(Forecast { receiver, outlook: outlook.clone(), misses, late, first, lingers })
}

/// The late ones of one receiver. Most often one look at its backlog's size and nearest deadline says that there are
/// none.
async fn late(
    store: &dyn Store,
    backlog: Option<&Backlog>,
    outlook: &Outlook,
    now: Timestamp,
) -> Result<Vec<Late>, StoreError> {
    let Some(backlog) = backlog else { return Ok(vec![]) };
    let pending = backlog.pending.unsigned_abs();
    let horizon = outlook.horizon(pending);
    if pending == 0 || horizon.zip(backlog.nearest_deadline).is_some_and(|(done, nearest)| done <= nearest) {
        return Ok(vec![]);
    }
    let exact = pending <= u64::from(LOOKED_AT);
    let width = match horizon {
        _ if exact => 1,
        Some(until) => (until.as_microsecond() - now.as_microsecond()) / SLICES,
        None => i64::MAX,
    };
    let ask = SlicesAsk { receiver: backlog.receiver.clone(), now, until: horizon, width };
    let sliced = store.slices(ask).await?;
    Ok(outlook.late(sliced.overdue, &sliced.slices))
}

/// What is promised beside being delivered and will be late with its delivery, whether or not that is late itself: its
/// receiver can answer, receipt or decide nothing before.
async fn behind(
    store: &dyn Store,
    backlog: Option<&Backlog>,
    outlook: &Outlook,
    now: Timestamp,
) -> Result<Vec<(u64, Cause, Ahead)>, StoreError> {
    let Some(backlog) = backlog.filter(|backlog| backlog.pending > 0) else { return Ok(vec![]) };
    let pending = backlog.pending.unsigned_abs();
    let (receiver, until) = (backlog.receiver.clone(), outlook.horizon(pending));
    let ask = BehindAsk { receiver: receiver.clone(), now, until, most: LOOKED_AT };
    let behind = store.behind(ask).await?;
    let Some(last) = behind.iter().map(|behind| behind.goes_by).max() else { return Ok(vec![]) };
    let exact = pending <= u64::from(LOOKED_AT);
    let width = if exact { 1 } else { (last.as_microsecond() - now.as_microsecond()).max(0) / SLICES };
    let sliced = store.slices(SlicesAsk { receiver, now, until: Some(last), width }).await?;
    let late = behind.into_iter().filter_map(|behind| {
        let place = sliced.place(behind.goes_by);
        Some((place, outlook.cause(place, behind.ahead.due)?, behind.ahead))
    });
    Ok(late.collect())
}

impl Watcher for Misses {
    fn names(&self) -> &'static [&'static str] {
        &[MISS]
    }

    fn conditions<'a>(
        &'a self,
        desk: &'a Desk,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Condition>, StoreError>> {
        async move {
            let forecasts = desk.survey.forecasts(&*desk.store, &*desk.clock).await?;
            for forecast in forecasts.iter() {
                let label = ForReceiver { receiver: forecast.receiver.clone() };
                let misses = i64::try_from(forecast.misses).unwrap_or(i64::MAX);
                desk.metrics.sla_predicted_misses.get_or_create(&label).set(misses);
            }
            Ok(forecasts.iter().filter_map(|forecast| condition(forecast, now)).collect())
        }
        .boxed()
    }
}

fn condition(forecast: &Forecast, now: Timestamp) -> Option<Condition> {
    let receiver = forecast.receiver.as_str();
    let alert = Condition::new(MISS, Urgency::Warning, &[("receiver", receiver)], now);
    let Some(group) = forecast.of(|cause, due| !in_window(cause, due)) else {
        return forecast.lingers.then(|| {
            alert
                .summary(format!("Nothing to {receiver} is predicted to be late any more; it is not steady yet"))
                .description("the alert resolves when nothing waits, or it has taken some and would do so in time though it were slower")
        });
    };
    let Group { count, what, first: Ahead { due, .. }, cause, .. } = &group;
    let message = first_receipt(group.first);
    Some(
        alert
            .summary(format!(
                "{count} {what} to {receiver} will miss their deadline, the first due {}: {}",
                clock(*due),
                why(*cause, receiver)
            ))
            .description(format!(
                "{}; first message {message}; {}; kassebro sla list --predicted",
                group.kinds(),
                what_to_do(*cause, receiver)
            )),
    )
}

/// The receipt that the message of a delivery is found by.
pub(super) fn first_receipt(ahead: &Ahead) -> String {
    ahead.delivery.receipt().to_string()
}

/// Why deliveries to that receiver will be late, in words.
pub fn why(cause: Cause, receiver: &str) -> String {
    match cause {
        Cause::Backlog => format!("more waits for {receiver} than it settles in the time"),
        Cause::Outage { since } => format!("{receiver} has taken nothing since {}", clock(since)),
        Cause::Maintenance { until } => {
            format!("{receiver} is planned to be in maintenance until {}", clock(until))
        }
        Cause::Pause => format!("{receiver} is paused, and nobody said until when"),
    }
}

/// The day and the time in Denmark.
pub(super) fn clock(at: Timestamp) -> String {
    calendar::in_denmark(at).strftime("%Y-%m-%d %H:%M").to_string()
}

fn what_to_do(cause: Cause, receiver: &str) -> String {
    match cause {
        Cause::Backlog => format!("ask {receiver} whether it takes more at a time, and raise its permits"),
        Cause::Outage { .. } => {
            format!("ask {receiver} when it is back; attempts go on, and another way to it keeps the promise")
        }
        Cause::Maintenance { .. } => {
            format!("kassebro receivers maintain {receiver} --cancel, or agree on less")
        }
        Cause::Pause => format!("kassebro receivers resume {receiver}"),
    }
}
