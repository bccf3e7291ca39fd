use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::sync::oneshot;
use tonic::Status;
use tonic::body::Body;

use super::end::End;
use crate::body::MaybeBody;
use crate::call::{CallContext, ambient};
use crate::drain::drain;
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

/// The body of a response of a [`ClientService`](super::ClientService). It ends with a status in
/// trailers when the deadline passes, or the call that it is made for is cancelled.
pub struct ResponseBody {
    inner: Body,
    end: End,
    awaited: Option<Awaited>,
}

impl<B> RequestBody<B> {
    /// Also returns what has to be held for as long as somebody waits for the answer.
    pub(super) fn new(inner: B, context: CallContext) -> (Self, Awaited) {
        let (awaited, left) = oneshot::channel();
        (Self { inner: MaybeBody::new(inner), context, left }, awaited)
    }
}

impl ResponseBody {
    pub(super) fn new(inner: Body, end: End, awaited: Option<Awaited>) -> Self {
        Self { inner, end, awaited }
    }

    /// Nobody waits for the rest. The peer is told so: the stream is reset when the answer is dropped,
    /// and the request has ended or was broken off.
    fn give_up(&mut self) {
        let answer = mem::take(&mut self.inner);
        let Some(awaited) = self.awaited.take() else {
            return;
        };
        let is_sending = !awaited.is_closed();
        drop(awaited);
        if is_sending && !answer.is_end_stream() {
            drain(answer);
        }
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        if !self.inner.is_end_stream() {
            self.give_up();
        }
    }
}

impl<B: http_body::Body<Error = Status>> http_body::Body for RequestBody<B> {
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
        let mut status = status::call_cancelled();
        // What hyper resets the stream with.
        status.set_source(Arc::new(h2::Error::from(h2::Reason::CANCEL)));
        Poll::Ready(Some(Err(status)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").finish_non_exhaustive()
    }
}

impl Default for ResponseBody {
    fn default() -> Self {
        Self { inner: Body::default(), end: End::never(), awaited: None }
    }
}

impl http_body::Body for ResponseBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        let status = match Pin::new(&mut this.inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) if frame.is_data() => match this.end.has_come() {
                None => return Poll::Ready(Some(Ok(frame))),
                Some(status) => status,
            },
            Poll::Ready(Some(Err(error))) => match this.end.of_error() {
                None => return Poll::Ready(Some(Err(error))),
                Some(status) => status,
            },
            Poll::Ready(end) => {
                this.inner = Body::default();
                return Poll::Ready(end);
            }
            Poll::Pending => match this.end.poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(status) => status,
            },
        };
        this.give_up();
        Poll::Ready(Some(Ok(Frame::trailers(status::trailers(&status)))))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
