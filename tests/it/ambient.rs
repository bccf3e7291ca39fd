//! The current `CallContext`: which tasks, threads and streams have it, and which do not.

use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::{JoinSet, spawn_blocking, yield_now};
use tokio::time::timeout;
use tokio_stream::StreamExt;
use tonic::body::Body;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Status};
use tonic_passport::propagation::PropagatedField;
use tonic_passport::{
    CallContext, ClientInterceptor, ClientLayer, Deadline, ForwardedContext, ScopeLayer,
    ServerInterceptor, ServerLayer, UserContext,
};
use tower::buffer::Buffer;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Layer, Service, ServiceExt};

use crate::support::log::Log;
use crate::support::probe::{Kind, Probe, call};
use crate::support::response_service::ResponseService;
use crate::support::rules::optional;
use crate::support::server::TestServer;
use crate::support::shop::order_service_client::OrderServiceClient;
use crate::support::shop::order_service_server::OrderServiceServer;
use crate::support::shop::{CreateOrderRequest, Item};
use crate::support::{assert_refused, forged, raw, reason};

const NOT_PROPAGATED: (Code, &str) = (Code::Internal, "CONTEXT_NOT_PROPAGATED");

/// Time limit for events that must happen.
const SOON: Duration = Duration::from_secs(5);

/// A call of alice's and an anonymous one: the start of their description, and their metadata.
const CALLS: [(&str, &[(&str, &str)]); 2] = [
    ("alice, r-1, ", &[("x-user-id", "alice"), ("x-request-id", "r-1"), ("grpc-timeout", "1M")]),
    ("anonymous, r-2, ", &[("x-request-id", "r-2"), ("grpc-timeout", "1M")]),
];

fn user(id: &str) -> UserContext {
    UserContext::builder(id).build().unwrap()
}

fn bob() -> UserContext {
    user("bob")
}

/// Describes a context: user, request id, deadline.
fn describe(context: &CallContext) -> String {
    let user = context.user().map_or("anonymous", UserContext::id);
    let id = context.request_id().map_or("no request", AsRef::as_ref);
    format!("{user}, {id}, {:?}", context.deadline().map(Deadline::instant))
}

/// Describes the current context.
fn current() -> String {
    let context = CallContext::current();
    assert_eq!(context.user(), UserContext::current().as_ref());
    describe(&context)
}

fn internal() -> ServerLayer<ForwardedContext> {
    ServerLayer::new(ForwardedContext::trust_private_network())
}

/// Serves the results of a function. Accepts anonymous callers.
async fn respond_with<F, Fut>(response: F) -> TestServer
where
    F: Fn(CallContext) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<String, Status>> + Send + 'static,
{
    let service = OrderServiceServer::new(ResponseService(response));
    let layer = internal().policy(optional(Kind::paths()));
    TestServer::start(|incoming| {
        Server::builder().layer(layer).add_service(service).serve_with_incoming(incoming)
    })
    .await
}

type Known = Pin<Box<dyn Future<Output = String> + Send>>;

/// A site in a program at which the current context is examined.
struct ScopedSite {
    name: &'static str,
    /// The part of the call's context that is expected there.
    expected: fn(CallContext) -> CallContext,
    /// Describes the current context there.
    ask: Box<dyn Fn() -> Known + Send + Sync>,
}

fn site<F>(
    name: &'static str,
    expected: fn(CallContext) -> CallContext,
    ask: impl Fn() -> F + Send + Sync + 'static,
) -> Arc<ScopedSite>
where
    F: Future<Output = String> + Send + 'static,
{
    Arc::new(ScopedSite { name, expected, ask: Box::new(move || Box::pin(ask())) })
}

/// The complete context.
fn the_call(context: CallContext) -> CallContext {
    context
}

/// The context with another user.
fn of_bob(context: CallContext) -> CallContext {
    context.with_user(bob())
}

fn nothing(_: CallContext) -> CallContext {
    CallContext::default()
}

/// Calls a function on a thread without a runtime.
async fn on_a_thread(ask: impl FnOnce() -> String + Send + 'static) -> String {
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || sender.send(ask()).unwrap());
    receiver.await.unwrap()
}

async fn first<T: 'static>(mut set: JoinSet<T>) -> T {
    set.join_next().await.unwrap().unwrap()
}

/// Work done by the handler itself, or passed to other tasks and threads.
fn sites() -> Vec<Arc<ScopedSite>> {
    vec![
        site("the handler or stream itself", the_call, || async { current() }),
        site("after a yield", the_call, || async {
            yield_now().await;
            current()
        }),
        site("beside other work", the_call, || async {
            let (found, (), ()) = tokio::join!(
                async {
                    yield_now().await;
                    current()
                },
                bob().scope(async {
                    yield_now().await;
                    yield_now().await;
                }),
                yield_now()
            );
            found
        }),
        site("a task of spawn", the_call, || async {
            tonic_passport::spawn(async { current() }).await.unwrap()
        }),
        site("a task of spawn, within another", the_call, || async {
            let nested = async { tonic_passport::spawn(async { current() }).await.unwrap() };
            tonic_passport::spawn(nested).await.unwrap()
        }),
        site("a set's task in a scope", the_call, || async {
            let mut set = JoinSet::new();
            set.spawn(CallContext::current().scope(async { current() }));
            first(set).await
        }),
        site("a task of spawn, within a set's task in a scope", the_call, || async {
            let nested = async { tonic_passport::spawn(async { current() }).await.unwrap() };
            let mut set = JoinSet::new();
            set.spawn(CallContext::current().scope(nested));
            first(set).await
        }),
        site("a thread, in a scope", the_call, || async {
            let context = CallContext::current();
            on_a_thread(move || context.sync_scope(current)).await
        }),
        site("a thread that blocks, in a scope", the_call, || async {
            let context = CallContext::current();
            spawn_blocking(move || context.sync_scope(current)).await.unwrap()
        }),
        site("a detached task", CallContext::detached, || async {
            tokio::spawn(CallContext::current().detached().scope(async { current() }))
                .await
                .unwrap()
        }),
        site("a scope of another user", of_bob, || bob().scope(async { current() })),
        site("a scope of another user, later", of_bob, || {
            bob().scope(async {
                yield_now().await;
                current()
            })
        }),
        site("a task of spawn in a scope of another user", of_bob, || {
            bob().scope(async { tonic_passport::spawn(async { current() }).await.unwrap() })
        }),
        site("a scope of another user, after one within", of_bob, || {
            bob().scope(async {
                user("carol").scope(yield_now()).await;
                current()
            })
        }),
        site("a function in a scope of another user", of_bob, || async {
            CallContext::current().with_user(bob()).sync_scope(current)
        }),
        site("after scopes of other users", the_call, || async {
            let within = bob().scope(async { user("carol").scope(async { current() }).await });
            assert!(within.await.starts_with("carol, "));
            current()
        }),
        site("after a scope that ended with a panic", the_call, || async {
            let context = CallContext::current().with_user(bob());
            let panics = || context.sync_scope(|| -> () { resume_unwind(Box::new(())) });
            assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
            current()
        }),
        site("a scope that is empty", nothing, || {
            CallContext::default().scope(async { current() })
        }),
        site("a task of tokio's spawn", nothing, || async {
            tokio::spawn(async { current() }).await.unwrap()
        }),
        site("a task of spawn, within one of tokio's", nothing, || async {
            let nested = async { tonic_passport::spawn(async { current() }).await.unwrap() };
            tokio::spawn(nested).await.unwrap()
        }),
        site("a set's task", nothing, || async {
            let mut set = JoinSet::new();
            set.spawn(async { current() });
            first(set).await
        }),
        site("a thread", nothing, || on_a_thread(current)),
        site("a thread that blocks", nothing, || async { spawn_blocking(current).await.unwrap() }),
    ]
}

/// A handler that compares the context at this site with the expected one, and returns the
/// description of the request's context.
fn examine(
    site: Arc<ScopedSite>,
) -> impl Fn(CallContext) -> Pin<Box<dyn Future<Output = Result<String, Status>> + Send>> + Clone {
    move |context| {
        let site = Arc::clone(&site);
        Box::pin(async move {
            let found = (site.ask)().await;
            let expected = describe(&(site.expected)(context.clone()));
            if found == expected {
                Ok(describe(&context))
            } else {
                Err(Status::internal(format!("{found}, not {expected}")))
            }
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_current_context_follows_the_work_of_a_call_and_reaches_no_other_task() {
    for site in sites() {
        let name = site.name;
        let server = respond_with(examine(site)).await;
        let channel = server.connect().await;
        for kind in Kind::ALL {
            for (of_call, fields) in CALLS {
                let case = format!("{name}, {kind:?}, {of_call}");
                let in_request = call(kind, channel.clone(), fields).await.expect(&case);
                assert!(in_request.starts_with(of_call), "{case}: {in_request}");
            }
        }
    }
}

/// A worker task that was spawned before the call, and works for many calls.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_shared_worker_task_has_no_current_context() {
    let (give, mut jobs) = tokio::sync::mpsc::channel::<oneshot::Sender<String>>(1);
    tokio::spawn(async move {
        while let Some(sender) = jobs.recv().await {
            sender.send(current()).unwrap();
        }
    });
    let server = respond_with(move |_| {
        let give = give.clone();
        async move {
            let (sender, receiver) = oneshot::channel();
            give.send(sender).await.unwrap();
            Ok(receiver.await.unwrap())
        }
    })
    .await;
    let channel = server.connect().await;
    for kind in Kind::ALL {
        let found = call(kind, channel.clone(), CALLS[0].1).await.unwrap();
        assert_eq!(found, describe(&CallContext::default()), "{kind:?}");
    }
}

/// A server may run in a task that has a current user. The handler must not see that user, and the
/// task must have it again afterwards.
#[tokio::test]
async fn a_call_hides_the_scope_of_the_surrounding_task() {
    for site in sites() {
        let name = site.name;
        let service = OrderServiceServer::new(ResponseService(examine(site)));
        let service = internal().policy(optional(Kind::paths())).wrap(service);
        let around = async {
            for kind in Kind::ALL {
                for (of_call, fields) in CALLS {
                    let case = format!("{name}, {kind:?}, {of_call}");
                    let in_request = call(kind, service.clone(), fields).await.expect(&case);
                    assert!(in_request.starts_with(of_call), "{case}: {in_request}");
                    assert_eq!(UserContext::current(), Some(user("around")), "{case}");
                }
            }
        };
        user("around").scope(around).await;
    }
}

#[tokio::test]
async fn there_is_no_current_user_outside_of_calls_and_scopes() {
    assert_eq!(current(), "anonymous, no request, None");
    bob().scope(async { assert!(current().starts_with("bob, ")) }).await;
    assert_eq!(current(), "anonymous, no request, None");
    let panics = bob().scope(async { resume_unwind(Box::new(())) });
    assert!(tokio::spawn(panics).await.unwrap_err().is_panic());
    // After a panic in a scope, on the same thread.
    assert_eq!(current(), "anonymous, no request, None");
}

/// Sends the description of the current context when it is dropped.
struct Dropped(Option<oneshot::Sender<String>>);

impl Dropped {
    fn new() -> (Self, oneshot::Receiver<String>) {
        let (sender, receiver) = oneshot::channel();
        (Self(Some(sender)), receiver)
    }
}

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.take().unwrap().send(current()).unwrap();
    }
}

#[tokio::test]
async fn an_aborted_task_is_dropped_with_its_user_as_the_current_one() {
    let start = async {
        let (spawned, first) = Dropped::new();
        let (scoped, second) = Dropped::new();
        let hold = |guard: Dropped| async move {
            let _held = guard;
            pending::<()>().await;
        };
        let tasks = [
            tonic_passport::spawn(hold(spawned)),
            tokio::spawn(CallContext::current().scope(hold(scoped))),
        ];
        yield_now().await;
        tasks.iter().for_each(tokio::task::JoinHandle::abort);
        [first, second]
    };
    for dropped in user("alice").scope(start).await {
        assert!(timeout(SOON, dropped).await.unwrap().unwrap().starts_with("alice, "));
    }
}

/// A boxed client.
type BoxedClient = BoxCloneSyncService<Request<Body>, Response<Body>, Status>;

fn boxed<S, B>(service: S) -> BoxedClient
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let service = service.map_response(|response| response.map(Body::new));
    BoxedClient::new(service.map_err(|error| Status::from_error(error.into())))
}

fn layered(channel: Channel) -> BoxedClient {
    boxed(ClientLayer::new().allow_anonymous().wrap(channel))
}

fn intercepted(channel: Channel) -> BoxedClient {
    let interceptor = ClientInterceptor::new().allow_anonymous();
    boxed(InterceptedService::new(channel, interceptor))
}

/// The contexts in which a request stream was polled, with the ids of the polling tasks.
type Polled = Arc<Mutex<Vec<(Option<tokio::task::Id>, String)>>>;

/// A request stream that records the current context whenever it is polled.
fn messages<T: Default + Send + 'static>(
    polled: &Polled,
) -> impl tokio_stream::Stream<Item = T> + Send + 'static {
    let polled = Arc::clone(polled);
    tokio_stream::iter(0..3).map(move |_| {
        polled.lock().unwrap().push((tokio::task::try_id(), current()));
        T::default()
    })
}

/// A request stream is polled by the task of the connection, which is shared by all calls.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_request_stream_polled_by_the_connection_has_the_context_of_its_call() {
    type Way = (&'static str, fn(Channel) -> BoxedClient, fn(CallContext) -> CallContext);
    let ways: [Way; 2] = [("layer", layered, the_call), ("interceptor", intercepted, nothing)];
    let probe = Probe::default();
    let next = probe.serve().await;

    for (way, out, known) in ways {
        for sent in [Kind::ClientStreaming, Kind::Bidirectional] {
            let channel = out(next.connect().await);
            let server = respond_with(move |context| {
                let mut client = OrderServiceClient::new(channel.clone());
                let polled = Polled::default();
                async move {
                    if sent == Kind::ClientStreaming {
                        client.import_orders(messages::<CreateOrderRequest>(&polled)).await?;
                    } else {
                        let responses = client.check_items(messages::<Item>(&polled)).await?;
                        let mut responses = responses.into_inner();
                        while responses.message().await?.is_some() {}
                    }
                    let polled = std::mem::take(&mut *polled.lock().unwrap());
                    assert_eq!(polled.len(), 3);
                    let expected = describe(&known(context));
                    for (task, found) in polled {
                        assert_ne!(task, tokio::task::try_id(), "the handler polled it");
                        assert_eq!(found, expected);
                    }
                    Ok(current())
                }
            })
            .await;
            let channel = server.connect().await;
            for kind in Kind::ALL {
                for (of_call, fields) in CALLS {
                    let case = format!("{way}, {sent:?} from {kind:?}, {of_call}");
                    let found = call(kind, channel.clone(), fields).await.expect(&case);
                    assert!(found.starts_with(of_call), "{case}: {found}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_request_stream_is_dropped_in_the_context_of_its_sender() {
    // The server responds at once, and does not read the request.
    let next = raw::serve(|_| async {
        raw::ok().header("grpc-status", "13").body(Body::empty()).unwrap()
    })
    .await;
    let channel = layered(next.connect().await);
    let (guard, receiver) = Dropped::new();
    let messages = tokio_stream::pending::<CreateOrderRequest>().map(move |message| {
        let _held = &guard;
        message
    });
    let mut client = OrderServiceClient::new(channel);
    let response = user("alice").scope(client.import_orders(messages)).await;
    assert_eq!(response.unwrap_err().code(), Code::Internal);
    assert!(timeout(SOON, receiver).await.unwrap().unwrap().starts_with("alice, "));
}

/// Wraps a service in a [`ScopeLayer`], or returns it unchanged.
fn with_scope<S>(is_scoped: bool, service: S) -> BoxedClient
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
{
    if is_scoped { boxed(ScopeLayer::new().layer(service)) } else { boxed(service) }
}

/// The worker task of a `Buffer` makes the calls.
fn buffered(is_scoped: bool, channel: Channel, _: &Runtime) -> BoxedClient {
    with_scope(is_scoped, Buffer::new(boxed(ClientLayer::new().wrap(channel)), 16))
}

/// A task of another runtime makes the calls.
fn spawned_on_other_runtime(is_scoped: bool, channel: Channel, runtime: &Runtime) -> BoxedClient {
    let (client, runtime) = (boxed(ClientLayer::new().wrap(channel)), runtime.handle().clone());
    let service = tower::service_fn(move |request: Request<Body>| {
        let made = runtime.spawn(client.clone().oneshot(request));
        async { made.await.unwrap() }
    });
    with_scope(is_scoped, service)
}

/// A task of another runtime polls the scope layer's future. The inner requests lose their
/// extensions, so that only the scope can pass the context on.
fn polled_on_other_runtime(is_scoped: bool, channel: Channel, runtime: &Runtime) -> BoxedClient {
    let (client, runtime) = (boxed(ClientLayer::new().wrap(channel)), runtime.handle().clone());
    let service = tower::service_fn(move |mut request: Request<Body>| {
        let client = client.clone();
        async move {
            request.extensions_mut().clear();
            client.oneshot(request).await
        }
    });
    let service = with_scope(is_scoped, service);
    boxed(tower::service_fn(move |request: Request<Body>| {
        let polled = runtime.spawn(service.clone().call(request));
        async { polled.await.unwrap() }
    }))
}

#[test]
fn a_scope_layer_passes_the_user_to_the_task_that_makes_the_call() {
    type MakeClient = fn(bool, Channel, &Runtime) -> BoxedClient;
    let ways: [(&str, MakeClient); 3] = [
        ("a worker", buffered),
        ("a runtime that makes calls", spawned_on_other_runtime),
        ("a runtime that polls", polled_on_other_runtime),
    ];
    let other_runtime = Runtime::new().unwrap();
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let probe = Probe::default();
        let server = probe.serve().await;
        for (way, make) in ways {
            let [scoped, unscoped] = [true, false]
                .map(|is_scoped| (is_scoped, server.endpoint().connect_lazy()))
                .map(|(is_scoped, channel)| make(is_scoped, channel, &other_runtime));
            for kind in Kind::ALL {
                let case = format!("{way}, {kind:?}");
                user("alice").scope(call(kind, scoped.clone(), &[])).await.expect(&case);
                let seen = probe.take_one();
                forged::assert_context(&seen.metadata, &[("x-user-id", "alice")], &case);

                let response = user("alice").scope(call(kind, unscoped.clone(), &[])).await;
                assert_refused(response, NOT_PROPAGATED, &probe, &case);
                let response = call(kind, scoped.clone(), &[]).await;
                assert_refused(response, NOT_PROPAGATED, &probe, &case);
            }
        }
    });
}

#[tokio::test]
async fn behind_an_interceptor_the_context_is_in_the_request_and_a_scope_propagates_it() {
    let probe = Probe::default();
    let next = probe.serve().await;
    let interceptor = ServerInterceptor::new(ForwardedContext::trust_private_network())
        .timeout(Duration::from_secs(20))
        .propagate([
            PropagatedField::every_hop("x-experiment").unwrap(),
            PropagatedField::one_hop("x-debug").unwrap(),
        ]);
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let passed = [
        ("x-request-id", "r-1"),
        ("traceparent", trace),
        ("tracestate", "rojo=1"),
        ("baggage", "a=b"),
        ("x-experiment", "tea"),
        ("x-debug", "yes"),
    ];
    // The timeout that the client sends, and the seconds to the resulting deadline.
    let timeouts = [(Some("10S"), 10), (Some("1H"), 20), (None, 20)];

    let channel = next.connect().await;
    let out = InterceptedService::new(channel, ClientInterceptor::new());
    for kind in Kind::ALL {
        let out = out.clone();
        let service = ResponseService(move |context: CallContext| {
            let out = out.clone();
            async move {
                assert_eq!(current(), "anonymous, no request, None");
                let refused = call(kind, out.clone(), &[]).await.unwrap_err();
                assert_eq!((refused.code(), &*reason(&refused)), NOT_PROPAGATED);
                let described = describe(&context);
                context.scope(call(kind, out, &[])).await?;
                Ok(described)
            }
        });
        let service = OrderServiceServer::with_interceptor(service, interceptor.clone());
        let server = TestServer::start(|incoming| {
            Server::builder().add_service(service).serve_with_incoming(incoming)
        })
        .await;
        let channel = server.connect().await;
        for (given, seconds) in timeouts {
            let case = format!("{kind:?}, {given:?}");
            let mut fields = vec![("x-user-id", "alice"), ("x-user-roles", "buyer")];
            fields.extend(passed);
            fields.extend(given.map(|timeout| ("grpc-timeout", timeout)));
            let found = call(kind, channel.clone(), &fields).await.expect(&case);
            assert!(found.starts_with("alice, r-1, Some("), "{case}: {found}");

            let seen = probe.take_one().metadata;
            forged::assert_context(&seen, &fields[..2], &case);
            for (name, value) in passed {
                assert_eq!(seen[name], value, "{case}: {name}");
            }
            let left = seen["grpc-timeout"].to_str().unwrap().strip_suffix('u').expect(&case);
            let left = Duration::from_micros(left.parse().unwrap());
            let most = Duration::from_secs(seconds);
            assert!(left < most && left > most / 2, "{case}: {left:?}");
        }
    }
}

// Single-threaded, because the subscriber is thread-local.
#[tokio::test(flavor = "current_thread")]
async fn log_events_of_a_call_are_within_its_span() {
    let log = Log::start("it=info,tonic_passport=info");
    let server = respond_with(|_| async {
        tracing::info!("at first");
        yield_now().await;
        tracing::info!("later");
        let nested = async {
            tracing::info!("in a task");
            let nested = tonic_passport::spawn(async { tracing::info!("in a task of a task") });
            nested.await.unwrap();
        };
        tonic_passport::spawn(nested).await.unwrap();
        tokio::spawn(async { tracing::info!("in a task of its own") }).await.unwrap();
        Ok(String::new())
    })
    .await;
    let channel = server.connect().await;

    for kind in Kind::ALL {
        for id in ["r-1", "r-2"] {
            log.take();
            call(kind, channel.clone(), &[("x-user-id", "alice"), ("x-request-id", id)])
                .await
                .unwrap();
            let log = log.take();
            let line = |event: &str| {
                let of_event = |line: &&str| line.ends_with(event);
                log.lines().find(of_event).unwrap_or_else(|| panic!("no {event:?} in {log}"))
            };
            let span = format!("INFO call{{method={:?} request_id={id:?}}}: it::", kind.path());
            for event in ["at first", "later", "in a task", "in a task of a task"] {
                assert!(line(event).contains(&span), "{kind:?}: no {span:?} in {:?}", line(event));
            }
            assert!(!line("in a task of its own").contains("call{"), "{log}");
        }
    }
}

/// Yields often enough that every task that is ready makes progress.
async fn yield_to_others() {
    for _ in 0..100 {
        yield_now().await;
    }
}

// Single-threaded, so that yielding lets every task that is ready run.
#[tokio::test(flavor = "current_thread")]
async fn a_call_without_a_context_is_refused_before_a_connection_is_opened() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let channel = || Endpoint::try_from(format!("http://{address}")).unwrap().connect_lazy();
    let clients = [
        ("layer", boxed(ClientLayer::new().wrap(channel()))),
        ("interceptor", boxed(InterceptedService::new(channel(), ClientInterceptor::new()))),
    ];

    for (name, client) in clients {
        for kind in Kind::ALL {
            let case = format!("{name}, {kind:?}");
            let client = client.clone();
            let spawning =
                async { tokio::spawn(async move { call(kind, client, &[]).await }).await };
            let status = user("alice").scope(spawning).await.unwrap().expect_err(&case);
            assert_eq!((status.code(), &*reason(&status)), NOT_PROPAGATED, "{case}");
            let remedies =
                ["tonic_passport::spawn", "UserContext::scope", "extensions", "allow anonymous"];
            for remedy in remedies {
                assert!(status.message().contains(remedy), "{case}: no {remedy} in {status:?}");
            }
            yield_to_others().await;
            let connected = listener.accept().expect_err(&case);
            assert_eq!(connected.kind(), std::io::ErrorKind::WouldBlock, "{case}");
        }

        // Within a scope, the same number of yields is enough to connect.
        let task = tokio::spawn(user("alice").scope(call(Kind::Unary, client, &[])));
        yield_to_others().await;
        listener.accept().expect(name);
        task.abort();
    }
}
