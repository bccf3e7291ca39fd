//! Keys, and tokens of every kind, good and bad.

use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaEncoding,
};
use aws_lc_rs::{hmac, rsa};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tonic_passport::jwt::{Algorithm, Issuer, KeySet, Verifier};

pub const ISSUER: &str = "https://id.example.com";
pub const AUDIENCE: &str = "shop";

/// A key that signs, with its `kid`.
pub struct SigningKey {
    pub algorithm: Algorithm,
    pub kid: &'static str,
    pair: Pair,
}

enum Pair {
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Hmac(hmac::Algorithm, Vec<u8>),
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
}

/// The issuer's keys, one for each algorithm but the symmetric ones.
pub static KEYS: LazyLock<Vec<SigningKey>> = LazyLock::new(|| {
    let mut keys: Vec<SigningKey> = [
        (Algorithm::RS256, "rs256"),
        (Algorithm::RS384, "rs384"),
        (Algorithm::RS512, "rs512"),
        (Algorithm::PS256, "ps256"),
        (Algorithm::PS384, "ps384"),
        (Algorithm::PS512, "ps512"),
        (Algorithm::ES384, "es384"),
        (Algorithm::ES512, "es512"),
        (Algorithm::EdDSA, "eddsa"),
    ]
    .into_iter()
    .map(|(algorithm, kid)| SigningKey::generate(algorithm, kid))
    .collect();
    keys.insert(0, SigningKey::generate(Algorithm::ES256, "es256"));
    keys
});

/// The issuer's key for ES256, which tests use where the algorithm does not matter.
pub fn key() -> &'static SigningKey {
    &KEYS[0]
}

/// The issuer's key for this algorithm.
pub fn key_for(algorithm: Algorithm) -> &'static SigningKey {
    KEYS.iter().find(|key| key.algorithm == algorithm).unwrap()
}

/// The issuer's public keys.
pub fn jwks() -> Vec<u8> {
    let keys: Vec<Value> = KEYS.iter().map(SigningKey::jwk).collect();
    json!({ "keys": keys }).to_string().into_bytes()
}

/// The issuer as a verifier is told of it.
pub fn issuer() -> Issuer {
    Issuer::new(ISSUER, KeySet::from_jwks(jwks()).unwrap()).audience(AUDIENCE)
}

pub fn verifier() -> Verifier {
    Verifier::new([issuer()]).unwrap()
}

pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// The claims of a good token.
pub fn claims(subject: &str) -> Value {
    json!({
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": subject,
        "iat": now(),
        "exp": now() + 300,
        "email": format!("{subject}@example.com"),
        "roles": ["buyer"],
        "permissions": ["orders:create", "orders:read"],
    })
}

/// The claims of a good token, with some of them changed; `null` takes a claim away.
pub fn claims_with(changes: Value) -> Value {
    let mut claims = claims("alice");
    merge(&mut claims, changes);
    claims
}

/// The header of a good token, with some parameters changed; `null` takes a parameter away.
pub fn header_with(changes: Value) -> Value {
    let mut header = key().header();
    merge(&mut header, changes);
    header
}

/// Changes members of an object; `null` takes one away.
pub fn merge(object: &mut Value, changes: Value) {
    let object = object.as_object_mut().unwrap();
    let Value::Object(changes) = changes else { panic!("not an object") };
    for (name, value) in changes {
        if value.is_null() {
            object.remove(&name);
        } else {
            object.insert(name, value);
        }
    }
}

/// A good token for this user.
pub fn good(subject: &str) -> String {
    key().token(&claims(subject))
}

/// A token of these JSON texts, signed by this key.
pub fn sign_raw(key: &SigningKey, header: impl AsRef<[u8]>, claims: impl AsRef<[u8]>) -> String {
    sign_by(header, claims, |message| key.sign(message))
}

/// A token of these JSON texts, with the signature that `sign` makes of the message.
pub fn sign_by(
    header: impl AsRef<[u8]>,
    claims: impl AsRef<[u8]>,
    sign: impl FnOnce(&[u8]) -> Vec<u8>,
) -> String {
    let message = format!("{}.{}", base64url(header), base64url(claims));
    let signature = sign(message.as_bytes());
    format!("{message}.{}", base64url(signature))
}

/// The JSON text of an object, with one more member in front: one that is there already, say, or
/// of a value that `Value` does not hold.
pub fn with_member(object: &Value, name: &str, value: &str) -> String {
    format!("{{\"{name}\":{value},{}", &object.to_string()[1..])
}

pub fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl SigningKey {
    pub fn generate(algorithm: Algorithm, kid: &'static str) -> Self {
        let rsa = |encoding| Pair::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap(), encoding);
        let ec = |algorithm| Pair::Ec(EcdsaKeyPair::generate(algorithm).unwrap());
        let pair = match algorithm {
            Algorithm::EdDSA => Pair::Ed(Ed25519KeyPair::generate().unwrap()),
            Algorithm::ES256 => ec(&ECDSA_P256_SHA256_FIXED_SIGNING),
            Algorithm::ES384 => ec(&ECDSA_P384_SHA384_FIXED_SIGNING),
            Algorithm::ES512 => ec(&ECDSA_P521_SHA512_FIXED_SIGNING),
            Algorithm::PS256 => rsa(&signature::RSA_PSS_SHA256),
            Algorithm::PS384 => rsa(&signature::RSA_PSS_SHA384),
            Algorithm::PS512 => rsa(&signature::RSA_PSS_SHA512),
            Algorithm::RS256 => rsa(&signature::RSA_PKCS1_SHA256),
            Algorithm::RS384 => rsa(&signature::RSA_PKCS1_SHA384),
            Algorithm::RS512 => rsa(&signature::RSA_PKCS1_SHA512),
            _ => return Self::hmac(algorithm, kid, &[7; 64]),
        };
        Self { algorithm, kid, pair }
    }

    /// A symmetric key of these bytes.
    pub fn hmac(algorithm: Algorithm, kid: &'static str, secret: &[u8]) -> Self {
        let hash = match algorithm {
            Algorithm::HS256 => hmac::HMAC_SHA256,
            Algorithm::HS384 => hmac::HMAC_SHA384,
            Algorithm::HS512 => hmac::HMAC_SHA512,
            other => panic!("{other} is not symmetric"),
        };
        let pair = Pair::Hmac(hash, secret.to_vec());
        Self { algorithm, kid, pair }
    }

    pub fn header(&self) -> Value {
        json!({ "alg": self.algorithm.as_str(), "kid": self.kid, "typ": "at+jwt" })
    }

    pub fn token(&self, claims: &Value) -> String {
        self.token_with(&self.header(), claims)
    }

    pub fn token_with(&self, header: &Value, claims: &Value) -> String {
        sign_raw(self, header.to_string(), claims.to_string())
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Ec(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Pair::Ed(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::Hmac(hash, secret) => {
                hmac::sign(&hmac::Key::new(*hash, secret), message).as_ref().to_vec()
            }
            Pair::Rsa(_, encoding) => self.sign_rsa(*encoding, message),
        }
    }

    /// Signs with an RSA key as if it were for another algorithm.
    pub fn sign_rsa(&self, encoding: &'static dyn RsaEncoding, message: &[u8]) -> Vec<u8> {
        let Pair::Rsa(pair, _) = &self.pair else { panic!("{} is not RSA", self.algorithm) };
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(encoding, &SystemRandom::new(), message, &mut signature).unwrap();
        signature
    }

    /// The public key as a JWK; of a symmetric key, the secret.
    pub fn jwk(&self) -> Value {
        let mut jwk = json!({ "kid": self.kid, "alg": self.algorithm.as_str(), "use": "sig" });
        let members = match &self.pair {
            Pair::Ec(pair) => {
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
            Pair::Hmac(_, secret) => json!({ "kty": "oct", "k": base64url(secret) }),
            Pair::Rsa(pair, _) => {
                let key = rsa::PublicKey::from_der(pair.public_key().as_ref()).unwrap();
                let n = key.modulus().big_endian_without_leading_zero();
                let e = key.exponent().big_endian_without_leading_zero();
                json!({ "kty": "RSA", "n": base64url(n), "e": base64url(e) })
            }
        };
        merge(&mut jwk, members);
        jwk
    }

    /// The public key as `SubjectPublicKeyInfo`.
    pub fn public_der(&self) -> Vec<u8> {
        match &self.pair {
            Pair::Ec(pair) => pair.public_key().as_der().unwrap().as_ref().to_vec(),
            Pair::Ed(pair) => {
                // RFC 8410, section 10.1: the prefix of every Ed25519 key.
                let mut der = vec![0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];
                der.extend_from_slice(pair.public_key().as_ref());
                der
            }
            Pair::Hmac(..) => panic!("a symmetric key is not public"),
            Pair::Rsa(pair, _) => pair.public_key().as_der().unwrap().as_ref().to_vec(),
        }
    }

    pub fn public_pem(&self) -> String {
        pem("PUBLIC KEY", &self.public_der())
    }
}

pub fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
