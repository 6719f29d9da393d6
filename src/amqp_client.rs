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

mod sieve;
mod size;
mod stream;
mod tls;

pub use size::{Size, takes};
pub use tls::{Identity, Tls};

/// How the broker is reached.
#[derive(Debug, Clone)]
pub struct Broker {
    pub uri: AmqpUri,
    /// For an address that begins with `amqps://`.
    pub tls: Tls,
    /// For name, connection, TLS and AMQP handshake together.
    pub connect_timeout: Duration,
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

/// A connection on its way, without a deadline of its own. The library's own recovery stays off: it hides a loss
/// and can hang for ever once its tries are spent.
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

/// Opens a connection within the broker's time.
///
/// # Errors
/// See [`NotConnected`]. None shows the password.
pub async fn connect(broker: &Broker, name: &str) -> Result<Connection, NotConnected> {
    let handshake = handshake(broker, name)?;
    match tokio::time::timeout(broker.connect_timeout, handshake).await {
        Ok(connected) => connected.map_err(NotConnected::from),
        Err(_) => Err(NotConnected::TimedOut(broker.connect_timeout)),
    }
}
