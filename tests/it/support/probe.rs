//! A service that records its calls, and a client for its four kinds of call.

use std::pin::Pin;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio_stream::{Stream, StreamExt};
use tonic::body::Body;
use tonic::client::GrpcService;
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};
use tonic_passport::policy::MethodPath;
use tonic_passport::{Authenticator, CallContext, ServerLayer, UserContext};

use super::server::TestServer;
use super::shop::order_service_client::OrderServiceClient;
use super::shop::order_service_server::{OrderService, OrderServiceServer};
use super::shop::{
    CreateOrderRequest, GetOrderRequest, ImportOrdersResponse, Item, ItemAvailability,
    ListOrdersRequest, Order,
};

/// The four kinds of call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    Unary,
    ServerStreaming,
    ClientStreaming,
    Bidirectional,
}

impl Kind {
    pub const ALL: [Self; 4] =
        [Self::Unary, Self::ServerStreaming, Self::ClientStreaming, Self::Bidirectional];

    /// Returns the path of the method that [`call`] calls.
    pub fn path(self) -> &'static str {
        match self {
            Self::Unary => "/shop.v1.OrderService/CreateOrder",
            Self::ServerStreaming => "/shop.v1.OrderService/ListOrders",
            Self::ClientStreaming => "/shop.v1.OrderService/ImportOrders",
            Self::Bidirectional => "/shop.v1.OrderService/CheckItems",
        }
    }

    /// Whether the client sends a stream.
    pub fn sends_a_stream(self) -> bool {
        matches!(self, Self::ClientStreaming | Self::Bidirectional)
    }

    /// Whether the server sends a stream.
    pub fn returns_a_stream(self) -> bool {
        matches!(self, Self::ServerStreaming | Self::Bidirectional)
    }

    /// Returns the paths of all methods that [`call`] calls.
    pub fn paths() -> [MethodPath; 4] {
        Self::ALL.map(|kind| kind.path().parse().unwrap())
    }
}

/// Data that a handler received with one call.
#[derive(Clone, Debug)]
pub struct Seen {
    pub metadata: HeaderMap,
    /// The user in the request's extensions.
    pub user: Option<UserContext>,
    /// The current user of the task that runs the handler.
    pub current: Option<UserContext>,
    /// The call context in the request's extensions.
    pub call: CallContext,
    /// The current call context of the task that runs the handler.
    pub current_call: CallContext,
    pub trailers: HeaderMap,
}

/// An `OrderService` that records its calls, and responds with the id of the caller.
#[derive(Clone, Debug, Default)]
pub struct Probe {
    seen: Arc<Mutex<Vec<Seen>>>,
}

type OrderStream = Pin<Box<dyn Stream<Item = Result<Order, Status>> + Send>>;
type AvailabilityStream = Pin<Box<dyn Stream<Item = Result<ItemAvailability, Status>> + Send>>;

impl Probe {
    /// Serves this service without any layer, so that it records what was on the wire.
    pub async fn serve(&self) -> TestServer {
        let service = OrderServiceServer::new(self.clone());
        TestServer::start(|incoming| {
            Server::builder().add_service(service).serve_with_incoming(incoming)
        })
        .await
    }

    /// Serves this service behind a layer.
    pub async fn serve_with<A: Authenticator>(&self, layer: ServerLayer<A>) -> TestServer {
        let service = OrderServiceServer::new(self.clone());
        TestServer::start(|incoming| {
            Server::builder().layer(layer).add_service(service).serve_with_incoming(incoming)
        })
        .await
    }

    /// Returns the number of recorded calls.
    pub fn calls(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// Removes and returns all recorded calls.
    pub fn take_all(&self) -> Vec<Seen> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }

    /// Removes and returns the only recorded call.
    pub fn take_one(&self) -> Seen {
        let mut seen = self.seen.lock().unwrap();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen.pop().unwrap()
    }

    fn record<T>(&self, request: &Request<T>) {
        self.seen.lock().unwrap().push(Seen {
            metadata: request.metadata().clone().into_headers(),
            user: UserContext::from_request(request).ok(),
            current: UserContext::current(),
            call: CallContext::from_request(request),
            current_call: CallContext::current(),
            trailers: HeaderMap::new(),
        });
    }

    /// Reads a stream to its end, trailers included.
    async fn drain<T>(&self, stream: &mut Streaming<T>) -> Result<usize, Status> {
        let mut messages = 0;
        while stream.message().await?.is_some() {
            messages += 1;
        }
        if let Some(trailers) = stream.trailers().await? {
            let mut seen = self.seen.lock().unwrap();
            seen.last_mut().unwrap().trailers = trailers.into_headers();
        }
        Ok(messages)
    }
}

/// The response of every method: the id of the current user.
fn response() -> Order {
    let created_by = UserContext::current().map_or_else(String::new, |user| user.id().to_owned());
    Order { created_by, ..Order::default() }
}

#[tonic::async_trait]
impl OrderService for Probe {
    async fn create_order(
        &self,
        request: Request<CreateOrderRequest>,
    ) -> Result<Response<Order>, Status> {
        self.record(&request);
        Ok(Response::new(response()))
    }

    async fn get_order(
        &self,
        request: Request<GetOrderRequest>,
    ) -> Result<Response<Order>, Status> {
        self.record(&request);
        Ok(Response::new(response()))
    }

    type ListOrdersStream = OrderStream;

    /// The stream reads the current user when it is polled, not before.
    async fn list_orders(
        &self,
        request: Request<ListOrdersRequest>,
    ) -> Result<Response<OrderStream>, Status> {
        self.record(&request);
        let orders = tokio_stream::iter([(), ()]).map(|()| Ok(response()));
        Ok(Response::new(Box::pin(orders)))
    }

    async fn import_orders(
        &self,
        request: Request<Streaming<CreateOrderRequest>>,
    ) -> Result<Response<ImportOrdersResponse>, Status> {
        self.record(&request);
        let messages = self.drain(&mut request.into_inner()).await?;
        Ok(Response::new(ImportOrdersResponse { orders: vec![response(); messages] }))
    }

    type CheckItemsStream = AvailabilityStream;

    async fn check_items(
        &self,
        request: Request<Streaming<Item>>,
    ) -> Result<Response<AvailabilityStream>, Status> {
        self.record(&request);
        let items = request.into_inner().map(|item| {
            item.map(|item| ItemAvailability {
                sku: item.sku,
                available: true,
                checked_for: response().created_by,
            })
        });
        Ok(Response::new(Box::pin(items)))
    }
}

/// Makes a call of this kind with these metadata fields, unchanged. Returns the user id in the
/// first message.
pub async fn call<C>(kind: Kind, channel: C, fields: &[(&str, &str)]) -> Result<String, Status>
where
    C: GrpcService<Body, ResponseBody: http_body::Body<Data = Bytes> + Send + 'static>,
    <C::ResponseBody as http_body::Body>::Error: Into<tower::BoxError> + Send,
{
    call_as(kind, channel, fields, None).await
}

/// Like [`call`], with a user in the request's extensions.
pub async fn call_as<C>(
    kind: Kind,
    channel: C,
    fields: &[(&str, &str)],
    user: Option<UserContext>,
) -> Result<String, Status>
where
    C: GrpcService<Body, ResponseBody: http_body::Body<Data = Bytes> + Send + 'static>,
    <C::ResponseBody as http_body::Body>::Error: Into<tower::BoxError> + Send,
{
    let mut client = OrderServiceClient::new(channel);
    match kind {
        Kind::Unary => {
            let response =
                client.create_order(request(fields, user, CreateOrderRequest::default())).await?;
            Ok(response.into_inner().created_by)
        }
        Kind::ServerStreaming => {
            let response = client.list_orders(request(fields, user, ListOrdersRequest {})).await?;
            let mut orders = response.into_inner();
            let first = orders.message().await?.unwrap();
            while orders.message().await?.is_some() {}
            Ok(first.created_by)
        }
        Kind::ClientStreaming => {
            let requests = tokio_stream::iter([CreateOrderRequest::default()]);
            let response = client.import_orders(request(fields, user, requests)).await?;
            Ok(response.into_inner().orders.remove(0).created_by)
        }
        Kind::Bidirectional => {
            let item = Item { sku: "tea".to_owned(), quantity: 1 };
            let response =
                client.check_items(request(fields, user, tokio_stream::iter([item]))).await?;
            let mut items = response.into_inner();
            let first = items.message().await?.unwrap();
            while items.message().await?.is_some() {}
            Ok(first.checked_for)
        }
    }
}

fn request<T>(fields: &[(&str, &str)], user: Option<UserContext>, message: T) -> Request<T> {
    let mut request = with(fields, message);
    if let Some(user) = user {
        request.extensions_mut().insert(user);
    }
    request
}

/// Returns a request with these metadata fields. Names and values are not checked as tonic's own
/// metadata type would.
pub fn with<T>(fields: &[(&str, &str)], message: T) -> Request<T> {
    let mut request = Request::new(message);
    for (name, value) in fields {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        request
            .metadata_mut()
            .as_mut()
            .append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    request
}
