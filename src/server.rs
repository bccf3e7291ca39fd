//! What stands at a service's door: [`ServerLayer`], and [`ServerInterceptor`] where a layer cannot
//! be used.
//!
//! | | [`ServerLayer`] | [`ServerInterceptor`] |
//! |---|---|---|
//! | strips identity metadata and the raw token from requests | yes | yes |
//! | … from request trailers, from response metadata and trailers | yes | no |
//! | authenticates, writes `x-user-*`, and the [`CallContext`] into the extensions | yes | yes |
//! | takes over or makes `x-request-id`, takes over the trace and [listed fields](crate::propagation) | yes | yes |
//! | drops a malformed `traceparent`, `tracestate` or `baggage` | yes | yes |
//! | reads `grpc-timeout`, refuses a malformed or an expired one | yes | yes |
//! | answers `DEADLINE_EXCEEDED` when the deadline passes | yes | no: tonic's server answers `CANCELLED` |
//! | ends streams in both directions by the deadline, and with their token | yes | no |
//! | cancels what a call started when its caller leaves | yes | no |
//! | [`CallContext::current`] in handlers and their streams | yes | no: a handler opens a [scope](CallContext::from_request) |
//! | a tracing span around the handler | yes | no |
//! | has a [policy](crate::policy) | yes | no: an interceptor does not see the method |
//! | refuses paths that are not canonical | yes | no |

use tonic::Request;

use crate::authenticate::Rejection;
use crate::call::{CallContext, LetIn};
use crate::context::UserContext;
use crate::policy::Authorized;

mod body;
mod core;
mod ending;
mod future;
mod intake;
mod interceptor;
mod layer;
mod running;
mod settings;

pub(crate) use body::RequestBody;
pub use body::ResponseBody;
pub(crate) use ending::Ending;
pub use future::ResponseFuture;
pub use interceptor::ServerInterceptor;
pub use layer::{ServerLayer, ServerService};

impl UserContext {
    /// The caller of this request, as the [`ServerLayer`] or [`ServerInterceptor`] in front of the
    /// service left it in the request's extensions.
    ///
    /// # Errors
    ///
    /// [`Rejection::ContextMissing`] when there is none: the caller is anonymous, or the service
    /// was mounted without the layer. A handler's `?` turns it into `UNAUTHENTICATED`.
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
    pub fn from_request<T>(request: &Request<T>) -> Result<UserContext, Rejection> {
        let extensions = request.extensions();
        let call = extensions.get::<CallContext>();
        // Without a layer, a test of a handler may have put one there.
        let user = call.and_then(CallContext::user).or_else(|| extensions.get());
        if call.is_none() && user.is_none() {
            tracing::warn!("no layer has seen this request: was the service mounted without it?");
        }
        user.cloned().ok_or(Rejection::ContextMissing)
    }
}

impl Authorized<UserContext> {
    /// The caller of this request, whom a [policy](crate::ServerLayer::policy) has let in: for
    /// handlers that leave it to the policy to ask for permissions, and must not run without one.
    ///
    /// ```
    /// use tonic::{Request, Response, Status};
    /// use tonic_passport::policy::Authorized;
    ///
    /// /// The policy asks for `orders:create`.
    /// async fn create_order(request: Request<()>) -> Result<Response<String>, Status> {
    ///     let user = Authorized::from_request(&request)?;
    ///     Ok(Response::new(user.id().to_owned()))
    /// }
    /// # drop(create_order(Request::new(())));
    /// ```
    ///
    /// # Errors
    ///
    /// [`Rejection::ContextMissing`] when it is not known who is calling: the method is public, or it
    /// is optional and the caller anonymous, or the service was mounted without the layer.
    /// [`Rejection::PolicyMissing`] when the layer has no policy, or there is an
    /// [`ServerInterceptor`] in its place; and for a request that a handler hands on to another
    /// service of its process, for which another rule may hold.
    pub fn from_request<T>(request: &Request<T>) -> Result<Self, Rejection> {
        UserContext::from_request(request)?;
        let call = CallContext::from_request(request);
        let is_let_in = call.is_authorized() && request.extensions().get::<LetIn>().is_some();
        let Some(user) = call.user().filter(|_| is_let_in) else {
            tracing::warn!("no policy has let this call in: give one to the ServerLayer");
            return Err(Rejection::PolicyMissing);
        };
        Ok(Self::new(user.clone()))
    }
}

impl CallContext {
    /// The context that the [`ServerLayer`] or [`ServerInterceptor`] in front of a service made for this
    /// request; an empty one where there is neither.
    ///
    /// Behind an interceptor, a handler does not run in a scope, and opens one where it makes calls:
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
