use std::sync::Arc;
use std::time::Duration;

use tonic::service::Interceptor;
use tonic::{Request, Status};

use super::propagate::{Route, propagate};
use super::settings::{Settings, Without};

/// Propagates the user context: `XClient::with_interceptor(channel, …)`.
///
/// It does for a single client what an interceptor can of the work of a
/// [`ClientLayer`](super::ClientLayer); the [module](super) has the table.
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
/// // A scheduled job opens a scope of its own; a handler behind a `ServerLayer` runs in one.
/// let user = UserContext::builder("nightly-report").build()?;
/// let health = user.scope(client.check(HealthCheckRequest::default())).await?;
/// # drop(health);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct ClientInterceptor {
    settings: Arc<Settings>,
}

impl ClientInterceptor {
    /// An interceptor that refuses to make calls without a user: nothing is sent, and they end with
    /// `INTERNAL`, reason `CONTEXT_NOT_PROPAGATED`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets calls without a user pass, without a context.
    #[must_use]
    pub fn allow_anonymous(mut self) -> Self {
        Arc::make_mut(&mut self.settings).anonymous = Without::Allow;
        self
    }

    /// Sets how much earlier than the call itself the calls that it makes have to be answered: see
    /// [`ClientLayer::deadline_margin`](super::ClientLayer::deadline_margin).
    #[must_use]
    pub fn deadline_margin(mut self, margin: Duration) -> Self {
        Arc::make_mut(&mut self.settings).deadline_margin = margin;
        self
    }
}

impl Interceptor for ClientInterceptor {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let mut extensions = std::mem::take(request.extensions_mut());
        let headers = request.metadata_mut().as_mut();
        let propagated = propagate(&self.settings, Route::default(), headers, &mut extensions);
        *request.extensions_mut() = extensions;
        propagated?;
        Ok(request)
    }
}
