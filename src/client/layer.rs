//! The layer for tonic clients.

use std::time::Duration;

use http::Uri;
use tower_layer::Layer;

use super::service::ClientService;
use crate::outbound::{Destination, Outbound};

/// Layer for tonic clients that propagates the [`CallContext`](crate::CallContext), including the
/// user.
///
/// ```no_run
/// use tonic::transport::{Channel, Endpoint};
/// # use tonic_health::pb::health_client::HealthClient as InventoryServiceClient;
/// use tonic_passport::ClientLayer;
/// use tonic_passport::client::ClientService;
///
/// /// The clients of a service. They make calls on behalf of the service's callers.
/// struct Clients {
///     inventory: InventoryServiceClient<ClientService<Channel>>,
/// }
///
/// let channel = Endpoint::from_static("http://inventory:50053").connect_lazy();
/// let inventory = InventoryServiceClient::new(ClientLayer::new().wrap(channel));
/// let clients = Clients { inventory };
/// # drop(clients.inventory);
/// ```
///
/// [`wrap`](Self::wrap) is the same as `tower::Layer::layer`. That trait is implemented too, for
/// `ServiceBuilder`.
///
/// # Destinations
///
/// By default, the layer sends the context to every destination of its channel. A layer for clients
/// whose addresses come from a configuration can be [restricted](Self::destinations) to the
/// destinations that may receive the context:
///
/// ```no_run
/// use tonic::transport::Endpoint;
/// use tonic_passport::ClientLayer;
///
/// # fn connect(configured: String) -> Result<(), Box<dyn std::error::Error>> {
/// let propagate = ClientLayer::new().destinations(["*.shop.internal:50053".parse()?]);
///
/// let endpoint = Endpoint::try_from(configured)?;
/// let channel = propagate.wrap_with_origin(endpoint.connect_lazy(), endpoint.uri());
/// # drop(channel);
/// # Ok(())
/// # }
/// ```
///
/// # Abandoned calls
///
/// Dropping the response ends the call. A request stream that is still open ends with it, and the peer
/// sees a reset with `CANCEL`.
///
/// # Retries, hedging, load balancing
///
/// A layer that makes several attempts belongs outside of this layer, so that each attempt gets the
/// time that remains when it starts.
///
/// ```text
/// ServiceBuilder: retry, hedge, or balance │ ClientLayer │ channel
/// ```
///
/// If it must be inside, add a second `ClientLayer` around the channel. A call with its own timeout
/// needs both layers: only the outer one knows when the call began. With the inner one alone, each
/// attempt gets the whole timeout.
///
/// A layer that sends requests to another task, such as tower's `Buffer`, needs a
/// [`ScopeLayer`](crate::ScopeLayer) around it.
#[derive(Clone, Debug, Default)]
pub struct ClientLayer {
    outbound: Outbound,
}

impl ClientLayer {
    /// Creates a layer that refuses calls without a user: nothing is sent, and they end with
    /// `INTERNAL` and the reason `CONTEXT_NOT_PROPAGATED`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Allows calls without a user. They are sent without a user context.
    #[must_use]
    pub fn allow_anonymous(self) -> Self {
        Self { outbound: self.outbound.allow_anonymous() }
    }

    /// Restricts the layer to these destinations. Calls to others are refused with `INTERNAL` and the
    /// reason `DESTINATION_NOT_ALLOWED`, before anything is sent.
    ///
    /// The destination is the origin given to [`wrap_with_origin`](Self::wrap_with_origin), and the
    /// authority of the request's URI, which a client's `with_origin` sets. If both are known, both
    /// must be allowed. If neither is, the call is refused.
    #[must_use]
    pub fn destinations(self, destinations: impl IntoIterator<Item = Destination>) -> Self {
        Self { outbound: self.outbound.destinations(destinations) }
    }

    /// Allows calls to destinations other than the [listed](Self::destinations) ones, without the
    /// context: its user, request id, trace and baggage are not sent, and copies of them are
    /// removed from the request's own metadata. Other fields of the request are sent, and the
    /// deadline applies.
    #[must_use]
    pub fn allow_other_destinations(self) -> Self {
        Self { outbound: self.outbound.allow_other_destinations() }
    }

    /// Sets how much earlier than the incoming call's deadline outgoing calls end, which leaves
    /// time to respond: 5 milliseconds by default.
    #[must_use]
    pub fn deadline_margin(self, margin: Duration) -> Self {
        Self { outbound: self.outbound.deadline_margin(margin) }
    }

    /// Creates a layer for calls that a gateway relays.
    #[cfg(feature = "gateway")]
    pub(crate) fn relay() -> Self {
        Self { outbound: Outbound::relay() }
    }

    /// Wraps a channel.
    pub fn wrap<S>(&self, channel: S) -> ClientService<S> {
        ClientService::new(channel, None, self.outbound.clone())
    }

    /// Wraps a channel whose origin is known: the `uri` of its tonic `Endpoint` (not for Unix
    /// sockets). The origin is checked as a destination of every call, in addition to the URI of
    /// the request.
    pub fn wrap_with_origin<S>(&self, channel: S, origin: &Uri) -> ClientService<S> {
        ClientService::new(channel, Some(origin), self.outbound.clone())
    }
}

impl<S> Layer<S> for ClientLayer {
    type Service = ClientService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        self.wrap(inner)
    }
}
