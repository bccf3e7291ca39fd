use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use tonic::body::Body;
use tonic::server::NamedService;
use tower::BoxError;
use tower_layer::Layer;
use tower_service::Service;

use super::body::{RequestBody, ResponseBody};
use super::core::{self, Admitted};
use super::ending::Ending;
use super::future::ResponseFuture;
use super::running::Running;
use super::settings::Settings;
use crate::authenticate::Authenticator;
use crate::policy::{MethodPath, Policy};
use crate::propagation::PropagatedField;
use crate::status::{self, reason};
use crate::telemetry::{self, Outcome};

/// The layer for every tonic server: it authenticates callers, strips forged identity, and carries
/// the [`UserContext`](crate::UserContext).
///
/// For each request, in this order:
///
/// 1. a path that is not `/package.Service/Method` is refused
/// 2. `grpc-timeout` becomes the call's [`Deadline`](crate::Deadline); one that is malformed, or has
///    passed, is refused
/// 3. the [`Authenticator`] tells who is calling, unless the method is public; what it rejects is
///    answered here, and no handler sees it
/// 4. the [`Policy`] tells whether they may call this method. Without one, every caller who is
///    known may
/// 5. every name [reserved](crate::metadata::is_reserved) for identity is stripped, whatever its
///    spelling, also on public methods; in trailers too. In its place, the context is written as
///    `x-user-*` metadata
/// 6. the handler runs, and the response's body is polled, with the call's
///    [`CallContext`](crate::CallContext) as the task's own, in a tracing span `call`
/// 7. the call ends by its deadline, with `DEADLINE_EXCEEDED`, and streams also
///    [with their token](Self::stream_expiry_grace); when the caller leaves before, what the call started is
///    cancelled
/// 8. reserved names are stripped from the response's metadata and trailers
///
/// ```
/// use tonic::transport::Server;
/// use tonic_passport::policy::{HEALTH, REFLECTION};
/// use tonic_passport::{ForwardedContext, Policy, Rule, ServerLayer};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let policy = Policy::builder()
///     .public(HEALTH)
///     .public(REFLECTION)
///     .rule("/shop.v1.CatalogService/ListProducts", Rule::optional())
///     .rule("/shop.v1.CatalogService/AddProduct", Rule::permission("products:add"))
///     .build()?;
/// let layer = ServerLayer::new(ForwardedContext::trust_private_network()).policy(policy);
///
/// let server = Server::builder().layer(layer);
/// # drop(server);
/// # Ok(())
/// # }
/// ```
///
/// # A single service
///
/// [`wrap`](Self::wrap) puts the layer around one service, where a server has others that are none
/// of its business:
///
/// ```
/// use tonic::transport::Server;
/// # use tonic_health::server::HealthService as Orders;
/// # use tonic_health::pb::health_server::HealthServer as OrderServiceServer;
/// use tonic_passport::{ForwardedContext, ServerLayer};
///
/// let layer = ServerLayer::new(ForwardedContext::trust_private_network());
/// # let orders = Orders::from_health_reporter(tonic_health::server::HealthReporter::new());
/// let server = Server::builder().add_service(layer.wrap(OrderServiceServer::new(orders)));
/// # drop(server);
/// ```
///
/// tonic's server ends calls by their `grpc-timeout` as well. Where the layer is around a single
/// service, that may come first now and then, and the call is answered `CANCELLED`; around the whole
/// server, the layer's `DEADLINE_EXCEEDED` does.
///
/// # Order of layers
///
/// The layer that is added first sees a request first. What stands before this one, a trace layer
/// for instance, sees the raw token; `GrpcWebLayer` and a layer for CORS belong there. On a server
/// that also has plain HTTP routes, wrap the gRPC services one by one: this layer answers in gRPC,
/// and what is no gRPC method is `UNIMPLEMENTED` to it, with the HTTP status 200.
pub struct ServerLayer<A> {
    authenticator: Arc<A>,
    settings: Arc<Settings>,
}

/// The service that [`ServerLayer`] makes.
pub struct ServerService<S, A> {
    inner: S,
    authenticator: Arc<A>,
    settings: Arc<Settings>,
}

impl<A: Authenticator> ServerLayer<A> {
    /// A layer that authenticates with this strategy. Every method needs an authenticated caller,
    /// until there is a [`policy`](Self::policy).
    pub fn new(authenticator: A) -> Self {
        Self { authenticator: Arc::new(authenticator), settings: Arc::default() }
    }

    /// Sets which method needs what. A call that the policy does not allow is answered here, with
    /// `PERMISSION_DENIED` and an `ErrorInfo`; or as one without a credential, where it is not
    /// known who is calling. No handler sees it.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.settings().policy = Some(policy);
        self
    }

    /// Sets a shadow policy: it decides about each call whose credential is not refused, reports
    /// and counts that, and has no effect. What it would deny is an
    /// [event](crate::policy::AuditEvent), a metric, and in its [table](Policy::table).
    ///
    /// On methods that are public here and would not be, it looks at credentials that nobody else
    /// looks at. A bad one counts as none.
    #[must_use]
    pub fn shadow_policy(mut self, policy: Policy) -> Self {
        self.settings().shadow = Some(policy);
        self
    }

    /// Adds the caller's e-mail address to the tracing span `authenticate`, which otherwise names
    /// their id alone.
    #[must_use]
    pub fn record_email(mut self) -> Self {
        self.settings().record_email = true;
        self
    }

    /// Gives every call a deadline: the client's own (`grpc-timeout`), or this far from now,
    /// whichever is earlier. Streams end by then too. Without it, calls have the deadlines that
    /// clients give them, or none.
    ///
    /// Where tonic's `Server::timeout` is set as well, make it the longer one: what it ends is
    /// answered `CANCELLED`.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings().timeout = Some(timeout);
        self
    }

    /// Sets how long a stream may outlive the token that opened it: `Some(30 s)` by default. After
    /// that grace period the stream ends with `UNAUTHENTICATED` and the reason `TOKEN_EXPIRED`, in
    /// both directions; the client opens a new one with a new token. `None` lets streams outlive
    /// their tokens.
    ///
    /// A call accepted within the verifier's leeway after its token expired has one second. A unary
    /// method is not ended by this. A gateway cannot tell which kind of call it relays, so a response
    /// that begins late has one second there, too.
    ///
    /// This is a setting of the edge. Services behind it never see a token; their streams end with
    /// those of the edge.
    #[must_use]
    pub fn stream_expiry_grace(mut self, grace: Option<Duration>) -> Self {
        self.settings().stream_expiry_grace = grace;
        self
    }

    /// Lists further fields that go along with the calls that are made on behalf of a request, and
    /// how far; see [`propagation`](crate::propagation) for those that do in any case. When they are
    /// larger than 4 KiB together, counted as gRPC counts metadata, all of them are dropped. Listing one
    /// of them changes how far it goes: `baggage` for instance, but not the request's id.
    #[must_use]
    pub fn propagate(mut self, fields: impl IntoIterator<Item = PropagatedField>) -> Self {
        self.settings().propagate(fields);
        self
    }

    /// Wraps a service: tower's `Layer::layer`, without the trait.
    pub fn wrap<S>(&self, service: S) -> ServerService<S, A> {
        ServerService {
            inner: service,
            authenticator: Arc::clone(&self.authenticator),
            settings: Arc::clone(&self.settings),
        }
    }

    fn settings(&mut self) -> &mut Settings {
        Arc::make_mut(&mut self.settings)
    }
}

impl<A> Clone for ServerLayer<A> {
    fn clone(&self) -> Self {
        Self {
            authenticator: Arc::clone(&self.authenticator),
            settings: Arc::clone(&self.settings),
        }
    }
}

impl<A> fmt::Debug for ServerLayer<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerLayer").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl<S, A: Authenticator> Layer<S> for ServerLayer<A> {
    type Service = ServerService<S, A>;

    fn layer(&self, inner: S) -> Self::Service {
        self.wrap(inner)
    }
}

impl<S: Clone, A> Clone for ServerService<S, A> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            authenticator: Arc::clone(&self.authenticator),
            settings: Arc::clone(&self.settings),
        }
    }
}

impl<S: fmt::Debug, A> fmt::Debug for ServerService<S, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerService").field("inner", &self.inner).finish_non_exhaustive()
    }
}

/// Lets a single service be wrapped and still be added to a server by its name.
impl<S: NamedService, A> NamedService for ServerService<S, A> {
    const NAME: &'static str = S::NAME;
}

impl<S, A, B, ResBody> Service<Request<B>> for ServerService<S, A>
where
    S: Service<Request<Body>, Response = Response<ResBody>>,
    ResBody: http_body::Body,
    A: Authenticator,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        let path = parts.uri.path();
        if !MethodPath::is_canonical(path) || parts.uri.query().is_some() {
            tracing::info!(path, "request rejected: not the path of a method");
            telemetry::count(Outcome::Rejected(reason::METHOD_PATH_INVALID));
            return ResponseFuture::rejected(status::method_path_invalid());
        }
        let admitted = core::admit(
            &*self.authenticator,
            &self.settings,
            Some(path),
            &mut parts.headers,
            &mut parts.extensions,
        );
        match admitted {
            Ok(Admitted { context, span }) => {
                let now = || self.authenticator.now();
                let ending = Ending::of(&context, self.settings.stream_expiry_grace, now);
                let body = Body::new(RequestBody::new(body, ending));
                let request = Request::from_parts(parts, body);
                let call = Running::new(context, span);
                ResponseFuture::running(call, ending, || self.inner.call(request))
            }
            Err(rejection) => ResponseFuture::rejected(rejection.into()),
        }
    }
}
