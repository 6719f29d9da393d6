//! Connections to RabbitMQ, made one way: own supervisor, own time-outs, one TLS provider.

use std::time::Duration;

use lapin::{
    Connection, ConnectionProperties,
    uri::{AMQPScheme, AMQPUri, SASLMechanism},
};

use crate::{
    amqp_uri::AmqpUri,
    http_client::{self, BuildError},
};

mod hosts;
mod sieve;
mod size;
mod stream;
mod tls;

pub use size::{Size, takes};
pub use tls::{Identity, Tls};

/// How the broker is reached. Clones go on together with the host that worked last.
#[derive(Debug, Clone)]
pub struct Broker {
    /// One host, or the nodes of a cluster.
    pub uri: AmqpUri,
    /// For an address that begins with `amqps://`.
    pub tls: Tls,
    /// For name, connection, TLS and AMQP handshake of one host together.
    pub connect_timeout: Duration,
    turn: hosts::Turn,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum NotConnected {
    #[error("the broker's address cannot be read")]
    Address,
    #[error("the files for TLS to the broker")]
    Files(#[source] BuildError),
    #[error("the broker does not answer within {0:?}")]
    TimedOut(Duration),
    /// Says which certificate, and what is wrong with it.
    #[error("the broker is not trusted, or does not trust us: {0}")]
    Certificate(String),
    #[error("connecting to the broker")]
    Refused(#[source] lapin::Error),
    /// Of several hosts none: each with its name and port, in the order in which they were tried.
    #[error("no host of the broker lets us in: {}", each_in_words(.0))]
    Nowhere(Vec<(String, NotConnected)>),
}

fn each_in_words(refusals: &[(String, NotConnected)]) -> String {
    let one = |(place, why): &(String, NotConnected)| format!("{place}: {}", http_client::with_causes(why));
    refusals.iter().map(one).collect::<Vec<_>>().join("; ")
}

impl From<lapin::Error> for NotConnected {
    fn from(error: lapin::Error) -> Self {
        match http_client::tls_complaint(&error) {
            Some(complaint) => Self::Certificate(http_client::complaint_in_words(complaint)),
            None => Self::Refused(error),
        }
    }
}

impl Broker {
    pub fn new(uri: AmqpUri, tls: Tls, connect_timeout: Duration) -> Self {
        Self { uri, tls, connect_timeout, turn: hosts::Turn::default() }
    }

    /// Reads the files for TLS once, so that what is wrong with them shows before the first connection.
    ///
    /// # Errors
    /// A sentence that names the file; or files for TLS with an address that is not encrypted.
    pub fn check(&self) -> Result<(), String> {
        http_client::install_tls_provider();
        if !self.uri.is_tls() && self.tls.is_configured() {
            return Err("ca_file and client_certificate are for an address that begins with amqps://; \
                        amqp:// is not encrypted"
                .into());
        }
        if !self.uri.is_tls() {
            return Ok(());
        }
        self.tls.connector().map(drop).map_err(|error| http_client::with_causes(&error))
    }
}

/// A connection to the first host of the address on its way, without a deadline of its own. The library's own recovery
/// stays off: it hides a loss and can hang for ever once its tries are spent.
///
/// Who has a certificate and no password is known by the certificate (SASL EXTERNAL), unless the address names
/// another mechanism.
///
/// # Errors
/// [`NotConnected::Address`] and [`NotConnected::Files`]; what else goes wrong is the handshake's outcome.
pub fn handshake(
    broker: &Broker,
    name: &str,
) -> Result<impl Future<Output = lapin::Result<Connection>> + Send + use<>, NotConnected> {
    http_client::install_tls_provider();
    let mut uri: AMQPUri = broker.uri.reveal().parse().map_err(|_| NotConnected::Address)?;
    if broker.tls.client.is_some() && !broker.uri.has_password() {
        uri.query.auth_mechanism.get_or_insert(SASLMechanism::External);
    }
    let tls = match uri.scheme {
        AMQPScheme::AMQP => None,
        AMQPScheme::AMQPS => Some(broker.tls.connector().map_err(NotConnected::Files)?),
    };
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    Ok(stream::connect(uri, properties, tls))
}

/// Opens a connection to the first host that lets us in, each tried within the broker's time, from the last that
/// worked on.
///
/// # Errors
/// See [`NotConnected`]. None shows the password.
pub async fn connect(broker: &Broker, name: &str) -> Result<Connection, NotConnected> {
    let mut refusals = Vec::new();
    for host in broker.in_turn() {
        let handshake = handshake(&broker.at(host), name)?;
        let refusal = match tokio::time::timeout(broker.connect_timeout, handshake).await {
            Ok(Ok(connection)) => {
                broker.worked(host);
                return Ok(connection);
            }
            Ok(Err(error)) => NotConnected::from(error),
            Err(_) => NotConnected::TimedOut(broker.connect_timeout),
        };
        broker.pass_by(host);
        refusals.push((broker.uri.places()[host].clone(), refusal));
    }
    Err(hosts::together(refusals))
}
