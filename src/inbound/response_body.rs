//! The body of a response.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::accepted::Accepted;
use super::body_error::BodyError;
use crate::util::OptionalBody;

pin_project! {
    /// Body of a response, for protocols that report a late error by aborting the body. It is
    /// polled in the scope of the call, and ends with a [`BodyError`] when the call's deadline
    /// elapses or its token expires.
    pub struct ResponseBody<B> {
        #[pin]
        inner: OptionalBody<B>,
        accepted: Accepted,
    }

    // The body is dropped in the scope of the call.
    impl<B> PinnedDrop for ResponseBody<B> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.accepted.in_scope(|| this.inner.clear());
        }
    }
}

impl<B> ResponseBody<B> {
    /// Wraps the body of a response of this call.
    pub fn new(inner: B, accepted: Accepted) -> Self {
        Self { inner: OptionalBody::new(inner), accepted }
    }
}

impl<B: Body> Body for ResponseBody<B> {
    type Data = B::Data;
    type Error = BodyError<B::Error>;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, BodyError<B::Error>>>> {
        let mut this = self.project();
        match this.accepted.poll_response_frame(this.inner.as_mut(), cx) {
            Ok(polled) => polled.map(|frame| frame.map(|frame| frame.map_err(BodyError::Body))),
            Err(rejection) => {
                this.accepted.in_scope(|| this.inner.clear());
                Poll::Ready(Some(Err(BodyError::Rejected(rejection))))
            }
        }
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
