//! A channel wrapped by the client layer and by the client interceptor.

use http::{Request, Response};
use tonic::body::Body;
use tonic::service::interceptor::InterceptedService;
use tonic_passport::{ClientInterceptor, ClientLayer};
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Layer, Service, ServiceExt};

/// A boxed client.
pub type BoxedClient<E> = BoxCloneSyncService<Request<Body>, Response<Body>, E>;

/// Wraps the same channel with the layer and with the interceptor. The name is for test output.
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
