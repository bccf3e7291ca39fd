//! An issuer with a key for each algorithm, and builders of valid and invalid tokens.

use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tonic_passport::jwt::{Algorithm, Issuer, KeySet, Verifier};
use tonic_passport::testing::{TestIssuer, TokenBuilder};

pub use tonic_passport::testing::SigningKey;

pub const ISSUER: &str = "https://id.example.com";
pub const AUDIENCE: &str = "shop";

/// The issuer's keys, one for each asymmetric algorithm.
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

/// Returns the issuer's ES256 key, for tests in which the algorithm does not matter.
pub fn key() -> &'static SigningKey {
    &KEYS[0]
}

/// Returns the issuer's key for this algorithm.
pub fn key_for(algorithm: Algorithm) -> &'static SigningKey {
    KEYS.iter().find(|key| key.algorithm() == algorithm).unwrap()
}

/// Returns the issuer's public keys as a JWK Set.
pub fn jwks() -> Vec<u8> {
    let keys: Vec<Value> = KEYS.iter().map(SigningKey::jwk).collect();
    json!({ "keys": keys }).to_string().into_bytes()
}

/// Returns the issuer's configuration for a verifier.
pub fn issuer() -> Issuer {
    Issuer::new(ISSUER, KeySet::from_jwks(jwks()).unwrap()).audience(AUDIENCE)
}

pub fn verifier() -> Verifier {
    Verifier::new([issuer()]).unwrap()
}

pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// Returns a builder of a valid token for this user.
pub fn token(subject: &str) -> TokenBuilder {
    static ISSUING: LazyLock<TestIssuer> =
        LazyLock::new(|| TestIssuer::new(ISSUER).audience(AUDIENCE).signed_by(key()));
    ISSUING
        .token(subject)
        .email(format!("{subject}@example.com"))
        .roles(["buyer"])
        .permissions(["orders:create", "orders:read"])
}

/// Returns a valid token for this user.
pub fn good(subject: &str) -> String {
    token(subject).sign()
}

/// Returns the claims of a valid token.
pub fn claims(subject: &str) -> Value {
    decoded(&good(subject), 1)
}

/// Returns the header of a valid token signed by this key.
pub fn header(key: &SigningKey) -> Value {
    decoded(&token("alice").signed_by(key).sign(), 0)
}

/// Decodes a part of a token: 0 is the header, 1 the claims.
pub fn decoded(token: &str, part: usize) -> Value {
    let part = token.split('.').nth(part).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// Returns the claims of a valid token with changes. `null` removes a claim.
pub fn claims_with(changes: Value) -> Value {
    let mut claims = claims("alice");
    merge(&mut claims, changes);
    claims
}

/// Returns the header of a valid token with changes. `null` removes a parameter.
pub fn header_with(changes: Value) -> Value {
    let mut header = header(key());
    merge(&mut header, changes);
    header
}

/// Changes members of an object. `null` removes one.
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

/// Returns a token of this header and these claims, signed by this key.
pub fn token_with(key: &SigningKey, header: &Value, claims: &Value) -> String {
    sign_raw(key, header.to_string(), claims.to_string())
}

/// Returns a token of these JSON texts, signed by this key.
pub fn sign_raw(
    key: &SigningKey,
    header: impl Into<Vec<u8>>,
    claims: impl Into<Vec<u8>>,
) -> String {
    sign_by(header, claims, |message| key.sign(message))
}

/// Returns a token of these JSON texts with the signature that `sign` returns.
pub fn sign_by(
    header: impl Into<Vec<u8>>,
    claims: impl Into<Vec<u8>>,
    sign: impl FnOnce(&[u8]) -> Vec<u8>,
) -> String {
    token("alice").raw_header(header).raw_claims(claims).sign_with(sign)
}

/// Returns the JSON text of an object with one more member in front: a duplicate, or a value that
/// `Value` cannot hold.
pub fn with_member(object: &Value, name: &str, value: &str) -> String {
    format!("{{\"{name}\":{value},{}", &object.to_string()[1..])
}

pub fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
