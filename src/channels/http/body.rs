//! A request's body that remembers whether any of it was handed to the connection.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

/// The bytes of one attempt.
pub(super) struct WatchedBody {
    bytes: Option<Bytes>,
    begun: Arc<AtomicBool>,
}

/// Says whether the body was begun.
pub(super) struct Sent(Arc<AtomicBool>);

impl Sent {
    /// `false`: not one byte of the body can have reached the receiver.
    pub(super) fn is_begun(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl WatchedBody {
    pub(super) fn new(bytes: Bytes) -> (Self, Sent) {
        // An empty body is whole as soon as the head is sent, and no byte of it is ever asked for.
        let begun = Arc::new(AtomicBool::new(bytes.is_empty()));
        let bytes = Some(bytes).filter(|bytes| !bytes.is_empty());
        (Self { bytes, begun: Arc::clone(&begun) }, Sent(begun))
    }
}

impl Body for WatchedBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.begun.store(true, Ordering::Release);
        Poll::Ready(self.bytes.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}
