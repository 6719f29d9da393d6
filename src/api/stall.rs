//! A connection that is cut when its other end takes nothing for too long.
//!
//! The server below bounds how long a request may take to come; nothing there bounds how long an answer may
//! take to go.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::clock::Clock;

/// A stream whose writing must get on.
pub(super) struct Stall<S> {
    stream: S,
    clock: Arc<dyn Clock>,
    patience: Duration,
    /// Runs while the other end takes nothing.
    stalled: Option<BoxFuture<'static, ()>>,
}

impl<S> Stall<S> {
    pub(super) fn new(stream: S, clock: Arc<dyn Clock>, patience: Duration) -> Self {
        Self { stream, clock, patience, stalled: None }
    }

    /// Ends the wait where there was progress; else the connection once patience is over.
    fn judge<T>(&mut self, done: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if done.is_ready() {
            self.stalled = None;
            return done;
        }
        let stalled = self.stalled.get_or_insert_with(|| self.clock.sleep(self.patience));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stall<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stall<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.judge(done, cx)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = Pin::new(&mut self.stream).poll_flush(cx);
        self.judge(done, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.judge(done, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.judge(done, cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;
    use crate::clock::Moved;

    #[tokio::test]
    async fn a_reader_that_stops_reading_is_cut_and_a_slow_one_is_not() {
        let clock = Moved::starting_at("2026-11-02T09:00:00Z".parse().unwrap());
        let (near, mut far) = duplex(4);
        let mut near = Stall::new(near, Arc::new(clock.clone()), Duration::from_secs(15));
        let mut write = Box::pin(async move { near.write_all(b"0123456789").await });
        for _ in 0..2 {
            assert!(futures_util::poll!(&mut write).is_pending());
            clock.advance(Duration::from_secs(14));
            assert!(futures_util::poll!(&mut write).is_pending(), "patience is not over");
            let mut taken = [0; 2];
            far.read_exact(&mut taken).await.unwrap();
        }
        assert!(futures_util::poll!(&mut write).is_pending());
        clock.advance(Duration::from_secs(15));
        assert_eq!(write.await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
