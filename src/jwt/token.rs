use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::error::TokenError;
use super::registered_claims::{Times, time};
use crate::context::UserContext;

/// What a good token says.
///
/// Cloning it copies a pointer. It does not hold the token itself.
#[derive(Clone)]
pub struct VerifiedToken {
    inner: Arc<Inner>,
}

struct Inner {
    context: UserContext,
    facts: Facts,
}

/// What a token says of itself, besides the context.
pub(super) struct Facts {
    pub(super) issuer: Arc<str>,
    /// `None`: the context's id.
    pub(super) subject: Option<String>,
    pub(super) token_id: Option<String>,
    pub(super) key_id: Option<Arc<str>>,
    pub(super) times: Times,
    /// Which version of the issuer's keys the token was verified with.
    pub(super) keys_version: u64,
}

impl VerifiedToken {
    pub(super) fn new(context: UserContext, facts: Facts) -> Self {
        Self { inner: Arc::new(Inner { context, facts }) }
    }

    /// The user that the token speaks of.
    pub fn context(&self) -> &UserContext {
        &self.inner.context
    }

    /// The user that the token speaks of.
    pub fn into_context(self) -> UserContext {
        match Arc::try_unwrap(self.inner) {
            Ok(inner) => inner.context,
            Err(shared) => shared.context.clone(),
        }
    }

    /// The issuer of the token: `iss`.
    pub fn issuer(&self) -> &str {
        &self.inner.facts.issuer
    }

    /// Whom the issuer speaks of: `sub`. The context's id is another one when the
    /// [mapping](super::ClaimMapping::id) says so.
    pub fn subject(&self) -> &str {
        self.inner.facts.subject.as_deref().unwrap_or_else(|| self.inner.context.id())
    }

    /// The id of the token among those of its issuer: `jti`.
    pub fn token_id(&self) -> Option<&str> {
        self.inner.facts.token_id.as_deref()
    }

    /// The id of the key that the token was signed with.
    pub fn key_id(&self) -> Option<&str> {
        self.inner.facts.key_id.as_deref()
    }

    /// When the token was issued: `iat`, in whole seconds.
    pub fn issued_at(&self) -> Option<SystemTime> {
        self.inner.facts.times.issued_at.map(time)
    }

    /// When the token expires: `exp`, in whole seconds, without leeway.
    pub fn expires_at(&self) -> SystemTime {
        time(self.inner.facts.times.expires_at)
    }

    pub(super) fn keys_version(&self) -> u64 {
        self.inner.facts.keys_version
    }

    /// Checks once more what depends on the time.
    pub(super) fn check_times(&self, leeway: Duration, now: SystemTime) -> Result<(), TokenError> {
        self.inner.facts.times.check(leeway, now)?;
        self.inner.facts.times.check_expiry(leeway, now)
    }

    /// An upper estimate of the bytes that the token's facts and context take up.
    pub(super) fn size(&self) -> usize {
        let Inner { context, facts } = &*self.inner;
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::capacity);
        size_of::<Inner>() + context.size() + text(&facts.subject) + text(&facts.token_id)
    }
}

impl fmt::Debug for VerifiedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedToken")
            .field("context", &self.inner.context)
            .field("issuer", &self.inner.facts.issuer)
            .field("key_id", &self.inner.facts.key_id)
            .field("expires_at", &self.inner.facts.times.expires_at)
            .finish_non_exhaustive()
    }
}
