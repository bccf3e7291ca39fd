//! Sources of an issuer's keys: static, or fetched from the issuer.

use std::time::SystemTime;

use super::error::TokenError;
use super::key::VerificationKey;
use super::key_set::KeySet;
#[cfg(feature = "remote-keys")]
use super::remote::{KeyStore, RemoteKeys};

/// Configuration of a source.
#[derive(Clone, Debug)]
pub(super) enum KeySource {
    Static(KeySet),
    #[cfg(feature = "remote-keys")]
    Remote(RemoteKeys),
}

/// A started source, in which keys are looked up.
#[derive(Debug)]
pub(super) enum IssuerKeys {
    Static(KeySet),
    #[cfg(feature = "remote-keys")]
    Remote(KeyStore),
}

#[cfg_attr(
    not(feature = "remote-keys"),
    expect(
        unused_variables,
        clippy::unnecessary_wraps,
        clippy::unused_async,
        reason = "only remote keys need them"
    )
)]
impl IssuerKeys {
    /// Starts a source. Remote keys are then fetched in the background.
    pub(super) fn start(issuer: &str, source: KeySource) -> Result<Self, String> {
        match source {
            KeySource::Static(keys) => Ok(Self::Static(keys)),
            #[cfg(feature = "remote-keys")]
            KeySource::Remote(keys) => KeyStore::start(issuer, &keys).map(Self::Remote),
        }
    }

    /// The version of the keys, which changes whenever the keys do; `None` while they are
    /// unavailable.
    pub(super) fn version(&self) -> Option<u64> {
        match self {
            Self::Static(_) => Some(0),
            #[cfg(feature = "remote-keys")]
            Self::Remote(store) => store.version(),
        }
    }

    pub(super) async fn wait_until_available(&self) {
        match self {
            Self::Static(_) => {}
            #[cfg(feature = "remote-keys")]
            Self::Remote(store) => store.wait_until_available().await,
        }
    }

    /// Finds the key for a token, and the version of the keys.
    ///
    /// `latest_issue_time` returns the latest time at which the token can have been issued, in
    /// seconds since 1970. It returns `None` for a token that no key can make valid.
    pub(super) fn find(
        &self,
        key_id: Option<&str>,
        algorithm: &str,
        latest_issue_time: impl FnOnce() -> Option<u64>,
        now: SystemTime,
    ) -> Result<(VerificationKey, u64), TokenError> {
        match self {
            Self::Static(keys) => match keys.find(key_id, algorithm) {
                Some(key) => Ok((key.clone(), 0)),
                None => Err(TokenError::unknown_key(key_id)),
            },
            #[cfg(feature = "remote-keys")]
            Self::Remote(store) => store.find(key_id, algorithm, latest_issue_time, now),
        }
    }
}
