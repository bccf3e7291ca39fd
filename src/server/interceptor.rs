use std::fmt;
use std::sync::Arc;

use tonic::service::Interceptor;
use tonic::{Request, Status};

use super::core::{self, Access, Call};
use crate::authenticate::Authenticator;

/// Says who is calling, for a single service: `XServer::with_interceptor(service, …)`.
///
/// An interceptor sees less than a layer does; the [module](super) has the table. Every method of
/// the service needs an authenticated caller. [`ServerLayer::wrap`](crate::ServerLayer::wrap) does
/// more for a single service, and is as easy to use.
///
/// ```
/// # use tonic_health::server::HealthService as Orders;
/// # use tonic_health::pb::health_server::HealthServer as OrderServiceServer;
/// use tonic_passport::{EdgeInterceptor, ForwardedContext};
///
/// # let orders = Orders::from_health_reporter(tonic_health::server::HealthReporter::new());
/// let interceptor = EdgeInterceptor::new(ForwardedContext::trust_private_network());
/// let service = OrderServiceServer::with_interceptor(orders, interceptor);
/// # drop(service);
/// ```
///
/// A handler behind it has the caller in its request, but does not run as them: calls that it makes
/// need a scope.
///
/// ```
/// use tonic::{Request, Response, Status};
/// use tonic_passport::UserContext;
///
/// # async fn reserve() -> Result<(), Status> { Ok(()) }
/// async fn create_order(request: Request<()>) -> Result<Response<()>, Status> {
///     let user = UserContext::from_request(&request)?;
///     user.scope(reserve()).await?;
///     Ok(Response::new(()))
/// }
/// # drop(create_order(Request::new(())));
/// ```
pub struct EdgeInterceptor<A> {
    authenticator: Arc<A>,
}

impl<A: Authenticator> EdgeInterceptor<A> {
    /// An interceptor that authenticates with this strategy.
    pub fn new(authenticator: A) -> Self {
        Self { authenticator: Arc::new(authenticator) }
    }
}

impl<A> Clone for EdgeInterceptor<A> {
    fn clone(&self) -> Self {
        Self { authenticator: Arc::clone(&self.authenticator) }
    }
}

impl<A> fmt::Debug for EdgeInterceptor<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EdgeInterceptor").finish_non_exhaustive()
    }
}

impl<A: Authenticator> Interceptor for EdgeInterceptor<A> {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        let (mut metadata, mut extensions, ()) = request.into_parts();
        let headers = metadata.as_mut();
        let taken = core::strip(&*self.authenticator, headers, &mut extensions);
        let call = Call { method: None, access: Access::Required, record_email: false };
        core::identify(&*self.authenticator, &call, &taken, headers, &mut extensions)?;
        Ok(Request::from_parts(metadata, extensions, ()))
    }
}
