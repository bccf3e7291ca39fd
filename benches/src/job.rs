//! The job: a request with `authorization: Bearer <token>` becomes a request whose handler knows
//! the user. Nothing waits for a network.

use std::convert::Infallible;
use std::future::{self, Future, Ready};
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, TE, USER_AGENT};
use http::{Extensions, Method, Request, Response, StatusCode, Uri};
use tonic::body::Body;
use tonic_passport::jwt::Verifier;
use tower::Service;

/// The prefix of every user's name.
pub const USER: &str = "user-42";

/// The status of the handler's response. No rejection has it, so that none counts as a success.
const HANDLED: StatusCode = StatusCode::ACCEPTED;

/// Verifies the token, and writes `x-user-id`, `-email`, `-roles` and `-permissions` into metadata.
pub fn verify_and_write(verifier: Verifier, token: String) -> impl FnMut() {
    let mut headers = HeaderMap::new();
    move || {
        headers.clear();
        let user = verifier.verify(&token).expect("a good token");
        user.context().write_to(&mut headers).expect("room for four fields");
        assert_eq!(headers.len(), 4, "the user is in the metadata");
    }
}

/// The handler of a method, which reads the user. It panics when there is none.
#[derive(Clone, Copy, Debug)]
pub struct Handler {
    user: fn(&Extensions) -> Option<&str>,
}

impl Handler {
    /// A handler that finds the user's name in a request's extensions like this.
    pub fn new(user: fn(&Extensions) -> Option<&str>) -> Self {
        Self { user }
    }
}

impl Service<Request<Body>> for Handler {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let user = (self.user)(request.extensions()).expect("the handler knows the user");
        assert!(user.starts_with(USER), "the handler knows the user");
        black_box(user);
        let mut response = Response::new(Body::empty());
        *response.status_mut() = HANDLED;
        future::ready(Ok(response))
    }
}

/// Does the job once per call: makes a request as a gRPC server receives it, and calls the service.
/// Making the request is part of the measurement, for every service alike.
pub fn calls<S, B>(mut service: S, token: &str) -> impl FnMut() + use<S, B>
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible>,
{
    let uri = Uri::from_static("http://shop.example.com/shop.v1.OrderService/GetOrder");
    let headers = headers(token);
    move || {
        let mut request = Request::new(Body::empty());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri.clone();
        *request.headers_mut() = headers.clone();

        let Ok(()) = ready(future::poll_fn(|cx| service.poll_ready(cx)));
        let Ok(response) = ready(service.call(request));
        assert_eq!(response.status(), HANDLED, "the request reached the handler");
    }
}

/// The metadata of a request that a gRPC client sends with this token.
fn headers(token: &str) -> HeaderMap {
    let credential = HeaderValue::try_from(format!("Bearer {token}")).expect("a token is ASCII");
    HeaderMap::from_iter([
        (CONTENT_TYPE, HeaderValue::from_static("application/grpc")),
        (TE, HeaderValue::from_static("trailers")),
        (USER_AGENT, HeaderValue::from_static("grpc-go/1.76.0")),
        (AUTHORIZATION, credential),
    ])
}

/// Returns the value of a future that is ready on the first poll.
pub fn ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the future is not ready on the first poll"),
    }
}
