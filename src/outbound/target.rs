//! The target of an outgoing call.

use http::Uri;

/// Target of a request; unknown parts are absent.
///
/// If the origin and the request's URI name different destinations, both must be allowed.
#[derive(Clone, Copy, Debug, Default)]
pub struct CallTarget<'a> {
    pub(super) origin: Option<&'a Uri>,
    pub(super) request_uri: Option<&'a Uri>,
}

impl<'a> CallTarget<'a> {
    /// An unknown target.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the origin that the connection or channel leads to.
    #[must_use]
    pub fn origin(mut self, uri: &'a Uri) -> Self {
        self.origin = Some(uri);
        self
    }

    /// Sets the URI of the request.
    #[must_use]
    pub fn request_uri(mut self, uri: &'a Uri) -> Self {
        self.request_uri = Some(uri);
        self
    }
}
