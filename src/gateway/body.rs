//! The bodies of a call that is relayed.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::sync::oneshot;
use tonic::Status;
use tonic::body::Body;

use crate::server::{Ending, RequestBody};
use crate::status;

pin_project! {
    /// The body of a request on its way to an upstream, without identity in its trailers.
    pub(super) struct Upload {
        #[pin]
        inner: RequestBody<Body>,
        broken_off: Option<oneshot::Sender<Status>>,
    }
}

/// Tells why the request's body was broken off, if it was.
pub(super) struct Uploaded(oneshot::Receiver<Status>);

/// The body of an upstream's response. When the connection breaks half-way, the caller gets a
/// status in trailers, in place of a reset stream.
pub(super) struct Download {
    inner: Body,
    path: String,
    uploaded: Uploaded,
    /// Set when trailers were sent that this body made.
    ended: bool,
}

impl Upload {
    /// Also says why the body was broken off, if it is.
    pub(super) fn new(body: Body) -> (Self, Uploaded) {
        let (broken_off, uploaded) = oneshot::channel();
        let inner = RequestBody::new(body, Ending::at(None));
        (Self { inner, broken_off: Some(broken_off) }, Uploaded(uploaded))
    }
}

impl Uploaded {
    /// What the caller is told when the upstream fails: where that follows from the end of the
    /// request, at its deadline for instance, it is why that came.
    pub(super) fn failure(&mut self, path: &str, error: &(dyn Error + 'static)) -> Status {
        self.0.try_recv().unwrap_or_else(|_| status::from_upstream(path, error))
    }
}

impl Download {
    pub(super) fn new(inner: Body, path: String, uploaded: Uploaded) -> Self {
        Self { inner, path, uploaded, ended: false }
    }
}

impl http_body::Body for Upload {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.project();
        let frame = ready!(this.inner.poll_frame(cx));
        if let Some(Err(status)) = &frame
            && let Some(broken_off) = this.broken_off.take()
        {
            // When the answer is there already, nobody wants to know.
            drop(broken_off.send(status.clone()));
        }
        Poll::Ready(frame)
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
                let this = &mut *self;
                let status = this.uploaded.failure(&this.path, &error);
                Poll::Ready(Some(Ok(Frame::trailers(status::trailers(&status)))))
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
