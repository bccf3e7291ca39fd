//! A transparent gRPC gateway (feature `gateway`): it routes calls by the name of their service, and
//! relays them without knowing their messages.
//!
//! Messages, trailers and status details are relayed unchanged, in both directions and for all
//! kinds of calls. So is metadata, with three exceptions: identity, connection-specific fields, and
//! `grpc-timeout`, which is shortened to the remaining time. An upstream receives the
//! [`UserContext`](crate::UserContext) that the [`ServerLayer`](crate::ServerLayer) in front of the
//! gateway established, and no other identity. Without that layer, every call is relayed as an
//! anonymous one.
//!
//! ```no_run
//! use tonic::transport::{Endpoint, Server};
//! use tonic_passport::jwt::{Issuer, KeySet, Verifier};
//! use tonic_passport::{Gateway, JwtAuthenticator, ServerLayer};
//!
//! # async fn serve(jwks: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
//! let issuer = Issuer::new("https://id.example.com", KeySet::from_jwks(jwks)?).audience("shop");
//! let gateway = Gateway::builder()
//!     .route("shop.v1.OrderService", Endpoint::from_static("http://orders:50052").connect_lazy())
//!     .route("shop.v1.UserService", Endpoint::from_static("http://users:50054").connect_lazy())
//!     .build()?;
//!
//! Server::builder()
//!     .layer(ServerLayer::new(JwtAuthenticator::new(Verifier::new([issuer])?)))
//!     .add_routes(gateway.into_routes())
//!     .serve("0.0.0.0:50051".parse()?)
//!     .await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Limits
//!
//! A gateway relays the calls of all callers over one HTTP/2 connection to each service. The
//! default limits of a connection are meant for one caller. With two of them, one caller can block
//! the others. Set these on the service and on the channel to it:
//!
//! - **Flow-control windows.** A caller that does not read its response keeps one stream window of
//!   the connection's window occupied. The connection's window must hold the windows of many
//!   streams, on both ends: `initial_stream_window_size(64 * 1024)` and
//!   `initial_connection_window_size(64 * 1024 * 1024)` of tonic's `Server` and `Endpoint`.
//! - **Resets.** A service closes a connection after too many calls were reset before they began,
//!   20 by default, and all other calls of the connection fail. The server in front of the gateway
//!   applies that limit to each caller separately. In the services behind it,
//!   `http2_max_pending_accept_reset_streams(Some(10_000))` is enough for all callers.
//!
//! Requests with more than 16 KiB of metadata, which can arrive over HTTP/1 only, are rejected,
//! because upstreams close the whole connection on them. If a service responds without reading the
//! request to its end, it is not notified when the caller disconnects. Give such methods a
//! deadline.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, Uri};
use tonic::Status;
use tonic::body::Body;
use tonic::service::Routes;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, ServiceExt};
use tower_layer::Layer;
use tower_service::Service;

use crate::client::ClientLayer;
use crate::policy::{self, MethodPath};
use crate::rejection::Rejection;

mod body;

use body::{UpstreamRequestBody, UpstreamResponseBody};

/// The maximum size of metadata that is relayed, in bytes: the default limit of an HTTP/2 server.
const MAX_METADATA_SIZE: usize = 16 * 1024;

type Upstream = BoxCloneSyncService<Request<Body>, Response<Body>, BoxError>;

/// Service that relays calls to upstream services; see the [module](self).
#[derive(Clone)]
pub struct Gateway {
    routes: Arc<HashMap<String, Upstream>>,
}

/// Builder of a [`Gateway`].
#[must_use = "a builder does nothing until `build` is called"]
pub struct GatewayBuilder {
    routes: Vec<(String, Upstream)>,
}

/// Reason why a gateway cannot be built.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GatewayError {
    /// A route's name is not the full name of a service, `package.Service`.
    #[error("route: {name:?} is not the full name of a service")]
    InvalidServiceName {
        /// The name as it was given.
        name: String,
    },

    /// Two routes have the same name.
    #[error("route: {name:?} is routed twice")]
    RepeatedServiceName {
        /// The name.
        name: String,
    },
}

impl Gateway {
    /// Returns a builder without routes.
    pub fn builder() -> GatewayBuilder {
        GatewayBuilder { routes: Vec::new() }
    }

    /// Converts the gateway into routes for tonic's `Server::add_routes`. Other services of the server,
    /// such as health and reflection, are served by it and not relayed.
    pub fn into_routes(self) -> Routes {
        Routes::from(tonic::service::AxumRouter::new().fallback_service(self))
    }

    fn upstream(&self, path: &str) -> Option<&Upstream> {
        if !MethodPath::is_canonical(path) {
            return None;
        }
        let (service, _) = path.strip_prefix('/')?.split_once('/')?;
        self.routes.get(service)
    }
}

/// Returns the size of metadata as HTTP/2 counts it (RFC 9113, section 6.5.2).
fn metadata_size(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum()
}

impl GatewayBuilder {
    /// Adds a route: calls to the service are relayed to this upstream, a `Channel` with or without
    /// layers around it. A [`ClientLayer`] is not needed: the gateway includes one.
    ///
    /// `service` is the full name, such as `shop.v1.OrderService`. The [module](self) documents how to
    /// configure the channel.
    pub fn route<S, B>(mut self, service: impl Into<String>, upstream: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let upstream = upstream.map_err(Into::into);
        // The layer in front of the gateway ends responses. The client layer then discards the rest,
        // until the upstream's stream is reset.
        let upstream = ClientLayer::relay().layer(upstream);
        let upstream = upstream.map_response(|response| response.map(Body::new));
        self.routes.push((service.into(), BoxCloneSyncService::new(upstream)));
        self
    }

    /// Builds the gateway.
    ///
    /// # Errors
    ///
    /// A [`GatewayError`] that names the invalid route.
    pub fn build(self) -> Result<Gateway, GatewayError> {
        let mut routes = HashMap::with_capacity(self.routes.len());
        for (name, upstream) in self.routes {
            if !policy::is_service_name(&name) {
                return Err(GatewayError::InvalidServiceName { name });
            }
            if routes.insert(name.clone(), upstream).is_some() {
                return Err(GatewayError::RepeatedServiceName { name });
            }
        }
        Ok(Gateway { routes: Arc::new(routes) })
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").field("routes", &self.routes.keys()).finish()
    }
}

impl fmt::Debug for GatewayBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.routes.iter().map(|(name, _)| name).collect();
        f.debug_struct("GatewayBuilder").field("routes", &names).finish()
    }
}

/// Future of a relayed call.
type ResponseFuture = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

impl<B> Service<Request<B>> for Gateway
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // The upstream is chosen by the request, so its readiness is awaited in the future.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let path = request.uri().path();
        let Some(upstream) = self.upstream(path).cloned() else {
            tracing::debug!(path, "no route");
            return reject(Rejection::ServiceUnknown);
        };
        if metadata_size(request.headers()) > MAX_METADATA_SIZE {
            tracing::info!(path, "request rejected: its metadata is too large");
            return reject(Rejection::MetadataTooLarge);
        }
        let path = path.to_owned();
        let (mut parts, body) = request.into_parts();
        // The route determines the destination. A client's authority is not relayed.
        parts.uri = parts.uri.path_and_query().cloned().map(Uri::from).unwrap_or_default();
        let (body, mut failure) = UpstreamRequestBody::new(Body::new(body));
        let request = Request::from_parts(parts, Body::new(body));
        Box::pin(async move {
            match upstream.oneshot(request).await {
                Ok(response) => {
                    Ok(response
                        .map(|body| Body::new(UpstreamResponseBody::new(body, path, failure))))
                }
                Err(error) => Ok(failure.status(&path, &*error).into_http()),
            }
        })
    }
}

fn reject(rejection: Rejection) -> ResponseFuture {
    Box::pin(async { Ok(Status::from(rejection).into_http()) })
}
