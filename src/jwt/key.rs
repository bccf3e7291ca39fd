//! Verification keys: each is bound to exactly one algorithm, and parsed and checked when it is
//! loaded.
//!
//! Binding a key to one algorithm prevents algorithm confusion (RFC 8725, section 3.1): the `alg`
//! of a token never chooses how a key is used.

mod curve;
mod jwk;
mod material;
mod pem;
mod rsa;

use std::fmt;
use std::sync::Arc;

use super::algorithm::Algorithm;
use super::error::KeyError;
use super::json::Object;
use jwk::Jwk;
use material::Material;

/// A key that verifies signatures of exactly one algorithm.
///
/// Cloning it copies pointers.
///
/// ```
/// use tonic_passport::jwt::{Algorithm, VerificationKey};
///
/// # fn main() -> Result<(), tonic_passport::jwt::KeyError> {
/// let key = VerificationKey::from_pem(
///     Algorithm::EdDSA,
///     "-----BEGIN PUBLIC KEY-----\n\
///      MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n\
///      -----END PUBLIC KEY-----\n",
/// )?
/// .with_key_id("2026-11");
/// assert_eq!(key.algorithm(), Algorithm::EdDSA);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct VerificationKey {
    algorithm: Algorithm,
    key_id: Option<Arc<str>>,
    material: Arc<Material>,
}

impl VerificationKey {
    /// A shared secret, for HS256, HS384 or HS512. Each service that can verify with it can also
    /// sign.
    ///
    /// # Errors
    ///
    /// A [`KeyError`] when the algorithm is not an HMAC, or the secret is shorter than its hash:
    /// 32, 48 or 64 bytes (RFC 7518, section 3.2).
    pub fn from_secret(algorithm: Algorithm, secret: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        let material = Material::from_secret(algorithm, secret.as_ref(), "secret")?;
        Ok(Self::new(algorithm, None, material))
    }

    /// A public key in PEM: `PUBLIC KEY` (RFC 5280), or `RSA PUBLIC KEY` (RFC 8017).
    ///
    /// # Errors
    ///
    /// A [`KeyError`] when this is not exactly one public key in PEM, is not of the algorithm's
    /// type, or is too weak.
    pub fn from_pem(algorithm: Algorithm, pem: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        Ok(Self::new(algorithm, None, pem::parse(algorithm, pem.as_ref())?))
    }

    /// A JWK (RFC 7517) that names its algorithm in `alg`. Its `kid` becomes the key's id.
    ///
    /// # Errors
    ///
    /// A [`KeyError`] that names the invalid member.
    pub fn from_jwk(jwk: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        Self::from_jwk_object(&jwk::parse_json(jwk.as_ref())?, None)
    }

    /// A JWK whose `alg` is optional. Where it is present, it must be this algorithm.
    ///
    /// # Errors
    ///
    /// A [`KeyError`] that names the invalid member.
    pub fn from_jwk_for(algorithm: Algorithm, jwk: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        let key = Self::from_jwk_object(&jwk::parse_json(jwk.as_ref())?, Some(algorithm))?;
        if key.algorithm == algorithm {
            Ok(key)
        } else {
            Err(KeyError::AlgorithmMismatch {
                algorithm: algorithm.as_str(),
                key_type: key.algorithm.to_string(),
            })
        }
    }

    /// Sets the id of the key, which a token names in its `kid`. A key without an id verifies the
    /// tokens of its algorithm whose `kid` matches no other key.
    #[must_use]
    pub fn with_key_id(mut self, key_id: impl Into<String>) -> Self {
        self.key_id = Some(key_id.into().into());
        self
    }

    /// The algorithm of the key.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The id of the key.
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    pub(super) fn shared_key_id(&self) -> Option<Arc<str>> {
        self.key_id.clone()
    }

    pub(super) fn is_symmetric(&self) -> bool {
        matches!(*self.material, Material::Hmac(_))
    }

    /// Whether both are the same public key with the same id and algorithm.
    #[cfg(feature = "remote-keys")]
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.material.is_same_public_key(&other.material)
            && self.key_id == other.key_id
            && self.algorithm == other.algorithm
    }

    /// Whether the signature of the message was made with this key.
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.material.verify(message, signature)
    }

    /// A member of a key set, or a JWK on its own. `algorithm` is for a key that has no `alg`.
    pub(super) fn from_jwk_object(
        jwk: &Object<'_>,
        algorithm: Option<Algorithm>,
    ) -> Result<Self, KeyError> {
        let Jwk { algorithm, key_id, material } = Jwk::parse(jwk, algorithm)?;
        Ok(Self::new(algorithm, key_id.map(Into::into), material))
    }

    fn new(algorithm: Algorithm, key_id: Option<Arc<str>>, material: Material) -> Self {
        Self { algorithm, key_id, material: Arc::new(material) }
    }
}

/// Shows the algorithm and the id, never the key.
impl fmt::Debug for VerificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerificationKey")
            .field("algorithm", &self.algorithm)
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}
