//! An a-kasse as the broker knows it: its user, its connection, and its messages.

use std::sync::LazyLock;

use jiff::{SignedDuration, Timestamp};
use kassebro::{
    clock::{Clock, System},
    tools::generate,
};
use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable},
};
use serde_json::Value;

use crate::support::{
    broker::{Broker, Rights},
    session::{Published, Session},
};

/// The a-kasse whose messages a test is about, and another one.
pub(crate) const FUND: &str = "3f";
pub(crate) const OTHER: &str = "hk";
/// The jobcenter of all of them.
pub(crate) const JOBCENTER: &str = "0101";
const FUND_URN: &str = "urn:dk:akasse:3f";
const JOBCENTER_URN: &str = "urn:dk:jobcenter:0101";

/// An a-kasse with its user and its connection.
pub(crate) struct Fund {
    pub(crate) code: &'static str,
    pub(crate) user: String,
    uri: String,
    session: Session,
}

impl Fund {
    /// With a user of its own on that broker.
    pub(super) async fn new(broker: &mut Broker, code: &'static str) -> Self {
        let user = broker.own_name(code);
        let uri = broker.add_user(&user, Rights::ALL);
        let session = Session::open(&uri).await;
        Self { code, user, uri, session }
    }

    /// Where it connects, as itself.
    pub(crate) fn uri(&self) -> &str {
        &self.uri
    }

    /// Its API key.
    pub(super) fn key(&self) -> String {
        format!("key-of-{}", self.user)
    }

    /// Properties as a sender sets them.
    pub(crate) fn properties(&self) -> BasicProperties {
        BasicProperties::default().with_delivery_mode(2).with_user_id(self.user.as_str().into())
    }

    /// Publishes a structured event and has the broker's word for it.
    pub(crate) async fn publish(&self, event: &[u8]) {
        self.publish_with(self.properties().with_content_type("application/cloudevents+json".into()), event)
            .await;
    }

    /// Publishes anything.
    pub(crate) async fn publish_with(&self, properties: BasicProperties, body: &[u8]) {
        let key = format!("{}.message", self.code);
        let published = self.session.publish("kassebro.messages", &key, properties, body).await;
        assert_eq!(published.expect("the broker takes it"), Published::Confirmed);
    }

    /// Publishes with this routing key; gives the broker's refusal of the channel.
    pub(crate) async fn publish_to(
        &self,
        key: &str,
        properties: BasicProperties,
        body: &[u8],
    ) -> lapin::Result<Published> {
        self.session.publish("kassebro.messages", key, properties, body).await
    }

    /// Connects anew, after the node was away.
    pub(crate) async fn reconnect(&mut self) {
        self.session = Session::open(&self.uri).await;
    }

    /// The queue that its messages lie in.
    pub(crate) fn queue_in(&self) -> String {
        format!("kassebro.in.{}", self.code)
    }

    pub(crate) fn queue_out(&self) -> String {
        format!("kassebro.out.{}", self.code)
    }
}

/// A structured event of the fund's for the jobcenter, a little old; the same for the same seed and id.
pub(crate) fn event(kind: &str, seed: u64, id: &str) -> Value {
    static HAPPENED: LazyLock<Timestamp> = LazyLock::new(|| System.now() - SignedDuration::from_mins(1));
    generate::event(kind, seed, id, FUND_URN, JOBCENTER_URN, *HAPPENED)
}

/// The same from the jobcenter to the fund.
pub(crate) fn event_back(kind: &str, seed: u64, id: &str) -> Value {
    let mut event = event(kind, seed, id);
    event["source"] = JOBCENTER_URN.into();
    event["receiver"] = FUND_URN.into();
    event
}

/// Its bytes.
pub(crate) fn body(kind: &str, seed: u64, id: &str) -> Vec<u8> {
    event(kind, seed, id).to_string().into_bytes()
}

/// So many messages of mixed kinds, with their ids.
pub(crate) fn messages(count: usize, label: &str) -> Vec<(String, Vec<u8>)> {
    (0..count)
        .map(|number| {
            let id = format!("{label}-{number}");
            let kind = generate::KINDS[number % generate::KINDS.len()];
            let body = body(kind, number as u64, &id);
            (id, body)
        })
        .collect()
}

/// Headers with text values.
pub(crate) fn headers(values: &[(&str, &str)]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in values {
        table.insert((*name).into(), AMQPValue::LongString((*value).into()));
    }
    table
}
