//! The guard of a call: its scope and its cancellation.

use tracing::Span;

use super::expiry::ExpiryCause;
use crate::call::{self, CallContext, Cancellation};
use crate::rejection::reason;
use crate::telemetry;

/// Guard of a call whose response is not complete. Dropping it before [`complete`](Self::complete)
/// cancels the call and the work that it started.
#[derive(Debug)]
pub(super) struct CallGuard {
    context: CallContext,
    span: Span,
    is_complete: bool,
}

impl CallGuard {
    pub(super) fn new(context: CallContext, span: Span) -> Self {
        Self { context, span, is_complete: false }
    }

    pub(super) fn context(&self) -> &CallContext {
        &self.context
    }

    /// Runs a function in the scope and the span of the call.
    #[inline]
    pub(super) fn in_scope<R>(&mut self, f: impl FnOnce() -> R) -> R {
        let _entered = self.span.enter();
        call::enter(&mut self.context, f)
    }

    /// Marks the response as complete.
    pub(super) fn complete(&mut self) {
        self.is_complete = true;
    }

    /// Ends the call with this cause, and cancels the work that it started.
    pub(super) fn expire(&mut self, cause: ExpiryCause) {
        self.is_complete = true;
        self.end(cause.rejection().reason());
    }

    #[cold]
    fn end(&self, reason: &'static str) {
        let _entered = self.span.enter();
        telemetry::call_ended(reason);
        if let Some(cancellation) = self.context.cancellation() {
            Cancellation::cancel(cancellation);
        }
    }
}

impl Drop for CallGuard {
    fn drop(&mut self) {
        if !self.is_complete {
            self.end(reason::CALL_CANCELLED);
        }
    }
}
