//! Callers who share a gateway's connection to a service do not get in each other's way.

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

/// Longer than anything takes that is not held up.
const PATIENCE: Duration = Duration::from_secs(20);

fn bearer(user: &str) -> String {
    format!("Bearer {}", token::good(user))
}

/// A service on this server, and a gateway in front of it that uses this channel.
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

/// Callers who send without end, and read nothing of what is sent back. They have a runtime of
/// their own, so that their connections are closed when they are dropped.
struct Hoarders {
    runtime: Option<tokio::runtime::Runtime>,
    sent: watch::Receiver<u64>,
}

impl Hoarders {
    async fn start(gateway: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (taken, sent) = watch::channel(0);
        for _ in 0..2 {
            runtime.spawn(hoard(gateway, items(taken.clone())));
        }
        let mut hoarders = Self { runtime: Some(runtime), sent };
        // They go on until nothing moves any more.
        while timeout(Duration::from_millis(300), hoarders.sent.changed()).await.is_ok() {}
        assert!(*hoarders.sent.borrow() > 100, "nothing was sent");
        hoarders
    }
}

impl Drop for Hoarders {
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

async fn hoard(gateway: SocketAddr, items: impl Stream<Item = Item> + Send + 'static) {
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
    timeout(PATIENCE, response).await.is_ok_and(|response| response.unwrap() == user)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_who_read_nothing_hold_up_no_other() {
    let channel = |uri: &str| behind_gateway::channel(uri).unwrap();
    let (_upstream, gateway) = start(behind_gateway::server(), channel).await;
    let _hoarders = Hoarders::start(gateway.addr).await;
    for _ in 0..10 {
        assert!(is_served("alice", &gateway).await);
    }
}

/// With the windows that tonic has by itself, others are held up, but no longer than the callers
/// are there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_who_left_hold_up_no_other() {
    let channel = |uri: &str| Endpoint::try_from(uri.to_owned()).unwrap().connect_lazy();
    let (_upstream, gateway) = start(Server::builder(), channel).await;
    drop(Hoarders::start(gateway.addr).await);
    assert!(is_served("alice", &gateway).await);
}

/// The same of a service that asks another one for its callers, message by message.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_who_left_hold_up_no_other_of_a_service_that_relays() {
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

    drop(Hoarders::start(relay.addr).await);
    assert!(is_served("alice", &relay).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_who_break_off_many_calls_end_no_others() {
    let channel = |uri: &str| behind_gateway::channel(uri).unwrap();
    let (_upstream, gateway) = start(behind_gateway::server(), channel).await;
    let (alice, mallory) = (bearer("alice"), bearer("mallory"));

    let (send, items) = mpsc::channel(1);
    let request = with(&[("authorization", &alice)], ReceiverStream::new(items));
    send.send(Item::default()).await.unwrap();
    let mut client = OrderServiceClient::new(gateway.connect().await);
    let mut responses = client.check_items(request).await.unwrap().into_inner();
    responses.message().await.unwrap().unwrap();

    for round in 0..20 {
        let mut broken_off = Vec::new();
        for _ in 0..25 {
            let channel = gateway.connect().await;
            for _ in 0..15 {
                let mut client = OrderServiceClient::new(channel.clone());
                let items = tokio_stream::pending::<Item>();
                let request = with(&[("authorization", &mallory)], items);
                broken_off.push(tokio::spawn(async move {
                    let _answer = client.check_items(request).await;
                }));
            }
        }
        tokio::task::yield_now().await;
        broken_off.iter().for_each(tokio::task::JoinHandle::abort);

        send.send(Item::default()).await.unwrap();
        let response = timeout(PATIENCE, responses.message()).await.unwrap();
        assert!(response.is_ok(), "round {round}: {response:?}");
    }
}
