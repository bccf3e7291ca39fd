//! A body that may be absent, or be dropped before its owner.

use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

pin_project! {
    /// A body, or an empty one.
    #[derive(Debug)]
    pub(crate) struct OptionalBody<B> {
        #[pin]
        inner: Option<B>,
    }
}

impl<B> OptionalBody<B> {
    pub(crate) fn new(body: B) -> Self {
        Self { inner: Some(body) }
    }

    /// Drops the body.
    pub(crate) fn clear(self: Pin<&mut Self>) {
        self.project().inner.set(None);
    }
}

impl<B> Default for OptionalBody<B> {
    fn default() -> Self {
        Self { inner: None }
    }
}

impl<B: Body> Body for OptionalBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        match self.project().inner.as_pin_mut() {
            Some(inner) => inner.poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or(SizeHint::with_exact(0), Body::size_hint)
    }
}
