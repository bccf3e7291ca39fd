use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri};
use pin_project_lite::pin_project;
use tonic::Status;
use tonic::body::Body;
use tower::BoxError;
use tower_layer::Layer;
use tower_service::Service;

use super::body::{Awaited, RequestBody, ResponseBody};
use super::destination::{Destination, Place};
use super::end::End;
use super::propagate::{Route, propagate};
use super::settings::{Settings, Without};

/// The layer for every tonic client: it propagates the user context.
///
/// ```no_run
/// use tonic::transport::{Channel, Endpoint};
/// # use tonic_health::pb::health_client::HealthClient as InventoryServiceClient;
/// use tonic_passport::ClientLayer;
/// use tonic_passport::client::ClientService;
///
/// /// The client of a service, which makes its calls on behalf of whoever calls the service.
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
/// [`wrap`](Self::wrap) is tower's `Layer::layer`, which is there as well for a `ServiceBuilder`.
///
/// # Where the context goes
///
/// A layer of its own accord sends the context wherever the channel goes that it is put around. One
/// that is shared by clients whose addresses come from a configuration, say, is
/// [bound](Self::destinations) to the places that may know who is calling:
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
/// # Answers that nobody reads
///
/// When the answer is dropped, the request is broken off, too, if it is a stream that has not come to
/// its end: a call is over when nobody waits for its answer.
///
/// # Retries, hedging, load balancing
///
/// What makes several attempts of one call stands *outside* of this layer, so that each attempt is
/// given the time that is left to it then:
///
/// ```text
/// ServiceBuilder: retry, hedge, or balance │ ClientLayer │ channel
/// ```
///
/// Where it stands inside of one, a second `ClientLayer` around the channel does the same. A timeout
/// that a call brings along itself needs both: it is that of each attempt otherwise, since only the
/// layer outside knows when the call began.
///
/// What hands requests to another task, as tower's `Buffer` does, needs a
/// [`ScopeLayer`](crate::ScopeLayer) around it.
#[derive(Clone, Debug, Default)]
pub struct ClientLayer {
    settings: Arc<Settings>,
}

/// The service that [`ClientLayer`] makes.
///
/// It takes requests with tonic's own type of a body, which is what generated clients send: a layer
/// around it that changes the body has to make one of that again.
#[derive(Clone, Debug)]
pub struct ClientService<S> {
    inner: S,
    /// Where it goes, if that was said.
    destination: Option<Place>,
    settings: Arc<Settings>,
}

pin_project! {
    /// The answer of a [`ClientService`]: the peer's, or a status that says why there is none.
    pub struct ResponseFuture<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F> {
        Refused {
            status: Option<Status>,
        },
        Sent {
            #[pin]
            future: F,
            end: End,
            ends_answer: bool,
            awaited: Option<Awaited>,
        },
    }
}

impl ClientLayer {
    /// A layer that refuses to make calls without a user: nothing is sent, and they end with
    /// `INTERNAL`, reason `CONTEXT_NOT_PROPAGATED`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets calls without a user pass, without a context.
    #[must_use]
    pub fn allow_anonymous(mut self) -> Self {
        self.settings().anonymous = Without::Allow;
        self
    }

    /// Binds the layer to these destinations: calls to elsewhere are refused with `INTERNAL`, reason
    /// `DESTINATION_NOT_ALLOWED`, before anything is dialled.
    ///
    /// Where a call goes is what [`wrap_with_origin`](Self::wrap_with_origin) was told, and what the request's URI
    /// says: that of a client `with_origin`, for instance. A call of which neither is known goes to
    /// elsewhere.
    #[must_use]
    pub fn destinations(mut self, destinations: impl IntoIterator<Item = Destination>) -> Self {
        self.settings().destinations = Some(destinations.into_iter().collect());
        self
    }

    /// Lets calls to elsewhere than the [destinations](Self::destinations) pass, without the context:
    /// no user, no id, no trace or baggage of it goes along with them, nor as a copy of the metadata
    /// that came in. What is their own does, and they still have to be answered by the deadline.
    #[must_use]
    pub fn allow_other_destinations(mut self) -> Self {
        self.settings().elsewhere = Without::Allow;
        self
    }

    /// Sets how much earlier than the call itself the calls that it makes have to be answered, so
    /// that time is left to answer it: 5 milliseconds by default.
    #[must_use]
    pub fn deadline_margin(mut self, margin: Duration) -> Self {
        self.settings().deadline_margin = margin;
        self
    }

    /// A layer for calls that are relayed rather than made.
    pub(crate) fn relay() -> Self {
        let mut layer = Self::new().allow_anonymous();
        layer.settings().relays = true;
        layer
    }

    /// Wraps a channel.
    pub fn wrap<S>(&self, channel: S) -> ClientService<S> {
        ClientService { inner: channel, destination: None, settings: Arc::clone(&self.settings) }
    }

    /// Wraps a channel that goes to this place, whatever requests say: tonic's `Endpoint::uri`. (That
    /// of an endpoint for a Unix socket is not where it goes.)
    pub fn wrap_with_origin<S>(&self, channel: S, origin: &Uri) -> ClientService<S> {
        ClientService { destination: Place::of(origin), ..self.wrap(channel) }
    }

    fn settings(&mut self) -> &mut Settings {
        Arc::make_mut(&mut self.settings)
    }
}

impl<S> Layer<S> for ClientLayer {
    type Service = ClientService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        self.wrap(inner)
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

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        let route = Route { channel: self.destination.as_ref(), request: Some(&parts.uri) };
        let (headers, extensions) = (&mut parts.headers, &mut parts.extensions);
        let state = match propagate(&self.settings, route, headers, extensions) {
            Ok(outgoing) => {
                let (body, awaited) = RequestBody::new(body, outgoing.context.clone());
                let future = self.inner.call(Request::from_parts(parts, Body::new(body)));
                let (end, ends_answer) = (End::of(outgoing), !self.settings.relays);
                State::Sent { future, end, ends_answer, awaited: Some(awaited) }
            }
            Err(status) => State::Refused { status: Some(status) },
        };
        ResponseFuture { state }
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Output = Result<Response<ResponseBody>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        let status = match state.as_mut().project() {
            StateProj::Refused { status } => status.take(),
            StateProj::Sent { future, end, ends_answer, awaited } => match future.poll(cx) {
                Poll::Ready(Ok(response)) => {
                    let end = mem::replace(end, End::never());
                    let end = if *ends_answer { end } else { End::never() };
                    let awaited = awaited.take();
                    let response =
                        response.map(|body| ResponseBody::new(Body::new(body), end, awaited));
                    return Poll::Ready(Ok(response));
                }
                Poll::Ready(Err(error)) => match end.of_error() {
                    None => return Poll::Ready(Err(error)),
                    status => status,
                },
                Poll::Pending => match end.poll(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(status) => Some(status),
                },
            },
        };
        // Nobody waits for the answer: the peer is told so.
        state.set(State::Refused { status: None });
        Poll::Ready(Ok(status.map(Status::into_http).unwrap_or_default()))
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
