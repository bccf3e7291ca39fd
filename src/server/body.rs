use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::body::MaybeBody;
use crate::context::UserContext;
use crate::context::ambient;
use crate::metadata;

pin_project! {
    /// The body of a request, without identity metadata in its trailers.
    #[derive(Debug)]
    pub(crate) struct RequestBody<B> {
        #[pin]
        inner: B,
    }
}

pin_project! {
    /// The body of a response: polled as the caller whose response it is, without identity
    /// metadata in its trailers.
    pub struct ResponseBody<B> {
        #[pin]
        inner: MaybeBody<B>,
        user: Option<UserContext>,
    }

    /// What a body does when it is dropped, it does as the caller too.
    impl<B> PinnedDrop for ResponseBody<B> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            ambient::sync_scoped(this.user.take(), || this.inner.clear());
        }
    }
}

impl<B> RequestBody<B> {
    pub(crate) fn new(inner: B) -> Self {
        Self { inner }
    }
}

impl<B> ResponseBody<B> {
    pub(super) fn new(inner: B, user: Option<UserContext>) -> Self {
        Self { inner: MaybeBody::new(inner), user }
    }
}

impl<B> Default for ResponseBody<B> {
    fn default() -> Self {
        Self { inner: MaybeBody::default(), user: None }
    }
}

impl<B> fmt::Debug for ResponseBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").finish_non_exhaustive()
    }
}

impl<B: Body> Body for RequestBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let frame = ready!(self.project().inner.poll_frame(cx));
        Poll::Ready(frame.map(|frame| frame.map(strip_trailers)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B: Body> Body for ResponseBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let frame = ready!(ambient::sync_scoped(this.user.clone(), || this.inner.poll_frame(cx)));
        Poll::Ready(frame.map(|frame| frame.map(strip_trailers)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

fn strip_trailers<D>(mut frame: Frame<D>) -> Frame<D> {
    if let Some(trailers) = frame.trailers_mut() {
        metadata::strip(trailers, |_| true);
        // Over HTTP/1, a client can send these too; no peer takes them over HTTP/2.
        metadata::strip_connection(trailers);
        trailers.remove("te");
    }
    frame
}
