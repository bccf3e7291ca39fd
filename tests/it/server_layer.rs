//! The server layer: authentication, authorization, and the current user of handlers.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_stream::StreamExt;
use tonic::Code;
use tonic::body::Body;
use tonic::transport::{Channel, Server};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_passport::policy::{HEALTH, REFLECTION};
use tonic_passport::{ForwardedContext, JwtAuthenticator, ServerLayer, UserContext};
use tonic_prost::ProstCodec;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServerReflectionResponse};
use tonic_reflection::server::Builder as Reflection;
use tower::util::MapRequestLayer;
use tower::{Layer, ServiceExt};

use crate::support::log::Log;
use crate::support::probe::{Kind, Probe, call};
use crate::support::rules::{optional, public};
use crate::support::server::TestServer;
use crate::support::shop::order_service_server::OrderServiceServer;
use crate::support::{assert_refused, forged, raw, reason, token};

const MISSING: (Code, &str) = (Code::Unauthenticated, "TOKEN_MISSING");

fn edge() -> ServerLayer<JwtAuthenticator> {
    ServerLayer::new(JwtAuthenticator::new(token::verifier()))
}

fn bearer(subject: &str) -> String {
    format!("Bearer {}", token::good(subject))
}

fn id(user: Option<&UserContext>) -> Option<&str> {
    user.map(UserContext::id)
}

#[tokio::test]
async fn handlers_of_all_kinds_of_call_run_as_their_caller() {
    let probe = Probe::default();
    let server = probe.serve_with(edge()).await;
    let channel = server.connect().await;
    let bearer = bearer("alice");

    for kind in Kind::ALL {
        // The probe reads the current user when its response stream is polled.
        let user = call(kind, channel.clone(), &[("authorization", &bearer)]).await;
        assert_eq!(user.unwrap(), "alice", "{kind:?}");

        let seen = probe.take_one();
        assert_eq!(seen.metadata["x-user-id"], "alice", "{kind:?}");
        assert_eq!(id(seen.user.as_ref()), Some("alice"), "{kind:?}");
        assert_eq!(seen.user, seen.current, "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_calls_of_many_users_never_mix() {
    let probe = Probe::default();
    let server = probe.serve_with(edge()).await;
    let channel = server.connect().await;
    let mut calls = JoinSet::new();

    for user in 0..100 {
        let (user, channel) = (format!("user-{user}"), channel.clone());
        calls.spawn(async move {
            let bearer = bearer(&user);
            for kind in Kind::ALL {
                let response = call(kind, channel.clone(), &[("authorization", &bearer)]).await;
                assert_eq!(response.unwrap(), user, "{kind:?}");
            }
        });
    }
    while let Some(done) = calls.join_next().await {
        done.unwrap();
    }

    let seen = probe.take_all();
    assert_eq!(seen.len(), 400);
    for seen in seen {
        assert_eq!(seen.user, seen.current);
        assert_eq!(id(seen.user.as_ref()), seen.metadata["x-user-id"].to_str().ok());
    }
}

#[tokio::test]
async fn only_the_methods_that_are_named_are_public() {
    for exempt in Kind::ALL {
        let probe = Probe::default();
        let server = probe.serve_with(edge().policy(public([exempt.path()]))).await;
        let channel = server.connect().await;

        for kind in Kind::ALL.into_iter().filter(|kind| *kind != exempt) {
            let case = format!("{kind:?} where {exempt:?} is public");
            assert_refused(call(kind, channel.clone(), &[]).await, MISSING, &probe, &case);
        }
        assert_eq!(call(exempt, channel, &[]).await.unwrap(), "", "{exempt:?}");
        assert_eq!(probe.take_one().user, None, "{exempt:?}");
    }
}

#[tokio::test]
async fn a_bad_credential_is_refused_where_authentication_is_optional_too() {
    let probe = Probe::default();
    let server = probe.serve_with(edge().policy(optional(Kind::paths()))).await;
    let channel = server.connect().await;

    for kind in Kind::ALL {
        let response = call(kind, channel.clone(), &[("authorization", "Bearer x.y.z")]).await;
        let expected = (Code::Unauthenticated, "TOKEN_INVALID");
        assert_refused(response, expected, &probe, &format!("{kind:?}"));
    }
}

#[tokio::test]
async fn the_method_lists_make_only_health_and_reflection_public() {
    let probe = Probe::default();
    let (_, health) = tonic_health::server::health_reporter();
    let shop = crate::sample::proto::FILE_DESCRIPTOR_SET;
    let reflection = || Reflection::configure().register_encoded_file_descriptor_set(shop);
    let v1 = reflection().build_v1().unwrap();
    let v1alpha = reflection().build_v1alpha().unwrap();
    let layer = edge().policy(public(HEALTH.iter().chain(REFLECTION)));
    let orders = OrderServiceServer::new(probe.clone());
    let server = TestServer::start(|incoming| {
        Server::builder()
            .layer(layer)
            .add_service(health)
            .add_service(v1)
            .add_service(v1alpha)
            .add_service(orders)
            .serve_with_incoming(incoming)
    })
    .await;
    let channel = server.connect().await;

    let mut health = HealthClient::new(channel.clone());
    health.check(HealthCheckRequest::default()).await.unwrap();
    let watch = health.watch(HealthCheckRequest::default()).await.unwrap();
    assert!(watch.into_inner().message().await.unwrap().is_some());
    for version in ["v1", "v1alpha"] {
        let services = services(channel.clone(), version).await;
        assert!(services.contains(&"shop.v1.OrderService".to_owned()), "{version}: {services:?}");
    }

    for kind in Kind::ALL {
        let response = call(kind, channel.clone(), &[]).await;
        assert_refused(response, MISSING, &probe, &format!("{kind:?}"));
    }
}

/// Returns the services that reflection lists. The messages of its two versions are the same.
async fn services(channel: Channel, version: &str) -> Vec<String> {
    let path = format!("/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo");
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let request = tonic::Request::new(tokio_stream::iter([request]));
    let codec = ProstCodec::<_, ServerReflectionResponse>::default();
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.unwrap();
    let response = client.streaming(request, path.parse().unwrap(), codec).await;
    let response = response.unwrap().into_inner().message().await.unwrap().unwrap();
    match response.message_response {
        Some(MessageResponse::ListServicesResponse(list)) => {
            list.service.into_iter().map(|service| service.name).collect()
        }
        other => panic!("{version}: {other:?}"),
    }
}

#[tokio::test]
async fn a_path_that_is_not_canonical_is_refused_even_for_a_public_method() {
    let calls = Arc::new(Mutex::new(0));
    let counter = Arc::clone(&calls);
    let handler = move |_: Request<Body>| {
        *counter.lock().unwrap() += 1;
        async { raw::ok().header("grpc-status", "0").body(Body::empty()).unwrap() }
    };
    let layer = edge().policy(public([raw::METHOD]));
    let server = TestServer::start(|incoming| {
        Server::builder()
            .layer(layer)
            .add_routes(raw::routes(handler))
            .serve_with_incoming(incoming)
    })
    .await;
    let channel = server.connect().await;
    let bearer = bearer("alice");
    let paths = [
        "/",
        "//",
        "///",
        "/shop.v1.OrderService",
        "/shop.v1.OrderService/",
        "/shop.v1.OrderService//CreateOrder",
        "//shop.v1.OrderService/CreateOrder",
        "/shop.v1.OrderService/CreateOrder/",
        "/shop.v1.OrderService/CreateOrder?",
        "/shop.v1.OrderService/CreateOrder?x",
        "/shop.v1.OrderService/%43reateOrder",
        "/shop.v1.OrderService/CreateOrder%00",
        "/shop.v1.OrderService%2FCreateOrder",
        "/shop%2Ev1.OrderService/CreateOrder",
        "/shop.v1.OrderService/CreateOrder;x",
        "/shop.v1.OrderService/./CreateOrder",
        "/x/../shop.v1.OrderService/CreateOrder",
        "/shop.v1.OrderService/Create.Order",
        "/shop.v1.OrderService/Create-Order",
        "/shop..v1.OrderService/CreateOrder",
        "/.shop.v1.OrderService/CreateOrder",
        "/shop.v1.OrderService./CreateOrder",
        "/shop.v1.OrderService/Create~Order",
        "/shop.v1.OrderService/CreateOrder%20",
        "/a/b/c",
        "*",
    ];

    for path in paths {
        for authorization in [None, Some(&bearer), Some(&"Bearer bad".to_owned())] {
            let case = format!("{path}, {}", authorization.map_or("anonymous", |value| value));
            let mut request = raw::post(path);
            if let Some(bearer) = authorization {
                request = request.header("authorization", bearer);
            }
            let response = raw::send(channel.clone(), request.body(Body::empty()).unwrap()).await;
            let status = response.status();
            assert_eq!(status.code(), Code::Unimplemented, "{case}: {response:?}");
            assert_eq!(reason(&status), "METHOD_PATH_INVALID", "{case}");
            assert_eq!(*calls.lock().unwrap(), 0, "{case}");
        }
    }

    let request = raw::post(raw::METHOD).body(Body::empty()).unwrap();
    assert_eq!(raw::send(channel, request).await.status().code(), Code::Ok);
    assert_eq!(*calls.lock().unwrap(), 1);
}

#[tokio::test]
async fn a_rejection_has_a_code_a_reason_and_a_challenge() {
    let probe = Probe::default();
    let server = probe.serve_with(edge()).await;
    let channel = server.connect().await;
    let token = |changes: Value| token::key().token(&token::claims_with(changes));
    let bearer = |token: String| format!("Bearer {token}");
    let good = bearer(token(json!({})));
    let expired = bearer(token(json!({ "exp": token::now() - 60 })));
    let other_audience = bearer(token(json!({ "aud": "elsewhere" })));
    let basic = "Basic YWxpY2U6c2VjcmV0";
    let cases = [
        ("none", vec![], "TOKEN_MISSING", "Bearer"),
        (
            "expired",
            vec![&*expired],
            "TOKEN_EXPIRED",
            r#"Bearer error="invalid_token", error_description="the token has expired""#,
        ),
        ("another's", vec![&*other_audience], "TOKEN_INVALID", r#"Bearer error="invalid_token""#),
        ("garbage", vec!["Bearer x"], "TOKEN_INVALID", r#"Bearer error="invalid_token""#),
        ("basic", vec![basic], "TOKEN_MALFORMED", r#"Bearer error="invalid_request""#),
        ("two", vec![&*good, &*good], "TOKEN_MALFORMED", r#"Bearer error="invalid_request""#),
    ];

    for (name, values, reason, challenge) in cases {
        let fields: Vec<_> = values.into_iter().map(|value| ("authorization", value)).collect();
        for kind in Kind::ALL {
            let case = format!("{name}, {kind:?}");
            let response = call(kind, channel.clone(), &fields).await;
            let found = response.as_ref().unwrap_err().metadata().get("www-authenticate").cloned();
            assert_eq!(found.expect(&case), challenge, "{case}");
            assert_refused(response, (Code::Unauthenticated, reason), &probe, &case);
        }
    }
}

#[tokio::test]
async fn a_single_service_can_be_wrapped() {
    let probe = Probe::default();
    let orders = edge().layer(OrderServiceServer::new(probe.clone()));
    let (_, health) = tonic_health::server::health_reporter();
    let server = TestServer::start(|incoming| {
        Server::builder().add_service(orders).add_service(health).serve_with_incoming(incoming)
    })
    .await;
    let channel = server.connect().await;
    let bearer = bearer("alice");

    for kind in Kind::ALL {
        let case = format!("{kind:?}");
        assert_refused(call(kind, channel.clone(), &[]).await, MISSING, &probe, &case);
        let user = call(kind, channel.clone(), &[("authorization", &bearer)]).await;
        assert_eq!(user.unwrap(), "alice", "{case}");
        probe.take_one();
    }
    // The service beside it has no layer.
    HealthClient::new(channel).check(HealthCheckRequest::default()).await.unwrap();
}

#[tokio::test]
async fn a_context_in_the_request_extensions_is_removed() {
    let mallory = UserContext::builder(forged::VALUE).build().unwrap();
    let plant = MapRequestLayer::new(move |mut request: Request<Body>| {
        request.extensions_mut().insert(mallory.clone());
        request
    });
    let probe = Probe::default();
    let service = OrderServiceServer::new(probe.clone());
    let server = TestServer::start(|incoming| {
        Server::builder()
            .layer(plant)
            .layer(edge().policy(optional(Kind::paths())))
            .add_service(service)
            .serve_with_incoming(incoming)
    })
    .await;
    let channel = server.connect().await;
    let bearer = bearer("alice");

    for kind in Kind::ALL {
        for (fields, expected) in [(&[][..], None), (&[("authorization", &*bearer)], Some("alice"))]
        {
            call(kind, channel.clone(), fields).await.unwrap();
            let seen = probe.take_one();
            assert_eq!(id(seen.user.as_ref()), expected, "{kind:?}");
            assert_eq!(id(seen.current.as_ref()), expected, "{kind:?}");
        }
    }
}

/// A server may run in a task with a current user, for instance in a test. Its handlers must not
/// see that user.
#[tokio::test]
async fn an_anonymous_call_hides_the_scope_of_the_surrounding_task() {
    let within = || id(UserContext::current().as_ref()).unwrap_or("anonymous").to_owned();
    let handler = tower::service_fn(move |_: Request<Body>| {
        let called = within();
        async move {
            let running = within();
            let polled = tokio_stream::once(()).map(move |()| Frame::data(within().into()));
            let body = raw::stream(polled);
            let response = Response::builder().header("called", called).header("running", running);
            Ok::<_, Infallible>(response.body(body).unwrap())
        }
    });
    let layer = ServerLayer::new(ForwardedContext::trust_private_network());
    let service = layer.policy(optional([raw::METHOD])).layer(handler);

    for (caller, expected) in [(None, "anonymous"), (Some("alice"), "alice")] {
        let mut request = raw::post(raw::METHOD);
        if let Some(caller) = caller {
            request = request.header("x-user-id", caller);
        }
        let request = request.body(Body::empty()).unwrap();
        let around = UserContext::builder("around").build().unwrap();
        let service = service.clone();
        let (parts, body) = around
            .scope(async move {
                let (parts, body) = service.oneshot(request).await.unwrap().into_parts();
                (parts, body.collect().await.unwrap().to_bytes())
            })
            .await;
        assert_eq!(parts.headers["called"], expected, "{caller:?}");
        assert_eq!(parts.headers["running"], expected, "{caller:?}");
        assert_eq!(body, expected, "{caller:?}");
    }
}

// Single-threaded, because the subscriber is thread-local.
#[tokio::test(flavor = "current_thread")]
async fn the_log_has_the_reason_of_a_rejection_and_never_the_token() {
    let log = Log::start("tonic_passport=trace");
    let probe = Probe::default();
    let verifier = token::verifier().max_token_size(1024);
    let server = probe.serve_with(ServerLayer::new(JwtAuthenticator::new(verifier))).await;
    let internal = ServerLayer::new(ForwardedContext::trust_private_network());
    let internal = probe.serve_with(internal).await;
    let (edge, internal) = (server.connect().await, internal.connect().await);

    let token = |changes: Value| token::key().token(&token::claims_with(changes));
    let good = token(json!({}));
    let (message, _) = good.rsplit_once('.').unwrap();
    let cases = [
        ("expired", &edge, token(json!({ "exp": 1 })), "the token has expired"),
        ("another issuer's", &edge, token(json!({ "iss": "https://x" })), "the issuer"),
        ("another audience's", &edge, token(json!({ "aud": "x" })), "aud does not contain"),
        (
            "another's signature",
            &edge,
            format!("{message}.{}", "A".repeat(86)),
            "signature is invalid",
        ),
        ("cut", &edge, message.to_owned(), "not a compact JWS"),
        ("not a token", &edge, "hunter2hunter2".to_owned(), "not a compact JWS"),
        ("with a comma", &edge, format!("{good},"), "exactly one token"),
        ("too large", &edge, format!("{good}{}", "A".repeat(1024)), "1024 bytes"),
        ("at an internal service", &internal, good.clone(), "no user context"),
    ];

    for (case, channel, token, cause) in cases {
        let authorization = format!("Bearer {token}");
        let fields = [("authorization", &*authorization), ("txn-token", &token)];
        let status = call(Kind::Unary, channel.clone(), &fields).await.unwrap_err();
        let log = log.take();
        assert!(log.contains("request rejected"), "{case}: {log}");
        assert!(log.contains(Kind::Unary.path()), "{case}: {log}");
        assert!(log.contains(cause), "{case}: {log}");
        for part in token.split('.') {
            assert!(!log.contains(part), "{case}: {part} in {log}");
            assert!(!format!("{status:?}").contains(part), "{case}: {part} in {status:?}");
        }
    }

    let bearer = format!("Bearer {good}");
    let fields = [("authorization", &*bearer), ("x-user-id", &good), ("txn-token", &good)];
    call(Kind::Unary, edge, &fields).await.unwrap();
    let log = log.take();
    assert!(log.contains("identity metadata from a client"), "{log}");
    for part in good.split('.') {
        assert!(!log.contains(part), "{part} in {log}");
    }
}

/// A body that records the current user when it is polled and dropped.
struct Watched(Arc<Mutex<Vec<Note>>>);

/// The operations on a body, each with the current user.
type Note = (&'static str, Option<String>);

impl Watched {
    fn note(&self, what: &'static str) {
        let user = UserContext::current().map(|user| user.id().to_owned());
        self.0.lock().unwrap().push((what, user));
    }
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.note("polled");
        Poll::Pending
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.note("dropped");
    }
}

#[tokio::test]
async fn a_response_body_is_polled_and_dropped_as_its_caller() {
    let notes = Arc::new(Mutex::new(Vec::new()));
    let body = Arc::clone(&notes);
    let handler = tower::service_fn(move |_: Request<Body>| {
        let body = Watched(Arc::clone(&body));
        async move { Ok::<_, Infallible>(Response::new(body)) }
    });
    let layer = ServerLayer::new(ForwardedContext::trust_private_network());
    let request = raw::post(raw::METHOD).header("x-user-id", "bob").body(Body::empty()).unwrap();

    let around = UserContext::builder("alice").build().unwrap();
    around
        .scope(async {
            let mut response = layer.layer(handler).oneshot(request).await.unwrap();
            let frame = std::future::poll_fn(|cx| {
                Poll::Ready(http_body::Body::poll_frame(Pin::new(response.body_mut()), cx))
            });
            assert!(frame.await.is_pending());
            drop(response);
            assert_eq!(id(UserContext::current().as_ref()), Some("alice"));
        })
        .await;
    let bob = Some("bob".to_owned());
    assert_eq!(*notes.lock().unwrap(), [("polled", bob.clone()), ("dropped", bob)]);
}
