//! A stream outlives the token that opened it by as much as the edge allows, and no longer.

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
use crate::support::server::{Patient, TestServer};
use crate::support::{raw, reason};

const EXPIRED: (Code, &str) = (Code::Unauthenticated, "TOKEN_EXPIRED");
const CHALLENGE: &str =
    r#"Bearer error="invalid_token", error_description="the token has expired""#;

/// How long anything may take that must happen.
const SOON: Duration = Duration::from_secs(5);
/// How far apart the clocks may be that tell the time of day and the time that has passed.
const SKEW: Duration = Duration::from_millis(20);
/// How long ago a token expired that is used here. A verifier allows for 30 seconds.
const AGO: Duration = Duration::from_secs(8);

const STREAMS: [Kind; 3] = [Kind::ServerStreaming, Kind::ClientStreaming, Kind::Bidirectional];

#[track_caller]
fn assert_expired(answer: Result<(), Status>, case: &str) {
    let status = answer.expect_err(case);
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

    /// What a client sends whose token expires then, in whole seconds.
    fn expiring(&self, time: SystemTime) -> (String, SystemTime) {
        let seconds = time.duration_since(UNIX_EPOCH).unwrap().as_secs();
        let token = self.0.token("alice").claim("iat", seconds - 60).claim("exp", seconds);
        (format!("Bearer {}", token.sign()), UNIX_EPOCH + Duration::from_secs(seconds))
    }

    /// What a client sends whose token has expired, and the grace by which its streams go on for so
    /// long from now.
    fn ending_in(&self, left: Duration) -> (String, Duration) {
        let now = SystemTime::now();
        let (bearer, expiry) = self.expiring(now - AGO);
        (bearer, (now + left).duration_since(expiry).unwrap())
    }
}

/// A service whose handlers do what a test tells them to.
struct Service {
    server: TestServer,
    called: Mutex<mpsc::UnboundedReceiver<Handler>>,
}

/// A handler's side of a call.
struct Handler {
    answers: mpsc::Sender<()>,
    requests: mpsc::UnboundedReceiver<Result<(), Status>>,
}

/// A call that is under way.
struct Conversation {
    kind: Kind,
    requests: Option<mpsc::Sender<()>>,
    answers: mpsc::UnboundedReceiver<Result<(), Status>>,
    handler: Handler,
}

async fn handle(request: Request<Body>, called: mpsc::UnboundedSender<Handler>) -> Response<Body> {
    let kind = raw::kind_of(&request);
    let (answers, mut to_answer) = mpsc::channel(1);
    let (tell, requests) = mpsc::unbounded_channel();
    assert!(called.send(Handler { answers, requests }).is_ok());

    let mut body = request.into_body();
    let reading = async move {
        while let Some(frame) = body.frame().await {
            // What ends a stream may be a frame without a message.
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
        return raw::answer(ReceiverStream::new(to_answer));
    }
    if let Err::<(), Status>(status) = reading.await {
        return status.into_http();
    }
    to_answer.recv().await.unwrap();
    raw::answer(tokio_stream::once(()))
}

impl Service {
    async fn behind(layer: ServerLayer<JwtAuthenticator>) -> Self {
        let (call, called) = mpsc::unbounded_channel();
        let server = raw::serve_behind(layer, move |request| handle(request, call.clone())).await;
        Self { server, called: Mutex::new(called) }
    }

    /// Makes a call, and waits until it has reached the handler.
    async fn open(&self, kind: Kind, fields: &[(&str, &str)]) -> Conversation {
        // One after the other, so that it is known whose handler it is.
        let mut called = self.called.lock().await;
        let (requests, answers) = converse(kind, self.server.patient(), fields);
        let handler = timeout(SOON, called.recv()).await.unwrap().unwrap();
        let mut conversation = Conversation { kind, requests, answers, handler };
        // The message that every call begins with.
        conversation.handler.requests.recv().await.unwrap().unwrap();
        conversation
    }
}

/// A client's side of a call: what to send by, if it is a stream, and what is received.
fn converse(
    kind: Kind,
    client: Patient,
    fields: &[(&str, &str)],
) -> (Option<mpsc::Sender<()>>, mpsc::UnboundedReceiver<Result<(), Status>>) {
    let (send, rest) = mpsc::channel(1);
    let (tell, answers) = mpsc::unbounded_channel();
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
    (kind.sends_a_stream().then_some(send), answers)
}

impl Conversation {
    /// Demands that a message still passes in each direction in which they are streamed.
    async fn assert_alive(&mut self, case: &str) {
        if let Some(requests) = &self.requests {
            requests.send(()).await.expect(case);
            let request = timeout(SOON, self.handler.requests.recv()).await.expect(case);
            request.expect(case).expect(case);
        }
        if self.kind.returns_a_stream() {
            self.handler.answers.send(()).await.expect(case);
            let answer = timeout(SOON, self.answers.recv()).await.expect(case);
            answer.expect(case).expect(case);
        }
    }

    /// How it ends for the client.
    async fn end(&mut self, case: &str) -> Result<(), Status> {
        timeout(SOON, self.answers.recv()).await.expect(case).expect(case)
    }

    /// Demands that it ends on both sides, because of the token.
    async fn assert_expires(&mut self, case: &str) {
        assert_expired(self.end(case).await, case);
        if self.requests.is_some() {
            let end = timeout(SOON, self.handler.requests.recv()).await.expect(case);
            assert_expired(end.expect(case), case);
        }
    }
}

/// Waits until the time of day.
async fn until(time: SystemTime) {
    tokio::time::sleep(time.duration_since(SystemTime::now()).unwrap_or_default()).await;
}

#[tokio::test]
async fn a_stream_goes_on_for_the_grace_and_then_ends_unauthenticated() {
    let tokens = Tokens::new();
    let seconds = Duration::from_secs;
    let mut cases = JoinSet::new();
    for (name, lives, grace) in [
        ("the token expires meanwhile, and there is no grace", seconds(2), Duration::ZERO),
        ("the token expires meanwhile", seconds(1), seconds(1)),
        ("the token expires meanwhile, and the grace is short", seconds(2), seconds(1) / 2),
    ] {
        for kind in STREAMS {
            let tokens = tokens.clone();
            cases.spawn(async move {
                let case = format!("{name}, {kind:?}");
                let service = Service::behind(tokens.edge().stream_expiry_grace(Some(grace))).await;
                let (bearer, expiry) = tokens.expiring(SystemTime::now() + lives);
                let mut stream = service.open(kind, &[("authorization", &bearer)]).await;
                stream.assert_alive(&case).await;
                if !grace.is_zero() {
                    until(expiry + SKEW).await;
                    stream.assert_alive(&case).await;
                }

                stream.assert_expires(&case).await;
                assert!(SystemTime::now() + SKEW >= expiry + grace, "{case}: too early");
            });
        }
    }
    while let Some(done) = cases.join_next().await {
        done.unwrap();
    }
}

#[tokio::test]
async fn a_stream_that_is_opened_within_the_grace_has_what_is_left_of_it() {
    let tokens = Tokens::new();
    for kind in STREAMS {
        let case = format!("{kind:?}");
        let end = SystemTime::now() + Duration::from_millis(300);
        let (bearer, grace) = tokens.ending_in(Duration::from_millis(300));
        let service = Service::behind(tokens.edge().stream_expiry_grace(Some(grace))).await;
        let mut stream = service.open(kind, &[("authorization", &bearer)]).await;
        stream.assert_alive(&case).await;

        stream.assert_expires(&case).await;
        assert!(SystemTime::now() + SKEW >= end, "{case}: too early");
    }
}

#[tokio::test]
async fn a_stream_that_is_opened_when_the_grace_is_over_ends_at_once() {
    let tokens = Tokens::new();
    let (bearer, _) = tokens.expiring(SystemTime::now() - AGO);
    let service = Service::behind(tokens.edge().stream_expiry_grace(Some(Duration::ZERO))).await;
    for kind in STREAMS {
        let case = format!("{kind:?}");
        let (_requests, mut answers) =
            converse(kind, service.server.patient(), &[("authorization", &bearer)]);
        let end = timeout(SOON, answers.recv()).await.expect(&case);
        assert_expired(end.expect(&case), &case);
    }
}

#[tokio::test]
async fn streams_outlive_tokens_where_they_are_let_and_for_thirty_seconds_by_default() {
    let tokens = Tokens::new();
    let (bearer, grace) = tokens.ending_in(Duration::from_secs(1));
    let fields = [("authorization", &*bearer)];
    let ending = Service::behind(tokens.edge().stream_expiry_grace(Some(grace))).await;
    let others = [
        ("off", Service::behind(tokens.edge().stream_expiry_grace(None)).await),
        ("off, after all", {
            let layer = tokens.edge().stream_expiry_grace(Some(Duration::ZERO));
            Service::behind(layer.stream_expiry_grace(None)).await
        }),
        ("by default", Service::behind(tokens.edge()).await),
    ];
    let mut open = Vec::new();
    for (name, service) in &others {
        for kind in STREAMS {
            open.push((format!("{name}, {kind:?}"), service.open(kind, &fields).await));
        }
    }
    // They were opened before this one, which comes to its end before they are looked at.
    for kind in STREAMS {
        let case = format!("ending, {kind:?}");
        ending.open(kind, &fields).await.assert_expires(&case).await;
    }
    for (case, stream) in &mut open {
        stream.assert_alive(case).await;
    }
}

/// The verifier's clock stands still, a day ago, at a time when the token was good.
#[tokio::test]
async fn what_time_it_is_the_verifiers_clock_says() {
    let tokens = Tokens::new();
    let clock = Clock::at(SystemTime::now() - Duration::from_secs(24 * 60 * 60));
    let verifier = tokens.0.verifier().clock(clock.source());
    let layer =
        ServerLayer::new(JwtAuthenticator::new(verifier)).stream_expiry_grace(Some(Duration::ZERO));
    let service = Service::behind(layer).await;

    let bearer = |lifetime| {
        let token = tokens.0.token("alice").issued_at(clock.now());
        format!("Bearer {}", token.expires_in(Duration::from_secs(lifetime)).sign())
    };
    let (lasting, expiring) = (bearer(60 * 60), bearer(1));
    for kind in [Kind::ServerStreaming, Kind::Bidirectional] {
        let case = format!("{kind:?}");
        let mut lasting = service.open(kind, &[("authorization", &lasting)]).await;
        let mut expiring = service.open(kind, &[("authorization", &expiring)]).await;
        expiring.assert_expires(&case).await;
        lasting.assert_alive(&case).await;
    }
}

#[tokio::test]
async fn the_grace_is_thirty_seconds_by_default() {
    let tokens = Tokens::new();
    let service = Service::behind(tokens.edge()).await;
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
async fn whichever_is_earlier_ends_a_stream_its_deadline_or_its_token() {
    let tokens = Tokens::new();
    for kind in STREAMS {
        let cases = [
            ("the deadline", "200m", Duration::from_secs(20), Code::DeadlineExceeded),
            ("the token", "20S", Duration::from_millis(200), Code::Unauthenticated),
        ];
        for (name, value, left, expected) in cases {
            let case = format!("{name}, {kind:?}");
            let (bearer, grace) = tokens.ending_in(left);
            let service = Service::behind(tokens.edge().stream_expiry_grace(Some(grace))).await;
            let fields = [("authorization", &*bearer), ("grpc-timeout", value)];
            let end = service.open(kind, &fields).await.end(&case).await;
            assert_eq!(end.expect_err(&case).code(), expected, "{case}");
        }
    }
}

/// An answer that begins when the token has had its time has a second, but no more than its call.
#[tokio::test]
async fn an_answer_that_begins_late_ends_at_the_deadline_all_the_same() {
    let tokens = Tokens::new();
    let (bearer, grace) = tokens.ending_in(Duration::from_millis(1100));
    let late = |_: Request<Body>| async {
        // Later than the token, which has a second at least, and earlier than the deadline.
        tokio::time::sleep(Duration::from_millis(1200)).await;
        raw::answer(tokio_stream::pending())
    };
    let server = raw::serve_behind(tokens.edge().stream_expiry_grace(Some(grace)), late).await;
    let fields = [("authorization", &*bearer), ("grpc-timeout", "1300m")];
    let (_, end) = raw::read(Kind::ServerStreaming, server.patient(), &fields).await;
    let status = end.unwrap_err();
    assert_eq!((status.code(), &*reason(&status)), (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"));
}

#[tokio::test]
async fn a_stream_that_is_always_ready_ends_with_its_token_too() {
    let tokens = Tokens::new();
    let (bearer, grace) = tokens.ending_in(Duration::from_millis(300));
    let server = raw::serve_behind(tokens.edge().stream_expiry_grace(Some(grace)), |_| async {
        raw::answer(tokio_stream::iter(std::iter::repeat(())))
    })
    .await;
    let fields = [("authorization", &*bearer)];
    let answer = raw::read(Kind::ServerStreaming, server.patient(), &fields);
    let (messages, answer) = timeout(SOON, answer).await.unwrap();
    assert!(messages > 0);
    assert_expired(answer, "always ready");
}

#[tokio::test]
async fn what_is_answered_by_one_message_comes_to_its_end() {
    let tokens = Tokens::new();
    let (bearer, grace) = tokens.ending_in(Duration::from_millis(300));
    let fields = [("authorization", &*bearer)];
    let service = Service::behind(tokens.edge().stream_expiry_grace(Some(grace))).await;
    let mut unary = service.open(Kind::Unary, &fields).await;
    // All that its client sent is there.
    let mut upload = service.open(Kind::ClientStreaming, &fields).await;
    upload.requests = None;
    let read = timeout(SOON, upload.handler.requests.recv()).await.unwrap();
    assert!(read.is_none(), "{read:?}");
    let mut stream = service.open(Kind::ServerStreaming, &fields).await;
    stream.assert_expires("a stream with the same token").await;

    for (case, call) in [("unary", &mut unary), ("an upload", &mut upload)] {
        call.handler.answers.send(()).await.expect(case);
        assert!(call.end(case).await.is_ok(), "{case}");
        let rest = timeout(SOON, call.answers.recv()).await.expect(case);
        assert!(rest.is_none(), "{case}: {rest:?}");
    }
}

#[tokio::test]
async fn a_stream_that_ends_at_the_edge_ends_in_the_services_behind_it() {
    let (guards, mut left) = Guards::new();
    let internal = ServerLayer::new(ForwardedContext::trust_private_network());
    let upstream = raw::serve_behind(internal, move |request: Request<Body>| {
        let (held, kind) = (guards.guard("stream"), raw::kind_of(&request));
        tokio::spawn(request.into_body().collect());
        async move {
            if !kind.returns_a_stream() {
                pending::<()>().await;
            }
            raw::answer(tokio_stream::once(()).chain(tokio_stream::pending()).map(move |()| {
                let _held = &held;
            }))
        }
    })
    .await;
    let tokens = Tokens::new();
    // Either end of a call that is relayed may come first.
    for round in 0..5 {
        for kind in [Kind::ServerStreaming, Kind::Bidirectional, Kind::ClientStreaming] {
            let case = format!("{kind:?}, {round}");
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
            let answer = raw::read(kind, edge.patient(), &fields);
            let (messages, answer) = timeout(SOON, answer).await.expect(&case);
            assert_eq!(messages, usize::from(kind.returns_a_stream()), "{case}");
            assert_expired(answer, &case);
            timeout(SOON, left.recv()).await.expect(&case).unwrap();
        }
    }
}
