//! A transparent gRPC gateway: it routes calls by their service's name, and relays them without
//! knowing their messages.
//!
//! Messages, metadata, trailers and status details pass as they are, in both directions and for
//! all kinds of call. Identity does not: an upstream gets the [`UserContext`](crate::UserContext)
//! that the [`ServerLayer`](crate::ServerLayer) in front of the gateway established, and nothing
//! else that reads like one. Without that layer every call is relayed as an anonymous one.
//!
//! ```no_run
//! use tonic::transport::{Endpoint, Server};
//! use tonic_passport::jwt::{Issuer, KeySet, Verifier};
//! use tonic_passport::{JwtAuthenticator, Gateway, ServerLayer};
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
//! A gateway sends the calls of all its callers to a service over one HTTP/2 connection, whose
//! limits are made for one caller. Two of them let one caller get in the way of the others, and
//! should be set where the service and the channel to it are made:
//!
//! - **Windows.** A caller who does not read what is sent to it keeps a window's worth of it on the
//!   way. The window of the connection must hold those of many streams, on both ends:
//!   `initial_stream_window_size(64 * 1024)` and `initial_connection_window_size(64 * 1024 * 1024)`
//!   of tonic's `Server` and `Endpoint`.
//! - **Resets.** A service closes a connection on which too many calls are broken off before they
//!   began, 20 by default, and with it all others that are under way. The server in front of the
//!   gateway has that limit for each of its callers; in the services behind it,
//!   `http2_max_pending_accept_reset_streams(Some(10_000))` makes room for all of them together.
//!
//! Metadata of more than 16 KiB, which only HTTP/1 lets in, is refused here: services end the whole
//! connection over it. And a service that answers without reading its request to the end cannot be
//! told that its caller has left, so such a method needs a deadline of its own.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, Uri};
use tonic::body::Body;
use tonic::service::Routes;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, ServiceExt};
use tower_layer::Layer;
use tower_service::Service;

use crate::client::ClientLayer;
use crate::policy::{self, MethodPath};
use crate::status;

mod body;

use body::{Download, Upload};

/// How much metadata is relayed, in bytes: what a server takes over HTTP/2 by default.
const MAX_METADATA: usize = 16 * 1024;

type Upstream = BoxCloneSyncService<Request<Body>, Response<Body>, BoxError>;

/// Relays calls to upstream services; see the [module](self).
#[derive(Clone)]
pub struct Gateway {
    routes: Arc<HashMap<String, Upstream>>,
}

/// Collects the routes of a [`Gateway`].
#[must_use = "a builder does nothing until `build` is called"]
pub struct GatewayBuilder {
    routes: Vec<(String, Upstream)>,
}

/// Why a gateway cannot be built.
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
    /// Starts a gateway without routes.
    pub fn builder() -> GatewayBuilder {
        GatewayBuilder { routes: Vec::new() }
    }

    /// The gateway as routes for tonic's `Server::add_routes`. Services added to the server
    /// besides it, such as health and reflection, are served there and not relayed.
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

/// The size of metadata as HTTP/2 counts it (RFC 9113, section 6.5.2).
fn size(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum()
}

impl GatewayBuilder {
    /// Relays the calls of a service to an upstream: a `Channel`, or one with layers around it.
    /// [`ClientLayer`] need not be one of them, for the gateway does what it does.
    ///
    /// `service` is the full name, such as `shop.v1.OrderService`. What the channel should be
    /// configured for is in the [module](self)'s documentation.
    pub fn route<S, B>(mut self, service: impl Into<String>, upstream: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let upstream = upstream.map_err(Into::into);
        // The layer in front of the gateway ends answers. They are read on for a while then, and the
        // upstream is told at the end of it.
        let upstream = ClientLayer::relay().layer(upstream);
        let upstream = upstream.map_response(|response| response.map(Body::new));
        self.routes.push((service.into(), BoxCloneSyncService::new(upstream)));
        self
    }

    /// Builds the gateway.
    ///
    /// # Errors
    ///
    /// A [`GatewayError`] that names the route that is wrong.
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

impl<B> Service<Request<B>> for Gateway
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // Which upstream it will be is known when the request is: readiness is awaited then.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let path = request.uri().path();
        let Some(upstream) = self.upstream(path).cloned() else {
            tracing::debug!(path, "no route");
            return Box::pin(async { Ok(status::service_unknown().into_http()) });
        };
        if size(request.headers()) > MAX_METADATA {
            tracing::info!(path, "request rejected: its metadata is too large");
            return Box::pin(async { Ok(status::metadata_too_large().into_http()) });
        }
        let path = path.to_owned();
        let (mut parts, body) = request.into_parts();
        // Where it goes is the route's to say: the client's word for it is no destination.
        parts.uri = parts.uri.path_and_query().cloned().map(Uri::from).unwrap_or_default();
        let (upload, mut uploaded) = Upload::new(Body::new(body));
        let request = Request::from_parts(parts, Body::new(upload));
        Box::pin(async move {
            match upstream.oneshot(request).await {
                Ok(response) => {
                    Ok(response.map(|body| Body::new(Download::new(body, path, uploaded))))
                }
                Err(error) => Ok(uploaded.failure(&path, &*error).into_http()),
            }
        })
    }
}
