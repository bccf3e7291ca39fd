//! The bodies of an outgoing call.

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

use super::discard::discard;
use crate::call::{self, CallContext};
use crate::outbound::{Injected, OutboundError};
use crate::status;
use crate::util::OptionalBody;

/// Guard that is held with the response. Dropping it ends the request's body.
pub(super) type RequestGuard = oneshot::Sender<Infallible>;

pin_project! {
    /// Body of a request, polled and dropped in the scope of its call, in any task. When the
    /// response is dropped while the request is still being sent, it fails with CANCEL: otherwise
    /// hyper would keep the stream open and not notify the peer.
    pub(super) struct RequestBody<B> {
        #[pin]
        inner: OptionalBody<B>,
        context: CallContext,
        response_dropped: oneshot::Receiver<Infallible>,
    }

    impl<B> PinnedDrop for RequestBody<B> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            call::enter(this.context, || this.inner.clear());
        }
    }
}

/// Body of a response of a [`ClientService`](super::ClientService). It ends with a status in
/// trailers when the deadline elapses, or the incoming call is cancelled.
pub struct ResponseBody {
    inner: Body,
    injected: Injected,
    request_guard: Option<RequestGuard>,
}

impl<B> RequestBody<B> {
    /// Also returns the guard to hold with the response.
    #[inline]
    pub(super) fn new(inner: B, context: CallContext) -> (Self, RequestGuard) {
        let (guard, response_dropped) = oneshot::channel();
        (Self { inner: OptionalBody::new(inner), context, response_dropped }, guard)
    }
}

impl ResponseBody {
    #[inline]
    pub(super) fn new(
        inner: Body,
        injected: Injected,
        request_guard: Option<RequestGuard>,
    ) -> Self {
        Self { inner, injected, request_guard }
    }

    /// Drops the rest of the response and ends the request's body, which resets the stream.
    fn abandon(&mut self) {
        let response = mem::take(&mut self.inner);
        let Some(guard) = self.request_guard.take() else {
            return;
        };
        let is_sending = !guard.is_closed();
        drop(guard);
        if is_sending && !response.is_end_stream() {
            discard(response);
        }
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        if !self.inner.is_end_stream() {
            self.abandon();
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
        let frame = call::enter(this.context, || this.inner.as_mut().poll_frame(cx));
        let is_abandoned = match &frame {
            Poll::Ready(Some(Ok(frame))) if frame.is_data() => {
                this.response_dropped.try_recv() == Err(oneshot::error::TryRecvError::Closed)
            }
            Poll::Ready(_) => false,
            Poll::Pending => Pin::new(this.response_dropped).poll(cx).is_ready(),
        };
        if !is_abandoned {
            return frame;
        }
        call::enter(this.context, || this.inner.clear());
        let mut status = Status::from(OutboundError::Cancelled);
        // hyper resets the stream with the reason of an h2 error among the sources.
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
        Self { inner: Body::default(), injected: Injected::unbounded(), request_guard: None }
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
        let error = match Pin::new(&mut this.inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) if frame.is_data() => match this.injected.ended_now() {
                None => return Poll::Ready(Some(Ok(frame))),
                Some(error) => error,
            },
            Poll::Ready(Some(Err(error))) => match this.injected.explain_failure() {
                None => return Poll::Ready(Some(Err(error))),
                Some(error) => error,
            },
            Poll::Ready(last) => {
                this.inner = Body::default();
                return Poll::Ready(last);
            }
            Poll::Pending => match this.injected.poll_ended(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(error) => error,
            },
        };
        this.abandon();
        Poll::Ready(Some(Ok(Frame::trailers(status::trailers(&error.into())))))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
