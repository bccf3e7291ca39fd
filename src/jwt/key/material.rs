//! Key material, parsed and checked: what a signature is verified with.

use aws_lc_rs::hmac;
use aws_lc_rs::signature::ParsedPublicKey;

use crate::jwt::algorithm::Algorithm;
use crate::jwt::error::KeyError;

/// A shared secret or a public key. It is bound to one algorithm.
#[expect(clippy::large_enum_variant, reason = "one for each key, behind an Arc")]
pub(super) enum Material {
    Hmac(hmac::Key),
    Public(ParsedPublicKey),
}

impl Material {
    /// A secret, at least as long as the output of its hash (RFC 7518, section 3.2). `field` is the
    /// parameter or member that holds it.
    pub(super) fn from_secret(
        algorithm: Algorithm,
        secret: &[u8],
        field: &'static str,
    ) -> Result<Self, KeyError> {
        let (hash, minimum) = match algorithm {
            Algorithm::HS256 => (hmac::HMAC_SHA256, 256),
            Algorithm::HS384 => (hmac::HMAC_SHA384, 384),
            Algorithm::HS512 => (hmac::HMAC_SHA512, 512),
            _ => {
                return Err(KeyError::AlgorithmMismatch {
                    algorithm: algorithm.as_str(),
                    key_type: "secret".to_owned(),
                });
            }
        };
        let bits = secret.len() * 8;
        if bits < minimum {
            return Err(KeyError::TooShort { field, algorithm: algorithm.as_str(), bits, minimum });
        }
        Ok(Self::Hmac(hmac::Key::new(hash, secret)))
    }

    /// Whether the signature matches the message. HMACs are compared in constant time.
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Hmac(key) => hmac::verify(key, message, signature).is_ok(),
            Self::Public(key) => key.verify_sig(message, signature).is_ok(),
        }
    }

    /// Whether both are the same public key. Secrets are never compared, and never equal.
    #[cfg(feature = "remote-keys")]
    pub(super) fn is_same_public_key(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Public(one), Self::Public(other)) => one.as_ref() == other.as_ref(),
            _ => false,
        }
    }
}
