//! RabbitMQ for one test: a virtual host of its own, and users with chosen rights.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

use serde_json::{Value, json};

use super::{http, node, session::Session, setting};

/// A node, and who its administrator is.
#[derive(Debug, Clone)]
pub(crate) struct NodeAddress {
    /// `127.0.0.1:5672`
    authority: String,
    user: String,
    password: String,
    management: http::Server,
    /// Where it listens for TLS.
    amqps: String,
    folder: PathBuf,
}

impl NodeAddress {
    /// The node that `tests/run` started for all tests.
    pub(crate) fn shared() -> Self {
        Self::new(setting)
    }

    /// From what `tests/broker env` says.
    pub(crate) fn new(said: impl Fn(&str) -> String) -> Self {
        let (uri, management) = (said("KASSEBRO_TEST_AMQP"), said("KASSEBRO_TEST_MANAGEMENT"));
        let rest = uri.strip_prefix("amqp://").expect("an amqp URI");
        let (credentials, rest) = rest.split_once('@').expect("a URI with credentials");
        let (user, password) = credentials.split_once(':').expect("a user and a password");
        let authority = rest.split('/').next().unwrap_or(rest);
        Self {
            authority: authority.to_owned(),
            user: user.to_owned(),
            password: password.to_owned(),
            management: http::Server::at(management).with_password(user, password),
            amqps: said("KASSEBRO_TEST_AMQPS"),
            folder: said("KASSEBRO_TEST_BROKER_DIR").into(),
        }
    }

    /// `127.0.0.1:5672`
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// Where it listens for TLS: `127.0.0.1:5671`
    pub(crate) fn amqps(&self) -> &str {
        &self.amqps
    }

    /// Its management interface, as its administrator.
    pub(crate) fn management(&self) -> &http::Server {
        &self.management
    }

    /// A PEM file of the node's: `ca.pem` is the authority that vouches for it.
    pub(crate) fn pem(&self, name: &str) -> PathBuf {
        self.folder.join("tls").join(name)
    }
}

/// What a user may configure, write and read: RabbitMQ's patterns, which match anywhere unless anchored.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rights<'a> {
    pub(crate) configure: &'a str,
    pub(crate) write: &'a str,
    pub(crate) read: &'a str,
}

impl Rights<'_> {
    pub(crate) const ALL: Self = Self { configure: ".*", write: ".*", read: ".*" };
}

/// A virtual host of the test's own. Dropping it deletes it, its connections and its users.
pub(crate) struct Broker {
    node: NodeAddress,
    vhost: String,
    users: Vec<String>,
    /// The administrator, connected to the virtual host.
    pub(crate) admin: Session,
}

impl Broker {
    /// On the node that all tests share.
    pub(crate) async fn fresh() -> Self {
        Self::fresh_on(NodeAddress::shared()).await
    }

    pub(crate) async fn fresh_on(node: NodeAddress) -> Self {
        static CALLS: AtomicU32 = AtomicU32::new(0);
        let vhost = format!("t{}-{}", std::process::id(), CALLS.fetch_add(1, Ordering::Relaxed));
        manage(&node, "PUT", &format!("/api/vhosts/{vhost}"), &json!({}));
        let rights = json!({ "configure": ".*", "write": ".*", "read": ".*" });
        manage(&node, "PUT", &format!("/api/permissions/{vhost}/{}", node.user), &rights);
        let admin = Session::open(&uri(&node, &node.user, &node.password, &vhost)).await;
        Self { node, vhost, users: Vec::new(), admin }
    }

    pub(crate) fn vhost(&self) -> &str {
        &self.vhost
    }

    /// The virtual host for the administrator, who may do everything.
    pub(crate) fn uri(&self) -> String {
        uri(&self.node, &self.node.user, &self.node.password, &self.vhost)
    }

    /// The same over TLS.
    pub(crate) fn tls_uri(&self) -> String {
        let NodeAddress { user, password, amqps, .. } = &self.node;
        format!("amqps://{user}:{password}@{amqps}/{}", self.vhost)
    }

    /// Over TLS for whoever a certificate says.
    pub(crate) fn tls_uri_of_nobody(&self) -> String {
        format!("amqps://{}/{}", self.node.amqps, self.vhost)
    }

    /// A management address with its administrator.
    pub(crate) fn management_uri(&self) -> String {
        let NodeAddress { user, password, management, .. } = &self.node;
        format!("http://{user}:{password}@{}", management.authority())
    }

    /// A PEM file of the node's; see [`NodeAddress::pem`].
    pub(crate) fn pem(&self, name: &str) -> PathBuf {
        self.node.pem(name)
    }

    /// A certificate of the node's authority, and its key, for a client of that name.
    pub(crate) async fn client(&self, name: &str) -> [PathBuf; 2] {
        node::run("client", &self.node.folder, &[name]).await;
        [self.pem(&format!("{name}.pem")), self.pem(&format!("{name}.key"))]
    }

    /// `rabbitmqctl set_policy` in the virtual host.
    pub(crate) async fn set_policy(&self, name: &str, pattern: &str, definition: &Value) {
        self.ctl(&["set_policy", "-p", &self.vhost, name, pattern, &definition.to_string()]).await;
    }

    pub(crate) async fn clear_policy(&self, name: &str) {
        self.ctl(&["clear_policy", "-p", &self.vhost, name]).await;
    }

    async fn ctl(&self, arguments: &[&str]) {
        node::run("ctl", &self.node.folder, arguments).await;
    }

    /// What the management interface says of connections and consumers in the virtual host; empty as long as it
    /// has not heard.
    pub(crate) fn list(&self, what: &str) -> Vec<Value> {
        let path = match what {
            "consumers" => format!("/api/consumers/{}", self.vhost),
            _ => format!("/api/vhosts/{}/{what}", self.vhost),
        };
        self.manage(&path).as_ref().and_then(Value::as_array).cloned().unwrap_or_default()
    }

    /// The connections of the virtual host whose client calls itself by a name that begins so.
    pub(crate) fn connections(&self, beginning: &str) -> Vec<Value> {
        let mut connections = self.list("connections");
        connections.retain(|c| {
            c["client_properties"]["connection_name"].as_str().is_some_and(|name| name.starts_with(beginning))
        });
        connections
    }

    /// Adds a user with these rights in the virtual host, and gives the URI it connects with. The name is the
    /// whole node's: two tests that run at once may not both add `3f`; see [`Broker::own_name`].
    pub(crate) fn add_user(&mut self, name: &str, rights: Rights<'_>) -> String {
        let password = "not-a-secret";
        let user = json!({ "password": password, "tags": "" });
        manage(&self.node, "PUT", &format!("/api/users/{name}"), &user);
        self.users.push(name.to_owned());
        let rights = json!({ "configure": rights.configure, "write": rights.write, "read": rights.read });
        manage(&self.node, "PUT", &format!("/api/permissions/{}/{name}", self.vhost), &rights);
        uri(&self.node, name, password, &self.vhost)
    }

    /// `label` made unlike the same label in any other test.
    pub(crate) fn own_name(&self, label: &str) -> String {
        format!("{label}-{}", self.vhost)
    }

    /// What the management interface says at a path, if it answers.
    fn manage(&self, path: &str) -> Option<Value> {
        let answer = self.node.management.get(path).ok()?;
        (answer.status == 200).then(|| serde_json::from_str(&answer.body).ok())?
    }

    /// Closes connections of the virtual host whose client calls itself by a name that begins so; how many.
    pub(crate) fn close_connections(&self, beginning: &str) -> usize {
        let connections = self.connections(beginning);
        let ours: Vec<_> = connections.iter().filter_map(|c| c["name"].as_str()).collect();
        for name in &ours {
            let path = format!("/api/connections/{}", name.replace(' ', "%20").replace('>', "%3E"));
            drop(self.node.management.call("DELETE", &path, ""));
        }
        ours.len()
    }

    /// Connects the administrator anew, after the node was away.
    pub(crate) async fn reconnect(&mut self) {
        self.admin = Session::open(&self.uri()).await;
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let vhost = format!("/api/vhosts/{}", self.vhost);
        let users = self.users.iter().map(|name| format!("/api/users/{name}"));
        for path in users.chain([vhost]) {
            // A node that is gone has nothing to clean up.
            drop(self.node.management.call("DELETE", &path, ""));
        }
    }
}

fn uri(node: &NodeAddress, user: &str, password: &str, vhost: &str) -> String {
    format!("amqp://{user}:{password}@{}/{vhost}", node.authority)
}

fn manage(node: &NodeAddress, method: &str, path: &str, body: &Value) {
    let answer = node.management.call(method, path, &body.to_string());
    let answer = answer.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
    assert!((200..300).contains(&answer.status), "{method} {path}: {} {}", answer.status, answer.body);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use lapin::{BasicProperties, types::ShortString};

    use super::*;
    use crate::support::{
        eventually::eventually,
        session::{Published, QueueKind},
    };

    const SOON: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn a_message_goes_round_in_both_kinds_of_queue() {
        let broker = Broker::fresh().await;
        broker.admin.declare_exchange("in").await;
        for (queue, kind) in [("quorum", QueueKind::Quorum), ("classic", QueueKind::Classic)] {
            broker.admin.declare_queue(queue, kind).await;
            broker.admin.bind(queue, "in", &format!("{queue}.*")).await;
            let (key, properties) =
                (format!("{queue}.x"), BasicProperties::default().with_message_id("7".into()));
            let published = broker.admin.publish("in", &key, properties, b"hello").await;
            assert_eq!(published.expect("the channel lives"), Published::Confirmed);
            eventually("the message waits", SOON, async || {
                (broker.admin.depth(queue).await == 1).then_some(())
            })
            .await;
            let fetched = broker.admin.fetch(queue).await.expect("a message");
            assert_eq!(fetched.body, b"hello");
            assert_eq!(fetched.routing_key, key);
            assert_eq!(fetched.properties.message_id().as_ref().map(ShortString::as_str), Some("7"));
            assert!(!fetched.redelivered);
            assert!(broker.admin.fetch(queue).await.is_none());
        }
        let lost = broker.admin.publish("in", "nowhere", BasicProperties::default(), b"").await;
        assert_eq!(lost.expect("the channel lives"), Published::Returned);
    }

    #[tokio::test]
    async fn a_user_has_the_rights_it_was_given_and_no_other_name() {
        let mut broker = Broker::fresh().await;
        broker.admin.declare_queue("mine", QueueKind::Classic).await;
        let name = broker.own_name("sender");
        let uri = broker.add_user(&name, Rights { configure: "^$", write: "^amq[.]default$", read: "^$" });

        let sender = Session::open(&uri).await;
        let honest = BasicProperties::default().with_user_id(name.as_str().into());
        let published = sender.publish("", "mine", honest, b"").await;
        assert_eq!(published.expect("the channel lives"), Published::Confirmed);
        let forged = BasicProperties::default().with_user_id("another".into());
        assert!(sender.publish("", "mine", forged, b"").await.is_err());

        let sender = Session::open(&uri).await;
        assert!(sender.publish("amq.topic", "x", BasicProperties::default(), b"").await.is_err());
        let all = broker.add_user(&broker.own_name("other"), Rights::ALL);
        assert!(Session::open(&all).await.fetch("mine").await.is_some());
    }

    #[tokio::test]
    async fn a_dropped_broker_closes_what_was_connected_to_it() {
        let broker = Broker::fresh().await;
        let session = Session::open(&broker.uri()).await;
        assert!(session.is_open());
        drop(broker);
        eventually("the session is closed", SOON, async || (!session.is_open()).then_some(())).await;
    }
}
