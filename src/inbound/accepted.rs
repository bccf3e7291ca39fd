//! An accepted call.

use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::{Body, Frame};

use super::body_error::BodyError;
use super::expiry::{CallExpiry, ExpiryCause};
use super::guard::CallGuard;
use super::request_body::RequestBody;
use super::strip::strip_trailers;
use crate::call::CallContext;
use crate::util::DeadlineTimer;

/// Accepted call. It owns the call's scope, its cancellation, its end by deadline or token, and the
/// stripping of identity from the response. Dropping it before [`complete`](Self::complete) cancels
/// the call.
#[derive(Debug)]
#[must_use = "dropping an accepted call cancels it"]
pub struct Accepted {
    guard: CallGuard,
    expiry: CallExpiry,
    timer: DeadlineTimer,
}

impl Accepted {
    pub(super) fn new(guard: CallGuard, expiry: CallExpiry) -> Self {
        Self { guard, expiry, timer: expiry.handler_timer() }
    }

    /// The context of the call.
    pub fn context(&self) -> &CallContext {
        self.guard.context()
    }

    /// Wraps the request's body: it ends with an error when the deadline elapsed or the token
    /// expired, and identity is stripped from its trailers.
    pub fn request_body<B, E>(&self, body: B) -> RequestBody<B, E> {
        RequestBody::new(body, self.expiry)
    }

    /// Polls the response's body in the scope of the call. Identity is stripped from its trailers.
    ///
    /// # Errors
    ///
    /// [`BodyError::Rejected`] when the deadline elapsed or the token expired. The body must not be
    /// polled again, and must be dropped in the call's [scope](Self::in_scope).
    pub fn poll_response_frame<B: Body>(
        &mut self,
        mut body: Pin<&mut B>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, BodyError<B::Error>>>> {
        let polled = self.in_scope(|| body.as_mut().poll_frame(cx));
        match polled {
            Poll::Ready(Some(Ok(frame))) if frame.is_data() => {
                if body.is_end_stream() {
                    // The transport does not poll a body again after its last frame.
                    self.guard.complete();
                }
                if !self.timer.is_elapsed() {
                    return Poll::Ready(Some(Ok(frame)));
                }
            }
            Poll::Ready(last) => {
                self.guard.complete();
                return Poll::Ready(last.map(|frame| match frame {
                    Ok(frame) => Ok(strip_trailers(frame)),
                    Err(error) => Err(BodyError::Body(error)),
                }));
            }
            Poll::Pending => {
                if self.timer.poll(cx).is_pending() {
                    return Poll::Pending;
                }
            }
        }
        let cause = self.expiry.cause();
        self.guard.expire(cause);
        Poll::Ready(Some(Err(BodyError::Rejected(cause.rejection()))))
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
