use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::signing_key::SigningKey;

const DEFAULT_LIFETIME: Duration = Duration::from_secs(5 * 60);

/// A token in the making, good until it is changed: an access token (RFC 9068) that was issued just
/// now and lives for five minutes.
///
/// Of two changes to the same thing, the last counts.
///
/// ```
/// use serde_json::json;
/// use tonic_passport::jwt::TokenError;
/// use tonic_passport::testing::TestIssuer;
///
/// let issuer = TestIssuer::new("https://id.example.com");
/// let refused = |token: String| issuer.verifier().verify(&token).unwrap_err();
///
/// let good = issuer.token("alice").email("alice@example.com").roles(["buyer"]);
/// assert!(issuer.verifier().verify(&good.clone().sign()).is_ok());
///
/// let elsewhere = good.clone().claim("aud", json!(["billing", "stock"])).sign();
/// assert_eq!(refused(elsewhere), TokenError::AudienceMismatch);
///
/// let nobody = good.clone().without_claim("sub").sign();
/// assert_eq!(refused(nobody), TokenError::ClaimMissing { claim: "sub" });
///
/// let unsigned = good.header("alg", "none").sign_with(|_| Vec::new());
/// assert_eq!(refused(unsigned), TokenError::AlgorithmMismatch { expected: "ES256" });
/// ```
#[derive(Clone, Debug)]
#[must_use = "a token is made by `sign`"]
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
    /// A token without claims.
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

    /// A good token.
    pub(super) fn good(key: &SigningKey, issuer: &str, audience: &str, subject: String) -> Self {
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

    /// Sets the user's roles, the claim `roles`. Where a
    /// [`ClaimMapping`](crate::jwt::ClaimMapping) looks elsewhere, set that [`claim`](Self::claim).
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

    /// Sets any claim, to anything.
    pub fn claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.claims.insert(name.into(), value.into());
        self
    }

    /// Leaves a claim out.
    pub fn without_claim(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// Sets any parameter of the header, to anything.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.header.insert(name.into(), value.into());
        self
    }

    /// Leaves a parameter out of the header.
    pub fn without_header(mut self, name: &str) -> Self {
        self.header.remove(name);
        self
    }

    /// Sets when the token was issued: `iat`, and with it `exp`. In whole seconds, from 1970 on.
    pub fn issued_at(mut self, time: SystemTime) -> Self {
        self.issued_at = time;
        self.with_times()
    }

    /// Sets for how long the token lives from when it was issued: `exp`. In whole seconds.
    pub fn expires_in(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self.with_times()
    }

    /// Makes it a token that was issued so long ago that it expired an hour ago: more than any
    /// leeway allows for.
    ///
    /// # Panics
    ///
    /// Panics when that was before there is a time at all.
    #[track_caller]
    pub fn expired(self) -> Self {
        let ago = self.lifetime.saturating_add(Duration::from_secs(60 * 60));
        let issued_at = self.issued_at.checked_sub(ago).expect("a lifetime within reason");
        self.issued_at(issued_at)
    }

    /// Sets the key that signs, and names it and its algorithm in the header.
    pub fn signed_by(mut self, key: &SigningKey) -> Self {
        self.key = key.clone();
        self.header("alg", key.algorithm().as_str()).header("kid", key.key_id())
    }

    /// Takes these bytes for the header, whatever else was set.
    pub fn raw_header(mut self, header: impl Into<Vec<u8>>) -> Self {
        self.raw_header = Some(header.into());
        self
    }

    /// Takes these bytes for the claims, whatever else was set.
    pub fn raw_claims(mut self, claims: impl Into<Vec<u8>>) -> Self {
        self.raw_claims = Some(claims.into());
        self
    }

    /// The token, as in `authorization: Bearer` and a blank before it.
    pub fn sign(self) -> String {
        let key = self.key.clone();
        self.sign_with(|message| key.sign(message))
    }

    /// The token, with whatever is returned for its first two parts as its signature.
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
