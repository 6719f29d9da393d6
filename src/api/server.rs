//! The socket: every connection bounded in number and in time, and a stop that lets requests finish.
//!
//! `axum::serve` is not used: it gives hyper no timer, and without one a slow header is never cut.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::{JoinError, JoinSet},
};
use tracing::{error, info, warn};

use super::{Config, Desk, router, stall::Stall};
use crate::{clock::Clock, lifecycle::Stop};

/// Headers of one request.
const HEADERS_MAX: usize = 100;
/// Bytes of a request's line and headers.
const HEADER_BYTES_MAX: usize = 16 * 1024;
/// After an accept that failed (no file descriptors left): a pause, so that the loop does not spin.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// HTTP cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is none, is taken, or is not this machine's.
    #[error("listening on {address}")]
    Listen {
        address: String,
        #[source]
        source: io::Error,
    },
}

/// A bound socket that is not served yet.
pub struct Server {
    listener: TcpListener,
    desk: Desk,
    config: Config,
}

/// Binds and serves until the stop.
///
/// # Errors
/// The address cannot be bound.
pub async fn serve(desk: Desk, config: Config, stop: Stop) -> Result<(), ServeError> {
    Server::bind(desk, config).await?.run(stop).await;
    Ok(())
}

impl Server {
    /// # Errors
    /// The address cannot be bound.
    pub async fn bind(desk: Desk, config: Config) -> Result<Self, ServeError> {
        let failed = |source| ServeError::Listen { address: config.listen.clone(), source };
        let listener = TcpListener::bind(&config.listen).await.map_err(failed)?;
        Ok(Self { listener, desk, config })
    }

    /// The address that was bound; its port is chosen where the configuration said 0.
    pub fn address(&self) -> Option<SocketAddr> {
        self.listener.local_addr().ok()
    }

    /// Serves until the stop: after the soft one nothing new is accepted and what is under way gets `grace`,
    /// after the hard one everything is cut.
    pub async fn run(self, stop: Stop) {
        let Self { listener, desk, config } = self;
        info!(address = ?listener.local_addr().ok(), "Serving HTTP");
        let clock = Arc::clone(&desk.clock);
        let service = router(desk, config.clone(), stop.clone());
        let places = Arc::new(Semaphore::new(config.connections_max));
        // Connections are tasks of this loop and not of the process: one that fails is cut, and that is all.
        let mut connections: JoinSet<()> = JoinSet::new();
        loop {
            tokio::select! {
                (socket, place) = accept(&listener, &places, &clock) => {
                    let connection = Connection {
                        place,
                        config: config.clone(),
                        clock: Arc::clone(&clock),
                        stop: stop.clone(),
                    };
                    connections.spawn(connection.serve(socket, service.clone()));
                }
                Some(ended) = connections.join_next() => report(ended),
                () = stop.soft() => break,
            }
        }
        drop(listener);
        stop.unless_hard(async {
            while let Some(ended) = connections.join_next().await {
                report(ended);
            }
        })
        .await;
        connections.shutdown().await;
    }
}

/// The next connection, once there is a place for it.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
    clock: &Arc<dyn Clock>,
) -> (TcpStream, OwnedSemaphorePermit) {
    let place = Arc::clone(places).acquire_owned().await.expect("the semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((socket, _)) => return (socket, place),
            Err(error) => {
                warn!(%error, "A connection could not be accepted");
                clock.sleep(AFTER_FAILURE).await;
            }
        }
    }
}

fn report(ended: Result<(), JoinError>) {
    if let Err(failure) = ended
        && failure.is_panic()
    {
        error!("A connection stopped in our own code and was cut");
    }
}

/// One connection, with its place among the connections.
struct Connection {
    place: OwnedSemaphorePermit,
    config: Config,
    clock: Arc<dyn Clock>,
    stop: Stop,
}

impl Connection {
    async fn serve(self, socket: TcpStream, service: Router) {
        // An answer is written in one go: waiting for more to send only makes it late.
        if socket.set_nodelay(true).is_err() {
            return;
        }
        let stream = Stall::new(socket, Arc::clone(&self.clock), self.config.write_timeout);
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.config.header_read_timeout)
            .max_headers(HEADERS_MAX)
            .max_buf_size(HEADER_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            // How a connection ends is its other end's business: cut, timed out or in good order.
            _ = connection.as_mut() => return,
            () = self.stop.soft() => {}
        }
        connection.as_mut().graceful_shutdown();
        tokio::select! {
            _ = connection => {}
            () = self.clock.sleep(self.config.grace) => {}
            () = self.stop.hard() => {}
        }
        drop(self.place);
    }
}
