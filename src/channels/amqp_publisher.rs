//! Publishes to RabbitMQ so that each message's fate is known: taken, returned, refused, or unknown.
//!
//! The publisher has a connection of its own: a broker under an alarm stops reading a connection that
//! publishes, acknowledgements included, and intake must go on.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use jiff::Timestamp;
use lapin::{
    BasicProperties, Channel, Confirmation,
    options::{BasicPublishOptions, ConfirmSelectOptions},
    types::{AMQPValue, FieldTable, ShortString},
};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::amqp_session::{Session, Sessions};
use crate::{amqp_client::Broker, http_client::shortened};

/// Messages published before their confirms are awaited.
const WINDOW: usize = 256;

/// Windows under way at once, each on a channel of its own.
const CHANNELS_MAX: usize = 16;

/// How a publisher reaches its broker.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Twice its time for connecting may pass before anything is sent.
    pub broker: Broker,
    /// From publishing a window until its last confirm.
    pub confirm_timeout: Duration,
}

/// One message to be published.
#[derive(Debug, Clone)]
pub struct Letter {
    /// At most 255 bytes, as all texts but the body.
    pub exchange: String,
    pub routing_key: String,
    pub message_id: String,
    pub content_type: String,
    /// The AMQP `type`: for us the CloudEvents type.
    pub event_type: String,
    pub correlation_id: Option<String>,
    pub headers: Vec<(String, String)>,
    pub timestamp: Timestamp,
    pub body: Bytes,
}

/// Why a message is not known to be in a queue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotPublished {
    /// Nothing was sent: no connection.
    #[error("the broker is not reached: {0}")]
    Unreachable(String),
    /// Nothing was sent: the broker refuses this user, here or at the exchange.
    #[error("the broker does not let us in: {0}")]
    Unauthorised(String),
    /// Nothing was sent: certificates.
    #[error("the broker is not trusted, or does not trust us: {0}")]
    Certificate(String),
    /// Nothing was sent: the broker has an alarm (memory or disk) and takes no messages.
    #[error("the broker takes no messages just now (a memory or disk alarm)")]
    Blocked,
    /// The exchange does not exist, or no queue is bound for the routing key. In no queue.
    #[error("no queue takes it: {0}")]
    Unroutable(String),
    /// The broker refused it for now, a full queue for one. In no queue.
    #[error("the queue did not take it")]
    Nacked,
    /// The broker will never take it: too large, or a text too long. In no queue.
    #[error("the broker refuses it: {0}")]
    Refused(String),
    /// Sent, and no confirm came. It may be in the queue.
    #[error("no confirm came: {0}")]
    Unconfirmed(String),
}

/// Publishes over one supervised connection. To be shared; any number of calls at once.
pub struct Publisher {
    sessions: Sessions,
    permits: Semaphore,
    ready_timeout: Duration,
    confirm_timeout: Duration,
}

impl Publisher {
    /// Connects at the first use. `name` is shown by the broker among its connections.
    pub fn new(name: &str, settings: &Settings) -> Self {
        Self {
            sessions: Sessions::new(name, settings),
            permits: Semaphore::new(CHANNELS_MAX),
            // Another's attempt to connect, and then our own.
            ready_timeout: settings.broker.connect_timeout * 2,
            confirm_timeout: settings.confirm_timeout,
        }
    }

    /// Publishes each letter, persistent and mandatory, and says what became of it, in the same order. The
    /// letters of one call that share exchange and routing key differ in their message id, or one that is
    /// returned would speak for both.
    pub async fn publish(&self, letters: &[Letter]) -> Vec<Result<(), NotPublished>> {
        let mut fates = Vec::with_capacity(letters.len());
        for window in letters.chunks(WINDOW) {
            fates.extend(self.publish_window(window).await);
        }
        fates
    }

    /// Connects, if it is not connected. Publishes nothing.
    pub async fn probe(&self) -> Result<(), NotPublished> {
        self.sessions.current().await.map(|_| ())
    }

    /// Has the broker stopped taking messages on our connection (a memory or disk alarm)?
    pub async fn is_blocked(&self) -> bool {
        self.sessions.is_blocked().await
    }

    /// Closes the connection in an orderly way, at most for as long as a confirm may take. To be called
    /// before the runtime ends.
    pub async fn close(&self) {
        // A broker that does not answer learns of it from the socket.
        let _ = tokio::time::timeout(self.confirm_timeout, self.sessions.close()).await;
    }

    async fn publish_window(&self, window: &[Letter]) -> Vec<Result<(), NotPublished>> {
        let all = |fault: &NotPublished| vec![Err(fault.clone()); window.len()];
        let Ok(ready) = tokio::time::timeout(self.ready_timeout, self.get_ready()).await else {
            return all(&NotPublished::Unreachable("no channel came free in time".into()));
        };
        match ready {
            Ok((session, channel, _permit)) => self.settle_window(&session, channel, window).await,
            Err(fault) => all(&fault),
        }
    }

    /// A channel of our own on a session that takes messages. Nothing is sent yet.
    async fn get_ready(&self) -> Result<(Arc<Session>, Channel, SemaphorePermit<'_>), NotPublished> {
        let permit = self.permits.acquire().await.expect("the semaphore is never closed");
        let session = self.sessions.current().await?;
        if session.is_blocked() {
            return Err(NotPublished::Blocked);
        }
        let channel = take_channel(&session).await;
        let channel = channel.map_err(|error| NotPublished::Unreachable(shortened(&error.to_string())))?;
        Ok((session, channel, permit))
    }

    /// Publishes a window on a channel that nobody else uses meanwhile, and awaits all its confirms.
    ///
    /// The client library may attach a returned message to the confirm of another one when the broker
    /// confirms several at once, so the returned are collected over the whole window and told apart by what
    /// they say of themselves.
    async fn settle_window(
        &self,
        session: &Session,
        channel: Channel,
        window: &[Letter],
    ) -> Vec<Result<(), NotPublished>> {
        let waiting = Arc::new(Mutex::new(Waiting::default()));
        let settled =
            tokio::time::timeout(self.confirm_timeout, publish_all(&channel, window, &waiting)).await;
        let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let whole = settled.is_ok() && waiting.fates.iter().all(|fate| !matches!(fate, Fate::Lost(_)));
        let lonely = window.len() == 1;
        let mut fates = Vec::with_capacity(window.len());
        for (at, letter) in window.iter().enumerate() {
            let returned = waiting.returned.contains(&key(letter));
            fates.push(match waiting.fates.get_mut(at).map(std::mem::take) {
                Some(Fate::Confirmed) if !returned => Ok(()),
                Some(Fate::Confirmed) => Err(unbound(letter)),
                Some(Fate::Nacked) => Err(NotPublished::Nacked),
                Some(Fate::NotSent(fault)) => Err(fault),
                Some(Fate::Lost(error)) => Err(lost(&error, letter, lonely)),
                Some(Fate::Sent) => Err(NotPublished::Unconfirmed("the time was up".into())),
                None => Err(NotPublished::Unconfirmed("the time was up while publishing".into())),
            });
        }
        if whole {
            session.give_back(channel);
        }
        fates
    }
}

/// What is known of a window so far; outlives the time-out that may cut its future off.
#[derive(Default)]
struct Waiting {
    fates: Vec<Fate>,
    returned: HashSet<(String, String, String)>,
}

#[derive(Default)]
enum Fate {
    #[default]
    Sent,
    Confirmed,
    Nacked,
    NotSent(NotPublished),
    Lost(lapin::Error),
}

fn key(letter: &Letter) -> (String, String, String) {
    (letter.message_id.clone(), letter.exchange.clone(), letter.routing_key.clone())
}

async fn publish_all(channel: &Channel, window: &[Letter], waiting: &Mutex<Waiting>) {
    let mut confirms = Vec::with_capacity(window.len());
    for letter in window {
        let (fate, confirm) = match publish_one(channel, letter).await {
            Ok(confirm) => (Fate::Sent, Some(confirm)),
            Err(fate) => (fate, None),
        };
        lock(waiting).fates.push(fate);
        confirms.push(confirm);
    }
    for (at, confirm) in confirms.into_iter().enumerate() {
        let Some(confirm) = confirm else { continue };
        let (fate, returned) = match confirm.await {
            Ok(Confirmation::Ack(returned)) => (Fate::Confirmed, returned),
            Ok(Confirmation::Nack(returned)) => (Fate::Nacked, returned),
            Ok(Confirmation::NotRequested) => unreachable!("every channel of ours asks for confirms"),
            Err(error) => (Fate::Lost(error), None),
        };
        let mut waiting = lock(waiting);
        waiting.fates[at] = fate;
        if let Some(returned) = returned {
            let id = returned.properties.message_id().as_ref().map(ToString::to_string).unwrap_or_default();
            waiting.returned.insert((id, returned.exchange.to_string(), returned.routing_key.to_string()));
        }
    }
}

fn lock(waiting: &Mutex<Waiting>) -> std::sync::MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn publish_one(channel: &Channel, letter: &Letter) -> Result<lapin::PublisherConfirm, Fate> {
    let properties = properties(letter).map_err(Fate::NotSent)?;
    let (exchange, routing_key) = (short(&letter.exchange), short(&letter.routing_key));
    let (exchange, routing_key) = (exchange.map_err(Fate::NotSent)?, routing_key.map_err(Fate::NotSent)?);
    let options = BasicPublishOptions { mandatory: true, immediate: false };
    channel.basic_publish(exchange, routing_key, options, &letter.body, properties).await.map_err(Fate::Lost)
}

pub(super) fn properties(letter: &Letter) -> Result<BasicProperties, NotPublished> {
    const PERSISTENT: u8 = 2;
    let mut headers = FieldTable::default();
    for (name, value) in &letter.headers {
        headers.insert(short(name)?, AMQPValue::LongString(value.as_str().into()));
    }
    let mut properties = BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_message_id(short(&letter.message_id)?)
        .with_content_type(short(&letter.content_type)?)
        .with_type(short(&letter.event_type)?)
        .with_app_id("kassebro".into())
        .with_timestamp(u64::try_from(letter.timestamp.as_second()).unwrap_or_default())
        .with_headers(headers);
    if let Some(correlation_id) = &letter.correlation_id {
        properties = properties.with_correlation_id(short(correlation_id)?);
    }
    Ok(properties)
}

pub(super) fn short(text: &str) -> Result<ShortString, NotPublished> {
    ShortString::try_new(text)
        .map_err(|_| NotPublished::Refused(format!("a text of {} bytes; 255 is the most", text.len())))
}

pub(super) fn unbound(letter: &Letter) -> NotPublished {
    let Letter { exchange, routing_key, .. } = letter;
    NotPublished::Unroutable(format!("exchange {exchange:?} has no queue for {routing_key:?}"))
}

/// AMQP 0-9-1, 1.2 "Constants".
const ACCESS_REFUSED: u16 = 403;
const NOT_FOUND: u16 = 404;
const PRECONDITION_FAILED: u16 = 406;

/// What an error means for a message that was on its way. The broker closes a channel over one message and
/// does not say which; only a message that was alone on its channel can be told.
pub(super) fn lost(error: &lapin::Error, letter: &Letter, lonely: bool) -> NotPublished {
    let text = shortened(&error.to_string());
    let reply = match error.kind() {
        lapin::ErrorKind::ProtocolError(error) if lonely => error.get_id(),
        _ => return NotPublished::Unconfirmed(text),
    };
    match reply {
        NOT_FOUND => NotPublished::Unroutable(format!("exchange {:?} does not exist", letter.exchange)),
        ACCESS_REFUSED => NotPublished::Unauthorised(text),
        PRECONDITION_FAILED => NotPublished::Refused(text),
        _ => NotPublished::Unconfirmed(text),
    }
}

/// A channel that confirms: one that lies idle, or a new one.
async fn take_channel(session: &Session) -> lapin::Result<Channel> {
    if let Some(channel) = session.idle_channel() {
        return Ok(channel);
    }
    let channel = session.open_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    Ok(channel)
}
