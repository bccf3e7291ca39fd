//! Helpers of the tests: tokens, servers and clients on loopback, and a service that records calls.

pub mod chain;
pub mod clients;
pub mod descriptors;
pub mod edges;
pub mod forged;
pub mod guard;
pub mod isolation;
pub mod log;
pub mod metrics;
pub mod probe;
pub mod random_tokens;
pub mod raw;
pub mod response_service;
pub mod rules;
pub mod server;
pub mod token;

pub use crate::sample::proto as shop;

use std::convert::Infallible;
use std::fmt::Debug;

use http::Response;
use tonic::body::Body;
use tonic::{Code, Status};
use tonic_passport::propagation::PropagatedField;
use tonic_passport::{CallContext, ForwardedContext, ServerLayer};
use tonic_types::StatusExt;
use tower::ServiceExt;

use probe::Probe;

/// Returns the reason in a status's `google.rpc.ErrorInfo`.
pub fn reason(status: &Status) -> String {
    let details = status.get_error_details();
    let info = details.error_info().unwrap_or_else(|| panic!("no ErrorInfo in {status:?}"));
    assert_eq!(info.domain, tonic_passport::rejection::DOMAIN);
    info.reason.clone()
}

/// Asserts that a call was refused with this code and reason, and reached no handler.
#[track_caller]
pub fn assert_refused<T: Debug>(
    response: Result<T, Status>,
    (code, expected): (Code, &str),
    probe: &Probe,
    case: &str,
) {
    let status = response.expect_err(case);
    assert_eq!(status.code(), code, "{case}: {status:?}");
    assert_eq!(reason(&status), expected, "{case}");
    assert_eq!(probe.calls(), 0, "{case}");
}

/// Returns the `CallContext` of a request for alice with these fields, as a handler sees it. The
/// service propagates the listed fields.
pub async fn context_of(
    fields: &[(&str, &str)],
    propagated: impl IntoIterator<Item = PropagatedField>,
) -> CallContext {
    let mut request = raw::post(raw::METHOD).header("x-user-id", "alice");
    for (name, value) in fields {
        request = request.header(*name, value.as_bytes());
    }
    let handler = tower::service_fn(|_| async {
        let mut response = Response::new(Body::empty());
        response.extensions_mut().insert(CallContext::current());
        Ok::<_, Infallible>(response)
    });
    let layer = ServerLayer::new(ForwardedContext::trust_private_network()).propagate(propagated);
    let request = request.body(Body::empty()).unwrap();
    let response = layer.wrap(handler).oneshot(request).await.unwrap();
    response.extensions().get::<CallContext>().unwrap().clone()
}
