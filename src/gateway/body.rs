//! The bodies of a call that is relayed.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as _, Frame, SizeHint};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tonic::Status;
use tonic::body::Body;

use crate::server::RequestBody;
use crate::status;

/// The body of a request on its way to an upstream, without identity in its trailers.
pub(super) struct Upload {
    inner: RequestBody<Body>,
    /// Dropped with the body.
    _alive: oneshot::Sender<()>,
}

/// The body of an upstream's response. When the connection breaks half-way, the caller gets a
/// status in trailers, in place of a reset stream.
pub(super) struct Download {
    inner: Body,
    path: String,
    /// Ready when the request's body is gone.
    uploaded: oneshot::Receiver<()>,
    /// Set when trailers were sent that this body made.
    ended: bool,
}

impl Upload {
    /// Also says when the body is gone.
    pub(super) fn new(body: Body) -> (Self, oneshot::Receiver<()>) {
        let (alive, uploaded) = oneshot::channel();
        (Self { inner: RequestBody::new(body), _alive: alive }, uploaded)
    }
}

impl Download {
    pub(super) fn new(inner: Body, path: String, uploaded: oneshot::Receiver<()>) -> Self {
        Self { inner, path, uploaded, ended: false }
    }
}

impl http_body::Body for Upload {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl http_body::Body for Download {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        match ready!(Pin::new(&mut self.inner).poll_frame(cx)) {
            Some(Err(error)) => {
                self.ended = true;
                let status = status::from_upstream(&self.path, &error);
                let mut trailers = HeaderMap::new();
                status.add_header(&mut trailers)?;
                Poll::Ready(Some(Ok(Frame::trailers(trailers))))
            }
            frame => Poll::Ready(frame),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A caller who leaves while both directions are full would leave a stream behind that holds the
/// connection's window for ever: hyper notices that the request was broken off when it asks for
/// more of it, which it does not before the upstream took some, which it does not before its answer
/// was read. So the answer is read, and thrown away, until the request is gone.
impl Drop for Download {
    fn drop(&mut self) {
        let uploading =
            matches!(self.uploaded.try_recv(), Err(oneshot::error::TryRecvError::Empty));
        if self.is_end_stream() || !uploading {
            return;
        }
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let mut answer = std::mem::take(&mut self.inner);
        let (_, never) = oneshot::channel();
        let mut uploaded = std::mem::replace(&mut self.uploaded, never);
        runtime.spawn(std::future::poll_fn(move |cx| {
            loop {
                if Pin::new(&mut uploaded).poll(cx).is_ready() {
                    return Poll::Ready(());
                }
                match ready!(Pin::new(&mut answer).poll_frame(cx)) {
                    Some(Ok(_)) => {}
                    None | Some(Err(_)) => return Poll::Ready(()),
                }
            }
        }));
    }
}
