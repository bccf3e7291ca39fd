//! Stripping of identity from responses and trailers.

use http::HeaderMap;
use http_body::Frame;

use crate::metadata::{self, Reserved, is_connection_field};

/// Strips identity from the headers of a response.
pub(super) fn strip_response(headers: &mut HeaderMap) {
    metadata::strip(headers, |_| true);
}

/// Strips identity and connection-specific fields from trailers. Over HTTP/1 a client can send
/// connection-specific fields there, which HTTP/2 peers reject.
pub(super) fn strip_trailers<D>(frame: &mut Frame<D>) {
    if let Some(trailers) = frame.trailers_mut() {
        metadata::remove(trailers, |name| {
            let name = name.as_str();
            name == "te" || is_connection_field(name) || Reserved::classify(name).is_some()
        });
    }
}
