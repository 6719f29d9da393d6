//! What must exist on the broker: declared by `topology apply`, compared by `topology check`.

use lapin::{
    Channel, Connection, ExchangeKind,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable},
};
use serde::Serialize;

/// The type of the queues that are declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QueueType {
    /// Replicated by Raft; safest, and cheaper on one node too.
    #[default]
    Quorum,
    /// Durable classic queues.
    Classic,
}

impl QueueType {
    /// The word in configuration and in `x-queue-type`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Quorum => "quorum",
            Self::Classic => "classic",
        }
    }
}

/// Names and kinds of everything on the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    /// Topic exchange that parties publish to, by `<party>.<kind>`.
    pub exchange_in: String,
    /// Topic exchange for answers, by `<party>.<outcome>`.
    pub exchange_answers: String,
    pub queue_type: QueueType,
    /// Party code, its queue in, its queue out.
    pub queues: Vec<(String, String, String)>,
    /// Queues of targets of alerts, each with its routing key.
    pub alerts: Vec<(String, String)>,
}

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    pub what: String,
    pub problem: String,
}

/// One thing that is declared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Declaration {
    pub what: String,
    pub properties: String,
}

impl Topology {
    /// What [`Topology::apply`] declares, in its order.
    pub fn declarations(&self) -> Vec<Declaration> {
        let exchanges = [&self.exchange_in, &self.exchange_answers].into_iter().map(|name| Declaration {
            what: format!("exchange {name}"),
            properties: "topic, durable".to_owned(),
        });
        let queues = self.queues.iter().flat_map(|(party, queue_in, queue_out)| {
            [(queue_in, &self.exchange_in), (queue_out, &self.exchange_answers)].map(|(queue, exchange)| {
                let kind = self.queue_type.name();
                Declaration {
                    what: format!("queue {queue}"),
                    properties: format!("durable, x-queue-type {kind}, bound to {exchange} by {party}.#"),
                }
            })
        });
        let alerts = self.alerts.iter().map(|(queue, key)| {
            let (kind, exchange) = (self.queue_type.name(), &self.exchange_answers);
            Declaration {
                what: format!("queue {queue}"),
                properties: format!("durable, x-queue-type {kind}, bound to {exchange} by {key}"),
            }
        });
        exchanges.chain(queues).chain(alerts).collect()
    }

    /// Declares everything. No delivery limit, no dead-letter exchange and no expiry on intake queues: with a
    /// limit and no dead-letter exchange a crash loop would destroy messages.
    ///
    /// # Errors
    /// What exists differs, or may not be declared by this user.
    pub async fn apply(&self, connection: &Connection) -> lapin::Result<()> {
        let channel = connection.create_channel().await?;
        for exchange in [&self.exchange_in, &self.exchange_answers] {
            let options = ExchangeDeclareOptions { durable: true, ..Default::default() };
            channel
                .exchange_declare(
                    exchange.as_str().into(),
                    ExchangeKind::Topic,
                    options,
                    FieldTable::default(),
                )
                .await?;
        }
        for (party, queue_in, queue_out) in &self.queues {
            let key = format!("{party}.#");
            self.queue(&channel, queue_in, &self.exchange_in, &key).await?;
            self.queue(&channel, queue_out, &self.exchange_answers, &key).await?;
        }
        for (queue, key) in &self.alerts {
            self.queue(&channel, queue, &self.exchange_answers, key).await?;
        }
        channel.close(200, "done".into()).await
    }

    async fn queue(&self, channel: &Channel, queue: &str, exchange: &str, key: &str) -> lapin::Result<()> {
        channel.queue_declare(queue.into(), QueueDeclareOptions::durable(), self.arguments()).await?;
        let (options, none) = (QueueBindOptions::default(), FieldTable::default());
        channel.queue_bind(queue.into(), exchange.into(), key.into(), options, none).await
    }

    fn arguments(&self) -> FieldTable {
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString(self.queue_type.name().into()));
        arguments
    }

    /// Every difference that can be seen over AMQP. An operation that fails closes its channel, so each thing
    /// is looked at on one of its own.
    ///
    /// # Errors
    /// The connection is lost.
    pub async fn check(&self, connection: &Connection) -> lapin::Result<Vec<Difference>> {
        let mut differences = Vec::new();
        for exchange in [&self.exchange_in, &self.exchange_answers] {
            let channel = connection.create_channel().await?;
            let options = ExchangeDeclareOptions { durable: true, ..Default::default() };
            let passive = ExchangeDeclareOptions { passive: true, ..options };
            let name = exchange.as_str();
            let declared = channel
                .exchange_declare(name.into(), ExchangeKind::Topic, passive, FieldTable::default())
                .await;
            if let Err(error) = declared {
                differences.push(Difference { what: format!("exchange {name}"), problem: error.to_string() });
            }
        }
        let parties = self.queues.iter().flat_map(|(_, queue_in, queue_out)| [queue_in, queue_out]);
        for queue in parties.chain(self.alerts.iter().map(|(queue, _)| queue)) {
            // Declaring again with our own arguments succeeds only where they are the same.
            let channel = connection.create_channel().await?;
            let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::durable() };
            let found = channel.queue_declare(queue.as_str().into(), passive, FieldTable::default()).await;
            let (name, options) = (queue.as_str().into(), QueueDeclareOptions::durable());
            let same = match found {
                Err(error) => Err(error),
                Ok(_) => channel.queue_declare(name, options, self.arguments()).await,
            };
            if let Err(error) = same {
                differences.push(Difference { what: format!("queue {queue}"), problem: error.to_string() });
            }
        }
        Ok(differences)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exchange_and_queue_is_named_with_its_binding() {
        let topology = Topology {
            exchange_in: "in".into(),
            exchange_answers: "answers".into(),
            queue_type: QueueType::Classic,
            queues: vec![("3f".into(), "in.3f".into(), "out.3f".into())],
            alerts: vec![("out.alert.board".into(), "alert.board".into())],
        };
        let told: Vec<String> =
            topology.declarations().into_iter().map(|d| format!("{}: {}", d.what, d.properties)).collect();
        assert_eq!(
            told,
            [
                "exchange in: topic, durable",
                "exchange answers: topic, durable",
                "queue in.3f: durable, x-queue-type classic, bound to in by 3f.#",
                "queue out.3f: durable, x-queue-type classic, bound to answers by 3f.#",
                "queue out.alert.board: durable, x-queue-type classic, bound to answers by alert.board",
            ]
        );
    }
}
