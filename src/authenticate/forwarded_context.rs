use super::{Authenticator, Credentials, Rejection};
use crate::context::UserContext;
use crate::metadata;

/// Authenticates by the `x-user-*` metadata that an edge or another service wrote: the strategy of
/// a service inside.
///
/// The metadata is not signed. Whoever can open a connection to the service can claim to be
/// anyone, so the constructor's name says why it is trusted all the same.
#[derive(Clone, Debug)]
pub struct ForwardedContext {
    max_size: usize,
}

impl ForwardedContext {
    /// Trusts the metadata because only the edge and other services of the same trust domain can
    /// reach this one: through a private network, a network policy, or a listener on loopback.
    ///
    /// Never use it on a server that clients can reach directly.
    pub fn trust_private_network() -> Self {
        Self { max_size: UserContext::DEFAULT_MAX_SIZE }
    }

    /// Sets the size in bytes that a context may have, in place of
    /// [`UserContext::DEFAULT_MAX_SIZE`].
    #[must_use]
    pub fn max_context_size(mut self, bytes: usize) -> Self {
        self.max_size = bytes;
        self
    }
}

impl Authenticator for ForwardedContext {
    fn authenticate(
        &self,
        credentials: &Credentials<'_>,
    ) -> Result<Option<UserContext>, Rejection> {
        Ok(metadata::read(credentials.iter(), self.max_size)?)
    }

    fn challenge(&self) -> Rejection {
        Rejection::ContextMissing
    }
}
