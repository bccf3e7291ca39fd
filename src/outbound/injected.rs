//! A call whose context was injected.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio_util::sync::WaitForCancellationFutureOwned;

use super::error::OutboundError;
use crate::call::{self, CallContext, Deadline};
use crate::util::DeadlineTimer;

/// Outgoing call whose context was injected. It determines when the call must end before its response
/// is complete: when its deadline elapses, or when the call on whose behalf it is made is cancelled.
#[must_use = "the end of the call must be observed"]
pub struct Injected {
    context: CallContext,
    deadline: Option<Deadline>,
    timer: DeadlineTimer,
    /// Created on the first wait, if the cancellation has to be observed at all.
    cancelled: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
}

impl Injected {
    pub(super) fn new(context: CallContext, deadline: Option<Deadline>) -> Self {
        let timer = DeadlineTimer::at(deadline.map(Deadline::instant));
        Self { context, deadline, timer, cancelled: None }
    }

    /// A call without an end of its own, whose response is guarded elsewhere.
    pub(crate) fn unbounded() -> Self {
        Self::new(CallContext::default(), None)
    }

    /// The context on whose behalf the call is made.
    pub fn context(&self) -> &CallContext {
        &self.context
    }

    /// The deadline of the call, as written into the request.
    pub fn deadline(&self) -> Option<Deadline> {
        self.deadline
    }

    /// Runs a function in the scope of the call's context: request bodies are polled in it.
    pub fn in_scope<R>(&mut self, f: impl FnOnce() -> R) -> R {
        call::enter(&mut self.context, f)
    }

    /// Completes when the call must end: with the reason for it.
    pub async fn ended(&mut self) -> OutboundError {
        poll_fn(|cx| self.poll_ended(cx)).await
    }

    /// Polls for the end of the call.
    pub fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<OutboundError> {
        if self.timer.poll(cx).is_ready() {
            return Poll::Ready(OutboundError::DeadlineExceeded);
        }
        if self.cancelled.is_none() {
            self.cancelled = self.context.observe_from_outside().map(Box::pin);
        }
        match &mut self.cancelled {
            Some(cancelled) => cancelled.as_mut().poll(cx).map(|()| OutboundError::Cancelled),
            None => Poll::Pending,
        }
    }

    /// Returns the reason if the call must end now, for callers that are not about to wait.
    pub fn ended_now(&self) -> Option<OutboundError> {
        if self.context.is_cancelled() {
            return Some(OutboundError::Cancelled);
        }
        self.timer.is_elapsed().then_some(OutboundError::DeadlineExceeded)
    }

    /// Returns the reason for an error of the transport, if the deadline has elapsed.
    pub fn explain_failure(&self) -> Option<OutboundError> {
        let is_elapsed = self.deadline.is_some_and(Deadline::is_elapsed);
        is_elapsed.then_some(OutboundError::DeadlineExceeded)
    }
}

impl fmt::Debug for Injected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Injected")
            .field("context", &self.context)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}
