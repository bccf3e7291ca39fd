//! Where the keys of an issuer come from.

use std::time::SystemTime;

use super::error::TokenError;
use super::key::VerificationKey;
use super::key_set::KeySet;
#[cfg(feature = "remote-keys")]
use super::remote::{KeyStore, RemoteKeys};

/// Where the keys of an issuer come from: a [`KeySet`], a single [`VerificationKey`], or
/// [`RemoteKeys`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum KeySource {
    /// Keys that never change.
    Fixed(KeySet),
    /// Keys that the issuer publishes.
    #[cfg(feature = "remote-keys")]
    Remote(RemoteKeys),
}

/// The keys of an issuer, at hand.
#[derive(Debug)]
pub(super) enum Keys {
    Fixed(KeySet),
    #[cfg(feature = "remote-keys")]
    Remote(KeyStore),
}

#[cfg_attr(
    not(feature = "remote-keys"),
    expect(
        unused_variables,
        clippy::unnecessary_wraps,
        clippy::unused_async,
        reason = "keys that never change need none of it"
    )
)]
impl Keys {
    pub(super) fn start(issuer: &str, source: KeySource) -> Result<Self, String> {
        match source {
            KeySource::Fixed(keys) => Ok(Self::Fixed(keys)),
            #[cfg(feature = "remote-keys")]
            KeySource::Remote(keys) => KeyStore::start(issuer, &keys).map(Self::Remote),
        }
    }

    /// The version of the keys: another number whenever they are not the same keys as before;
    /// `None` when they are not at hand.
    pub(super) fn version(&self) -> Option<u64> {
        match self {
            Self::Fixed(_) => Some(0),
            #[cfg(feature = "remote-keys")]
            Self::Remote(store) => store.version(),
        }
    }

    pub(super) async fn until_at_hand(&self) {
        match self {
            Self::Fixed(_) => {}
            #[cfg(feature = "remote-keys")]
            Self::Remote(store) => store.wait_until_ready().await,
        }
    }

    /// The key for a token, and the version of the keys. `issued_by` tells when the token was
    /// issued at the latest, in seconds since 1970; nothing of one that is refused in any case.
    pub(super) fn find(
        &self,
        key_id: Option<&str>,
        algorithm: &str,
        issued_by: impl FnOnce() -> Option<u64>,
        now: SystemTime,
    ) -> Result<(VerificationKey, u64), TokenError> {
        match self {
            Self::Fixed(keys) => match keys.find(key_id, algorithm) {
                Some(key) => Ok((key.clone(), 0)),
                None => Err(TokenError::unknown_key(key_id)),
            },
            #[cfg(feature = "remote-keys")]
            Self::Remote(store) => store.find(key_id, algorithm, issued_by, now),
        }
    }
}

impl From<KeySet> for KeySource {
    fn from(keys: KeySet) -> Self {
        Self::Fixed(keys)
    }
}

impl From<VerificationKey> for KeySource {
    fn from(key: VerificationKey) -> Self {
        Self::Fixed(key.into())
    }
}

#[cfg(feature = "remote-keys")]
impl From<RemoteKeys> for KeySource {
    fn from(keys: RemoteKeys) -> Self {
        Self::Remote(keys)
    }
}
