//! A RabbitMQ cluster of three nodes, for tests that take nodes away: started by the first that asks, and ended by the
//! last.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};

use super::{
    broker::NodeAddress,
    eventually::eventually,
    folder,
    node::{broker_command, place, run},
};

/// Folders of the nodes, as `tests/broker cluster` makes them.
const MEMBERS: [&str; 3] = ["one", "two", "three"];
/// Until the nodes know of each other what all of them say.
const AGREED: Duration = Duration::from_mins(2);

static SHARED: Mutex<Option<Nodes>> = Mutex::const_new(None);
/// Tests that wait for the cluster.
static WAITING: AtomicUsize = AtomicUsize::new(0);

struct Nodes {
    folder: TempDir,
    addresses: Vec<NodeAddress>,
}

impl Drop for Nodes {
    fn drop(&mut self) {
        // Its folder goes next, and tests/run ends what this cannot.
        drop(broker_command("end", self.folder.path(), &[]).output());
    }
}

/// The three nodes, all running at first, for one test at a time.
pub(crate) struct Cluster {
    nodes: MutexGuard<'static, Option<Nodes>>,
}

impl Cluster {
    /// Waits for its turn.
    pub(crate) async fn whole() -> Self {
        WAITING.fetch_add(1, Ordering::SeqCst);
        let mut nodes = SHARED.lock().await;
        WAITING.fetch_sub(1, Ordering::SeqCst);
        if nodes.is_none() {
            let folder = folder("cluster");
            run("cluster", folder.path(), &[]).await;
            let mut addresses = Vec::new();
            for member in MEMBERS {
                let told = run("env", &folder.path().join(member), &[]).await;
                addresses.push(NodeAddress::new(|name| place(&told, name)));
            }
            *nodes = Some(Nodes { folder, addresses });
        }
        let cluster = Self { nodes };
        // A test that failed may have left some of them dead.
        cluster.start(&[0, 1, 2]).await;
        cluster
    }

    fn nodes(&self) -> &Nodes {
        self.nodes.as_ref().expect("it was started")
    }

    /// A node, by its number from 0 on.
    pub(crate) fn address(&self, node: usize) -> &NodeAddress {
        &self.nodes().addresses[node]
    }

    /// Hosts and ports of the nodes in that order, as one address names them.
    pub(crate) fn hosts(&self, order: [usize; 3]) -> String {
        order.map(|node| self.address(node).authority()).join(",")
    }

    /// `rabbit@host` of a node.
    pub(crate) fn name(&self, node: usize) -> String {
        let (_, port) = self.address(node).authority().split_once(':').expect("a port");
        format!("test-{port}@localhost")
    }

    fn place(&self, node: usize) -> PathBuf {
        self.nodes().folder.path().join(MEMBERS[node])
    }

    /// `kill -9`, all of them at once.
    pub(crate) async fn kill(&self, nodes: &[usize]) {
        let more: Vec<_> = nodes[1..].iter().map(|node| self.place(*node).display().to_string()).collect();
        let more: Vec<_> = more.iter().map(String::as_str).collect();
        run("strike", &self.place(nodes[0]), &more).await;
    }

    /// Stops a node in order.
    pub(crate) async fn stop(&self, node: usize) {
        run("stop", &self.place(node), &[]).await;
    }

    /// Over TLS the node shows this certificate from now on, as [`super::node::Node::show`].
    pub(crate) async fn show(&self, node: usize, which: &str) {
        run("show", &self.place(node), &[which]).await;
    }

    /// Starts nodes at once, and waits until all three know that all three run.
    pub(crate) async fn start(&self, nodes: &[usize]) {
        let places: Vec<_> = nodes.iter().map(|node| self.place(*node)).collect();
        futures_util::future::join_all(places.iter().map(|place| run("start", place, &[]))).await;
        eventually("the cluster is whole", AGREED, async || {
            (0..3).all(|node| self.sees_all(node)).then_some(())
        })
        .await;
    }

    fn sees_all(&self, node: usize) -> bool {
        let Some(nodes) = self.asked(node, "/api/nodes") else { return false };
        nodes.as_array().is_some_and(|nodes| nodes.len() == 3 && nodes.iter().all(|n| n["running"] == true))
    }

    /// What the management interface of a node says, if it answers.
    pub(crate) fn asked(&self, node: usize, path: &str) -> Option<Value> {
        let answer = self.address(node).management().get(path).ok()?;
        (answer.status == 200).then(|| serde_json::from_str(&answer.body).ok())?
    }

    /// Which node leads a queue, as that node sees it.
    pub(crate) async fn leader(&self, asked: usize, vhost: &str, queue: &str) -> usize {
        eventually(&format!("{queue} has a leader"), AGREED, async || {
            let told = self.asked(asked, &format!("/api/queues/{vhost}/{queue}"))?;
            let leader = told["leader"].as_str()?.to_owned();
            (0..3).find(|node| self.name(*node) == leader)
        })
        .await
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if WAITING.load(Ordering::SeqCst) == 0 {
            *self.nodes = None;
        }
    }
}
