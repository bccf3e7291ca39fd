//! Keys that verify: each for exactly one algorithm, parsed when it is loaded.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::hmac;
use aws_lc_rs::rsa::PublicKey as RsaPublicKey;
use aws_lc_rs::signature::{self, ParsedPublicKey, RsaParameters, RsaPublicKeyComponents};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;

use super::algorithm::Algorithm;
use super::error::KeyError;
use super::json::{Json, Object};

/// The least length of an RSA modulus in bits (RFC 7518, section 3.3).
const MIN_RSA_BITS: usize = 2048;

/// The longest modulus in bits. A longer one costs more to verify with than it protects.
const MAX_RSA_BITS: usize = 8192;

/// The points of small order on edwards25519, each as its y coordinate, little-endian, without the
/// sign of x. Signatures that verify with such a key can be made by anyone.
const SMALL_ORDER: [[u8; 32]; 7] = [
    coordinate(0x00, 0x00, 0x00),
    coordinate(0x01, 0x00, 0x00),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
    coordinate(0xec, 0xff, 0x7f),
    // The prime and the number after it: 0 and 1 once more, not in their canonical form.
    coordinate(0xed, 0xff, 0x7f),
    coordinate(0xee, 0xff, 0x7f),
];

/// A key that verifies signatures of exactly one algorithm.
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

#[expect(clippy::large_enum_variant, reason = "one for each key, behind an Arc")]
enum Material {
    Hmac(hmac::Key),
    Public(ParsedPublicKey),
}

impl VerificationKey {
    /// A shared secret, for HS256, HS384 or HS512. Whoever can verify with it can also sign.
    ///
    /// # Errors
    ///
    /// A [`KeyError`] when the algorithm is not an HMAC, or the secret is shorter than its hash:
    /// 32, 48 or 64 bytes (RFC 7518, section 3.2).
    pub fn from_secret(algorithm: Algorithm, secret: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        Self::hmac(algorithm, secret.as_ref(), "secret")
    }

    /// A public key in PEM: `PUBLIC KEY` (RFC 5280), or `RSA PUBLIC KEY` (RFC 8017).
    ///
    /// # Errors
    ///
    /// A [`KeyError`] when this is not one public key in PEM, does not go with the algorithm, or
    /// is too weak.
    pub fn from_pem(algorithm: Algorithm, pem: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        let malformed = |problem| KeyError::Malformed { field: "pem", problem };
        let pem = pem.as_ref();
        let text = str::from_utf8(pem).map_err(|_| malformed("not text"))?;
        if text.contains("PRIVATE KEY-----") {
            return Err(KeyError::Private { field: "pem" });
        }
        if text.contains("BEGIN CERTIFICATE-----") {
            return Err(malformed("a certificate; give the public key in it"));
        }
        if text.matches("-----BEGIN ").count() != 1 {
            return Err(malformed("not exactly one PEM block"));
        }

        let unfit = |_| malformed("not a public key in PEM that goes with the algorithm");
        let key = match algorithm {
            Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => {
                return Err(KeyError::AlgorithmMismatch {
                    algorithm: algorithm.as_str(),
                    key_type: "PEM".to_owned(),
                });
            }
            Algorithm::ES256 | Algorithm::ES384 | Algorithm::ES512 => DecodingKey::from_ec_pem(pem),
            Algorithm::EdDSA => DecodingKey::from_ed_pem(pem),
            _ => DecodingKey::from_rsa_pem(pem),
        };
        let key = key.map_err(unfit)?;
        let der = key.try_get_as_bytes().map_err(unfit)?;
        let Some(parameters) = rsa_parameters(algorithm) else {
            return Self::point(algorithm, der, "pem");
        };
        // What was found is the key within; what is around it is to be DER as well, to the letter.
        let block = pem::parse(pem).map_err(|_| malformed("not a block of PEM"))?;
        let key = RsaPublicKey::from_der(der)
            .and_then(|_| RsaPublicKey::from_der(block.contents()))
            .map_err(|_| malformed("not an RSA key"))?;
        let n = key.modulus().big_endian_without_leading_zero();
        let e = key.exponent().big_endian_without_leading_zero();
        Self::rsa(algorithm, parameters, n, e)
    }

    /// A JWK (RFC 7517) that names its algorithm in `alg`. Its `kid` becomes the key's id.
    ///
    /// # Errors
    ///
    /// A [`KeyError`] that names the member that is wrong.
    pub fn from_jwk(jwk: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        Self::from_jwk_object(&parse_jwk(jwk.as_ref())?, None)
    }

    /// A JWK that need not name its algorithm. One that does must name this one.
    ///
    /// # Errors
    ///
    /// A [`KeyError`] that names the member that is wrong.
    pub fn from_jwk_for(algorithm: Algorithm, jwk: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        let key = Self::from_jwk_object(&parse_jwk(jwk.as_ref())?, Some(algorithm))?;
        if key.algorithm == algorithm {
            Ok(key)
        } else {
            Err(KeyError::AlgorithmMismatch {
                algorithm: algorithm.as_str(),
                key_type: key.algorithm.to_string(),
            })
        }
    }

    /// Gives the key an id, which a token names in its `kid`. A key without one is used for tokens
    /// that no other key is meant for.
    #[must_use]
    pub fn with_key_id(mut self, key_id: impl Into<String>) -> Self {
        self.key_id = Some(key_id.into().into());
        self
    }

    /// The key's one algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key's id.
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    pub(super) fn shared_key_id(&self) -> Option<Arc<str>> {
        self.key_id.clone()
    }

    pub(super) fn is_symmetric(&self) -> bool {
        matches!(*self.material, Material::Hmac(_))
    }

    /// Whether both are the same public key with the same id and algorithm. Secrets are never
    /// compared: one is not the same as another.
    #[cfg(feature = "remote-keys")]
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let same_material = match (&*self.material, &*other.material) {
            (Material::Public(own), Material::Public(other)) => own.as_ref() == other.as_ref(),
            _ => false,
        };
        same_material && self.key_id == other.key_id && self.algorithm == other.algorithm
    }

    /// Whether this is the key's signature of the message.
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match &*self.material {
            Material::Hmac(key) => hmac::verify(key, message, signature).is_ok(),
            Material::Public(key) => key.verify_sig(message, signature).is_ok(),
        }
    }

    /// A member of a key set, or a JWK on its own. `algorithm` is for keys that name none.
    pub(super) fn from_jwk_object(
        jwk: &Object<'_>,
        algorithm: Option<Algorithm>,
    ) -> Result<Self, KeyError> {
        let text = |field: &'static str| match jwk.get(field) {
            None => Ok(None),
            Some(Json::Text(text)) => Ok(Some(&**text)),
            Some(_) => Err(KeyError::Malformed { field, problem: "not a string" }),
        };
        let key_id = text("kid")?;
        let key_type =
            text("kty")?.ok_or(KeyError::Malformed { field: "kty", problem: "missing" })?;

        if key_type != "oct" && jwk.contains("d") {
            return Err(KeyError::Private { field: "d" });
        }
        check_purpose(jwk, text("use")?)?;
        let algorithm = match text("alg")? {
            Some(name) => name.parse()?,
            None => algorithm.ok_or(KeyError::AlgorithmMissing)?,
        };
        let curve = text("crv")?;
        if !goes_with(algorithm, key_type, curve) {
            let key_type = [Some(key_type), curve].into_iter().flatten().collect::<Vec<_>>();
            return Err(KeyError::AlgorithmMismatch {
                algorithm: algorithm.as_str(),
                key_type: key_type.join(" "),
            });
        }

        let member = |field: &'static str| {
            let malformed = |problem| KeyError::Malformed { field, problem };
            let encoded = text(field)?.ok_or(malformed("missing"))?;
            URL_SAFE_NO_PAD.decode(encoded).map_err(|_| malformed("not base64url"))
        };
        let key = match (rsa_parameters(algorithm), algorithm) {
            (Some(parameters), _) => {
                Self::rsa(algorithm, parameters, &member("n")?, &member("e")?)?
            }
            (None, Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512) => {
                Self::hmac(algorithm, &member("k")?, "k")?
            }
            (None, Algorithm::EdDSA) => Self::point(algorithm, &member("x")?, "x")?,
            (None, _) => {
                let (x, y) = (member("x")?, member("y")?);
                if x.len() != y.len() {
                    return Err(KeyError::Malformed { field: "x", problem: "not as long as y" });
                }
                // SEC 1, section 2.3.3: a point that is not compressed.
                Self::point(algorithm, &[vec![4], x, y].concat(), "x")?
            }
        };
        Ok(match key_id {
            Some(key_id) => key.with_key_id(key_id),
            None => key,
        })
    }

    fn hmac(algorithm: Algorithm, secret: &[u8], field: &'static str) -> Result<Self, KeyError> {
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
        Ok(Self::new(algorithm, Material::Hmac(hmac::Key::new(hash, secret))))
    }

    fn rsa(
        algorithm: Algorithm,
        parameters: &'static RsaParameters,
        n: &[u8],
        e: &[u8],
    ) -> Result<Self, KeyError> {
        let malformed = |problem| KeyError::Malformed { field: "n", problem };
        let n = without_leading_zeros(n);
        let e = without_leading_zeros(e);
        let bits = n.first().map_or(0, |first| n.len() * 8 - first.leading_zeros() as usize);
        if bits < MIN_RSA_BITS {
            let algorithm = algorithm.as_str();
            return Err(KeyError::TooShort { field: "n", algorithm, bits, minimum: MIN_RSA_BITS });
        }
        if bits > MAX_RSA_BITS {
            return Err(malformed("more than 8192 bits"));
        }
        let odd = |number: &[u8]| number.last().is_some_and(|last| last % 2 == 1);
        let small = e.len() < 5 || e.len() == 5 && e[0] == 1;
        if !odd(e) || e == [1] || !small {
            return Err(KeyError::Exponent);
        }
        if !odd(n) {
            return Err(malformed("not an RSA modulus"));
        }
        let key = RsaPublicKeyComponents { n, e }
            .to_parsed_public_key(parameters)
            .map_err(|_| malformed("not an RSA modulus"))?;
        Ok(Self::new(algorithm, Material::Public(key)))
    }

    /// A key on an elliptic curve.
    fn point(algorithm: Algorithm, point: &[u8], field: &'static str) -> Result<Self, KeyError> {
        let malformed = |problem| KeyError::Malformed { field, problem };
        let key = match algorithm {
            Algorithm::ES256 => ParsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point),
            Algorithm::ES384 => ParsedPublicKey::new(&signature::ECDSA_P384_SHA384_FIXED, point),
            Algorithm::ES512 => ParsedPublicKey::new(&signature::ECDSA_P521_SHA512_FIXED, point),
            _ if has_small_order(point) => return Err(malformed("a point of small order")),
            // The parser would take a whole SubjectPublicKeyInfo as well.
            _ if point.len() != 32 => return Err(malformed("not 32 bytes")),
            _ => ParsedPublicKey::new(&signature::ED25519, point),
        };
        let key = key.map_err(|_| malformed("not a point on the curve of the algorithm"))?;
        Ok(Self::new(algorithm, Material::Public(key)))
    }

    fn new(algorithm: Algorithm, material: Material) -> Self {
        Self { algorithm, key_id: None, material: Arc::new(material) }
    }
}

/// Shows which key it is, never the key.
impl fmt::Debug for VerificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerificationKey")
            .field("algorithm", &self.algorithm)
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

fn parse_jwk(jwk: &[u8]) -> Result<Object<'_>, KeyError> {
    Object::parse(jwk).map_err(|_| KeyError::Malformed {
        field: "jwk",
        problem: "not a JSON object, or a name is there twice",
    })
}

/// `use` and `key_ops` (RFC 7517, sections 4.2 and 4.3), where they are there.
fn check_purpose(jwk: &Object<'_>, usage: Option<&str>) -> Result<(), KeyError> {
    if usage.is_some_and(|usage| usage != "sig") {
        return Err(KeyError::NotForVerification { field: "use" });
    }
    match jwk.get("key_ops") {
        None => Ok(()),
        Some(Json::Array(operations))
            if operations.iter().any(|name| name.as_str() == Some("verify")) =>
        {
            Ok(())
        }
        Some(_) => Err(KeyError::NotForVerification { field: "key_ops" }),
    }
}

fn goes_with(algorithm: Algorithm, key_type: &str, curve: Option<&str>) -> bool {
    match algorithm {
        Algorithm::EdDSA => key_type == "OKP" && curve == Some("Ed25519"),
        Algorithm::ES256 => key_type == "EC" && curve == Some("P-256"),
        Algorithm::ES384 => key_type == "EC" && curve == Some("P-384"),
        Algorithm::ES512 => key_type == "EC" && curve == Some("P-521"),
        Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => key_type == "oct",
        Algorithm::PS256
        | Algorithm::PS384
        | Algorithm::PS512
        | Algorithm::RS256
        | Algorithm::RS384
        | Algorithm::RS512 => key_type == "RSA",
    }
}

fn rsa_parameters(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::PS256 => Some(&signature::RSA_PSS_2048_8192_SHA256),
        Algorithm::PS384 => Some(&signature::RSA_PSS_2048_8192_SHA384),
        Algorithm::PS512 => Some(&signature::RSA_PSS_2048_8192_SHA512),
        Algorithm::RS256 => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::RS384 => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::RS512 => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
        _ => None,
    }
}

fn has_small_order(point: &[u8]) -> bool {
    <[u8; 32]>::try_from(point).is_ok_and(|mut y| {
        y[31] &= 0x7f;
        SMALL_ORDER.contains(&y)
    })
}

const fn coordinate(first: u8, middle: u8, last: u8) -> [u8; 32] {
    let mut bytes = [middle; 32];
    bytes[0] = first;
    bytes[31] = last;
    bytes
}

fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}
