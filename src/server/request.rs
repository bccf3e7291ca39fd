//! Access to the call's context from a handler's request.

use tonic::Request;

use crate::call::{CallContext, PolicyPermit};
use crate::context::UserContext;
use crate::policy::Authorized;
use crate::rejection::Rejection;

impl UserContext {
    /// Returns the caller of this request, as established by the [`ServerLayer`] or
    /// [`ServerInterceptor`] of the service.
    ///
    /// # Errors
    ///
    /// [`Rejection::ContextMissing`] when the caller is anonymous, or the service has no such
    /// layer. In a handler, `?` converts it to `UNAUTHENTICATED`.
    ///
    /// ```
    /// use tonic::{Request, Response, Status};
    /// use tonic_passport::UserContext;
    ///
    /// async fn create_order(request: Request<()>) -> Result<Response<String>, Status> {
    ///     let user = UserContext::from_request(&request)?;
    ///     user.require_permission("orders:create")?;
    ///     Ok(Response::new(user.id().to_owned()))
    /// }
    /// # drop(create_order(Request::new(())));
    /// ```
    ///
    /// [`ServerLayer`]: crate::ServerLayer
    /// [`ServerInterceptor`]: crate::ServerInterceptor
    pub fn from_request<T>(request: &Request<T>) -> Result<UserContext, Rejection> {
        let extensions = request.extensions();
        let call = extensions.get::<CallContext>();
        // A unit test of a handler may have inserted a user without a call.
        let user = call.and_then(CallContext::user).or_else(|| extensions.get());
        if call.is_none() && user.is_none() {
            tracing::warn!("the request did not pass a ServerLayer: add one to the service");
        }
        user.cloned().ok_or(Rejection::ContextMissing)
    }
}

impl Authorized<UserContext> {
    /// Returns the caller of this request, whom a [policy](crate::ServerLayer::policy) authorized.
    /// Use it in handlers that rely on the policy for authorization, and must not run without one.
    ///
    /// ```
    /// use tonic::{Request, Response, Status};
    /// use tonic_passport::policy::Authorized;
    ///
    /// /// The policy requires `orders:create`.
    /// async fn create_order(request: Request<()>) -> Result<Response<String>, Status> {
    ///     let user = Authorized::from_request(&request)?;
    ///     Ok(Response::new(user.id().to_owned()))
    /// }
    /// # drop(create_order(Request::new(())));
    /// ```
    ///
    /// # Errors
    ///
    /// [`Rejection::ContextMissing`] when there is no user: the method is public, or optional and
    /// called anonymously, or the service has no layer. [`Rejection::PolicyMissing`] when no policy
    /// authorized this request: the layer has none, the service has only a
    /// [`ServerInterceptor`](crate::ServerInterceptor), or the request was forwarded to another
    /// service of the process, where another rule may apply.
    pub fn from_request<T>(request: &Request<T>) -> Result<Self, Rejection> {
        UserContext::from_request(request)?;
        let call = CallContext::from_request(request);
        let has_permit =
            call.is_authorized() && request.extensions().get::<PolicyPermit>().is_some();
        let Some(user) = call.user().filter(|_| has_permit) else {
            tracing::warn!("no policy authorized this call: set one with ServerLayer::policy");
            return Err(Rejection::PolicyMissing);
        };
        Ok(Self::new(user.clone()))
    }
}

impl CallContext {
    /// Returns the context that the [`ServerLayer`](crate::ServerLayer) or
    /// [`ServerInterceptor`](crate::ServerInterceptor) of the service created for this request; an
    /// empty one without either.
    ///
    /// Behind an interceptor, a handler opens the scope for its outgoing calls itself:
    ///
    /// ```
    /// use tonic::{Request, Response, Status};
    /// use tonic_passport::CallContext;
    ///
    /// # async fn reserve() -> Result<(), Status> { Ok(()) }
    /// async fn create_order(request: Request<()>) -> Result<Response<()>, Status> {
    ///     CallContext::from_request(&request).scope(reserve()).await?;
    ///     Ok(Response::new(()))
    /// }
    /// # drop(create_order(Request::new(())));
    /// ```
    pub fn from_request<T>(request: &Request<T>) -> Self {
        request.extensions().get().cloned().unwrap_or_default()
    }
}
