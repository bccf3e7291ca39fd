//! Our layers and those that everyone writes for OpenTelemetry make one connected trace, whichever
//! stands outside.

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

/// What programs set as the global one. Tests have it to themselves.
static PROPAGATOR: LazyLock<TextMapCompositePropagator> = LazyLock::new(|| {
    TextMapCompositePropagator::new(vec![
        Box::new(TraceContextPropagator::new()),
        Box::new(BaggagePropagator::new()),
    ])
});

/// The usual layer around a service: its span belongs to the trace that the request says.
fn traced_server<S>(inner: S) -> Traced<S> {
    let open = |headers: &mut HeaderMap| {
        let span = tracing::info_span!("server", otel.kind = "server");
        span.set_parent(PROPAGATOR.extract(&HeaderExtractor(headers))).unwrap();
        span
    };
    Traced { inner, open }
}

/// The usual layer around a channel: the request says which trace its span belongs to.
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

/// Where the layers of OpenTelemetry stand.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    Outside,
    Inside,
    Nowhere,
}

/// A service that calls the next one.
#[derive(Clone, Default)]
struct Relay {
    next: Option<BoxedClient>,
    seen: Arc<Mutex<Vec<HeaderMap>>>,
}

impl Relay {
    fn to(channel: Channel, place: Place) -> Self {
        let layer = ClientLayer::new();
        let next = match place {
            Place::Outside => {
                let service = traced_client(layer.wrap(channel));
                BoxedClient::new(service.map_response(|answer| answer.map(Body::new)))
            }
            Place::Inside => {
                let service = layer.wrap(traced_client(channel));
                BoxedClient::new(service.map_response(|answer| answer.map(Body::new)))
            }
            Place::Nowhere => {
                let service = layer.wrap(channel);
                BoxedClient::new(service.map_response(|answer| answer.map(Body::new)))
            }
        };
        Self { next: Some(next), ..Self::default() }
    }

    async fn serve(&self, authenticator: impl Authenticator, place: Place) -> TestServer {
        let relay = self.clone();
        let routes = raw::routes(move |request| relay.clone().answer(request));
        let ours = ServerLayer::new(authenticator);
        match place {
            Place::Outside => {
                let mut server = Server::builder().layer(layer_fn(traced_server)).layer(ours);
                let server = server.add_routes(routes);
                TestServer::start(|incoming| server.serve_with_incoming(incoming)).await
            }
            Place::Inside => {
                let mut server = Server::builder().layer(ours).layer(layer_fn(traced_server));
                let server = server.add_routes(routes);
                TestServer::start(|incoming| server.serve_with_incoming(incoming)).await
            }
            Place::Nowhere => {
                let server = Server::builder().layer(ours).add_routes(routes);
                TestServer::start(|incoming| server.serve_with_incoming(incoming)).await
            }
        }
    }

    async fn answer(self, request: Request<Body>) -> Response<Body> {
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

/// Whatever this thread traces.
struct Traces {
    exporter: InMemorySpanExporter,
    _provider: SdkTracerProvider,
    _subscriber: DefaultGuard,
    /// As long as there is one subscriber only, tracing takes the word of whichever thread meets a
    /// span first, another test's for instance, that nobody listens.
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

    /// The spans, once there are so many: some end when their answer has arrived already.
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

/// A client begins a trace, and calls the edge, with baggage.
async fn checkout(edge: &TestServer) {
    let channel = traced_client(edge.connect().await);
    let bearer = format!("Bearer {}", token::good("alice"));
    let request = raw::post(raw::METHOD).header("authorization", bearer);
    let request = request.header("baggage", "plan=gold").body(Body::empty()).unwrap();
    let calling = async { raw::send(channel, request).await.status() };
    let status = calling.instrument(tracing::info_span!("checkout")).await;
    assert_eq!(status.code(), Code::Ok, "{status:?}");
}

/// Demands that these spans are one trace, with one beginning. Tells the names from one of its ends
/// to that: from the last service's span.
fn way_back(spans: &[SpanData], case: &str) -> Vec<String> {
    let trace = spans[0].span_context.trace_id();
    let find = |id| spans.iter().find(|span| span.span_context.span_id() == id);
    for span in spans {
        assert_eq!(span.span_context.trace_id(), trace, "{case}: {}", span.name);
        let is_root = span.parent_span_id == SpanId::INVALID;
        assert_eq!(is_root, span.name == "checkout", "{case}: {}", span.name);
        assert_eq!(find(span.parent_span_id).is_none(), is_root, "{case}: {}", span.name);
    }
    let ways = spans.iter().filter(|span| span.name == "server").map(|span| {
        let mut way = vec![span.name.to_string()];
        let mut last = span;
        while let Some(parent) = find(last.parent_span_id) {
            way.push(parent.name.to_string());
            last = parent;
        }
        way
    });
    ways.max_by_key(Vec::len).unwrap()
}

#[tokio::test]
async fn layers_of_opentelemetry_and_ours_make_one_trace() {
    let everything = || Targets::new().with_default(LevelFilter::INFO);
    let theirs = || everything().with_target("tonic_passport", LevelFilter::OFF);
    let cases = [
        (
            Place::Outside,
            everything(),
            13,
            &[
                "server", "client", "call", "server", "client", "call", "server", "client",
                "checkout",
            ][..],
        ),
        // Our spans begin before it is known which trace they are of.
        (
            Place::Inside,
            theirs(),
            7,
            &["server", "client", "server", "client", "server", "client", "checkout"],
        ),
        (
            Place::Outside,
            theirs(),
            7,
            &["server", "client", "server", "client", "server", "client", "checkout"],
        ),
    ];
    for (servers, filter, count, expected) in cases {
        for clients in [Place::Outside, Place::Inside] {
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
            assert_eq!(way_back(&spans, &case), expected, "{case}");
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

/// A service in a thread of its own, where nobody traces.
struct Elsewhere {
    endpoint: Endpoint,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Elsewhere {
    async fn start(next: Endpoint) -> Self {
        let (stop, stopped) = oneshot::channel();
        let (tell, endpoint) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let relay = Relay::to(next.connect().await.unwrap(), Place::Nowhere);
                let server = relay.serve(internal(), Place::Nowhere).await;
                tell.send(server.endpoint()).unwrap();
                // An error says that nobody needs the service any more, too.
                drop(stopped.await);
            });
        });
        Self { endpoint: endpoint.await.unwrap(), stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || std::thread::panicking());
    }
}

#[tokio::test]
async fn a_trace_goes_on_behind_a_service_that_knows_nothing_of_it() {
    for place in [Place::Outside, Place::Inside] {
        let case = format!("{place:?}");
        let traces = Traces::start(Targets::new().with_target("it", LevelFilter::INFO));
        let third = Relay::default();
        let third_server = third.serve(internal(), place).await;
        let second = Elsewhere::start(third_server.endpoint()).await;
        let first = Relay::to(second.endpoint.connect().await.unwrap(), place);
        let first_server = first.serve(edge(), place).await;

        checkout(&first_server).await;
        let way = way_back(&traces.take(5).await, &case);
        assert_eq!(way, ["server", "client", "server", "client", "checkout"], "{case}");
        let seen = third.seen.lock().unwrap();
        assert_eq!(values(&seen[0], "baggage"), ["plan=gold"], "{case}");
        assert_eq!(values(&seen[0], "x-user-id"), ["alice"], "{case}");
    }
}
