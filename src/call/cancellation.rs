//! The cancellation state of a call.

use std::sync::OnceLock;

use tokio_util::sync::CancellationToken;

/// Cancellation of a call. It allocates nothing until something waits for it.
#[derive(Default)]
pub(crate) struct Cancellation {
    token: OnceLock<CancellationToken>,
}

impl Cancellation {
    pub(crate) fn cancel(&self) {
        self.token().cancel();
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.token.get().is_some_and(CancellationToken::is_cancelled)
    }

    /// Whether a token was handed out: something may wait for it.
    pub(crate) fn is_observed(&self) -> bool {
        self.token.get().is_some()
    }

    /// Returns the token to wait for. It is created on the first call.
    pub(crate) fn token(&self) -> &CancellationToken {
        self.token.get_or_init(CancellationToken::new)
    }
}
