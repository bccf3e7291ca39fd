use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::end::End;
use crate::body::MaybeBody;
use crate::call::{CallContext, ambient};
use crate::server::trailers;

pin_project! {
    /// The body of a request: polled and dropped in the scope of the call that sends it, whichever
    /// task does so.
    pub(super) struct RequestBody<B> {
        #[pin]
        inner: MaybeBody<B>,
        context: CallContext,
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
    }
}

impl<B> RequestBody<B> {
    pub(super) fn new(inner: B, context: CallContext) -> Self {
        Self { inner: MaybeBody::new(inner), context }
    }
}

impl<B> ResponseBody<B> {
    pub(super) fn new(inner: B, end: End) -> Self {
        Self { inner: MaybeBody::new(inner), end }
    }
}

impl<B: Body> Body for RequestBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        ambient::enter(this.context, || this.inner.poll_frame(cx))
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
        Self { inner: MaybeBody::default(), end: End::never() }
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
        Poll::Ready(Some(Ok(Frame::trailers(trailers(&status)))))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
