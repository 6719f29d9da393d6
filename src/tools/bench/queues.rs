//! Queues of the benchmark's own: declared empty, filled, looked at, deleted.

use bytes::Bytes;
use jiff::Timestamp;
use lapin::{
    BasicProperties, Channel, Connection, PublisherConfirm, Queue,
    options::{
        BasicPublishOptions, ConfirmSelectOptions, ExchangeDeleteOptions, QueueDeclareOptions,
        QueueDeleteOptions,
    },
    types::FieldTable,
};

use crate::{
    amqp_client::{self, Broker, Tls},
    amqp_uri::AmqpUri,
    intake::topology::{QueueType, Topology},
};

/// Messages published before their confirms are waited for.
const WINDOW: usize = 512;

/// The settings that make a gateway serve the queues under `prefix` of that broker.
pub fn settings(uri: &str, prefix: &str) -> String {
    format!(
        "\n[amqp]\nurl = \"{uri}\"\nrequire_user_id = false\nexchange_in = \"{prefix}.messages\"\n\
         exchange_answers = \"{prefix}.answers\"\nqueue_in_prefix = \"{prefix}.in\"\nqueue_out_prefix = \"{prefix}.out\"\n"
    )
}

/// What was declared, to be deleted again.
pub struct Queues {
    connection: Connection,
    topology: Topology,
}

impl Queues {
    /// Declares quorum queues under `prefix` for parties of these codes. What was there before is gone.
    ///
    /// # Errors
    /// The broker cannot be reached, or does not let us.
    pub async fn declare(uri: &str, prefix: &str, parties: &[String]) -> anyhow::Result<Self> {
        let uri = AmqpUri::parse(uri).map_err(|e| anyhow::anyhow!(e))?;
        let broker = Broker::new(uri, Tls::default(), std::time::Duration::from_secs(10));
        let connection = amqp_client::connect(&broker, "kassebro bench").await?;
        let queue = |way: &str, party: &str| format!("{prefix}.{way}.{party}");
        let topology = Topology {
            exchange_in: format!("{prefix}.messages"),
            exchange_answers: format!("{prefix}.answers"),
            queue_type: QueueType::Quorum,
            replicas: 0,
            queues: parties.iter().map(|p| (p.clone(), queue("in", p), queue("out", p))).collect(),
            alerts: vec![],
        };
        let queues = Self { connection, topology };
        queues.delete_all().await?;
        queues.topology.apply(&queues.connection).await?;
        Ok(queues)
    }

    /// Publishes everything, persistent, and waits until the broker has it.
    ///
    /// # Errors
    /// The broker does not take a message.
    pub async fn fill(&self, bodies: &[(String, Bytes)], now: Timestamp) -> anyhow::Result<()> {
        let publisher = self.publisher().await?;
        for window in bodies.chunks(WINDOW) {
            let mut confirms = Vec::with_capacity(window.len());
            for (party, body) in window {
                confirms.push(publisher.publish(party, body, now).await?);
            }
            for confirm in confirms {
                anyhow::ensure!(confirm.await?.is_ack(), "the broker did not take a message");
            }
        }
        publisher.close().await
    }

    /// A channel of its own to publish by, with confirms.
    ///
    /// # Errors
    /// The connection is lost.
    pub async fn publisher(&self) -> anyhow::Result<Publisher> {
        let channel = self.connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok(Publisher { channel, exchange: self.topology.exchange_in.clone() })
    }

    /// Messages that lie in the queues in, and their consumers.
    ///
    /// # Errors
    /// The connection is lost.
    pub async fn state(&self) -> anyhow::Result<State> {
        let channel = self.connection.create_channel().await?;
        let mut state = State::default();
        for (_, queue, _) in &self.topology.queues {
            let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::durable() };
            let found: Queue =
                channel.queue_declare(queue.as_str().into(), passive, FieldTable::default()).await?;
            state.messages += found.message_count();
            state.consumers += found.consumer_count();
        }
        channel.close(200, "done".into()).await?;
        Ok(state)
    }

    /// Removes everything that was declared.
    ///
    /// # Errors
    /// The connection is lost.
    pub async fn delete(self) -> anyhow::Result<()> {
        self.delete_all().await?;
        self.connection.close(200, "done".into()).await?;
        Ok(())
    }

    async fn delete_all(&self) -> anyhow::Result<()> {
        let channel = self.connection.create_channel().await?;
        for queue in self.topology.queues.iter().flat_map(|(_, inward, outward)| [inward, outward]) {
            channel.queue_delete(queue.as_str().into(), QueueDeleteOptions::default()).await?;
        }
        for exchange in [&self.topology.exchange_in, &self.topology.exchange_answers] {
            channel.exchange_delete(exchange.as_str().into(), ExchangeDeleteOptions::default()).await?;
        }
        channel.close(200, "done".into()).await?;
        Ok(())
    }
}

/// What a look at the queues showed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct State {
    /// Ready, and not handed to a consumer.
    pub messages: u32,
    pub consumers: u32,
}

/// Publishes one message after the other.
pub struct Publisher {
    channel: Channel,
    exchange: String,
}

impl Publisher {
    /// Sends a persistent message as its party would; what is returned completes when the broker has it.
    ///
    /// # Errors
    /// The connection is lost.
    pub async fn publish(
        &self,
        party: &str,
        body: &[u8],
        now: Timestamp,
    ) -> anyhow::Result<PublisherConfirm> {
        let properties = BasicProperties::default()
            .with_content_type("application/cloudevents+json".into())
            .with_delivery_mode(2)
            .with_timestamp(u64::try_from(now.as_second()).unwrap_or(0));
        let key = format!("{party}.bench");
        let (exchange, options) = (self.exchange.as_str().into(), BasicPublishOptions::default());
        Ok(self.channel.basic_publish(exchange, key.as_str().into(), options, body, properties).await?)
    }

    /// # Errors
    /// The connection is lost.
    pub async fn close(self) -> anyhow::Result<()> {
        Ok(self.channel.close(200, "done".into()).await?)
    }
}
