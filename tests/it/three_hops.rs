//! Propagation over gateway → order → inventory → user: the context is the same at each hop,
//! the deadline shrinks, and the token stays at the gateway.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderMap, Request as HttpRequest, Response as HttpResponse};
use tokio::time::Instant;
use tokio_stream::{Stream, StreamExt};
use tonic::body::Body;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Server};
use tonic::{Request, Response, Status, Streaming};
use tonic_passport::{
    CallContext, ClientInterceptor, ClientLayer, ForwardedContext, Gateway, JwtAuthenticator,
    ServerInterceptor, ServerLayer, UserContext,
};
use tower::util::{BoxCloneSyncService, MapRequestLayer};
use tower::{Layer, ServiceExt};

use crate::support::probe::{Kind, call};
use crate::support::server::TestServer;
use crate::support::shop::order_service_client::OrderServiceClient;
use crate::support::shop::order_service_server::{OrderService, OrderServiceServer, SERVICE_NAME};
use crate::support::shop::{
    CreateOrderRequest, GetOrderRequest, ImportOrdersResponse, Item, ItemAvailability,
    ListOrdersRequest, Order,
};
use crate::support::token;

const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const TRACE: [(&str, &str); 3] = [
    ("traceparent", TRACEPARENT),
    ("tracestate", "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7"),
    ("baggage", "experiment=tea;percent=10,tenant=acme"),
];

/// The timeout of each call of the client.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The margin of each hop where deadlines are compared. It is longer than the latency of a hop, so
/// that rounding and latency cannot reverse the order of deadlines.
const MARGIN: Duration = Duration::from_millis(500);
/// The default margin.
const DEFAULT_MARGIN: Duration = Duration::from_millis(5);

/// The kind of middleware around services and their clients.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Middleware {
    Layers,
    Interceptors,
}

/// A call as it arrived at one of the hops.
#[derive(Clone, Debug)]
struct Arrival {
    hop: &'static str,
    metadata: HeaderMap,
    context: CallContext,
    /// The current context of the task in which the handler makes its calls.
    current: CallContext,
}

/// The arrivals, in the order of the hops.
#[derive(Clone, Debug, Default)]
struct Arrivals(Arc<Mutex<Vec<Arrival>>>);

impl Arrivals {
    fn record(&self, hop: &'static str, metadata: HeaderMap, context: CallContext) {
        let current = CallContext::current();
        self.0.lock().unwrap().push(Arrival { hop, metadata, context, current });
    }

    fn take(&self) -> Vec<Arrival> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

type Outgoing = BoxCloneSyncService<HttpRequest<Body>, HttpResponse<Body>, tonic::transport::Error>;

/// A service that calls the next one, by the same kind of call, and returns its response.
#[derive(Clone)]
struct Relay {
    name: &'static str,
    middleware: Middleware,
    arrivals: Arrivals,
    next: Option<OrderServiceClient<Outgoing>>,
}

impl Relay {
    /// Runs a handler. Behind an interceptor, opens the scope first.
    async fn handle<T, R, F>(
        &self,
        request: Request<T>,
        f: impl FnOnce(T, Option<OrderServiceClient<Outgoing>>) -> F,
    ) -> Result<Response<R>, Status>
    where
        F: Future<Output = Result<R, Status>>,
    {
        let context = CallContext::from_request(&request);
        let (metadata, _, message) = request.into_parts();
        let work = async {
            self.arrivals.record(self.name, metadata.into_headers(), context.clone());
            f(message, self.next.clone()).await.map(Response::new)
        };
        match self.middleware {
            Middleware::Layers => work.await,
            Middleware::Interceptors => context.clone().scope(work).await,
        }
    }
}

/// The response of the last hop: the current user.
fn order() -> Order {
    let created_by = UserContext::current().map_or_else(String::new, |user| user.id().to_owned());
    Order { created_by, ..Order::default() }
}

type ResponseStream<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl OrderService for Relay {
    async fn create_order(
        &self,
        request: Request<CreateOrderRequest>,
    ) -> Result<Response<Order>, Status> {
        let relayed = self.handle(request, |message, next| async move {
            match next {
                Some(mut next) => Ok(next.create_order(message).await?.into_inner()),
                None => Ok(order()),
            }
        });
        relayed.await
    }

    async fn get_order(&self, _: Request<GetOrderRequest>) -> Result<Response<Order>, Status> {
        Err(Status::unimplemented("nobody asks"))
    }

    type ListOrdersStream = ResponseStream<Order>;

    async fn list_orders(
        &self,
        request: Request<ListOrdersRequest>,
    ) -> Result<Response<ResponseStream<Order>>, Status> {
        let relayed = self.handle(request, |message, next| async move {
            let orders: ResponseStream<Order> = match next {
                Some(mut next) => Box::pin(next.list_orders(message).await?.into_inner()),
                None => Box::pin(tokio_stream::iter([Ok(order()), Ok(order())])),
            };
            Ok(orders)
        });
        relayed.await
    }

    async fn import_orders(
        &self,
        request: Request<Streaming<CreateOrderRequest>>,
    ) -> Result<Response<ImportOrdersResponse>, Status> {
        let relayed = self.handle(request, |mut messages, next| async move {
            if let Some(mut next) = next {
                let messages = messages.map_while(Result::ok);
                return Ok(next.import_orders(messages).await?.into_inner());
            }
            let mut orders = Vec::new();
            while messages.message().await?.is_some() {
                orders.push(order());
            }
            Ok(ImportOrdersResponse { orders })
        });
        relayed.await
    }

    type CheckItemsStream = ResponseStream<ItemAvailability>;

    async fn check_items(
        &self,
        request: Request<Streaming<Item>>,
    ) -> Result<Response<ResponseStream<ItemAvailability>>, Status> {
        let relayed = self.handle(request, |items, next| async move {
            let responses: ResponseStream<ItemAvailability> = if let Some(mut next) = next {
                let items = items.map_while(Result::ok);
                Box::pin(next.check_items(items).await?.into_inner())
            } else {
                let checked_for = order().created_by;
                Box::pin(items.map(move |item| {
                    let (sku, checked_for) = (item?.sku, checked_for.clone());
                    Ok(ItemAvailability { sku, available: true, checked_for })
                }))
            };
            Ok(responses)
        });
        relayed.await
    }
}

/// The four hops, and a connection to the gateway.
struct Hops {
    arrivals: Arrivals,
    channel: Channel,
    _servers: Vec<TestServer>,
}

impl Hops {
    async fn start(middleware: Middleware, margin: Duration) -> Self {
        let arrivals = Arrivals::default();
        let mut servers = Vec::new();
        let mut next = None;
        for name in ["user", "inventory", "order"] {
            let service = Relay { name, middleware, arrivals: arrivals.clone(), next };
            let server = serve(service).await;
            next =
                Some(OrderServiceClient::new(outgoing(middleware, margin, server.connect().await)));
            servers.push(server);
        }

        let to_order = ClientLayer::new().deadline_margin(margin);
        let to_order = to_order.wrap(servers.last().unwrap().connect().await);
        let gateway = Gateway::builder().route(SERVICE_NAME, to_order).build().unwrap();
        let seen = arrivals.clone();
        let watch = MapRequestLayer::new(move |request: HttpRequest<Body>| {
            let context = request.extensions().get().cloned().unwrap_or_default();
            seen.record("gateway", request.headers().clone(), context);
            request
        });
        let edge = ServerLayer::new(JwtAuthenticator::new(token::verifier()));
        let gateway = TestServer::start(|incoming| {
            Server::builder()
                .layer(edge)
                .layer(watch)
                .add_routes(gateway.into_routes())
                .serve_with_incoming(incoming)
        })
        .await;
        let channel = gateway.connect().await;
        servers.push(gateway);
        Self { arrivals, channel, _servers: servers }
    }
}

async fn serve(service: Relay) -> TestServer {
    let trust = ForwardedContext::trust_private_network();
    TestServer::start(|incoming| match service.middleware {
        Middleware::Layers => Server::builder()
            .add_service(ServerLayer::new(trust).wrap(OrderServiceServer::new(service)))
            .serve_with_incoming(incoming),
        Middleware::Interceptors => {
            let interceptor = ServerInterceptor::new(trust);
            let service = OrderServiceServer::with_interceptor(service, interceptor);
            Server::builder().add_service(service).serve_with_incoming(incoming)
        }
    })
    .await
}

fn outgoing(middleware: Middleware, margin: Duration, channel: Channel) -> Outgoing {
    match middleware {
        Middleware::Layers => {
            let layered = ClientLayer::new().deadline_margin(margin).layer(channel);
            Outgoing::new(layered.map_response(|response| response.map(Body::new)))
        }
        Middleware::Interceptors => {
            let interceptor = ClientInterceptor::new().deadline_margin(margin);
            let intercepted = InterceptedService::new(channel, interceptor);
            Outgoing::new(intercepted.map_response(|response| response.map(Body::new)))
        }
    }
}

/// Parses a timeout.
fn timeout(arrival: &Arrival) -> Duration {
    let text = arrival.metadata["grpc-timeout"].to_str().unwrap();
    let (number, unit) = text.split_at(text.len() - 1);
    let number: u64 = number.parse().unwrap();
    match unit {
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        other => panic!("{other} is a strange unit for what is left of ten seconds"),
    }
}

fn deadline(arrival: &Arrival) -> Instant {
    arrival.context.deadline().expect("the client gave one").instant()
}

/// Makes calls of all four kinds, with and without a request id of the client, and passes the
/// arrivals to `examine`.
async fn each_call(
    middleware: Middleware,
    margin: Duration,
    token: &str,
    examine: impl Fn(Option<&str>, Vec<Arrival>, &str),
) {
    let hops = Hops::start(middleware, margin).await;
    let bearer = format!("Bearer {token}");
    for kind in Kind::ALL {
        for id in [Some("r-1/of:the_client"), None] {
            let case = format!("{middleware:?}, {kind:?}, {id:?}");
            let mut fields = vec![("authorization", &*bearer), ("grpc-timeout", "10S")];
            fields.extend(TRACE);
            fields.extend(id.map(|id| ("x-request-id", id)));
            let response = call(kind, hops.channel.clone(), &fields).await;
            assert_eq!(response.expect(&case), "alice", "{case}");

            let arrivals = hops.arrivals.take();
            let names: Vec<_> = arrivals.iter().map(|arrival| arrival.hop).collect();
            assert_eq!(names, ["gateway", "order", "inventory", "user"], "{case}");
            examine(id, arrivals, &case);
        }
    }
}

#[tokio::test]
async fn user_request_id_and_trace_are_the_same_at_each_hop() {
    let token = token::good("alice");
    for middleware in [Middleware::Layers, Middleware::Interceptors] {
        let examine = |given: Option<&str>, arrivals: Vec<Arrival>, case: &str| {
            let id = arrivals[0].context.request_id().cloned().expect(case);
            match given {
                Some(given) => assert_eq!(id.as_str(), given, "{case}"),
                None => assert_eq!(id.as_str().len(), 36, "{case}: {id}"),
            }
            let user = arrivals[0].context.user().cloned();
            for Arrival { hop, metadata, context, current } in arrivals {
                assert_eq!(context.user(), user.as_ref(), "{case}, {hop}");
                assert_eq!(context.request_id(), Some(&id), "{case}, {hop}");
                let is_current = (current.user(), current.request_id(), current.deadline());
                let is_given = (context.user(), context.request_id(), context.deadline());
                assert_eq!(is_current, is_given, "{case}, {hop}");

                let expected = [
                    ("x-request-id", id.as_str()),
                    ("x-user-email", "alice@example.com"),
                    ("x-user-id", "alice"),
                    ("x-user-permissions", "orders:create,orders:read"),
                    ("x-user-roles", "buyer"),
                ];
                for (name, value) in expected.into_iter().chain(TRACE) {
                    let values: Vec<_> = metadata.get_all(name).iter().collect();
                    assert_eq!(values, [value], "{case}, {hop}: {name}");
                }
            }
        };
        each_call(middleware, DEFAULT_MARGIN, &token, examine).await;
    }
}

/// Identical requests get different ids.
#[tokio::test]
async fn an_id_is_generated_once_for_each_request() {
    let token = token::good("alice");
    let ids = Mutex::new(Vec::new());
    let examine = |given: Option<&str>, arrivals: Vec<Arrival>, _: &str| {
        if given.is_none() {
            ids.lock().unwrap().push(arrivals[0].metadata["x-request-id"].clone());
        }
    };
    each_call(Middleware::Layers, DEFAULT_MARGIN, &token, examine).await;
    let mut ids = ids.into_inner().unwrap();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), Kind::ALL.len());
}

#[tokio::test]
async fn each_hop_has_an_earlier_deadline_than_the_one_before() {
    let token = token::good("alice");
    for middleware in [Middleware::Layers, Middleware::Interceptors] {
        each_call(middleware, MARGIN, &token, |_, arrivals, case| {
            assert_eq!(timeout(&arrivals[0]), TIMEOUT, "{case}");
            assert!(deadline(&arrivals[0]) <= Instant::now() + TIMEOUT, "{case}");
            for pair in arrivals.windows(2) {
                let (near, far) = (&pair[0], &pair[1]);
                let case = format!("{case}, from {} to {}", near.hop, far.hop);
                assert!(deadline(far) < deadline(near), "{case}");
            }
        })
        .await;
    }
}

/// Compares timeouts on the wire, which do not depend on clocks.
#[tokio::test]
async fn each_hop_gets_less_time_than_the_one_before_by_at_least_the_margin() {
    let token = token::good("alice");
    for middleware in [Middleware::Layers, Middleware::Interceptors] {
        for margin in [DEFAULT_MARGIN, MARGIN] {
            each_call(middleware, margin, &token, |_, arrivals, case| {
                for pair in arrivals.windows(2) {
                    let (near, far) = (timeout(&pair[0]), timeout(&pair[1]));
                    let way = format!("from {} to {}", pair[0].hop, pair[1].hop);
                    assert!(far + margin <= near, "{case}, {way}: {near:?}, {far:?}");
                }
            })
            .await;
        }
    }
}

#[tokio::test]
async fn no_hop_receives_the_token_or_a_part_of_it() {
    let token = token::good("alice");
    for middleware in [Middleware::Layers, Middleware::Interceptors] {
        each_call(middleware, DEFAULT_MARGIN, &token, |_, arrivals, case| {
            for Arrival { hop, metadata, context, .. } in arrivals {
                assert!(!metadata.contains_key("authorization"), "{case}, {hop}");
                for part in token.split('.') {
                    let holds =
                        |value: &[u8]| value.windows(part.len()).any(|own| own == part.as_bytes());
                    let found = metadata.iter().find(|(_, value)| holds(value.as_bytes()));
                    assert!(found.is_none(), "{case}, {hop}: {:?}", found.map(|(name, _)| name));
                    assert!(!holds(format!("{context:?}").as_bytes()), "{case}, {hop}");
                }
            }
        })
        .await;
    }
}
