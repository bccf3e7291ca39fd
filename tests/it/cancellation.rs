//! Cancellation: a call that ends early cancels the tasks and calls that it started.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full};
use tokio::sync::{Notify, mpsc};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::transport::{Channel, Server};
use tonic::{Code, Status};
use tonic_passport::{
    CallContext, ClientInterceptor, ClientLayer, ForwardedContext, Gateway, JwtAuthenticator,
    ServerLayer, UserContext,
};
use tower::ServiceExt;

use crate::support::clients::{BoxedClient, both};
use crate::support::guard::Guards;
use crate::support::probe::{Kind, Probe, call};
use crate::support::server::{TestServer, UnresponsiveServer};
use crate::support::{raw, reason, token};

const CANCELLED: (Code, &str) = (Code::Cancelled, "CALL_CANCELLED");
const EXCEEDED: (Code, &str) = (Code::DeadlineExceeded, "DEADLINE_EXCEEDED");

/// Time limit for a cancellation to reach the last service, three hops away. It takes milliseconds;
/// the rest is for loaded machines.
const BOUND: Duration = Duration::from_secs(2);
/// Time limit for other events that must happen.
const SOON: Duration = Duration::from_secs(5);

const ALICE: (&str, &str) = ("x-user-id", "alice");

fn internal() -> ServerLayer<ForwardedContext> {
    ServerLayer::new(ForwardedContext::trust_private_network())
}

#[track_caller]
fn assert_fails_with(response: Result<(), Status>, (code, expected): (Code, &str), case: &str) {
    let status = response.expect_err(case);
    assert_eq!((status.code(), &*reason(&status)), (code, expected), "{case}: {status:?}");
}

/// The guards that a service holds during a call of this kind.
fn parts(kind: Kind) -> Vec<&'static str> {
    let response = if kind.returns_a_stream() { "response stream" } else { "handler" };
    let mut parts = vec![response];
    if kind.sends_a_stream() {
        parts.push("request stream");
    }
    parts
}

/// A response that never ends. A response stream starts with one message.
async fn never(kind: Kind) -> Response<Body> {
    if !kind.returns_a_stream() {
        pending::<()>().await;
    }
    raw::response(tokio_stream::once(()).chain(tokio_stream::pending()))
}

/// The last service. It reports when a call arrives and when its guards are dropped, and never
/// completes a response.
struct Last {
    server: TestServer,
    reached: mpsc::UnboundedReceiver<Kind>,
    dropped: mpsc::UnboundedReceiver<&'static str>,
}

impl Last {
    async fn start() -> Self {
        let (reach, reached) = mpsc::unbounded_channel();
        let (guards, dropped) = Guards::new();
        let server = raw::serve_with(internal(), move |request: Request<Body>| {
            let (reach, guards) = (reach.clone(), guards.clone());
            async move {
                let kind = raw::kind_of(&request);
                let mut body = request.into_body();
                // The request's first message.
                body.frame().await.unwrap().unwrap();
                if kind.sends_a_stream() {
                    let reading = guards.guard("request stream");
                    tokio::spawn(async move {
                        let _held = reading;
                        while let Some(Ok(_)) = body.frame().await {}
                    });
                }
                reach.send(kind).unwrap();
                if !kind.returns_a_stream() {
                    let _held = guards.guard("handler");
                    pending::<()>().await;
                }
                let held = guards.guard("response stream");
                let messages = tokio_stream::once(()).chain(tokio_stream::pending());
                raw::response(messages.map(move |()| {
                    let _held = &held;
                }))
            }
        })
        .await;
        Self { server, reached, dropped }
    }

    async fn reached(&mut self, case: &str) {
        timeout(SOON, self.reached.recv()).await.expect(case).unwrap();
    }

    /// Asserts that the service drops a call in time.
    async fn assert_dropped(&mut self, kind: Kind, case: &str) {
        let mut missing = parts(kind);
        while !missing.is_empty() {
            let dropped = timeout(BOUND, self.dropped.recv()).await;
            let dropped = dropped.unwrap_or_else(|_| panic!("{case}: still there: {missing:?}"));
            missing.retain(|part| Some(*part) != dropped);
        }
    }

    /// Asserts that the service still works on a call.
    fn assert_not_dropped(&mut self, case: &str) {
        assert!(self.dropped.try_recv().is_err(), "{case}");
    }
}

/// A service that calls the last one for each call. It relays the request's body, or sends its own
/// messages.
async fn middle(last: &TestServer, relays: bool) -> TestServer {
    let channel = ClientLayer::new().wrap(last.connect().await);
    raw::serve_with(internal(), move |request: Request<Body>| {
        let channel = channel.clone();
        async move {
            let kind = raw::kind_of(&request);
            if relays {
                let onward = raw::post(kind.path()).body(request.into_body()).unwrap();
                let response = channel.oneshot(onward).await.unwrap();
                if kind.returns_a_stream() {
                    return response.map(Body::new);
                }
                response.into_body().collect().await.unwrap();
                return raw::response(tokio_stream::once(()));
            }
            let mut response = raw::open(kind, channel, &[]).await.unwrap();
            if kind.returns_a_stream() {
                return raw::response(response.map(Result::unwrap));
            }
            response.message().await.unwrap();
            raw::response(tokio_stream::once(()))
        }
    })
    .await
}

async fn gateway(upstream: &TestServer) -> TestServer {
    let gateway = Gateway::builder().route("shop.v1.OrderService", upstream.connect().await);
    let routes = gateway.build().unwrap().into_routes();
    let edge = ServerLayer::new(JwtAuthenticator::new(token::verifier()));
    TestServer::start(|incoming| {
        Server::builder().layer(edge).add_routes(routes).serve_with_incoming(incoming)
    })
    .await
}

/// Makes a call that ends when the task is aborted.
fn caller(kind: Kind, channel: Channel) -> JoinHandle<()> {
    tokio::spawn(async move {
        let bearer = format!("Bearer {}", token::good("alice"));
        let fields = [("authorization", bearer.as_str()), ALICE];
        let (_sending, rest) = mpsc::channel(1);
        let rest = ReceiverStream::new(rest);
        if let Ok(mut response) = raw::open_with(kind, channel, &fields, rest).await {
            while let Ok(Some(())) = response.message().await {}
        }
    })
}

#[tokio::test]
async fn a_call_dropped_by_its_caller_is_dropped_by_the_last_of_three_services_in_time() {
    for relays in [true, false] {
        for kind in Kind::ALL {
            let case = format!("{kind:?}, relays: {relays}");
            let mut last = Last::start().await;
            let middle = middle(&last.server, relays).await;
            let gateway = gateway(&middle).await;
            let caller = caller(kind, gateway.connect().await);
            last.reached(&case).await;
            last.assert_not_dropped(&case);

            caller.abort();
            last.assert_dropped(kind, &case).await;
        }
    }
}

#[tokio::test]
async fn a_call_whose_connection_breaks_is_dropped_by_the_last_service_in_time() {
    for kind in Kind::ALL {
        let case = format!("{kind:?}");
        let mut last = Last::start().await;
        let middle = middle(&last.server, false).await;
        let gateway = gateway(&middle).await;
        // Dropping the runtime closes the connection.
        let runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = { runtime }.worker_threads(1).enable_all().build().unwrap();
        let endpoint = gateway.endpoint();
        let bearer = format!("Bearer {}", token::good("alice"));
        runtime.spawn(async move {
            let channel = endpoint.connect().await.unwrap();
            raw::read(kind, channel, &[("authorization", &bearer)]).await
        });
        last.reached(&case).await;

        runtime.shutdown_background();
        last.assert_dropped(kind, &case).await;
    }
}

/// Serves a handler that calls `start`, passes the result to the test, and never responds.
async fn starts<T, F>(start: F) -> (TestServer, mpsc::UnboundedReceiver<T>)
where
    T: Send + 'static,
    F: Fn(Kind) -> T + Clone + Send + Sync + 'static,
{
    let (sender, receiver) = mpsc::unbounded_channel();
    let server = raw::serve_with(internal(), move |request: Request<Body>| {
        let kind = raw::kind_of(&request);
        assert!(sender.send(start(kind)).is_ok());
        async move {
            // hyper notices a reset of the request only while the body is read.
            tokio::spawn(request.into_body().collect());
            never(kind).await
        }
    })
    .await;
    (server, receiver)
}

#[tokio::test]
async fn a_spawned_task_and_its_outgoing_call_are_cancelled_with_their_call() {
    let mut last = Last::start().await;
    let channel = ClientLayer::new().wrap(last.server.connect().await);
    let (server, mut started) = starts(move |kind| {
        let channel = channel.clone();
        tonic_passport::spawn(async move { raw::read(kind, channel, &[]).await })
    })
    .await;

    for kind in Kind::ALL {
        let case = format!("{kind:?}");
        let caller = caller(kind, server.connect().await);
        last.reached(&case).await;
        let task = started.recv().await.unwrap();
        assert!(!task.is_finished(), "{case}");

        caller.abort();
        let end = timeout(BOUND, task).await.expect(&case);
        assert!(end.expect_err(&case).is_cancelled(), "{case}");
        last.assert_dropped(kind, &case).await;
    }
}

#[tokio::test]
async fn nested_spawned_tasks_are_cancelled_with_their_call() {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let (server, mut started) = starts(move |_| {
        let sender = sender.clone();
        tonic_passport::spawn(async move {
            let inner = tonic_passport::spawn(async {
                let innermost = tonic_passport::spawn(pending::<()>());
                innermost.await
            });
            sender.send(inner).unwrap();
        })
    })
    .await;

    for kind in Kind::ALL {
        let case = format!("{kind:?}");
        let caller = caller(kind, server.connect().await);
        // The task in between has completed.
        started.recv().await.unwrap().await.expect(&case);
        let inner = receiver.recv().await.unwrap();
        caller.abort();
        let end = timeout(BOUND, inner).await.expect(&case);
        assert!(end.expect_err(&case).is_cancelled(), "{case}");
    }
}

#[tokio::test]
async fn an_outgoing_call_in_a_scoped_task_is_cancelled_with_a_reason() {
    let mut last = Last::start().await;
    let channel = ClientLayer::new().wrap(last.server.connect().await);
    let (server, mut started) = starts(move |kind| {
        let channel = channel.clone();
        let call = async move { raw::read(kind, channel, &[]).await.1 };
        tokio::spawn(CallContext::current().scope(call))
    })
    .await;

    for kind in Kind::ALL {
        let case = format!("{kind:?}");
        let caller = caller(kind, server.connect().await);
        last.reached(&case).await;
        let task = started.recv().await.unwrap();
        assert!(!task.is_finished(), "{case}");

        caller.abort();
        let response = timeout(BOUND, task).await.expect(&case);
        assert_fails_with(response.expect(&case), CANCELLED, &case);
        last.assert_dropped(kind, &case).await;
    }
}

/// A handler makes a call, and passes the response to a task without the context.
#[tokio::test]
async fn a_response_read_in_another_task_ends_when_its_call_is_cancelled() {
    let mut last = Last::start().await;
    let channel = ClientLayer::new().wrap(last.server.connect().await);
    let (sender, mut started) = mpsc::unbounded_channel();
    let server = raw::serve_with(internal(), move |request: Request<Body>| {
        let (channel, sender) = (channel.clone(), sender.clone());
        async move {
            let kind = raw::kind_of(&request);
            let asked = raw::post(kind.path())
                .body(raw::stream(tokio_stream::once(Frame::data(raw::message(b"")))));
            let mut response = channel.oneshot(asked.unwrap()).await.unwrap().into_body();
            response.frame().await.unwrap().unwrap();
            let reading = tokio::spawn(async move {
                assert_eq!(UserContext::current(), None);
                response.collect().await.map(|body| body.trailers().cloned())
            });
            sender.send(reading).unwrap();
            tokio::spawn(request.into_body().collect());
            never(kind).await
        }
    })
    .await;

    for kind in [Kind::ServerStreaming, Kind::Bidirectional] {
        let case = format!("{kind:?}");
        let caller = caller(kind, server.connect().await);
        let reading = started.recv().await.unwrap();
        last.reached(&case).await;
        assert!(!reading.is_finished(), "{case}");

        caller.abort();
        let trailers = timeout(BOUND, reading).await.expect(&case).unwrap().unwrap();
        let code = trailers.expect(&case)["grpc-status"].clone();
        assert_eq!(code.as_bytes(), b"1", "{case}: CANCELLED");
        last.assert_dropped(Kind::ServerStreaming, &case).await;
    }
}

/// A service must not report a cancelled request as a failure.
#[tokio::test]
async fn a_cancelled_request_stream_fails_with_cancelled_in_the_handler() {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let server = raw::serve_with(internal(), move |request: Request<Body>| {
        let sender = sender.clone();
        tokio::spawn(async move {
            let end = request.into_body().collect().await.map(drop);
            sender.send(end.unwrap_err().code()).unwrap();
        });
        never(Kind::Bidirectional)
    })
    .await;
    let channel = ClientLayer::new().wrap(server.connect().await);
    let alice = UserContext::builder("alice").build().unwrap();
    let body = raw::stream(tokio_stream::pending());
    let request = raw::post(Kind::Bidirectional.path()).body(body).unwrap();
    drop(alice.scope(channel.oneshot(request)).await.unwrap());
    assert_eq!(timeout(BOUND, receiver.recv()).await.unwrap(), Some(Code::Cancelled));
}

/// Some HTTP responses end with data, without trailers.
#[tokio::test]
async fn a_response_without_trailers_counts_as_complete() {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let handler = tower::service_fn(move |_: Request<Body>| {
        sender.send(CallContext::current()).unwrap();
        let response = Full::new(raw::message(b"x"));
        async move { Ok::<_, Infallible>(Response::new(response)) }
    });
    let request = || raw::post(raw::METHOD).header("x-user-id", "alice").body(Body::empty());

    for (reads, is_cancelled) in [(0, true), (1, false)] {
        let response = internal().wrap(handler.clone()).oneshot(request().unwrap()).await.unwrap();
        let mut body = response.into_body();
        for _ in 0..reads {
            assert!(body.frame().await.unwrap().unwrap().is_data());
        }
        drop(body);
        assert_eq!(
            receiver.recv().await.unwrap().is_cancelled(),
            is_cancelled,
            "{reads} frames read"
        );
    }
}

#[tokio::test]
async fn outgoing_calls_in_a_scoped_join_set_are_cancelled() {
    const CALLS: usize = 3;
    let mut last = Last::start().await;
    let channel = ClientLayer::new().wrap(last.server.connect().await);
    let (server, mut started) = starts(move |kind| {
        let mut set = JoinSet::new();
        for _ in 0..CALLS {
            let channel = channel.clone();
            let call = async move { raw::read(kind, channel, &[]).await.1 };
            set.spawn(CallContext::current().scope(call));
        }
        set
    })
    .await;

    for kind in Kind::ALL {
        let case = format!("{kind:?}");
        let caller = caller(kind, server.connect().await);
        for _ in 0..CALLS {
            last.reached(&case).await;
        }
        caller.abort();
        let set = started.recv().await.unwrap();
        let responses = timeout(BOUND, set.join_all()).await.expect(&case);
        assert_eq!(responses.len(), CALLS, "{case}");
        for response in responses {
            assert_fails_with(response, CANCELLED, &case);
        }
        for _ in 0..CALLS {
            last.assert_dropped(kind, &case).await;
        }
    }
}

#[tokio::test]
async fn an_elapsed_deadline_cancels_the_tasks_of_the_call() {
    let mut last = Last::start().await;
    let channel = ClientLayer::new().wrap(last.server.connect().await);
    let (server, mut started) = starts(move |kind| {
        let channel = channel.clone();
        let work = tonic_passport::spawn(pending::<()>());
        let call = async move { raw::read(kind, channel, &[]).await.1 };
        (CallContext::current(), work, tokio::spawn(CallContext::current().scope(call)))
    })
    .await;

    for kind in Kind::ALL {
        let case = format!("{kind:?}");
        let fields = [ALICE, ("grpc-timeout", "200m")];
        let response = raw::read(kind, server.client_without_timeout(), &fields).await.1;
        assert_fails_with(response, EXCEEDED, &case);
        let (context, work, call) = started.recv().await.unwrap();
        assert!(context.is_cancelled(), "{case}");
        let end = timeout(BOUND, work).await.expect(&case);
        assert!(end.expect_err(&case).is_cancelled(), "{case}");
        // The call's own deadline is earlier by the margin.
        let response = timeout(BOUND, call).await.expect(&case);
        assert_fails_with(response.expect(&case), EXCEEDED, &case);
        last.reached(&case).await;
        last.assert_dropped(kind, &case).await;
    }
}

#[tokio::test]
async fn a_completed_call_does_not_cancel_its_tasks() {
    let probe = Probe::default();
    let upstream = probe.serve().await;
    let channel = ClientLayer::new().wrap(upstream.connect().await);
    let go_on = Arc::new(Notify::new());
    let (sender, mut started) = mpsc::unbounded_channel();
    let notified = Arc::clone(&go_on);
    let server = raw::serve_with(internal(), move |_| {
        let (channel, notified) = (channel.clone(), Arc::clone(&notified));
        let task = tonic_passport::spawn(async move {
            notified.notified().await;
            let response = call(Kind::Unary, channel, &[]).await;
            (CallContext::current().is_cancelled(), response)
        });
        sender.send(task).unwrap();
        async { raw::response(tokio_stream::once(())) }
    })
    .await;

    for kind in Kind::ALL {
        let case = format!("{kind:?}");
        // The connection is closed after the response.
        let response = raw::read(kind, server.connect().await, &[ALICE]).await.1;
        assert!(response.is_ok(), "{case}: {response:?}");
        go_on.notify_one();
        let task = started.recv().await.unwrap();
        let (is_cancelled, response) = timeout(SOON, task).await.expect(&case).expect(&case);
        assert!(!is_cancelled, "{case}");
        response.expect(&case);
        assert_eq!(probe.take_one().metadata["x-user-id"], "alice", "{case}");
    }
}

#[tokio::test]
async fn a_call_that_its_handler_fails_does_not_cancel_its_tasks() {
    let go_on = Arc::new(Notify::new());
    let (sender, mut started) = mpsc::unbounded_channel();
    let notified = Arc::clone(&go_on);
    let server = raw::serve_with(internal(), move |_| {
        let notified = Arc::clone(&notified);
        let task = tonic_passport::spawn(async move { notified.notified().await });
        sender.send(task).unwrap();
        async { Status::failed_precondition("no tea").into_http() }
    })
    .await;

    for kind in Kind::ALL {
        let case = format!("{kind:?}");
        let response = raw::read(kind, server.connect().await, &[ALICE]).await.1;
        assert_eq!(response.expect_err(&case).code(), Code::FailedPrecondition, "{case}");
        go_on.notify_one();
        let task = started.recv().await.unwrap();
        timeout(SOON, task).await.expect(&case).expect(&case);
    }
}

#[tokio::test]
async fn detached_work_goes_on_when_its_call_is_cancelled() {
    let probe = Probe::default();
    let upstream = probe.serve().await;
    let channel = ClientLayer::new().wrap(upstream.connect().await);
    let go_on = Arc::new(Notify::new());
    let notified = Arc::clone(&go_on);
    let (server, mut started) = starts(move |_| {
        let (channel, notified) = (channel.clone(), Arc::clone(&notified));
        let detached = CallContext::current().detached();
        let work = async move {
            notified.notified().await;
            // A task that it spawns is not part of the call either.
            let call = async move { call(Kind::Unary, channel, &[]).await };
            let response = tonic_passport::spawn(call).await.unwrap();
            (CallContext::current().is_cancelled(), response)
        };
        (CallContext::current(), tokio::spawn(detached.scope(work)))
    })
    .await;

    for kind in Kind::ALL {
        let case = format!("{kind:?}");
        let caller = caller(kind, server.connect().await);
        let (context, task) = started.recv().await.unwrap();
        caller.abort();
        timeout(BOUND, context.cancelled()).await.expect(&case);

        go_on.notify_one();
        let (is_cancelled, response) = timeout(SOON, task).await.expect(&case).expect(&case);
        assert!(!is_cancelled, "{case}");
        response.expect(&case);
        let seen = probe.take_one().metadata;
        assert_eq!(seen["x-user-id"], "alice", "{case}");
        let id = context.request_id().unwrap();
        assert_eq!(seen["x-request-id"], id.as_str(), "{case}");
    }
}

#[tokio::test]
async fn an_outgoing_call_of_a_cancelled_call_is_refused_without_a_connection() {
    let silent = UnresponsiveServer::start().await;
    let clients = both(silent.channel(), &ClientLayer::new(), ClientInterceptor::new());
    for (middleware, channel) in clients {
        let (server, mut started) = starts(move |kind| {
            let channel: BoxedClient<_> = channel.clone();
            let survivor = async move {
                let context = CallContext::current();
                let before = context.is_cancelled();
                context.cancelled().await;
                // In the call's scope, and in the scope of another user within it.
                let own = raw::read(kind, channel.clone(), &[]).await.1;
                let bob = UserContext::builder("bob").build().unwrap();
                let other = bob.scope(raw::read(kind, channel, &[])).await.1;
                (before, own, other)
            };
            tokio::spawn(CallContext::current().scope(survivor))
        })
        .await;

        for kind in Kind::ALL {
            let case = format!("{middleware}, {kind:?}");
            let caller = caller(kind, server.connect().await);
            let task = started.recv().await.unwrap();
            caller.abort();
            let (before, own, other) = timeout(BOUND, task).await.expect(&case).expect(&case);
            assert!(!before, "{case}");
            assert_fails_with(own, CANCELLED, &case);
            assert_fails_with(other, CANCELLED, &case);
        }
    }
    assert_eq!(silent.connections().await, 0);
}

#[tokio::test]
async fn cancellation_can_be_checked_and_awaited() {
    let (server, mut started) = starts(|_| CallContext::current()).await;
    for kind in Kind::ALL {
        let case = format!("{kind:?}");
        let caller = caller(kind, server.connect().await);
        let context = started.recv().await.unwrap();
        let bob = UserContext::builder("bob").build().unwrap();
        let derived = context.clone().with_user(bob);
        let detached = context.clone().detached();
        for context in [&context, &derived, &detached] {
            assert!(!context.is_cancelled(), "{case}");
        }

        caller.abort();
        for context in [&context, &derived] {
            timeout(BOUND, context.cancelled()).await.expect(&case);
            assert!(context.is_cancelled(), "{case}");
            // It stays cancelled.
            timeout(BOUND, context.cancelled()).await.expect(&case);
        }
        assert!(!detached.is_cancelled(), "{case}");
    }
}

#[tokio::test]
async fn cancelling_one_call_does_not_cancel_others() {
    let (server, mut started) =
        starts(|_| (CallContext::current(), tonic_passport::spawn(pending::<()>()))).await;
    let channel = server.connect().await;
    let first = caller(Kind::Unary, channel.clone());
    let (first_context, first_task) = started.recv().await.unwrap();
    let second = caller(Kind::Unary, channel);
    let (second_context, second_task) = started.recv().await.unwrap();

    first.abort();
    assert!(timeout(BOUND, first_task).await.unwrap().unwrap_err().is_cancelled());
    assert!(first_context.is_cancelled());
    assert!(!second_context.is_cancelled());
    assert!(!second_task.is_finished());

    second.abort();
    assert!(timeout(BOUND, second_task).await.unwrap().unwrap_err().is_cancelled());
}

#[tokio::test]
async fn a_panic_in_a_handler_cancels_the_tasks_of_the_call() {
    let mut last = Last::start().await;
    let channel = ClientLayer::new().wrap(last.server.connect().await);
    let (sender, mut started) = mpsc::unbounded_channel();
    let go_on = Arc::new(Notify::new());
    let notified = Arc::clone(&go_on);
    let server = raw::serve_with(internal(), move |request: Request<Body>| {
        let (channel, sender, kind) = (channel.clone(), sender.clone(), raw::kind_of(&request));
        let notified = Arc::clone(&notified);
        async move {
            let call = async move { raw::read(kind, channel, &[]).await };
            sender.send(tonic_passport::spawn(call)).unwrap();
            notified.notified().await;
            panic!("a handler of a test panics")
        }
    })
    .await;

    for kind in Kind::ALL {
        let case = format!("{kind:?}");
        let caller = caller(kind, server.connect().await);
        last.reached(&case).await;
        go_on.notify_one();
        let task = started.recv().await.unwrap();
        let end = timeout(BOUND, task).await.expect(&case);
        assert!(end.expect_err(&case).is_cancelled(), "{case}");
        last.assert_dropped(kind, &case).await;
        // The caller receives a response.
        timeout(SOON, caller).await.expect(&case).expect(&case);
    }
}
