//! Flow control: callers that share a gateway's connection to a service do not block each other.

use std::net::SocketAddr;
use std::time::Duration;

use http::Request;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::transport::{Channel, Endpoint, Server};
use tonic_passport::{ClientLayer, ForwardedContext, Gateway, JwtAuthenticator, ServerLayer};
use tower::ServiceExt;

use crate::sample::behind_gateway;
use crate::support::probe::{Kind, Probe, call, with};
use crate::support::server::TestServer;
use crate::support::shop::Item;
use crate::support::shop::order_service_client::OrderServiceClient;
use crate::support::shop::order_service_server::{OrderServiceServer, SERVICE_NAME};
use crate::support::{raw, token};

/// Time limit for calls that are not blocked.
const TIME_LIMIT: Duration = Duration::from_secs(20);

fn bearer(user: &str) -> String {
    format!("Bearer {}", token::good(user))
}

/// Starts a service on this server, and a gateway to it with this channel.
async fn start(server: Server, channel: impl FnOnce(&str) -> Channel) -> (TestServer, TestServer) {
    let service = OrderServiceServer::new(Probe::default());
    let inside = ServerLayer::new(ForwardedContext::trust_private_network());
    let upstream = TestServer::start(|incoming| {
        server.layer(inside).add_service(service).serve_with_incoming(incoming)
    })
    .await;
    let channel = channel(&format!("http://{}", upstream.addr));
    let routes = Gateway::builder().route(SERVICE_NAME, channel).build().unwrap().into_routes();
    let edge = ServerLayer::new(JwtAuthenticator::new(token::verifier()));
    let gateway = TestServer::start(|incoming| {
        Server::builder().layer(edge).add_routes(routes).serve_with_incoming(incoming)
    })
    .await;
    (upstream, gateway)
}

/// Clients that send without end, and read no responses. They have their own runtime, so that their
/// connections are closed when they are dropped.
struct StalledReaders {
    runtime: Option<tokio::runtime::Runtime>,
    sent: watch::Receiver<u64>,
}

impl StalledReaders {
    async fn start(gateway: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (taken, sent) = watch::channel(0);
        for _ in 0..2 {
            runtime.spawn(send_without_reading(gateway, items(taken.clone())));
        }
        let mut stalled_readers = Self { runtime: Some(runtime), sent };
        // They send until flow control stops them.
        while timeout(Duration::from_millis(300), stalled_readers.sent.changed()).await.is_ok() {}
        assert!(*stalled_readers.sent.borrow() > 100, "nothing was sent");
        stalled_readers
    }
}

impl Drop for StalledReaders {
    fn drop(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}

fn items(taken: watch::Sender<u64>) -> impl Stream<Item = Item> {
    let item = Item { sku: "x".repeat(1000), quantity: 1 };
    tokio_stream::iter(std::iter::repeat_with(move || {
        taken.send_modify(|count| *count += 1);
        item.clone()
    }))
}

async fn send_without_reading(
    gateway: SocketAddr,
    items: impl Stream<Item = Item> + Send + 'static,
) {
    let endpoint = Endpoint::try_from(format!("http://{gateway}")).unwrap();
    let channel = endpoint
        .initial_stream_window_size(65_535)
        .initial_connection_window_size(65_535)
        .connect()
        .await
        .unwrap();
    let bearer = bearer("mallory");
    let request = with(&[("authorization", &bearer)], items);
    let _unread = OrderServiceClient::new(channel).check_items(request).await.unwrap();
    std::future::pending::<()>().await;
}

async fn is_served(user: &str, gateway: &TestServer) -> bool {
    let bearer = bearer(user);
    let channel = gateway.connect().await;
    let fields = [("authorization", bearer.as_str())];
    let response = call(Kind::Unary, channel, &fields);
    timeout(TIME_LIMIT, response).await.is_ok_and(|response| response.unwrap() == user)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_do_not_read_do_not_block_others() {
    let channel = |uri: &str| behind_gateway::channel(uri).unwrap();
    let (_upstream, gateway) = start(behind_gateway::server(), channel).await;
    let _stalled_readers = StalledReaders::start(gateway.addr).await;
    for _ in 0..10 {
        assert!(is_served("alice", &gateway).await);
    }
}

/// With tonic's default windows, others are blocked, but only while those clients are connected.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disconnected_clients_do_not_block_others() {
    let channel = |uri: &str| Endpoint::try_from(uri.to_owned()).unwrap().connect_lazy();
    let (_upstream, gateway) = start(Server::builder(), channel).await;
    drop(StalledReaders::start(gateway.addr).await);
    assert!(is_served("alice", &gateway).await);
}

/// The same for a service that relays messages to another one with a client layer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disconnected_clients_of_a_relaying_service_do_not_block_others() {
    let service = OrderServiceServer::new(Probe::default());
    let inside = ServerLayer::new(ForwardedContext::trust_private_network());
    let upstream = TestServer::start(|incoming| {
        Server::builder().layer(inside).add_service(service).serve_with_incoming(incoming)
    })
    .await;
    let channel = ClientLayer::new().wrap(upstream.connect().await);
    let edge = ServerLayer::new(JwtAuthenticator::new(token::verifier()));
    let relay = raw::serve_with(edge, move |request: Request<Body>| {
        let channel = channel.clone();
        async move {
            let asked = raw::post(request.uri().path()).body(request.into_body()).unwrap();
            channel.oneshot(asked).await.unwrap().map(Body::new)
        }
    })
    .await;

    drop(StalledReaders::start(relay.addr).await);
    assert!(is_served("alice", &relay).await);
}

/// `tests/slow/cancelled_calls.rs` runs many more rounds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_cancelled_calls_do_not_end_other_calls() {
    assert_cancelled_calls_end_no_other(4).await;
}

/// Cancels 375 calls in each round, and asserts that another call on the gateway's connection still
/// passes messages.
pub async fn assert_cancelled_calls_end_no_other(rounds: u32) {
    let channel = |uri: &str| behind_gateway::channel(uri).unwrap();
    let (_upstream, gateway) = start(behind_gateway::server(), channel).await;
    let (alice, mallory) = (bearer("alice"), bearer("mallory"));

    let (send, items) = mpsc::channel(1);
    let request = with(&[("authorization", &alice)], ReceiverStream::new(items));
    send.send(Item::default()).await.unwrap();
    let mut client = OrderServiceClient::new(gateway.connect().await);
    let mut responses = client.check_items(request).await.unwrap().into_inner();
    responses.message().await.unwrap().unwrap();

    for round in 0..rounds {
        let mut cancelled = Vec::new();
        for _ in 0..25 {
            let channel = gateway.connect().await;
            for _ in 0..15 {
                let mut client = OrderServiceClient::new(channel.clone());
                let items = tokio_stream::pending::<Item>();
                let request = with(&[("authorization", &mallory)], items);
                cancelled.push(tokio::spawn(async move {
                    let _answer = client.check_items(request).await;
                }));
            }
        }
        tokio::task::yield_now().await;
        cancelled.iter().for_each(tokio::task::JoinHandle::abort);

        // It fails if the call has ended. The response tells why.
        let _ = send.send(Item::default()).await;
        let response = timeout(TIME_LIMIT, responses.message()).await.unwrap();
        assert!(matches!(response, Ok(Some(_))), "round {round}: {response:?}");
    }
}
