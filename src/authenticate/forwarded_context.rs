//! Authentication by forwarded `x-user-*` metadata.

use super::authenticator::{Authentication, Authenticator};
use super::credentials::Credentials;
use crate::context::UserContext;
use crate::metadata::{self, Reserved};
use crate::rejection::Rejection;

/// Strategy of internal services: it trusts the `x-user-*` metadata that the edge or another
/// service wrote.
///
/// The metadata is not signed. Every peer that can connect to the service can claim to be any user,
/// so the constructor's name states why the metadata is trusted.
#[derive(Clone, Debug)]
pub struct ForwardedContext {
    max_size: usize,
}

impl ForwardedContext {
    /// Trusts the metadata because only the edge and other services of the same trust domain can
    /// connect: through a private network, a network policy, or a listener on loopback.
    ///
    /// Never use it on a server that clients can connect to.
    pub fn trust_private_network() -> Self {
        Self { max_size: UserContext::DEFAULT_MAX_SIZE }
    }

    /// Sets the maximum size of a context in bytes, counted as gRPC counts metadata;
    /// [`UserContext::DEFAULT_MAX_SIZE`] by default.
    #[must_use]
    pub fn max_context_size(mut self, bytes: usize) -> Self {
        self.max_size = bytes;
        self
    }
}

impl Authenticator for ForwardedContext {
    fn authenticate(&self, credentials: &Credentials<'_>) -> Authentication {
        metadata::read(credentials.iter(), self.max_size).map_err(Rejection::from).into()
    }

    fn has_credential(&self, credentials: &Credentials<'_>) -> bool {
        let mut names = credentials.iter().map(|(name, _)| name.as_str());
        names.any(|name| Reserved::classify(name) == Some(Reserved::Context))
    }

    fn challenge(&self) -> Rejection {
        Rejection::ContextMissing
    }
}
