//! What each service says in the log of each call.

use tonic::Request;
use tonic_passport::UserContext;

/// Says in the log who calls, and the names of all metadata that came along.
pub(crate) fn log_call<T>(method: &'static str, user: &UserContext, request: &Request<T>) {
    let metadata = metadata_names(request);
    tracing::info!(user = user.id(), metadata = metadata.join(" "), "{method}");
}

/// The names of a request's metadata, sorted.
pub(crate) fn metadata_names<T>(request: &Request<T>) -> Vec<String> {
    let mut names: Vec<String> =
        request.metadata().as_ref().keys().map(ToString::to_string).collect();
    names.sort();
    names
}
