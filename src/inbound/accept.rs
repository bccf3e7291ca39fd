//! Acceptor of requests.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use http::{Extensions, HeaderMap};

use super::accepted::Accepted;
use super::config::InboundConfig;
use super::pending::PendingAcceptance;
use super::steps::{Outcome, Steps};
use super::target::CallTarget;
use crate::authenticate::{Authenticator, Credentials};
use crate::call::{CallContext, enter};
use crate::context::UserContext;
use crate::policy::Policy;
use crate::propagation::PropagatedField;
use crate::rejection::Rejection;
use crate::telemetry;
use crate::util::describe;

/// Acceptor of requests: an authenticator and its settings. See the [module](super).
///
/// [`ServerLayer`](crate::ServerLayer) documents the settings.
pub struct Inbound<A> {
    authenticator: Arc<A>,
    config: Arc<InboundConfig>,
}

/// Outcome of [`Inbound::start_accept`].
#[derive(Debug)]
#[must_use = "a request is served only after it was accepted"]
pub enum Acceptance {
    /// The request was accepted.
    Accepted(Accepted),
    /// The request was rejected. The headers are then in an unspecified state and must not be used.
    Rejected(Rejection),
    /// The authenticator returned a future.
    Pending(PendingAcceptance),
}

impl<A: Authenticator> Inbound<A> {
    /// Creates an acceptor that identifies callers by this strategy. Without a
    /// [`policy`](Self::policy), every method needs an authenticated caller.
    pub fn new(authenticator: A) -> Self {
        let config = InboundConfig::new(authenticator.credential_names());
        Self { authenticator: Arc::new(authenticator), config: Arc::new(config) }
    }

    /// Sets the policy: see [`ServerLayer::policy`](crate::ServerLayer::policy).
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.config_mut().policy = Some(policy);
        self
    }

    /// Sets the shadow policy: see
    /// [`ServerLayer::shadow_policy`](crate::ServerLayer::shadow_policy).
    #[must_use]
    pub fn shadow_policy(mut self, policy: Policy) -> Self {
        self.config_mut().shadow_policy = Some(policy);
        self
    }

    /// Records the user's e-mail address: see
    /// [`ServerLayer::record_email`](crate::ServerLayer::record_email).
    #[must_use]
    pub fn record_email(mut self) -> Self {
        self.config_mut().record_email = true;
        self
    }

    /// Sets the maximum duration of calls: see [`ServerLayer::timeout`](crate::ServerLayer::timeout).
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.config_mut().timeout = Some(timeout);
        self
    }

    /// Sets how long streams may outlive their token: see
    /// [`ServerLayer::stream_expiry_grace`](crate::ServerLayer::stream_expiry_grace).
    #[must_use]
    pub fn stream_expiry_grace(mut self, grace: Option<Duration>) -> Self {
        self.config_mut().stream_expiry_grace = grace;
        self
    }

    /// Adds fields to propagate: see [`ServerLayer::propagate`](crate::ServerLayer::propagate).
    #[must_use]
    pub fn propagate(mut self, fields: impl IntoIterator<Item = PropagatedField>) -> Self {
        self.config_mut().propagate(fields);
        self
    }

    fn config_mut(&mut self) -> &mut InboundConfig {
        Arc::make_mut(&mut self.config)
    }

    /// Accepts a request, and awaits its authenticator. A synchronous adapter uses
    /// [`start_accept`](Self::start_accept).
    ///
    /// # Errors
    ///
    /// The [`Rejection`] of the request. The headers are then in an unspecified state and must not
    /// be used.
    pub async fn accept(
        &self,
        target: CallTarget<'_>,
        headers: &mut HeaderMap,
        extensions: &mut Extensions,
    ) -> Result<Accepted, Rejection> {
        match self.start_accept(target, headers, extensions) {
            Acceptance::Accepted(accepted) => Ok(accepted),
            Acceptance::Rejected(rejection) => Err(rejection),
            Acceptance::Pending(mut pending) => {
                poll_fn(|cx| pending.poll_accepted(cx, headers, extensions)).await
            }
        }
    }

    /// Accepts a request as far as possible without waiting. On acceptance, all identity in headers
    /// and extensions is replaced by the authenticated one.
    pub fn start_accept(
        &self,
        target: CallTarget<'_>,
        headers: &mut HeaderMap,
        extensions: &mut Extensions,
    ) -> Acceptance {
        let method = match target.method() {
            Ok(None) if self.config.policy.is_some() => Err(Rejection::PolicyMissing),
            method => method,
        };
        let method = match method {
            Ok(method) => method,
            Err(rejection) => {
                let path = target.path();
                tracing::info!(path, cause = describe(&rejection), "request rejected");
                telemetry::count_request(telemetry::RequestOutcome::Rejected(rejection.reason()));
                return Acceptance::Rejected(rejection);
            }
        };
        extensions.remove::<UserContext>();
        let authenticator = &*self.authenticator;
        let steps = Steps { config: &self.config, method };
        // A caller in the same process may poll this in the scope of its own call.
        let authenticate = |credentials: &Credentials<'_>| {
            enter(&mut CallContext::default(), || authenticator.authenticate(credentials))
        };
        let challenge = || authenticator.challenge();
        match steps.run(None, authenticate, challenge, headers, extensions) {
            Outcome::Accepted(accepted) => Acceptance::Accepted(accepted),
            Outcome::Rejected(rejection) => Acceptance::Rejected(rejection),
            Outcome::Pending(future, progress) => {
                let config = Arc::clone(&self.config);
                let challenge = authenticator.challenge();
                let pending = PendingAcceptance::new(&steps, config, challenge, future, progress);
                Acceptance::Pending(pending)
            }
        }
    }
}

impl<A> Clone for Inbound<A> {
    fn clone(&self) -> Self {
        Self { authenticator: Arc::clone(&self.authenticator), config: Arc::clone(&self.config) }
    }
}

impl<A> fmt::Debug for Inbound<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbound").field("config", &self.config).finish_non_exhaustive()
    }
}
