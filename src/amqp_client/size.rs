//! How large a message a broker takes: AMQP does not say, so it is tried with one that no queue gets.

use std::time::Duration;

use lapin::{
    BasicProperties, Channel, Confirmation, ErrorKind,
    options::{BasicPublishOptions, ConfirmSelectOptions},
};

use super::{Broker, NotConnected, connect};

/// For sending the message and hearing of it.
const PATIENCE: Duration = Duration::from_secs(20);
/// AMQP 0-9-1, 1.2 "Constants": what RabbitMQ answers to a message over its `max_message_size`.
const PRECONDITION_FAILED: u16 = 406;

/// What a broker does with a message of one size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Size {
    Taken,
    TooLarge,
    /// It could not be tried, and why.
    Unknown(String),
}

/// Publishes so many bytes to the default exchange by a routing key that is no queue's, so that the broker drops
/// what it takes.
///
/// # Errors
/// See [`NotConnected`].
pub async fn takes(broker: &Broker, bytes: usize) -> Result<Size, NotConnected> {
    let connection = connect(broker, "kassebro doctor").await?;
    let tried = async {
        let channel = connection.create_channel().await?;
        try_publishing(&channel, bytes).await
    };
    let size = match tokio::time::timeout(PATIENCE, tried).await {
        Ok(Ok(Confirmation::Ack(_))) => Size::Taken,
        Ok(Ok(_)) => Size::Unknown("it was not confirmed".into()),
        Ok(Err(error)) => match error.kind() {
            ErrorKind::ProtocolError(said) if said.get_id() == PRECONDITION_FAILED => Size::TooLarge,
            _ => Size::Unknown(error.to_string()),
        },
        Err(_) => Size::Unknown(format!("no answer within {} s", PATIENCE.as_secs())),
    };
    // What was asked is known by now: how the connection ends is of no account.
    let _ = tokio::time::timeout(PATIENCE, connection.close(200, "done".into())).await;
    Ok(size)
}

async fn try_publishing(channel: &Channel, bytes: usize) -> lapin::Result<Confirmation> {
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let nowhere = format!("kassebro-doctor-{}", uuid::Uuid::new_v4());
    let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    let body = vec![0; bytes];
    let published = channel.basic_publish("".into(), nowhere.as_str().into(), options, &body, properties);
    published.await?.await
}
