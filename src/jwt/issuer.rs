//! Configuration of an issuer.

use std::time::Duration;

use super::claims::ClaimMapping;
use super::error::ConfigError;
use super::key_set::KeySet;
use super::key_source::KeySource;
#[cfg(feature = "remote-keys")]
use super::remote::RemoteKeys;

/// Token types that issuers sign with the same keys, but that do not authenticate a caller.
/// Accepting them as access tokens would allow token substitution (RFC 8725, section 3.11).
const NEVER_ACCESS_TOKENS: [&str; 4] = ["txntoken+jwt", "dpop+jwt", "logout+jwt", "secevent+jwt"];

/// The maximum leeway. A clock that is wrong by more must be corrected.
pub(super) const MAX_LEEWAY: Duration = Duration::from_secs(10 * 60);

/// Configuration of a token issuer: its name, its keys, and the requirements for its tokens.
///
/// [`Verifier::new`](super::Verifier::new) checks the settings, and reports the issuer and the
/// setting that is invalid.
///
/// ```
/// use std::time::Duration;
/// use tonic_passport::jwt::{Algorithm, Issuer, KeyError, VerificationKey, Verifier};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let key = VerificationKey::from_secret(Algorithm::HS256, [7; 32])?;
/// let issuer = Issuer::new("https://id.example.com", key)
///     .audience("shop")
///     .max_lifetime(Duration::from_secs(15 * 60))
///     .token_types(["at+jwt"]);
/// let verifier = Verifier::new([issuer])?;
/// # drop(verifier);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "an issuer does nothing until a verifier uses it"]
pub struct Issuer {
    pub(super) name: String,
    pub(super) keys: KeySource,
    pub(super) audiences: Vec<String>,
    pub(super) claims: ClaimMapping,
    pub(super) leeway: Duration,
    pub(super) max_lifetime: Option<Duration>,
    /// `None`: `at+jwt`, `JWT`, or no type.
    pub(super) token_types: Option<Vec<String>>,
}

impl Issuer {
    /// An issuer with static keys: a [`KeySet`], or a single
    /// [`VerificationKey`](super::VerificationKey). `name` is compared with `iss` byte by byte.
    pub fn new(name: impl Into<String>, keys: impl Into<KeySet>) -> Self {
        Self::with_source(name.into(), KeySource::Static(keys.into()))
    }

    /// An issuer whose keys are fetched, with settings for that. [`oidc`](Self::oidc) and
    /// [`jwks`](Self::jwks) use the default settings.
    #[cfg(feature = "remote-keys")]
    pub fn remote(name: impl Into<String>, keys: RemoteKeys) -> Self {
        Self::with_source(name.into(), KeySource::Remote(keys))
    }

    fn with_source(name: String, keys: KeySource) -> Self {
        Self {
            name,
            keys,
            audiences: Vec::new(),
            claims: ClaimMapping::default(),
            leeway: Duration::from_secs(30),
            max_lifetime: None,
            token_types: None,
        }
    }

    /// An OpenID provider, whose keys are found by discovery. `url` is its `iss`, and the base URL
    /// of its discovery document. See [`RemoteKeys::discovery`].
    #[cfg(feature = "remote-keys")]
    pub fn oidc(url: impl Into<String>) -> Self {
        Self::remote(url, RemoteKeys::discovery())
    }

    /// An issuer that publishes its key set at this URL. See [`RemoteKeys::at`].
    #[cfg(feature = "remote-keys")]
    pub fn jwks(name: impl Into<String>, url: impl Into<String>) -> Self {
        Self::remote(name, RemoteKeys::at(url))
    }

    /// Adds an accepted audience: `aud` must contain at least one of those added. At least one is
    /// required, as a token for another audience could be replayed here (RFC 8725, section 3.9).
    ///
    /// The audience of an ID token is the id of the client that it was issued to. If the issuer has
    /// a client whose id equals this audience, accept access tokens only:
    /// [`token_types(["at+jwt"])`](Self::token_types).
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// Sets the mapping of claims to the user context, instead of [`ClaimMapping::default`].
    pub fn claims(mut self, claims: ClaimMapping) -> Self {
        self.claims = claims;
        self
    }

    /// Sets the tolerated difference between the issuer's clock and this server's when `exp`, `nbf`
    /// and `iat` are checked. In whole seconds: 30 by default, at most 10 minutes.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// Sets the maximum lifetime of a token, from `iat` to `exp`, in whole seconds; `iat` is then
    /// required. No maximum by default.
    pub fn max_lifetime(mut self, lifetime: Duration) -> Self {
        self.max_lifetime = Some(lifetime);
        self
    }

    /// Sets the accepted values of `typ`; a token without `typ` is then refused. Values are
    /// compared without regard to case and to the prefix `application/` (RFC 7515, section 4.1.9).
    ///
    /// By default `at+jwt` (RFC 9068), `JWT` and tokens without `typ` are accepted.
    pub fn token_types<I>(mut self, types: I) -> Self
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        self.token_types =
            Some(types.into_iter().map(|typ| media_type(typ.as_ref()).to_owned()).collect());
        self
    }

    /// Checks all settings but the keys.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let error =
            |field, problem: String| Err(ConfigError { issuer: self.name.clone(), field, problem });
        if self.name.is_empty() {
            return error("name", "is empty".to_owned());
        }
        if self.audiences.is_empty() {
            return error("audience", "at least one is required".to_owned());
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
                return error("token_types", "at least one is required".to_owned());
            }
            if types.iter().any(String::is_empty) {
                return error("token_types", "is empty".to_owned());
            }
            if let Some(typ) = types
                .iter()
                .find(|typ| NEVER_ACCESS_TOKENS.iter().any(|never| never.eq_ignore_ascii_case(typ)))
            {
                return error("token_types", format!("{typ} is not a type of access tokens"));
            }
        }
        match self.claims.problem() {
            Some((field, problem)) => error(field, problem),
            None => Ok(()),
        }
    }

    /// Whether tokens of this type are accepted.
    pub(super) fn accepts_type(&self, typ: Option<&str>) -> bool {
        match (&self.token_types, typ.map(media_type)) {
            (None, None) => true,
            (None, Some(typ)) => {
                typ.eq_ignore_ascii_case("at+jwt") || typ.eq_ignore_ascii_case("jwt")
            }
            (Some(_), None) => false,
            (Some(types), Some(typ)) => {
                types.iter().any(|accepted_type| accepted_type.eq_ignore_ascii_case(typ))
            }
        }
    }
}

/// Strips `application/`, which is redundant unless another `/` follows (RFC 7515, section 4.1.9).
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
