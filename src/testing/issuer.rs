use super::signing_key::SigningKey;
use super::token::TokenBuilder;
use crate::jwt::{Algorithm, Issuer, Verifier};

/// An issuer that makes any token, and is nowhere but in the test.
///
/// ```
/// use tonic_passport::jwt::{ClaimMapping, Verifier};
/// use tonic_passport::testing::TestIssuer;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let issuer = TestIssuer::new("https://id.example.com").audience("shop");
///
/// // With the settings that the service under test has.
/// let mapping = ClaimMapping::default().attribute("tenant", "tenant_id");
/// let verifier = Verifier::new([issuer.issuer().claims(mapping)])?;
///
/// let token = issuer.token("alice").claim("tenant_id", "acme").sign();
/// assert_eq!(verifier.verify(&token)?.context().attribute("tenant"), Some("acme"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "an issuer does nothing until it makes tokens"]
pub struct TestIssuer {
    name: String,
    audience: String,
    key: SigningKey,
}

impl TestIssuer {
    /// The audience of tokens unless another is set.
    pub const DEFAULT_AUDIENCE: &str = "test";

    /// An issuer of this name, the `iss` of its tokens, with a new key for ES256.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            audience: Self::DEFAULT_AUDIENCE.to_owned(),
            key: SigningKey::generate(Algorithm::ES256, "test"),
        }
    }

    /// Sets whom the tokens are for, in place of [`DEFAULT_AUDIENCE`](Self::DEFAULT_AUDIENCE).
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = audience.into();
        self
    }

    /// Sets the key that the tokens are signed with.
    pub fn signed_by(mut self, key: &SigningKey) -> Self {
        self.key = key.clone();
        self
    }

    /// The `iss` of its tokens.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key that its tokens are signed with.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// What a verifier must be told to accept its tokens; add the settings of yours.
    ///
    /// # Panics
    ///
    /// Panics when the key is a secret too short for its algorithm.
    #[track_caller]
    pub fn issuer(&self) -> Issuer {
        Issuer::new(&self.name, self.key.verification_key()).audience(&self.audience)
    }

    /// A verifier that accepts its tokens.
    ///
    /// # Panics
    ///
    /// Panics when the name or the audience is empty, or the key too short.
    #[track_caller]
    pub fn verifier(&self) -> Verifier {
        Verifier::new([self.issuer()]).unwrap_or_else(|error| panic!("{error}"))
    }

    /// A good token for this user, the `sub`; change it, and then [sign](TokenBuilder::sign) it.
    pub fn token(&self, subject: impl Into<String>) -> TokenBuilder {
        TokenBuilder::good(&self.key, &self.name, &self.audience, subject.into())
    }
}
