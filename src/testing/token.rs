//! Builder for valid, invalid and malformed tokens.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::signing_key::SigningKey;

const DEFAULT_LIFETIME: Duration = Duration::from_secs(5 * 60);

/// Builder for a token. Without changes it is a valid access token (RFC 9068) that was issued now
/// and expires in five minutes.
///
/// If the same part is set twice, the last value is used.
///
/// ```
/// use serde_json::json;
/// use tonic_passport::jwt::TokenError;
/// use tonic_passport::testing::TestIssuer;
///
/// let issuer = TestIssuer::new("https://id.example.com");
/// let error = |token: String| issuer.verifier().verify(&token).unwrap_err();
///
/// let valid = issuer.token("alice").email("alice@example.com").roles(["buyer"]);
/// assert!(issuer.verifier().verify(&valid.clone().sign()).is_ok());
///
/// let other_audience = valid.clone().claim("aud", json!(["billing", "stock"])).sign();
/// assert_eq!(error(other_audience), TokenError::AudienceMismatch);
///
/// let no_subject = valid.clone().without_claim("sub").sign();
/// assert_eq!(error(no_subject), TokenError::ClaimMissing { claim: "sub" });
///
/// let unsigned = valid.header("alg", "none").sign_with(|_| Vec::new());
/// assert_eq!(error(unsigned), TokenError::AlgorithmMismatch { expected: "ES256" });
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `sign` is called"]
pub struct TokenBuilder {
    key: SigningKey,
    header: Map<String, Value>,
    claims: Map<String, Value>,
    raw_header: Option<Vec<u8>>,
    raw_claims: Option<Vec<u8>>,
    issued_at: SystemTime,
    lifetime: Duration,
}

impl TokenBuilder {
    /// Creates a builder without claims.
    pub(super) fn new(key: &SigningKey) -> Self {
        let token = Self {
            key: key.clone(),
            header: Map::new(),
            claims: Map::new(),
            raw_header: None,
            raw_claims: None,
            issued_at: SystemTime::now(),
            lifetime: DEFAULT_LIFETIME,
        };
        token.header("typ", "at+jwt").signed_by(key)
    }

    /// Creates a builder for a valid token.
    pub(super) fn valid(key: &SigningKey, issuer: &str, audience: &str, subject: String) -> Self {
        Self::new(key)
            .claim("iss", issuer)
            .claim("aud", audience)
            .claim("sub", subject)
            .with_times()
    }

    /// Sets the user's e-mail address, the claim `email`.
    pub fn email(self, email: impl Into<String>) -> Self {
        self.claim("email", email.into())
    }

    /// Sets the user's roles, the claim `roles`. If a [`ClaimMapping`](crate::jwt::ClaimMapping)
    /// reads them from another claim, set that with [`claim`](Self::claim).
    pub fn roles<I>(self, roles: I) -> Self
    where
        I: IntoIterator<Item: Into<String>>,
    {
        self.claim("roles", roles.into_iter().map(Into::into).collect::<Vec<String>>())
    }

    /// Sets the user's permissions, the claim `permissions`.
    pub fn permissions<I>(self, permissions: I) -> Self
    where
        I: IntoIterator<Item: Into<String>>,
    {
        self.claim("permissions", permissions.into_iter().map(Into::into).collect::<Vec<String>>())
    }

    /// Sets a claim to any JSON value.
    pub fn claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.claims.insert(name.into(), value.into());
        self
    }

    /// Removes a claim.
    pub fn without_claim(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// Sets a header parameter to any JSON value.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.header.insert(name.into(), value.into());
        self
    }

    /// Removes a header parameter.
    pub fn without_header(mut self, name: &str) -> Self {
        self.header.remove(name);
        self
    }

    /// Sets the time of issue: `iat`, and `exp` according to the lifetime. Fractions of a second
    /// are dropped, and times before 1970 become 1970.
    pub fn issued_at(mut self, time: SystemTime) -> Self {
        self.issued_at = time;
        self.with_times()
    }

    /// Sets the lifetime, from the time of issue: `exp`. Fractions of a second are dropped.
    pub fn expires_in(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self.with_times()
    }

    /// Moves the time of issue back so that the token expired an hour ago, longer than any leeway.
    ///
    /// # Panics
    ///
    /// Panics if the time of issue cannot be represented.
    #[track_caller]
    pub fn expired(self) -> Self {
        let ago = self.lifetime.saturating_add(Duration::from_secs(60 * 60));
        let issued_at = self.issued_at.checked_sub(ago).expect("a lifetime within reason");
        self.issued_at(issued_at)
    }

    /// Sets the signing key, and the header parameters `alg` and `kid`.
    pub fn signed_by(mut self, key: &SigningKey) -> Self {
        self.key = key.clone();
        self.header("alg", key.algorithm().as_str()).header("kid", key.key_id())
    }

    /// Replaces the whole header by these bytes.
    pub fn raw_header(mut self, header: impl Into<Vec<u8>>) -> Self {
        self.raw_header = Some(header.into());
        self
    }

    /// Replaces all claims by these bytes.
    pub fn raw_claims(mut self, claims: impl Into<Vec<u8>>) -> Self {
        self.raw_claims = Some(claims.into());
        self
    }

    /// Signs the token. Returns its compact form, as in `authorization: Bearer <token>`.
    pub fn sign(self) -> String {
        let key = self.key.clone();
        self.sign_with(|message| key.sign(message))
    }

    /// As [`sign`](Self::sign), with a signature computed by a function of the signing input (the
    /// header and claims as base64url, joined by a dot).
    pub fn sign_with(self, signature: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
        let bytes = |raw: Option<Vec<u8>>, object| {
            raw.unwrap_or_else(|| Value::Object(object).to_string().into_bytes())
        };
        let header = URL_SAFE_NO_PAD.encode(bytes(self.raw_header, self.header));
        let claims = URL_SAFE_NO_PAD.encode(bytes(self.raw_claims, self.claims));
        let message = format!("{header}.{claims}");
        let signature = URL_SAFE_NO_PAD.encode(signature(message.as_bytes()));
        format!("{message}.{signature}")
    }

    fn with_times(self) -> Self {
        let issued_at =
            self.issued_at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let expires_at = issued_at.saturating_add(self.lifetime.as_secs());
        self.claim("iat", issued_at).claim("exp", expires_at)
    }
}

impl SigningKey {
    /// Signs a token with exactly these claims, and the header of a valid one. For a token with
    /// valid claims, use [`TestIssuer::token`](super::TestIssuer::token).
    pub fn token(&self, claims: &Value) -> String {
        TokenBuilder::new(self).raw_claims(claims.to_string()).sign()
    }
}
