//! The layer for tonic servers.

use std::fmt;
use std::time::Duration;

use tower_layer::Layer;

use super::service::ServerService;
use crate::authenticate::Authenticator;
use crate::inbound::Inbound;
use crate::policy::Policy;
use crate::propagation::PropagatedField;

/// Layer for tonic servers: it authenticates callers, strips forged identity, enforces the policy,
/// and passes the [`UserContext`](crate::UserContext) to handlers.
///
/// For each request, in this order:
///
/// 1. A path that is not `/package.Service/Method` is rejected.
/// 2. `grpc-timeout` becomes the call's [`Deadline`](crate::Deadline). A malformed or elapsed one is
///    rejected.
/// 3. The [`Authenticator`] identifies the caller, unless the method is public. If it rejects the
///    request, the handler is not called.
/// 4. The [`Policy`] authorizes the call. Without a policy, every authenticated caller may call every
///    method.
/// 5. Fields with a name [reserved](crate::metadata::is_reserved) for identity are stripped, in every
///    spelling, on public methods too, and from trailers. The user context is written as `x-user-*`.
/// 6. The handler runs, and the response's body is polled, in the scope of the call's
///    [`CallContext`](crate::CallContext) and in a tracing span `call`.
/// 7. The call ends at its deadline with `DEADLINE_EXCEEDED`, and streams also [with their
///    token](Self::stream_expiry_grace). When the client disconnects earlier, the work that the
///    call started is cancelled.
/// 8. Reserved names are stripped from the response's metadata and trailers.
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
/// [`wrap`](Self::wrap) applies the layer to one service of a server:
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
/// tonic's server also has a timer for `grpc-timeout`. If the layer wraps a single service, that
/// timer may fire first, and the call ends with `CANCELLED`. If the layer wraps the whole server,
/// its timer fires first, and the call ends with `DEADLINE_EXCEEDED`.
///
/// # Order of layers
///
/// The layer that is added first receives a request first. A layer added before this one, such as a
/// trace layer, sees the raw token; `GrpcWebLayer` and a CORS layer belong there. On a server that
/// also has plain HTTP routes, wrap each gRPC service: this layer responds in gRPC, so the response
/// to a path that is not a gRPC method is `UNIMPLEMENTED` with the HTTP status 200.
pub struct ServerLayer<A> {
    inbound: Inbound<A>,
}

impl<A: Authenticator> ServerLayer<A> {
    /// Creates a layer that authenticates with this strategy. Without a [`policy`](Self::policy),
    /// every method needs an authenticated caller.
    pub fn new(authenticator: A) -> Self {
        Self { inbound: Inbound::new(authenticator) }
    }

    /// Sets the policy. A denied call ends with `PERMISSION_DENIED` and an `ErrorInfo`. An
    /// anonymous caller is rejected as if the credential were missing. The handler is not called.
    #[must_use]
    pub fn policy(self, policy: Policy) -> Self {
        Self { inbound: self.inbound.policy(policy) }
    }

    /// Sets a shadow policy: it is evaluated for each call whose credential is valid, and has no
    /// effect on the call. Each call that it would deny is reported as an
    /// [event](crate::policy::AuditEvent), and counted in metrics and in the policy's
    /// [table](Policy::table).
    ///
    /// If a method is public, but not in the shadow policy, its credential is verified for the
    /// shadow policy only. An invalid credential counts as absent, and so does one that needs a
    /// future.
    #[must_use]
    pub fn shadow_policy(self, policy: Policy) -> Self {
        Self { inbound: self.inbound.shadow_policy(policy) }
    }

    /// Records the user's e-mail address in the tracing span `authenticate`, in addition to the id.
    #[must_use]
    pub fn record_email(self) -> Self {
        Self { inbound: self.inbound.record_email() }
    }

    /// Sets the maximum duration of calls, streams included. The deadline is the earlier of this
    /// and the client's `grpc-timeout`.
    ///
    /// If tonic's `Server::timeout` is set as well, make it longer: it ends calls with `CANCELLED`.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { inbound: self.inbound.timeout(timeout) }
    }

    /// Sets how long a stream may outlive the token that opened it: `Some(30 s)` by default. After
    /// that grace period the stream ends with `UNAUTHENTICATED` and the reason `TOKEN_EXPIRED`, in
    /// both directions; the client opens a new one with a new token. `None` lets streams outlive
    /// their tokens.
    ///
    /// A call accepted within the verifier's leeway, after its token expired, may run for one
    /// second. Unary methods are not ended. A gateway cannot tell unary from streaming calls, so a
    /// late response also gets one second there.
    ///
    /// This is a setting of the edge. Services behind it receive no token; their streams end with
    /// those of the edge.
    #[must_use]
    pub fn stream_expiry_grace(self, grace: Option<Duration>) -> Self {
        Self { inbound: self.inbound.stream_expiry_grace(grace) }
    }

    /// Adds fields to propagate to outgoing calls. Each field has its number of hops;
    /// [`propagation`](crate::propagation) lists the standard fields. If the added fields exceed 4
    /// KiB in total, all of them are dropped. Adding a standard field, such as `baggage`, changes
    /// its number of hops. The request id cannot be changed.
    #[must_use]
    pub fn propagate(self, fields: impl IntoIterator<Item = PropagatedField>) -> Self {
        Self { inbound: self.inbound.propagate(fields) }
    }

    /// Wraps a service: `tower::Layer::layer` without the trait.
    pub fn wrap<S>(&self, service: S) -> ServerService<S, A> {
        ServerService::new(service, self.inbound.clone())
    }
}

impl<A> Clone for ServerLayer<A> {
    fn clone(&self) -> Self {
        Self { inbound: self.inbound.clone() }
    }
}

impl<A> fmt::Debug for ServerLayer<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerLayer").field("inbound", &self.inbound).finish()
    }
}

impl<S, A: Authenticator> Layer<S> for ServerLayer<A> {
    type Service = ServerService<S, A>;

    fn layer(&self, inner: S) -> Self::Service {
        self.wrap(inner)
    }
}
