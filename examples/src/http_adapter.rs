//! Protocol adapter for plain HTTP, outside of the library.
//!
//! [`Inbound::accept`] makes all decisions. This module maps its result to HTTP: a status, JSON
//! with the reason, and `www-authenticate`. The path of a request is that of a gRPC method.

use std::convert::Infallible;
use std::future::Future;

use axum::body::Body;
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Request, Response, StatusCode};
use tonic_passport::inbound::{BodyError, CallTarget, HandlerError, Inbound, ResponseBody};
use tonic_passport::rejection::RejectionKind;
use tonic_passport::{Authenticator, Rejection};

/// Serves a request: the handler runs in the scope of the accepted call.
pub async fn serve<A, F>(
    inbound: &Inbound<A>,
    request: Request<Body>,
    handler: impl FnOnce(Request<Body>) -> F,
) -> Response<Body>
where
    A: Authenticator,
    F: Future<Output = Response<Body>>,
{
    let (mut parts, body) = request.into_parts();
    let target = CallTarget::method_path(&parts.uri);
    let accepted = match inbound.accept(target, &mut parts.headers, &mut parts.extensions).await {
        Ok(accepted) => accepted,
        Err(rejection) => return refuse(&rejection),
    };
    let body = Body::new(accepted.request_body::<_, BodyError>(body));
    let request = Request::from_parts(parts, body);
    let outcome = accepted.handle(|| async { Ok::<_, Infallible>(handler(request).await) });
    match outcome.await {
        Ok((response, accepted)) => {
            response.map(|body| Body::new(ResponseBody::new(body, accepted)))
        }
        Err(HandlerError::Rejected(rejection)) => refuse(&rejection),
        Err(HandlerError::Handler(infallible)) => match infallible {},
    }
}

/// Maps a rejection to HTTP.
fn refuse(rejection: &Rejection) -> Response<Body> {
    let status = match rejection.kind() {
        RejectionKind::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        RejectionKind::InvalidArgument => StatusCode::BAD_REQUEST,
        RejectionKind::PermissionDenied => StatusCode::FORBIDDEN,
        RejectionKind::ResourceExhausted => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        RejectionKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        RejectionKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        RejectionKind::Unimplemented => StatusCode::NOT_FOUND,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let text = serde_json::json!({ "reason": rejection.reason(), "message": rejection.message() });
    let mut response = Response::new(Body::from(text.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(challenge) = rejection.www_authenticate() {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    if let Some(delay) = rejection.retry_after() {
        headers.insert(RETRY_AFTER, HeaderValue::from(delay.as_secs().max(1)));
    }
    response
}
