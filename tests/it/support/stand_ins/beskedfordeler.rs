//! KOMBIT's Beskedfordeler over RabbitMQ: what is sent to `AFSEND_BESKED_EXCHANGE` is answered to the channel that
//! asked, with a `StandardRetur`.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::StreamExt;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties,
    message::Delivery,
    options::{
        BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, ExchangeDeclareOptions, QueueBindOptions,
        QueueDeclareOptions,
    },
    types::FieldTable,
};

use super::kombit;
use crate::support::broker::Broker;

const EXCHANGE: &str = "AFSEND_BESKED_EXCHANGE";
const QUEUE: &str = "beskedfordeler";
const STEP: Duration = Duration::from_secs(20);

/// What it does with a message.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Way {
    /// Answers by the rules.
    Judges,
    /// Answers this code.
    Says(u32),
    /// Takes it and does not answer.
    KeepsSilent,
}

/// A message as it came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) body: Vec<u8>,
    pub(crate) message_id: String,
    pub(crate) routing_key: String,
    /// Empty where it keeps the rules.
    pub(crate) deviation: String,
}

/// It while it serves; gone when dropped.
pub(crate) struct Beskedfordeler {
    way: Arc<Mutex<Way>>,
    seen: Arc<Mutex<Vec<Seen>>>,
    connection: Connection,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for Beskedfordeler {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

type Change = fn(BasicProperties) -> BasicProperties;

impl Beskedfordeler {
    #[expect(clippy::disallowed_methods, reason = "the stand-in serves beside the test and ends with it")]
    pub(crate) async fn start(broker: &Broker, way: Way) -> Self {
        let connection = Connection::connect(&broker.uri(), ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let topic = lapin::ExchangeKind::Topic;
        channel.exchange_declare(EXCHANGE.into(), topic, durable, FieldTable::default()).await.unwrap();
        channel
            .queue_declare(QUEUE.into(), QueueDeclareOptions::durable(), FieldTable::default())
            .await
            .unwrap();
        let bound = QueueBindOptions::default();
        channel
            .queue_bind(QUEUE.into(), EXCHANGE.into(), "#".into(), bound, FieldTable::default())
            .await
            .unwrap();
        let options = BasicConsumeOptions::default();
        let mut messages =
            channel.basic_consume(QUEUE.into(), "".into(), options, FieldTable::default()).await.unwrap();
        let (way, seen) = (Arc::new(Mutex::new(way)), Arc::new(Mutex::new(Vec::new())));
        let (ways, all) = (Arc::clone(&way), Arc::clone(&seen));
        let serving = tokio::spawn(async move {
            while let Some(Ok(message)) = messages.next().await {
                let way = *ways.lock().unwrap();
                serve(&channel, &message, way, &all).await;
            }
        });
        Self { way, seen, connection, serving }
    }

    pub(crate) fn plays(&mut self, way: Way) {
        *self.way.lock().unwrap() = way;
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Ways of setting the properties against the rules.
    #[expect(clippy::unused_self, reason = "the rules are the stand-in's")]
    pub(crate) fn wrong_properties(&self) -> [(&'static str, Change); 3] {
        [
            ("no message id", |p| p.with_message_id("".into())),
            ("not persistent", |p| p.with_delivery_mode(1)),
            ("not XML", |p| p.with_content_type("application/json".into())),
        ]
    }

    /// A question by hand: the code of the answer, and the deviation that it names.
    pub(crate) async fn ask(&self, body: &[u8], change: Change) -> (u32, String) {
        let asking = async {
            let channel = self.connection.create_channel().await.unwrap();
            let own = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
            let reply_to = "amq.rabbitmq.reply-to";
            let mut answers =
                channel.basic_consume(reply_to.into(), "".into(), own, FieldTable::default()).await.unwrap();
            let properties = BasicProperties::default()
                .with_delivery_mode(2)
                .with_message_id("by-hand".into())
                .with_correlation_id("by-hand".into())
                .with_content_type("application/xml".into())
                .with_reply_to(reply_to.into());
            let options = BasicPublishOptions::default();
            channel
                .basic_publish(EXCHANGE.into(), "by.hand".into(), options, body, change(properties))
                .await
                .unwrap();
            let answer = answers.next().await.unwrap().unwrap();
            let text = String::from_utf8(answer.data).unwrap();
            let piece = |name: &str| {
                let rest = text.split_once(&format!("<n:{name}>")).unwrap().1;
                rest.split_once('<').unwrap().0.to_owned()
            };
            let deviation = piece("FejlbeskedTekst");
            (piece("StatusKode").parse().unwrap(), if deviation == "OK" { String::new() } else { deviation })
        };
        tokio::time::timeout(STEP, asking).await.expect("it answers")
    }
}

async fn serve(channel: &Channel, message: &Delivery, way: Way, all: &Mutex<Vec<Seen>>) {
    let text = |value: &Option<lapin::types::ShortString>| {
        value.as_ref().map(ToString::to_string).unwrap_or_default()
    };
    let properties = &message.properties;
    let seen = all.lock().unwrap().clone();
    let deviation = check(message, &seen).err().unwrap_or_default();
    all.lock().unwrap().push(Seen {
        body: message.data.clone(),
        message_id: text(properties.message_id()),
        routing_key: message.routing_key.to_string(),
        deviation: deviation.to_owned(),
    });
    channel.basic_ack(message.delivery_tag, BasicAckOptions::default()).await.unwrap();
    let answer = match way {
        Way::KeepsSilent => return,
        Way::Says(code) => kombit::standard_return(code, "om 070761-4285"),
        Way::Judges if deviation.is_empty() => kombit::standard_return(20, "OK"),
        Way::Judges => kombit::standard_return(41, deviation),
    };
    let about =
        BasicProperties::default().with_correlation_id(text(properties.correlation_id()).as_str().into());
    let reply_to = text(properties.reply_to());
    let options = BasicPublishOptions::default();
    channel
        .basic_publish("".into(), reply_to.as_str().into(), options, answer.as_bytes(), about)
        .await
        .unwrap();
}

fn check(message: &Delivery, earlier: &[Seen]) -> Result<(), &'static str> {
    let properties = &message.properties;
    let has =
        |value: &Option<lapin::types::ShortString>| value.as_ref().is_some_and(|v| !v.as_str().is_empty());
    super::rule(has(properties.message_id()), "no message id")?;
    super::rule(has(properties.correlation_id()) && has(properties.reply_to()), "nowhere to answer to")?;
    super::rule(*properties.delivery_mode() == Some(2), "not persistent")?;
    let xml = properties.content_type().as_ref().is_some_and(|t| t.as_str() == "application/xml");
    super::rule(xml, "not XML")?;
    kombit::check(&message.data, earlier.iter().map(|before| &before.body[..])).map_err(|(_, why)| why)
}
