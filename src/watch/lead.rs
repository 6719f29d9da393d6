//! Which of several nodes says what should be alerted: one, and of one that runs an older configuration than another
//! the other. Else nodes that do not run the same would open and resolve each other's alerts.

use jiff::Timestamp;

use super::Desk;
use crate::store::{StoreError, generations::NodeReport};

/// One process of several does it.
const LEAD: &str = "watch/lead";
/// The role of a process that watches.
const ROLE: &str = "watch";

/// Whether this node does it now. What it saw before it leads is as good as what it sees then: it looks each second.
pub(super) async fn leads(desk: &Desk, now: Timestamp) -> Result<bool, StoreError> {
    if gives_way(&desk.store.nodes().await?, desk.generation, now) {
        return Ok(false);
    }
    desk.store.lead(LEAD.to_owned()).await
}

/// Another that watches runs a newer configuration.
fn gives_way(nodes: &[NodeReport], own: u64, now: Timestamp) -> bool {
    let watches = |node: &NodeReport| node.roles.split(", ").any(|role| role == ROLE);
    nodes.iter().any(|node| node.generation > own && node.is_there(now) && watches(node))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, sync::Arc, time::Duration};

    use jiff::SignedDuration;

    use super::*;
    use crate::{
        clock::{Clock, System},
        domain::ladder::Ladders,
        store::{
            Store,
            generations::Order,
            sqlite::{Mode, Sqlite},
        },
        telemetry::Metrics,
        watch::{Danger, Survey, gauges, look},
    };

    /// Somebody who watches by that configuration.
    fn desk(store: &Arc<dyn Store>, generation: u64) -> Desk {
        Desk {
            store: Arc::clone(store),
            clock: Arc::new(System),
            metrics: Metrics::new(),
            period: Duration::from_millis(500),
            backlog_age: Duration::from_hours(1),
            survey: Survey::default(),
            danger: Danger::default(),
            ladders: Arc::new(Ladders::new(vec![])),
            generation,
            agreements: Arc::new([]),
            agreement_expiry_days: 60,
            receivers: BTreeSet::default(),
        }
    }

    #[tokio::test]
    async fn alerts_are_opened_and_resolved_by_the_newest_configuration_that_watches() {
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(&folder.path().join("store"), Mode::Daemon).unwrap();
        let store: Arc<dyn Store> = Arc::new(store);
        let open = async || store.open_alerts().await.unwrap().len();
        let watch = async |generation| {
            let desk = desk(&store, generation);
            let mut shown = gauges::Shown::new(&*desk.clock);
            look(&desk, &mut BTreeSet::new(), &mut shown).await.unwrap();
        };
        let now = System.now();
        let newer = NodeReport {
            node: "b:1".into(),
            generation: 2,
            roles: "watch".into(),
            started: now,
            since: now,
            seen: now,
            asked: 0,
            failed: serde_json::Value::Null,
        };
        store.configure(Order::Report(Box::new(newer))).await.unwrap();
        watch(1).await;
        assert_eq!(open().await, 0, "not by an older one");
        watch(2).await;
        assert_eq!(open().await, 1, "the one that always fires");
        store.configure(Order::Leave { node: "b:1".into() }).await.unwrap();
        let names = vec![crate::domain::alert::WATCHDOG];
        store.reconcile_alerts(names, vec![], now).await.unwrap();
        watch(1).await;
        assert_eq!(open().await, 1, "once that one has gone the older watches again");
    }

    #[test]
    fn who_runs_an_older_configuration_than_another_that_watches_gives_way_while_that_one_is_there() {
        let now: Timestamp = "2026-03-02T08:00:00Z".parse().unwrap();
        let node = |generation, roles: &str, seen| NodeReport {
            node: "a:1".into(),
            generation,
            roles: roles.into(),
            started: now,
            since: now,
            seen,
            asked: 0,
            failed: serde_json::Value::Null,
        };
        let long_ago = now - SignedDuration::from_mins(2);
        for (other, gives) in [
            (node(3, "intake, watch", now), true),
            (node(2, "intake, watch", now), false),
            (node(1, "intake, watch", now), false),
            (node(3, "intake, dispatch", now), false),
            (node(3, "watch", long_ago), false),
        ] {
            assert_eq!(gives_way(&[node(2, "watch", now), other.clone()], 2, now), gives, "{other:?}");
        }
    }
}
