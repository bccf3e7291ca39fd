//! The interceptor for single clients.

use std::mem;
use std::time::Duration;

use tonic::service::Interceptor;
use tonic::{Request, Status};

use crate::outbound::{CallTarget, Outbound};

/// Interceptor that propagates the user context with the calls of a single client:
/// `XClient::with_interceptor(channel, …)`.
///
/// An interceptor can do less than a [`ClientLayer`](super::ClientLayer); the [module](super)
/// compares them.
///
/// ```no_run
/// use tonic::transport::Endpoint;
/// use tonic_health::pb::HealthCheckRequest;
/// use tonic_health::pb::health_client::HealthClient;
/// use tonic_passport::{ClientInterceptor, UserContext};
///
/// # async fn check() -> Result<(), Box<dyn std::error::Error>> {
/// let channel = Endpoint::from_static("http://inventory:50053").connect_lazy();
/// let mut client = HealthClient::with_interceptor(channel, ClientInterceptor::new());
///
/// // A scheduled job opens a scope. A handler behind a `ServerLayer` already runs in one.
/// let user = UserContext::builder("nightly-report").build()?;
/// let health = user.scope(client.check(HealthCheckRequest::default())).await?;
/// # drop(health);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct ClientInterceptor {
    outbound: Outbound,
}

impl ClientInterceptor {
    /// Creates an interceptor that refuses calls without a user: nothing is sent, and they end with
    /// `INTERNAL` and the reason `CONTEXT_NOT_PROPAGATED`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Allows calls without a user. They are sent without a user context.
    #[must_use]
    pub fn allow_anonymous(self) -> Self {
        Self { outbound: self.outbound.allow_anonymous() }
    }

    /// Sets how much earlier than the incoming call's deadline outgoing calls end: see
    /// [`ClientLayer::deadline_margin`](super::ClientLayer::deadline_margin).
    #[must_use]
    pub fn deadline_margin(self, margin: Duration) -> Self {
        Self { outbound: self.outbound.deadline_margin(margin) }
    }
}

impl Interceptor for ClientInterceptor {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let mut extensions = mem::take(request.extensions_mut());
        let headers = request.metadata_mut().as_mut();
        let injected = self.outbound.inject(CallTarget::new(), headers, &mut extensions);
        *request.extensions_mut() = extensions;
        // An interceptor cannot end the call.
        injected.map(drop)?;
        Ok(request)
    }
}
