//! The server interceptor: authentication and identity metadata of a single service.

use tonic::Code;
use tonic::transport::Server;
use tonic_passport::{Authenticator, ForwardedContext, JwtAuthenticator, ServerInterceptor};

use crate::support::probe::{Kind, Probe, call};
use crate::support::server::TestServer;
use crate::support::shop::order_service_server::OrderServiceServer;
use crate::support::{assert_refused, forged, token};

async fn serve<A: Authenticator>(probe: &Probe, authenticator: A) -> TestServer {
    let interceptor = ServerInterceptor::new(authenticator);
    let service = OrderServiceServer::with_interceptor(probe.clone(), interceptor);
    TestServer::start(|incoming| {
        Server::builder().add_service(service).serve_with_incoming(incoming)
    })
    .await
}

#[tokio::test]
async fn the_handler_sees_the_tokens_identity_and_no_forged_one() {
    let probe = Probe::default();
    let server = serve(&probe, JwtAuthenticator::new(token::verifier())).await;
    let channel = server.connect().await;
    let bearer = format!("Bearer {}", token::good("alice"));
    let names = forged::names();
    let fields = forged::around(&names, &[("authorization", &bearer), ("x-request-id", "r-1")]);
    let expected = [
        ("x-user-id", "alice"),
        ("x-user-email", "alice@example.com"),
        ("x-user-roles", "buyer"),
        ("x-user-permissions", "orders:create,orders:read"),
    ];

    for kind in Kind::ALL {
        let case = format!("{kind:?}");
        call(kind, channel.clone(), &fields).await.expect(&case);
        let seen = probe.take_one();
        forged::assert_none(&seen.metadata, &case);
        forged::assert_context(&seen.metadata, &expected, &case);
        assert!(!seen.metadata.contains_key("authorization"), "{case}");
        assert_eq!(seen.metadata["x-request-id"], "r-1", "{case}");
        assert_eq!(seen.user.unwrap().id(), "alice", "{case}");
    }
}

#[tokio::test]
async fn a_call_without_a_good_token_is_refused() {
    let probe = Probe::default();
    let server = serve(&probe, JwtAuthenticator::new(token::verifier())).await;
    let channel = server.connect().await;
    let good = format!("Bearer {}", token::good("alice"));
    let cases = [
        ("none", vec![], "TOKEN_MISSING"),
        ("forged context only", vec![("x-user-id", "alice")], "TOKEN_MISSING"),
        ("alias only", vec![("authorization_", &*good)], "TOKEN_MISSING"),
        ("garbage", vec![("authorization", "Bearer x")], "TOKEN_INVALID"),
        ("basic", vec![("authorization", "Basic x")], "TOKEN_MALFORMED"),
        ("two", vec![("authorization", &*good), ("authorization", &*good)], "TOKEN_MALFORMED"),
    ];

    for (name, fields, reason) in cases {
        for kind in Kind::ALL {
            let response = call(kind, channel.clone(), &fields).await;
            let case = format!("{name}, {kind:?}");
            assert_refused(response, (Code::Unauthenticated, reason), &probe, &case);
        }
    }
}

#[tokio::test]
async fn a_strict_interceptor_refuses_forged_identity() {
    let probe = Probe::default();
    let strict = JwtAuthenticator::new(token::verifier()).reject_forged_metadata();
    let server = serve(&probe, strict).await;
    let channel = server.connect().await;
    let bearer = format!("Bearer {}", token::good("alice"));

    for name in ["x-user-id", "x_user_id", "x-user-roles-bin", "txn-token", "txn.token"] {
        for kind in Kind::ALL {
            let fields = [("authorization", bearer.as_str()), (name, "bob")];
            let response = call(kind, channel.clone(), &fields).await;
            let expected = (Code::Unauthenticated, "CONTEXT_INVALID");
            assert_refused(response, expected, &probe, &format!("{name}, {kind:?}"));
        }
    }
}

#[tokio::test]
async fn a_forwarded_context_reaches_the_handler_and_credentials_do_not() {
    let probe = Probe::default();
    let server = serve(&probe, ForwardedContext::trust_private_network()).await;
    let channel = server.connect().await;
    let context = [("x-user-id", "alice"), ("x-user-tenant", "acme")];
    let credentials = ["authorization", "proxy-authorization", "txn-token"].map(str::to_owned);

    for kind in Kind::ALL {
        let case = format!("{kind:?}");
        let fields = forged::around(&credentials, &context);
        call(kind, channel.clone(), &fields).await.expect(&case);
        let seen = probe.take_one();
        forged::assert_none(&seen.metadata, &case);
        forged::assert_context(&seen.metadata, &context, &case);
        assert_eq!(seen.user.unwrap().attribute("tenant"), Some("acme"), "{case}");
    }
}

#[tokio::test]
async fn a_bad_forwarded_context_is_refused() {
    let probe = Probe::default();
    let server = serve(&probe, ForwardedContext::trust_private_network()).await;
    let channel = server.connect().await;
    let id = ("x-user-id", "alice");
    let large = "r".repeat(4096);
    let invalid = (Code::Unauthenticated, "CONTEXT_INVALID");
    let cases = [
        ("none", vec![], (Code::Unauthenticated, "CONTEXT_MISSING")),
        ("repeated", vec![id, id], invalid),
        ("aliased", vec![id, ("x_user_id", "bob")], invalid),
        ("malformed", vec![id, ("x-user-roles", "a,,b")], invalid),
        ("no id", vec![("x-user-roles", "admin")], invalid),
        (
            "too large",
            vec![id, ("x-user-roles", &*large)],
            (Code::ResourceExhausted, "CONTEXT_TOO_LARGE"),
        ),
    ];

    for (name, fields, expected) in cases {
        for kind in Kind::ALL {
            let response = call(kind, channel.clone(), &fields).await;
            assert_refused(response, expected, &probe, &format!("{name}, {kind:?}"));
        }
    }
}
