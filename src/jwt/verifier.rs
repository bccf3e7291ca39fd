use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

use super::compact::{self, Compact};
use super::error::{ConfigError, Part, TokenError, excerpt};
use super::issuer::Issuer;
use super::json;
use super::key_source::Keys;
use crate::context::UserContext;

/// The latest time that a token may name, in seconds: the end of the year 9999.
const LATEST: u64 = 253_402_300_799;

/// Header parameters that nobody may use here: extensions that are not implemented (RFC 7515,
/// section 4.1.11; RFC 7797; RFC 7516), and keys brought along (RFC 8725, section 3.10).
const REFUSED_PARAMETERS: [&str; 7] = ["crit", "b64", "zip", "jwk", "jku", "x5c", "x5u"];

/// Verifies tokens of one or several issuers; see the [module](super) for what it demands.
///
/// Cloning it copies a pointer.
#[derive(Clone)]
pub struct Verifier {
    issuers: Arc<HashMap<String, KnownIssuer>>,
    max_token_size: usize,
    context_budget: usize,
}

/// An issuer whose keys are at hand.
struct KnownIssuer {
    settings: Issuer,
    keys: Keys,
}

/// The keys of an issuer are not at hand.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the keys of the issuer {issuer:?} are not at hand")]
pub struct NotReady {
    issuer: String,
}

/// What a good token says.
#[derive(Clone, Debug)]
pub struct VerifiedToken {
    context: UserContext,
    expires_at: SystemTime,
    issuer: String,
    key_id: Option<Arc<str>>,
}

impl Verifier {
    /// The size in bytes that a token may have by default.
    pub const DEFAULT_MAX_TOKEN_SIZE: usize = 8 * 1024;

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
        let mut by_name = HashMap::new();
        for settings in issuers {
            settings.check()?;
            let name = settings.name.clone();
            let keys = Keys::start(&name, settings.keys.clone())
                .map_err(|problem| error(&name, "keys", &problem))?;
            if by_name.insert(name.clone(), KnownIssuer { settings, keys }).is_some() {
                return Err(error(&name, "name", "is configured twice"));
            }
        }
        if by_name.is_empty() {
            return Err(error("", "name", "at least one issuer is needed"));
        }
        Ok(Self {
            issuers: Arc::new(by_name),
            max_token_size: Self::DEFAULT_MAX_TOKEN_SIZE,
            context_budget: UserContext::DEFAULT_BUDGET,
        })
    }

    /// Sets the size in bytes that a token may have, in place of
    /// [`DEFAULT_MAX_TOKEN_SIZE`](Self::DEFAULT_MAX_TOKEN_SIZE).
    #[must_use]
    pub fn max_token_size(mut self, bytes: usize) -> Self {
        self.max_token_size = bytes;
        self
    }

    /// Sets the size in bytes that a context may have, in place of
    /// [`UserContext::DEFAULT_BUDGET`].
    #[must_use]
    pub fn context_budget(mut self, bytes: usize) -> Self {
        self.context_budget = bytes;
        self
    }

    /// Whether the keys of all issuers are at hand: for health checks.
    ///
    /// # Errors
    ///
    /// [`NotReady`], with the name of an issuer whose keys have not been fetched yet, or could not
    /// be for so long that they are stale.
    pub fn ready(&self) -> Result<(), NotReady> {
        let missing = self.issuers.values().find(|issuer| !issuer.keys.are_at_hand());
        match missing {
            Some(issuer) => Err(NotReady { issuer: issuer.settings.name.clone() }),
            None => Ok(()),
        }
    }

    /// Waits until the keys of all issuers are at hand.
    pub async fn until_ready(&self) {
        for issuer in self.issuers.values() {
            issuer.keys.until_at_hand().await;
        }
    }

    /// Verifies a token now.
    ///
    /// # Errors
    ///
    /// A [`TokenError`]. It is [`TokenError::Expired`] only for a token that is good otherwise.
    pub fn verify(&self, token: &str) -> Result<VerifiedToken, TokenError> {
        self.verify_at(token, SystemTime::now())
    }

    /// Verifies a token as of some time.
    ///
    /// # Errors
    ///
    /// As [`verify`](Self::verify).
    pub fn verify_at(&self, token: &str, now: SystemTime) -> Result<VerifiedToken, TokenError> {
        let compact = Compact::split(token, self.max_token_size)?;
        let header = parse(Part::Header, compact.header)?;
        let claims = parse(Part::Claims, compact.claims)?;
        let signature = compact::decode(Part::Signature, compact.signature)?;

        let name = required_text(&claims, "iss")?;
        let KnownIssuer { settings: issuer, keys } = self
            .issuers
            .get(name)
            .ok_or_else(|| TokenError::UnknownIssuer { issuer: excerpt(name) })?;

        if let Some(name) = REFUSED_PARAMETERS.into_iter().find(|name| header.contains_key(*name)) {
            return Err(TokenError::HeaderParameter { name });
        }
        if !issuer.accepts_type(parameter(&header, "typ")?) {
            return Err(TokenError::TypeNotAccepted);
        }
        let algorithm =
            parameter(&header, "alg")?.ok_or(TokenError::HeaderParameter { name: "alg" })?;
        let key_id = parameter(&header, "kid")?;
        let issued_at = claims.get("iat").and_then(Value::as_u64);
        let key = keys.find(key_id, algorithm, issued_at)?;
        if !key.algorithm().is_called(algorithm) {
            return Err(TokenError::AlgorithmMismatch { expected: key.algorithm().as_str() });
        }
        if !key.verify(compact.message.as_bytes(), &signature) {
            return Err(TokenError::SignatureInvalid);
        }

        required_text(&claims, "sub")?;
        check_audience(issuer, &claims)?;
        let expires_at = check_times(issuer, &claims, now)?;
        let context = issuer.claims.apply(&claims, self.context_budget)?;
        // Last of all, so that "expired" is said of tokens only that are good otherwise.
        if seconds(now) >= expires_at.saturating_add(issuer.leeway.as_secs()) {
            return Err(TokenError::Expired);
        }
        Ok(VerifiedToken {
            context,
            expires_at: UNIX_EPOCH + Duration::from_secs(expires_at),
            issuer: issuer.name.clone(),
            key_id: key.shared_key_id(),
        })
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("issuers", &self.issuers.keys()).finish_non_exhaustive()
    }
}

impl VerifiedToken {
    /// The user that the token speaks of.
    pub fn context(&self) -> &UserContext {
        &self.context
    }

    /// The user that the token speaks of.
    pub fn into_context(self) -> UserContext {
        self.context
    }

    /// When the token expires: `exp`, without leeway.
    pub fn expires_at(&self) -> SystemTime {
        self.expires_at
    }

    /// The issuer of the token.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The id of the key that the token was signed with.
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }
}

fn parse(part: Part, encoded: &str) -> Result<Map<String, Value>, TokenError> {
    let bytes = compact::decode(part, encoded)?;
    json::parse_object(&bytes).map_err(|_| TokenError::NotJson { part })
}

/// A header parameter that is a string where it is there.
fn parameter<'a>(
    header: &'a Map<String, Value>,
    name: &'static str,
) -> Result<Option<&'a str>, TokenError> {
    match header.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(TokenError::HeaderParameter { name }),
    }
}

fn required_text<'a>(
    claims: &'a Map<String, Value>,
    claim: &'static str,
) -> Result<&'a str, TokenError> {
    match claims.get(claim) {
        None => Err(TokenError::ClaimMissing { claim }),
        Some(Value::String(text)) if !text.is_empty() => Ok(text),
        Some(Value::String(_)) => Err(invalid(claim, "empty")),
        Some(_) => Err(invalid(claim, "not a string")),
    }
}

/// `aud` is a string, or an array of strings (RFC 7519, section 4.1.3).
fn check_audience(issuer: &Issuer, claims: &Map<String, Value>) -> Result<(), TokenError> {
    let ours = |audience: &str| issuer.audiences.iter().any(|own| own == audience);
    let found = match claims.get("aud") {
        None => return Err(TokenError::ClaimMissing { claim: "aud" }),
        Some(Value::String(audience)) => ours(audience),
        Some(Value::Array(audiences)) => {
            let names: Option<Vec<&str>> = audiences.iter().map(Value::as_str).collect();
            let names = names.ok_or_else(|| invalid("aud", "not an array of strings"))?;
            names.into_iter().any(ours)
        }
        Some(_) => return Err(invalid("aud", "neither a string nor an array")),
    };
    if found { Ok(()) } else { Err(TokenError::AudienceMismatch) }
}

/// Checks all times but the expiry itself, and returns it in seconds.
fn check_times(
    issuer: &Issuer,
    claims: &Map<String, Value>,
    now: SystemTime,
) -> Result<u64, TokenError> {
    let latest = seconds(now).saturating_add(issuer.leeway.as_secs());
    let expires_at =
        numeric_date(claims, "exp")?.ok_or(TokenError::ClaimMissing { claim: "exp" })?;
    let issued_at = numeric_date(claims, "iat")?;

    if numeric_date(claims, "nbf")?.is_some_and(|not_before| not_before > latest) {
        return Err(TokenError::NotYetValid);
    }
    if issued_at.is_some_and(|issued_at| issued_at > latest) {
        return Err(TokenError::IssuedInFuture);
    }
    if let Some(max_lifetime) = issuer.max_lifetime {
        let issued_at = issued_at.ok_or(TokenError::ClaimMissing { claim: "iat" })?;
        if expires_at.saturating_sub(issued_at) > max_lifetime.as_secs() {
            return Err(TokenError::LifetimeTooLong);
        }
    }
    Ok(expires_at)
}

/// A `NumericDate` (RFC 7519, section 2), in whole seconds: fractions are cut off.
fn numeric_date(
    claims: &Map<String, Value>,
    claim: &'static str,
) -> Result<Option<u64>, TokenError> {
    let Some(value) = claims.get(claim) else {
        return Ok(None);
    };
    let Value::Number(number) = value else {
        return Err(invalid(claim, "not a number"));
    };
    let seconds = match (number.as_u64(), number.as_f64()) {
        (Some(seconds), _) => seconds,
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative, and a value beyond u64 saturates, which the limit refuses"
        )]
        (None, Some(seconds)) if seconds >= 0.0 => seconds as u64,
        _ => return Err(invalid(claim, "negative")),
    };
    if seconds > LATEST {
        return Err(invalid(claim, "beyond the year 9999"));
    }
    Ok(Some(seconds))
}

fn invalid(claim: &str, problem: &'static str) -> TokenError {
    TokenError::ClaimInvalid { claim: claim.to_owned(), problem }
}

/// A clock before 1970 is broken: every token then counts as expired.
fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(u64::MAX, |since| since.as_secs())
}
