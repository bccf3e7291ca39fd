//! Calls and services below tonic's codecs, at the level of headers, frames and trailers.

use std::convert::Infallible;
use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::{BufMut, Bytes, BytesMut};
use http::uri::PathAndQuery;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio_stream::{Stream, empty, pending};
use tonic::body::Body;
use tonic::client::{Grpc, GrpcService};
use tonic::service::{AxumRouter, Routes};
use tonic::transport::Server;
use tonic::{Code, Status, Streaming};
use tonic_passport::{Authenticator, ServerLayer};
use tonic_prost::ProstCodec;
use tower::{Service, ServiceExt};

use super::probe::{Kind, with};
use super::server::TestServer;

/// The path of a unary method.
pub const METHOD: &str = "/shop.v1.OrderService/CreateOrder";

/// A complete response.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WireResponse {
    pub http: StatusCode,
    pub headers: HeaderMap,
    pub data: Bytes,
    pub trailers: HeaderMap,
}

impl WireResponse {
    /// Returns the status in the trailers, or in the headers of a response without a body.
    pub fn status(&self) -> Status {
        let here = self.headers.contains_key("grpc-status");
        let fields = if here { &self.headers } else { &self.trailers };
        let text = |name| fields.get(name).map_or("", |value| value.to_str().unwrap());
        let details = STANDARD_NO_PAD.decode(text("grpc-status-details-bin")).unwrap();
        let code = Code::from_bytes(text("grpc-status").as_bytes());
        Status::with_details(code, text("grpc-message"), details.into())
    }
}

/// Starts a gRPC request.
pub fn post(path: &str) -> http::request::Builder {
    Request::post(path).header("content-type", "application/grpc").header("te", "trailers")
}

/// Starts a gRPC response.
pub fn ok() -> http::response::Builder {
    Response::builder().header("content-type", "application/grpc")
}

/// Returns the kind of a call to one of the probe's methods.
pub fn kind_of<B>(request: &Request<B>) -> Kind {
    let path = request.uri().path();
    Kind::ALL.into_iter().find(|kind| kind.path() == path).unwrap()
}

/// Returns these bytes as a length-prefixed message.
pub fn message(content: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(5 + content.len());
    framed.put_u8(0);
    framed.put_u32(u32::try_from(content.len()).unwrap());
    framed.put_slice(content);
    framed.freeze()
}

/// Returns a body of one message and these trailers.
pub fn message_and(content: &[u8], trailers: HeaderMap) -> Body {
    let frames = [Frame::data(message(content)), Frame::trailers(trailers)];
    stream(tokio_stream::iter(frames))
}

/// Returns a body of these frames.
pub fn stream(frames: impl Stream<Item = Frame<Bytes>> + Send + 'static) -> Body {
    use tokio_stream::StreamExt;
    Body::new(StreamBody::new(frames.map(Ok::<_, Status>)))
}

/// Sends a request, and reads the response to its end.
pub async fn send<S, B>(service: S, request: Request<Body>) -> WireResponse
where
    S: Service<Request<Body>, Response = Response<B>, Error: Debug>,
    B: http_body::Body<Data = Bytes, Error: Debug>,
{
    let (parts, body) = service.oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap();
    let trailers = body.trailers().cloned().unwrap_or_default();
    WireResponse { http: parts.status, headers: parts.headers, data: body.to_bytes(), trailers }
}

/// Routes every path to one handler.
pub fn routes<F, R>(handler: F) -> Routes
where
    F: Fn(Request<Body>) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Response<Body>> + Send + 'static,
{
    let service = tower::service_fn(move |request: Request<axum::body::Body>| {
        let response = handler(request.map(Body::new));
        async move { Ok::<_, Infallible>(response.await) }
    });
    Routes::from(AxumRouter::new().fallback_service(service))
}

/// Serves one handler for every path, without any layer.
pub async fn serve<F, R>(handler: F) -> TestServer
where
    F: Fn(Request<Body>) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Response<Body>> + Send + 'static,
{
    TestServer::start(|incoming| {
        Server::builder().add_routes(routes(handler)).serve_with_incoming(incoming)
    })
    .await
}

/// Serves one handler for every path behind a layer.
pub async fn serve_with<A, F, R>(layer: ServerLayer<A>, handler: F) -> TestServer
where
    A: Authenticator,
    F: Fn(Request<Body>) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Response<Body>> + Send + 'static,
{
    TestServer::start(|incoming| {
        Server::builder().layer(layer).add_routes(routes(handler)).serve_with_incoming(incoming)
    })
    .await
}

/// Returns a response with an empty message for each item, and the status OK.
pub fn response<S>(messages: S) -> Response<Body>
where
    S: Stream<Item = ()> + Send + 'static,
{
    use tokio_stream::StreamExt;
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", 0.into());
    let messages = messages.map(|()| Frame::data(message(&[])));
    let frames = messages.chain(tokio_stream::once(Frame::trailers(trailers)));
    ok().body(stream(frames)).unwrap()
}

/// Makes a call of this kind with empty messages. A request stream has one message, and stays open.
/// Returns the stream of responses.
pub async fn open<C>(
    kind: Kind,
    channel: C,
    fields: &[(&str, &str)],
) -> Result<Streaming<()>, Status>
where
    C: GrpcService<Body, ResponseBody: http_body::Body<Data = Bytes> + Send + 'static>,
    <C::ResponseBody as http_body::Body>::Error: Into<tower::BoxError> + Send,
{
    open_with(kind, channel, fields, pending()).await
}

/// Like [`open`]. A request stream continues with these messages.
pub async fn open_with<C>(
    kind: Kind,
    channel: C,
    fields: &[(&str, &str)],
    rest: impl Stream<Item = ()> + Send + 'static,
) -> Result<Streaming<()>, Status>
where
    C: GrpcService<Body, ResponseBody: http_body::Body<Data = Bytes> + Send + 'static>,
    <C::ResponseBody as http_body::Body>::Error: Into<tower::BoxError> + Send,
{
    use tokio_stream::StreamExt;
    let rest: Pin<Box<dyn Stream<Item = ()> + Send>> =
        if kind.sends_a_stream() { Box::pin(rest) } else { Box::pin(empty()) };
    let request = with(fields, tokio_stream::once(()).chain(rest));
    let mut client = Grpc::new(channel);
    client.ready().await.map_err(|error| Status::from_error(error.into()))?;
    let path = PathAndQuery::from_static(kind.path());
    let response = client.streaming(request, path, ProstCodec::<(), ()>::default()).await?;
    Ok(response.into_inner())
}

/// Like [`open`], and reads the responses to their end. Returns their number and the result.
pub async fn read<C>(kind: Kind, channel: C, fields: &[(&str, &str)]) -> (usize, Result<(), Status>)
where
    C: GrpcService<Body, ResponseBody: http_body::Body<Data = Bytes> + Send + 'static>,
    <C::ResponseBody as http_body::Body>::Error: Into<tower::BoxError> + Send,
{
    let mut messages = match open(kind, channel, fields).await {
        Ok(messages) => messages,
        Err(status) => return (0, Err(status)),
    };
    let mut count = 0;
    loop {
        match messages.message().await {
            Ok(Some(())) => count += 1,
            Ok(None) => return (count, Ok(())),
            Err(status) => return (count, Err(status)),
        }
    }
}
