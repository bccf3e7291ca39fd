//! A call that is being answered.

use tracing::Span;

use super::ending::Cause;
use crate::call::{CallContext, Cancellation, ambient};
use crate::status::reason;
use crate::telemetry;

/// A call that has not come to its end. When this is dropped before it has, the call is cancelled,
/// and with it what it started.
pub(super) struct Running {
    context: CallContext,
    span: Span,
    is_over: bool,
}

impl Running {
    pub(super) fn new(context: CallContext, span: Span) -> Self {
        Self { context, span, is_over: false }
    }

    pub(super) fn context(&self) -> &CallContext {
        &self.context
    }

    /// Does something in the scope of the call.
    pub(super) fn in_scope<R>(&mut self, f: impl FnOnce() -> R) -> R {
        let _entered = self.span.enter();
        ambient::enter(&mut self.context, f)
    }

    /// The call has come to its end.
    pub(super) fn finish(&mut self) {
        self.is_over = true;
    }

    /// The call's time is over: nobody waits for what it started.
    pub(super) fn expire(&mut self, cause: Cause) {
        self.is_over = true;
        let _entered = self.span.enter();
        telemetry::call_ended(cause.reason());
        self.cancel();
    }

    fn cancel(&self) {
        if let Some(cancellation) = self.context.cancellation() {
            Cancellation::cancel(cancellation);
        }
    }
}

/// That of an answer that was never a call.
impl Default for Running {
    fn default() -> Self {
        Self { context: CallContext::default(), span: Span::none(), is_over: true }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.is_over {
            let _entered = self.span.enter();
            telemetry::call_ended(reason::CALL_CANCELLED);
            self.cancel();
        }
    }
}
