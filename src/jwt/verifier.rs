use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use super::cache::TokenCache;
use super::compact::{Compact, Decoded};
use super::error::{ConfigError, Part, TokenError, excerpt};
use super::issuer::Issuer;
use super::json::{Json, Object};
use super::key_source::Keys;
use super::registered_claims::{RegisteredClaims, Times, time};
use super::revocation::Revocation;
use super::telemetry::Verification;
use super::token::{Facts, VerifiedToken};
use crate::context::{Clock, UserContext};

/// Header parameters that nobody may use here: extensions that are not implemented (RFC 7515,
/// section 4.1.11; RFC 7797; RFC 7516), and keys brought along (RFC 8725, section 3.10).
const REFUSED_PARAMETERS: [&str; 7] = ["crit", "b64", "zip", "jwk", "jku", "x5c", "x5u"];

/// Verifies tokens of one or several issuers; see the [module](super) for what it demands.
///
/// Tokens that were found good are [cached](Self::max_cached_tokens), so that one that comes again
/// is verified without parsing and without cryptography. The cache never changes an answer: each
/// time, the token is compared byte by byte, its times are checked, it is looked up among the
/// [revoked](Self::revocation) ones, and it counts as unknown when the issuer's keys are not those
/// that it was verified with.
///
/// Cloning it copies pointers; clones share the cache until a setting of one of them is changed.
#[derive(Clone)]
pub struct Verifier {
    issuers: Arc<HashMap<Arc<str>, KnownIssuer>>,
    clock: Option<Clock>,
    revocation: Option<Arc<dyn Revocation>>,
    cache: Option<Arc<TokenCache>>,
    settings: Settings,
}

/// How tokens are read and kept.
#[derive(Clone, Copy)]
struct Settings {
    max_token_size: usize,
    max_context_size: usize,
    max_cached_tokens: usize,
    max_cache_size: usize,
}

/// An issuer whose keys are at hand.
struct KnownIssuer {
    settings: Issuer,
    keys: Keys,
}

/// The keys of an issuer are not at hand.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the keys of the issuer {issuer:?} are not at hand")]
pub struct KeysUnavailable {
    issuer: String,
}

impl Verifier {
    /// The size in bytes that a token may have by default.
    pub const DEFAULT_MAX_TOKEN_SIZE: usize = 8 * 1024;

    /// How many tokens are cached by default.
    pub const DEFAULT_MAX_CACHED_TOKENS: usize = 10_000;

    /// The size in bytes that the cache may have by default: 32 MiB.
    pub const DEFAULT_MAX_CACHE_SIZE: usize = 32 * 1024 * 1024;

    /// Verifies tokens of these issuers.
    ///
    /// # Errors
    ///
    /// A [`ConfigError`] that names the issuer and the setting that cannot work.
    pub fn new(issuers: impl IntoIterator<Item = Issuer>) -> Result<Self, ConfigError> {
        let error = |issuer: &str, field, problem: &str| ConfigError {
            issuer: issuer.to_owned(),
            field,
            problem: problem.to_owned(),
        };
        let mut by_name: HashMap<Arc<str>, KnownIssuer> = HashMap::new();
        for settings in issuers {
            settings.check()?;
            let name: Arc<str> = settings.name.as_str().into();
            let keys = Keys::start(&name, settings.keys.clone())
                .map_err(|problem| error(&name, "keys", &problem))?;
            if by_name.insert(Arc::clone(&name), KnownIssuer { settings, keys }).is_some() {
                return Err(error(&name, "name", "is configured twice"));
            }
        }
        if by_name.is_empty() {
            return Err(error("", "name", "at least one issuer is needed"));
        }
        let settings = Settings {
            max_token_size: Self::DEFAULT_MAX_TOKEN_SIZE,
            max_context_size: UserContext::DEFAULT_MAX_SIZE,
            max_cached_tokens: Self::DEFAULT_MAX_CACHED_TOKENS,
            max_cache_size: Self::DEFAULT_MAX_CACHE_SIZE,
        };
        let issuers = Arc::new(by_name);
        let verifier = Self { issuers, clock: None, revocation: None, cache: None, settings };
        Ok(verifier.with_new_cache())
    }

    /// Sets the size in bytes that a token may have, in place of
    /// [`DEFAULT_MAX_TOKEN_SIZE`](Self::DEFAULT_MAX_TOKEN_SIZE).
    #[must_use]
    pub fn max_token_size(mut self, bytes: usize) -> Self {
        self.settings.max_token_size = bytes;
        self.with_new_cache()
    }

    /// Sets the size in bytes that a context may have, in place of
    /// [`UserContext::DEFAULT_MAX_SIZE`].
    #[must_use]
    pub fn max_context_size(mut self, bytes: usize) -> Self {
        self.settings.max_context_size = bytes;
        self.with_new_cache()
    }

    /// Sets how many tokens are cached at most, in place of
    /// [`DEFAULT_MAX_CACHED_TOKENS`](Self::DEFAULT_MAX_CACHED_TOKENS). With 0, none is.
    ///
    /// Only good tokens are, so that nobody can fill the cache with others.
    #[must_use]
    pub fn max_cached_tokens(mut self, tokens: usize) -> Self {
        self.settings.max_cached_tokens = tokens;
        self.with_new_cache()
    }

    /// Sets the size in bytes that the cache may have at most, in place of
    /// [`DEFAULT_MAX_CACHE_SIZE`](Self::DEFAULT_MAX_CACHE_SIZE): the first limit that is reached
    /// counts. A token takes up its own length, that of its context twice, and about a kilobyte.
    #[must_use]
    pub fn max_cache_size(mut self, bytes: usize) -> Self {
        self.settings.max_cache_size = bytes;
        self.with_new_cache()
    }

    /// Refuses tokens that were revoked, as [`TokenError::Revoked`].
    #[must_use]
    pub fn revocation(mut self, revocation: impl Revocation) -> Self {
        self.revocation = Some(Arc::new(revocation));
        self
    }

    /// Sets the clock that [`verify`](Self::verify) reads, in place of [`SystemTime::now`]. When
    /// keys are fetched, and for how long they are used, does not follow it.
    #[must_use]
    pub fn clock(mut self, now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Some(Arc::new(now));
        self
    }

    fn with_new_cache(mut self) -> Self {
        let Settings { max_cached_tokens, max_cache_size, .. } = self.settings;
        self.cache = TokenCache::new(max_cached_tokens, max_cache_size).map(Arc::new);
        self
    }

    /// Whether the keys of all issuers are at hand: for health checks.
    ///
    /// # Errors
    ///
    /// [`KeysUnavailable`], with the name of an issuer whose keys have not been fetched yet, or could not
    /// be for so long that they are stale.
    pub fn check_ready(&self) -> Result<(), KeysUnavailable> {
        let missing = self.issuers.values().find(|issuer| issuer.keys.version().is_none());
        match missing {
            Some(issuer) => Err(KeysUnavailable { issuer: issuer.settings.name.clone() }),
            None => Ok(()),
        }
    }

    /// Waits until the keys of all issuers are at hand.
    pub async fn wait_until_ready(&self) {
        for issuer in self.issuers.values() {
            issuer.keys.until_at_hand().await;
        }
    }

    /// How many tokens are in the cache at the moment.
    pub fn cached_tokens(&self) -> usize {
        self.cache.as_ref().map_or(0, |cache| cache.len())
    }

    /// Verifies a token now.
    ///
    /// Records `issuer`, `key_id` and `cache_hit` in the current tracing span, when that has such
    /// fields.
    ///
    /// # Errors
    ///
    /// A [`TokenError`]. It is [`TokenError::Expired`] only for a token that is good otherwise.
    pub fn verify(&self, token: &str) -> Result<VerifiedToken, TokenError> {
        self.verify_at(token, self.now())
    }

    /// What the clock says.
    fn now(&self) -> SystemTime {
        match &self.clock {
            Some(clock) => clock(),
            None => SystemTime::now(),
        }
    }

    /// Verifies a token as of some time.
    ///
    /// # Errors
    ///
    /// As [`verify`](Self::verify).
    pub fn verify_at(&self, token: &str, now: SystemTime) -> Result<VerifiedToken, TokenError> {
        let mut verification = Verification::start();
        let cache = self.cache.as_ref().filter(|_| token.len() <= self.settings.max_token_size);
        let known = cache.and_then(|cache| cache.get(token));
        if let Some(verified) = &known
            && self.is_still_good(verified, now)
        {
            verification.recalled(verified.issuer(), verified.key_id());
            return Ok(verified.clone());
        }
        let answer = self.verify_anew(token, now, &mut verification);
        match (cache, &answer) {
            (Some(cache), Ok(verified)) => cache.insert(token, verified),
            // When the keys come back as they were, so does the entry.
            (_, Err(TokenError::KeysUnavailable { .. })) => {}
            (Some(cache), Err(_)) if known.is_some() => cache.remove(token),
            _ => {}
        }
        verification.finished(answer.as_ref().map_or_else(TokenError::name, |_| ""));
        answer
    }

    /// Whether what was found of a token before is so now.
    fn is_still_good(&self, verified: &VerifiedToken, now: SystemTime) -> bool {
        self.issuers.get(verified.issuer()).is_some_and(|KnownIssuer { settings, keys }| {
            keys.version() == Some(verified.keys_version())
                && verified.check_times(settings.leeway, now).is_ok()
                && !self.is_revoked(verified)
        })
    }

    fn verify_anew<'a>(
        &'a self,
        token: &str,
        now: SystemTime,
        verification: &mut Verification<'a>,
    ) -> Result<VerifiedToken, TokenError> {
        let compact = Compact::split(token, self.settings.max_token_size)?;
        let mut buffer = compact.buffer();
        let Decoded { header, claims, signature } = compact.decode(&mut buffer)?;
        let header = parse(Part::Header, header)?;
        let claims = parse(Part::Claims, claims)?;

        let registered = RegisteredClaims::of(&claims);
        let name = registered.issuer()?;
        let (name, KnownIssuer { settings: issuer, keys }) = self
            .issuers
            .get_key_value(name)
            .ok_or_else(|| TokenError::UnknownIssuer { issuer: excerpt(name) })?;
        verification.of_issuer(name);

        if let Some(name) = REFUSED_PARAMETERS.into_iter().find(|name| header.contains(name)) {
            return Err(TokenError::HeaderParameter { name });
        }
        if !issuer.accepts_type(parameter(&header, "typ")?) {
            return Err(TokenError::TypeNotAccepted);
        }
        let algorithm =
            parameter(&header, "alg")?.ok_or(TokenError::HeaderParameter { name: "alg" })?;
        let key_id = parameter(&header, "kid")?;
        let (key, keys_version) =
            keys.find(key_id, algorithm, || registered.issued_by(issuer, now), now)?;
        verification.with_key(key.shared_key_id());
        if !key.algorithm().is_called(algorithm) {
            return Err(TokenError::AlgorithmMismatch { expected: key.algorithm().as_str() });
        }
        if !key.verify(compact.message.as_bytes(), signature) {
            return Err(TokenError::SignatureInvalid);
        }

        let subject = registered.subject()?;
        let token_id = registered.token_id()?;
        registered.check_audience(issuer)?;
        let times = Times::read(issuer, &registered)?;
        times.check(issuer.leeway, now)?;
        let expires_at = time(times.expires_at);
        let context = issuer.claims.apply(
            &claims,
            expires_at,
            self.clock.clone(),
            self.settings.max_context_size,
        )?;
        let facts = Facts {
            issuer: Arc::clone(name),
            subject: (subject != context.id()).then(|| subject.to_owned()),
            token_id,
            key_id: key.shared_key_id(),
            times,
            keys_version,
        };
        let verified = VerifiedToken::new(context, facts);
        if self.is_revoked(&verified) {
            return Err(TokenError::Revoked);
        }
        // Last of all, so that "expired" is said of tokens only that are good otherwise.
        times.check_expiry(issuer.leeway, now)?;
        Ok(verified)
    }

    fn is_revoked(&self, token: &VerifiedToken) -> bool {
        self.revocation.as_ref().is_some_and(|revocation| revocation.is_revoked(token))
    }
}

impl KeysUnavailable {
    /// The issuer whose keys are not at hand.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("issuers", &self.issuers.keys()).finish_non_exhaustive()
    }
}

fn parse(part: Part, bytes: &[u8]) -> Result<Object<'_>, TokenError> {
    Object::parse(bytes).map_err(|_| TokenError::NotJson { part })
}

/// A header parameter that is a string where it is there.
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
