//! A layer that carries the call context into another task.

use std::task::{Context, Poll};

use http::Request;
use tower_layer::Layer;
use tower_service::Service;

use super::ambient::Scoped;
use super::context::CallContext;

/// Layer that carries the caller's [`CallContext`] into services that work in another task or
/// thread. It stores the context in the request's extensions, where
/// [`ClientLayer`](crate::ClientLayer) finds it.
///
/// tower's `Buffer`, for example, sends requests to its own task, which is in no scope.
///
/// ```
/// use tonic::transport::{Channel, Endpoint};
/// use tonic_passport::{ClientLayer, ScopeLayer};
/// use tower::ServiceBuilder;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let channel = Endpoint::from_static("http://inventory:50053").connect_lazy();
/// let service = ServiceBuilder::new()
///     .layer(ScopeLayer::new())
///     .buffer(1024)
///     .layer(ClientLayer::new())
///     .service(channel);
/// # drop::<ScopeServiceOf<_>>(service);
/// # type ScopeServiceOf<S> = tonic_passport::call::ScopeService<S>;
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct ScopeLayer {
    _private: (),
}

/// Service produced by [`ScopeLayer`].
#[derive(Clone, Copy, Debug)]
pub struct ScopeService<S> {
    inner: S,
}

impl ScopeLayer {
    /// Creates the layer.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<S> Layer<S> for ScopeLayer {
    type Service = ScopeService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ScopeService { inner }
    }
}

impl<S, B> Service<Request<B>> for ScopeService<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Scoped<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let extensions = request.extensions_mut();
        let context = extensions.get_or_insert_with(CallContext::current).clone();
        let future = context.clone().sync_scope(|| self.inner.call(request));
        context.scope(future)
    }
}
