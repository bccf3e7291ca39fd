//! The gateway relays calls unchanged, except for their identity metadata.

use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::BodyExt;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::timeout;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_passport::propagation::PropagatedField;
use tonic_passport::{ClientLayer, ForwardedContext, Gateway, JwtAuthenticator, ServerLayer};
use tower::ServiceExt;

use crate::support::probe::{Kind, Probe, call, with};
use crate::support::server::{TcpProxy, TestServer};
use crate::support::shop::Item;
use crate::support::shop::order_service_client::OrderServiceClient;
use crate::support::{assert_refused, forged, raw, reason, token};

const ORDERS: &str = "shop.v1.OrderService";
const UNAVAILABLE: (Code, &str) = (Code::Unavailable, "UPSTREAM_UNAVAILABLE");

/// A stream is idle when nothing happens for this long.
const QUIET: Duration = Duration::from_millis(300);
/// Time limit for events that must happen.
const SOON: Duration = Duration::from_secs(5);

/// A gateway to one upstream, behind a layer that verifies tokens.
async fn edge(upstream: Endpoint) -> TestServer {
    let gateway = Gateway::builder().route(ORDERS, upstream.connect_lazy()).build().unwrap();
    let layer = ServerLayer::new(JwtAuthenticator::new(token::verifier()));
    TestServer::start(|incoming| {
        Server::builder()
            .layer(layer)
            .add_routes(gateway.into_routes())
            .serve_with_incoming(incoming)
    })
    .await
}

/// A gateway to one upstream, without a layer.
async fn bare(upstream: Endpoint) -> TestServer {
    let gateway = Gateway::builder().route(ORDERS, upstream.connect_lazy()).build().unwrap();
    TestServer::start(|incoming| {
        Server::builder().add_routes(gateway.into_routes()).serve_with_incoming(incoming)
    })
    .await
}

fn bearer() -> String {
    format!("Bearer {}", token::good("alice"))
}

fn internal() -> ServerLayer<ForwardedContext> {
    ServerLayer::new(ForwardedContext::trust_private_network())
}

#[tokio::test]
async fn every_kind_of_call_is_relayed_on_behalf_of_its_caller() {
    let probe = Probe::default();
    let upstream = probe.serve_with(internal()).await;
    let edge = edge(upstream.endpoint()).await;
    let channel = edge.connect().await;
    let bearer = bearer();

    for kind in Kind::ALL {
        let user = call(kind, channel.clone(), &[("authorization", &bearer)]).await;
        assert_eq!(user.unwrap(), "alice", "{kind:?}");
        assert_eq!(probe.take_one().user.unwrap().email(), Some("alice@example.com"), "{kind:?}");
    }
}

#[tokio::test]
async fn an_upstream_sees_neither_the_token_nor_forged_identity() {
    let probe = Probe::default();
    let upstream = probe.serve().await;
    let edge = edge(upstream.endpoint()).await;
    let bare = bare(upstream.endpoint()).await;
    let bearer = bearer();
    let names = forged::names();
    let fields = forged::around(&names, &[("authorization", &bearer), ("x-request-id", "r-1")]);
    let alice = [
        ("x-user-id", "alice"),
        ("x-user-email", "alice@example.com"),
        ("x-user-roles", "buyer"),
        ("x-user-permissions", "orders:create,orders:read"),
    ];

    for (middleware, server, expected) in [("layer", &edge, &alice[..]), ("no layer", &bare, &[])] {
        let channel = server.connect().await;
        for kind in Kind::ALL {
            let case = format!("{middleware}, {kind:?}");
            call(kind, channel.clone(), &fields).await.expect(&case);
            let seen = probe.take_one().metadata;
            forged::assert_none(&seen, &case);
            forged::assert_context(&seen, expected, &case);
            assert!(!seen.contains_key("authorization"), "{case}");
            assert_eq!(seen["x-request-id"], "r-1", "{case}");
        }
    }
}

#[tokio::test]
async fn an_upstream_sees_no_identity_in_request_trailers() {
    let probe = Probe::default();
    let upstream = probe.serve().await;
    let edge = edge(upstream.endpoint()).await;
    let bare = bare(upstream.endpoint()).await;
    let mut trailers = HeaderMap::new();
    for name in forged::names() {
        let name: HeaderName = name.parse().unwrap();
        trailers.append(name, HeaderValue::from_static(forged::VALUE));
    }
    trailers.insert("x-checksum", HeaderValue::from_static("c-1"));

    for (case, server) in [("layer", &edge), ("no layer", &bare)] {
        let request = raw::post(Kind::ClientStreaming.path()).header("authorization", bearer());
        let request = request.body(raw::message_and(&[], trailers.clone())).unwrap();
        let response = raw::send(server.connect().await, request).await;
        assert_eq!(response.status().code(), Code::Ok, "{case}: {response:?}");

        let seen = probe.take_one().trailers;
        assert_eq!(seen.len(), 1, "{case}: {seen:?}");
        assert_eq!(seen["x-checksum"], "c-1", "{case}");
    }
}

#[tokio::test]
async fn identity_in_an_upstreams_response_never_reaches_the_client() {
    let upstream = raw::serve(|_| async {
        let mut trailers = fields(&[("grpc-status", "0"), ("x-request-id", "r-1")]);
        let mut response = raw::ok().header("x-request-id", "r-1").body(()).unwrap();
        for name in forged::names().into_iter().chain(["authorization".to_owned()]) {
            let name: HeaderName = name.parse().unwrap();
            let value = HeaderValue::from_static(forged::VALUE);
            response.headers_mut().append(name.clone(), value.clone());
            trailers.append(name, value);
        }
        response.map(|()| raw::message_and(b"x", trailers))
    })
    .await;
    let edge = edge(upstream.endpoint()).await;

    let request = raw::post(raw::METHOD).header("authorization", bearer());
    let response = raw::send(edge.connect().await, request.body(Body::empty()).unwrap()).await;
    for (case, fields) in [("headers", &response.headers), ("trailers", &response.trailers)] {
        forged::assert_none(fields, case);
        assert_eq!(fields["x-request-id"], "r-1", "{case}");
    }
}

fn fields(fields: &[(&'static str, &'static str)]) -> HeaderMap {
    fields
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect()
}

type MakeAnswer = fn() -> Response<Body>;

const ANSWERS: [(&str, MakeAnswer); 10] = [
    ("metadata, a message, trailers", || {
        let trailers = fields(&[("grpc-status", "0"), ("x-sum", "1"), ("x-sum-bin", "AAEC")]);
        raw::ok()
            .header("x-many", "1")
            .header("x-many", "2, 3")
            .header("x-trace-bin", "AAEC/w")
            .body(raw::message_and(b"\x0a\x01x", trailers))
            .unwrap()
    }),
    ("a status in trailers", || {
        let trailers = fields(&[
            ("grpc-status", "9"),
            ("grpc-message", "out of t%C3%A9"),
            ("grpc-status-details-bin", "CAkSCW91dCBvZiB0"),
            ("x-hint", "coffee"),
        ]);
        raw::ok().body(raw::message_and(b"x", trailers)).unwrap()
    }),
    ("a status and nothing else", || {
        raw::ok()
            .header("grpc-status", "7")
            .header("grpc-message", "not%20you")
            .header("grpc-status-details-bin", "CAcSB25vdCB5b3U")
            .header("x-hint", "ask")
            .body(Body::empty())
            .unwrap()
    }),
    ("UNIMPLEMENTED", || {
        raw::ok()
            .header("grpc-status", "12")
            .header("grpc-message", "no such method")
            .body(Body::empty())
            .unwrap()
    }),
    ("details that are not base64", || {
        let trailers = fields(&[("grpc-status", "2"), ("grpc-status-details-bin", "***")]);
        raw::ok().body(raw::message_and(b"x", trailers)).unwrap()
    }),
    ("details that are not base64, and nothing else", || {
        raw::ok()
            .header("grpc-status", "2")
            .header("grpc-status-details-bin", "***")
            .body(Body::empty())
            .unwrap()
    }),
    ("a code that does not exist", || {
        raw::ok().body(raw::message_and(b"x", fields(&[("grpc-status", "99")]))).unwrap()
    }),
    ("no status", || {
        let messages = [raw::message(b"a"), raw::message(b""), raw::message(b"\0\xff")];
        let frames = tokio_stream::iter(messages.map(Frame::data));
        raw::ok().body(raw::stream(frames)).unwrap()
    }),
    ("bytes that are no messages", || {
        let frames = tokio_stream::iter([Frame::data(Bytes::from_static(b"\xff\0\xfe"))]);
        raw::ok().body(raw::stream(frames)).unwrap()
    }),
    ("not gRPC", || {
        let body = raw::stream(tokio_stream::once(Frame::data(Bytes::from_static(b"<p>"))));
        let response = Response::builder().status(StatusCode::SERVICE_UNAVAILABLE);
        response.header("content-type", "text/html").body(body).unwrap()
    }),
];

#[tokio::test]
async fn a_response_passes_unchanged_to_its_last_byte() {
    let upstream = raw::serve(|request| async move {
        let case = request.headers()["x-case"].to_str().unwrap();
        ANSWERS.iter().find(|(name, _)| *name == case).unwrap().1()
    })
    .await;
    let edge = edge(upstream.endpoint()).await;
    let (direct, relayed) = (upstream.connect().await, edge.connect().await);
    let bearer = bearer();

    for (case, _) in ANSWERS {
        let ask = async |channel: Channel| {
            let request = raw::post(raw::METHOD).header("x-case", case);
            let request = request.header("authorization", &bearer).body(Body::empty()).unwrap();
            let mut response = raw::send(channel, request).await;
            // Each server sets its own date.
            response.headers.remove("date");
            response
        };
        let expected = ask(direct.clone()).await;
        assert_eq!(ask(relayed.clone()).await, expected, "{case}");
    }
}

#[tokio::test]
async fn a_request_passes_unchanged_but_for_identity() {
    type Seen = (String, HeaderMap, Bytes, Option<HeaderMap>);
    let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
    let recorder = Arc::clone(&seen);
    let upstream = raw::serve(move |request| {
        let recorder = Arc::clone(&recorder);
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.unwrap();
            let (path, trailers) = (parts.uri.path().to_owned(), body.trailers().cloned());
            recorder.lock().unwrap().push((path, parts.headers, body.to_bytes(), trailers));
            raw::ok().header("grpc-status", "0").body(Body::empty()).unwrap()
        }
    })
    .await;
    let edge = edge(upstream.endpoint()).await;
    let request = || {
        let frames = [
            Frame::data(raw::message(b"\xff\0\xfe")),
            Frame::data(raw::message(b"")),
            Frame::trailers(fields(&[("x-checksum", "c-1"), ("x-checksum-bin", "AAEC")])),
        ];
        Request::post("/shop.v1.OrderService/Unheard_of")
            .header("content-type", "application/grpc+cbor")
            .header("te", "trailers")
            .header("grpc-timeout", "60S")
            .header("grpc-encoding", "br")
            .header("grpc-accept-encoding", "br,identity")
            .header("x-many", "1")
            .header("x-many", "2, 3")
            .header("x-trace-bin", "AAEC/w")
            .body(raw::stream(tokio_stream::iter(frames)))
            .unwrap()
    };

    raw::send(upstream.connect().await, request()).await;
    let mut authorized = request();
    authorized.headers_mut().insert("authorization", bearer().parse().unwrap());
    raw::send(edge.connect().await, authorized).await;

    let mut seen = std::mem::take(&mut *seen.lock().unwrap());
    for (_, fields, ..) in &mut seen {
        // Each tonic channel appends its own name.
        fields.remove("user-agent");
    }
    for name in ["x-user-id", "x-user-email", "x-user-roles", "x-user-permissions", "x-request-id"]
    {
        assert!(seen[1].1.remove(name).is_some(), "{name}");
    }
    // The remaining time when the call was relayed.
    let left = seen[1].1.insert("grpc-timeout", HeaderValue::from_static("60S")).unwrap();
    let microseconds: u32 = left.to_str().unwrap().strip_suffix('u').unwrap().parse().unwrap();
    assert!((40_000_000..60_000_000).contains(&microseconds), "{left:?}");
    assert_eq!(seen[0], seen[1]);
}

#[tokio::test]
async fn a_large_message_passes_both_ways() {
    let upstream = raw::serve(|request| async { raw::ok().body(request.into_body()).unwrap() });
    let upstream = upstream.await;
    let edge = edge(upstream.endpoint()).await;
    let large: Vec<u8> = (0..1024 * 1024).map(|index: u32| index.to_le_bytes()[1]).collect();

    let request = raw::post(raw::METHOD).header("authorization", bearer());
    let request = request.body(raw::message_and(&large, HeaderMap::new())).unwrap();
    let response = raw::send(edge.connect().await, request).await;
    assert!(response.data == raw::message(&large), "{} bytes came back", response.data.len());
}

/// A client that sends one message at a time, and its responses.
async fn converse(
    channel: Channel,
) -> (mpsc::Sender<Item>, impl AsyncFnMut() -> Result<Option<String>, Status>) {
    let (sender, items) = mpsc::channel(1);
    let request = with(&[("authorization", &bearer())], ReceiverStream::new(items));
    let response = OrderServiceClient::new(channel).check_items(request).await;
    let mut responses = response.unwrap().into_inner();
    (sender, async move || Ok(responses.message().await?.map(|response| response.sku)))
}

fn item(sku: &str) -> Item {
    Item { sku: sku.to_owned(), quantity: 1 }
}

#[tokio::test]
async fn messages_pass_one_by_one() {
    let probe = Probe::default();
    let upstream = probe.serve_with(internal()).await;
    let edge = edge(upstream.endpoint()).await;
    let (sender, mut response) = converse(edge.connect().await).await;

    for round in 0..50 {
        let sku = round.to_string();
        sender.send(item(&sku)).await.unwrap();
        assert_eq!(timeout(SOON, response()).await.unwrap().unwrap(), Some(sku));
    }
    drop(sender);
    assert_eq!(timeout(SOON, response()).await.unwrap().unwrap(), None);
}

/// Notifies when it is dropped.
struct Dropped(Arc<Notify>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

#[tokio::test]
async fn a_response_stream_that_the_client_drops_is_dropped_upstream() {
    let dropped = Arc::new(Notify::new());
    let notify = Arc::clone(&dropped);
    let upstream = raw::serve(move |_| {
        let guard = Dropped(Arc::clone(&notify));
        let frames = tokio_stream::once(Frame::data(raw::message(b"x")))
            .chain(tokio_stream::pending())
            .map(move |frame| {
                let _held = &guard;
                frame
            });
        async { raw::ok().body(raw::stream(frames)).unwrap() }
    })
    .await;
    let edge = edge(upstream.endpoint()).await;

    let request = raw::post(raw::METHOD).header("authorization", bearer());
    let request = request.body(Body::empty()).unwrap();
    let mut response = edge.connect().await.oneshot(request).await.unwrap();
    let frame = response.frame().await.unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), raw::message(b"x"));

    drop(response);
    timeout(SOON, dropped.notified()).await.unwrap();
}

/// A service that does not read its request, and keeps sending its response, does not notice that
/// the caller cancelled. The gateway must stop reading when the stream's window is full.
#[tokio::test]
async fn a_response_without_a_reader_is_not_read_without_limit() {
    let sent = watch::Sender::new(0_u32);
    let count = sent.clone();
    let upstream = raw::serve(move |request| {
        let (held, count) = (request.into_body(), count.clone());
        let frames = tokio_stream::iter(std::iter::repeat_with(move || {
            let _unread = &held;
            count.send_modify(|sent| *sent += 1);
            Frame::data(raw::message(&[7; 16 * 1024]))
        }));
        async { raw::ok().body(raw::stream(frames)).unwrap() }
    })
    .await;
    let edge = edge(upstream.endpoint()).await;

    // On its own runtime, so that its connection is closed at shutdown.
    let mut caller = tokio::runtime::Builder::new_multi_thread();
    let caller = caller.worker_threads(1).enable_all().build().unwrap();
    let endpoint = edge.endpoint();
    caller.spawn(async move {
        let upload = (0..64).map(|_| Frame::data(raw::message(&vec![7; 64 * 1024])));
        let upload = tokio_stream::iter(upload).chain(tokio_stream::pending());
        let request = raw::post(raw::METHOD).header("authorization", bearer());
        let request = request.body(raw::stream(upload)).unwrap();
        let mut response = endpoint.connect().await.unwrap().oneshot(request).await.unwrap();
        response.frame().await.unwrap().unwrap();
        pending::<()>().await;
    });
    let mut changes = sent.subscribe();
    changes.changed().await.unwrap();
    // Both directions have filled their windows.
    while timeout(QUIET, changes.changed()).await.is_ok() {}

    caller.shutdown_background();
    let quiet = async { while timeout(QUIET, changes.changed()).await.is_ok() {} };
    assert!(
        timeout(SOON, quiet).await.is_ok(),
        "the response is still read, after {} messages",
        *sent.borrow()
    );
}

#[tokio::test]
async fn a_call_that_the_client_drops_is_dropped_upstream() {
    let (called, dropped) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (notify_called, notify_dropped) = (Arc::clone(&called), Arc::clone(&dropped));
    let upstream = raw::serve(move |_| {
        let guard = Dropped(Arc::clone(&notify_dropped));
        notify_called.notify_one();
        async move {
            let _held = guard;
            pending().await
        }
    })
    .await;
    let edge = edge(upstream.endpoint()).await;
    let channel = edge.connect().await;

    let task = tokio::spawn(async move {
        drop(call(Kind::Unary, channel, &[("authorization", &bearer())]).await);
    });
    timeout(SOON, called.notified()).await.unwrap();
    task.abort();
    timeout(SOON, dropped.notified()).await.unwrap();
}

#[tokio::test]
async fn routes_are_the_exact_names_of_services() {
    let (orders, others) = (Probe::default(), Probe::default());
    let (orders_server, others_server) = (orders.serve().await, others.serve().await);
    let gateway = Gateway::builder()
        .route(ORDERS, orders_server.connect().await)
        .route("shop.v1.OrderServiceInternal", others_server.connect().await)
        .build()
        .unwrap();
    let server = TestServer::start(|incoming| {
        Server::builder().add_routes(gateway.into_routes()).serve_with_incoming(incoming)
    })
    .await;
    let channel = server.connect().await;
    let paths = [
        "/shop.v1.OrderServic/CreateOrder",
        "/shop.v1.OrderServiceX/CreateOrder",
        "/shop.v1.orderservice/CreateOrder",
        "/shop.v1.InventoryService/Reserve",
        "/shop.v1/CreateOrder",
        "/OrderService/CreateOrder",
        "/x.shop.v1.OrderService/CreateOrder",
        "/shop.v1.OrderService",
        "/shop.v1.OrderService/",
        "/shop.v1.OrderService/Create/Order",
        "/shop.v1.OrderService/%43reateOrder",
        "//shop.v1.OrderService/CreateOrder",
        "/",
    ];

    for path in paths {
        let request = raw::post(path).body(Body::empty()).unwrap();
        let status = raw::send(channel.clone(), request).await.status();
        assert_eq!(status.code(), Code::Unimplemented, "{path}: {status:?}");
        assert_eq!(reason(&status), "SERVICE_UNKNOWN", "{path}");
        assert_eq!(orders.calls() + others.calls(), 0, "{path}");
    }
    call(Kind::Unary, channel, &[]).await.unwrap();
    assert_eq!((orders.calls(), others.calls()), (1, 0));
}

#[tokio::test]
async fn a_local_service_of_the_gateway_is_not_relayed() {
    let gateway = Gateway::builder().build().unwrap();
    let (_, health) = tonic_health::server::health_reporter();
    let server = TestServer::start(|incoming| {
        Server::builder()
            .add_routes(gateway.into_routes())
            .add_service(health)
            .serve_with_incoming(incoming)
    })
    .await;
    let mut health = HealthClient::new(server.connect().await);
    health.check(HealthCheckRequest::default()).await.unwrap();
}

#[tokio::test]
async fn an_upstream_that_is_down_is_unavailable() {
    let probe = Probe::default();
    let upstream = probe.serve().await;
    let mut cable = TcpProxy::to(&upstream).await;
    cable.disconnect().await;
    let edge = edge(cable.endpoint()).await;
    let channel = edge.connect().await;
    let bearer = bearer();

    for kind in Kind::ALL {
        let response = call(kind, channel.clone(), &[("authorization", &bearer)]).await;
        assert_refused(response, UNAVAILABLE, &probe, &format!("{kind:?}"));
    }
}

#[tokio::test]
async fn an_upstream_that_comes_back_is_available_again() {
    let probe = Probe::default();
    let upstream = probe.serve().await;
    let mut cable = TcpProxy::to(&upstream).await;
    let edge = edge(cable.endpoint()).await;
    let channel = edge.connect().await;
    let bearer = bearer();
    let fields = [("authorization", bearer.as_str())];

    for kind in Kind::ALL {
        call(kind, channel.clone(), &fields).await.unwrap();
        probe.take_one();

        cable.disconnect().await;
        let response = call(kind, channel.clone(), &fields).await;
        assert_refused(response, UNAVAILABLE, &probe, &format!("{kind:?}"));

        cable.reconnect().await;
        call(kind, channel.clone(), &fields).await.unwrap();
        probe.take_one();
    }
}

#[tokio::test]
async fn a_stream_that_breaks_upstream_ends_with_a_status_after_its_messages() {
    let probe = Probe::default();
    let upstream = probe.serve_with(internal()).await;
    let mut cable = TcpProxy::to(&upstream).await;
    let edge = edge(cable.endpoint()).await;
    let (sender, mut response) = converse(edge.connect().await).await;
    sender.send(item("tea")).await.unwrap();
    assert_eq!(timeout(SOON, response()).await.unwrap().unwrap().as_deref(), Some("tea"));

    cable.disconnect().await;
    let status = timeout(SOON, response()).await.unwrap().unwrap_err();
    assert_eq!((status.code(), &*reason(&status)), UNAVAILABLE, "{status:?}");
}

/// The gateway is called without a server, and the upstream never sends a byte, because every tonic
/// server ends a call at its deadline itself.
#[tokio::test]
async fn a_call_to_an_unresponsive_upstream_fails_with_deadline_exceeded() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = format!("http://{}", silent.local_addr().unwrap());
    let upstream = Endpoint::try_from(upstream).unwrap().connect_lazy();
    let gateway = Gateway::builder().route(ORDERS, upstream).build().unwrap();

    let request = raw::post(raw::METHOD).header("grpc-timeout", "20m").body(Body::empty());
    let response = timeout(SOON, raw::send(gateway, request.unwrap())).await.unwrap();
    assert_eq!(response.status().code(), Code::DeadlineExceeded, "{response:?}");
}

/// One-hop fields that arrive at a gateway are not relayed. Those that start there reach the
/// upstream.
#[tokio::test]
async fn one_hop_fields_end_at_a_gateway() {
    let probe = Probe::default();
    let upstream = probe.serve().await;
    let listed = [PropagatedField::one_hop("x-debug").unwrap()];
    let gateway = Gateway::builder().route(ORDERS, upstream.endpoint().connect_lazy());
    let routes = gateway.build().unwrap().into_routes();
    let layer = internal().propagate(listed);
    let server = TestServer::start(|incoming| {
        Server::builder().layer(layer).add_routes(routes).serve_with_incoming(incoming)
    })
    .await;

    let sent = [("x-user-id", "alice"), ("x-debug", "1")];
    let marked = [sent[0], sent[1], ("x-passport-one-hop", "x-debug")];
    for (fields, expected) in [(&sent[..], Some("x-debug")), (&marked, None)] {
        for kind in Kind::ALL {
            let case = format!("{fields:?}, {kind:?}");
            call(kind, server.connect().await, fields).await.expect(&case);
            let seen = probe.take_one().metadata;
            let text = |name| seen.get(name).map(|value| value.to_str().unwrap());
            assert_eq!(text("x-debug"), expected.map(|_| "1"), "{case}");
            assert_eq!(text("x-passport-one-hop"), expected, "{case}");
        }
    }
}

/// A route that is bound to destinations compares them with its own channel, never with the
/// client's `:authority`.
#[tokio::test]
async fn a_clients_authority_does_not_change_where_a_call_is_relayed_to() {
    let probe = Probe::default();
    let upstream = probe.serve().await;
    let bound = ClientLayer::new().destinations(["inventory".parse().unwrap()]);
    let gateway = Gateway::builder().route(ORDERS, bound.wrap(upstream.connect().await));
    let routes = gateway.build().unwrap().into_routes();
    let server = TestServer::start(|incoming| {
        Server::builder().layer(internal()).add_routes(routes).serve_with_incoming(incoming)
    })
    .await;

    for claimed in ["http://inventory", "http://edge.example.com"] {
        let endpoint = server.endpoint().origin(claimed.parse().unwrap());
        let channel = endpoint.connect().await.unwrap();
        for kind in Kind::ALL {
            let response = call(kind, channel.clone(), &[("x-user-id", "alice")]).await;
            let expected = (Code::Internal, "DESTINATION_NOT_ALLOWED");
            assert_refused(response, expected, &probe, &format!("{claimed}, {kind:?}"));
        }
    }
}
