use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tonic::service::Interceptor;
use tonic::{Request, Status};

use super::core;
use super::settings::Settings;
use crate::authenticate::Authenticator;
use crate::propagation::PropagatedField;

/// Says who is calling, for a single service: `XServer::with_interceptor(service, …)`.
///
/// An interceptor sees less than a layer does; the [module](super) has the table. Every method of
/// the service needs an authenticated caller. [`ServerLayer::wrap`](crate::ServerLayer::wrap) does
/// more for a single service, and is as easy to use.
///
/// ```
/// # use tonic_health::server::HealthService as Orders;
/// # use tonic_health::pb::health_server::HealthServer as OrderServiceServer;
/// use tonic_passport::{ServerInterceptor, ForwardedContext};
///
/// # let orders = Orders::from_health_reporter(tonic_health::server::HealthReporter::new());
/// let interceptor = ServerInterceptor::new(ForwardedContext::trust_private_network());
/// let service = OrderServiceServer::with_interceptor(orders, interceptor);
/// # drop(service);
/// ```
///
/// A handler behind it has the caller in its request, but does not run in the call's scope: the
/// calls that it makes need one, [`CallContext::from_request`](crate::CallContext::from_request).
pub struct ServerInterceptor<A> {
    authenticator: Arc<A>,
    settings: Arc<Settings>,
}

impl<A: Authenticator> ServerInterceptor<A> {
    /// An interceptor that authenticates with this strategy.
    pub fn new(authenticator: A) -> Self {
        Self { authenticator: Arc::new(authenticator), settings: Arc::default() }
    }

    /// Lists further fields that go along with the calls that are made on behalf of a request: see
    /// [`ServerLayer::propagate`](crate::ServerLayer::propagate).
    #[must_use]
    pub fn propagate(mut self, fields: impl IntoIterator<Item = PropagatedField>) -> Self {
        Arc::make_mut(&mut self.settings).propagate(fields);
        self
    }

    /// Adds the caller's e-mail address to the tracing span `authenticate`.
    #[must_use]
    pub fn record_email(mut self) -> Self {
        Arc::make_mut(&mut self.settings).record_email = true;
        self
    }

    /// Gives every call a deadline, for the calls that it makes in turn: the client's own, or this
    /// far from now, whichever is earlier. The interceptor itself ends nothing.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        Arc::make_mut(&mut self.settings).timeout = Some(timeout);
        self
    }
}

impl<A> Clone for ServerInterceptor<A> {
    fn clone(&self) -> Self {
        Self {
            authenticator: Arc::clone(&self.authenticator),
            settings: Arc::clone(&self.settings),
        }
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
        let headers = metadata.as_mut();
        core::admit(&*self.authenticator, &self.settings, None, headers, &mut extensions)?;
        Ok(Request::from_parts(metadata, extensions, ()))
    }
}
