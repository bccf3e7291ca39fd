use tonic::service::Interceptor;
use tonic::{Request, Status};

use super::{Anonymous, propagate};

/// Propagates the user context: `XClient::with_interceptor(channel, …)`.
///
/// It does for a single client what [`ClientLayer`](super::ClientLayer) does.
///
/// ```
/// use tonic::Request;
/// use tonic::service::Interceptor;
/// use tonic_passport::{PropagateInterceptor, UserContext};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut interceptor = PropagateInterceptor::new();
/// let user = UserContext::builder("user-42").build()?;
///
/// let request = user.scope(async { interceptor.call(Request::new(())) }).await?;
/// assert_eq!(request.metadata().get("x-user-id").unwrap(), "user-42");
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
