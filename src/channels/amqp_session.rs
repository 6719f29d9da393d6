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

type Handshake = (BoxFuture<'static, lapin::Result<Connection>>, Duration);

struct State {
    session: Option<Arc<Session>>,
    /// For each host of the broker a handshake that has not ended yet, and when it began.
    pending: Vec<Option<Handshake>>,
    reconnect: Reconnect,
    /// Until then no new connection is tried, and why the last one failed.
    rest: Option<(Duration, NotPublished)>,
}

impl Sessions {
    pub(super) fn new(name: &str, settings: &Settings) -> Self {
        let pending = settings.broker.in_turn().map(|_| None).collect();
        let state = State { session: None, pending, reconnect: Reconnect::usual(), rest: None };
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
        match self.connect(&mut state).await {
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
        state.pending.fill_with(|| None);
        if let Some(session) = state.session.take() {
            // An error says that it is closed already.
            let _ = session.connection.close(200, "OK".into()).await;
        }
    }

    /// Tries each host once. Who is dropped meanwhile has passed by those that were tried: the next call goes on
    /// behind them.
    async fn connect(&self, state: &mut State) -> Result<Connection, NotPublished> {
        let mut refusals = Vec::new();
        for host in self.broker.in_turn() {
            match self.connect_to(host, &mut state.pending[host]).await {
                Ok(connection) => {
                    self.broker.worked(host);
                    state.pending.fill_with(|| None);
                    return Ok(connection);
                }
                Err(why) => refusals.push((self.broker.uri.places()[host].clone(), why)),
            }
        }
        Err(together(refusals))
    }

    async fn connect_to(
        &self,
        host: usize,
        pending: &mut Option<Handshake>,
    ) -> Result<Connection, NotPublished> {
        let (broker, now) = (self.broker.at(host), System.monotonic());
        if pending.as_ref().is_none_or(|(_, begun)| now.saturating_sub(*begun) >= HANDSHAKE_MAX) {
            let handshake = amqp_client::handshake(&broker, &self.name).map_err(refusal)?;
            *pending = Some((handshake.boxed(), now));
        }
        // It stays in its place while it is waited for: the caller may be dropped meanwhile.
        let (handshake, _) = pending.as_mut().expect("it was put there above");
        let done = tokio::time::timeout(self.broker.connect_timeout, handshake).await;
        self.broker.pass_by(host);
        let Ok(done) = done else {
            return Err(NotPublished::Unreachable(format!("{} does not answer", broker.uri)));
        };
        *pending = None;
        done.map_err(|error| refusal(error.into()))
    }
}

/// What the only host said, or what all did. Where they differ nobody let us in for want of a connection.
fn together(mut refusals: Vec<(String, NotPublished)>) -> NotPublished {
    if refusals.len() == 1 {
        return refusals.remove(0).1;
    }
    let told: Vec<_> = refusals.iter().map(|(place, why)| format!("{place}: {why}")).collect();
    let (told, all) =
        (told.join("; "), |is: fn(&NotPublished) -> bool| refusals.iter().all(|(_, why)| is(why)));
    if all(|why| matches!(why, NotPublished::Unauthorised(_))) {
        NotPublished::Unauthorised(told)
    } else if all(|why| matches!(why, NotPublished::Certificate(_))) {
        NotPublished::Certificate(told)
    } else {
        NotPublished::Unreachable(told)
    }
}

/// What a failed connection means.
fn refusal(why: NotConnected) -> NotPublished {
    let error = match why {
        NotConnected::Certificate(text) => return NotPublished::Certificate(text),
        NotConnected::Files(error) => return NotPublished::Certificate(with_causes(&error)),
        NotConnected::Refused(error) => error,
        why @ (NotConnected::Address | NotConnected::TimedOut(_) | NotConnected::Nowhere(_)) => {
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
