//! A receiver that reads a queue: persistent, mandatory, and delivered once the broker confirms it.

use std::{path::PathBuf, time::Duration};

use futures_util::{FutureExt, future::BoxFuture};
use serde::Deserialize;

use super::{
    Channel, Consignment, Endpoint,
    amqp_ask::{Asker, NotAnswered},
    amqp_publisher::{Letter, NotPublished, Publisher, Settings},
    profiles,
};
use crate::{
    amqp_client::{Broker, Tls},
    amqp_uri::AmqpUri,
    domain::{Fault, FaultCode, Outcome, Profile, attempt::Proof, message::TYPE_PREFIX},
    units,
};

/// A receiver that reads a queue of a RabbitMQ.
///
/// ```toml
/// [[receiver]]
/// party = "urn:dk:jobcenter:0707"
/// channel = "amqp"
/// url = "amqps://kassebro@broker.example/%2f"
/// password_file = "/etc/kassebro/broker.password"
/// exchange = "jobcenter"
/// routing_key = "inbox"
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The broker, with the virtual host; several hosts of a cluster are parted by commas.
    pub url: AmqpUri,
    /// File with the password, where the address has none.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// The exchange; empty for the default one, whose routing keys are names of queues.
    pub exchange: String,
    /// `{kind}` in it stands for the message's kind, e.g. `complaint`.
    pub routing_key: String,
    /// Whether the promise waits for the receiver's business receipt. `false` where the queue is the receiver's own:
    /// then it has what the broker has confirmed.
    #[serde(default = "yes")]
    pub receipt_follows: bool,
    /// The system that reads the queue, where it answers each message.
    #[serde(default)]
    pub profile: Option<Profile>,
    /// From the broker's confirm until the answer of a profile that has one.
    #[serde(default = "answer_timeout", with = "units::duration")]
    pub answer_timeout: Duration,
    /// For connection and handshake with one host; twice as long may pass before anything is sent.
    #[serde(default = "connect_timeout", with = "units::duration")]
    pub connect_timeout: Duration,
    /// From publishing until the broker's confirm. With twice the former it is shorter than a lane's time for
    /// an attempt.
    #[serde(default = "confirm_timeout", with = "units::duration")]
    pub confirm_timeout: Duration,
    /// PEM with the only authorities to be trusted with this broker. Without it: the system's.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// PEM with our certificate, for a broker that asks who we are. Without a password it is our login too.
    #[serde(default)]
    pub client_certificate: Option<PathBuf>,
    /// PEM with the certificate's key.
    #[serde(default)]
    pub client_key: Option<PathBuf>,
}

/// The exchange of KOMBIT's Beskedfordeler for what is sent to it.
pub const BESKEDFORDELER: &str = "AFSEND_BESKED_EXCHANGE";

/// How long the answer of a profile may take by default.
pub fn answer_timeout() -> Duration {
    Duration::from_secs(15)
}

fn yes() -> bool {
    true
}

fn connect_timeout() -> Duration {
    Duration::from_secs(5)
}

fn confirm_timeout() -> Duration {
    Duration::from_secs(15)
}

/// One receiver's exchange and routing key.
pub struct Amqp {
    way: Way,
    exchange: String,
    routing_key: String,
    receipt_follows: bool,
    shown: String,
    broker: Broker,
}

/// What is known once the broker has it.
enum Way {
    /// Nothing but that.
    Publish(Publisher),
    /// What KOMBIT's Beskedfordeler answers, a `StandardRetur`.
    Ask(Asker),
}

impl Amqp {
    /// Reads the files the configuration names. Connects at the first send.
    ///
    /// # Errors
    /// A sentence that names the setting that is wrong.
    pub fn new(config: &Config, name: &str) -> Result<Self, String> {
        if config.connect_timeout.is_zero() || config.confirm_timeout.is_zero() {
            return Err("connect_timeout and confirm_timeout are over 0".into());
        }
        if config.routing_key.len() > 255 || config.exchange.len() > 255 {
            return Err("exchange and routing_key have at most 255 bytes".into());
        }
        if config.exchange.is_empty() && config.routing_key.is_empty() {
            return Err("routing_key names the queue where exchange is empty".into());
        }
        let uri = match &config.password_file {
            Some(file) => config.url.clone().with_password_file(file)?,
            None => config.url.clone(),
        };
        let (certificate, key) = (config.client_certificate.clone(), config.client_key.clone());
        let tls = Tls::new(config.ca_file.clone(), certificate, key)?;
        let broker = Broker::new(uri, tls, config.connect_timeout);
        broker.check()?;
        let settings = Settings { broker, confirm_timeout: config.confirm_timeout };
        let name = format!("kassebro to {name}");
        let way = match config.profile {
            None => Way::Publish(Publisher::new(&name, &settings)),
            Some(Profile::Kombit) if config.answer_timeout.is_zero() => {
                return Err("answer_timeout is over 0".into());
            }
            Some(Profile::Kombit) => Way::Ask(Asker::new(&name, &settings, config.answer_timeout)),
            Some(profile @ (Profile::Star | Profile::Sf2900)) => {
                return Err(format!("the profile {profile} does not go over amqp"));
            }
        };
        Ok(Self {
            way,
            broker: settings.broker,
            exchange: config.exchange.clone(),
            routing_key: config.routing_key.clone(),
            receipt_follows: config.receipt_follows,
            shown: config.url.to_string(),
        })
    }

    fn letter(&self, consignment: &Consignment) -> Letter {
        Letter {
            exchange: self.exchange.clone(),
            routing_key: self.routing_key.replace("{kind}", kind_of(&consignment.event_type)),
            message_id: consignment.delivery.to_string(),
            content_type: consignment.parcel.content_type.to_string(),
            event_type: consignment.event_type.clone(),
            correlation_id: consignment.correlation_id.clone(),
            headers: [("traceparent", &consignment.traceparent), ("tracestate", &consignment.tracestate)]
                .into_iter()
                .filter_map(|(name, trace)| Some((name.to_owned(), trace.clone()?)))
                .collect(),
            timestamp: consignment.now,
            body: consignment.parcel.body.clone(),
        }
    }

    /// Asks, and lets the answer decide. The question's correlation id is the delivery's: that of the message
    /// stands in the envelope.
    async fn ask(&self, asker: &Asker, consignment: &Consignment) -> Result<(), Fault> {
        profiles::fits(Profile::Kombit, &consignment.parcel)?;
        let letter = self.letter(consignment);
        let letter = Letter { correlation_id: Some(letter.message_id.clone()), ..letter };
        let answer = asker.ask(&letter).await.map_err(|why| match why {
            NotAnswered::NotPublished(why) => self.fault(&why),
            NotAnswered::Silent(_) => Fault::new(FaultCode::NoAnswer, format!("{}: {why}", self.shown)),
            NotAnswered::TooLong => Fault::new(FaultCode::AnswerUnreadable, format!("{}: {why}", self.shown)),
        })?;
        match profiles::kombit::read(&answer).map(profiles::kombit::Return::judge) {
            Some(Ok(())) => Ok(()),
            Some(Err((code, says))) => Err(Fault::new(code, format!("{} {says}", self.shown))),
            None => {
                let detail = format!("{} answered without a StandardRetur", self.shown);
                Err(Fault::new(FaultCode::AnswerUnreadable, detail))
            }
        }
    }

    fn fault(&self, why: &NotPublished) -> Fault {
        let code = match why {
            NotPublished::Unreachable(_) => FaultCode::ConnectFailed,
            NotPublished::Unauthorised(_) => FaultCode::ReceiverUnauthorised,
            NotPublished::Certificate(_) => FaultCode::ReceiverCertificate,
            NotPublished::Blocked | NotPublished::Nacked => FaultCode::ReceiverBusy,
            NotPublished::Unroutable(_) => FaultCode::ReceiverUnroutable,
            NotPublished::Refused(_) => FaultCode::ReceiverRefused,
            NotPublished::Unconfirmed(_) => FaultCode::NoAnswer,
        };
        Fault::new(code, format!("{}: {why}", self.shown))
    }
}

/// The kind in a `CloudEvents` type: `complaint` in `dk.kassebro.complaint.v1`.
pub(super) fn kind_of(event_type: &str) -> &str {
    let kind = event_type.strip_prefix(TYPE_PREFIX).unwrap_or(event_type);
    kind.rsplit_once(".v").map_or(kind, |(name, _)| name)
}

impl Channel for Amqp {
    fn send<'a>(&'a self, consignment: &'a Consignment) -> BoxFuture<'a, Outcome> {
        async {
            let sent = match &self.way {
                Way::Ask(asker) => self.ask(asker, consignment).await,
                Way::Publish(publisher) => {
                    let fates = publisher.publish(&[self.letter(consignment)]).await;
                    let fate = fates.into_iter().next().expect("one letter has one fate");
                    fate.map_err(|why| self.fault(&why))
                }
            };
            match sent {
                // In a queue is not yet in the receiver's hands, unless the queue is its own: its business receipt
                // must come.
                Ok(()) => {
                    let follows = self.receipt_follows;
                    Outcome::Delivered(Proof {
                        receipt_follows: follows,
                        in_transit: follows,
                        ..Proof::default()
                    })
                }
                Err(fault) => Outcome::fault(fault),
            }
        }
        .boxed()
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), Fault>> {
        async {
            let probed = match &self.way {
                Way::Publish(publisher) => publisher.probe().await,
                Way::Ask(asker) => asker.probe().await,
            };
            probed.map_err(|why| self.fault(&why))
        }
        .boxed()
    }

    fn endpoint(&self, event_type: &str) -> Endpoint {
        let (host, port) = self.broker.place();
        let routing_key = self.routing_key.replace("{kind}", kind_of(event_type));
        Endpoint::Amqp { host: host.to_owned(), port, exchange: self.exchange.clone(), routing_key }
    }
}
