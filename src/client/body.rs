use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::sync::oneshot;
use tonic::Status;

use super::end::End;
use crate::body::MaybeBody;
use crate::call::{CallContext, ambient};
use crate::status;

/// Held by those who wait for the answer to a request.
pub(super) type Awaited = oneshot::Sender<Infallible>;

pin_project! {
    /// The body of a request: polled and dropped in the scope of the call that sends it, whichever
    /// task does so. It is broken off when nobody waits for the answer any more: as long as it goes
    /// on, the peer would not be told.
    pub(super) struct RequestBody<B> {
        #[pin]
        inner: MaybeBody<B>,
        context: CallContext,
        left: oneshot::Receiver<Infallible>,
    }

    impl<B> PinnedDrop for RequestBody<B> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            ambient::enter(this.context, || this.inner.clear());
        }
    }
}

pin_project! {
    /// The body of a response of a [`ClientService`](super::ClientService). It ends with a status in
    /// trailers when the deadline passes, or the call that it is made for is cancelled.
    pub struct ResponseBody<B> {
        #[pin]
        inner: MaybeBody<B>,
        end: End,
        awaited: Option<Awaited>,
    }
}

impl<B> RequestBody<B> {
    /// Also returns what has to be held for as long as somebody waits for the answer.
    pub(super) fn new(inner: B, context: CallContext) -> (Self, Awaited) {
        let (awaited, left) = oneshot::channel();
        (Self { inner: MaybeBody::new(inner), context, left }, awaited)
    }
}

impl<B> ResponseBody<B> {
    pub(super) fn new(inner: B, end: End, awaited: Option<Awaited>) -> Self {
        Self { inner: MaybeBody::new(inner), end, awaited }
    }
}

impl<B: Body<Error = Status>> Body for RequestBody<B> {
    type Data = B::Data;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, Status>>> {
        let mut this = self.project();
        let frame = ambient::enter(this.context, || this.inner.as_mut().poll_frame(cx));
        let is_left = match &frame {
            Poll::Ready(Some(Ok(frame))) if frame.is_data() => {
                this.left.try_recv() == Err(oneshot::error::TryRecvError::Closed)
            }
            Poll::Ready(_) => false,
            Poll::Pending => Pin::new(this.left).poll(cx).is_ready(),
        };
        if !is_left {
            return frame;
        }
        ambient::enter(this.context, || this.inner.clear());
        Poll::Ready(Some(Err(status::call_cancelled())))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B> fmt::Debug for ResponseBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").finish_non_exhaustive()
    }
}

impl<B> Default for ResponseBody<B> {
    fn default() -> Self {
        Self { inner: MaybeBody::default(), end: End::never(), awaited: None }
    }
}

impl<B: Body> Body for ResponseBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let status = match this.inner.as_mut().poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) if frame.is_data() => match this.end.has_come() {
                None => return Poll::Ready(Some(Ok(frame))),
                Some(status) => status,
            },
            Poll::Ready(Some(Err(error))) => match this.end.of_error() {
                None => return Poll::Ready(Some(Err(error))),
                Some(status) => status,
            },
            Poll::Ready(end) => return Poll::Ready(end),
            Poll::Pending => match this.end.poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(status) => status,
            },
        };
        // Nobody waits for the rest: the peer is told so.
        this.inner.clear();
        *this.awaited = None;
        Poll::Ready(Some(Ok(Frame::trailers(status::trailers(&status)))))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
