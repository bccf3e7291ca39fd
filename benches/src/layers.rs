//! Calls in process, with layers and without. Each piece of work is one call: the request is built
//! as hyper and tonic build it, and the response is read to its end.

use std::convert::Infallible;
use std::future::{self, Future, Ready};
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderName, HeaderValue, Method, Uri, Version};
use http_body_util::{BodyExt, Full};
use prost::Message;
use tokio::runtime::Builder;
use tonic::body::Body;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_passport::jwt::Verifier;
use tonic_passport::{
    ClientLayer, ForwardedContext, JwtAuthenticator, Policy, Rule, ServerLayer, UserContext,
};
use tower::{BoxError, Service};

use crate::job::{USER, ready};

/// A field of metadata: its name and its value.
pub type Field = (&'static str, &'static str);

/// Return type of the method.
pub type CheckResult = Result<Response<HealthCheckResponse>, Status>;

/// The method that is called.
const METHOD: &str = "/grpc.health.v1.Health/Check";

/// The metadata that tonic's client sends with every call. The last two come from the channel.
const PLAIN: [Field; 4] = [
    ("te", "trailers"),
    ("content-type", "application/grpc"),
    ("grpc-accept-encoding", "gzip"),
    ("user-agent", "tonic/0.14.9"),
];

/// The number of them that are set before the channel gets the request.
const BEFORE_CHANNEL: usize = 2;

/// The user and the request id, as an internal call carries them.
const FORWARDED: [Field; 5] = [
    ("x-user-id", USER),
    ("x-user-email", "alice@example.com"),
    ("x-user-roles", "buyer"),
    ("x-user-permissions", "orders:create,orders:read"),
    ("x-request-id", "0199a3c4-7b1e-7c52-9d3f-5a6b7c8d9e0f"),
];

/// Deadline and trace context of a call.
pub const TRACED: [Field; 2] = [
    ("grpc-timeout", "10S"),
    ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
];

/// A service behind the edge, which is called on behalf of a user with these additional fields, and
/// makes one call to another service on their behalf.
pub fn hop(besides: &[Field]) -> impl FnMut() + use<> {
    let upstream = ClientLayer::new().wrap(upstream(BEFORE_CHANNEL + FORWARDED.len()));
    let layer = ServerLayer::new(ForwardedContext::trust_private_network());
    calls(layer.wrap(caller_of(upstream)), Arrival::forwarded(besides))
}

/// The same without layers: the fields come in, and go no further.
pub fn hop_without_layers(besides: &[Field]) -> impl FnMut() + use<> {
    calls(caller_of(upstream(BEFORE_CHANNEL)), Arrival::forwarded(besides))
}

/// A service behind the edge that makes no calls. Every authenticated caller may call it.
pub fn served() -> impl FnMut() + use<> {
    served_by(&ServerLayer::new(ForwardedContext::trust_private_network()))
}

/// The same, with a policy: callers must have a permission, which the user has.
pub fn served_by_policy() -> impl FnMut() + use<> {
    let rule = Rule::permission("orders:read");
    let policy = Policy::builder().rule(METHOD, rule).build().expect("a good policy");
    served_by(&ServerLayer::new(ForwardedContext::trust_private_network()).policy(policy))
}

fn served_by(layer: &ServerLayer<ForwardedContext>) -> impl FnMut() + use<> {
    calls(layer.wrap(service(|_| future::ready(Ok(serving())))), Arrival::forwarded(&[]))
}

/// The edge, called with this token. Its handler reads the user.
pub fn edge(verifier: Verifier, token: &str) -> impl FnMut() + use<> {
    let handler = service(|request| {
        let user = UserContext::from_request(&request).expect("the handler knows the user");
        assert!(user.id().starts_with(USER), "the handler knows the user");
        future::ready(Ok(serving()))
    });
    calls(
        ServerLayer::new(JwtAuthenticator::new(verifier)).wrap(handler),
        Arrival::with_token(token),
    )
}

/// The same without a layer: the token is not read.
pub fn edge_without_layer(token: &str) -> impl FnMut() + use<> {
    calls(service(|_| future::ready(Ok(serving()))), Arrival::with_token(token))
}

/// A service whose one method is this function. Health stands in for a service of a shop: the code
/// around the method is what is generated for any.
pub fn service<F, Fut>(method: F) -> HealthServer<Check<F>>
where
    F: Fn(Request<HealthCheckRequest>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = CheckResult> + Send,
{
    HealthServer::new(Check(method))
}

/// The request of every call.
pub fn request() -> HealthCheckRequest {
    HealthCheckRequest { service: "shop.v1.OrderService".to_owned() }
}

/// The response of a method without work.
pub fn serving() -> Response<HealthCheckResponse> {
    Response::new(HealthCheckResponse { status: ServingStatus::Serving.into() })
}

/// A service that responds at once, and asserts that a call has at least so many fields.
fn upstream(
    fields: usize,
) -> HealthServer<Check<impl Fn(Request<HealthCheckRequest>) -> Ready<CheckResult>>> {
    service(move |request| {
        assert!(request.metadata().len() >= fields, "the user is in the metadata");
        future::ready(Ok(serving()))
    })
}

/// A service that calls another one, and returns its response.
fn caller_of<S, B>(
    upstream: S,
) -> impl Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>
+ Clone
+ use<S, B>
where
    S: Service<http::Request<Body>, Response = http::Response<B>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError> + Send> + Send + 'static,
{
    let client = HealthClient::new(upstream);
    service(move |request| {
        let mut client = client.clone();
        async move { client.check(request.into_inner()).await }
    })
}

/// Makes one call for each invocation, with the request of this arrival.
fn calls<S, B>(service: S, arrival: Arrival) -> impl FnMut() + use<S, B>
where
    S: Service<http::Request<Body>, Response = http::Response<B>, Error = Infallible> + Clone,
    B: http_body::Body,
{
    // A layer may need a timer, which belongs to a runtime.
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
    move || {
        let _entered = runtime.enter();
        // As tonic's server does for each call.
        let mut service = service.clone();
        let Ok(()) = ready(future::poll_fn(|cx| service.poll_ready(cx)));
        let Ok(response) = ready(service.call(arrival.request()));
        let mut body = pin!(response.into_body());
        let mut succeeded = false;
        while let Some(frame) = ready(body.frame()) {
            let Ok(frame) = frame else { panic!("the body breaks off") };
            if let Ok(trailers) = frame.into_trailers() {
                succeeded = trailers.get("grpc-status").is_some_and(|status| status == "0");
            }
        }
        assert!(succeeded, "the call succeeded");
    }
}

/// A call as a server receives it.
struct Arrival {
    uri: Uri,
    fields: Vec<(HeaderName, HeaderValue)>,
    message: Bytes,
}

impl Arrival {
    /// An internal call.
    fn forwarded(besides: &[Field]) -> Self {
        Self::new([PLAIN.as_slice(), &FORWARDED, besides].concat())
    }

    /// A call of a client.
    fn with_token(token: &str) -> Self {
        let credential = format!("Bearer {token}");
        Self::new([PLAIN.as_slice(), &[("authorization", &credential)]].concat())
    }

    fn new(fields: Vec<(&str, &str)>) -> Self {
        // None of them is static: the values that h2 reads are shared buffers too.
        let field = |(name, value): (&str, &str)| {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a good name");
            (name, HeaderValue::from_str(value).expect("a good value"))
        };
        let uri = format!("http://orders:50052{METHOD}");
        let request = request();
        let length = u32::try_from(request.encoded_len()).expect("a small message");
        let mut message = BytesMut::new();
        message.put_u8(0);
        message.put_u32(length);
        request.encode(&mut message).expect("a buffer grows");
        Self {
            uri: uri.parse().expect("a good URI"),
            fields: fields.into_iter().map(field).collect(),
            message: message.freeze(),
        }
    }

    /// The call, as hyper and tonic give it to the layers of a server.
    fn request(&self) -> http::Request<Body> {
        let mut request = http::Request::new(Body::new(Full::new(self.message.clone())));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.version_mut() = Version::HTTP_2;
        // One by one, as h2 does: the map has room for some more.
        for (name, value) in &self.fields {
            request.headers_mut().append(name, value.clone());
        }
        request.extensions_mut().insert(Connection {
            _local: SocketAddr::from((Ipv4Addr::LOCALHOST, 50052)),
            _remote: SocketAddr::from((Ipv4Addr::LOCALHOST, 40000)),
        });
        request
    }
}

/// Takes the place of tonic's `TcpConnectInfo`, which only a connection makes.
#[derive(Clone, Copy, Debug)]
struct Connection {
    _local: SocketAddr,
    _remote: SocketAddr,
}

/// The service of [`service`].
#[derive(Debug)]
pub struct Check<F>(F);

#[tonic::async_trait]
impl<F, Fut> Health for Check<F>
where
    F: Fn(Request<HealthCheckRequest>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = CheckResult> + Send,
{
    type WatchStream = tokio_stream::Pending<Result<HealthCheckResponse, Status>>;

    async fn check(&self, request: Request<HealthCheckRequest>) -> CheckResult {
        (self.0)(request).await
    }

    async fn watch(
        &self,
        _: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("there is nothing to watch"))
    }
}
