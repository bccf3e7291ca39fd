//! The service behind a [`ServerLayer`](super::ServerLayer).

use std::fmt;
use std::mem;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use tonic::Status;
use tonic::body::Body;
use tonic::server::NamedService;
use tower::BoxError;
use tower_service::Service;

use super::body::ResponseBody;
use super::future::{PendingRequest, ResponseFuture};
use crate::authenticate::Authenticator;
use crate::inbound::{Acceptance, CallTarget, Inbound};

/// Service produced by [`ServerLayer`](super::ServerLayer).
///
/// A refused call is a response with a gRPC status, never an error of the service; a retry or
/// circuit-breaker layer outside of it must look at the status.
pub struct ServerService<S, A> {
    inner: S,
    inbound: Inbound<A>,
}

impl<S, A> ServerService<S, A> {
    pub(super) fn new(inner: S, inbound: Inbound<A>) -> Self {
        Self { inner, inbound }
    }
}

impl<S: Clone, A> Clone for ServerService<S, A> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), inbound: self.inbound.clone() }
    }
}

impl<S: fmt::Debug, A> fmt::Debug for ServerService<S, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerService").field("inner", &self.inner).finish_non_exhaustive()
    }
}

/// The name of the wrapped service, so that a wrapped service can be added to a tonic server.
impl<S: NamedService, A> NamedService for ServerService<S, A> {
    const NAME: &'static str = S::NAME;
}

impl<S, A, B, ResBody> Service<Request<B>> for ServerService<S, A>
where
    S: Service<Request<Body>, Response = Response<ResBody>> + Clone,
    ResBody: http_body::Body,
    A: Authenticator,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S, S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        let target = CallTarget::method_path(&parts.uri);
        match self.inbound.start_accept(target, &mut parts.headers, &mut parts.extensions) {
            Acceptance::Accepted(accepted) => {
                let body = Body::new(accepted.request_body::<_, Status>(body));
                let request = Request::from_parts(parts, body);
                ResponseFuture::handling(accepted, || self.inner.call(request))
            }
            Acceptance::Rejected(rejection) => ResponseFuture::rejected(rejection),
            Acceptance::Pending(acceptance) => {
                // The instance that was polled ready must be the one that is called.
                let clone = self.inner.clone();
                let service = mem::replace(&mut self.inner, clone);
                let body = Body::new(body);
                let request = PendingRequest { acceptance, parts, body, service };
                ResponseFuture::authenticating(request)
            }
        }
    }
}
