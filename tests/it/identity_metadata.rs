//! A handler receives identity from its server layer only, and none that a client has forged.

use std::sync::{Arc, Mutex};

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body::Frame;
use serde_json::{Value, json};
use tonic::Code;
use tonic::body::Body;
use tonic::transport::Server;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_passport::authenticate::{CredentialField, LookupAuthenticator};
use tonic_passport::jwt::{ClaimMapping, Verifier};
use tonic_passport::policy::{HEALTH, REFLECTION};
use tonic_passport::{ForwardedContext, JwtAuthenticator, ServerLayer, UserContext};
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tower::util::MapRequestLayer;

use crate::support::probe::{Kind, Probe, call, with};
use crate::support::rules::{optional, public};
use crate::support::server::TestServer;
use crate::support::{assert_refused, forged, raw, token};

const INVALID: (Code, &str) = (Code::Unauthenticated, "CONTEXT_INVALID");

/// An edge where anonymous callers may call everything too.
fn edge() -> ServerLayer<JwtAuthenticator> {
    ServerLayer::new(bearer_token()).policy(optional(Kind::paths()))
}

fn bearer_token() -> JwtAuthenticator {
    let claims = ClaimMapping::default().attribute("tenant", "tenant");
    JwtAuthenticator::new(Verifier::new([token::issuer().claims(claims)]).unwrap())
}

fn bearer(changes: Value) -> String {
    format!("Bearer {}", token::key().token(&token::claims_with(changes)))
}

fn internal() -> ServerLayer<ForwardedContext> {
    ServerLayer::new(ForwardedContext::trust_private_network())
}

#[tokio::test]
async fn the_edge_replaces_every_spelling_of_forged_identity_by_the_claims_of_the_token() {
    let probe = Probe::default();
    let server = probe.serve_with(edge()).await;
    let channel = server.connect().await;
    let names = forged::names();
    let subject_only = bearer(json!({ "email": null, "roles": null, "permissions": null }));
    let everything = bearer(json!({ "tenant": "acme" }));
    let all_claims = [
        ("x-user-id", "alice"),
        ("x-user-email", "alice@example.com"),
        ("x-user-roles", "buyer"),
        ("x-user-permissions", "orders:create,orders:read"),
        ("x-user-tenant", "acme"),
    ];
    let callers = [
        ("anonymous", None, &[][..]),
        ("subject only", Some(subject_only.as_str()), &all_claims[..1]),
        ("all claims", Some(&everything), &all_claims),
    ];

    for (caller, bearer, expected) in callers {
        for kind in Kind::ALL {
            let case = format!("{caller}, {kind:?}");
            let mut genuine = vec![("x-request-id", "r-1")];
            genuine.extend(bearer.map(|value| ("authorization", value)));
            let fields = forged::around(&names, &genuine);

            let user = call(kind, channel.clone(), &fields).await.expect(&case);
            let id = if bearer.is_some() { "alice" } else { "" };
            assert_eq!(user, id, "{case}");
            let seen = probe.take_one();
            forged::assert_none(&seen.metadata, &case);
            forged::assert_context(&seen.metadata, expected, &case);
            assert!(!seen.metadata.contains_key("authorization"), "{case}");
            assert_eq!(seen.metadata["x-request-id"], "r-1", "{case}");
            assert_eq!(seen.user.is_some(), bearer.is_some(), "{case}");
        }
    }
}

#[tokio::test]
async fn forged_metadata_of_a_claim_that_the_token_lacks_is_stripped() {
    let probe = Probe::default();
    let server = probe.serve_with(edge()).await;
    let channel = server.connect().await;
    let cases = [
        ("x-user-email", "email", Value::Null),
        ("x-user-roles", "roles", Value::Null),
        ("x-user-roles", "roles", json!([])),
        ("x-user-permissions", "permissions", Value::Null),
        ("x-user-permissions", "permissions", json!([])),
        ("x-user-tenant", "tenant", Value::Null),
    ];

    for (name, claim, lacking) in cases {
        let mut claims = token::claims_with(json!({ "tenant": "acme" }));
        claims[claim] = lacking;
        let bearer = format!("Bearer {}", token::key().token(&claims));
        for kind in Kind::ALL {
            let case = format!("{name}, {} in the token, {kind:?}", claims[claim]);
            let fields = [(name, forged::VALUE), ("authorization", &bearer)];
            call(kind, channel.clone(), &fields).await.expect(&case);
            assert!(!probe.take_one().metadata.contains_key(name), "{case}");
        }
    }
}

#[tokio::test]
async fn forged_values_of_every_form_are_stripped() {
    let probe = Probe::default();
    let server = probe.serve_with(edge()).await;
    let channel = server.connect().await;
    let long = "a".repeat(4096);
    let values = [
        "admin",
        "a,admin",
        "a%2Cadmin",
        "%252C",
        "%",
        "%00",
        "%0d%0a",
        "",
        " admin ",
        "\tadmin",
        "аdmin",
        "\u{202e}nimda",
        "🦀",
        &long,
    ];

    for value in values {
        for name in ["x-user-roles", "x_user_roles", "x-user-roles-bin"] {
            let case = format!("{name}: {value:?}");
            call(Kind::Unary, channel.clone(), &[(name, value)]).await.expect(&case);
            let seen = probe.take_one();
            assert!(!seen.metadata.contains_key(name), "{case}");
            forged::assert_context(&seen.metadata, &[], &case);
        }
    }
}

#[tokio::test]
async fn a_role_that_looks_like_a_list_stays_a_single_one() {
    let (edge_probe, inner_probe) = (Probe::default(), Probe::default());
    let edge = edge_probe.serve_with(ServerLayer::new(bearer_token())).await;
    let inner = inner_probe.serve_with(internal()).await;
    let (edge, inner) = (edge.connect().await, inner.connect().await);
    let roles = [
        "a,admin",
        "a%2Cadmin",
        "a%252Cadmin",
        "%2C",
        "%",
        ",",
        " admin",
        "admin ",
        "a b",
        "Zürich",
        "Zu\u{308}rich",
        "аdmin",
        "\u{202e}nimda",
        "👩\u{200d}🚀",
    ];

    for role in roles {
        let bearer = bearer(json!({ "roles": [role] }));
        call(Kind::Unary, edge.clone(), &[("authorization", &bearer)]).await.expect(role);
        let first = edge_probe.take_one();

        // The same fields, sent over another connection.
        let fields: Vec<_> = first
            .metadata
            .iter()
            .filter(|(name, _)| name.as_str().starts_with("x-user-"))
            .map(|(name, value)| (name.as_str(), value.to_str().expect(role)))
            .collect();
        call(Kind::Unary, inner.clone(), &fields).await.expect(role);

        for seen in [first, inner_probe.take_one()] {
            let user = seen.user.expect(role);
            assert!(user.roles().eq([role]), "{role:?}");
            assert!(!user.has_role("admin"), "{role:?}");
        }
    }
}

#[tokio::test]
async fn forged_identity_reaches_neither_health_nor_reflection() {
    let seen: Arc<Mutex<Vec<HeaderMap>>> = Arc::default();
    let recorder = Arc::clone(&seen);
    let recorder = MapRequestLayer::new(move |request: Request<Body>| {
        recorder.lock().unwrap().push(request.headers().clone());
        request
    });
    let layer = ServerLayer::new(bearer_token()).policy(public(HEALTH.iter().chain(REFLECTION)));
    let (_, health) = tonic_health::server::health_reporter();
    let reflection = tonic_reflection::server::Builder::configure().build_v1().unwrap();
    let server = TestServer::start(|incoming| {
        Server::builder()
            .layer(layer)
            .layer(recorder)
            .add_service(health)
            .add_service(reflection)
            .serve_with_incoming(incoming)
    })
    .await;
    let channel = server.connect().await;
    let names = forged::names();
    let fields = forged::around(&names, &[("x-request-id", "r-1")]);

    let check = with(&fields, HealthCheckRequest::default());
    HealthClient::new(channel.clone()).check(check).await.unwrap();
    let list = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let list = with(&fields, tokio_stream::iter([list]));
    let responses =
        ServerReflectionClient::new(channel).server_reflection_info(list).await.unwrap();
    assert!(responses.into_inner().message().await.unwrap().is_some());

    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 2);
    for (service, fields) in ["health", "reflection"].into_iter().zip(&*seen) {
        forged::assert_none(fields, service);
        forged::assert_context(fields, &[], service);
        assert_eq!(fields["x-request-id"], "r-1", "{service}");
    }
}

#[tokio::test]
async fn identity_in_request_trailers_never_reaches_the_handler() {
    const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
    const KEY_NAMES: [HeaderName; 2] = [API_KEY, HeaderName::from_static("x_api_key")];
    let probe = Probe::default();
    let token = bearer(json!({}));
    let forwarded = ServerLayer::new(ForwardedContext::trust_private_network());
    let edge = probe.serve_with(edge()).await;
    let internal = probe.serve_with(forwarded).await;
    let by_key = LookupAuthenticator::new(CredentialField::new(API_KEY), |key: String| async {
        Ok(UserContext::builder(key).build()?)
    });
    let by_key = probe.serve_with(ServerLayer::new(by_key)).await;
    let callers = [
        ("edge, anonymous", &edge, None),
        ("edge, token", &edge, Some(("authorization", token.as_str()))),
        ("internal", &internal, Some(("x-user-id", "alice"))),
        ("api key", &by_key, Some(("x-api-key", "3f8c"))),
    ];
    let mut trailers = HeaderMap::new();
    for name in forged::names() {
        let name: HeaderName = name.parse().unwrap();
        trailers.append(&name, HeaderValue::from_static(forged::VALUE));
        trailers.append(name, HeaderValue::from_static(forged::VALUE));
    }
    trailers.insert("authorization", HeaderValue::from_static(forged::VALUE));
    trailers.insert("x-passport-one-hop", HeaderValue::from_static("x-tenant"));
    trailers.insert("x-checksum", HeaderValue::from_static("c-1"));

    for (case, server, credential) in callers {
        let mut trailers = trailers.clone();
        if case == "api key" {
            trailers.extend(KEY_NAMES.map(|name| (name, HeaderValue::from_static("3f8c"))));
        }
        let mut request = raw::post(Kind::ClientStreaming.path());
        if let Some((name, value)) = credential {
            request = request.header(name, value);
        }
        let request = request.body(raw::message_and(&[], trailers.clone())).unwrap();
        let response = raw::send(server.connect().await, request).await;
        assert_eq!(response.status().code(), Code::Ok, "{case}: {response:?}");

        let seen = probe.take_one();
        assert_eq!(seen.trailers.len(), 1, "{case}: {:?}", seen.trailers);
        assert_eq!(seen.trailers["x-checksum"], "c-1", "{case}");
    }
}

#[tokio::test]
async fn a_strict_edge_refuses_forged_identity_in_every_spelling() {
    let probe = Probe::default();
    let layer = ServerLayer::new(bearer_token().reject_forged_metadata());
    let server = probe.serve_with(layer.policy(optional(Kind::paths()))).await;
    let channel = server.connect().await;
    let token = bearer(json!({}));

    for name in forged::names().iter().filter(|name| !is_credential(name)) {
        for kind in Kind::ALL {
            let genuine = ("authorization", token.as_str());
            for fields in [&[(name.as_str(), "")][..], &[genuine, (name, "bob")]] {
                let case = format!("{name}, {kind:?}, {} fields", fields.len());
                let response = call(kind, channel.clone(), fields).await;
                assert_refused(response, INVALID, &probe, &case);
            }
        }
    }
}

/// Credentials for a proxy, and aliases of `authorization`, are not evidence of an attack: they are
/// stripped, and the call continues.
#[tokio::test]
async fn a_strict_edge_drops_other_credentials() {
    let probe = Probe::default();
    let server = probe.serve_with(ServerLayer::new(bearer_token().reject_forged_metadata())).await;
    let channel = server.connect().await;
    let token = bearer(json!({}));
    let names: Vec<String> =
        forged::names().into_iter().filter(|name| is_credential(name)).collect();

    for kind in Kind::ALL {
        let case = format!("{kind:?}");
        let fields = forged::around(&names, &[("authorization", &token)]);
        call(kind, channel.clone(), &fields).await.expect(&case);
        forged::assert_none(&probe.take_one().metadata, &case);
    }
}

fn is_credential(name: &str) -> bool {
    name.contains("authorization")
}

#[tokio::test]
async fn identity_in_responses_never_reaches_the_client() {
    fn fields(status: Option<&'static str>) -> HeaderMap {
        let mut fields = HeaderMap::new();
        for name in forged::names() {
            fields.append(
                name.parse::<HeaderName>().unwrap(),
                HeaderValue::from_static(forged::VALUE),
            );
        }
        fields.insert("authorization", HeaderValue::from_static(forged::VALUE));
        fields.insert("x-request-id", HeaderValue::from_static("r-1"));
        fields.insert("x-trace-bin", HeaderValue::from_static("AAEC"));
        fields.extend(status.map(|status| {
            (HeaderName::from_static("grpc-status"), HeaderValue::from_static(status))
        }));
        fields
    }
    let response = |request: Request<Body>| async move {
        let (headers, body) = match request.headers()["x-shape"].as_bytes() {
            b"message" => (fields(None), raw::message_and(b"x", fields(Some("0")))),
            b"broken stream" => (fields(None), raw::message_and(b"x", fields(Some("13")))),
            b"no message" => {
                let frames = tokio_stream::once(Frame::trailers(fields(Some("5"))));
                (fields(None), raw::stream(frames))
            }
            _ => (fields(Some("7")), Body::empty()),
        };
        let (mut parts, body) = Response::new(body).into_parts();
        parts.headers = headers;
        parts.headers.insert("content-type", HeaderValue::from_static("application/grpc"));
        Response::from_parts(parts, body)
    };
    let server = TestServer::start(|incoming| {
        Server::builder()
            .layer(edge())
            .add_routes(raw::routes(response))
            .serve_with_incoming(incoming)
    })
    .await;
    let channel = server.connect().await;
    let shapes = [
        ("message", Code::Ok),
        ("broken stream", Code::Internal),
        ("no message", Code::NotFound),
        ("error", Code::PermissionDenied),
    ];

    for (shape, code) in shapes {
        let request = raw::post(raw::METHOD).header("x-shape", shape).body(Body::empty()).unwrap();
        let response = raw::send(channel.clone(), request).await;
        assert_eq!(response.status().code(), code, "{shape}");
        for fields in [&response.headers, &response.trailers] {
            forged::assert_none(fields, shape);
        }
        let mut kept = vec![&response.headers];
        kept.extend((shape != "error").then_some(&response.trailers));
        for fields in kept {
            assert_eq!(fields["x-request-id"], "r-1", "{shape}");
            assert_eq!(fields["x-trace-bin"], "AAEC", "{shape}");
        }
    }
}

#[tokio::test]
async fn an_internal_service_refuses_a_repeated_key() {
    let probe = Probe::default();
    let server = probe.serve_with(internal().policy(optional(Kind::paths()))).await;
    let channel = server.connect().await;

    for name in forged::CONTEXT {
        for (which, values) in [("same", ["u-1", "u-1"]), ("different", ["u-1", "u-2"])] {
            for kind in Kind::ALL {
                let case = format!("{name}, {which} values, {kind:?}");
                let mut fields = vec![(name, values[0]), (name, values[1])];
                if name != "x-user-id" {
                    fields.insert(1, ("x-user-id", "alice"));
                }
                let response = call(kind, channel.clone(), &fields).await;
                assert_refused(response, INVALID, &probe, &case);
            }
        }
    }
}

#[tokio::test]
async fn an_internal_service_refuses_an_aliased_key() {
    let probe = Probe::default();
    let server = probe.serve_with(internal().policy(optional(Kind::paths()))).await;
    let channel = server.connect().await;
    let mut aliases: Vec<String> =
        forged::CONTEXT.into_iter().flat_map(forged::aliases_of).collect();
    // `x-user-te-nant` alone is a valid attribute; next to `x-user-tenant` it is an alias.
    aliases
        .extend(["x-user", "xuser", "x-user-", "x-user-i-d", "x-user-te-nant"].map(str::to_owned));

    for alias in &aliases {
        for kind in Kind::ALL {
            let genuine = [("x-user-id", "alice"), ("x-user-tenant", "acme")];
            let after = [genuine[0], genuine[1], (alias, "bob")];
            let before = [(alias.as_str(), "bob"), genuine[0], genuine[1]];
            for (place, fields) in [("after", after), ("before", before)] {
                let case = format!("{alias} {place} the genuine ones, {kind:?}");
                let response = call(kind, channel.clone(), &fields).await;
                assert_refused(response, INVALID, &probe, &case);
            }
        }
    }
}

#[tokio::test]
async fn an_internal_service_refuses_malformed_values() {
    let probe = Probe::default();
    let server = probe.serve_with(internal().policy(optional(Kind::paths()))).await;
    let channel = server.connect().await;
    let everywhere = [
        "",
        "%",
        "%4",
        "%zz",
        "a%",
        "%ff",
        "%c3",
        "%ed%a0%80",
        "%00",
        "%0d%0a",
        "%7f",
        "%C2%85",
        "Zürich",
        "a\tb",
    ];
    let lists = [",", "a,", ",a", "a,,b"];
    let mut cases: Vec<(&str, &str)> = Vec::new();
    for name in forged::CONTEXT {
        cases.extend(everywhere.map(|value| (name, value)));
    }
    for name in ["x-user-roles", "x-user-permissions"] {
        cases.extend(lists.map(|value| (name, value)));
    }

    for (name, value) in cases {
        for kind in Kind::ALL {
            let case = format!("{name}: {value:?}, {kind:?}");
            let mut fields = vec![(name, value)];
            if name != "x-user-id" {
                fields.push(("x-user-id", "alice"));
            }
            let response = call(kind, channel.clone(), &fields).await;
            assert_refused(response, INVALID, &probe, &case);
        }
    }
}

#[tokio::test]
async fn an_internal_service_refuses_a_context_without_an_id() {
    let probe = Probe::default();
    let server = probe.serve_with(internal().policy(optional(Kind::paths()))).await;
    let channel = server.connect().await;

    for name in &forged::CONTEXT[1..] {
        for kind in Kind::ALL {
            let response = call(kind, channel.clone(), &[(name, "admin")]).await;
            assert_refused(response, INVALID, &probe, &format!("{name}, {kind:?}"));
        }
    }
}

#[tokio::test]
async fn an_internal_service_refuses_a_call_without_a_context() {
    let probe = Probe::default();
    let server = probe.serve_with(internal()).await;
    let channel = server.connect().await;
    let token = bearer(json!({}));

    for fields in [&[][..], &[("authorization", token.as_str())], &[("txn-token", &token)]] {
        for kind in Kind::ALL {
            let case = format!("{:?}, {kind:?}", fields.first().map(|(name, _)| name));
            let response = call(kind, channel.clone(), fields).await;
            assert_refused(response, (Code::Unauthenticated, "CONTEXT_MISSING"), &probe, &case);
        }
    }
}

#[tokio::test]
async fn an_internal_service_strips_credentials_before_its_handler() {
    let probe = Probe::default();
    let server = probe.serve_with(internal()).await;
    let channel = server.connect().await;
    let context = [("x-user-id", "alice"), ("x-user-roles", "buyer"), ("x-user-id-2", "al")];
    let mut credentials = vec!["authorization", "proxy-authorization", "txn-token"]
        .into_iter()
        .flat_map(|name| [vec![name.to_owned()], forged::aliases_of(name)].concat())
        .collect::<Vec<_>>();
    credentials.extend(["authorization-2", "txn-token-2"].map(str::to_owned));

    for kind in Kind::ALL {
        let case = format!("{kind:?}");
        let fields = forged::around(&credentials, &context);
        let user = call(kind, channel.clone(), &fields).await.expect(&case);
        assert_eq!(user, "alice", "{case}");
        let seen = probe.take_one();
        forged::assert_none(&seen.metadata, &case);
        forged::assert_context(&seen.metadata, &context, &case);
    }
}

#[tokio::test]
async fn a_context_over_the_maximum_size_is_refused_until_the_maximum_is_raised() {
    let roomy = ForwardedContext::trust_private_network().max_context_size(8 * 1024);
    let probe = Probe::default();
    let server = probe.serve_with(internal()).await;
    let roomy = probe.serve_with(ServerLayer::new(roomy)).await;
    let (channel, roomy) = (server.connect().await, roomy.connect().await);
    // Name, value and 32 for each of two keys: exactly the maximum size, and a byte more.
    let rest = UserContext::DEFAULT_MAX_SIZE - "x-user-idalicex-user-roles".len() - 2 * 32;
    let (largest, larger) = ("r".repeat(rest), "r".repeat(rest + 1));

    for kind in Kind::ALL {
        let case = format!("{kind:?}");
        let too_large = [("x-user-id", "alice"), ("x-user-roles", &larger)];
        let response = call(kind, channel.clone(), &too_large).await;
        let expected = (Code::ResourceExhausted, "CONTEXT_TOO_LARGE");
        assert_refused(response, expected, &probe, &case);

        call(kind, roomy.clone(), &too_large).await.expect(&case);
        assert!(probe.take_one().user.unwrap().roles().eq([larger.as_str()]), "{case}");

        let just_fits = [("x-user-id", "alice"), ("x-user-roles", &largest)];
        call(kind, channel.clone(), &just_fits).await.expect(&case);
        assert!(probe.take_one().user.unwrap().roles().eq([largest.as_str()]), "{case}");
    }
}

#[tokio::test]
async fn a_method_with_optional_authentication_accepts_anonymous_and_authenticated_callers() {
    let probe = Probe::default();
    let server = probe.serve_with(internal().policy(optional(Kind::paths()))).await;
    let channel = server.connect().await;

    for kind in Kind::ALL {
        assert_eq!(call(kind, channel.clone(), &[]).await.unwrap(), "", "{kind:?}");
        assert_eq!(probe.take_one().user, None, "{kind:?}");

        let user = call(kind, channel.clone(), &[("x-user-id", "alice")]).await;
        assert_eq!(user.unwrap(), "alice", "{kind:?}");
        assert_eq!(probe.take_one().user.unwrap().id(), "alice", "{kind:?}");
    }
}

#[tokio::test]
async fn a_public_method_receives_no_identity_of_its_caller() {
    let probe = Probe::default();
    let edge = ServerLayer::new(bearer_token()).policy(public(Kind::paths()));
    let edge = probe.serve_with(edge).await;
    let inside = probe.serve_with(internal().policy(public(Kind::paths()))).await;
    let token = bearer(json!({}));

    for server in [edge, inside] {
        let channel = server.connect().await;
        let genuine = [("authorization", token.as_str()), ("x-user-id", "alice")];
        let names = forged::names();
        let fields = forged::around(&names, &genuine);
        for kind in Kind::ALL {
            let case = format!("{kind:?}");
            assert_eq!(call(kind, channel.clone(), &fields).await.unwrap(), "", "{case}");
            let seen = probe.take_one();
            assert_eq!((seen.user, seen.current), (None, None), "{case}");
            forged::assert_none(&seen.metadata, &case);
            forged::assert_context(&seen.metadata, &[], &case);
        }
    }
}
