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

/// Opens a connection. The library's own recovery stays off: it hides a loss and can hang for ever.
///
/// # Errors
/// See [`NotConnected`]. None shows the password.
pub async fn connect(broker: &Broker, name: &str) -> Result<Connection, NotConnected> {
    http_client::install_tls_provider();
    let uri: AMQPUri = broker.uri.reveal().parse().map_err(|_| NotConnected::Address)?;
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let tls = OwnedTLSConfig { identity: None, cert_chain: broker.ca_pem.clone() };
    match tokio::time::timeout(broker.connect_timeout, stream::connect(uri, properties, tls)).await {
        Ok(connected) => connected.map_err(NotConnected::Refused),
        Err(_) => Err(NotConnected::TimedOut(broker.connect_timeout)),
    }
}
