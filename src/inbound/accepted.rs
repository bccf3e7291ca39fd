//! An accepted call.

use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::{Body, Frame};

use super::config::CredentialNames;
use super::expiry::{CallExpiry, ExpiryCause};
use super::guard::CallGuard;
use super::request_body::RequestBody;
use super::strip::strip_trailers;
use crate::call::CallContext;
use crate::rejection::Rejection;
use crate::util::DeadlineTimer;

/// The result of polling a body.
type PolledFrame<B> = Poll<Option<Result<Frame<<B as Body>::Data>, <B as Body>::Error>>>;

/// Accepted call. It owns the call's scope, its cancellation, its end by deadline or token, and the
/// stripping of identity from the response. Dropping it before [`complete`](Self::complete) cancels
/// the call.
#[derive(Debug)]
#[must_use = "dropping an accepted call cancels it"]
pub struct Accepted {
    guard: CallGuard,
    expiry: CallExpiry,
    timer: DeadlineTimer,
    credential_names: CredentialNames,
}

impl Accepted {
    #[inline]
    pub(super) fn new(
        guard: CallGuard,
        expiry: CallExpiry,
        credential_names: CredentialNames,
    ) -> Self {
        Self { guard, expiry, timer: expiry.handler_timer(), credential_names }
    }

    /// The context of the call.
    pub fn context(&self) -> &CallContext {
        self.guard.context()
    }

    /// Wraps the request's body: it ends with an error when the deadline elapsed or the token
    /// expired, and identity is stripped from its trailers.
    #[inline]
    pub fn request_body<B, E>(&self, body: B) -> RequestBody<B, E> {
        RequestBody::new(body, self.expiry, self.credential_names.clone())
    }

    /// Polls the response's body in the scope of the call. Identity is stripped from its trailers.
    ///
    /// # Errors
    ///
    /// The [`Rejection`] when the deadline elapsed or the token expired. The body must not be polled
    /// again, and must be dropped in the call's [scope](Self::in_scope).
    #[inline]
    pub fn poll_response_frame<B: Body>(
        &mut self,
        mut body: Pin<&mut B>,
        cx: &mut Context<'_>,
    ) -> Result<PolledFrame<B>, Rejection> {
        let mut polled = self.in_scope(|| body.as_mut().poll_frame(cx));
        let is_in_time = match &mut polled {
            Poll::Ready(Some(Ok(frame))) if frame.is_data() => {
                if body.is_end_stream() {
                    // The transport does not poll a body again after its last frame.
                    self.guard.complete();
                }
                !self.timer.is_elapsed()
            }
            Poll::Ready(last) => {
                self.guard.complete();
                if let Some(Ok(frame)) = last {
                    strip_trailers(frame);
                }
                true
            }
            Poll::Pending => self.timer.poll(cx).is_pending(),
        };
        if is_in_time {
            return Ok(polled);
        }
        let cause = self.expiry.cause();
        self.guard.expire(cause);
        Err(cause.rejection())
    }

    /// Runs a function in the scope and the tracing span of the call.
    #[inline]
    pub fn in_scope<R>(&mut self, f: impl FnOnce() -> R) -> R {
        self.guard.in_scope(f)
    }

    /// Marks the response as complete, so that the call is not cancelled.
    pub fn complete(mut self) {
        self.guard.complete();
    }

    /// Starts the response: from now on, the token's expiry ends the call as well.
    #[inline]
    pub(super) fn begin_response(&mut self, is_end_stream: bool) {
        if is_end_stream {
            self.guard.complete();
        }
        self.expiry = self.expiry.for_response();
        self.timer = self.expiry.timer();
    }

    /// Polls the deadline while the handler runs. When it elapses, the call is ended.
    pub(super) fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.timer.poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.guard.expire(ExpiryCause::Deadline);
        Poll::Ready(())
    }

    /// Marks a call whose handler failed as complete: nothing is left to cancel.
    pub(super) fn fail(&mut self) {
        self.guard.complete();
    }
}
