use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tonic::Status;
use tower_layer::Layer;
use tower_service::Service;

use super::{Anonymous, propagate};
use crate::body::MaybeBody;

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
#[derive(Clone, Copy, Debug, Default)]
pub struct ClientLayer {
    anonymous: Anonymous,
}

/// The service that [`ClientLayer`] makes.
#[derive(Clone, Copy, Debug)]
pub struct ClientService<S> {
    inner: S,
    anonymous: Anonymous,
}

pin_project! {
    /// The answer of a [`ClientService`]: the peer's, or a status that says that there was no
    /// context to propagate.
    pub struct ResponseFuture<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F> {
        Refused { status: Option<Status> },
        Sent { #[pin] future: F },
    }
}

pin_project! {
    /// The body of a response of a [`ClientService`].
    pub struct ResponseBody<B> {
        #[pin]
        inner: MaybeBody<B>,
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
        self.anonymous = Anonymous::Allow;
        self
    }

    /// Wraps a channel.
    pub fn wrap<S>(&self, channel: S) -> ClientService<S> {
        ClientService { inner: channel, anonymous: self.anonymous }
    }
}

impl<S> Layer<S> for ClientLayer {
    type Service = ClientService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        self.wrap(inner)
    }
}

impl<S, B, ResBody> Service<Request<B>> for ClientService<S>
where
    S: Service<Request<B>, Response = Response<ResBody>>,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        let state = match propagate(&mut parts.headers, &parts.extensions, self.anonymous) {
            Ok(()) => State::Sent { future: self.inner.call(Request::from_parts(parts, body)) },
            Err(status) => State::Refused { status: Some(status) },
        };
        ResponseFuture { state }
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProj::Refused { status } => {
                Poll::Ready(Ok(status.take().map(Status::into_http).unwrap_or_default()))
            }
            StateProj::Sent { future } => {
                let response = ready!(future.poll(cx))?;
                Poll::Ready(Ok(response.map(|body| ResponseBody { inner: MaybeBody::new(body) })))
            }
        }
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

impl<B> fmt::Debug for ResponseBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").finish_non_exhaustive()
    }
}

impl<B> Default for ResponseBody<B> {
    fn default() -> Self {
        Self { inner: MaybeBody::default() }
    }
}

impl<B: Body> Body for ResponseBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.project().inner.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
