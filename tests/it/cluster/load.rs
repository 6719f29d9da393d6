//! Senders that go on whatever happens to the nodes: each message is sent, under one id, until a node confirms it.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

use futures_util::{StreamExt, future::join_all};
use lapin::{
    Channel, Confirmation, Connection, ConnectionProperties, Consumer,
    options::{
        BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
    },
    types::FieldTable,
};
use serde_json::Value;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::support::{
    cluster::Cluster,
    eventually::eventually,
    scene::{Fund, SOON, Served, body, through},
};

/// Between two messages of one sender.
const PACE: Duration = Duration::from_millis(20);
/// A confirm that has not come by then may never come: the message is sent again, to another node.
const CONFIRM: Duration = Duration::from_secs(5);
/// Until a message is confirmed by somebody: longer than any outage of a test.
const PERSISTENCE: Duration = Duration::from_mins(4);
/// Senders at once.
const SENDERS: usize = 2;

/// What was sent, all of it confirmed.
#[derive(Debug, Default)]
pub(super) struct Sent {
    pub(super) ids: Vec<String>,
    /// Sendings that nobody confirmed, or that found no node.
    pub(super) unconfirmed: u64,
}

/// Confirms so far, of all senders.
#[derive(Default)]
pub(super) struct Confirmed(AtomicU64);

impl Confirmed {
    pub(super) fn count(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// One sender's connection, to whichever node lives.
struct Sender<'a> {
    fund: &'a Fund,
    /// The fund's address at each node.
    uris: Vec<String>,
    node: usize,
    session: Option<(Connection, Channel)>,
}

impl Sender<'_> {
    async fn send(&mut self, body: &[u8]) -> Option<()> {
        let confirmed = timeout(CONFIRM, self.try_sending(body)).await;
        if matches!(confirmed, Ok(Some(()))) {
            return Some(());
        }
        self.session = None;
        self.node = (self.node + 1) % self.uris.len();
        None
    }

    async fn try_sending(&mut self, body: &[u8]) -> Option<()> {
        if self.session.is_none() {
            let uri = &self.uris[self.node];
            let connection = Connection::connect(uri, ConnectionProperties::default()).await.ok()?;
            let channel = connection.create_channel().await.ok()?;
            channel.confirm_select(ConfirmSelectOptions::default()).await.ok()?;
            self.session = Some((connection, channel));
        }
        let (_, channel) = self.session.as_ref()?;
        let properties = self.fund.properties().with_content_type("application/cloudevents+json".into());
        let key = format!("{}.message", self.fund.code);
        let options = BasicPublishOptions { mandatory: true, ..Default::default() };
        let sent =
            channel.basic_publish("kassebro.messages".into(), key.as_str().into(), options, body, properties);
        // An alert or a refusal is no confirm.
        matches!(sent.await.ok()?.await.ok()?, Confirmation::Ack(None)).then_some(())
    }
}

/// Publishes at a steady pace for as long as `work` goes on, and until what was begun is confirmed.
pub(super) async fn under_load(
    cluster: &Cluster,
    fund: &Fund,
    label: &str,
    confirmed: &Confirmed,
    work: impl Future<Output = ()>,
) -> Sent {
    let over = AtomicBool::new(false);
    let uris: Vec<_> = (0..3).map(|node| through(fund.uri(), cluster.address(node).authority())).collect();
    let senders = (0..SENDERS).map(|number| {
        let sender = Sender { fund, uris: uris.clone(), node: number, session: None };
        steady(sender, format!("{label}-{number}"), confirmed, &over)
    });
    let working = async {
        work.await;
        over.store(true, Ordering::SeqCst);
    };
    let (sent, ()) = tokio::join!(join_all(senders), working);
    sent.into_iter().fold(Sent::default(), |mut all, one| {
        all.ids.extend(one.ids);
        all.unconfirmed += one.unconfirmed;
        all
    })
}

async fn steady(mut sender: Sender<'_>, label: String, confirmed: &Confirmed, over: &AtomicBool) -> Sent {
    let (mut sent, mut pace) = (Sent::default(), interval(PACE));
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !over.load(Ordering::SeqCst) {
        pace.tick().await;
        let number = sent.ids.len() as u64;
        let id = format!("{label}-{number}");
        let event = body("complaint", number, &id);
        eventually(&format!("{id} is confirmed"), PERSISTENCE, async || {
            let taken = sender.send(&event).await;
            sent.unconfirmed += u64::from(taken.is_none());
            taken
        })
        .await;
        confirmed.0.fetch_add(1, Ordering::SeqCst);
        sent.ids.push(id);
    }
    sent
}

/// Waits until messages flow again through whoever serves.
pub(super) async fn flows(inbox: &Served) {
    let before = inbox.handle.stats().unique;
    eventually("messages flow", SOON, async || (inbox.handle.stats().unique > before + 20).then_some(()))
        .await;
}

async fn reader(uri: &str, queue: &str) -> lapin::Result<(Connection, Consumer)> {
    let connection = Connection::connect(uri, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.basic_qos(500, BasicQosOptions::default()).await?;
    let options = BasicConsumeOptions::default();
    let answers = channel.basic_consume(queue.into(), "".into(), options, FieldTable::default()).await?;
    Ok((connection, answers))
}

/// Takes answers out of the fund's queue until every one of these messages was told to be delivered. Each answer may
/// come again, and then under the id of the first.
pub(super) async fn assert_answered(uri: &str, fund: &Fund, ids: &[String]) {
    let (mut told, mut answer_ids) = (BTreeSet::new(), BTreeSet::new());
    let missing = ids.len();
    let queue = fund.queue_out();
    let (_connection, mut answers) = eventually("answers can be read", SOON, async || {
        timeout(CONFIRM, reader(uri, &queue)).await.ok()?.ok()
    })
    .await;
    let reading = async {
        while told.len() < missing {
            let answer = answers.next().await.unwrap().unwrap();
            answer.ack(BasicAckOptions::default()).await.unwrap();
            let event: Value = serde_json::from_slice(&answer.data).unwrap();
            if event["data"]["outcome"] == "delivered" {
                told.insert(event["correlationid"].as_str().unwrap().to_owned());
                answer_ids.insert(event["id"].as_str().unwrap().to_owned());
            }
        }
    };
    let read = timeout(SOON, reading).await;
    let unheard: Vec<_> = ids.iter().filter(|id| !told.contains(*id)).take(5).collect();
    assert!(read.is_ok(), "{} of {missing} messages were answered; not {unheard:?} and others", told.len());
    assert_eq!(answer_ids.len(), ids.len(), "one answer for each message, however often it came");
}
