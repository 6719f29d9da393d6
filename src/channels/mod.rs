//! Ways out, one file each: a channel knows a parcel, not a message or a table.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde::Deserialize;

use crate::domain::{DeliveryId, Fault, Outcome, Parcel};

pub mod amqp;
mod amqp_ask;
pub mod amqp_publisher;
mod amqp_session;
pub mod file;
pub mod given;
pub mod http;
pub mod mail;
pub mod mailbox;
mod profiles;

/// What a channel is handed for one attempt: the stored bytes, and the words for its headers.
#[derive(Debug, Clone)]
pub struct Consignment {
    /// The idempotency key: the same at every attempt.
    pub delivery: DeliveryId,
    pub parcel: Parcel,
    /// The CloudEvents `type` of the message.
    pub event_type: String,
    /// The CloudEvents `source` of the message.
    pub source: String,
    /// The sender's message id.
    pub message_id: String,
    pub correlation_id: Option<String>,
    pub traceparent: Option<String>,
    /// Only beside the `traceparent` that it belongs to.
    pub tracestate: Option<String>,
    /// When the receiver is to have it.
    pub due: Timestamp,
    /// When this attempt starts.
    pub now: Timestamp,
}

/// Where a channel sends, as traces name it: no path, no user and no key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// Laid down where the receiver fetches it, or told of by mail.
    Here,
    Http {
        host: String,
        port: u16,
    },
    Amqp {
        host: String,
        port: u16,
        exchange: String,
        routing_key: String,
    },
}

/// One way of reaching one receiver.
pub trait Channel: Send + Sync {
    /// Sends one parcel. Never fails: what went wrong is part of the outcome. The caller bounds it in time,
    /// and drops it when the time is up: a channel that cannot say then whether it sent answers `NoAnswer`
    /// by its own, shorter, time-outs.
    fn send<'a>(&'a self, consignment: &'a Consignment) -> BoxFuture<'a, Outcome>;

    /// Can it be reached? For `kassebro doctor` and `receivers test`. Sends no message.
    fn probe(&self) -> BoxFuture<'_, Result<(), Fault>>;

    /// Where a message of that CloudEvents type goes.
    fn endpoint(&self, _event_type: &str) -> Endpoint {
        Endpoint::Here
    }
}

/// How one receiver is reached: the word in `channel`, and that channel's own settings.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "channel", rename_all = "lowercase")]
pub enum ChannelConfig {
    Http(http::Config),
    Amqp(amqp::Config),
    File(file::Config),
    Mail(mail::Config),
    Mailbox(mailbox::Config),
    /// No word in configuration leads here: code puts a channel of its own in a receiver's place.
    #[serde(skip)]
    Given(given::Given),
}

impl ChannelConfig {
    /// The words in configuration.
    pub const NAMES: [&str; 5] = ["http", "amqp", "file", "mailbox", "mail"];

    /// The word in configuration, in logs and in metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Http(_) => "http",
            Self::Amqp(_) => "amqp",
            Self::File(_) => "file",
            Self::Mail(_) => "mail",
            Self::Mailbox(_) => "mailbox",
            Self::Given(_) => "given",
        }
    }

    /// The longest that the channel itself lets one attempt last, where it has a say in it: what a lane allows
    /// must be longer, or the lane cannot tell what was sent.
    pub fn longest(&self) -> Option<Duration> {
        match self {
            Self::Http(config) => Some(config.total_timeout),
            Self::Mail(config) => Some(config.longest()),
            Self::Amqp(_) | Self::File(_) | Self::Mailbox(_) | Self::Given(_) => None,
        }
    }

    /// Makes the channel for the receiver of that name. Reads the files its settings name; connects to nobody.
    ///
    /// # Errors
    /// A sentence that names the setting that is wrong, and no secret.
    pub fn build(&self, receiver: &str) -> Result<Arc<dyn Channel>, String> {
        Ok(match self {
            Self::Http(config) => Arc::new(http::Http::new(config)?),
            Self::Amqp(config) => Arc::new(amqp::Amqp::new(config, receiver)?),
            Self::File(config) => Arc::new(file::Folder::new(config, receiver)?),
            Self::Mail(config) => Arc::new(mail::Mail::new(config)?),
            Self::Mailbox(mailbox::Config {}) => Arc::new(mailbox::Mailbox),
            Self::Given(given) => given.channel(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_names_its_channel_and_that_channels_settings_only() {
        for (toml, name) in [
            ("channel = \"http\"\nurl = \"https://jobcenter.example/inbox\"", "http"),
            (
                "channel = \"amqp\"\nurl = \"amqp://broker.example\"\nexchange = \"\"\nrouting_key = \"inbox\"",
                "amqp",
            ),
            ("channel = \"file\"\nfolder = \"/srv/out\"", "file"),
            (
                "channel = \"mail\"\nhost = \"smtp.example\"\nfrom = \"gw@example.dk\"\nto = \"jobcenter@example.dk\"\n\
                 fetch_at = \"https://gw.example/v1/mailbox\"",
                "mail",
            ),
            ("channel = \"mailbox\"", "mailbox"),
        ] {
            let config: ChannelConfig = toml::from_str(toml).unwrap();
            assert_eq!(config.name(), name);
            assert!(config.build("test").is_ok(), "{toml}");
            let error = toml::from_str::<ChannelConfig>(&format!("{toml}\nsurplus = 1")).unwrap_err();
            assert!(error.to_string().contains("surplus"), "{error}");
        }
        assert!(toml::from_str::<ChannelConfig>("channel = \"fax\"").is_err());
    }
}
