//! The service in front of a channel.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response, Uri};
use tonic::body::Body;
use tower::BoxError;
use tower_service::Service;

use super::body::{RequestBody, ResponseBody};
use super::future::ResponseFuture;
use crate::outbound::{CallTarget, Outbound};

/// Service produced by [`ClientLayer`](super::ClientLayer).
///
/// A refused call is a response with a gRPC status, never an error of the service; a retry or
/// circuit-breaker layer outside of it must look at the status.
///
/// Requests have tonic's own body, as generated clients send it. A layer around the service that
/// changes the type of the body must convert it back.
#[derive(Clone, Debug)]
pub struct ClientService<S> {
    inner: S,
    /// The origin that the channel leads to, if it is known. Shared, because clients are moved into
    /// the futures of their calls, and a `Uri` is large.
    origin: Option<Arc<Uri>>,
    outbound: Outbound,
}

impl<S> ClientService<S> {
    pub(super) fn new(inner: S, origin: Option<&Uri>, outbound: Outbound) -> Self {
        Self { inner, origin: origin.map(|uri| Arc::new(uri.clone())), outbound }
    }
}

impl<S, B> Service<Request<Body>> for ClientService<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<ResponseBody>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        let target = CallTarget::new().request_uri(&parts.uri);
        let target = self.origin.as_deref().map_or(target, |origin| target.origin(origin));
        match self.outbound.inject(target, &mut parts.headers, &mut parts.extensions) {
            Ok(injected) => {
                let (body, request_guard) = RequestBody::new(body, injected.context().clone());
                let future = self.inner.call(Request::from_parts(parts, Body::new(body)));
                // A relayed response ends with the incoming call, so its body needs no deadline
                // here.
                let ends_body = !self.outbound.is_relay();
                ResponseFuture::sent(future, injected, ends_body, request_guard)
            }
            Err(error) => ResponseFuture::failed(error),
        }
    }
}
