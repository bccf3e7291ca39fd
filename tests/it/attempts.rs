//! Several attempts of one call, by tower's retry, hedge and load balancing: each has the same
//! context, and the time that remains when it is sent.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::future::{Ready, pending, ready};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use tonic::body::Body;
use tonic::{Code, Status};
use tonic_passport::{CallContext, ClientLayer, Deadline, ScopeLayer, UserContext};
use tower::balance::p2c::Balance;
use tower::buffer::Buffer;
use tower::discover::ServiceList;
use tower::hedge::{self, Hedge};
use tower::load::{CompleteOnResponse, PendingRequests};
use tower::retry::{self, Retry};
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Layer, ServiceExt};

use crate::support::chain::values;
use crate::support::probe::{Kind, call, call_as};
use crate::support::server::TestServer;
use crate::support::{context_of, raw};

/// The time a service takes to fail, and a client waits before it hedges.
const HELD: Duration = Duration::from_millis(5);

/// A request that can be cloned with its extensions and its body.
type Repeatable = Request<Full<Bytes>>;
type HttpResponse = Response<Body>;

/// Policy that retries `UNAVAILABLE` without limit.
#[derive(Clone)]
struct RetryUnavailable;

impl<E> retry::Policy<Repeatable, HttpResponse, E> for RetryUnavailable {
    type Future = Ready<()>;

    fn retry(
        &mut self,
        _: &mut Repeatable,
        response: &mut Result<HttpResponse, E>,
    ) -> Option<Ready<()>> {
        let response = response.as_ref().ok()?;
        (response.headers().get("grpc-status")? == "14").then(|| ready(()))
    }

    fn clone_request(&mut self, request: &Repeatable) -> Option<Repeatable> {
        Some(request.clone())
    }
}

impl hedge::Policy<Repeatable> for RetryUnavailable {
    fn clone_request(&self, request: &Repeatable) -> Option<Repeatable> {
        Some(request.clone())
    }

    fn can_retry(&self, _: &Repeatable) -> bool {
        true
    }
}

/// A server's reaction to an attempt.
enum Reaction {
    Succeed,
    Fail,
    Hang,
}

#[derive(Debug)]
struct Attempt {
    server: usize,
    metadata: HeaderMap,
}

/// Servers that record all attempts.
#[derive(Clone, Default)]
struct Servers {
    seen: Arc<Mutex<Vec<Attempt>>>,
}

impl Servers {
    /// `react` receives all attempts so far, at all servers.
    async fn start(
        &self,
        server: usize,
        react: impl Fn(&[Attempt]) -> Reaction + Clone + Send + Sync + 'static,
    ) -> TestServer {
        let servers = self.clone();
        raw::serve(move |request| {
            let reaction = {
                let mut seen = servers.seen.lock().unwrap();
                seen.push(Attempt { server, metadata: request.into_parts().0.headers });
                react(&seen)
            };
            async move {
                match reaction {
                    Reaction::Succeed => {
                        let trailers = [("grpc-status".parse().unwrap(), "0".parse().unwrap())];
                        let body = raw::message_and(&[], trailers.into_iter().collect());
                        raw::ok().body(body).unwrap()
                    }
                    Reaction::Fail => {
                        // The tests compare this with the decrease of the timeout.
                        tokio::time::sleep(HELD).await;
                        Status::unavailable("try again").into_http()
                    }
                    Reaction::Hang => pending().await,
                }
            }
        })
        .await
    }

    fn take(&self) -> Vec<Attempt> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

/// A client for requests that can be cloned.
type RetryClient = BoxCloneSyncService<Repeatable, HttpResponse, BoxError>;
/// A client for generated code.
type Client = BoxCloneSyncService<Request<Body>, HttpResponse, BoxError>;

/// Connects to a server, with a layer around the channel.
async fn connect(server: &TestServer) -> RetryClient {
    let service = ClientLayer::new().wrap(server.connect().await);
    let service = service.map_request(|request: Repeatable| request.map(Body::new));
    RetryClient::new(
        service.map_response(|response| response.map(Body::new)).map_err(BoxError::from),
    )
}

/// Retries failed requests.
fn retrying(client: RetryClient) -> RetryClient {
    RetryClient::new(Retry::new(RetryUnavailable, client))
}

/// Sends a second request when the first has no response after [`HELD`].
fn hedging(client: RetryClient) -> RetryClient {
    let latencies = [u64::try_from(HELD.as_millis()).unwrap()];
    RetryClient::new(tower::service_fn(move |request| {
        let period = Duration::from_secs(60);
        Hedge::new_with_mock_latencies(client.clone(), RetryUnavailable, 1, 0.5, period, &latencies)
            .oneshot(request)
    }))
}

/// Sends each request to the server with fewer pending requests.
fn balancing<const N: usize>(clients: [RetryClient; N]) -> RetryClient {
    let loaded = |client| PendingRequests::new(client, CompleteOnResponse::default());
    let services = ServiceList::new::<Repeatable>(clients.map(loaded));
    // The worker of `Buffer` runs in a task without the context: `ScopeLayer` passes it on.
    RetryClient::new(ScopeLayer::new().layer(Buffer::new(Balance::new(services), 16)))
}

/// The position of the client layer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Arrangement {
    /// Around the channel only: each attempt passes it.
    PerAttempt,
    /// Around the channel and around the attempts: each call passes the outer one.
    PerCallAndAttempt,
}

impl Arrangement {
    const ALL: [Self; 2] = [Self::PerAttempt, Self::PerCallAndAttempt];

    fn client(self, attempts: RetryClient) -> Client {
        let client = Client::new(tower::service_fn(move |request: Request<Body>| {
            let attempts = attempts.clone();
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect().await?.to_bytes();
                attempts.oneshot(Request::from_parts(parts, Full::new(body))).await
            }
        }));
        match self {
            Self::PerAttempt => client,
            Self::PerCallAndAttempt => {
                let service = ClientLayer::new().wrap(client);
                Client::new(service.map_response(|response| response.map(Body::new)))
            }
        }
    }
}

const SENT: [(&str, &str); 4] = [
    ("x-user-tenant", "acme"),
    ("x-request-id", "r-1"),
    ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ("baggage", "plan=gold"),
];

/// The context of alice's calls, with a deadline.
async fn context() -> CallContext {
    context_of(&SENT, []).await.with_deadline(Deadline::after(Duration::from_secs(60)))
}

fn timeout(metadata: &HeaderMap) -> Duration {
    let text = metadata["grpc-timeout"].to_str().unwrap();
    let (number, unit) = text.split_at(text.len() - 1);
    let number = number.parse().unwrap();
    match unit {
        "S" => Duration::from_secs(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        unit => panic!("{unit}: too coarse for a minute"),
    }
}

/// Asserts that these are attempts of one call of alice's, and that the timeout decreases by at
/// least `less` from each to the next.
#[track_caller]
fn assert_attempts(seen: &[Attempt], less: Duration, case: &str) {
    assert!(seen.len() > 1, "{case}: {seen:?}");
    for Attempt { metadata, .. } in seen {
        assert_eq!(values(metadata, "x-user-id"), ["alice"], "{case}");
        for (name, value) in SENT {
            assert_eq!(values(metadata, name), [value], "{case}: {name}");
        }
        assert!(timeout(metadata) < Duration::from_secs(60), "{case}: {metadata:?}");
    }
    for pair in seen.windows(2) {
        let [earlier, later] = [0, 1].map(|index| timeout(&pair[index].metadata));
        assert!(later + less <= earlier, "{case}: {earlier:?}, and then {later:?}");
    }
}

/// Like [`assert_attempts`], for concurrent attempts, which may arrive in either order.
#[track_caller]
fn assert_hedged(mut seen: Vec<Attempt>, case: &str) {
    assert_eq!(seen.len(), 2, "{case}: {seen:?}");
    seen.sort_by_key(|attempt| Reverse(timeout(&attempt.metadata)));
    assert_attempts(&seen, Duration::from_micros(1), case);
}

fn fail_until(times: usize) -> impl Fn(&[Attempt]) -> Reaction + Clone + Send + Sync + 'static {
    move |seen| if seen.len() < times { Reaction::Fail } else { Reaction::Succeed }
}

#[tokio::test]
async fn retries_send_the_same_context_and_the_remaining_time() {
    let servers = Servers::default();
    let server = servers.start(0, fail_until(3)).await;
    for arrangement in Arrangement::ALL {
        let client = arrangement.client(retrying(connect(&server).await));
        let case = format!("{arrangement:?}");
        context().await.scope(call(Kind::Unary, client, &[])).await.expect(&case);
        let seen = servers.take();
        assert_eq!(seen.len(), 3, "{case}: {seen:?}");
        assert_attempts(&seen, HELD / 2, &case);
    }
}

/// Without a layer around the attempts, the start of the call is unknown: each attempt is sent with
/// the full timeout.
#[tokio::test]
async fn an_explicit_timeout_shrinks_if_a_layer_is_around_the_attempts() {
    let servers = Servers::default();
    let server = servers.start(0, fail_until(3)).await;
    let own = [("grpc-timeout", "50S")];
    for (context, case) in
        [(context().await, "a later deadline"), (context_of(&SENT, []).await, "no deadline")]
    {
        let attempts = retrying(connect(&server).await);
        let client = Arrangement::PerAttempt.client(attempts.clone());
        context.clone().scope(call(Kind::Unary, client, &own)).await.expect(case);
        let timeouts: Vec<_> =
            servers.take().iter().map(|attempt| timeout(&attempt.metadata)).collect();
        assert_eq!(timeouts, [Duration::from_secs(50); 3], "{case}");

        let client = Arrangement::PerCallAndAttempt.client(attempts);
        context.scope(call(Kind::Unary, client, &own)).await.expect(case);
        let seen = servers.take();
        assert_eq!(seen.len(), 3, "{case}: {seen:?}");
        assert_attempts(&seen, HELD / 2, case);
        assert!(timeout(&seen[0].metadata) <= Duration::from_secs(50), "{case}");
    }
}

#[tokio::test]
async fn all_attempts_use_the_user_in_the_requests_extensions() {
    let servers = Servers::default();
    let server = servers.start(0, fail_until(3)).await;
    let bob = UserContext::builder("bob").build().unwrap();
    for arrangement in Arrangement::ALL {
        for (attempts, make) in [
            ("retrying", retrying as fn(RetryClient) -> RetryClient),
            ("balancing", |client| retrying(balancing([client]))),
        ] {
            let case = format!("{attempts}, {arrangement:?}");
            let client = arrangement.client(make(connect(&server).await));
            let calling = call_as(Kind::Unary, client, &[], Some(bob.clone()));
            context().await.scope(calling).await.expect(&case);
            let seen = servers.take();
            assert_eq!(seen.len(), 3, "{case}");
            for Attempt { metadata, .. } in seen {
                assert_eq!(values(&metadata, "x-user-id"), ["bob"], "{case}");
                assert_eq!(values(&metadata, "x-user-tenant"), Vec::<&str>::new(), "{case}");
                assert_eq!(values(&metadata, "x-request-id"), ["r-1"], "{case}");
            }
        }
    }
}

#[tokio::test]
async fn hedged_requests_send_the_same_context_and_the_remaining_time() {
    let servers = Servers::default();
    let first_hangs =
        |seen: &[Attempt]| if seen.len() < 2 { Reaction::Hang } else { Reaction::Succeed };
    let server = servers.start(0, first_hangs).await;
    for arrangement in Arrangement::ALL {
        let case = format!("{arrangement:?}");
        let client = arrangement.client(hedging(connect(&server).await));
        context().await.scope(call(Kind::Unary, client, &[])).await.expect(&case);
        assert_hedged(servers.take(), &case);
    }
}

/// Two servers that respond as soon as both have received a request.
async fn pair(servers: &Servers, otherwise: fn() -> Reaction) -> [TestServer; 2] {
    let react = move |seen: &[Attempt]| {
        let received = [0, 1].map(|server| seen.iter().any(|attempt| attempt.server == server));
        if received == [true; 2] { Reaction::Succeed } else { otherwise() }
    };
    [servers.start(0, react).await, servers.start(1, react).await]
}

#[tokio::test]
async fn retries_at_other_servers_send_the_same_context_and_the_remaining_time() {
    let servers = Servers::default();
    let [first, second] = pair(&servers, || Reaction::Fail).await;
    for arrangement in Arrangement::ALL {
        let case = format!("{arrangement:?}");
        let clients = [connect(&first).await, connect(&second).await];
        let client = arrangement.client(retrying(balancing(clients)));
        context().await.scope(call(Kind::Unary, client, &[])).await.expect(&case);
        let seen = servers.take();
        assert_attempts(&seen, HELD / 2, &case);
        assert!(seen.iter().any(|attempt| attempt.server != seen[0].server), "{case}: {seen:?}");
    }
}

#[tokio::test]
async fn hedged_requests_to_other_servers_send_the_same_context_and_the_remaining_time() {
    let servers = Servers::default();
    let [first, second] = pair(&servers, || Reaction::Hang).await;
    for arrangement in Arrangement::ALL {
        let case = format!("{arrangement:?}");
        let clients = [connect(&first).await, connect(&second).await];
        let client = arrangement.client(hedging(balancing(clients)));
        context().await.scope(call(Kind::Unary, client, &[])).await.expect(&case);
        let seen = servers.take();
        let asked: BTreeSet<_> = seen.iter().map(|attempt| attempt.server).collect();
        assert_eq!(asked, BTreeSet::from([0, 1]), "{case}");
        assert_hedged(seen, &case);
    }
}

#[tokio::test]
async fn no_attempt_is_made_after_the_deadline() {
    let servers = Servers::default();
    let server = servers.start(0, |_| Reaction::Fail).await;
    for arrangement in Arrangement::ALL {
        let case = format!("{arrangement:?}");
        let client = arrangement.client(retrying(connect(&server).await));
        let short = context().await.with_deadline(Deadline::after(HELD * 40));
        let status = short.scope(call(Kind::Unary, client, &[])).await.expect_err(&case);
        assert_eq!(status.code(), Code::DeadlineExceeded, "{case}: {status:?}");
        assert_attempts(&servers.take(), HELD / 2, &case);
    }
}
