//! A handler that asks for proof has it of the caller whom a policy has let in, and of nobody else.

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

use super::callers::{Caller, Door};
use super::protos::SERVICE;
use crate::support::probe::Kind;
use crate::support::server::TestServer;
use crate::support::{raw, reason};

const CONTEXT_MISSING: Result<&str, (Code, &str)> = Err((Code::Unauthenticated, "CONTEXT_MISSING"));
const POLICY_MISSING: Result<&str, (Code, &str)> = Err((Code::Internal, "POLICY_MISSING"));
const ALICE: Result<&str, (Code, &str)> = Ok("alice");

fn policy(rule: Rule) -> Policy {
    Policy::builder().default_rule(SERVICE, rule).build().unwrap()
}

fn request(request: http::Request<Body>) -> Request<Body> {
    let (parts, body) = request.into_parts();
    Request::from_parts(MetadataMap::from_headers(parts.headers), parts.extensions, body)
}

/// A handler that runs for nobody without proof, and says for whom it did.
async fn prove(asked: http::Request<Body>) -> Response<Body> {
    match Authorized::from_request(&request(asked)) {
        Ok(user) => {
            let answer = raw::ok().header("grpc-status", "0").header("for", user.id());
            answer.body(Body::empty()).unwrap()
        }
        Err(rejection) => Status::from(rejection).into_http(),
    }
}

/// Demands that a server's handler has proof, or none for this reason, when this caller calls.
async fn assert_proof(
    server: &TestServer,
    door: Door,
    caller: Caller,
    expected: Result<&str, (Code, &str)>,
    case: &str,
) {
    for kind in Kind::ALL {
        let mut request = raw::post(kind.path());
        for (name, value) in door.fields(caller) {
            request = request.header(name, value);
        }
        let request = request.body(Body::empty()).unwrap();
        let answer = raw::send(server.connect().await, request).await;
        let status = answer.status();
        match expected {
            Ok(user) => {
                assert_eq!(status.code(), Code::Ok, "{case}: {status:?}");
                assert_eq!(answer.headers["for"], user, "{case}");
            }
            Err((code, why)) => {
                assert_eq!(status.code(), code, "{case}: {status:?}");
                assert_eq!(reason(&status), why, "{case}");
            }
        }
    }
}

#[tokio::test]
async fn there_is_proof_of_a_caller_whom_a_policy_has_let_in() {
    let reader = Caller::with_permissions(&["orders:read"]);
    let read = || Rule::permission("orders:read");
    let denied = Err((Code::PermissionDenied, "PERMISSION_MISSING"));
    for door in Door::ALL {
        let layer = |rule| door.layer().policy(policy(rule));
        let cases = [
            ("with the permission", layer(read()), reader, ALICE),
            ("without the permission", layer(read()), Caller::PLAIN, denied),
            ("known, of whom no more is asked", layer(Rule::authenticated()), Caller::PLAIN, ALICE),
            ("known, and need not be", layer(Rule::optional()), Caller::PLAIN, ALICE),
            ("anonymous", layer(Rule::optional()), Caller::Anonymous, CONTEXT_MISSING),
            ("of a public method", layer(Rule::public()), reader, CONTEXT_MISSING),
            ("of a layer without a policy", door.layer(), reader, POLICY_MISSING),
            (
                "of a layer whose policy is a shadow",
                door.layer().shadow_policy(policy(read())),
                reader,
                POLICY_MISSING,
            ),
        ];
        for (case, layer, caller, expected) in cases {
            let server = raw::serve_with(layer, prove).await;
            assert_proof(&server, door, caller, expected, &format!("{case}, {door:?}")).await;
        }
    }
}

#[tokio::test]
async fn there_is_no_proof_without_a_layer() {
    let server = raw::serve(prove).await;
    for door in Door::ALL {
        assert_proof(&server, door, Caller::PLAIN, CONTEXT_MISSING, &format!("{door:?}")).await;
    }
}

/// What a door says is said of the request as it was there, and the last one is right.
#[tokio::test]
async fn the_last_of_several_doors_gives_the_proof() {
    let trusting = ForwardedContext::trust_private_network;
    let layer = || ServerLayer::new(trusting());
    let deciding = || layer().policy(policy(Rule::authenticated()));
    let interceptor = || InterceptorLayer::new(ServerInterceptor::new(trusting()));
    let builder = Server::builder;

    macro_rules! assert_proof_behind {
        ($case:literal, $expected:expr, $($layer:expr),+) => {
            let routes = raw::routes(prove);
            let server = TestServer::start(|incoming| {
                builder()$(.layer($layer))+.add_routes(routes).serve_with_incoming(incoming)
            })
            .await;
            assert_proof(&server, Door::Inside, Caller::PLAIN, $expected, $case).await;
        };
    }
    assert_proof_behind!("an interceptor in its place", POLICY_MISSING, interceptor());
    assert_proof_behind!("an interceptor before it", ALICE, interceptor(), deciding());
    assert_proof_behind!("an interceptor after it", POLICY_MISSING, deciding(), interceptor());
    assert_proof_behind!("a layer before it", ALICE, layer(), deciding());
    assert_proof_behind!("a layer after it", POLICY_MISSING, deciding(), layer());
}

/// Puts something into the extensions of a request that a policy has let in, or of another one, and
/// asks for proof.
#[tokio::test]
async fn what_was_put_into_the_extensions_is_no_proof() {
    type Put = fn(http::Request<Body>) -> Request<()>;
    /// Another request, with this in its extensions.
    fn other<T: Clone + Send + Sync + 'static>(extension: T) -> Request<()> {
        let mut other = Request::new(());
        other.extensions_mut().insert(extension);
        other
    }
    fn mallory() -> UserContext {
        UserContext::builder("mallory").build().unwrap()
    }
    fn context(asked: http::Request<Body>) -> CallContext {
        CallContext::from_request(&request(asked))
    }
    let cases: [(&str, Put); 8] = [
        ("a user", |_| other(mallory())),
        ("the very context", |asked| other(context(asked))),
        ("a context of one's own", |_| other(CallContext::default().with_user(mallory()))),
        ("another user's", |asked| other(context(asked).with_user(mallory()))),
        ("the same user's", |asked| {
            let context = context(asked);
            let user = context.user().cloned().unwrap();
            other(context.with_user(user))
        }),
        ("a detached one", |asked| other(context(asked).detached())),
        ("one with a deadline", |asked| {
            other(context(asked).with_deadline(Deadline::after(Duration::from_secs(60))))
        }),
        ("one with another id", |asked| other(context(asked).with_request_id(RequestId::random()))),
    ];
    for (case, put) in cases {
        let layer = Door::Inside.layer().policy(policy(Rule::authenticated()));
        let server = raw::serve_with(layer, move |asked| async move {
            let answer = Authorized::from_request(&put(asked));
            let status = answer.map_or_else(Status::from, |user| Status::ok(user.id()));
            status.into_http()
        })
        .await;
        assert_proof(&server, Door::Inside, Caller::PLAIN, POLICY_MISSING, case).await;
    }
}

/// There, another rule may hold.
#[tokio::test]
async fn what_a_gateway_relays_within_the_process_has_no_proof() {
    let upstream = tower::service_fn(|asked| async { Ok::<_, Infallible>(prove(asked).await) });
    let gateway = Gateway::builder().route(SERVICE, upstream).build().unwrap();
    let layer = Door::Inside.layer().policy(policy(Rule::authenticated()));
    let server = TestServer::start(|incoming| {
        Server::builder()
            .layer(layer)
            .add_routes(gateway.into_routes())
            .serve_with_incoming(incoming)
    })
    .await;
    assert_proof(&server, Door::Inside, Caller::PLAIN, POLICY_MISSING, "relayed").await;
}

#[tokio::test]
async fn there_is_proof_behind_a_layer_that_takes_the_call_to_another_task() {
    let layer = Door::Inside.layer().policy(policy(Rule::authenticated()));
    let handler = tower::service_fn(|asked| async { Ok::<_, BoxError>(prove(asked).await) });
    let handler = Buffer::new(ScopeLayer::new().layer(handler), 1);
    let server = raw::serve_with(layer, move |asked| {
        let answer: Pin<Box<dyn Future<Output = Result<_, BoxError>> + Send>> =
            Box::pin(handler.clone().oneshot(asked));
        async { answer.await.unwrap() }
    })
    .await;
    assert_proof(&server, Door::Inside, Caller::PLAIN, ALICE, "in another task").await;
}

/// A policy has let in somebody of whom it knew nothing.
#[tokio::test]
async fn a_user_who_was_put_into_an_anonymous_request_is_no_proof() {
    for rule in [Rule::public(), Rule::optional()] {
        let case = rule.to_string();
        let layer = Door::Inside.layer().policy(policy(rule));
        let server = raw::serve_with(layer, |mut asked| {
            asked.extensions_mut().insert(UserContext::builder("mallory").build().unwrap());
            prove(asked)
        })
        .await;
        assert_proof(&server, Door::Inside, Caller::Anonymous, POLICY_MISSING, &case).await;
    }
}

/// What may be had by one user, and counts who asks.
#[derive(Debug, Eq, PartialEq)]
struct Order<'a> {
    of: &'static str,
    asked: &'a Cell<u32>,
}

impl Guarded for Order<'_> {
    fn authorize(&self, user: &UserContext) -> Result<(), AccessDenied> {
        self.asked.set(self.asked.get() + 1);
        if user.id() == self.of {
            return Ok(());
        }
        user.require_role("admin")
    }
}

#[test]
fn what_is_guarded_is_had_by_those_who_may_have_it() {
    let asked = Cell::new(0);
    let order = || Order { of: "alice", asked: &asked };
    let user = |id, roles: &[&str]| {
        let roles = roles.iter().copied();
        UserContext::builder(id).roles(roles).build().unwrap()
    };
    let denied = AccessDenied::RoleMissing { role: "admin".to_owned() };
    assert_eq!(user("bob", &["buyer"]).authorize(order()).unwrap_err(), denied);
    assert_eq!(asked.get(), 1);
    for user in [user("alice", &[]), user("bob", &["admin"])] {
        let before = asked.get();
        let proof = user.authorize(order()).unwrap();
        assert_eq!(asked.get(), before + 1);
        assert_eq!(proof.of, "alice");
        assert_eq!(proof.into_inner(), order());
    }
}
