//! A call whose context was injected.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio_util::sync::WaitForCancellationFutureOwned;

use super::error::OutboundError;
use crate::call::{self, CallContext, Deadline};
use crate::util::DeadlineTimer;

/// Outgoing call whose context was injected. It reports when the call must end early: its deadline
/// elapsed, or the incoming call was cancelled.
#[must_use = "the end of the call must be observed"]
pub struct Injected {
    context: CallContext,
    timer: DeadlineTimer,
    /// Created on the first poll, and only if the cancellation is observable.
    cancelled: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
}

impl Injected {
    #[inline]
    pub(super) fn new(context: CallContext, deadline: Option<Deadline>) -> Self {
        let timer = DeadlineTimer::at(deadline.map(Deadline::instant));
        Self { context, timer, cancelled: None }
    }

    /// Creates a call without a deadline or cancellation, for responses that are ended elsewhere.
    #[inline]
    pub(crate) fn unbounded() -> Self {
        Self::new(CallContext::default(), None)
    }

    /// The context that was injected.
    pub fn context(&self) -> &CallContext {
        &self.context
    }

    /// The deadline of the call, as written into the request.
    pub fn deadline(&self) -> Option<Deadline> {
        self.timer.instant().map(Deadline::at)
    }

    /// Runs a function in the scope of the call's context: request bodies are polled in it.
    pub fn in_scope<R>(&mut self, f: impl FnOnce() -> R) -> R {
        call::enter(&mut self.context, f)
    }

    /// Waits until the call must end early, and returns the reason.
    pub async fn ended(&mut self) -> OutboundError {
        poll_fn(|cx| self.poll_ended(cx)).await
    }

    /// Polls whether the call must end early.
    pub fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<OutboundError> {
        if self.timer.poll(cx).is_ready() {
            return Poll::Ready(OutboundError::DeadlineExceeded);
        }
        if self.cancelled.is_none() {
            self.cancelled = self.context.cancelled_if_observable().map(Box::pin);
        }
        match &mut self.cancelled {
            Some(cancelled) => cancelled.as_mut().poll(cx).map(|()| OutboundError::Cancelled),
            None => Poll::Pending,
        }
    }

    /// Returns the reason if the call must already end, without registering a waker.
    pub fn ended_now(&self) -> Option<OutboundError> {
        if self.context.is_cancelled() {
            return Some(OutboundError::Cancelled);
        }
        self.timer.is_elapsed().then_some(OutboundError::DeadlineExceeded)
    }

    /// Returns [`OutboundError::DeadlineExceeded`] if the deadline has elapsed, to report in place
    /// of the transport error that it caused.
    pub fn explain_failure(&self) -> Option<OutboundError> {
        self.timer.is_elapsed().then_some(OutboundError::DeadlineExceeded)
    }
}

impl fmt::Debug for Injected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Injected")
            .field("context", &self.context)
            .field("deadline", &self.deadline())
            .finish_non_exhaustive()
    }
}
