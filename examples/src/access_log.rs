//! What each part of the shop says in the log of each call.

use std::time::Duration;

use http::Request;
use tonic_passport::{CallContext, Deadline, UserContext};

/// Says in the log who calls, as part of which request, what time is left to answer, and the names
/// of all metadata that came along.
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

/// Says in the log what is relayed.
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

/// What is left of the time to answer, if there is a deadline.
fn remaining(context: &CallContext) -> Option<tracing::field::DebugValue<Duration>> {
    context.deadline().map(Deadline::remaining).map(tracing::field::debug)
}

/// The names of a request's metadata, sorted.
pub fn metadata_names<T>(request: &tonic::Request<T>) -> Vec<String> {
    let mut names: Vec<String> =
        request.metadata().as_ref().keys().map(ToString::to_string).collect();
    names.sort();
    names
}
