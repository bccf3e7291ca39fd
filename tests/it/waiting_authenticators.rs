//! Authenticators that respond with a future: within the deadline, cancelled with the call, and
//! refused by interceptors.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Uri};
use tokio::sync::Notify;
use tokio::time::timeout;
use tonic::transport::Server;
use tonic::{Code, Request};
use tonic_passport::authenticate::{
    Authentication, Authenticator, CredentialField, Credentials, LookupAuthenticator,
};
use tonic_passport::inbound::{CallTarget, Inbound};
use tonic_passport::{Policy, Rejection, Rule, ServerInterceptor, ServerLayer, UserContext};

use crate::support::probe::{Kind, Probe, call};
use crate::support::rules::optional;
use crate::support::server::TestServer;
use crate::support::shop::CreateOrderRequest;
use crate::support::shop::order_service_client::OrderServiceClient;
use crate::support::shop::order_service_server::OrderServiceServer;
use crate::support::{assert_refused, forged, reason};

/// The longest wait for an event that does not happen if a test fails.
const PATIENCE: Duration = Duration::from_secs(10);

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Resolves API keys, after other tasks had their turn.
async fn find_owner(key: String) -> Result<UserContext, Rejection> {
    for _ in 0..3 {
        tokio::task::yield_now().await;
    }
    match key.as_str() {
        "3f8c" => Ok(UserContext::builder("importer").permissions(["orders:create"]).build()?),
        "later" => Err(Rejection::AuthenticationUnavailable("the database is down".into())),
        _ => Err(Rejection::CredentialInvalid("unknown api key".into())),
    }
}

fn by_api_key() -> impl Authenticator {
    LookupAuthenticator::new(CredentialField::new(API_KEY), find_owner)
}

#[tokio::test]
async fn a_caller_whose_credential_is_looked_up_is_known_in_every_kind_of_call() {
    let probe = Probe::default();
    let server = probe.serve_with(ServerLayer::new(by_api_key())).await;
    let channel = server.connect().await;
    let names = forged::names();
    for kind in Kind::ALL {
        let case = format!("{kind:?}");
        let fields = forged::around(&names, &[("x-api-key", "3f8c")]);
        assert_eq!(call(kind, channel.clone(), &fields).await.unwrap(), "importer", "{case}");
        let seen = probe.take_one();
        let expected = [("x-user-id", "importer"), ("x-user-permissions", "orders:create")];
        forged::assert_none(&seen.metadata, &case);
        forged::assert_context(&seen.metadata, &expected, &case);
        assert!(!seen.metadata.contains_key("x-api-key"), "{case}");
        assert_eq!(seen.current.unwrap().id(), "importer", "{case}");
        assert!(seen.metadata.contains_key("x-request-id"), "{case}");
    }
}

#[tokio::test]
async fn a_credential_that_is_not_resolved_is_rejected_and_no_handler_runs() {
    let unavailable = (Code::Unavailable, "AUTHENTICATION_UNAVAILABLE");
    let invalid = (Code::Unauthenticated, "CREDENTIAL_INVALID");
    let missing = (Code::Unauthenticated, "CREDENTIAL_MISSING");
    let cases: [(&[(&str, &str)], _); 6] = [
        (&[("x-api-key", "guess")], invalid),
        (&[("x-api-key", "later")], unavailable),
        (&[("x-api-key", "3f8c"), ("x-api-key", "3f8c")], invalid),
        (&[("x-api-key", "3f8c,3f8c")], invalid),
        (&[("x_api_key", "3f8c")], missing),
        (&[], missing),
    ];
    let probe = Probe::default();
    let server = probe.serve_with(ServerLayer::new(by_api_key())).await;
    let channel = server.connect().await;
    for kind in Kind::ALL {
        for (fields, expected) in cases {
            let response = call(kind, channel.clone(), fields).await;
            assert_refused(response, expected, &probe, &format!("{kind:?}, {fields:?}"));
        }
    }
}

#[tokio::test]
async fn an_invalid_credential_is_rejected_where_anonymous_callers_are_allowed() {
    let probe = Probe::default();
    let layer = ServerLayer::new(by_api_key()).policy(optional(Kind::paths()));
    let server = probe.serve_with(layer).await;
    let channel = server.connect().await;
    for kind in Kind::ALL {
        let case = format!("{kind:?}");
        let response = call(kind, channel.clone(), &[("x-api-key", "guess")]).await;
        assert_refused(response, (Code::Unauthenticated, "CREDENTIAL_INVALID"), &probe, &case);
        assert_eq!(call(kind, channel.clone(), &[]).await.unwrap(), "", "{case}");
        probe.take_one();
    }
}

#[tokio::test]
async fn the_policy_decides_about_a_caller_who_was_looked_up() {
    let rules = [("orders:create", None), ("orders:delete", Some("PERMISSION_MISSING"))];
    for (permission, expected) in rules {
        let mut policy = Policy::builder();
        for kind in Kind::ALL {
            policy = policy.rule(kind.path(), Rule::permission(permission));
        }
        let probe = Probe::default();
        let layer = ServerLayer::new(by_api_key()).policy(policy.build().unwrap());
        let server = probe.serve_with(layer).await;
        let channel = server.connect().await;
        for kind in Kind::ALL {
            let case = format!("{permission}, {kind:?}");
            let response = call(kind, channel.clone(), &[("x-api-key", "3f8c")]).await;
            match expected {
                None => {
                    assert_eq!(response.unwrap(), "importer", "{case}");
                    probe.take_one();
                }
                Some(reason) => {
                    assert_refused(response, (Code::PermissionDenied, reason), &probe, &case);
                }
            }
        }
    }
}

/// Never decides, and counts the futures that were dropped.
struct Stalled {
    asked: Arc<Notify>,
    dropped: Arc<Notify>,
}

/// Notifies when it is dropped.
struct NotifyOnDrop(Arc<Notify>);

impl Drop for NotifyOnDrop {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl Authenticator for Stalled {
    fn authenticate(&self, _: &Credentials<'_>) -> Authentication {
        let guard = NotifyOnDrop(Arc::clone(&self.dropped));
        self.asked.notify_one();
        Authentication::pending(async move {
            let _guard = guard;
            pending().await
        })
    }
}

fn stalled() -> (ServerLayer<Stalled>, Arc<Notify>, Arc<Notify>) {
    let (asked, dropped) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let strategy = Stalled { asked: Arc::clone(&asked), dropped: Arc::clone(&dropped) };
    (ServerLayer::new(strategy), asked, dropped)
}

#[tokio::test]
async fn authentication_ends_by_the_deadline_of_the_call() {
    let probe = Probe::default();
    let (layer, _asked, dropped) = stalled();
    let server = probe.serve_with(layer.timeout(Duration::from_millis(50))).await;
    for kind in Kind::ALL {
        let case = format!("{kind:?}");
        let response = call(kind, server.connect().await, &[]).await;
        assert_refused(response, (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"), &probe, &case);
        timeout(PATIENCE, dropped.notified()).await.expect(&case);
    }
}

#[tokio::test]
async fn a_client_that_disconnects_ends_authentication() {
    let probe = Probe::default();
    let (layer, asked, dropped) = stalled();
    let server = probe.serve_with(layer).await;
    for kind in Kind::ALL {
        let case = format!("{kind:?}");
        let channel = server.connect().await;
        let waiting = tokio::spawn(async move { call(kind, channel, &[]).await });
        timeout(PATIENCE, asked.notified()).await.expect(&case);
        waiting.abort();
        timeout(PATIENCE, dropped.notified()).await.expect(&case);
    }
    assert_eq!(probe.calls(), 0);
}

#[tokio::test]
async fn a_public_method_does_not_wait_for_an_authenticator() {
    let probe = Probe::default();
    let (layer, _asked, _dropped) = stalled();
    let shadow = optional(Kind::paths());
    let public = Policy::builder().public(Kind::paths()).build().unwrap();
    let layer = layer.policy(public).shadow_policy(shadow.clone());
    let server = probe.serve_with(layer).await;
    let channel = server.connect().await;
    for kind in Kind::ALL {
        let response = timeout(PATIENCE, call(kind, channel.clone(), &[])).await;
        assert_eq!(response.expect("it does not wait").unwrap(), "", "{kind:?}");
    }
    // The shadow policy reports nothing about a caller that it cannot wait for.
    for path in Kind::paths() {
        let table = shadow.table();
        let row = table.entries().iter().find(|row| row.target() == path.as_str());
        assert_eq!(row.map(|row| (row.allowed(), row.denied())), Some((0, 0)), "{table}");
    }
}

#[tokio::test]
async fn an_interceptor_refuses_an_authenticator_that_has_to_wait() {
    let probe = Probe::default();
    let interceptor = ServerInterceptor::new(by_api_key());
    let service = OrderServiceServer::with_interceptor(probe.clone(), interceptor);
    let server = TestServer::start(|incoming| {
        Server::builder().add_service(service).serve_with_incoming(incoming)
    })
    .await;
    let mut client = OrderServiceClient::new(server.connect().await);
    let mut request = Request::new(CreateOrderRequest::default());
    request.metadata_mut().insert("x-api-key", "3f8c".parse().unwrap());
    let status = client.create_order(request).await.unwrap_err();
    assert_eq!((status.code(), &*reason(&status)), (Code::Internal, "AUTHENTICATOR_ASYNCHRONOUS"));
    assert!(status.message().contains("use a ServerLayer"), "{status:?}");
    assert_eq!(probe.calls(), 0);
}

#[tokio::test]
async fn each_of_many_waiting_calls_gets_its_own_caller() {
    static LOOKUPS: AtomicUsize = AtomicUsize::new(0);

    let lookup = |key: String| async move {
        // Callers come in one order and are resolved in another.
        let turns = LOOKUPS.fetch_add(1, Ordering::Relaxed) % 7;
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        Ok(UserContext::builder(key).build()?)
    };
    let strategy = LookupAuthenticator::new(CredentialField::new(API_KEY), lookup);
    let probe = Probe::default();
    let server = probe.serve_with(ServerLayer::new(strategy)).await;
    let channel = server.connect().await;
    let calls = (0..200).map(|number| {
        let channel = channel.clone();
        tokio::spawn(async move {
            let key = format!("user-{number}");
            let kind = Kind::ALL[number % 4];
            let user = call(kind, channel, &[("x-api-key", &*key)]).await.unwrap();
            assert_eq!(user, key);
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
}

#[tokio::test]
async fn an_authenticator_that_decides_after_the_deadline_admits_nobody() {
    let timeout = Duration::from_millis(5);
    let lookup = move |key: String| async move {
        let start = Instant::now();
        // It blocks, so that the timer cannot end the call before it.
        while start.elapsed() < 2 * timeout {
            std::hint::spin_loop();
        }
        Ok(UserContext::builder(key).build()?)
    };
    let strategy = LookupAuthenticator::new(CredentialField::new(API_KEY), lookup);
    let probe = Probe::default();
    let server = probe.serve_with(ServerLayer::new(strategy).timeout(timeout)).await;
    let channel = server.connect().await;
    for kind in Kind::ALL {
        let response = call(kind, channel.clone(), &[("x-api-key", "3f8c")]).await;
        let expected = (Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
        assert_refused(response, expected, &probe, &format!("{kind:?}"));
    }
}

/// Without a transport between them, the caller's scope is around the authenticator.
#[tokio::test]
async fn an_authenticator_runs_outside_of_the_scope_of_its_caller() {
    let at_once = |_: &Credentials<'_>| {
        assert_eq!(UserContext::current(), None);
        Ok(Some(UserContext::builder("at-once").build()?))
    };
    let lookup = |_: String| async {
        tokio::task::yield_now().await;
        assert_eq!(UserContext::current(), None);
        Ok(UserContext::builder("later").build()?)
    };
    let later = LookupAuthenticator::new(CredentialField::new(API_KEY), lookup);
    let strategies: [(Box<dyn Authenticator>, &str); 2] =
        [(Box::new(at_once), "at-once"), (Box::new(later), "later")];
    for (strategy, expected) in strategies {
        let inbound = Inbound::new(strategy);
        let accept = async {
            let uri = Uri::from_static("/shop.v1.OrderService/CreateOrder");
            let (mut headers, mut extensions) = (HeaderMap::new(), Extensions::new());
            headers.insert(API_KEY, HeaderValue::from_static("3f8c"));
            let target = CallTarget::method_path(&uri);
            let accepted = inbound.accept(target, &mut headers, &mut extensions).await.unwrap();
            let user = accepted.context().user().unwrap().id().to_owned();
            accepted.complete();
            assert_eq!(UserContext::current().unwrap().id(), "outer");
            user
        };
        let outer = UserContext::builder("outer").build().unwrap();
        assert_eq!(outer.scope(accept).await, expected);
    }
}

/// An adapter that does not know the method has no rule to enforce.
#[tokio::test]
async fn a_policy_rejects_every_request_whose_method_is_unknown() {
    let public = Policy::builder().public(Kind::paths()).build().unwrap();
    for policy in [optional(Kind::paths()), public] {
        let inbound = Inbound::new(by_api_key()).policy(policy);
        let (mut headers, mut extensions) = (HeaderMap::new(), Extensions::new());
        headers.insert(API_KEY, HeaderValue::from_static("3f8c"));
        let target = CallTarget::unknown();
        let result = inbound.accept(target, &mut headers, &mut extensions).await;
        assert!(matches!(result, Err(Rejection::PolicyMissing)), "{result:?}");
    }
}
