//! What a configuration would mean for open promises and for what waits, reckoned and not made.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    cli::{
        Failure, now,
        output::{Output, local},
    },
    config::{self, Loaded, diff::Diff},
    domain::{ReceiptId, ladder::Reach, sla::BREACHED},
    intake::{self, Rules},
    store::{
        Store,
        generations::{Move, OpenPromise, PromisePlace},
    },
};

/// Before the first page.
pub(in crate::cli) const FIRST: PromisePlace = (i64::MIN, i64::MIN);
/// Promises in one page.
const PAGE: u32 = 1_000;
/// Examples that are shown.
const EXAMPLES: usize = 10;

/// Everything it would mean.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::cli) struct Effect {
    /// Open promises that were looked at; those that are breached stay so and are not among them.
    pub(in crate::cli) open: u64,
    pub(in crate::cli) breached_already: i64,
    /// By kind, receiver and agreement.
    pub(in crate::cli) groups: Vec<Group>,
    /// The first of them, in the order of their next step.
    pub(in crate::cli) examples: Vec<Example>,
    /// Receivers whose lane is another, with what waits for them.
    pub(in crate::cli) lanes: Vec<Lane>,
}

/// Promises that would get another deadline.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::cli) struct Group {
    kind: String,
    receiver: String,
    agreement: Option<String>,
    pub(in crate::cli) count: u64,
    earlier: u64,
    later: u64,
    /// Their new deadline lies behind us already.
    pub(in crate::cli) breached_at_once: u64,
    /// Second ways that are held, whose time would move with the deadline.
    second_ways: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::cli) struct Example {
    receipt_id: ReceiptId,
    message_id: String,
    kind: String,
    receiver: String,
    old_due: Timestamp,
    new_due: Timestamp,
}

#[derive(Debug, Serialize)]
pub(in crate::cli) struct Lane {
    receiver: String,
    /// `changed` or `gone`.
    becomes: &'static str,
    pending: i64,
}

/// Reckons it; writes nothing.
pub(in crate::cli) async fn of(store: &dyn Store, loaded: &Loaded, diff: &Diff) -> Result<Effect, Failure> {
    let rules = config::rules(&loaded.settings, 0).map_err(Failure::configuration)?;
    let (mut effect, now) = (Effect::none(), now());
    let mut groups: BTreeMap<(String, String, Option<String>), Group> = BTreeMap::new();
    let mut after = FIRST;
    while let Some((moves, open)) = page(store, &rules, &mut after).await? {
        effect.open += open;
        for (promise, Move { to, .. }) in moves {
            let key = (promise.kind.clone(), promise.receiver.clone(), promise.agreement.clone());
            let group = groups.entry(key).or_insert_with(|| Group::of(&promise));
            group.count += 1;
            group.earlier += u64::from(to.course.due < promise.due);
            group.later += u64::from(to.course.due > promise.due);
            group.breached_at_once += u64::from(to.course.due <= now);
            group.second_ways += u64::from(promise.second_held);
            if effect.examples.len() < EXAMPLES {
                effect.examples.push(Example {
                    receipt_id: promise.receipt,
                    message_id: promise.message_id,
                    kind: promise.kind,
                    receiver: promise.receiver,
                    old_due: promise.due,
                    new_due: to.course.due,
                });
            }
        }
    }
    effect.groups = groups.into_values().collect();
    let endangered = store.endangered(Reach { share: BREACHED, due: vec![] }).await?;
    effect.breached_already = endangered.iter().filter(|e| e.step >= BREACHED).map(|e| e.count).sum();
    effect.lanes = lanes(store, loaded, diff).await?;
    Ok(effect)
}

/// One page of open promises, as far as the rules say otherwise, and how many were looked at. `None`: there is none.
pub(in crate::cli) async fn page(
    store: &dyn Store,
    rules: &Rules,
    after: &mut PromisePlace,
) -> Result<Option<(Vec<(OpenPromise, Move)>, u64)>, Failure> {
    let open = store.open_promises(*after, PAGE).await?;
    let Some(last) = open.last() else { return Ok(None) };
    *after = last.place;
    let count = open.len() as u64;
    let moves = open.into_iter().filter_map(|one| intake::moved(rules, &one).map(|to| (one, to)));
    Ok(Some((moves.collect(), count)))
}

/// Receivers whose settings differ, with what waits for them.
async fn lanes(store: &dyn Store, loaded: &Loaded, diff: &Diff) -> Result<Vec<Lane>, Failure> {
    let backlogs = store.backlogs().await?;
    let lane = |backlog: &crate::store::views::Backlog| {
        let name = &backlog.receiver;
        let of_it = format!("receiver[{name}].");
        let known = loaded.settings.receiver.iter().any(|r| r.common.name() == name);
        let changed = diff.changes.iter().any(|change| change.key.starts_with(&of_it));
        let becomes = if known { changed.then_some("changed")? } else { "gone" };
        Some(Lane { receiver: name.clone(), becomes, pending: backlog.pending })
    };
    Ok(backlogs.iter().filter(|backlog| backlog.pending > 0).filter_map(lane).collect())
}

impl Group {
    fn of(promise: &OpenPromise) -> Self {
        let (kind, receiver) = (promise.kind.clone(), promise.receiver.clone());
        let agreement = promise.agreement.clone();
        Self {
            kind,
            receiver,
            agreement,
            count: 0,
            earlier: 0,
            later: 0,
            breached_at_once: 0,
            second_ways: 0,
        }
    }
}

impl Effect {
    fn none() -> Self {
        Self { open: 0, breached_already: 0, groups: vec![], examples: vec![], lanes: vec![] }
    }

    pub(in crate::cli) fn count(&self) -> u64 {
        self.groups.iter().map(|group| group.count).sum()
    }

    /// In words and tables.
    pub(in crate::cli) fn print(&self, output: &Output) {
        output.heading(&format!(
            "Of {} open promises {} would get another deadline, and only if they are moved: kassebro sla recompute",
            self.open,
            self.count()
        ));
        if !self.groups.is_empty() {
            let columns = [
                "kind",
                "receiver",
                "agreement",
                "promises",
                "earlier",
                "later",
                "breached at once",
                "second ways",
            ];
            let row = |g: &Group| {
                let agreement = g.agreement.clone().unwrap_or_else(|| "-".to_owned());
                let numbers =
                    [g.count, g.earlier, g.later, g.breached_at_once, g.second_ways].map(|n| n.to_string());
                [g.kind.clone(), g.receiver.clone(), agreement].into_iter().chain(numbers).collect()
            };
            output.line(Output::table(&columns, self.groups.iter().map(row)));
            output.heading("The first of them");
            let row = |e: &Example| {
                let times = [local(e.old_due), local(e.new_due)];
                [e.receipt_id.to_string(), e.message_id.clone(), e.receiver.clone()]
                    .into_iter()
                    .chain(times)
                    .collect()
            };
            let columns = ["receipt", "message", "receiver", "due", "would be due"];
            output.line(Output::table(&columns, self.examples.iter().map(row)));
        }
        if self.breached_already > 0 {
            output.line(format_args!("{} are breached already and stay so.", self.breached_already));
        }
        for Lane { receiver, becomes, pending } in &self.lanes {
            let means = match *becomes {
                "gone" => "is configured no more: they wait until it is, or until they are cancelled",
                _ => "has other settings: its lane is started anew",
            };
            output.line(format_args!("{receiver}, with {pending} pending deliveries, {means}."));
        }
    }
}
