use tonic::service::Interceptor;
use tonic::{Request, Status};

use super::{Anonymous, propagate};

/// Propagates the user context: `XClient::with_interceptor(channel, …)`.
///
/// It does for a single client what [`ClientLayer`](super::ClientLayer) does.
///
/// ```no_run
/// use tonic::transport::Endpoint;
/// use tonic_health::pb::HealthCheckRequest;
/// use tonic_health::pb::health_client::HealthClient;
/// use tonic_passport::{PropagateInterceptor, UserContext};
///
/// # async fn check() -> Result<(), Box<dyn std::error::Error>> {
/// let channel = Endpoint::from_static("http://inventory:50053").connect_lazy();
/// let mut client = HealthClient::with_interceptor(channel, PropagateInterceptor::new());
///
/// // A scheduled job opens a scope of its own; a handler behind a `ServerLayer` runs in one.
/// let user = UserContext::builder("nightly-report").build()?;
/// let health = user.scope(client.check(HealthCheckRequest::default())).await?;
/// # drop(health);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct PropagateInterceptor {
    anonymous: Anonymous,
}

impl PropagateInterceptor {
    /// An interceptor that refuses to make calls without a user: nothing is sent, and they end with
    /// `INTERNAL`, reason `CONTEXT_NOT_PROPAGATED`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets calls without a user pass, without a context.
    #[must_use]
    pub fn allow_anonymous(mut self) -> Self {
        self.anonymous = Anonymous::Allow;
        self
    }
}

impl Interceptor for PropagateInterceptor {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let extensions = std::mem::take(request.extensions_mut());
        let propagated = propagate(request.metadata_mut().as_mut(), &extensions, self.anonymous);
        *request.extensions_mut() = extensions;
        propagated?;
        Ok(request)
    }
}
