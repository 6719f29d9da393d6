//! What the configuration has to do with: a reading of it that failed, nodes that run another one, and deliveries to
//! receivers that it does not know any more.

use std::collections::BTreeSet;

use futures_util::{FutureExt, future::BoxFuture};
use jiff::{SignedDuration, Timestamp};

use super::{Desk, Watcher};
use crate::{
    domain::alert::{Condition, Urgency},
    store::{
        StoreError,
        generations::{Generation, NodeReport},
        views::Backlog,
    },
};

pub(super) struct Configuration;

const FAILED: &str = "KassebroConfigReloadFailed";
const DIFFERS: &str = "KassebroConfigDiffers";
const GONE: &str = "KassebroReceiverGone";
/// How long nodes may take to come to the newest generation.
const DIFFERS_AFTER: SignedDuration = SignedDuration::from_mins(3);

impl Watcher for Configuration {
    fn names(&self) -> &'static [&'static str] {
        &[FAILED, DIFFERS, GONE]
    }

    fn conditions<'a>(
        &'a self,
        desk: &'a Desk,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Condition>, StoreError>> {
        async move {
            let mut nodes = desk.store.nodes().await?;
            nodes.retain(|node| node.is_there(now));
            let newest = desk.store.generations(1).await?.pop();
            let backlogs = desk.backlogs().await?;
            let differ = nodes.iter().filter_map(|node| differs(node, newest.as_ref()?, now));
            Ok(nodes
                .iter()
                .filter_map(failed)
                .chain(differ)
                .chain(gone(&backlogs, &desk.receivers, now))
                .collect())
        }
        .boxed()
    }
}

/// The node's last reading of its configuration failed.
fn failed(node: &NodeReport) -> Option<Condition> {
    let since: Timestamp = node.failed["at"].as_str()?.parse().ok()?;
    let problems: Vec<&str> =
        node.failed["problems"].as_array().into_iter().flatten().filter_map(|p| p.as_str()).collect();
    let NodeReport { node, generation, .. } = node;
    let condition = Condition::new(FAILED, Urgency::Warning, &[("node", node)], since)
        .summary(format!(
            "{node} could not put its configuration in force and goes on with generation {generation}"
        ))
        .description(format!("{}; kassebro check; then kassebro config reload", problems.join("; ")));
    Some(condition)
}

/// The node runs another generation than the newest, and has had the time to change.
fn differs(node: &NodeReport, newest: &Generation, now: Timestamp) -> Option<Condition> {
    if node.generation == newest.number || now.duration_since(newest.activated) < DIFFERS_AFTER {
        return None;
    }
    let NodeReport { node, generation, .. } = node;
    let condition = Condition::new(DIFFERS, Urgency::Warning, &[("node", node)], newest.activated)
        .summary(format!(
            "{node} runs generation {generation} of the configuration, and the newest is {}",
            newest.number
        ))
        .description(format!(
            "kassebro config diff {generation} {}; then kassebro config reload on that node",
            newest.number
        ));
    Some(condition)
}

/// Deliveries that wait for a receiver whom no lane serves.
fn gone<'a>(
    backlogs: &'a [Backlog],
    known: &'a BTreeSet<String>,
    now: Timestamp,
) -> impl Iterator<Item = Condition> + 'a {
    let waits = backlogs.iter().filter(|backlog| backlog.pending > 0 && !known.contains(&backlog.receiver));
    waits.map(move |Backlog { receiver, pending, oldest, .. }| {
        Condition::new(GONE, Urgency::Critical, &[("receiver", receiver)], oldest.unwrap_or(now))
            .summary(format!(
                "{pending} deliveries wait for {receiver}, who is in the configuration no more: nobody sends them"
            ))
            .description(format!(
                "configure the receiver again and reload, or cancel them: kassebro deliveries list --receiver {receiver}"
            ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::generations::How;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn node(generation: u64) -> NodeReport {
        NodeReport {
            node: "a:1".into(),
            generation,
            roles: "watch".into(),
            started: at(0),
            since: at(0),
            seen: at(0),
            asked: 0,
            failed: serde_json::Value::Null,
        }
    }

    #[test]
    fn a_node_has_minutes_to_come_to_the_newest_generation() {
        let newest = Generation {
            number: 4,
            activated: at(0),
            by: "cli:x".into(),
            how: How::Reload,
            of: None,
            node: "b:1".into(),
            hash: String::new(),
        };
        assert_eq!(differs(&node(3), &newest, at(179)), None);
        let told = differs(&node(3), &newest, at(180)).expect("three minutes have passed");
        assert_eq!((told.key.as_str(), told.since), ("KassebroConfigDiffers/a:1", at(0)));
        assert_eq!(differs(&node(4), &newest, at(9_999)), None);
    }

    #[test]
    fn a_failed_reading_is_told_with_its_problems_until_one_works() {
        assert_eq!(failed(&node(3)), None);
        let problems =
            serde_json::json!({ "at": at(7), "kind": "invalid", "problems": ["a.toml:3: x", "b"] });
        let told = failed(&NodeReport { failed: problems, ..node(3) }).unwrap();
        assert_eq!(told.since, at(7));
        assert!(
            told.summary.contains("generation 3") && told.description.contains("a.toml:3: x; b"),
            "{told:?}"
        );
    }

    #[test]
    fn who_is_gone_is_told_only_while_something_waits() {
        let backlog =
            |receiver: &str, pending| Backlog { receiver: receiver.into(), pending, ..Backlog::default() };
        let backlogs = [backlog("kbh", 3), backlog("old", 2), backlog("older", 0)];
        let told: Vec<_> = gone(&backlogs, &BTreeSet::from(["kbh".to_owned()]), at(0)).collect();
        assert_eq!(told.len(), 1);
        assert_eq!((told[0].key.as_str(), told[0].urgency), ("KassebroReceiverGone/old", Urgency::Critical));
    }
}
