//! Acceptance of a request whose authenticator returned a future.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Extensions, HeaderMap, HeaderName};

use super::accepted::Accepted;
use super::config::InboundConfig;
use super::steps::{Outcome, Progress, Steps};
use crate::authenticate::{Authentication, Credentials, PendingAuthentication};
use crate::call::Deadline;
use crate::rejection::Rejection;
use crate::util::DeadlineTimer;

/// Acceptance that waits for the authenticator. Dropping it drops the authenticator's future.
/// Polling again after completion never completes.
pub struct PendingAcceptance {
    /// `None` once the acceptance is decided.
    state: Option<State>,
    config: Arc<InboundConfig>,
    method: Option<Box<str>>,
    credential_names: Box<[HeaderName]>,
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
            credential_names: steps.credential_names.into(),
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
        let authenticated = match progress.in_spans(|_| authentication.as_mut().poll(cx)) {
            Poll::Ready(authenticated) => authenticated,
            Poll::Pending if timer.poll(cx).is_pending() => return Poll::Pending,
            Poll::Pending => Err(Rejection::DeadlineExceeded),
        };
        let Some(State { authentication, progress, challenge, .. }) = self.state.take() else {
            return Poll::Pending;
        };
        drop(authentication);
        let steps = Steps {
            config: &self.config,
            method: self.method.as_deref(),
            credential_names: &self.credential_names,
        };
        let authenticate = |_: &Credentials<'_>| Authentication::Ready(authenticated);
        match steps.run(Some(progress), authenticate, || challenge, headers, extensions) {
            Outcome::Accepted(accepted) => Poll::Ready(Ok(accepted)),
            Outcome::Rejected(rejection) => Poll::Ready(Err(rejection)),
            // The authenticator is not asked again, so this cannot happen.
            Outcome::Pending(..) => Poll::Pending,
        }
    }
}

impl fmt::Debug for PendingAcceptance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingAcceptance").field("method", &self.method).finish_non_exhaustive()
    }
}
