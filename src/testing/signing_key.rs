//! Signing keys for all algorithms that the verifier supports.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::{self, SystemRandom};
use aws_lc_rs::rsa::{self, KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaEncoding,
};
use aws_lc_rs::{error, hmac};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::jwt::{Algorithm, VerificationKey};

/// Signing key for one algorithm, with the key id that its tokens and key sets use.
///
/// Cloning it copies a pointer. [`token`](Self::token) is implemented beside the
/// [`TokenBuilder`](super::TokenBuilder).
///
/// ```
/// use tonic_passport::jwt::{Algorithm, Issuer, Verifier};
/// use tonic_passport::testing::{SigningKey, TestIssuer};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let key = SigningKey::generate(Algorithm::EdDSA, "2026-11");
/// let issuer = TestIssuer::new("https://id.example.com").signed_by(&key);
///
/// // The same key in the configuration of an edge.
/// let real = Issuer::new("https://id.example.com", key.verification_key()).audience("test");
/// let verified = Verifier::new([real])?.verify(&issuer.token("alice").sign())?;
/// assert_eq!(verified.key_id(), Some("2026-11"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct SigningKey {
    algorithm: Algorithm,
    key_id: Arc<str>,
    pair: Arc<Pair>,
}

enum Pair {
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Hmac(Vec<u8>),
    Rsa(RsaKeyPair),
}

impl SigningKey {
    /// Generates a key. RSA keys have 2048 bits, and take noticeably longer to generate.
    pub fn generate(algorithm: Algorithm, key_id: &str) -> Self {
        let pair = match algorithm {
            Algorithm::EdDSA => Ed25519KeyPair::generate().map(Pair::Ed),
            Algorithm::ES256 => {
                EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map(Pair::Ec)
            }
            Algorithm::ES384 => {
                EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).map(Pair::Ec)
            }
            Algorithm::ES512 => {
                EcdsaKeyPair::generate(&ECDSA_P521_SHA512_FIXED_SIGNING).map(Pair::Ec)
            }
            Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => {
                // The output length of SHA-512, the longest of the hashes.
                let mut secret = vec![0; 64];
                rand::fill(&mut secret).map(|()| Pair::Hmac(secret))
            }
            Algorithm::PS256
            | Algorithm::PS384
            | Algorithm::PS512
            | Algorithm::RS256
            | Algorithm::RS384
            | Algorithm::RS512 => RsaKeyPair::generate(KeySize::Rsa2048).map(Pair::Rsa),
        };
        Self::new(algorithm, key_id, pair.expect("the system provides random numbers"))
    }

    /// Creates a key from a shared secret of any length, for HS256, HS384 or HS512.
    ///
    /// # Panics
    ///
    /// Panics if the algorithm is not symmetric.
    #[track_caller]
    pub fn hmac(algorithm: Algorithm, key_id: &str, secret: impl AsRef<[u8]>) -> Self {
        assert!(hmac_algorithm(algorithm).is_some(), "{algorithm} is not symmetric");
        Self::new(algorithm, key_id, Pair::Hmac(secret.as_ref().to_vec()))
    }

    /// Returns the same RSA key for another algorithm, with the same key id, to sign tokens that a
    /// verifier must reject because of their algorithm.
    ///
    /// # Panics
    ///
    /// Panics unless both the key and the algorithm are RSA.
    #[must_use]
    #[track_caller]
    pub fn with_algorithm(&self, algorithm: Algorithm) -> Self {
        assert!(matches!(*self.pair, Pair::Rsa(_)), "{} is not RSA", self.algorithm);
        assert!(rsa_encoding(algorithm).is_some(), "{algorithm} is not RSA");
        Self { algorithm, ..self.clone() }
    }

    /// The algorithm, the `alg` of the key's tokens.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key id, the `kid` of the key's tokens.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Signs a message, in the signature format of a JWS (RFC 7518, section 3).
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        let signature = match &*self.pair {
            Pair::Ec(pair) => pair.sign(&random, message).map(|bytes| bytes.as_ref().to_vec()),
            Pair::Ed(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Pair::Hmac(secret) => hmac_algorithm(self.algorithm)
                .map(|hash| hmac::sign(&hmac::Key::new(hash, secret), message).as_ref().to_vec())
                .ok_or(error::Unspecified),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                rsa_encoding(self.algorithm)
                    .ok_or(error::Unspecified)
                    .and_then(|encoding| pair.sign(encoding, &random, message, &mut signature))
                    .map(|()| signature)
            }
        };
        signature.expect("the key matches its algorithm")
    }

    /// Returns the key that verifies the signatures.
    ///
    /// # Panics
    ///
    /// Panics if it is a secret that is too short for its algorithm.
    #[track_caller]
    pub fn verification_key(&self) -> VerificationKey {
        let key = VerificationKey::from_jwk(self.jwk().to_string());
        key.unwrap_or_else(|error| panic!("the key {:?}: {error}", self.key_id))
    }

    /// The public key as a JWK (RFC 7517), for a key set. For a shared secret, the secret itself.
    pub fn jwk(&self) -> Value {
        let mut jwk = match &*self.pair {
            Pair::Ec(pair) => {
                // The first byte, 0x04, marks an uncompressed point (SEC 1, section 2.3.3).
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                let curve = match self.algorithm {
                    Algorithm::ES256 => "P-256",
                    Algorithm::ES384 => "P-384",
                    _ => "P-521",
                };
                json!({ "kty": "EC", "crv": curve, "x": base64url(x), "y": base64url(y) })
            }
            Pair::Ed(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": base64url(pair.public_key()) })
            }
            Pair::Hmac(secret) => json!({ "kty": "oct", "k": base64url(secret) }),
            Pair::Rsa(pair) => {
                let key = rsa::PublicKey::from_der(pair.public_key().as_ref())
                    .expect("a key that was just encoded can be decoded");
                let n = key.modulus().big_endian_without_leading_zero();
                let e = key.exponent().big_endian_without_leading_zero();
                json!({ "kty": "RSA", "n": base64url(n), "e": base64url(e) })
            }
        };
        jwk["kid"] = (*self.key_id).into();
        jwk["alg"] = self.algorithm.as_str().into();
        jwk["use"] = "sig".into();
        jwk
    }

    /// The public key as a `SubjectPublicKeyInfo` in DER (RFC 5280, section 4.1).
    ///
    /// # Panics
    ///
    /// Panics if it is a shared secret.
    #[track_caller]
    pub fn public_key_der(&self) -> Vec<u8> {
        /// The DER prefix of every Ed25519 key (RFC 8410, section 10.1).
        const ED25519: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];
        let der = match &*self.pair {
            Pair::Ec(pair) => pair.public_key().as_der(),
            Pair::Ed(pair) => return [&ED25519, pair.public_key().as_ref()].concat(),
            Pair::Hmac(_) => panic!("a shared secret is not public"),
            Pair::Rsa(pair) => pair.public_key().as_der(),
        };
        der.expect("a public key can be encoded").as_ref().to_vec()
    }

    /// The public key in PEM, under the label `PUBLIC KEY`.
    ///
    /// # Panics
    ///
    /// Panics if it is a shared secret.
    #[track_caller]
    pub fn public_key_pem(&self) -> String {
        let text = STANDARD.encode(self.public_key_der());
        let mut pem = "-----BEGIN PUBLIC KEY-----\n".to_owned();
        for (index, character) in text.chars().enumerate() {
            if index > 0 && index % 64 == 0 {
                pem.push('\n');
            }
            pem.push(character);
        }
        pem + "\n-----END PUBLIC KEY-----\n"
    }

    fn new(algorithm: Algorithm, key_id: &str, pair: Pair) -> Self {
        Self { algorithm, key_id: key_id.into(), pair: Arc::new(pair) }
    }
}

/// Shows the algorithm and the key id, never key material.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("algorithm", &self.algorithm)
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

fn hmac_algorithm(algorithm: Algorithm) -> Option<hmac::Algorithm> {
    match algorithm {
        Algorithm::HS256 => Some(hmac::HMAC_SHA256),
        Algorithm::HS384 => Some(hmac::HMAC_SHA384),
        Algorithm::HS512 => Some(hmac::HMAC_SHA512),
        _ => None,
    }
}

fn rsa_encoding(algorithm: Algorithm) -> Option<&'static dyn RsaEncoding> {
    match algorithm {
        Algorithm::PS256 => Some(&signature::RSA_PSS_SHA256),
        Algorithm::PS384 => Some(&signature::RSA_PSS_SHA384),
        Algorithm::PS512 => Some(&signature::RSA_PSS_SHA512),
        Algorithm::RS256 => Some(&signature::RSA_PKCS1_SHA256),
        Algorithm::RS384 => Some(&signature::RSA_PKCS1_SHA384),
        Algorithm::RS512 => Some(&signature::RSA_PKCS1_SHA512),
        _ => None,
    }
}

fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
