//! A reference jobcenter inbox: takes deliveries, remembers their keys, answers with receipts, and can be told
//! to be slow, to refuse or to break.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use hyper::{Request, Response, body::Incoming};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
};
use tower::{Service, ServiceExt};

use crate::{
    clock::{Clock, System},
    webhook_signature::WebhookSecret,
};

pub mod behaviour;
pub mod ledger;
mod pages;

pub use behaviour::Behaviour;
pub use ledger::{Delivery, Ledger, Stats};

/// Connections at once; more wait to be accepted.
const CONNECTIONS_MAX: usize = 512;

/// A connection that has sent no whole head after this is closed.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Larger bodies are answered with 413.
pub const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The inbox, bound to its address and not yet serving.
pub struct Inbox {
    listener: TcpListener,
    address: SocketAddr,
    pages: Arc<pages::Shared>,
}

impl Inbox {
    /// Binds the address; port 0 picks a free one. With `secrets`, a delivery that none of them has signed is
    /// answered with 401.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub async fn bind(address: SocketAddr, secrets: Vec<WebhookSecret>) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, pages: Arc::new(pages::Shared::new(secrets)) })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where deliveries are posted to.
    pub fn url(&self) -> String {
        format!("http://{}/inbox", self.address)
    }

    /// What it has taken, and the switch for how it behaves; stays valid while it serves.
    pub fn handle(&self) -> Handle {
        Handle { pages: Arc::clone(&self.pages) }
    }

    /// Serves until `stop` completes. Requests under way are cut off then.
    ///
    /// # Errors
    /// The address cannot be bound again after the inbox was told to refuse connections for a while.
    pub async fn serve(self, stop: impl Future<Output = ()>) -> io::Result<()> {
        let mut stop = std::pin::pin!(stop);
        let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let mut connections = JoinSet::new();
        let mut listener = self.listener;
        loop {
            if let Some(pause) = self.pages.refusal() {
                drop(listener);
                // Those that are connected already are cut off, as by a machine that is gone.
                connections.shutdown().await;
                tokio::select! {
                    () = System.sleep(pause) => {}
                    () = &mut stop => return Ok(()),
                }
                listener = bind_again(self.address).await?;
            }
            tokio::select! {
                () = &mut stop => return Ok(()),
                () = self.pages.told_to_refuse() => {}
                Some(_) = connections.join_next() => {}
                accepted = accept(&listener, &permits) => {
                    if let Some((stream, permit)) = accepted {
                        let pages = Arc::clone(&self.pages);
                        connections.spawn(async move {
                            serve_connection(stream, pages).await;
                            drop(permit);
                        });
                    }
                }
            }
        }
    }
}

/// Looks into an inbox that serves.
#[derive(Clone)]
pub struct Handle {
    pages: Arc<pages::Shared>,
}

impl Handle {
    pub fn stats(&self) -> Stats {
        self.pages.ledger().stats()
    }

    /// The deliveries with a number above `after`, at most 1000, oldest first.
    pub fn deliveries(&self, after: u64) -> Vec<Delivery> {
        self.pages.ledger().after(after, 1000)
    }

    /// # Errors
    /// A sentence that says what is out of bounds.
    pub fn behave(&self, behaviour: Behaviour) -> Result<(), String> {
        self.pages.behave(behaviour)
    }
}

async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits).acquire_owned().await.expect("the semaphore is never closed");
    if let Ok((stream, _)) = listener.accept().await {
        return Some((stream, permit));
    }
    // Out of descriptors, mostly: others must end before the next is taken.
    System.sleep(Duration::from_millis(50)).await;
    None
}

/// The port may take a moment to come free.
async fn bind_again(address: SocketAddr) -> io::Result<TcpListener> {
    const TRIES: u32 = 50;
    for _ in 1..TRIES {
        if let Ok(listener) = TcpListener::bind(address).await {
            return Ok(listener);
        }
        System.sleep(Duration::from_millis(100)).await;
    }
    TcpListener::bind(address).await
}

async fn serve_connection(stream: TcpStream, shared: Arc<pages::Shared>) {
    // Answers are small and come in one piece: waiting to fill a segment would only delay them.
    let _ = stream.set_nodelay(true);
    let router = pages::router(shared);
    let service = TowerToHyperService::new(tower::service_fn(move |request: Request<Incoming>| {
        let router = router.clone();
        async move {
            let response = call(router, request).await;
            // An error is the only way to make the server close a connection without a word.
            if response.extensions().get::<pages::Hangup>().is_some() { Err(HungUp) } else { Ok(response) }
        }
    }));
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    server.http2().timer(TokioTimer::new()).keep_alive_interval(HEAD_TIMEOUT);
    // How a connection ended is the other side's story to tell.
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}

async fn call(mut router: axum::Router, request: Request<Incoming>) -> Response<axum::body::Body> {
    let ready = ServiceExt::<Request<Incoming>>::ready(&mut router).await.expect("a router is always ready");
    ready.call(request).await.expect("a router does not fail")
}

#[derive(Debug, thiserror::Error)]
#[error("told to hang up")]
struct HungUp;
