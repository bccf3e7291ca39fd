//! An adapter written in another crate against the inbound seam: a plain HTTP service, as the
//! examples have it.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tonic_passport::inbound::Inbound;
use tonic_passport::{
    Authenticator, CallContext, ForwardedContext, JwtAuthenticator, Policy, Rule, UserContext,
};

use crate::sample::http_adapter;
use crate::support::{forged, token};

const PATH: &str = "/shop.v1.OrderService/CreateOrder";

/// The longest wait for an event that does not happen if a test fails.
const PATIENCE: Duration = Duration::from_secs(10);

/// Starts a server with this handler behind the adapter.
async fn start<A, F, Fut>(inbound: Inbound<A>, handler: F) -> SocketAddr
where
    A: Authenticator,
    F: Fn(Request<Body>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Response<Body>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let inbound = Arc::new(inbound);
    let service = move |request: Request<Body>| {
        let (inbound, handler) = (Arc::clone(&inbound), handler.clone());
        async move { http_adapter::serve(&inbound, request, handler).await }
    };
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(service)).await });
    address
}

/// Responds with the user's id of the request, of the extensions, and of the scope.
async fn echo(request: Request<Body>) -> Response<Body> {
    forged::assert_none(request.headers(), "the handler's request");
    let id = |user: Option<&UserContext>| user.map(|user| user.id().to_owned()).unwrap_or_default();
    let header = request.headers().get("x-user-id").map(|value| value.to_str().unwrap().to_owned());
    let call = request.extensions().get::<CallContext>().and_then(CallContext::user).cloned();
    let ids = [header.unwrap_or_default(), id(call.as_ref()), id(UserContext::current().as_ref())];
    let mut response = Response::new(Body::from(ids.join(" ")));
    response.headers_mut().insert("x-user-id", "leaked".parse().unwrap());
    response
}

async fn send(
    address: SocketAddr,
    path: &str,
    fields: &[(&str, &str)],
) -> (StatusCode, HeaderMap, Result<String, String>) {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let mut request = Request::post(format!("http://{address}{path}"));
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::default()).unwrap();
    let response = timeout(PATIENCE, client.request(request)).await.unwrap().unwrap();
    let (parts, body) = response.into_parts();
    let body = timeout(PATIENCE, body.collect()).await.unwrap();
    let text = body.map(|body| String::from_utf8(body.to_bytes().to_vec()).unwrap());
    (parts.status, parts.headers, text.map_err(|error| error.to_string()))
}

#[tokio::test]
async fn a_handler_behind_the_adapter_knows_its_caller_and_sees_nothing_forged() {
    let edge = start(Inbound::new(JwtAuthenticator::new(token::verifier())), echo).await;
    let bearer = format!("Bearer {}", token::good("alice"));
    let names = forged::names();
    // hyper accepts at most 100 fields in an HTTP/1 request.
    for names in names.chunks(40) {
        let fields = forged::around(names, &[("authorization", &bearer)]);
        let (status, headers, body) = send(edge, PATH, &fields).await;
        assert_eq!((status, &*body.unwrap()), (StatusCode::OK, "alice alice alice"));
        assert!(!headers.contains_key("x-user-id"), "{headers:?}");
    }
}

/// Fields of a request: names and values.
type Fields<'a> = &'a [(&'a str, &'a str)];

#[tokio::test]
async fn a_rejection_is_told_in_the_words_of_http_and_no_handler_runs() {
    let never = |_| async { panic!("the handler of a rejected request") };
    let policy =
        || Policy::builder().rule(PATH, Rule::permission("orders:create")).build().unwrap();
    let auth = JwtAuthenticator::new(token::verifier());
    let edge = start(Inbound::new(auth).policy(policy()), never).await;
    let internal = Inbound::new(ForwardedContext::trust_private_network()).policy(policy());
    let internal = start(internal, never).await;

    let cases: [(&str, _, &str, Fields<'_>, u16, &str); 8] = [
        ("no token", edge, PATH, &[], 401, "TOKEN_MISSING"),
        ("forged", edge, PATH, &[("x-user-id", "admin")], 401, "TOKEN_MISSING"),
        ("bad token", edge, PATH, &[("authorization", "Bearer x")], 401, "TOKEN_INVALID"),
        ("no context", internal, PATH, &[], 401, "CONTEXT_MISSING"),
        ("not allowed", internal, PATH, &[("x-user-id", "bob")], 403, "PERMISSION_MISSING"),
        ("alias", internal, PATH, &[("x_user_id", "bob")], 401, "CONTEXT_INVALID"),
        ("bad timeout", internal, PATH, &[("grpc-timeout", "soon")], 400, "TIMEOUT_INVALID"),
        ("escaped path", internal, "/shop.v1.OrderService/%43", &[], 404, "METHOD_PATH_INVALID"),
    ];
    for (case, address, path, fields, code, reason) in cases {
        let (status, headers, body) = send(address, path, fields).await;
        assert_eq!(status.as_u16(), code, "{case}");
        let body: serde_json::Value = serde_json::from_str(&body.unwrap()).unwrap();
        assert_eq!(body["reason"], reason, "{case}");
        let has_challenge = headers.contains_key("www-authenticate");
        assert_eq!(has_challenge, reason.starts_with("TOKEN_"), "{case}");
    }
}

#[tokio::test]
async fn a_handler_ends_by_the_deadline() {
    let slow = |_| pending::<Response<Body>>();
    let inbound = Inbound::new(ForwardedContext::trust_private_network());
    let address = start(inbound.timeout(Duration::from_millis(50)), slow).await;
    let (status, _, body) = send(address, PATH, &[("x-user-id", "bob")]).await;
    assert_eq!(status, StatusCode::GATEWAY_TIMEOUT, "{body:?}");
}

#[tokio::test]
async fn a_response_body_ends_by_the_deadline() {
    let endless = |_| async {
        let stream = tokio_stream::pending::<Result<Bytes, std::io::Error>>();
        Response::new(Body::from_stream(stream))
    };
    let inbound = Inbound::new(ForwardedContext::trust_private_network());
    let address = start(inbound.timeout(Duration::from_millis(50)), endless).await;
    let (status, _, body) = send(address, PATH, &[("x-user-id", "bob")]).await;
    assert_eq!(status, StatusCode::OK);
    assert!(body.is_err(), "the body has come to its end: {body:?}");
}
