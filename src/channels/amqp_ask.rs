//! Asks over RabbitMQ: publishes one message, and waits for the answer that comes back by direct reply-to.
//!
//! Each question has a channel of its own, because the broker brings an answer only to the channel that asked.

use std::time::Duration;

use futures_util::StreamExt;
use lapin::{
    Channel, Confirmation, Consumer,
    options::{BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions},
    types::FieldTable,
};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{
    amqp_publisher::{Letter, NotPublished, Settings, lost, properties, short, unbound},
    amqp_session::Sessions,
};
use crate::http_client::shortened;

/// Questions under way at once.
const QUESTIONS_MAX: usize = 16;

/// The broker's name for "the channel that asks".
const REPLY_TO: &str = "amq.rabbitmq.reply-to";

/// Bytes of an answer.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotAnswered {
    #[error(transparent)]
    NotPublished(#[from] NotPublished),
    /// The broker has it in a queue, and nobody answered.
    #[error("the broker took it, and no answer came: {0}")]
    Silent(String),
    #[error("its answer is longer than any receipt")]
    TooLong,
}

/// Asks over one supervised connection. To be shared; any number of calls at once.
pub(super) struct Asker {
    sessions: Sessions,
    permits: Semaphore,
    ready_timeout: Duration,
    confirm_timeout: Duration,
    answer_timeout: Duration,
}

impl Asker {
    /// Connects at the first use. `name` is shown by the broker among its connections.
    pub(super) fn new(name: &str, settings: &Settings, answer_timeout: Duration) -> Self {
        Self {
            sessions: Sessions::new(name, settings),
            permits: Semaphore::new(QUESTIONS_MAX),
            ready_timeout: settings.broker.connect_timeout * 2,
            confirm_timeout: settings.confirm_timeout,
            answer_timeout,
        }
    }

    /// Publishes the letter, persistent and mandatory, and gives the body of the answer that names its
    /// correlation id.
    pub(super) async fn ask(&self, letter: &Letter) -> Result<Vec<u8>, NotAnswered> {
        let Ok(ready) = tokio::time::timeout(self.ready_timeout, self.get_ready()).await else {
            return Err(NotPublished::Unreachable("no channel came free in time".into()).into());
        };
        let (channel, mut answers, _permit) = ready?;
        let Ok(sent) = tokio::time::timeout(self.confirm_timeout, publish(&channel, letter)).await else {
            return Err(NotPublished::Unconfirmed("the time was up".into()).into());
        };
        sent?;
        let answer = tokio::time::timeout(self.answer_timeout, first_of(&mut answers, letter));
        answer.await.unwrap_or_else(|_| Err(NotAnswered::Silent("the time was up".into())))
    }

    /// Connects, if it is not connected. Publishes nothing.
    pub(super) async fn probe(&self) -> Result<(), NotPublished> {
        self.sessions.current().await.map(|_| ())
    }

    /// A channel that listens for its own answers. Nothing is sent yet.
    async fn get_ready(&self) -> Result<(Channel, Consumer, SemaphorePermit<'_>), NotPublished> {
        let permit = self.permits.acquire().await.expect("the semaphore is never closed");
        let session = self.sessions.current().await?;
        if session.is_blocked() {
            return Err(NotPublished::Blocked);
        }
        let listening = async {
            let channel = session.open_channel().await?;
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            // The broker knows no acknowledgement on this queue that is none.
            let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
            let arguments = FieldTable::default();
            let answers = channel.basic_consume(REPLY_TO.into(), "".into(), options, arguments).await?;
            Ok::<_, lapin::Error>((channel, answers))
        };
        let (channel, answers) =
            listening.await.map_err(|error| NotPublished::Unreachable(shortened(&error.to_string())))?;
        Ok((channel, answers, permit))
    }
}

/// Publishes, and has the broker's word that it lies in a queue.
async fn publish(channel: &Channel, letter: &Letter) -> Result<(), NotPublished> {
    let properties = properties(letter)?.with_reply_to(REPLY_TO.into());
    let (exchange, routing_key) = (short(&letter.exchange)?, short(&letter.routing_key)?);
    let options = BasicPublishOptions { mandatory: true, immediate: false };
    let confirmed = async {
        channel.basic_publish(exchange, routing_key, options, &letter.body, properties).await?.await
    };
    match confirmed.await {
        Ok(Confirmation::Ack(None)) => Ok(()),
        Ok(Confirmation::Ack(Some(_))) => Err(unbound(letter)),
        Ok(Confirmation::Nack(_)) => Err(NotPublished::Nacked),
        Ok(Confirmation::NotRequested) => unreachable!("every channel of ours asks for confirms"),
        Err(error) => Err(lost(&error, letter, true)),
    }
}

/// The first answer to that letter; what answers another question is passed over.
async fn first_of(answers: &mut Consumer, letter: &Letter) -> Result<Vec<u8>, NotAnswered> {
    while let Some(answer) = answers.next().await {
        let answer = answer.map_err(|error| NotAnswered::Silent(shortened(&error.to_string())))?;
        let about = answer.properties.correlation_id().as_ref().map(ToString::to_string);
        if about == letter.correlation_id {
            return if answer.data.len() <= ANSWER_BYTES_MAX {
                Ok(answer.data)
            } else {
                Err(NotAnswered::TooLong)
            };
        }
    }
    Err(NotAnswered::Silent("the connection ended".into()))
}
