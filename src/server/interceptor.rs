use std::fmt;
use std::sync::Arc;

use tonic::service::Interceptor;
use tonic::{Request, Status};

use super::core::{self, Access};
use crate::authenticate::Authenticator;

/// Says who is calling, for a single service: `XServer::with_interceptor(service, …)`.
///
/// An interceptor sees less than a layer does; the [module](super) has the table. Every method of
/// the service needs an authenticated caller.
///
/// ```
/// # use std::convert::Infallible;
/// use tonic::service::interceptor::InterceptedService;
/// use tonic_passport::{EdgeInterceptor, ForwardedContext};
///
/// # let order_service = tower::service_fn(|_: http::Request<()>| async {
/// #     Ok::<_, Infallible>(http::Response::new(()))
/// # });
/// let interceptor = EdgeInterceptor::new(ForwardedContext::trust_private_network());
/// // What `OrderServiceServer::with_interceptor(order_service, interceptor)` does:
/// let service = InterceptedService::new(order_service, interceptor);
/// # drop(service);
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
        let authenticator = &*self.authenticator;
        match core::identify(authenticator, Access::Required, &taken, headers, &mut extensions) {
            Ok(_) => Ok(Request::from_parts(metadata, extensions, ())),
            Err(rejection) => {
                core::log(&rejection, None);
                Err(rejection.into())
            }
        }
    }
}
