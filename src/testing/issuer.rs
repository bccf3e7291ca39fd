//! An issuer without a server, for tests that need tokens only.

use super::signing_key::SigningKey;
use super::token::TokenBuilder;
use crate::jwt::{Algorithm, Issuer, Verifier};

/// Issuer of valid and invalid tokens that exists in the test's memory only.
///
/// ```
/// use tonic_passport::jwt::{ClaimMapping, Verifier};
/// use tonic_passport::testing::TestIssuer;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let issuer = TestIssuer::new("https://id.example.com").audience("shop");
///
/// // The settings of the service under test.
/// let mapping = ClaimMapping::default().attribute("tenant", "tenant_id");
/// let verifier = Verifier::new([issuer.issuer().claims(mapping)])?;
///
/// let token = issuer.token("alice").claim("tenant_id", "acme").sign();
/// assert_eq!(verifier.verify(&token)?.context().attribute("tenant"), Some("acme"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "an issuer does nothing unless it signs tokens"]
pub struct TestIssuer {
    name: String,
    audience: String,
    key: SigningKey,
}

impl TestIssuer {
    /// The default audience of the tokens.
    pub const DEFAULT_AUDIENCE: &str = "test";

    /// Creates an issuer with this name, the `iss` of its tokens, and a new ES256 key.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            audience: Self::DEFAULT_AUDIENCE.to_owned(),
            key: SigningKey::generate(Algorithm::ES256, "test"),
        }
    }

    /// Sets the `aud` of the tokens, instead of [`DEFAULT_AUDIENCE`](Self::DEFAULT_AUDIENCE).
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = audience.into();
        self
    }

    /// Sets the key that signs the tokens.
    pub fn signed_by(mut self, key: &SigningKey) -> Self {
        self.key = key.clone();
        self
    }

    /// The issuer's name, the `iss` of its tokens.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key that signs the tokens.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// Returns the verifier configuration that accepts the tokens, for further settings.
    ///
    /// # Panics
    ///
    /// Panics if the key is a secret that is too short for its algorithm.
    #[track_caller]
    pub fn issuer(&self) -> Issuer {
        Issuer::new(&self.name, self.key.verification_key()).audience(&self.audience)
    }

    /// Returns a verifier that accepts the tokens.
    ///
    /// # Panics
    ///
    /// Panics if the name or the audience is empty, or the key is too short.
    #[track_caller]
    pub fn verifier(&self) -> Verifier {
        Verifier::new([self.issuer()]).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Returns a builder for a valid token with this `sub`. Change it as needed, then
    /// [sign](TokenBuilder::sign) it.
    pub fn token(&self, subject: impl Into<String>) -> TokenBuilder {
        TokenBuilder::valid(&self.key, &self.name, &self.audience, subject.into())
    }
}
