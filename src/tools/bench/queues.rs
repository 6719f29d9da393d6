//! Queues of the benchmark's own, filled before the gateway starts.

use bytes::Bytes;
use jiff::Timestamp;
use lapin::{
    BasicProperties, Connection,
    options::{BasicPublishOptions, ConfirmSelectOptions, ExchangeDeleteOptions, QueueDeleteOptions},
};

use super::{FUNDS, PREFIX};
use crate::{
    amqp_client::{self, Broker, Tls},
    amqp_uri::AmqpUri,
    intake::topology::{QueueType, Topology},
};

/// Messages published before their confirms are waited for.
const WINDOW: usize = 512;

/// What was declared, to be deleted again.
pub(super) struct Queues {
    connection: Connection,
    topology: Topology,
}

impl Queues {
    /// Declares quorum queues and fills them with confirmed, persistent messages.
    pub(super) async fn fill(uri: &str, bodies: &[(String, Bytes)], now: Timestamp) -> anyhow::Result<Self> {
        let uri = AmqpUri::parse(uri).map_err(|e| anyhow::anyhow!(e))?;
        let broker = Broker { uri, tls: Tls::default(), connect_timeout: std::time::Duration::from_secs(10) };
        let connection = amqp_client::connect(&broker, "kassebro bench").await?;
        let topology = Topology {
            exchange_in: format!("{PREFIX}.messages"),
            exchange_answers: format!("{PREFIX}.answers"),
            queue_type: QueueType::Quorum,
            queues: FUNDS
                .iter()
                .map(|(code, _)| {
                    ((*code).to_owned(), format!("{PREFIX}.in.{code}"), format!("{PREFIX}.out.{code}"))
                })
                .collect(),
        };
        let queues = Self { connection, topology };
        queues.delete_all().await?;
        queues.topology.apply(&queues.connection).await?;
        queues.publish(bodies, now).await?;
        Ok(queues)
    }

    async fn publish(&self, bodies: &[(String, Bytes)], now: Timestamp) -> anyhow::Result<()> {
        let channel = self.connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        let exchange = &self.topology.exchange_in;
        let seconds = u64::try_from(now.as_second()).unwrap_or(0);
        let properties = BasicProperties::default()
            .with_content_type("application/cloudevents+json".into())
            .with_delivery_mode(2)
            .with_timestamp(seconds);
        for window in bodies.chunks(WINDOW) {
            let mut confirms = Vec::with_capacity(window.len());
            for (party, body) in window {
                let key = format!("{party}.bench");
                let (options, properties) = (BasicPublishOptions::default(), properties.clone());
                let published = channel.basic_publish(
                    exchange.as_str().into(),
                    key.as_str().into(),
                    options,
                    body,
                    properties,
                );
                confirms.push(published.await?);
            }
            for confirm in confirms {
                anyhow::ensure!(confirm.await?.is_ack(), "the broker did not take a message");
            }
        }
        channel.close(200, "done".into()).await?;
        Ok(())
    }

    /// Removes everything that was declared.
    pub(super) async fn delete(self) -> anyhow::Result<()> {
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
