//! Token verification: the order of the checks, and the cache in front of them.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use super::cache::TokenCache;
use super::compact::{self, Compact, Decoded};
use super::error::{ConfigError, TokenError, excerpt};
use super::issuer::Issuer;
use super::json::{Json, Object};
use super::key_source::IssuerKeys;
use super::registered_claims::{RegisteredClaims, Times};
use super::revocation::Revocation;
use super::telemetry::VerificationRecord;
use super::time::from_unix_seconds;
use super::token::{TokenInfo, VerifiedToken};
use crate::context::{Clock, UserContext};

/// Header parameters that make a token invalid: extensions that are not implemented (RFC 7515,
/// section 4.1.11; RFC 7797; RFC 7516), and keys in the token itself, which would let its sender
/// choose the key (RFC 8725, section 3.10).
const FORBIDDEN_PARAMETERS: [&str; 7] = ["crit", "b64", "zip", "jwk", "jku", "x5c", "x5u"];

/// Verifier for the tokens of one or several issuers. The [module](super) lists its checks.
///
/// Valid tokens are [cached](Self::max_cached_tokens), so that each is parsed and its signature
/// verified only once. The cache never changes a result. On each lookup:
///
/// - the token is compared byte by byte,
/// - its times are checked,
/// - [revocation](Self::revocation) is checked,
/// - and the entry is ignored when the issuer's keys have changed since it was made.
///
/// Cloning it copies pointers. Clones share the cache until a setting of one of them is changed.
#[derive(Clone)]
pub struct Verifier {
    issuers: Arc<HashMap<Arc<str>, IssuerState>>,
    clock: Option<Clock>,
    revocation: Option<Arc<dyn Revocation>>,
    cache: Option<Arc<TokenCache>>,
    limits: VerifierLimits,
}

/// Maximum sizes, in bytes, and maximum number of cached tokens.
#[derive(Clone, Copy)]
struct VerifierLimits {
    token_size: usize,
    context_size: usize,
    cached_tokens: usize,
    cache_size: usize,
}

/// A configured issuer, with its started key source.
struct IssuerState {
    config: Issuer,
    keys: IssuerKeys,
}

/// Error of [`Verifier::check_ready`]: the keys of an issuer are unavailable.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the keys of the issuer {issuer:?} are unavailable")]
pub struct KeysUnavailable {
    issuer: String,
}

impl Verifier {
    /// The default maximum size of a token: 8 KiB.
    pub const DEFAULT_MAX_TOKEN_SIZE: usize = 8 * 1024;

    /// The default maximum number of cached tokens.
    pub const DEFAULT_MAX_CACHED_TOKENS: usize = 10_000;

    /// The default maximum size of the cache: 32 MiB.
    pub const DEFAULT_MAX_CACHE_SIZE: usize = 32 * 1024 * 1024;

    /// Creates a verifier for the tokens of these issuers, and starts fetching remote keys in the
    /// background. With remote keys, it must be called within a Tokio runtime.
    ///
    /// # Errors
    ///
    /// A [`ConfigError`] that names the issuer and the invalid setting.
    pub fn new(issuers: impl IntoIterator<Item = Issuer>) -> Result<Self, ConfigError> {
        let error = |issuer: &str, field, problem: &str| ConfigError {
            issuer: issuer.to_owned(),
            field,
            problem: problem.to_owned(),
        };
        let mut by_name: HashMap<Arc<str>, IssuerState> = HashMap::new();
        for config in issuers {
            config.check()?;
            let name: Arc<str> = config.name.as_str().into();
            let keys = IssuerKeys::start(&name, config.keys.clone())
                .map_err(|problem| error(&name, "keys", &problem))?;
            if by_name.insert(Arc::clone(&name), IssuerState { config, keys }).is_some() {
                return Err(error(&name, "name", "is configured twice"));
            }
        }
        if by_name.is_empty() {
            return Err(error("", "name", "at least one issuer is required"));
        }
        let limits = VerifierLimits {
            token_size: Self::DEFAULT_MAX_TOKEN_SIZE,
            context_size: UserContext::DEFAULT_MAX_SIZE,
            cached_tokens: Self::DEFAULT_MAX_CACHED_TOKENS,
            cache_size: Self::DEFAULT_MAX_CACHE_SIZE,
        };
        let issuers = Arc::new(by_name);
        let verifier = Self { issuers, clock: None, revocation: None, cache: None, limits };
        Ok(verifier.with_new_cache())
    }

    /// Sets the maximum size of a token in bytes, instead of
    /// [`DEFAULT_MAX_TOKEN_SIZE`](Self::DEFAULT_MAX_TOKEN_SIZE).
    #[must_use]
    pub fn max_token_size(mut self, bytes: usize) -> Self {
        self.limits.token_size = bytes;
        self.with_new_cache()
    }

    /// Sets the maximum size of a user context in bytes, instead of
    /// [`UserContext::DEFAULT_MAX_SIZE`].
    #[must_use]
    pub fn max_context_size(mut self, bytes: usize) -> Self {
        self.limits.context_size = bytes;
        self.with_new_cache()
    }

    /// Sets the maximum number of cached tokens, instead of
    /// [`DEFAULT_MAX_CACHED_TOKENS`](Self::DEFAULT_MAX_CACHED_TOKENS). 0 disables the cache.
    ///
    /// Only valid tokens are cached, so that invalid ones cannot evict them.
    #[must_use]
    pub fn max_cached_tokens(mut self, tokens: usize) -> Self {
        self.limits.cached_tokens = tokens;
        self.with_new_cache()
    }

    /// Sets the maximum size of the cache in bytes, instead of
    /// [`DEFAULT_MAX_CACHE_SIZE`](Self::DEFAULT_MAX_CACHE_SIZE). It applies together with
    /// [`max_cached_tokens`](Self::max_cached_tokens). 0 disables the cache.
    ///
    /// An entry takes up the length of the token, twice that of its context, and about a kilobyte.
    #[must_use]
    pub fn max_cache_size(mut self, bytes: usize) -> Self {
        self.limits.cache_size = bytes;
        self.with_new_cache()
    }

    /// Sets the revocation check. Revoked tokens are refused with [`TokenError::Revoked`].
    #[must_use]
    pub fn revocation(mut self, revocation: impl Revocation) -> Self {
        self.revocation = Some(Arc::new(revocation));
        self
    }

    /// Sets the clock that [`verify`](Self::verify) reads, instead of [`SystemTime::now`]. It does
    /// not affect when keys are fetched and when they become stale.
    #[must_use]
    pub fn clock(mut self, now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Some(Arc::new(now));
        // The contexts in the cache hold the clock.
        self.with_new_cache()
    }

    fn with_new_cache(mut self) -> Self {
        let VerifierLimits { cached_tokens, cache_size, .. } = self.limits;
        self.cache = TokenCache::new(cached_tokens, cache_size).map(Arc::new);
        self
    }

    /// Checks that the keys of all issuers are available: for health checks.
    ///
    /// # Errors
    ///
    /// [`KeysUnavailable`] with the name of an issuer whose keys have not been fetched yet, or are
    /// stale.
    pub fn check_ready(&self) -> Result<(), KeysUnavailable> {
        match self.issuers.values().find(|issuer| issuer.keys.version().is_none()) {
            Some(issuer) => Err(KeysUnavailable { issuer: issuer.config.name.clone() }),
            None => Ok(()),
        }
    }

    /// Waits until the keys of all issuers are available.
    pub async fn wait_until_ready(&self) {
        for issuer in self.issuers.values() {
            issuer.keys.wait_until_available().await;
        }
    }

    /// The number of tokens in the cache.
    pub fn cached_tokens(&self) -> usize {
        self.cache.as_ref().map_or(0, |cache| cache.len())
    }

    /// Verifies a token at the current time of the [clock](Self::clock).
    ///
    /// Records `issuer`, `key_id` and `cache_hit` in the current tracing span, if it has such
    /// fields.
    ///
    /// # Errors
    ///
    /// A [`TokenError`]. It is [`TokenError::Expired`] only for a token that is valid otherwise.
    pub fn verify(&self, token: &str) -> Result<VerifiedToken, TokenError> {
        self.verify_at(token, self.now())
    }

    /// The current time of the clock.
    fn now(&self) -> SystemTime {
        match &self.clock {
            Some(clock) => clock(),
            None => SystemTime::now(),
        }
    }

    /// Verifies a token at a given time.
    ///
    /// # Errors
    ///
    /// The errors of [`verify`](Self::verify).
    pub fn verify_at(&self, token: &str, now: SystemTime) -> Result<VerifiedToken, TokenError> {
        let mut record = VerificationRecord::start();
        let cache = self.cache_for(token);
        let cached = cache.and_then(|cache| cache.get(token));
        if let Some(verified) = &cached
            && self.is_still_valid(verified, now)
        {
            record.record_cache_hit(verified.issuer(), verified.key_id());
            return Ok(verified.clone());
        }
        let result = self.verify_uncached(token, now, &mut record);
        match (cache, &result) {
            (Some(cache), Ok(verified)) => cache.insert(token, verified),
            // The entry is valid again if the next fetch returns the same keys.
            (_, Err(TokenError::KeysUnavailable { .. })) => {}
            (Some(cache), Err(_)) if cached.is_some() => cache.remove(token),
            _ => {}
        }
        record.record_cache_miss(result.as_ref().map_or_else(TokenError::name, |_| ""));
        result
    }

    /// The cache, unless the token is too long to be in it.
    fn cache_for(&self, token: &str) -> Option<&Arc<TokenCache>> {
        self.cache.as_ref().filter(|_| token.len() <= self.limits.token_size)
    }

    /// Repeats the checks of a cached token whose result can have changed.
    fn is_still_valid(&self, verified: &VerifiedToken, now: SystemTime) -> bool {
        self.issuers.get(verified.issuer()).is_some_and(|IssuerState { config, keys }| {
            keys.version() == Some(verified.keys_version())
                && verified.check_times(config.leeway, now).is_ok()
                && !self.is_revoked(verified)
        })
    }

    fn verify_uncached<'a>(
        &'a self,
        token: &str,
        now: SystemTime,
        record: &mut VerificationRecord<'a>,
    ) -> Result<VerifiedToken, TokenError> {
        let compact = Compact::split(token, self.limits.token_size)?;
        let mut buffer = compact.buffer();
        let Decoded { header, claims, signature } = compact.decode(&mut buffer)?;
        let header = parse(compact::HEADER, header)?;
        let claims = parse(compact::CLAIMS, claims)?;

        let registered = RegisteredClaims::find(&claims);
        let name = registered.issuer()?;
        let (name, IssuerState { config: issuer, keys }) = self
            .issuers
            .get_key_value(name)
            .ok_or_else(|| TokenError::UnknownIssuer { issuer: excerpt(name) })?;
        record.set_issuer(name);

        if let Some(name) = FORBIDDEN_PARAMETERS.into_iter().find(|name| header.contains(name)) {
            return Err(TokenError::HeaderParameter { name });
        }
        if !issuer.accepts_type(parameter(&header, "typ")?) {
            return Err(TokenError::TypeNotAccepted);
        }
        let algorithm =
            parameter(&header, "alg")?.ok_or(TokenError::HeaderParameter { name: "alg" })?;
        let key_id = parameter(&header, "kid")?;
        let (key, keys_version) =
            keys.find(key_id, algorithm, || registered.latest_issue_time(issuer, now), now)?;
        record.set_key_id(key.shared_key_id());
        if !key.algorithm().has_name(algorithm) {
            return Err(TokenError::AlgorithmMismatch { expected: key.algorithm().as_str() });
        }
        if !key.verify(compact.message.as_bytes(), signature) {
            return Err(TokenError::SignatureInvalid);
        }

        let subject = registered.subject()?;
        let token_id = registered.token_id()?;
        registered.check_audience(issuer)?;
        let times = Times::read(issuer, &registered)?;
        times.check_start(issuer.leeway, now)?;
        let expires_at = from_unix_seconds(times.expires_at);
        let clock = self.clock.clone();
        let max_size = self.limits.context_size;
        let context = issuer.claims.apply(&claims, expires_at, clock, max_size)?;
        let info = TokenInfo {
            issuer: Arc::clone(name),
            subject: (subject != context.id()).then(|| subject.to_owned()),
            token_id,
            key_id: key.shared_key_id(),
            times,
            keys_version,
        };
        let verified = VerifiedToken::new(context, info);
        if self.is_revoked(&verified) {
            return Err(TokenError::Revoked);
        }
        // The last check, so that `Expired` means that the token is valid otherwise.
        times.check_expiry(issuer.leeway, now)?;
        Ok(verified)
    }

    fn is_revoked(&self, token: &VerifiedToken) -> bool {
        self.revocation.as_ref().is_some_and(|revocation| revocation.is_revoked(token))
    }
}

impl KeysUnavailable {
    /// The name of the issuer.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("issuers", &self.issuers.keys()).finish_non_exhaustive()
    }
}

fn parse<'a>(part: &'static str, bytes: &'a [u8]) -> Result<Object<'a>, TokenError> {
    Object::parse(bytes).map_err(|_| TokenError::NotJson { part })
}

/// Reads an optional header parameter that is a string.
fn parameter<'a>(
    header: &'a Object<'_>,
    name: &'static str,
) -> Result<Option<&'a str>, TokenError> {
    match header.get(name) {
        None => Ok(None),
        Some(Json::Text(text)) => Ok(Some(text)),
        Some(_) => Err(TokenError::HeaderParameter { name }),
    }
}
