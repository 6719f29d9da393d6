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

/// The argument of a queue that says how many nodes hold it at first.
const INITIAL_GROUP: &str = "x-quorum-initial-group-size";

/// Is a declaration refused for the number of members the queue began with?
fn names_group(error: &lapin::Error) -> bool {
    error.to_string().contains(INITIAL_GROUP)
}

/// Names and kinds of everything on the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    /// Topic exchange that parties publish to, by `<party>.<kind>`.
    pub exchange_in: String,
    /// Topic exchange for answers, by `<party>.<outcome>`.
    pub exchange_answers: String,
    pub queue_type: QueueType,
    /// Nodes that hold each quorum queue; 0: what the broker has set.
    pub replicas: u8,
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
    /// Works all the same, and a person should know.
    pub warning: bool,
    /// What a person can do; empty: declare what is missing, or mend what differs.
    #[serde(rename = "do", skip_serializing_if = "str::is_empty")]
    pub then: &'static str,
}

impl Difference {
    pub fn new(what: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { what: what.into(), problem: problem.into(), warning: false, then: "" }
    }
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
        let kind = self.queue_type.name();
        let group = match self.replicas {
            0 => String::new(),
            replicas => format!(", {INITIAL_GROUP} {replicas}"),
        };
        let queue = |queue: &str, exchange: &str, key: &str| Declaration {
            what: format!("queue {queue}"),
            properties: format!("durable, x-queue-type {kind}{group}, bound to {exchange} by {key}"),
        };
        let queues = self.queues.iter().flat_map(|(party, queue_in, queue_out)| {
            [(queue_in, &self.exchange_in), (queue_out, &self.exchange_answers)]
                .map(|(name, exchange)| queue(name, exchange, &format!("{party}.#")))
        });
        let alerts = self.alerts.iter().map(|(name, key)| queue(name, &self.exchange_answers, key));
        exchanges.chain(queues).chain(alerts).collect()
    }

    /// Declares everything. No delivery limit, no dead-letter exchange and no expiry on intake queues: with a
    /// limit and no dead-letter exchange a crash loop would destroy messages.
    ///
    /// # Errors
    /// What exists differs, or may not be declared by this user.
    pub async fn apply(&self, connection: &Connection) -> lapin::Result<()> {
        let mut channel = connection.create_channel().await?;
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
            channel = self.queue(connection, channel, queue_in, &self.exchange_in, &key).await?;
            channel = self.queue(connection, channel, queue_out, &self.exchange_answers, &key).await?;
        }
        for (queue, key) in &self.alerts {
            channel = self.queue(connection, channel, queue, &self.exchange_answers, key).await?;
        }
        channel.close(200, "done".into()).await
    }

    /// Declares a queue and binds it; gives a channel that is open.
    async fn queue(
        &self,
        connection: &Connection,
        channel: Channel,
        queue: &str,
        exchange: &str,
        key: &str,
    ) -> lapin::Result<Channel> {
        let channel = self.declare(connection, channel, queue).await?;
        let (options, none) = (QueueBindOptions::default(), FieldTable::default());
        channel.queue_bind(queue.into(), exchange.into(), key.into(), options, none).await?;
        Ok(channel)
    }

    /// Declares a queue; gives a channel that is open. How many members a queue began with says nothing of how many it
    /// has: one that differs from ours in that alone is the same.
    async fn declare(
        &self,
        connection: &Connection,
        channel: Channel,
        queue: &str,
    ) -> lapin::Result<Channel> {
        let declared = async |channel: &Channel, replicas: u8| {
            let options = QueueDeclareOptions::durable();
            channel.queue_declare(queue.into(), options, self.arguments(replicas)).await.map(drop)
        };
        match declared(&channel, self.replicas).await {
            Ok(()) => return Ok(channel),
            Err(error) if !names_group(&error) => return Err(error),
            Err(_) => {}
        }
        // The refusal has closed the channel. Without a number of ours, what else differs is what is refused.
        let channel = connection.create_channel().await?;
        match declared(&channel, 0).await {
            Ok(()) => Ok(channel),
            Err(error) if names_group(&error) => connection.create_channel().await,
            Err(error) => Err(error),
        }
    }

    fn arguments(&self, replicas: u8) -> FieldTable {
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString(self.queue_type.name().into()));
        if replicas > 0 {
            arguments.insert(INITIAL_GROUP.into(), AMQPValue::LongInt(replicas.into()));
        }
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
                differences.push(Difference::new(format!("exchange {name}"), error.to_string()));
            }
        }
        let parties = self.queues.iter().flat_map(|(_, queue_in, queue_out)| [queue_in, queue_out]);
        for queue in parties.chain(self.alerts.iter().map(|(queue, _)| queue)) {
            // Declaring again with our own arguments succeeds only where they are the same.
            let channel = connection.create_channel().await?;
            let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::durable() };
            let found = channel.queue_declare(queue.as_str().into(), passive, FieldTable::default()).await;
            let same = match found {
                Err(error) => Err(error),
                Ok(_) => self.declare(connection, channel, queue).await.map(drop),
            };
            if let Err(error) = same {
                differences.push(Difference::new(format!("queue {queue}"), error.to_string()));
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
            replicas: 0,
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
        let replicated = Topology { queue_type: QueueType::Quorum, replicas: 5, ..topology };
        assert_eq!(
            replicated.declarations()[2].properties,
            "durable, x-queue-type quorum, x-quorum-initial-group-size 5, bound to in by 3f.#"
        );
    }
}
