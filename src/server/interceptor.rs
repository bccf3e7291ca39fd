//! The interceptor for single services.

use std::fmt;
use std::time::Duration;

use tonic::service::Interceptor;
use tonic::{Request, Status};

use crate::authenticate::Authenticator;
use crate::inbound::{Acceptance, CallTarget, Inbound};
use crate::propagation::PropagatedField;
use crate::rejection::Rejection;

/// Interceptor that authenticates the calls of a single service:
/// `XServer::with_interceptor(service, …)`.
///
/// An interceptor can do less than a layer; the [module](super) compares them. Every method of the
/// service needs an authenticated caller. For a single service, prefer
/// [`ServerLayer::wrap`](crate::ServerLayer::wrap): it has no such limits.
///
/// ```
/// # use tonic_health::server::HealthService as Orders;
/// # use tonic_health::pb::health_server::HealthServer as OrderServiceServer;
/// use tonic_passport::{ForwardedContext, ServerInterceptor};
///
/// # let orders = Orders::from_health_reporter(tonic_health::server::HealthReporter::new());
/// let interceptor = ServerInterceptor::new(ForwardedContext::trust_private_network());
/// let service = OrderServiceServer::with_interceptor(orders, interceptor);
/// # drop(service);
/// ```
///
/// A handler behind it gets the caller from its request, but does not run in the scope of the call.
/// For outgoing calls it opens the scope itself:
/// [`CallContext::from_request`](crate::CallContext::from_request).
///
/// An [`Authenticator`] that returns a future cannot be awaited here. The call ends with `INTERNAL`
/// and the reason `AUTHENTICATOR_ASYNCHRONOUS`.
pub struct ServerInterceptor<A> {
    inbound: Inbound<A>,
}

impl<A: Authenticator> ServerInterceptor<A> {
    /// Creates an interceptor that authenticates with this strategy.
    pub fn new(authenticator: A) -> Self {
        Self { inbound: Inbound::new(authenticator) }
    }

    /// Adds fields to propagate to outgoing calls: see
    /// [`ServerLayer::propagate`](crate::ServerLayer::propagate).
    #[must_use]
    pub fn propagate(self, fields: impl IntoIterator<Item = PropagatedField>) -> Self {
        Self { inbound: self.inbound.propagate(fields) }
    }

    /// Records the user's e-mail address in the tracing span `authenticate`.
    #[must_use]
    pub fn record_email(self) -> Self {
        Self { inbound: self.inbound.record_email() }
    }

    /// Sets the maximum duration of calls. It limits the deadline of their outgoing calls; the
    /// interceptor itself does not end calls.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { inbound: self.inbound.timeout(timeout) }
    }
}

impl<A> Clone for ServerInterceptor<A> {
    fn clone(&self) -> Self {
        Self { inbound: self.inbound.clone() }
    }
}

impl<A> fmt::Debug for ServerInterceptor<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerInterceptor").finish_non_exhaustive()
    }
}

impl<A: Authenticator> Interceptor for ServerInterceptor<A> {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        let (mut metadata, mut extensions, ()) = request.into_parts();
        let target = CallTarget::unknown();
        match self.inbound.start_accept(target, metadata.as_mut(), &mut extensions) {
            Acceptance::Accepted(accepted) => {
                // An interceptor does not see the end of the call, so the call is never cancelled.
                accepted.complete();
                Ok(Request::from_parts(metadata, extensions, ()))
            }
            Acceptance::Rejected(rejection) => Err(rejection.into()),
            Acceptance::Pending(pending) => {
                let rejection = Rejection::AuthenticatorAsynchronous;
                tracing::error!("{rejection}: use a ServerLayer");
                Err(pending.reject(rejection).into())
            }
        }
    }
}
