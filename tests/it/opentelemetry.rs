//! This crate's layers and typical OpenTelemetry layers produce one connected trace, in either
//! order.

use std::sync::{Arc, LazyLock, Mutex};
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::Duration;

use http::{HeaderMap, Request, Response};
use opentelemetry::propagation::{TextMapCompositePropagator, TextMapPropagator};
use opentelemetry::trace::{SpanId, TracerProvider};
use opentelemetry_http::{HeaderExtractor, HeaderInjector};
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use tokio::sync::oneshot;
use tonic::Code;
use tonic::body::Body;
use tonic::transport::{Channel, Endpoint, Server};
use tonic_passport::{Authenticator, ClientLayer, ForwardedContext, JwtAuthenticator, ServerLayer};
use tower::layer::layer_fn;
use tower::{Service, ServiceExt};
use tracing::instrument::Instrumented;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::{DefaultGuard, NoSubscriber};
use tracing::{Instrument, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::Registry;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Layer, SubscriberExt};

use crate::support::chain::{BoxedClient, values};
use crate::support::server::TestServer;
use crate::support::{raw, token};

/// The propagator. Programs set it globally; a static of this file does not affect other tests.
static PROPAGATOR: LazyLock<TextMapCompositePropagator> = LazyLock::new(|| {
    TextMapCompositePropagator::new(vec![
        Box::new(TraceContextPropagator::new()),
        Box::new(BaggagePropagator::new()),
    ])
});

/// A typical OpenTelemetry server layer: its span has the parent that the request names.
fn traced_server<S>(inner: S) -> Traced<S> {
    let open = |headers: &mut HeaderMap| {
        let span = tracing::info_span!("server", otel.kind = "server");
        span.set_parent(PROPAGATOR.extract(&HeaderExtractor(headers))).unwrap();
        span
    };
    Traced { inner, open }
}

/// A typical OpenTelemetry client layer: it names its span as the parent in the request.
fn traced_client<S>(inner: S) -> Traced<S> {
    let open = |headers: &mut HeaderMap| {
        let span = tracing::info_span!("client", otel.kind = "client");
        PROPAGATOR.inject_context(&span.context(), &mut HeaderInjector(headers));
        span
    };
    Traced { inner, open }
}

#[derive(Clone)]
struct Traced<S> {
    inner: S,
    open: fn(&mut HeaderMap) -> Span,
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for Traced<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = Instrumented<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let span = (self.open)(request.headers_mut());
        span.in_scope(|| self.inner.call(request)).instrument(span)
    }
}

/// The position of the OpenTelemetry layers relative to this crate's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Position {
    Outside,
    Inside,
    Absent,
}

/// A service that calls the next one, and records the headers of its requests.
#[derive(Clone, Default)]
struct Relay {
    next: Option<BoxedClient>,
    seen: Arc<Mutex<Vec<HeaderMap>>>,
}

impl Relay {
    fn to(channel: Channel, position: Position) -> Self {
        let layer = ClientLayer::new();
        let next = match position {
            Position::Outside => {
                let service = traced_client(layer.wrap(channel));
                BoxedClient::new(service.map_response(|response| response.map(Body::new)))
            }
            Position::Inside => {
                let service = layer.wrap(traced_client(channel));
                BoxedClient::new(service.map_response(|response| response.map(Body::new)))
            }
            Position::Absent => {
                let service = layer.wrap(channel);
                BoxedClient::new(service.map_response(|response| response.map(Body::new)))
            }
        };
        Self { next: Some(next), ..Self::default() }
    }

    async fn serve(&self, authenticator: impl Authenticator, position: Position) -> TestServer {
        let relay = self.clone();
        let routes = raw::routes(move |request| relay.clone().respond(request));
        let ours = ServerLayer::new(authenticator);
        match position {
            Position::Outside => {
                let mut server = Server::builder().layer(layer_fn(traced_server)).layer(ours);
                let server = server.add_routes(routes);
                TestServer::start(|incoming| server.serve_with_incoming(incoming)).await
            }
            Position::Inside => {
                let mut server = Server::builder().layer(ours).layer(layer_fn(traced_server));
                let server = server.add_routes(routes);
                TestServer::start(|incoming| server.serve_with_incoming(incoming)).await
            }
            Position::Absent => {
                let server = Server::builder().layer(ours).add_routes(routes);
                TestServer::start(|incoming| server.serve_with_incoming(incoming)).await
            }
        }
    }

    async fn respond(self, request: Request<Body>) -> Response<Body> {
        self.seen.lock().unwrap().push(request.into_parts().0.headers);
        match self.next {
            Some(next) => {
                let request = raw::post(raw::METHOD).body(Body::empty()).unwrap();
                raw::send(next, request).await.status().into_http()
            }
            None => tonic::Status::new(Code::Ok, "").into_http(),
        }
    }
}

fn internal() -> ForwardedContext {
    ForwardedContext::trust_private_network()
}

fn edge() -> JwtAuthenticator {
    JwtAuthenticator::new(token::verifier())
}

/// The exported spans of this thread.
struct Traces {
    exporter: InMemorySpanExporter,
    _provider: SdkTracerProvider,
    _subscriber: DefaultGuard,
    /// While only one subscriber exists, tracing caches the interest in a call site as the first
    /// thread evaluates it, which may be the thread of a test without a subscriber. A second
    /// subscriber disables that.
    _another: tracing::Dispatch,
}

impl Traces {
    fn start(filter: Targets) -> Self {
        let exporter = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("shop"));
        let subscriber = Registry::default().with(layer.with_filter(filter));
        Self {
            exporter,
            _provider: provider,
            _subscriber: tracing::subscriber::set_default(subscriber),
            _another: tracing::Dispatch::new(NoSubscriber::new()),
        }
    }

    /// Waits for this many spans, and returns them. Some end only after the response has arrived.
    async fn take(&self, count: usize) -> Vec<SpanData> {
        let all = async {
            while self.exporter.get_finished_spans().unwrap().len() < count {
                tokio::task::yield_now().await;
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(30), all).await;
        let spans = self.exporter.get_finished_spans().unwrap();
        let names: Vec<_> = spans.iter().map(|span| &span.name).collect();
        assert!(in_time.is_ok() && spans.len() == count, "{count} spans, not {names:?}");
        self.exporter.reset();
        spans
    }
}

/// Starts a trace in a client, and calls the edge with baggage.
async fn checkout(edge: &TestServer) {
    let channel = traced_client(edge.connect().await);
    let bearer = format!("Bearer {}", token::good("alice"));
    let request = raw::post(raw::METHOD).header("authorization", bearer);
    let request = request.header("baggage", "plan=gold").body(Body::empty()).unwrap();
    let calling = async { raw::send(channel, request).await.status() };
    let status = calling.instrument(tracing::info_span!("checkout")).await;
    assert_eq!(status.code(), Code::Ok, "{status:?}");
}

/// Asserts that the spans form one trace with one root. Returns the names on the path from the last
/// service's span to the root.
fn path_to_root(spans: &[SpanData], case: &str) -> Vec<String> {
    let trace = spans[0].span_context.trace_id();
    let find = |id| spans.iter().find(|span| span.span_context.span_id() == id);
    for span in spans {
        assert_eq!(span.span_context.trace_id(), trace, "{case}: {}", span.name);
        let is_root = span.parent_span_id == SpanId::INVALID;
        assert_eq!(is_root, span.name == "checkout", "{case}: {}", span.name);
        assert_eq!(find(span.parent_span_id).is_none(), is_root, "{case}: {}", span.name);
    }
    let paths = spans.iter().filter(|span| span.name == "server").map(|span| {
        let mut path = vec![span.name.to_string()];
        let mut last = span;
        while let Some(parent) = find(last.parent_span_id) {
            path.push(parent.name.to_string());
            last = parent;
        }
        path
    });
    paths.max_by_key(Vec::len).unwrap()
}

#[tokio::test]
async fn opentelemetry_layers_and_ours_produce_one_connected_trace() {
    let everything = || Targets::new().with_default(LevelFilter::INFO);
    let theirs = || everything().with_target("tonic_passport", LevelFilter::OFF);
    let cases = [
        (
            Position::Outside,
            everything(),
            13,
            &[
                "server", "client", "call", "server", "client", "call", "server", "client",
                "checkout",
            ][..],
        ),
        // Our spans are created before the inner layer sets the parent, so they are filtered out.
        (
            Position::Inside,
            theirs(),
            7,
            &["server", "client", "server", "client", "server", "client", "checkout"],
        ),
        (
            Position::Outside,
            theirs(),
            7,
            &["server", "client", "server", "client", "server", "client", "checkout"],
        ),
    ];
    for (servers, filter, count, expected) in cases {
        for clients in [Position::Outside, Position::Inside] {
            let case = format!("{servers:?} of servers, {clients:?} of clients, {filter}");
            let traces = Traces::start(filter.clone());
            let third = Relay::default();
            let third_server = third.serve(internal(), servers).await;
            let second = Relay::to(third_server.connect().await, clients);
            let second_server = second.serve(internal(), servers).await;
            let first = Relay::to(second_server.connect().await, clients);
            let first_server = first.serve(edge(), servers).await;

            checkout(&first_server).await;
            let spans = traces.take(count).await;
            assert_eq!(path_to_root(&spans, &case), expected, "{case}");
            let trace = spans[0].span_context.trace_id().to_string();
            for relay in [first, second, third] {
                let seen = relay.seen.lock().unwrap();
                assert_eq!(seen.len(), 1, "{case}");
                assert_eq!(values(&seen[0], "baggage"), ["plan=gold"], "{case}");
                assert_eq!(values(&seen[0], "x-user-id"), ["alice"], "{case}");
                assert!(values(&seen[0], "traceparent")[0].contains(&trace), "{case}");
            }
        }
    }
}

/// A service on its own thread, which has no tracing subscriber.
struct UntracedService {
    endpoint: Endpoint,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl UntracedService {
    async fn start(next: Endpoint) -> Self {
        let (stop, stopped) = oneshot::channel();
        let (send_endpoint, endpoint) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let relay = Relay::to(next.connect().await.unwrap(), Position::Absent);
                let server = relay.serve(internal(), Position::Absent).await;
                send_endpoint.send(server.endpoint()).unwrap();
                // An error means that the sender was dropped, which stops the service as well.
                drop(stopped.await);
            });
        });
        Self { endpoint: endpoint.await.unwrap(), stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for UntracedService {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || std::thread::panicking());
    }
}

#[tokio::test]
async fn a_trace_continues_behind_a_service_without_tracing() {
    for position in [Position::Outside, Position::Inside] {
        let case = format!("{position:?}");
        let traces = Traces::start(Targets::new().with_target("it", LevelFilter::INFO));
        let third = Relay::default();
        let third_server = third.serve(internal(), position).await;
        let second = UntracedService::start(third_server.endpoint()).await;
        let first = Relay::to(second.endpoint.connect().await.unwrap(), position);
        let first_server = first.serve(edge(), position).await;

        checkout(&first_server).await;
        let path = path_to_root(&traces.take(5).await, &case);
        assert_eq!(path, ["server", "client", "server", "client", "checkout"], "{case}");
        let seen = third.seen.lock().unwrap();
        assert_eq!(values(&seen[0], "baggage"), ["plan=gold"], "{case}");
        assert_eq!(values(&seen[0], "x-user-id"), ["alice"], "{case}");
    }
}
