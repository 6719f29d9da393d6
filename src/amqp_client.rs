//! Connections to RabbitMQ, made one way: own supervisor, own time-outs, one TLS provider.

use std::time::Duration;

use lapin::{Connection, ConnectionProperties, tcp::OwnedTLSConfig, uri::AMQPUri};

use crate::{amqp_uri::AmqpUri, http_client};

mod sieve;
mod stream;

/// How the broker is reached.
#[derive(Debug, Clone)]
pub struct Broker {
    pub uri: AmqpUri,
    /// PEM of a private authority, trusted beside the system's.
    pub ca_pem: Option<String>,
    /// For name, connection, TLS and AMQP handshake together.
    pub connect_timeout: Duration,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum NotConnected {
    #[error("the broker's address cannot be read")]
    Address,
    #[error("the broker does not answer within {0:?}")]
    TimedOut(Duration),
    #[error("connecting to the broker")]
    Refused(#[source] lapin::Error),
}

/// A connection on its way, without a deadline of its own. The library's own recovery stays off: it hides a loss
/// and can hang for ever once its tries are spent.
///
/// # Errors
/// [`NotConnected::Address`]; what else goes wrong is the handshake's outcome.
pub fn handshake(
    uri: &AmqpUri,
    ca_pem: Option<&str>,
    name: &str,
) -> Result<impl Future<Output = lapin::Result<Connection>> + Send + use<>, NotConnected> {
    http_client::install_tls_provider();
    let uri: AMQPUri = uri.reveal().parse().map_err(|_| NotConnected::Address)?;
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let tls = OwnedTLSConfig { identity: None, cert_chain: ca_pem.map(str::to_owned) };
    Ok(stream::connect(uri, properties, tls))
}

/// Opens a connection within the broker's time.
///
/// # Errors
/// See [`NotConnected`]. None shows the password.
pub async fn connect(broker: &Broker, name: &str) -> Result<Connection, NotConnected> {
    let handshake = handshake(&broker.uri, broker.ca_pem.as_deref(), name)?;
    match tokio::time::timeout(broker.connect_timeout, handshake).await {
        Ok(connected) => connected.map_err(NotConnected::Refused),
        Err(_) => Err(NotConnected::TimedOut(broker.connect_timeout)),
    }
}
