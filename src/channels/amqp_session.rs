//! A connection to RabbitMQ that is thrown away at the first error and built anew, within bounds.

use std::{
    sync::{Mutex as SyncMutex, PoisonError},
    time::Duration,
};

use std::sync::Arc;

use futures_util::{FutureExt, future::BoxFuture};
use lapin::{Channel, Connection, ErrorKind, protocol::AMQPErrorKind};
use tokio::sync::Mutex;

use super::amqp_publisher::{NotPublished, Settings};
use crate::{
    amqp_client::{self, Broker, NotConnected},
    clock::{Clock, System},
    http_client::{shortened, with_causes},
    reconnect::Reconnect,
};

/// Channels kept open and idle.
const IDLE_CHANNELS_MAX: usize = 16;

/// A session that stood this long was sound: the waits between connections begin anew.
const SOUND_AFTER: Duration = Duration::from_secs(10);

/// A handshake that has not ended after this is forgotten. The client library cannot abandon one: each leaves
/// a thread behind until the broker answers or drops the socket. So a handshake that is slow is waited for
/// again by the next attempt, and only this rarely begun anew.
const HANDSHAKE_MAX: Duration = Duration::from_mins(5);

/// One connection while it stands.
pub(super) struct Session {
    connection: Connection,
    idle: SyncMutex<Vec<Channel>>,
    since: Duration,
}

impl Session {
    pub(super) fn is_blocked(&self) -> bool {
        self.connection.status().blocked()
    }

    fn stands(&self) -> bool {
        self.connection.status().connected()
    }

    pub(super) async fn open_channel(&self) -> lapin::Result<Channel> {
        self.connection.create_channel().await
    }

    pub(super) fn idle_channel(&self) -> Option<Channel> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|channel| channel.status().connected());
        idle.pop()
    }

    /// Takes back a channel all of whose confirms have come.
    pub(super) fn give_back(&self, channel: Channel) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_CHANNELS_MAX && channel.status().connected() {
            idle.push(channel);
        }
    }
}

/// The session of the moment, and the way to the next.
pub(super) struct Sessions {
    name: String,
    broker: Broker,
    state: Mutex<State>,
}

struct State {
    session: Option<Arc<Session>>,
    /// A handshake that has not ended yet, and when it began.
    pending: Option<(BoxFuture<'static, lapin::Result<Connection>>, Duration)>,
    reconnect: Reconnect,
    /// Until then no new connection is tried, and why the last one failed.
    rest: Option<(Duration, NotPublished)>,
}

impl Sessions {
    pub(super) fn new(name: &str, settings: &Settings) -> Self {
        let state = State { session: None, pending: None, reconnect: Reconnect::usual(), rest: None };
        Self { name: name.to_owned(), broker: settings.broker.clone(), state: Mutex::new(state) }
    }

    /// The session that stands, or a new one. Callers that come while one is being made wait for it; in the
    /// pause after a failure they get that failure at once.
    pub(super) async fn current(&self) -> Result<Arc<Session>, NotPublished> {
        let mut state = self.state.lock().await;
        let now = System.monotonic();
        if let Some(session) = &state.session {
            if session.stands() {
                return Ok(Arc::clone(session));
            }
            if now.saturating_sub(session.since) >= SOUND_AFTER {
                state.reconnect.reset();
            }
            state.session = None;
        }
        if let Some((until, why)) = &state.rest
            && now < *until
        {
            return Err(why.clone());
        }
        match self.connect(&mut state, now).await {
            Ok(connection) => {
                let session = Session { connection, idle: SyncMutex::default(), since: System.monotonic() };
                let session = Arc::new(session);
                state.session = Some(Arc::clone(&session));
                state.rest = None;
                Ok(session)
            }
            Err(why) => {
                let wait = state.reconnect.next();
                state.rest = Some((System.monotonic() + wait, why.clone()));
                Err(why)
            }
        }
    }

    pub(super) async fn is_blocked(&self) -> bool {
        self.state.lock().await.session.as_ref().is_some_and(|session| session.is_blocked())
    }

    pub(super) async fn close(&self) {
        let mut state = self.state.lock().await;
        state.pending = None;
        if let Some(session) = state.session.take() {
            // An error says that it is closed already.
            let _ = session.connection.close(200, "OK".into()).await;
        }
    }

    async fn connect(&self, state: &mut State, now: Duration) -> Result<Connection, NotPublished> {
        if state.pending.as_ref().is_none_or(|(_, begun)| now.saturating_sub(*begun) >= HANDSHAKE_MAX) {
            state.pending = Some((self.handshake()?, now));
        }
        // It stays in its place while it is waited for: the caller may be dropped meanwhile.
        let (handshake, _) = state.pending.as_mut().expect("it was put there above");
        let Ok(done) = tokio::time::timeout(self.broker.connect_timeout, handshake).await else {
            return Err(NotPublished::Unreachable(format!("{} does not answer", self.broker.uri)));
        };
        state.pending = None;
        done.map_err(|error| refusal(error.into()))
    }

    /// A new connection on its way.
    fn handshake(&self) -> Result<BoxFuture<'static, lapin::Result<Connection>>, NotPublished> {
        amqp_client::handshake(&self.broker, &self.name).map(FutureExt::boxed).map_err(refusal)
    }
}

/// What a failed connection means.
fn refusal(why: NotConnected) -> NotPublished {
    let error = match why {
        NotConnected::Certificate(text) => return NotPublished::Certificate(text),
        NotConnected::Files(error) => return NotPublished::Certificate(with_causes(&error)),
        NotConnected::Refused(error) => error,
        why @ (NotConnected::Address | NotConnected::TimedOut(_)) => {
            return NotPublished::Unreachable(why.to_string());
        }
    };
    let text = shortened(&error.to_string());
    match error.kind() {
        ErrorKind::ProtocolError(protocol) => match protocol.kind() {
            // A wrong password is a soft error by number, a virtual host that is not there a hard one.
            AMQPErrorKind::Soft(_) | AMQPErrorKind::Hard(_) if matches!(protocol.get_id(), 403 | 530) => {
                NotPublished::Unauthorised(text)
            }
            _ => NotPublished::Unreachable(text),
        },
        _ => NotPublished::Unreachable(text),
    }
}
