//! Propagation of the user: the client layer and the client interceptor require one by default.

use http_body::Frame;
use prost::Message;
use tokio_stream::StreamExt;
use tonic::Code;
use tonic::body::Body;
use tonic::transport::{Channel, Server};
use tonic_passport::{ClientInterceptor, ClientLayer, ForwardedContext, ServerLayer, UserContext};

use crate::support::clients::{BoxedClient, both};
use crate::support::probe::{Kind, Probe, call, call_as};
use crate::support::server::TestServer;
use crate::support::shop::Order;
use crate::support::{assert_refused, forged, raw, token};

const NOT_PROPAGATED: (Code, &str) = (Code::Internal, "CONTEXT_NOT_PROPAGATED");

type ChannelClient = BoxedClient<tonic::transport::Error>;

fn clients(channel: Channel) -> [(&'static str, ChannelClient); 2] {
    both(channel, &ClientLayer::new(), ClientInterceptor::new())
}

fn anonymous_clients(channel: Channel) -> [(&'static str, ChannelClient); 2] {
    let interceptor = ClientInterceptor::new().allow_anonymous();
    both(channel, &ClientLayer::new().allow_anonymous(), interceptor)
}

fn user(id: &str) -> UserContext {
    UserContext::builder(id).roles(["buyer", "a,b"]).attribute("tenant", "acme").build().unwrap()
}

fn fields_of(id: &str) -> [(&str, &str); 3] {
    [("x-user-id", id), ("x-user-roles", "buyer,a%2Cb"), ("x-user-tenant", "acme")]
}

#[tokio::test]
async fn the_current_user_is_propagated() {
    let probe = Probe::default();
    let server = probe.serve().await;

    for (middleware, channel) in clients(server.connect().await) {
        for kind in Kind::ALL {
            let case = format!("{middleware}, {kind:?}");
            user("alice").scope(call(kind, channel.clone(), &[])).await.expect(&case);
            forged::assert_context(&probe.take_one().metadata, &fields_of("alice"), &case);
        }
    }
}

#[tokio::test]
async fn a_user_in_the_requests_extensions_takes_precedence() {
    let probe = Probe::default();
    let server = probe.serve().await;

    for (middleware, channel) in clients(server.connect().await) {
        for kind in Kind::ALL {
            let case = format!("{middleware}, {kind:?}");
            let outside = call_as(kind, channel.clone(), &[], Some(user("bob")));
            outside.await.expect(&case);
            forged::assert_context(&probe.take_one().metadata, &fields_of("bob"), &case);

            let within = call_as(kind, channel.clone(), &[], Some(user("bob")));
            user("alice").scope(within).await.expect(&case);
            forged::assert_context(&probe.take_one().metadata, &fields_of("bob"), &case);
        }
    }
}

#[tokio::test]
async fn a_call_without_a_user_is_refused_and_nothing_is_sent() {
    let probe = Probe::default();
    let server = probe.serve().await;

    for (middleware, channel) in clients(server.connect().await) {
        for kind in Kind::ALL {
            let case = format!("{middleware}, {kind:?}");
            let response = call(kind, channel.clone(), &fields_of("mallory")).await;
            let message = response.as_ref().unwrap_err().message().to_owned();
            for remedy in ["UserContext::scope", "extensions", "allow anonymous"] {
                assert!(message.contains(remedy), "{case}: no {remedy:?} in {message:?}");
            }
            assert_refused(response, NOT_PROPAGATED, &probe, &case);
        }
    }
}

#[tokio::test]
async fn a_call_without_a_user_is_sent_if_anonymous_calls_are_allowed() {
    let probe = Probe::default();
    let server = probe.serve().await;

    for (middleware, channel) in anonymous_clients(server.connect().await) {
        for kind in Kind::ALL {
            let case = format!("{middleware}, {kind:?}");
            call(kind, channel.clone(), &[]).await.expect(&case);
            forged::assert_context(&probe.take_one().metadata, &[], &case);

            user("alice").scope(call(kind, channel.clone(), &[])).await.expect(&case);
            forged::assert_context(&probe.take_one().metadata, &fields_of("alice"), &case);
        }
    }
}

#[tokio::test]
async fn identity_copied_from_another_request_is_replaced() {
    let probe = Probe::default();
    let server = probe.serve().await;
    let names = forged::names();
    let bearer = format!("Bearer {}", token::good("alice"));
    let copied = forged::around(&names, &[("authorization", &bearer), ("x-request-id", "r-1")]);

    let strict = clients(server.connect().await)
        .map(|(middleware, channel)| (middleware, channel, Some("alice")));
    let lax = anonymous_clients(server.connect().await)
        .map(|(middleware, channel)| (middleware, channel, None));
    for (middleware, channel, id) in strict.into_iter().chain(lax) {
        for kind in Kind::ALL {
            let case = format!("{middleware}, {id:?}, {kind:?}");
            call_as(kind, channel.clone(), &copied, id.map(user)).await.expect(&case);
            let seen = probe.take_one().metadata;
            forged::assert_none(&seen, &case);
            forged::assert_context(&seen, id.map(fields_of).as_slice().as_flattened(), &case);
            assert!(!seen.contains_key("authorization"), "{case}");
            assert_eq!(seen["x-request-id"], "r-1", "{case}");
        }
    }
}

#[tokio::test]
async fn other_metadata_passes_unchanged() {
    let probe = Probe::default();
    let server = probe.serve().await;
    let fields = [
        ("x-request-id", "r-1"),
        ("x-trace-bin", "AAEC/w"),
        ("x-many", "1"),
        ("x-many", "2, 3"),
        ("user-id", "not ours"),
        ("x-percent", "%2C"),
    ];

    for (middleware, channel) in clients(server.connect().await) {
        for kind in Kind::ALL {
            let case = format!("{middleware}, {kind:?}");
            user("alice").scope(call(kind, channel.clone(), &fields)).await.expect(&case);
            let seen = probe.take_one().metadata;
            let passed: Vec<_> = ["x-request-id", "x-trace-bin", "x-many", "user-id", "x-percent"]
                .into_iter()
                .flat_map(|name| seen.get_all(name).iter().map(move |value| (name, value)))
                .map(|(name, value)| (name, value.to_str().unwrap()))
                .collect();
            assert_eq!(passed, fields, "{case}");
        }
    }
}

#[tokio::test]
async fn a_tokio_task_has_no_user_until_it_opens_a_scope() {
    let probe = Probe::default();
    let server = probe.serve().await;

    for (middleware, channel) in clients(server.connect().await) {
        for kind in Kind::ALL {
            let case = format!("{middleware}, {kind:?}");
            let client = channel.clone();
            let spawning =
                async { tokio::spawn(async move { call(kind, client, &[]).await }).await };
            let response = user("alice").scope(spawning).await.unwrap();
            assert_refused(response, NOT_PROPAGATED, &probe, &case);

            let kept = channel.clone();
            let spawning = async {
                let user = UserContext::current().unwrap();
                tokio::spawn(user.scope(async move { call(kind, kept, &[]).await })).await
            };
            user("alice").scope(spawning).await.unwrap().expect(&case);
            forged::assert_context(&probe.take_one().metadata, &fields_of("alice"), &case);
        }
    }
}

#[tokio::test]
async fn calls_from_handlers_and_their_response_streams_carry_the_caller() {
    let probe = Probe::default();
    let internal = || ServerLayer::new(ForwardedContext::trust_private_network());
    let behind = probe.serve_with(internal()).await;

    for (middleware, channel) in clients(behind.connect().await) {
        for kind in Kind::ALL {
            let case = format!("{middleware}, {kind:?}");
            // The handler makes a call, and its response body makes another when it is polled.
            let channel = channel.clone();
            let handler = move |_| {
                let channel = channel.clone();
                async move {
                    call(kind, channel.clone(), &[]).await.unwrap();
                    let polled = tokio_stream::once(()).then(move |()| {
                        let channel = channel.clone();
                        async move {
                            let created_by = call(kind, channel, &[]).await.unwrap();
                            let order = Order { created_by, ..Order::default() };
                            Frame::data(raw::message(&order.encode_to_vec()))
                        }
                    });
                    raw::ok().body(raw::stream(polled)).unwrap()
                }
            };
            let server = TestServer::start(|incoming| {
                Server::builder()
                    .layer(internal())
                    .add_routes(raw::routes(handler))
                    .serve_with_incoming(incoming)
            })
            .await;

            let request = raw::post(raw::METHOD).header("x-user-id", "alice");
            let request = request.body(Body::empty()).unwrap();
            let response = raw::send(server.connect().await, request).await;
            assert!(!response.data.is_empty(), "{case}: {response:?}");
            let order = Order::decode(&response.data[5..]).unwrap();
            assert_eq!(order.created_by, "alice", "{case}");
            let seen = probe.take_all();
            assert_eq!(seen.len(), 2, "{case}");
            for seen in seen {
                assert_eq!(seen.user.unwrap().id(), "alice", "{case}");
            }
        }
    }
}
