//! Deadlines: of calls, of their request and response streams, and of outgoing calls.

use std::convert::Infallible;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderValue, Request};
use http_body_util::BodyExt;
use proptest::prelude::*;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_stream::StreamExt;
use tonic::body::Body;
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, Server};
use tonic::{Code, Status};
use tonic_passport::propagation::RequestId;
use tonic_passport::{
    CallContext, ClientInterceptor, ClientLayer, Deadline, ForwardedContext, Gateway,
    ServerInterceptor, ServerLayer, UserContext,
};
use tower::ServiceExt;

use crate::support::clients::{BoxedClient, both};
use crate::support::guard::Guards;
use crate::support::probe::{Kind, Probe, call};
use crate::support::server::{TestServer, UnresponsiveServer};
use crate::support::shop::order_service_server::OrderServiceServer;
use crate::support::{assert_refused, raw, reason};

const EXCEEDED: (Code, &str) = (Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
const INVALID: (Code, &str) = (Code::InvalidArgument, "TIMEOUT_INVALID");

/// Time limit for events that must happen.
const SOON: Duration = Duration::from_secs(5);
/// The longest timeout: thirty years. Clocks overflow not far beyond.
const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);
/// The default margin: outgoing calls end that much before the call itself.
const MARGIN: Duration = Duration::from_millis(5);

const ALICE: (&str, &str) = ("x-user-id", "alice");

fn internal() -> ServerLayer<ForwardedContext> {
    ServerLayer::new(ForwardedContext::trust_private_network())
}

fn alice() -> UserContext {
    UserContext::builder("alice").build().unwrap()
}

/// The context of a call of alice's with this remaining time.
fn context(left: Duration) -> CallContext {
    CallContext::default().with_user(alice()).with_deadline(Deadline::after(left))
}

#[track_caller]
fn assert_fails_with(response: Result<(), Status>, (code, expected): (Code, &str), case: &str) {
    let status = response.expect_err(case);
    assert_eq!((status.code(), &*reason(&status)), (code, expected), "{case}: {status:?}");
}

/// Serves a probe behind the layer and behind the interceptor.
async fn servers(probe: &Probe) -> [(&'static str, TestServer); 2] {
    let interceptor = ServerInterceptor::new(ForwardedContext::trust_private_network());
    let service = OrderServiceServer::with_interceptor(probe.clone(), interceptor);
    let intercepted = TestServer::start(|incoming| {
        Server::builder().add_service(service).serve_with_incoming(incoming)
    });
    [("layer", probe.serve_with(internal()).await), ("interceptor", intercepted.await)]
}

const DAY: u64 = 24 * 60 * 60;

/// Valid timeouts, long enough for a response, and their duration.
const GOOD: [(&str, Duration); 17] = [
    ("5000000u", Duration::from_secs(5)),
    ("99999999u", Duration::from_micros(99_999_999)),
    ("5000m", Duration::from_secs(5)),
    ("00005000m", Duration::from_secs(5)),
    ("99999999m", Duration::from_millis(99_999_999)),
    ("5S", Duration::from_secs(5)),
    ("10S", Duration::from_secs(10)),
    ("00000005S", Duration::from_secs(5)),
    ("12345678S", Duration::from_secs(12_345_678)),
    ("99999999S", Duration::from_secs(99_999_999)),
    ("1M", Duration::from_secs(60)),
    ("12345678M", Duration::from_secs(12_345_678 * 60)),
    ("99999999M", FAR),
    ("1H", Duration::from_secs(60 * 60)),
    ("24H", Duration::from_secs(DAY)),
    ("00000001H", Duration::from_secs(60 * 60)),
    ("99999999H", FAR),
];

/// Timeouts of zero. Go clients send the first.
const ZERO: [&str; 9] = ["0n", "0u", "0m", "0S", "0M", "0H", "00n", "00000000S", "00000000H"];

const MALFORMED: [(&str, &[&str]); 48] = [
    ("empty", &[""]),
    ("no unit", &["5"]),
    ("eight digits and no unit", &["12345678"]),
    ("no digits", &["S"]),
    ("no digits, nanoseconds", &["n"]),
    ("nine digits", &["100000000n"]),
    ("nine digits, hours", &["999999999H"]),
    ("nine digits, leading zeros", &["000000005S"]),
    ("twenty digits", &["99999999999999999999S"]),
    ("seconds in lower case", &["1s"]),
    ("hours in lower case", &["1h"]),
    ("nanoseconds in upper case", &["1N"]),
    ("microseconds in upper case", &["1U"]),
    ("days", &["1d"]),
    ("two letters", &["1ms"]),
    ("the same unit twice", &["1SS"]),
    ("two timeouts in one", &["1S1m"]),
    ("the unit first", &["S1"]),
    ("the unit alone in between", &["1S1"]),
    ("an unknown unit", &["1x"]),
    ("a sign for a unit", &["1%"]),
    ("negative", &["-1S"]),
    ("negative zero", &["-0S"]),
    ("a minus behind the digits", &["1-S"]),
    ("a plus sign", &["+1S"]),
    ("a blank in front", &[" 1S"]),
    ("a blank behind", &["1S "]),
    ("a blank inside", &["1 S"]),
    ("a blank between digits", &["1 0S"]),
    ("a tab in front", &["\t1S"]),
    ("a tab behind", &["1S\t"]),
    ("a tab inside", &["1\tS"]),
    ("a blank only", &[" "]),
    ("hexadecimal", &["0x1S"]),
    ("hexadecimal digits", &["aS"]),
    ("a decimal point", &["1.5S"]),
    ("a decimal comma", &["1,5S"]),
    ("an exponent", &["1e3m"]),
    ("an underscore", &["1_000m"]),
    ("Arabic digits", &["\u{661}S"]),
    ("full-width digits", &["\u{ff11}S"]),
    ("a micro sign", &["1\u{b5}"]),
    ("a full-width unit", &["1\u{ff33}"]),
    ("no number", &["NaNS"]),
    ("a list", &["1S,2S"]),
    ("repeated", &["5S", "5S"]),
    ("two different ones", &["5S", "10S"]),
    ("a valid one and an invalid one", &["5S", "x"]),
];

#[tokio::test]
async fn a_timeout_becomes_the_deadline_of_the_call() {
    let probe = Probe::default();
    for (middleware, server) in servers(&probe).await {
        let client = server.client_without_timeout();
        for kind in Kind::ALL {
            for (value, meaning) in GOOD {
                let case = format!("{middleware}, {kind:?}, {value}");
                let fields = [ALICE, ("grpc-timeout", value)];
                let before = Instant::now();
                call(kind, client.clone(), &fields).await.expect(&case);
                let after = Instant::now();

                let seen = probe.take_one();
                let deadline = seen.call.deadline().expect(&case).instant();
                assert!(before + meaning <= deadline, "{case}");
                assert!(deadline <= after + meaning, "{case}");
                if middleware == "layer" {
                    assert_eq!(seen.current_call.deadline(), seen.call.deadline(), "{case}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_call_without_a_timeout_has_no_deadline() {
    let probe = Probe::default();
    for (middleware, server) in servers(&probe).await {
        for kind in Kind::ALL {
            let case = format!("{middleware}, {kind:?}");
            call(kind, server.client_without_timeout(), &[ALICE]).await.expect(&case);
            let seen = probe.take_one();
            assert_eq!(seen.call.deadline(), None, "{case}");
            assert_eq!(seen.current_call.deadline(), None, "{case}");
        }
    }
}

#[tokio::test]
async fn a_timeout_of_zero_is_refused_at_once_and_reaches_no_handler() {
    let probe = Probe::default();
    for (middleware, server) in servers(&probe).await {
        let client = server.client_without_timeout();
        for kind in Kind::ALL {
            for value in ZERO {
                let case = format!("{middleware}, {kind:?}, {value}");
                let fields = [ALICE, ("grpc-timeout", value)];
                let response = timeout(SOON, call(kind, client.clone(), &fields)).await;
                assert_refused(response.expect(&case), EXCEEDED, &probe, &case);
            }
        }
    }
}

#[tokio::test]
async fn a_malformed_timeout_is_an_invalid_argument_and_reaches_no_handler() {
    let probe = Probe::default();
    for (middleware, server) in servers(&probe).await {
        let client = server.client_without_timeout();
        for kind in Kind::ALL {
            for (name, values) in MALFORMED {
                let case = format!("{middleware}, {kind:?}, {name}");
                let timeouts = values.iter().map(|value| ("grpc-timeout", *value));
                let fields: Vec<_> = timeouts.chain([ALICE]).collect();
                let response = call(kind, client.clone(), &fields).await;
                assert_refused(response, INVALID, &probe, &case);
            }
        }
    }
}

#[tokio::test]
async fn a_malformed_timeout_is_not_sent() {
    let probe = Probe::default();
    let server = probe.serve().await;
    let channel = server.connect().await.map_response(|response| response.map(Body::new));

    for (middleware, channel) in both(channel, &ClientLayer::new(), ClientInterceptor::new()) {
        for kind in Kind::ALL {
            for (name, values) in MALFORMED {
                let case = format!("{middleware}, {kind:?}, {name}");
                let fields: Vec<_> = values.iter().map(|value| ("grpc-timeout", *value)).collect();
                let response = alice().scope(call(kind, channel.clone(), &fields)).await;
                assert_refused(response, INVALID, &probe, &case);
            }
        }
    }
}

/// tonic's server has a timer too, which responds with `CANCELLED`. Many calls, so that the two
/// timers race at every fraction of a tick.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_call_fails_with_deadline_exceeded_not_cancelled() {
    let server = raw::serve_with(internal(), |_| pending()).await;
    let client = server.client_without_timeout();
    let mut calls = JoinSet::new();
    for index in 0..400_u32 {
        let (kind, client) = (Kind::ALL[index as usize % 4], client.clone());
        calls.spawn(async move {
            let value = format!("{}u", 20_000 + index * 97);
            let fields = [ALICE, ("grpc-timeout", &*value)];
            let response = timeout(SOON, raw::read(kind, client, &fields)).await;
            (format!("{kind:?}, {value}"), response.unwrap())
        });
    }
    while let Some(finished) = calls.join_next().await {
        let (case, (messages, response)) = finished.unwrap();
        assert_fails_with(response, EXCEEDED, &case);
        assert_eq!(messages, 0, "{case}");
    }
}

#[tokio::test]
async fn a_call_fails_after_its_timeout_and_not_before() {
    let server = raw::serve_with(internal(), |_| pending()).await;
    let client = server.client_without_timeout();
    let cases = [
        ("1n", Duration::from_nanos(1)),
        ("99999999n", Duration::from_nanos(99_999_999)),
        ("1u", Duration::from_micros(1)),
        ("999u", Duration::from_micros(999)),
        ("1m", Duration::from_millis(1)),
        ("2m", Duration::from_millis(2)),
        ("00000100m", Duration::from_millis(100)),
    ];
    for kind in Kind::ALL {
        for (value, meaning) in cases {
            let case = format!("{kind:?}, {value}");
            let fields = [ALICE, ("grpc-timeout", value)];
            let before = Instant::now();
            let response = timeout(SOON, raw::read(kind, client.clone(), &fields)).await;
            assert!(before.elapsed() >= meaning, "{case}");
            assert_fails_with(response.expect(&case).1, EXCEEDED, &case);
        }
    }
}

#[tokio::test]
async fn a_response_stream_ends_at_the_deadline_after_its_messages() {
    let server = raw::serve_with(internal(), |_| async {
        raw::response(tokio_stream::iter([(), (), ()]).chain(tokio_stream::pending()))
    })
    .await;

    for kind in Kind::ALL {
        let case = format!("{kind:?}");
        let before = Instant::now();
        let response =
            raw::read(kind, server.client_without_timeout(), &[ALICE, ("grpc-timeout", "100m")]);
        let (messages, response) = timeout(SOON, response).await.expect(&case);
        assert!(before.elapsed() >= Duration::from_millis(100), "{case}");
        assert_eq!(messages, 3, "{case}");
        assert_fails_with(response, EXCEEDED, &case);
    }
}

#[tokio::test]
async fn a_response_stream_that_is_always_ready_ends_at_the_deadline() {
    let server = raw::serve_with(internal(), |_| async {
        raw::response(tokio_stream::iter(std::iter::repeat(())))
    })
    .await;

    for kind in Kind::ALL {
        let case = format!("{kind:?}");
        let response =
            raw::read(kind, server.client_without_timeout(), &[ALICE, ("grpc-timeout", "50m")]);
        let (messages, response) = timeout(SOON, response).await.expect(&case);
        assert!(messages > 0, "{case}");
        assert_fails_with(response, EXCEEDED, &case);
    }
}

/// Reads a request to its end. Returns the number of frames and the result.
async fn drain(mut body: Body) -> (usize, Result<(), Status>) {
    let mut frames = 0;
    while let Some(frame) = body.frame().await {
        if let Err(status) = frame {
            return (frames, Err(status));
        }
        frames += 1;
    }
    (frames, Ok(()))
}

#[tokio::test]
async fn a_handler_that_waits_for_an_endless_request_stream_ends_at_the_deadline() {
    let probe = Probe::default();
    let server = probe.serve_with(internal()).await;

    for kind in [Kind::ClientStreaming, Kind::Bidirectional] {
        let case = format!("{kind:?}");
        let response =
            raw::read(kind, server.client_without_timeout(), &[ALICE, ("grpc-timeout", "100m")]);
        let (messages, response) = timeout(SOON, response).await.expect(&case);
        assert_eq!(messages, usize::from(kind.returns_a_stream()), "{case}");
        assert_fails_with(response, EXCEEDED, &case);
        assert_eq!(probe.calls(), 1, "{case}");
        probe.take_one();
    }
}

#[tokio::test]
async fn a_request_stream_ends_at_the_deadline_in_a_task_that_outlives_the_call() {
    for kind in [Kind::ClientStreaming, Kind::Bidirectional] {
        for responds in [false, true] {
            let case = format!("{kind:?}, responds: {responds}");
            let (sender, mut receiver) = mpsc::channel(1);
            let server = raw::serve_with(internal(), move |request| {
                let sender = sender.clone();
                // A task without the context.
                tokio::spawn(async move { sender.send(drain(request.into_body()).await).await });
                async move {
                    if !responds {
                        pending::<()>().await;
                    }
                    raw::response(tokio_stream::pending())
                }
            })
            .await;

            let response = raw::read(
                kind,
                server.client_without_timeout(),
                &[ALICE, ("grpc-timeout", "100m")],
            );
            assert_fails_with(timeout(SOON, response).await.expect(&case).1, EXCEEDED, &case);
            let (frames, end) = timeout(SOON, receiver.recv()).await.expect(&case).unwrap();
            assert_eq!(frames, 1, "{case}");
            assert_fails_with(end, EXCEEDED, &case);
        }
    }
}

#[tokio::test]
async fn the_servers_timeout_limits_the_clients_timeout() {
    let (short, long) = (Duration::from_secs(10), Duration::from_secs(1000));
    let cases = [
        ("shorter than the client's", short, Some("1000S"), short),
        ("longer than the client's", long, Some("10S"), short),
        ("without a client's", short, None, short),
    ];
    for (name, allowed, asked, expected) in cases {
        let probe = Probe::default();
        let interceptor = ServerInterceptor::new(ForwardedContext::trust_private_network());
        let service =
            OrderServiceServer::with_interceptor(probe.clone(), interceptor.timeout(allowed));
        let intercepted = TestServer::start(|incoming| {
            Server::builder().add_service(service).serve_with_incoming(incoming)
        });
        let layered = probe.serve_with(internal().timeout(allowed)).await;
        for (middleware, server) in [("layer", layered), ("interceptor", intercepted.await)] {
            for kind in Kind::ALL {
                let case = format!("{name}, {middleware}, {kind:?}");
                let fields = asked.map(|value| ("grpc-timeout", value)).into_iter().chain([ALICE]);
                let fields: Vec<_> = fields.collect();
                let before = Instant::now();
                call(kind, server.client_without_timeout(), &fields).await.expect(&case);
                let after = Instant::now();
                let deadline = probe.take_one().call.deadline().expect(&case).instant();
                assert!(before + expected <= deadline, "{case}");
                assert!(deadline <= after + expected, "{case}");
            }
        }
    }
}

#[tokio::test]
async fn the_servers_timeout_ends_calls_and_streams_without_a_deadline() {
    let layer = || internal().timeout(Duration::from_millis(100));
    let silent = raw::serve_with(layer(), |_| pending()).await;
    let endless = raw::serve_with(layer(), |_| async {
        raw::response(tokio_stream::once(()).chain(tokio_stream::pending()))
    })
    .await;

    let mut calls = JoinSet::new();
    for (name, server, expected) in [("no response", &silent, 0), ("an endless one", &endless, 1)] {
        for kind in Kind::ALL {
            for fields in [&[ALICE][..], &[ALICE, ("grpc-timeout", "1H")]] {
                let case = format!("{name}, {kind:?}, {fields:?}");
                let client = server.client_without_timeout();
                calls.spawn(async move {
                    let response = timeout(SOON, raw::read(kind, client, fields)).await;
                    let (messages, response) = response.expect(&case);
                    assert_eq!(messages, expected, "{case}");
                    assert_fails_with(response, EXCEEDED, &case);
                });
            }
        }
    }
    while let Some(finished) = calls.join_next().await {
        finished.unwrap();
    }
}

/// At the deadline, a gateway ends both the relayed request and the relayed response, in either
/// order.
#[tokio::test]
async fn a_relayed_call_fails_with_deadline_exceeded_not_with_an_upstream_error() {
    let upstream = raw::serve(|request: Request<Body>| async {
        let kind = raw::kind_of(&request);
        tokio::spawn(drain(request.into_body()));
        if !kind.returns_a_stream() {
            pending::<()>().await;
        }
        raw::response(tokio_stream::once(()).chain(tokio_stream::pending()))
    })
    .await;
    let channel = upstream.connect().await;
    let gateway = Gateway::builder().route("shop.v1.OrderService", channel).build().unwrap();
    let edge = TestServer::start(|incoming| {
        let layer = internal();
        let routes = gateway.into_routes();
        Server::builder().layer(layer).add_routes(routes).serve_with_incoming(incoming)
    })
    .await;
    let client = edge.client_without_timeout();

    let mut calls = JoinSet::new();
    for round in 0..8 {
        for kind in Kind::ALL {
            let client = client.clone();
            calls.spawn(async move {
                let case = format!("{kind:?}, {round}");
                let fields = [ALICE, ("grpc-timeout", "200m")];
                let response = timeout(SOON, raw::read(kind, client, &fields)).await;
                let (messages, response) = response.expect(&case);
                assert_eq!(messages, usize::from(kind.returns_a_stream()), "{case}");
                assert_fails_with(response, EXCEEDED, &case);
            });
        }
    }
    while let Some(finished) = calls.join_next().await {
        finished.unwrap();
    }
}

/// Parses a timeout according to the gRPC specification.
fn read(value: &HeaderValue) -> Duration {
    let (digits, unit) = value.to_str().unwrap().split_at(value.len() - 1);
    assert!((1..=8).contains(&digits.len()), "{value:?}");
    let number: u64 = digits.parse().unwrap();
    match unit {
        "n" => Duration::from_nanos(number),
        "u" => Duration::from_micros(number),
        "m" => Duration::from_millis(number),
        "S" => Duration::from_secs(number),
        "M" => Duration::from_secs(number * 60),
        "H" => Duration::from_secs(number * 60 * 60),
        _ => panic!("{value:?}"),
    }
}

/// An outgoing call: its `grpc-timeout`, and the time before and after it was sent.
struct Sent {
    timeout: Option<HeaderValue>,
    before: Instant,
    after: Instant,
}

/// Sends a request through the layer and the interceptor, to a channel that records it.
async fn send(
    margin: Option<Duration>,
    context: &CallContext,
    own: Option<&str>,
) -> [(&'static str, Result<Sent, Status>); 2] {
    let (mut layer, mut interceptor) = (ClientLayer::new(), ClientInterceptor::new());
    if let Some(margin) = margin {
        (layer, interceptor) = (layer.deadline_margin(margin), interceptor.deadline_margin(margin));
    }
    let seen: Arc<Mutex<Vec<Option<HeaderValue>>>> = Arc::default();
    let log = Arc::clone(&seen);
    let channel = tower::service_fn(move |request: Request<Body>| {
        log.lock().unwrap().push(request.headers().get("grpc-timeout").cloned());
        async { Ok::<_, Infallible>(raw::response(tokio_stream::empty())) }
    });
    let [layer, interceptor] = both(channel, &layer, interceptor);

    let ask = async |(name, middleware): (&'static str, BoxedClient<Infallible>)| {
        let mut request = raw::post(raw::METHOD);
        if let Some(own) = own {
            request = request.header("grpc-timeout", own);
        }
        let request = request.body(Body::empty()).unwrap();
        let before = Instant::now();
        let response = context.clone().scope(raw::send(middleware, request)).await;
        let after = Instant::now();
        let status = response.status();
        let mut seen = std::mem::take(&mut *seen.lock().unwrap());
        let sent = match status.code() {
            Code::Ok => Ok(Sent { timeout: seen.pop().unwrap(), before, after }),
            _ => Err(status),
        };
        assert!(seen.is_empty(), "{name}: sent {seen:?}");
        (name, sent)
    };
    [ask(layer).await, ask(interceptor).await]
}

#[tokio::test]
async fn an_outgoing_call_gets_the_remaining_time_minus_a_margin() {
    let day = Duration::from_secs(DAY);
    let seconds = Duration::from_secs;
    let cases = [
        ("no timeout of its own", None, seconds(10), None, MARGIN),
        ("its own is longer", None, seconds(10), Some("60S"), MARGIN),
        ("its own is the longest", None, seconds(10), Some("99999999H"), MARGIN),
        ("a margin of its own", Some(seconds(3)), seconds(10), None, seconds(3)),
        ("its own is within the margin", Some(seconds(3)), seconds(10), Some("9S"), seconds(3)),
        ("no margin", Some(Duration::ZERO), seconds(10), None, Duration::ZERO),
        ("a long time", None, day, None, MARGIN),
        ("hardly any time", None, Duration::from_millis(900), None, MARGIN),
    ];
    for (name, margin, left, own, expected) in cases {
        let context = context(left);
        let deadline = context.deadline().unwrap().instant();
        for (middleware, sent) in send(margin, &context, own).await {
            let case = format!("{name}, {middleware}");
            let sent = sent.expect(&case);
            let time = read(&sent.timeout.expect(&case));
            assert!(time + expected <= deadline - sent.before, "{case}: {time:?}");
            // Timeouts longer than 100 seconds are truncated to milliseconds.
            let unit = Duration::from_millis(1);
            assert!(time + expected + unit >= deadline - sent.after, "{case}: {time:?}");
        }
    }
}

#[tokio::test]
async fn a_shorter_explicit_timeout_is_sent_unchanged() {
    let anonymous = CallContext::default().with_user(alice());
    let contexts = [("a deadline", context(Duration::from_secs(60))), ("none", anonymous)];
    for (name, context) in contexts {
        for own in ["7S", "0007S", "7000m", "7000000u", "99999999n"] {
            for (middleware, sent) in send(None, &context, Some(own)).await {
                let case = format!("{name}, {own}, {middleware}");
                assert_eq!(sent.expect(&case).timeout.expect(&case), own, "{case}");
            }
        }
    }
}

#[tokio::test]
async fn an_outgoing_call_without_a_deadline_has_no_timeout() {
    let context = CallContext::default().with_user(alice());
    for (middleware, sent) in send(None, &context, None).await {
        assert_eq!(sent.expect(middleware).timeout, None, "{middleware}");
    }
}

#[tokio::test]
async fn an_outgoing_call_without_remaining_time_is_refused_without_a_connection() {
    let ms = Duration::from_millis;
    let unbounded = CallContext::default().with_user(alice());
    let cases = [
        ("the deadline has passed", MARGIN, context(Duration::ZERO), None),
        ("it is as far away as the margin", ms(1000), context(ms(1000)), None),
        ("it is within the margin", Duration::from_secs(60), context(ms(1000)), None),
        ("its own is shorter", Duration::from_secs(60), context(ms(1000)), Some("1m")),
        ("its own is nothing", MARGIN, context(Duration::from_secs(60)), Some("0n")),
        ("its own is nothing, and there is no other", MARGIN, unbounded, Some("0S")),
    ];
    for (name, margin, context, own) in cases {
        let silent = UnresponsiveServer::start().await;
        let layer = ClientLayer::new().deadline_margin(margin);
        let interceptor = ClientInterceptor::new().deadline_margin(margin);
        for (middleware, channel) in both(silent.channel(), &layer, interceptor) {
            for kind in Kind::ALL {
                let case = format!("{name}, {middleware}, {kind:?}");
                let own = own.map(|value| ("grpc-timeout", value));
                let response = call(kind, channel.clone(), own.as_slice());
                let response = timeout(SOON, context.clone().scope(response)).await.expect(&case);
                assert_fails_with(response.map(drop), EXCEEDED, &case);
            }
        }
        assert_eq!(silent.connections().await, 0, "{name}");
    }
}

#[tokio::test]
async fn a_timeout_copied_from_the_incoming_request_is_shortened() {
    let probe = Probe::default();
    let upstream = probe.serve().await;
    let channel = ClientLayer::new().wrap(upstream.connect().await);
    let server = raw::serve_with(internal(), move |request| {
        let (metadata, _) = request.into_parts();
        let channel = channel.clone();
        async move {
            let metadata = MetadataMap::from_headers(metadata.headers).into_headers();
            let fields: Vec<_> = metadata
                .iter()
                .filter(|(name, _)| *name != "te" && *name != "content-type")
                .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
                .collect();
            call(Kind::Unary, channel, &fields).await.unwrap();
            raw::response(tokio_stream::empty())
        }
    })
    .await;

    let stale = [ALICE, ("grpc-timeout", "60S")];
    let (_, response) = raw::read(Kind::Unary, server.client_without_timeout(), &stale).await;
    response.unwrap();
    let sent = read(&probe.take_one().metadata["grpc-timeout"]);
    assert!(sent + MARGIN <= Duration::from_secs(60), "{sent:?}");
    assert!(sent + SOON > Duration::from_secs(60), "{sent:?}");
}

#[tokio::test]
async fn a_deadline_shrinks_with_every_hop() {
    const HOPS: usize = 5;
    let next: Arc<Mutex<Option<Channel>>> = Arc::default();
    let seen: Arc<Mutex<Vec<Duration>>> = Arc::default();
    let (to, log) = (Arc::clone(&next), Arc::clone(&seen));
    // The service calls itself.
    let server = raw::serve_with(internal(), move |request| {
        let hops = {
            let mut seen = log.lock().unwrap();
            seen.push(read(&request.headers()["grpc-timeout"]));
            seen.len()
        };
        let channel = ClientLayer::new().wrap(to.lock().unwrap().clone().unwrap());
        async move {
            if hops < HOPS {
                raw::read(Kind::Unary, channel, &[]).await.1.unwrap();
            }
            raw::response(tokio_stream::empty())
        }
    })
    .await;
    *next.lock().unwrap() = Some(server.connect().await);

    let fields = [ALICE, ("grpc-timeout", "60S")];
    let (_, response) = raw::read(Kind::Unary, server.client_without_timeout(), &fields).await;
    response.unwrap();
    let seen = seen.lock().unwrap();
    assert_eq!((seen.len(), seen[0]), (HOPS, Duration::from_secs(60)));
    for hop in seen.windows(2) {
        assert!(hop[1] + MARGIN <= hop[0], "{seen:?}");
    }
}

/// The wrapped channel has a timer too, which returns an error. Many calls, so that either may fire
/// first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_to_an_unresponsive_service_fails_with_deadline_exceeded() {
    let silent = UnresponsiveServer::start().await;
    let channel = ClientLayer::new().wrap(silent.channel());
    let mut calls = JoinSet::new();
    for index in 0..200_u32 {
        let (kind, channel) = (Kind::ALL[index as usize % 4], channel.clone());
        calls.spawn(async move {
            let left = Duration::from_micros(u64::from(20_000 + index * 97));
            let own = format!("{}u", left.as_micros());
            let (name, context, fields) = if index % 8 < 4 {
                ("the deadline of the call", context(left), vec![])
            } else {
                let context = CallContext::default().with_user(alice());
                ("a timeout of its own", context, vec![("grpc-timeout", &*own)])
            };
            let response = context.scope(raw::read(kind, channel, &fields));
            let (_, response) = timeout(SOON, response).await.unwrap();
            (format!("{name}, {kind:?}, {own}"), response)
        });
    }
    while let Some(finished) = calls.join_next().await {
        let (case, response) = finished.unwrap();
        assert_fails_with(response, EXCEEDED, &case);
    }
}

#[tokio::test]
async fn a_response_stream_ends_at_the_deadline_in_any_task() {
    let (guards, mut gone) = Guards::new();
    // The server does not enforce the deadline once the response has started.
    let upstream = raw::serve(move |_| {
        let held = guards.guard("response stream");
        let messages = tokio_stream::once(()).chain(tokio_stream::pending()).map(move |()| {
            let _held = &held;
        });
        async { raw::response(messages) }
    })
    .await;
    let channel = ClientLayer::new().wrap(upstream.connect().await);

    for kind in Kind::ALL {
        let case = format!("{kind:?}");
        let opening = raw::open(kind, channel.clone(), &[]);
        let response = context(Duration::from_millis(100)).scope(opening).await;
        let mut response = response.expect(&case);
        // The response is read outside of the scope of the call.
        assert_eq!(response.message().await.expect(&case), Some(()), "{case}");
        let end = timeout(SOON, response.message()).await.expect(&case);
        assert_fails_with(end.map(drop), EXCEEDED, &case);
        // The service is cancelled while the response is still held.
        timeout(SOON, gone.recv()).await.expect(&case).unwrap();
    }
}

#[tokio::test]
async fn a_handler_can_respond_within_the_margin_after_its_outgoing_call_expired() {
    let silent = UnresponsiveServer::start().await;
    let margin = Duration::from_millis(700);
    let channel = ClientLayer::new().deadline_margin(margin).wrap(silent.channel());
    let server = raw::serve_with(internal(), move |_| {
        let channel = channel.clone();
        async move {
            let (_, response) = raw::read(Kind::Unary, channel, &[]).await;
            assert_fails_with(response, EXCEEDED, "the call that it makes");
            raw::response(tokio_stream::once(()))
        }
    })
    .await;

    for kind in Kind::ALL {
        let response =
            raw::read(kind, server.client_without_timeout(), &[ALICE, ("grpc-timeout", "800m")]);
        let (messages, response) = timeout(SOON, response).await.unwrap();
        assert!(response.is_ok(), "{kind:?}: {response:?}");
        assert_eq!(messages, 1, "{kind:?}");
    }
}

#[tokio::test]
async fn detached_work_keeps_user_and_request_id_without_the_deadline() {
    let probe = Probe::default();
    let upstream = probe.serve().await;
    let channel = upstream.connect().await;
    let (layer, interceptor) = (ClientLayer::new(), ClientInterceptor::new());
    let channel = channel.map_response(|response| response.map(Body::new));
    for (middleware, channel) in both(channel, &layer, interceptor) {
        let (sender, mut receiver) = mpsc::channel(1);
        let server = raw::serve_with(internal(), move |_| {
            let (channel, sender) = (channel.clone(), sender.clone());
            let deadline = CallContext::current().deadline().unwrap().instant();
            let work = CallContext::current().detached().scope(async move {
                // Longer than the timeout of the call.
                tokio::time::sleep_until(deadline + Duration::from_millis(20)).await;
                let response = call(Kind::Unary, channel, &[]).await;
                sender.send((CallContext::current().deadline(), response)).await
            });
            tokio::spawn(work);
            pending()
        })
        .await;

        for kind in Kind::ALL {
            let case = format!("{middleware}, {kind:?}");
            let fields = [ALICE, ("x-request-id", "r-1"), ("grpc-timeout", "50m")];
            let (_, response) = raw::read(kind, server.client_without_timeout(), &fields).await;
            assert_fails_with(response, EXCEEDED, &case);
            let (deadline, response) = timeout(SOON, receiver.recv()).await.expect(&case).unwrap();
            response.expect(&case);
            assert_eq!(deadline, None, "{case}");
            let seen = probe.take_one().metadata;
            assert!(!seen.contains_key("grpc-timeout"), "{case}: {seen:?}");
            assert_eq!(seen["x-user-id"], "alice", "{case}");
            assert_eq!(seen["x-request-id"], "r-1", "{case}");
        }
    }
}

#[tokio::test]
async fn a_background_job_has_its_own_deadline() {
    let silent = UnresponsiveServer::start().await;
    let channel = ClientLayer::new().wrap(silent.channel());
    let job = |time| {
        let id: RequestId = "job-1".parse().unwrap();
        let job = CallContext::default().with_user(alice()).with_request_id(id);
        job.with_deadline(Deadline::after(time))
    };
    let ms = Duration::from_millis;
    for (name, job) in [
        ("one deadline", job(ms(50))),
        ("a later one as well", job(ms(50)).with_deadline(Deadline::after(SOON * 2))),
        ("an earlier one as well", job(SOON * 2).with_deadline(Deadline::after(ms(50)))),
    ] {
        for kind in Kind::ALL {
            let case = format!("{name}, {kind:?}");
            let (sender, receiver) = oneshot::channel();
            let call = job.clone().scope(raw::read(kind, channel.clone(), &[]));
            tokio::spawn(async move { sender.send(call.await) });
            let (_, response) = timeout(SOON, receiver).await.expect(&case).unwrap();
            assert_fails_with(response, EXCEEDED, &case);
        }
    }
}

/// Timeouts of every size, from zero to overflow.
fn durations() -> impl Strategy<Value = Duration> {
    (0_u32..64, any::<u64>()).prop_map(|(shift, number)| Duration::from_nanos(number >> shift))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_outgoing_call_gets_more_than_the_remaining_time(
        left in durations(),
        margin in durations(),
        own in proptest::option::of((0_u32..100_000_000, 0_usize..6)),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let own = own.map(|(number, unit)| format!("{number}{}", &"numSMH"[unit..=unit]));
        let context = context(left);
        let deadline = context.deadline().unwrap().instant();
        for (middleware, sent) in runtime.block_on(send(Some(margin), &context, own.as_deref())) {
            match sent {
                Ok(sent) => {
                    let value = sent.timeout.unwrap();
                    let time = read(&value);
                    let left = deadline.saturating_duration_since(sent.before);
                    prop_assert!(!time.is_zero(), "{}", middleware);
                    prop_assert!(time <= left.saturating_sub(margin), "{}: {:?}", middleware, value);
                    if let Some(own) = &own {
                        prop_assert!(time <= read(&own.parse().unwrap()), "{}: {:?}", middleware, value);
                    }
                }
                Err(status) => prop_assert_eq!(status.code(), Code::DeadlineExceeded, "{}", middleware),
            }
        }
    }
}
