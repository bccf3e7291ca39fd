use std::time::Duration;

use super::claims::ClaimMapping;
use super::error::ConfigError;
use super::key_source::KeySource;
#[cfg(feature = "remote-keys")]
use super::remote::RemoteKeys;

/// Tokens of these types say something else than "this is the caller", and are signed with the
/// same keys: RFC 8725, section 3.11. They are never access tokens.
const NEVER_ACCESS_TOKENS: [&str; 4] = ["txntoken+jwt", "dpop+jwt", "logout+jwt", "secevent+jwt"];

/// A clock that is wrong by more must be set, not allowed for.
pub(super) const MAX_LEEWAY: Duration = Duration::from_secs(10 * 60);

/// One issuer of tokens: its name, its keys, and what its tokens must look like.
///
/// Settings are checked by [`Verifier::new`](super::Verifier::new), which reports the issuer and
/// the setting.
#[derive(Clone, Debug)]
#[must_use = "an issuer does nothing until a verifier uses it"]
pub struct Issuer {
    pub(super) name: String,
    pub(super) keys: KeySource,
    pub(super) audiences: Vec<String>,
    pub(super) claims: ClaimMapping,
    pub(super) leeway: Duration,
    pub(super) max_lifetime: Option<Duration>,
    /// `None`: `at+jwt`, `JWT`, or no type at all.
    pub(super) token_types: Option<Vec<String>>,
}

impl Issuer {
    /// An issuer that says exactly this `iss` and signs with these keys: a
    /// [`KeySet`](super::KeySet), a single [`VerificationKey`](super::VerificationKey), or
    /// [`RemoteKeys`](super::RemoteKeys).
    pub fn new(name: impl Into<String>, keys: impl Into<KeySource>) -> Self {
        Self {
            name: name.into(),
            keys: keys.into(),
            audiences: Vec::new(),
            claims: ClaimMapping::default(),
            leeway: Duration::from_secs(30),
            max_lifetime: None,
            token_types: None,
        }
    }

    /// An OpenID provider, whose keys are found by discovery: `url` is both its `iss` and what its
    /// discovery document is found under. See [`RemoteKeys::discovery`].
    #[cfg(feature = "remote-keys")]
    pub fn oidc(url: impl Into<String>) -> Self {
        Self::new(url, RemoteKeys::discovery())
    }

    /// An issuer that publishes its keys at this URL. See [`RemoteKeys::at`].
    #[cfg(feature = "remote-keys")]
    pub fn jwks(name: impl Into<String>, url: impl Into<String>) -> Self {
        Self::new(name, RemoteKeys::at(url))
    }

    /// Adds an audience; a token's `aud` must hold one of those added. At least one is needed, for
    /// a token made for somebody else is no proof of anything here (RFC 8725, section 3.9).
    ///
    /// An ID token's audience is the client that it was made for. If one of the issuer's clients is
    /// called like this audience, demand access tokens:
    /// [`token_types(["at+jwt"])`](Self::token_types).
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// Sets which claims become which part of the context, in place of
    /// [`ClaimMapping::default`].
    pub fn claims(mut self, claims: ClaimMapping) -> Self {
        self.claims = claims;
        self
    }

    /// Sets how far the issuer's clock and ours may differ when `exp`, `nbf` and `iat` are
    /// compared with the time. 30 seconds by default, 10 minutes at most; counted in whole seconds.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// Refuses tokens whose lifetime, from `iat` to `exp`, is longer; `iat` is then required.
    /// Counted in whole seconds. There is no limit by default.
    pub fn max_lifetime(mut self, lifetime: Duration) -> Self {
        self.max_lifetime = Some(lifetime);
        self
    }

    /// Sets the accepted values of `typ`; a token without one is then refused. Case does not
    /// matter, and `application/` before a type means nothing (RFC 7515, section 4.1.9).
    ///
    /// By default `at+jwt` (RFC 9068), `JWT`, and none at all are accepted.
    pub fn token_types<I>(mut self, types: I) -> Self
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        self.token_types =
            Some(types.into_iter().map(|typ| media_type(typ.as_ref()).to_owned()).collect());
        self
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let error =
            |field, problem: String| Err(ConfigError { issuer: self.name.clone(), field, problem });
        if self.name.is_empty() {
            return error("name", "is empty".to_owned());
        }
        if self.audiences.is_empty() {
            return error("audience", "at least one is needed".to_owned());
        }
        if self.audiences.iter().any(String::is_empty) {
            return error("audience", "is empty".to_owned());
        }
        if self.leeway > MAX_LEEWAY {
            return error("leeway", "is more than 10 minutes".to_owned());
        }
        if self.max_lifetime.is_some_and(|lifetime| lifetime.as_secs() == 0) {
            return error("max_lifetime", "is less than a second".to_owned());
        }
        if let Some(types) = &self.token_types {
            if types.is_empty() {
                return error("token_types", "at least one is needed".to_owned());
            }
            if types.iter().any(String::is_empty) {
                return error("token_types", "is empty".to_owned());
            }
            if let Some(typ) = types
                .iter()
                .find(|typ| NEVER_ACCESS_TOKENS.iter().any(|never| never.eq_ignore_ascii_case(typ)))
            {
                return error("token_types", format!("{typ} is never an access token"));
            }
        }
        match self.claims.problem() {
            Some((field, problem)) => error(field, problem),
            None => Ok(()),
        }
    }

    /// Whether a token of this type is an access token of this issuer.
    pub(super) fn accepts_type(&self, typ: Option<&str>) -> bool {
        match (&self.token_types, typ.map(media_type)) {
            (None, None) => true,
            (None, Some(typ)) => {
                typ.eq_ignore_ascii_case("at+jwt") || typ.eq_ignore_ascii_case("jwt")
            }
            (Some(_), None) => false,
            (Some(types), Some(typ)) => types.iter().any(|own| own.eq_ignore_ascii_case(typ)),
        }
    }
}

/// A media type without the `application/` that may be left out when no other `/` is there.
fn media_type(typ: &str) -> &str {
    match typ.split_at_checked("application/".len()) {
        Some((prefix, rest))
            if prefix.eq_ignore_ascii_case("application/") && !rest.contains('/') =>
        {
            rest
        }
        _ => typ,
    }
}
