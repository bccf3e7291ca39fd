//! The body of a response.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tonic::Status;

use crate::inbound::Accepted;
use crate::status;
use crate::util::OptionalBody;

pin_project! {
    /// Body of a response of a [`ServerService`](super::ServerService): polled in the scope of its
    /// call, without identity metadata in its trailers. It ends with a status in trailers when the
    /// deadline elapsed or the token expired.
    pub struct ResponseBody<B> {
        #[pin]
        inner: OptionalBody<B>,
        // `None` for responses that no handler produced.
        accepted: Option<Accepted>,
    }

    // The body is dropped in the scope of the call.
    impl<B> PinnedDrop for ResponseBody<B> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Some(accepted) = this.accepted {
                accepted.in_scope(|| this.inner.clear());
            }
        }
    }
}

impl<B> ResponseBody<B> {
    pub(super) fn new(inner: B, accepted: Accepted) -> Self {
        Self { inner: OptionalBody::new(inner), accepted: Some(accepted) }
    }
}

impl<B> Default for ResponseBody<B> {
    fn default() -> Self {
        Self { inner: OptionalBody::default(), accepted: None }
    }
}

impl<B> fmt::Debug for ResponseBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").finish_non_exhaustive()
    }
}

impl<B: Body> Body for ResponseBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    #[inline]
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let Some(accepted) = this.accepted else {
            return Poll::Ready(None);
        };
        let rejection = match accepted.poll_response_frame(this.inner.as_mut(), cx) {
            Ok(polled) => return polled,
            Err(rejection) => rejection,
        };
        accepted.in_scope(|| this.inner.clear());
        let status = Status::from(rejection);
        Poll::Ready(Some(Ok(Frame::trailers(status::trailers(&status)))))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
