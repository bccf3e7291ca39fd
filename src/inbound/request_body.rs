//! The body of a request.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower::BoxError;

use super::body_error::BodyError;
use super::config::CredentialNames;
use super::expiry::{CallExpiry, ExpiryCause};
use super::strip::strip_request_trailers;
use crate::util::{DeadlineTimer, OptionalBody};

pin_project! {
    /// Body of a request: it ends with an error when the deadline elapsed or the token expired, and
    /// identity is stripped from its trailers. `E` is the protocol's error, which a [`BodyError`]
    /// converts into.
    pub struct RequestBody<B, E = BodyError> {
        #[pin]
        inner: OptionalBody<B>,
        timer: DeadlineTimer,
        credential_names: CredentialNames,
        cause: ExpiryCause,
        error: PhantomData<fn() -> E>,
    }
}

impl<B, E> RequestBody<B, E> {
    #[inline]
    pub(super) fn new(inner: B, expiry: CallExpiry, credential_names: CredentialNames) -> Self {
        let (timer, cause) = (expiry.timer(), expiry.cause());
        let inner = OptionalBody::new(inner);
        Self { inner, timer, credential_names, cause, error: PhantomData }
    }

    /// Creates a body without a time limit that only strips identity from trailers.
    #[cfg(feature = "gateway")]
    pub(crate) fn stripped(inner: B) -> Self {
        Self::new(inner, CallExpiry::NEVER, CredentialNames::default())
    }
}

impl<B, E> Body for RequestBody<B, E>
where
    B: Body<Error: Into<BoxError>>,
    E: From<BodyError>,
{
    type Data = B::Data;
    type Error = E;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, E>>> {
        let mut this = self.project();
        match this.inner.as_mut().poll_frame(cx) {
            Poll::Ready(Some(Ok(mut frame))) => {
                if !this.timer.is_elapsed() {
                    strip_request_trailers(&mut frame, this.credential_names.as_slice());
                    return Poll::Ready(Some(Ok(frame)));
                }
            }
            Poll::Ready(Some(Err(error))) => {
                return Poll::Ready(Some(Err(BodyError::Body(error.into()).into())));
            }
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Pending => {
                if this.timer.poll(cx).is_pending() {
                    return Poll::Pending;
                }
            }
        }
        this.inner.clear();
        Poll::Ready(Some(Err(BodyError::Rejected(this.cause.rejection()).into())))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B, E> fmt::Debug for RequestBody<B, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBody").finish_non_exhaustive()
    }
}
