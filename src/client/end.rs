//! When nobody waits for an outgoing call any more.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio_util::sync::WaitForCancellationFutureOwned;
use tonic::Status;

use super::propagate::Outgoing;
use crate::alarm::Alarm;
use crate::call::CallContext;
use crate::deadline::Deadline;
use crate::status;

/// The end of an outgoing call that comes before its answer.
pub(super) struct End {
    context: CallContext,
    deadline: Option<Deadline>,
    alarm: Alarm,
    /// There once something has to wait, when the call can be cancelled without being dropped.
    cancelled: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
}

impl End {
    /// That of an answer that was never a call.
    pub(super) fn never() -> Self {
        Self::of(Outgoing { context: CallContext::default(), deadline: None })
    }

    pub(super) fn of(Outgoing { context, deadline }: Outgoing) -> Self {
        let alarm = Alarm::at(deadline.map(Deadline::instant));
        Self { context, deadline, alarm, cancelled: None }
    }

    /// Ready with what the caller is told, when it has come.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Status> {
        if self.alarm.poll(cx).is_ready() {
            return Poll::Ready(status::deadline_exceeded());
        }
        if self.cancelled.is_none() {
            self.cancelled = self.context.watch().map(Box::pin);
        }
        match &mut self.cancelled {
            Some(cancelled) => cancelled.as_mut().poll(cx).map(|()| status::call_cancelled()),
            None => Poll::Pending,
        }
    }

    /// As [`poll`](Self::poll), for what never has to wait.
    pub(super) fn has_come(&self) -> Option<Status> {
        if self.context.is_cancelled() {
            return Some(status::call_cancelled());
        }
        self.alarm.is_due().then(status::deadline_exceeded)
    }

    /// What the caller is told of an error: when the deadline has passed, that is why.
    pub(super) fn of_error(&self) -> Option<Status> {
        let is_elapsed = self.deadline.is_some_and(Deadline::is_elapsed);
        is_elapsed.then(status::deadline_exceeded)
    }
}
