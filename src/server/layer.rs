//! The layer for tonic servers.

use std::fmt;
use std::time::Duration;

use tower_layer::Layer;

use super::service::ServerService;
use crate::authenticate::Authenticator;
use crate::inbound::Inbound;
use crate::policy::Policy;
use crate::propagation::PropagatedField;

/// Layer for tonic servers: it authenticates callers, strips forged identity, enforces the policy, and
/// carries the [`UserContext`](crate::UserContext).
///
/// For each request, in this order:
///
/// 1. A path that is not `/package.Service/Method` is rejected.
/// 2. `grpc-timeout` becomes the call's [`Deadline`](crate::Deadline). A malformed or elapsed one is
///    rejected.
/// 3. The [`Authenticator`] identifies the caller, unless the method is public. The handler does not
///    see a request that it rejects.
/// 4. The [`Policy`] authorizes the call. Without a policy, every authenticated caller may call every
///    method.
/// 5. Fields with a name [reserved](crate::metadata::is_reserved) for identity are stripped, in every
///    spelling, on public methods too, and from trailers. The user context is written as `x-user-*`.
/// 6. The handler runs, and the response's body is polled, in the scope of the call's
///    [`CallContext`](crate::CallContext) and in a tracing span `call`.
/// 7. The call ends by its deadline with `DEADLINE_EXCEEDED`, and streams also
///    [with their token](Self::stream_expiry_grace). When the client disconnects earlier, everything
///    that the call started is cancelled.
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
/// tonic's server has a timer for `grpc-timeout` of its own. Around a single service, that timer may
/// fire first, and the call ends with `CANCELLED`. Around the whole server, this layer's timer fires
/// first, with `DEADLINE_EXCEEDED`.
///
/// # Order of layers
///
/// The layer that is added first sees a request first. A layer added before this one, a trace layer for
/// instance, sees the raw token; `GrpcWebLayer` and a CORS layer belong there. On a server that also
/// has plain HTTP routes, wrap the gRPC services one by one: this layer responds in gRPC, and a path
/// that is not a gRPC method ends with `UNIMPLEMENTED` and the HTTP status 200.
pub struct ServerLayer<A> {
    inbound: Inbound<A>,
}

impl<A: Authenticator> ServerLayer<A> {
    /// A layer that authenticates with this strategy. Without a [`policy`](Self::policy), every method
    /// needs an authenticated caller.
    pub fn new(authenticator: A) -> Self {
        Self { inbound: Inbound::new(authenticator) }
    }

    /// Sets the policy. A call that it denies ends with `PERMISSION_DENIED` and an `ErrorInfo`; that of
    /// an anonymous caller ends as a call without a credential. The handler does not see it.
    #[must_use]
    pub fn policy(self, policy: Policy) -> Self {
        Self { inbound: self.inbound.policy(policy) }
    }

    /// Sets a shadow policy: it is evaluated for each call whose credential is valid, reported and
    /// counted, and has no effect on the call. Each call that it would deny is an
    /// [event](crate::policy::AuditEvent), is counted, and shows in the policy's
    /// [table](Policy::table).
    ///
    /// For a method that is public, and not public in the shadow policy, the credential is looked at
    /// for the shadow policy alone. An invalid one counts as absent, and so does one whose
    /// authenticator responds with a future.
    #[must_use]
    pub fn shadow_policy(self, policy: Policy) -> Self {
        Self { inbound: self.inbound.shadow_policy(policy) }
    }

    /// Records the user's e-mail address in the tracing span `authenticate`, besides the id.
    #[must_use]
    pub fn record_email(self) -> Self {
        Self { inbound: self.inbound.record_email() }
    }

    /// Sets the maximum duration of calls, streams included. The deadline of a call is the earlier one
    /// of this and the client's own (`grpc-timeout`). Without it, a call has the client's deadline or
    /// none.
    ///
    /// If tonic's `Server::timeout` is set as well, make that one longer: it ends calls with
    /// `CANCELLED`.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { inbound: self.inbound.timeout(timeout) }
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
    pub fn stream_expiry_grace(self, grace: Option<Duration>) -> Self {
        Self { inbound: self.inbound.stream_expiry_grace(grace) }
    }

    /// Adds fields that are propagated to outgoing calls, and for how many hops;
    /// [`propagation`](crate::propagation) lists those that always are. If the added fields are larger
    /// than 4 KiB together, counted as gRPC counts metadata, all of them are dropped. Adding one of the
    /// fields that always are propagated, such as `baggage`, changes its number of hops; the request id
    /// cannot be changed.
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
