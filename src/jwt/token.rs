//! Verified tokens.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::error::TokenError;
use super::registered_claims::Times;
use super::time::from_unix_seconds;
use crate::context::UserContext;

/// The verified content of a token.
///
/// Cloning it copies a pointer. It does not contain the token itself.
#[derive(Clone)]
pub struct VerifiedToken {
    data: Arc<TokenData>,
}

struct TokenData {
    context: UserContext,
    info: TokenInfo,
}

/// Information about the token itself, as opposed to its user.
pub(super) struct TokenInfo {
    pub(super) issuer: Arc<str>,
    /// `None`: equal to the id of the context.
    pub(super) subject: Option<String>,
    pub(super) token_id: Option<String>,
    pub(super) key_id: Option<Arc<str>>,
    pub(super) times: Times,
    /// The version of the issuer's keys that the token was verified with.
    pub(super) keys_version: u64,
}

impl VerifiedToken {
    pub(super) fn new(context: UserContext, info: TokenInfo) -> Self {
        Self { data: Arc::new(TokenData { context, info }) }
    }

    /// The user that the token identifies.
    pub fn context(&self) -> &UserContext {
        &self.data.context
    }

    /// The user that the token identifies.
    pub fn into_context(self) -> UserContext {
        match Arc::try_unwrap(self.data) {
            Ok(data) => data.context,
            Err(shared) => shared.context.clone(),
        }
    }

    /// The issuer of the token: `iss`.
    pub fn issuer(&self) -> &str {
        &self.data.info.issuer
    }

    /// The subject of the token: `sub`. It differs from the id of the context when
    /// [`ClaimMapping::id`](super::ClaimMapping::id) names another claim.
    pub fn subject(&self) -> &str {
        self.data.info.subject.as_deref().unwrap_or_else(|| self.data.context.id())
    }

    /// The id of the token, unique among those of its issuer: `jti`.
    pub fn token_id(&self) -> Option<&str> {
        self.data.info.token_id.as_deref()
    }

    /// The id of the key that the token was verified with.
    pub fn key_id(&self) -> Option<&str> {
        self.data.info.key_id.as_deref()
    }

    /// When the token was issued: `iat`, in whole seconds.
    pub fn issued_at(&self) -> Option<SystemTime> {
        self.data.info.times.issued_at.map(from_unix_seconds)
    }

    /// When the token expires: `exp`, in whole seconds, without leeway.
    pub fn expires_at(&self) -> SystemTime {
        from_unix_seconds(self.data.info.times.expires_at)
    }

    pub(super) fn keys_version(&self) -> u64 {
        self.data.info.keys_version
    }

    /// Repeats the checks whose result depends on the time.
    pub(super) fn check_times(&self, leeway: Duration, now: SystemTime) -> Result<(), TokenError> {
        self.data.info.times.check_start(leeway, now)?;
        self.data.info.times.check_expiry(leeway, now)
    }

    /// An upper estimate of the memory that the token takes up, in bytes.
    pub(super) fn size(&self) -> usize {
        let TokenData { context, info } = &*self.data;
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::capacity);
        size_of::<TokenData>() + context.size() + text(&info.subject) + text(&info.token_id)
    }
}

impl fmt::Debug for VerifiedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedToken")
            .field("context", &self.data.context)
            .field("issuer", &self.data.info.issuer)
            .field("key_id", &self.data.info.key_id)
            .field("expires_at", &self.data.info.times.expires_at)
            .finish_non_exhaustive()
    }
}
