//! One user's connection to a broker: what senders and receivers do there.

use std::time::Duration;

use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, ExchangeKind,
    options::{
        BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions,
        QueueDeclareOptions, QueueDeleteOptions,
    },
    types::{AMQPValue, FieldTable},
};

use super::eventually::eventually;

/// The longest any one step with the broker may take.
const STEP: Duration = Duration::from_secs(20);

/// The two kinds of queue the contract knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum QueueKind {
    Quorum,
    Classic,
}

/// What the broker said of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Published {
    /// It has it, in at least one queue.
    Confirmed,
    /// No queue takes this routing key.
    Returned,
    /// It could not take it.
    Refused,
}

/// One message as it lay in a queue.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) routing_key: String,
    pub(crate) redelivered: bool,
    pub(crate) properties: BasicProperties,
    pub(crate) body: Vec<u8>,
}

/// One user's connection with one channel in confirm mode.
pub(crate) struct Session {
    channel: Channel,
    connection: Connection,
}

impl Session {
    pub(crate) async fn open(uri: &str) -> Self {
        // A node that just came up may still reset the first that come.
        let connection = eventually("the broker lets us in", STEP, async || {
            match Connection::connect(uri, ConnectionProperties::default()).await {
                Ok(connection) => Some(connection),
                Err(error) if error.is_io_error() => None,
                Err(error) => panic!("the broker does not let us in: {error}"),
            }
        })
        .await;
        let channel = bounded("opening a channel", connection.create_channel()).await.expect("a channel");
        let confirm = channel.confirm_select(ConfirmSelectOptions::default());
        bounded("asking for confirms", confirm).await.expect("confirms");
        Self { channel, connection }
    }

    pub(crate) async fn declare_queue(&self, name: &str, kind: QueueKind) {
        let mut arguments = FieldTable::default();
        if kind == QueueKind::Quorum {
            arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
        }
        let declared = self.channel.queue_declare(name.into(), QueueDeclareOptions::durable(), arguments);
        bounded("declaring a queue", declared).await.expect("the queue can be declared");
    }

    /// A durable topic exchange.
    pub(crate) async fn declare_exchange(&self, name: &str) {
        let options = ExchangeDeclareOptions { durable: true, ..Default::default() };
        let declared =
            self.channel.exchange_declare(name.into(), ExchangeKind::Topic, options, FieldTable::default());
        bounded("declaring an exchange", declared).await.expect("the exchange can be declared");
    }

    pub(crate) async fn bind(&self, queue: &str, exchange: &str, routing_key: &str) {
        let options = QueueBindOptions::default();
        let bound = self.channel.queue_bind(
            queue.into(),
            exchange.into(),
            routing_key.into(),
            options,
            FieldTable::default(),
        );
        bounded("binding a queue", bound).await.expect("the queue can be bound");
    }

    /// Deletes a queue with all that is in it.
    pub(crate) async fn delete_queue(&self, name: &str) {
        let deleted = self.channel.queue_delete(name.into(), QueueDeleteOptions::default());
        bounded("deleting a queue", deleted).await.expect("the queue can be deleted");
    }

    /// Publishes and waits for the confirm. An error is the broker's refusal of the channel (a wrong
    /// `user-id`, no right): the session is of no more use.
    pub(crate) async fn publish(
        &self,
        exchange: &str,
        routing_key: &str,
        properties: BasicProperties,
        body: &[u8],
    ) -> lapin::Result<Published> {
        let options = BasicPublishOptions { mandatory: true, ..Default::default() };
        let sent = self.channel.basic_publish(exchange.into(), routing_key.into(), options, body, properties);
        let confirm = bounded("publishing", sent).await?;
        Ok(match bounded("a confirm", confirm).await? {
            Confirmation::Ack(None) => Published::Confirmed,
            Confirmation::Ack(Some(_)) => Published::Returned,
            Confirmation::Nack(_) => Published::Refused,
            Confirmation::NotRequested => panic!("the channel is in confirm mode"),
        })
    }

    /// Takes the message at the head of the queue out of it.
    pub(crate) async fn fetch(&self, queue: &str) -> Option<Fetched> {
        let got = self.channel.basic_get(queue.into(), BasicGetOptions { no_ack: true });
        let delivery = bounded("fetching", got).await.expect("the queue can be read")?.delivery;
        Some(Fetched {
            routing_key: delivery.routing_key.to_string(),
            redelivered: delivery.redelivered,
            properties: delivery.properties,
            body: delivery.data,
        })
    }

    /// How many messages wait in the queue. One that was delivered and is not acknowledged does not wait.
    pub(crate) async fn depth(&self, queue: &str) -> u32 {
        self.count(queue).await.0
    }

    /// How many messages wait in the queue, and how many consume it.
    pub(crate) async fn count(&self, queue: &str) -> (u32, u32) {
        let options = QueueDeclareOptions { passive: true, ..Default::default() };
        let declared = self.channel.queue_declare(queue.into(), options, FieldTable::default());
        let counted = bounded("counting", declared).await.expect("the queue is there");
        (counted.message_count(), counted.consumer_count())
    }

    /// Whether the broker still holds the connection.
    pub(crate) fn is_open(&self) -> bool {
        self.connection.status().connected()
    }
}

async fn bounded<T>(what: &str, step: impl Future<Output = T>) -> T {
    tokio::time::timeout(STEP, step).await.unwrap_or_else(|_| panic!("{what} took more than {STEP:?}"))
}
