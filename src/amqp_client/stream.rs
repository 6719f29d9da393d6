//! A connection whose answers go through the sieve, and the reactor that the client library wants for it.

use std::{
    io::{self, Read, Write},
    net::SocketAddr,
    os::fd::{AsFd, AsRawFd},
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use async_rs::{Runtime, Tokio, traits::Reactor, util::RuntimeParts};
use futures_util::{
    Stream,
    io::{AsyncRead, AsyncWrite},
};
use lapin::{
    AsyncTcpStream, Connection, ConnectionProperties,
    tcp::{AMQPUriTcpExt, RustlsConnector},
    uri::{AMQPScheme, AMQPUri},
};

use super::sieve::Sieve;

/// Read at one time.
const READ_BYTES: usize = 32 * 1024;

/// Connects through the sieve, which stands behind TLS where there is a connector.
pub(super) async fn connect(
    uri: AMQPUri,
    properties: ConnectionProperties,
    tls: Option<RustlsConnector>,
) -> lapin::Result<Connection> {
    let runtime = Runtime::new(RuntimeParts::new(Tokio::current(), Sieving(Tokio::current())));
    let connect = async move |uri: AMQPUri, _: Runtime<RuntimeParts<Tokio, Sieving>>| {
        let plain = Runtime::new(Tokio::current());
        // The library's own TLS trusts the system's authorities besides ours, and fails where there are none.
        let bare = AMQPUri { scheme: AMQPScheme::AMQP, ..uri.clone() };
        let mut stream = bare.connect_async(&plain).await?;
        if let Some(connector) = &tls {
            stream = stream.into_rustls(connector, &uri.authority.host).await?;
        }
        Ok(AsyncTcpStream::Plain(Sieved::new(stream)))
    };
    Connection::connector(uri, runtime, connect, properties).await
}

/// Tokio's reactor with sieved connections.
#[derive(Debug, Clone)]
struct Sieving(Tokio);

impl Reactor for Sieving {
    type TcpStream = Sieved;
    type Sleep = <Tokio as Reactor>::Sleep;

    fn register<H: Read + Write + AsFd + AsRawFd + Send + 'static>(
        &self,
        socket: H,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        self.0.register(socket)
    }

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        self.0.sleep(duration)
    }

    fn interval(&self, duration: Duration) -> impl Stream<Item = Instant> + Send + 'static {
        self.0.interval(duration)
    }

    fn tcp_connect_addr(
        &self,
        address: SocketAddr,
    ) -> impl Future<Output = io::Result<Sieved>> + Send + 'static {
        let connecting = self.0.tcp_connect_addr(address);
        async move { Ok(Sieved::new(AsyncTcpStream::Plain(connecting.await?))) }
    }
}

/// A connection, with or without TLS, read through the sieve.
struct Sieved {
    stream: AsyncTcpStream<<Tokio as Reactor>::TcpStream>,
    sieve: Sieve,
    read: Box<[u8]>,
}

impl Sieved {
    fn new(stream: AsyncTcpStream<<Tokio as Reactor>::TcpStream>) -> Self {
        Self { stream, sieve: Sieve::default(), read: vec![0; READ_BYTES].into() }
    }
}

impl AsyncRead for Sieved {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        loop {
            let taken = this.sieve.take(into);
            if taken > 0 || into.is_empty() {
                return Poll::Ready(Ok(taken));
            }
            let length = ready!(Pin::new(&mut this.stream).poll_read(context, &mut this.read))?;
            if length == 0 {
                // Half a frame, if one is left, is of no use to anybody.
                return Poll::Ready(Ok(0));
            }
            this.sieve
                .put(&this.read[..length])
                .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
        }
    }
}

impl AsyncWrite for Sieved {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(context)
    }
}
