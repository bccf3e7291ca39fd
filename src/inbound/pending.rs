//! Acceptance of a request whose authenticator returned a future.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Extensions, HeaderMap};

use super::accepted::Accepted;
use super::config::InboundConfig;
use super::steps::{Outcome, Progress, Steps};
use crate::authenticate::{Authentication, Credentials, PendingAuthentication};
use crate::call::{CallContext, Deadline};
use crate::context::UserContext;
use crate::rejection::Rejection;
use crate::telemetry::{self, RequestOutcome};
use crate::util::DeadlineTimer;

/// Acceptance that waits for the authenticator. Dropping it drops the authenticator's future, and the
/// request counts as cancelled.
/// Polling again after completion never completes.
pub struct PendingAcceptance {
    /// `None` once the acceptance is decided.
    state: Option<State>,
    config: Arc<InboundConfig>,
    method: Option<Box<str>>,
}

struct State {
    authentication: PendingAuthentication,
    progress: Progress,
    /// The rejection of an anonymous caller.
    challenge: Rejection,
    timer: DeadlineTimer,
}

impl PendingAcceptance {
    pub(super) fn new(
        steps: &Steps<'_>,
        config: Arc<InboundConfig>,
        challenge: Rejection,
        authentication: PendingAuthentication,
        progress: Progress,
    ) -> Self {
        let timer = DeadlineTimer::at(progress.deadline.map(Deadline::instant));
        Self {
            state: Some(State { authentication, progress, challenge, timer }),
            config,
            method: steps.method.map(Box::from),
        }
    }

    /// Polls the authenticator. `headers` and `extensions` must be those passed to
    /// [`Inbound::start_accept`](super::Inbound::start_accept).
    ///
    /// # Errors
    ///
    /// The [`Rejection`] of the request: [`Rejection::DeadlineExceeded`] when the deadline elapses
    /// before the authenticator decides. The headers are then in an unspecified state and must not
    /// be used.
    pub fn poll_accepted(
        &mut self,
        cx: &mut Context<'_>,
        headers: &mut HeaderMap,
        extensions: &mut Extensions,
    ) -> Poll<Result<Accepted, Rejection>> {
        let Some(state) = &mut self.state else {
            return Poll::Pending;
        };
        let State { authentication, progress, timer, .. } = state;
        let authenticated = match poll(authentication, progress, cx) {
            Poll::Ready(_) if timer.is_elapsed() => Err(Rejection::DeadlineExceeded),
            Poll::Ready(authenticated) => authenticated,
            Poll::Pending if timer.poll(cx).is_pending() => return Poll::Pending,
            Poll::Pending => Err(Rejection::DeadlineExceeded),
        };
        let Some(State { authentication, progress, challenge, .. }) = self.state.take() else {
            return Poll::Pending;
        };
        CallContext::default().sync_scope(|| drop(authentication));
        let steps = Steps { config: &self.config, method: self.method.as_deref() };
        let authenticate = |_: &Credentials<'_>| Authentication::Ready(authenticated);
        match steps.run(Some(progress), authenticate, || challenge, headers, extensions) {
            Outcome::Accepted(accepted) => Poll::Ready(Ok(accepted)),
            Outcome::Rejected(rejection) => Poll::Ready(Err(rejection)),
            // The authenticator is not asked again, so this cannot happen.
            Outcome::Pending(..) => Poll::Pending,
        }
    }

    /// Rejects the request instead of waiting, as an adapter must that cannot wait.
    pub fn reject(mut self, rejection: Rejection) -> Rejection {
        if let Some(State { progress, .. }) = self.state.take() {
            let reason = rejection.reason();
            progress.in_spans(|span| {
                telemetry::record_outcome(span, RequestOutcome::Rejected(reason));
            });
        }
        rejection
    }
}

/// Polls the authenticator's future, in an empty context: a caller in the same process may poll this
/// in the scope of its own call.
fn poll(
    authentication: &mut PendingAuthentication,
    progress: &Progress,
    cx: &mut Context<'_>,
) -> Poll<Result<Option<UserContext>, Rejection>> {
    progress.in_spans(|_| CallContext::default().sync_scope(|| authentication.as_mut().poll(cx)))
}

impl Drop for PendingAcceptance {
    fn drop(&mut self) {
        if let Some(State { authentication, progress, .. }) = self.state.take() {
            progress.in_spans(|span| {
                CallContext::default().sync_scope(|| drop(authentication));
                telemetry::record_outcome(span, RequestOutcome::Cancelled);
                tracing::debug!("request cancelled before it was authenticated");
            });
        }
    }
}

impl fmt::Debug for PendingAcceptance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingAcceptance").field("method", &self.method).finish_non_exhaustive()
    }
}
