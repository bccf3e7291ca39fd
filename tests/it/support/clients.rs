//! The two ways out of a service.

use http::{Request, Response};
use tonic::body::Body;
use tonic::service::interceptor::InterceptedService;
use tonic_passport::{ClientInterceptor, ClientLayer};
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Layer, Service, ServiceExt};

/// A way out of a service.
pub type BoxedClient<E> = BoxCloneSyncService<Request<Body>, Response<Body>, E>;

/// The layer and the interceptor around the same channel.
pub fn both<S>(
    channel: S,
    layer: &ClientLayer,
    interceptor: ClientInterceptor,
) -> [(&'static str, BoxedClient<S::Error>); 2]
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError> + 'static,
    S::Future: Send + 'static,
{
    let layered = layer.layer(channel.clone());
    let intercepted = InterceptedService::new(channel, interceptor);
    [
        ("layer", BoxedClient::new(layered.map_response(|response| response.map(Body::new)))),
        (
            "interceptor",
            BoxedClient::new(intercepted.map_response(|response| response.map(Body::new))),
        ),
    ]
}
