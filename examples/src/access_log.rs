//! Access log: one line for each call.

use std::time::Duration;

use http::Request;
use tonic_passport::{CallContext, Deadline, UserContext};

/// Logs a call with its user, its request id, the remaining time, and the names of its metadata.
pub fn log_call<T>(method: &'static str, user: &UserContext, request: &tonic::Request<T>) {
    let context = CallContext::current();
    let metadata = metadata_names(request).join(" ");
    tracing::info!(
        user = user.id(),
        request_id = context.request_id().map(AsRef::as_ref),
        remaining = remaining(&context),
        metadata,
        "{method}"
    );
}

/// Logs a relayed call.
pub fn log_relayed<B>(request: Request<B>) -> Request<B> {
    let context = CallContext::current();
    tracing::info!(
        user = context.user().map(UserContext::id),
        request_id = context.request_id().map(AsRef::as_ref),
        remaining = remaining(&context),
        "relayed {}",
        request.uri().path()
    );
    request
}

/// Returns the time until the deadline, if there is one.
fn remaining(context: &CallContext) -> Option<tracing::field::DebugValue<Duration>> {
    context.deadline().map(Deadline::remaining).map(tracing::field::debug)
}

/// Returns the names of a request's metadata, sorted.
pub fn metadata_names<T>(request: &tonic::Request<T>) -> Vec<String> {
    let mut names: Vec<String> =
        request.metadata().as_ref().keys().map(ToString::to_string).collect();
    names.sort();
    names
}
