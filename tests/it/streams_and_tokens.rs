//! Streams end when their token expires, or a configured grace period later.

use std::future::pending;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::BodyExt;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::transport::Server;
use tonic::{Code, Status};
use tonic_passport::testing::{Clock, TestIssuer};
use tonic_passport::{ForwardedContext, Gateway, JwtAuthenticator, ServerLayer};

use crate::support::guard::Guards;
use crate::support::probe::Kind;
use crate::support::server::{ClientWithoutTimeout, TestServer};
use crate::support::{raw, reason};

const EXPIRED: (Code, &str) = (Code::Unauthenticated, "TOKEN_EXPIRED");
const CHALLENGE: &str =
    r#"Bearer error="invalid_token", error_description="the token has expired""#;

/// Time limit for events that must happen.
const SOON: Duration = Duration::from_secs(5);
/// Allowed difference between the system clock and the monotonic clock.
const SKEW: Duration = Duration::from_millis(20);
/// Age of an expired token that the verifier still accepts: its leeway is 30 seconds.
const AGO: Duration = Duration::from_secs(8);

const STREAMS: [Kind; 3] = [Kind::ServerStreaming, Kind::ClientStreaming, Kind::Bidirectional];

#[track_caller]
fn assert_expired(response: Result<(), Status>, case: &str) {
    let status = response.expect_err(case);
    assert_eq!((status.code(), &*reason(&status)), EXPIRED, "{case}: {status:?}");
    let challenge = status.metadata().get("www-authenticate");
    assert_eq!(challenge.expect(case), CHALLENGE, "{case}");
}

#[derive(Clone)]
struct Tokens(TestIssuer);

impl Tokens {
    fn new() -> Self {
        Self(TestIssuer::new("https://id.example.com"))
    }

    fn edge(&self) -> ServerLayer<JwtAuthenticator> {
        ServerLayer::new(JwtAuthenticator::new(self.0.verifier()))
    }

    /// An `authorization` value whose token expires at this time, rounded down to seconds.
    fn expiring(&self, time: SystemTime) -> (String, SystemTime) {
        let seconds = time.duration_since(UNIX_EPOCH).unwrap().as_secs();
        let token = self.0.token("alice").claim("iat", seconds - 60).claim("exp", seconds);
        (format!("Bearer {}", token.sign()), UNIX_EPOCH + Duration::from_secs(seconds))
    }

    /// An `authorization` value with an expired token, and the grace period with which its streams
    /// end so long from now.
    fn ending_in(&self, left: Duration) -> (String, Duration) {
        let now = SystemTime::now();
        let (bearer, expiry) = self.expiring(now - AGO);
        (bearer, (now + left).duration_since(expiry).unwrap())
    }
}

/// Service whose handlers are controlled by the test.
struct Service {
    server: TestServer,
    called: Mutex<mpsc::UnboundedReceiver<Handler>>,
}

/// Server side of a call.
struct Handler {
    responses: mpsc::Sender<()>,
    requests: mpsc::UnboundedReceiver<Result<(), Status>>,
}

/// Both sides of an open call.
struct OpenCall {
    kind: Kind,
    requests: Option<mpsc::Sender<()>>,
    responses: mpsc::UnboundedReceiver<Result<(), Status>>,
    handler: Handler,
}

async fn handle(request: Request<Body>, called: mpsc::UnboundedSender<Handler>) -> Response<Body> {
    let kind = raw::kind_of(&request);
    let (responses, mut to_answer) = mpsc::channel(1);
    let (tell, requests) = mpsc::unbounded_channel();
    assert!(called.send(Handler { responses, requests }).is_ok());

    let mut body = request.into_body();
    let reading = async move {
        while let Some(frame) = body.frame().await {
            // A stream may end with a frame that has no message.
            let has_message =
                |frame: &Frame<Bytes>| frame.data_ref().is_some_and(|b| !b.is_empty());
            if !frame.as_ref().is_ok_and(|frame| !has_message(frame)) {
                tell.send(frame.as_ref().map(drop).map_err(Clone::clone)).ok();
            }
            frame?;
        }
        Ok(())
    };
    if kind.returns_a_stream() {
        tokio::spawn(reading);
        return raw::response(ReceiverStream::new(to_answer));
    }
    if let Err::<(), Status>(status) = reading.await {
        return status.into_http();
    }
    to_answer.recv().await.unwrap();
    raw::response(tokio_stream::once(()))
}

impl Service {
    async fn with_layer(layer: ServerLayer<JwtAuthenticator>) -> Self {
        let (call, called) = mpsc::unbounded_channel();
        let server = raw::serve_with(layer, move |request| handle(request, call.clone())).await;
        Self { server, called: Mutex::new(called) }
    }

    /// Makes a call, and waits until it has reached the handler.
    async fn open(&self, kind: Kind, fields: &[(&str, &str)]) -> OpenCall {
        // The lock pairs this call with its handler.
        let mut called = self.called.lock().await;
        let (requests, responses) = start_call(kind, self.server.client_without_timeout(), fields);
        let handler = timeout(SOON, called.recv()).await.unwrap().unwrap();
        let mut call = OpenCall { kind, requests, responses, handler };
        // The first message, which every call sends.
        call.handler.requests.recv().await.unwrap().unwrap();
        call
    }
}

/// Starts the client side of a call: a sender for the request stream, if there is one, and the
/// received messages.
fn start_call(
    kind: Kind,
    client: ClientWithoutTimeout,
    fields: &[(&str, &str)],
) -> (Option<mpsc::Sender<()>>, mpsc::UnboundedReceiver<Result<(), Status>>) {
    let (send, rest) = mpsc::channel(1);
    let (tell, responses) = mpsc::unbounded_channel();
    let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let fields: Vec<_> = fields.collect();
    tokio::spawn(async move {
        let fields: Vec<_> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
        let rest = ReceiverStream::new(rest);
        let mut messages = match raw::open_with(kind, client, &fields, rest).await {
            Ok(messages) => messages,
            Err(status) => return drop(tell.send(Err(status))),
        };
        while let Some(message) = messages.next().await {
            tell.send(message).ok();
        }
    });
    (kind.sends_a_stream().then_some(send), responses)
}

impl OpenCall {
    /// Asserts that messages still pass in each streaming direction.
    async fn assert_alive(&mut self, case: &str) {
        if let Some(requests) = &self.requests {
            requests.send(()).await.expect(case);
            let request = timeout(SOON, self.handler.requests.recv()).await.expect(case);
            request.expect(case).expect(case);
        }
        if self.kind.returns_a_stream() {
            self.handler.responses.send(()).await.expect(case);
            let response = timeout(SOON, self.responses.recv()).await.expect(case);
            response.expect(case).expect(case);
        }
    }

    /// Returns the next result that the client receives.
    async fn end(&mut self, case: &str) -> Result<(), Status> {
        timeout(SOON, self.responses.recv()).await.expect(case).expect(case)
    }

    /// Asserts that the call ends on both sides with `TOKEN_EXPIRED`.
    async fn assert_expires(&mut self, case: &str) {
        assert_expired(self.end(case).await, case);
        if self.requests.is_some() {
            let end = timeout(SOON, self.handler.requests.recv()).await.expect(case);
            assert_expired(end.expect(case), case);
        }
    }
}

/// Sleeps until a system time.
async fn sleep_until(time: SystemTime) {
    tokio::time::sleep(time.duration_since(SystemTime::now()).unwrap_or_default()).await;
}

/// Waits for all cases, and fails with the first that failed.
async fn join_all(mut cases: JoinSet<()>) {
    while let Some(done) = cases.join_next().await {
        done.unwrap();
    }
}

#[tokio::test]
async fn a_stream_ends_unauthenticated_after_the_grace_period() {
    let tokens = Tokens::new();
    let seconds = Duration::from_secs;
    let mut cases = JoinSet::new();
    for (name, lives, grace) in [
        ("the token expires meanwhile, no grace period", seconds(2), Duration::ZERO),
        ("the token expires meanwhile", seconds(1), seconds(1)),
        ("the token expires meanwhile, a short grace period", seconds(2), seconds(1) / 2),
    ] {
        for kind in STREAMS {
            let tokens = tokens.clone();
            cases.spawn(async move {
                let case = format!("{name}, {kind:?}");
                let service =
                    Service::with_layer(tokens.edge().stream_expiry_grace(Some(grace))).await;
                let (bearer, expiry) = tokens.expiring(SystemTime::now() + lives);
                let mut stream = service.open(kind, &[("authorization", &bearer)]).await;
                stream.assert_alive(&case).await;
                if !grace.is_zero() {
                    sleep_until(expiry + SKEW).await;
                    stream.assert_alive(&case).await;
                }

                stream.assert_expires(&case).await;
                assert!(SystemTime::now() + SKEW >= expiry + grace, "{case}: too early");
            });
        }
    }
    join_all(cases).await;
}

#[tokio::test]
async fn a_stream_opened_within_the_grace_period_gets_the_rest_of_it() {
    let tokens = Tokens::new();
    let mut cases = JoinSet::new();
    for kind in STREAMS {
        let tokens = tokens.clone();
        cases.spawn(async move {
            let case = format!("{kind:?}");
            let end = SystemTime::now() + Duration::from_millis(300);
            let (bearer, grace) = tokens.ending_in(Duration::from_millis(300));
            let service = Service::with_layer(tokens.edge().stream_expiry_grace(Some(grace))).await;
            let mut stream = service.open(kind, &[("authorization", &bearer)]).await;
            stream.assert_alive(&case).await;

            stream.assert_expires(&case).await;
            assert!(SystemTime::now() + SKEW >= end, "{case}: too early");
        });
    }
    join_all(cases).await;
}

#[tokio::test]
async fn a_stream_opened_after_the_grace_period_ends_at_once() {
    let tokens = Tokens::new();
    let (bearer, _) = tokens.expiring(SystemTime::now() - AGO);
    let service =
        Service::with_layer(tokens.edge().stream_expiry_grace(Some(Duration::ZERO))).await;
    let mut cases = JoinSet::new();
    for kind in STREAMS {
        let (client, bearer) = (service.server.client_without_timeout(), bearer.clone());
        cases.spawn(async move {
            let case = format!("{kind:?}");
            let (_requests, mut responses) =
                start_call(kind, client, &[("authorization", &bearer)]);
            let end = timeout(SOON, responses.recv()).await.expect(&case);
            assert_expired(end.expect(&case), &case);
        });
    }
    join_all(cases).await;
}

#[tokio::test]
async fn streams_outlive_their_token_without_a_limit_or_by_the_default_grace_period() {
    let tokens = Tokens::new();
    let (bearer, grace) = tokens.ending_in(Duration::from_secs(1));
    let fields = [("authorization", &*bearer)];
    let ending = Service::with_layer(tokens.edge().stream_expiry_grace(Some(grace))).await;
    let others = [
        ("off", Service::with_layer(tokens.edge().stream_expiry_grace(None)).await),
        ("turned off again", {
            let layer = tokens.edge().stream_expiry_grace(Some(Duration::ZERO));
            Service::with_layer(layer.stream_expiry_grace(None)).await
        }),
        ("by default", Service::with_layer(tokens.edge()).await),
    ];
    let mut open = Vec::new();
    for (name, service) in &others {
        for kind in STREAMS {
            open.push((format!("{name}, {kind:?}"), service.open(kind, &fields).await));
        }
    }
    // These are opened later, and end before the others are looked at.
    let mut expiring = Vec::new();
    for kind in STREAMS {
        expiring.push((format!("ending, {kind:?}"), ending.open(kind, &fields).await));
    }
    for (case, stream) in &mut expiring {
        stream.assert_expires(case).await;
    }
    for (case, stream) in &mut open {
        stream.assert_alive(case).await;
    }
}

/// The verifier's clock is stopped a day ago, when the token was valid.
#[tokio::test]
async fn the_verifiers_clock_decides_when_a_stream_ends() {
    let tokens = Tokens::new();
    let clock = Clock::at(SystemTime::now() - Duration::from_secs(24 * 60 * 60));
    let verifier = tokens.0.verifier().clock(clock.source());
    let layer =
        ServerLayer::new(JwtAuthenticator::new(verifier)).stream_expiry_grace(Some(Duration::ZERO));
    let service = Service::with_layer(layer).await;

    let bearer = |lifetime| {
        let token = tokens.0.token("alice").issued_at(clock.now());
        format!("Bearer {}", token.expires_in(Duration::from_secs(lifetime)).sign())
    };
    let (lasting, expiring) = (bearer(60 * 60), bearer(1));
    let mut streams = Vec::new();
    for kind in [Kind::ServerStreaming, Kind::Bidirectional] {
        let lasting = service.open(kind, &[("authorization", &lasting)]).await;
        let expiring = service.open(kind, &[("authorization", &expiring)]).await;
        streams.push((format!("{kind:?}"), lasting, expiring));
    }
    for (case, lasting, expiring) in &mut streams {
        expiring.assert_expires(case).await;
        lasting.assert_alive(case).await;
    }
}

#[tokio::test]
async fn the_default_grace_period_is_thirty_seconds() {
    let tokens = Tokens::new();
    let service = Service::with_layer(tokens.edge()).await;
    let (bearer, expiry) = tokens.expiring(SystemTime::now() - Duration::from_secs(28));
    let mut streams = Vec::new();
    for kind in STREAMS {
        streams.push(service.open(kind, &[("authorization", &bearer)]).await);
    }
    for stream in &mut streams {
        stream.assert_alive(&format!("{:?}", stream.kind)).await;
    }
    for stream in &mut streams {
        let case = format!("{:?}", stream.kind);
        stream.assert_expires(&case).await;
        let end = expiry + Duration::from_secs(30);
        assert!(SystemTime::now() + SKEW >= end, "{case}: too early");
    }
}

#[tokio::test]
async fn a_stream_ends_at_its_deadline_or_token_expiry_whichever_is_earlier() {
    let tokens = Tokens::new();
    let mut running = JoinSet::new();
    for kind in STREAMS {
        let cases = [
            ("the deadline", "200m", Duration::from_secs(20), Code::DeadlineExceeded),
            ("the token", "20S", Duration::from_millis(200), Code::Unauthenticated),
        ];
        for (name, value, left, expected) in cases {
            let tokens = tokens.clone();
            running.spawn(async move {
                let case = format!("{name}, {kind:?}");
                let (bearer, grace) = tokens.ending_in(left);
                let layer = tokens.edge().stream_expiry_grace(Some(grace));
                let service = Service::with_layer(layer).await;
                let fields = [("authorization", &*bearer), ("grpc-timeout", value)];
                let end = service.open(kind, &fields).await.end(&case).await;
                assert_eq!(end.expect_err(&case).code(), expected, "{case}");
            });
        }
    }
    join_all(running).await;
}

/// A response that starts after the token expired may last a second, but not beyond the deadline.
#[tokio::test]
async fn a_response_that_starts_after_the_token_expired_ends_at_the_deadline() {
    let tokens = Tokens::new();
    let (bearer, grace) = tokens.ending_in(Duration::from_millis(1100));
    let late = |_: Request<Body>| async {
        // After the token expired (a call gets a second at least) and before the deadline.
        tokio::time::sleep(Duration::from_millis(1200)).await;
        raw::response(tokio_stream::pending())
    };
    let server = raw::serve_with(tokens.edge().stream_expiry_grace(Some(grace)), late).await;
    let fields = [("authorization", &*bearer), ("grpc-timeout", "1300m")];
    let (_, end) = raw::read(Kind::ServerStreaming, server.client_without_timeout(), &fields).await;
    let status = end.unwrap_err();
    assert_eq!((status.code(), &*reason(&status)), (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"));
}

#[tokio::test]
async fn a_stream_that_is_always_ready_ends_when_its_token_expires() {
    let tokens = Tokens::new();
    let (bearer, grace) = tokens.ending_in(Duration::from_millis(300));
    let server = raw::serve_with(tokens.edge().stream_expiry_grace(Some(grace)), |_| async {
        raw::response(tokio_stream::iter(std::iter::repeat(())))
    })
    .await;
    let fields = [("authorization", &*bearer)];
    let response = raw::read(Kind::ServerStreaming, server.client_without_timeout(), &fields);
    let (messages, response) = timeout(SOON, response).await.unwrap();
    assert!(messages > 0);
    assert_expired(response, "always ready");
}

#[tokio::test]
async fn a_call_with_a_single_response_message_outlives_its_token() {
    let tokens = Tokens::new();
    let (bearer, grace) = tokens.ending_in(Duration::from_millis(300));
    let fields = [("authorization", &*bearer)];
    let service = Service::with_layer(tokens.edge().stream_expiry_grace(Some(grace))).await;
    let mut unary = service.open(Kind::Unary, &fields).await;
    // The request stream has ended.
    let mut upload = service.open(Kind::ClientStreaming, &fields).await;
    upload.requests = None;
    let read = timeout(SOON, upload.handler.requests.recv()).await.unwrap();
    assert!(read.is_none(), "{read:?}");
    let mut stream = service.open(Kind::ServerStreaming, &fields).await;
    stream.assert_expires("a stream with the same token").await;

    for (case, call) in [("unary", &mut unary), ("an upload", &mut upload)] {
        call.handler.responses.send(()).await.expect(case);
        assert!(call.end(case).await.is_ok(), "{case}");
        let rest = timeout(SOON, call.responses.recv()).await.expect(case);
        assert!(rest.is_none(), "{case}: {rest:?}");
    }
}

#[tokio::test]
async fn a_stream_that_expires_at_the_edge_is_dropped_in_the_services_behind_it() {
    let tokens = Tokens::new();
    let mut cases = JoinSet::new();
    // The request or the response of a relayed call may end first: several rounds.
    for round in 0..5 {
        for kind in [Kind::ServerStreaming, Kind::Bidirectional, Kind::ClientStreaming] {
            let (case, tokens) = (format!("{kind:?}, {round}"), tokens.clone());
            cases.spawn(async move { assert_dropped_upstream(kind, &tokens, &case).await });
        }
    }
    join_all(cases).await;
}

async fn assert_dropped_upstream(kind: Kind, tokens: &Tokens, case: &str) {
    let (guards, mut dropped) = Guards::new();
    let internal = ServerLayer::new(ForwardedContext::trust_private_network());
    let upstream = raw::serve_with(internal, move |request: Request<Body>| {
        let (held, kind) = (guards.guard("stream"), raw::kind_of(&request));
        tokio::spawn(request.into_body().collect());
        async move {
            if !kind.returns_a_stream() {
                pending::<()>().await;
            }
            raw::response(tokio_stream::once(()).chain(tokio_stream::pending()).map(move |()| {
                let _held = &held;
            }))
        }
    })
    .await;
    let channel = upstream.connect().await;
    let gateway = Gateway::builder().route("shop.v1.OrderService", channel);
    let routes = gateway.build().unwrap().into_routes();
    let (bearer, grace) = tokens.ending_in(Duration::from_millis(100));
    let layer = tokens.edge().stream_expiry_grace(Some(grace));
    let edge = TestServer::start(|incoming| {
        Server::builder().layer(layer).add_routes(routes).serve_with_incoming(incoming)
    })
    .await;
    let fields = [("authorization", &*bearer)];
    let response = raw::read(kind, edge.client_without_timeout(), &fields);
    let (messages, response) = timeout(SOON, response).await.expect(case);
    assert_eq!(messages, usize::from(kind.returns_a_stream()), "{case}");
    assert_expired(response, case);
    timeout(SOON, dropped.recv()).await.expect(case).unwrap();
}
