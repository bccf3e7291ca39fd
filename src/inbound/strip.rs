//! Stripping of identity from responses and trailers.

use http::{HeaderMap, HeaderName};
use http_body::Frame;

use crate::metadata::{self, Reserved, folded, is_connection_field};

/// Strips identity from the headers of a response.
pub(super) fn strip_response(headers: &mut HeaderMap) {
    metadata::strip(headers, |_| true);
}

/// Strips the strategy's own credentials from the trailers of a request, and what
/// [`strip_trailers`] strips.
pub(super) fn strip_request_trailers<D>(frame: &mut Frame<D>, credential_names: &[HeaderName]) {
    strip_trailers(frame);
    if credential_names.is_empty() {
        return;
    }
    if let Some(trailers) = frame.trailers_mut() {
        metadata::remove(trailers, |name| is_credential(name.as_str(), credential_names));
    }
}

/// Whether a name folds to one of `credential_names`.
pub(super) fn is_credential(name: &str, credential_names: &[HeaderName]) -> bool {
    credential_names.iter().any(|listed| folded(listed.as_str()).eq(folded(name)))
}

/// Strips identity and connection-specific fields from trailers. Over HTTP/1 a client can send
/// connection-specific fields there, which HTTP/2 peers reject.
pub(super) fn strip_trailers<D>(frame: &mut Frame<D>) {
    if let Some(trailers) = frame.trailers_mut() {
        metadata::remove(trailers, |name| {
            let name = name.as_str();
            name == "te"
                || name == "x-passport-one-hop"
                || is_connection_field(name)
                || Reserved::classify(name).is_some()
        });
    }
}
