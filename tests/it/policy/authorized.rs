//! `Authorized::from_request` succeeds only for a caller whom a policy has allowed, and
//! `UserContext::authorize` only for a subject whose check succeeds.

use std::cell::Cell;
use std::convert::Infallible;
use std::pin::Pin;
use std::time::Duration;

use http::Response;
use tonic::body::Body;
use tonic::metadata::MetadataMap;
use tonic::service::InterceptorLayer;
use tonic::transport::Server;
use tonic::{Code, Request, Status};
use tonic_passport::propagation::RequestId;
use tonic_passport::{
    AccessDenied, Authorized, CallContext, Deadline, ForwardedContext, Gateway, Guarded, Policy,
    Rule, ScopeLayer, ServerInterceptor, ServerLayer, UserContext,
};
use tower::buffer::Buffer;
use tower::{BoxError, Layer, ServiceExt};

use super::harness::{Caller, EntryPoint};
use super::order_protos::SERVICE;
use crate::support::probe::Kind;
use crate::support::server::TestServer;
use crate::support::{raw, reason};

const CONTEXT_MISSING: Result<&str, (Code, &str)> = Err((Code::Unauthenticated, "CONTEXT_MISSING"));
const POLICY_MISSING: Result<&str, (Code, &str)> = Err((Code::Internal, "POLICY_MISSING"));
const ALICE: Result<&str, (Code, &str)> = Ok("alice");

fn policy(rule: Rule) -> Policy {
    Policy::builder().default_rule(SERVICE, rule).build().unwrap()
}

fn tonic_request(request: http::Request<Body>) -> Request<Body> {
    let (parts, body) = request.into_parts();
    Request::from_parts(MetadataMap::from_headers(parts.headers), parts.extensions, body)
}

/// Handler that requires an authorization, and returns the id of the user in a header.
async fn require_authorized(request: http::Request<Body>) -> Response<Body> {
    match Authorized::from_request(&tonic_request(request)) {
        Ok(user) => {
            let response = raw::ok().header("grpc-status", "0").header("user", user.id());
            response.body(Body::empty()).unwrap()
        }
        Err(rejection) => Status::from(rejection).into_http(),
    }
}

/// Calls the server, and asserts that the handler gets an authorization, or this error.
async fn assert_authorized(
    server: &TestServer,
    entry_point: EntryPoint,
    caller: Caller,
    expected: Result<&str, (Code, &str)>,
    case: &str,
) {
    for kind in Kind::ALL {
        let mut request = raw::post(kind.path());
        for (name, value) in entry_point.fields(caller) {
            request = request.header(name, value);
        }
        let request = request.body(Body::empty()).unwrap();
        let response = raw::send(server.connect().await, request).await;
        let status = response.status();
        match expected {
            Ok(user) => {
                assert_eq!(status.code(), Code::Ok, "{case}: {status:?}");
                assert_eq!(response.headers["user"], user, "{case}");
            }
            Err((code, why)) => {
                assert_eq!(status.code(), code, "{case}: {status:?}");
                assert_eq!(reason(&status), why, "{case}");
            }
        }
    }
}

#[tokio::test]
async fn a_caller_allowed_by_a_policy_is_authorized() {
    let reader = Caller::with_permissions(&["orders:read"]);
    let read = || Rule::permission("orders:read");
    let denied = Err((Code::PermissionDenied, "PERMISSION_MISSING"));
    for entry_point in EntryPoint::ALL {
        let layer = |rule| entry_point.layer().policy(policy(rule));
        let cases = [
            ("with the permission", layer(read()), reader, ALICE),
            ("without the permission", layer(read()), Caller::UNPRIVILEGED, denied),
            (
                "authenticated, as required",
                layer(Rule::authenticated()),
                Caller::UNPRIVILEGED,
                ALICE,
            ),
            ("authenticated, as optional", layer(Rule::optional()), Caller::UNPRIVILEGED, ALICE),
            ("anonymous, as optional", layer(Rule::optional()), Caller::Anonymous, CONTEXT_MISSING),
            ("public method", layer(Rule::public()), reader, CONTEXT_MISSING),
            ("layer without a policy", entry_point.layer(), reader, POLICY_MISSING),
            (
                "layer with only a shadow policy",
                entry_point.layer().shadow_policy(policy(read())),
                reader,
                POLICY_MISSING,
            ),
        ];
        for (case, layer, caller, expected) in cases {
            let server = raw::serve_with(layer, require_authorized).await;
            assert_authorized(
                &server,
                entry_point,
                caller,
                expected,
                &format!("{case}, {entry_point:?}"),
            )
            .await;
        }
    }
}

#[tokio::test]
async fn no_caller_is_authorized_without_a_layer() {
    let server = raw::serve(require_authorized).await;
    for entry_point in EntryPoint::ALL {
        assert_authorized(
            &server,
            entry_point,
            Caller::UNPRIVILEGED,
            CONTEXT_MISSING,
            &format!("{entry_point:?}"),
        )
        .await;
    }
}

/// Each layer and interceptor replaces the result of those before it.
#[tokio::test]
async fn the_innermost_layer_or_interceptor_decides() {
    let forwarded = ForwardedContext::trust_private_network;
    let layer = || ServerLayer::new(forwarded());
    let with_policy = || layer().policy(policy(Rule::authenticated()));
    let interceptor = || InterceptorLayer::new(ServerInterceptor::new(forwarded()));
    let builder = Server::builder;

    macro_rules! assert_authorized_behind {
        ($case:literal, $expected:expr, $($layer:expr),+) => {
            let routes = raw::routes(require_authorized);
            let server = TestServer::start(|incoming| {
                builder()$(.layer($layer))+.add_routes(routes).serve_with_incoming(incoming)
            })
            .await;
            assert_authorized(&server, EntryPoint::Internal, Caller::UNPRIVILEGED, $expected, $case).await;
        };
    }
    assert_authorized_behind!("only an interceptor", POLICY_MISSING, interceptor());
    assert_authorized_behind!(
        "an interceptor before the policy",
        ALICE,
        interceptor(),
        with_policy()
    );
    assert_authorized_behind!(
        "an interceptor after the policy",
        POLICY_MISSING,
        with_policy(),
        interceptor()
    );
    assert_authorized_behind!("a layer before the policy", ALICE, layer(), with_policy());
    assert_authorized_behind!("a layer after the policy", POLICY_MISSING, with_policy(), layer());
}

/// A handler builds another request, with extensions of its own, and tries to authorize that one.
#[tokio::test]
async fn request_extensions_cannot_forge_an_authorization() {
    type Forge = fn(http::Request<Body>) -> Request<()>;
    /// Request with this extension.
    fn other<T: Clone + Send + Sync + 'static>(extension: T) -> Request<()> {
        let mut other = Request::new(());
        other.extensions_mut().insert(extension);
        other
    }
    fn mallory() -> UserContext {
        UserContext::builder("mallory").build().unwrap()
    }
    fn context(request: http::Request<Body>) -> CallContext {
        CallContext::from_request(&tonic_request(request))
    }
    let cases: [(&str, Forge); 8] = [
        ("a user", |_| other(mallory())),
        ("the context of the allowed call", |request| other(context(request))),
        ("a new context", |_| other(CallContext::default().with_user(mallory()))),
        ("the context with another user", |request| other(context(request).with_user(mallory()))),
        ("the context with the same user", |request| {
            let context = context(request);
            let user = context.user().cloned().unwrap();
            other(context.with_user(user))
        }),
        ("the detached context", |request| other(context(request).detached())),
        ("the context with a deadline", |request| {
            other(context(request).with_deadline(Deadline::after(Duration::from_secs(60))))
        }),
        ("the context with another request id", |request| {
            other(context(request).with_request_id(RequestId::random()))
        }),
    ];
    for (case, forge) in cases {
        let layer = EntryPoint::Internal.layer().policy(policy(Rule::authenticated()));
        let server = raw::serve_with(layer, move |request| async move {
            let response = Authorized::from_request(&forge(request));
            let status = response.map_or_else(Status::from, |user| Status::ok(user.id()));
            status.into_http()
        })
        .await;
        assert_authorized(
            &server,
            EntryPoint::Internal,
            Caller::UNPRIVILEGED,
            POLICY_MISSING,
            case,
        )
        .await;
    }
}

/// The upstream may have another policy.
#[tokio::test]
async fn a_call_relayed_in_process_by_a_gateway_is_not_authorized() {
    let upstream = tower::service_fn(|request| async {
        Ok::<_, Infallible>(require_authorized(request).await)
    });
    let gateway = Gateway::builder().route(SERVICE, upstream).build().unwrap();
    let layer = EntryPoint::Internal.layer().policy(policy(Rule::authenticated()));
    let server = TestServer::start(|incoming| {
        Server::builder()
            .layer(layer)
            .add_routes(gateway.into_routes())
            .serve_with_incoming(incoming)
    })
    .await;
    assert_authorized(
        &server,
        EntryPoint::Internal,
        Caller::UNPRIVILEGED,
        POLICY_MISSING,
        "relayed",
    )
    .await;
}

#[tokio::test]
async fn an_authorization_survives_a_buffer_that_moves_the_call_to_another_task() {
    let layer = EntryPoint::Internal.layer().policy(policy(Rule::authenticated()));
    let handler =
        tower::service_fn(|request| async { Ok::<_, BoxError>(require_authorized(request).await) });
    let handler = Buffer::new(ScopeLayer::new().layer(handler), 1);
    let server = raw::serve_with(layer, move |request| {
        let response: Pin<Box<dyn Future<Output = Result<_, BoxError>> + Send>> =
            Box::pin(handler.clone().oneshot(request));
        async { response.await.unwrap() }
    })
    .await;
    assert_authorized(
        &server,
        EntryPoint::Internal,
        Caller::UNPRIVILEGED,
        ALICE,
        "in another task",
    )
    .await;
}

/// The policy has allowed an anonymous caller, not this user.
#[tokio::test]
async fn a_user_inserted_into_an_anonymous_request_is_not_authorized() {
    for rule in [Rule::public(), Rule::optional()] {
        let case = rule.to_string();
        let layer = EntryPoint::Internal.layer().policy(policy(rule));
        let server = raw::serve_with(layer, |mut request| {
            request.extensions_mut().insert(UserContext::builder("mallory").build().unwrap());
            require_authorized(request)
        })
        .await;
        assert_authorized(&server, EntryPoint::Internal, Caller::Anonymous, POLICY_MISSING, &case)
            .await;
    }
}

/// Guarded subject that counts its checks.
#[derive(Debug, Eq, PartialEq)]
struct Order<'a> {
    owner: &'static str,
    checks: &'a Cell<u32>,
}

impl Guarded for Order<'_> {
    fn authorize(&self, user: &UserContext) -> Result<(), AccessDenied> {
        self.checks.set(self.checks.get() + 1);
        if user.id() == self.owner {
            return Ok(());
        }
        user.require_role("admin")
    }
}

#[test]
fn a_guarded_subject_is_returned_only_after_a_successful_check() {
    let checks = Cell::new(0);
    let order = || Order { owner: "alice", checks: &checks };
    let user = |id, roles: &[&str]| {
        let roles = roles.iter().copied();
        UserContext::builder(id).roles(roles).build().unwrap()
    };
    let denied = AccessDenied::RoleMissing { role: "admin".to_owned() };
    assert_eq!(user("bob", &["buyer"]).authorize(order()).unwrap_err(), denied);
    assert_eq!(checks.get(), 1);
    for user in [user("alice", &[]), user("bob", &["admin"])] {
        let before = checks.get();
        let proof = user.authorize(order()).unwrap();
        assert_eq!(checks.get(), before + 1);
        assert_eq!(proof.owner, "alice");
        assert_eq!(proof.into_inner(), order());
    }
}
