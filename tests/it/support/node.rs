//! A RabbitMQ node of the test's own, for tests that take the broker away.

use std::{path::Path, process::Command};

use tempfile::TempDir;

use super::{broker::NodeAddress, folder};

/// A private node. It takes about ten seconds to start: tests that only need a broker share one
/// ([`super::broker::Broker::fresh`]). Dropping it ends the node and its epmd.
pub(crate) struct Node {
    folder: TempDir,
    pub(crate) address: NodeAddress,
}

impl Node {
    pub(crate) async fn start() -> Self {
        let folder = folder("node");
        run("start", folder.path(), &[]).await;
        let places = run("env", folder.path(), &[]).await;
        let address = NodeAddress::new(|name| place(&places, name));
        Self { folder, address }
    }

    /// `kill -9`: what was not on disk is lost, and connections break. Only the names of quorum queues are
    /// written first (`tests/broker` says why).
    pub(crate) async fn kill(&self) {
        run("kill", self.folder.path(), &[]).await;
    }

    /// Stops in order: connections are closed with a reason.
    pub(crate) async fn stop(&self) {
        run("stop", self.folder.path(), &[]).await;
    }

    /// Starts it again, with its data and on its old ports; returns when it takes connections.
    pub(crate) async fn start_again(&self) {
        run("start", self.folder.path(), &[]).await;
    }

    /// Over TLS it shows this certificate from now on: `sound`, `expired`, `other-host`, `other-authority`.
    pub(crate) async fn show(&self, which: &str) {
        run("show", self.folder.path(), &[which]).await;
    }

    /// What `rabbitmqctl` prints.
    pub(crate) async fn ctl(&self, arguments: &[&str]) -> String {
        run("ctl", self.folder.path(), arguments).await
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Its folder goes next, and tests/run ends what this cannot.
        drop(broker_command("end", self.folder.path(), &[]).output());
    }
}

/// What `tests/broker env` says under a name.
pub(super) fn place(told: &str, name: &str) -> String {
    let line = told.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    line.unwrap_or_else(|| panic!("tests/broker env says {name}")).to_owned()
}

/// Every verb of `tests/broker` has bounds of its own.
pub(super) async fn run(verb: &'static str, folder: &Path, arguments: &[&str]) -> String {
    let mut command = broker_command(verb, folder, arguments);
    let output =
        tokio::task::spawn_blocking(move || command.output()).await.expect("the call does not panic");
    let output = output.expect("tests/broker can be started");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "tests/broker {verb}: {complaint}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(super) fn broker_command(verb: &str, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/broker"));
    command.arg(verb).arg(folder).args(arguments);
    command
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use lapin::BasicProperties;

    use super::*;
    use crate::support::{
        broker::Broker,
        eventually::eventually,
        session::{Published, QueueKind},
    };

    #[tokio::test]
    async fn what_was_confirmed_survives_a_kill_and_a_stop() {
        let node = Node::start().await;
        let mut broker = Broker::fresh_on(node.address.clone()).await;
        broker.admin.declare_queue("kept", QueueKind::Quorum).await;
        let persistent = BasicProperties::default().with_delivery_mode(2);
        let published = broker.admin.publish("", "kept", persistent, b"still here").await;
        assert_eq!(published.expect("the channel lives"), Published::Confirmed);

        node.kill().await;
        eventually("the connection broke", Duration::from_secs(10), async || {
            (!broker.admin.is_open()).then_some(())
        })
        .await;
        node.start_again().await;
        broker.reconnect().await;
        node.stop().await;
        node.start_again().await;
        broker.reconnect().await;

        let fetched = eventually("the queue has its leader again", Duration::from_secs(20), async || {
            broker.admin.fetch("kept").await
        });
        assert_eq!(fetched.await.body, b"still here");
        assert!(node.ctl(&["list_vhosts", "--silent"]).await.lines().count() >= 2);
    }
}
