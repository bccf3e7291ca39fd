//! The issuer: its keys, and the one token that is verified again and again.

use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeySize, PublicKey};
use aws_lc_rs::signature::{
    ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::job::USER;

/// The issuer's name.
pub(super) const ISSUER: &str = "https://id.example.com";

/// Whom its tokens are for.
pub(super) const AUDIENCE: &str = "shop";

/// The size of every token in bytes.
const SIZE: usize = 660;

/// The id of the RSA key.
const KEY_ID: &str = "2026-1";

/// An RSA key of 2048 bits.
static RSA: LazyLock<RsaKeyPair> =
    LazyLock::new(|| RsaKeyPair::generate(KeySize::Rsa2048).expect("a key"));

/// A key on the curve P-384.
static P384: LazyLock<EcdsaKeyPair> =
    LazyLock::new(|| EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).expect("a key"));

/// The RSA key's public part, as a JWK Set.
pub(super) fn rsa_jwks() -> String {
    let key = PublicKey::from_der(RSA.public_key().as_ref()).expect("the key just made");
    let n = base64url(key.modulus().big_endian_without_leading_zero());
    let e = base64url(key.exponent().big_endian_without_leading_zero());
    let key = json!({ "kty": "RSA", "alg": "RS256", "use": "sig", "kid": KEY_ID, "n": n, "e": e });
    json!({ "keys": [key] }).to_string()
}

/// The RSA key's public part, as PEM.
pub(super) fn rsa_pem() -> String {
    pem(RSA.public_key().as_der().expect("the key just made").as_ref())
}

/// The public part of the key on P-384, as PEM.
pub(super) fn p384_pem() -> String {
    pem(P384.public_key().as_der().expect("the key just made").as_ref())
}

/// The token, signed with RS256.
pub(super) fn rs256() -> String {
    let now = now();
    let header = json!({ "alg": "RS256", "kid": KEY_ID, "typ": "JWT" });
    of_the_size(|padding| {
        let claims = json!({
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": USER,
            "email": format!("{USER}{padding}@example.com"),
            "roles": ["buyer"],
            "permissions": ["orders:create"],
            "iat": now,
            "exp": now + 3600,
        });
        sign(&header, &claims, sign_rs256)
    })
}

/// The token as webgates wants it, signed with RS256: fewer claims fit into the size, so there is
/// no audience and no key id to check.
pub(super) fn webgates_rs256() -> String {
    let header = json!({ "alg": "RS256", "typ": "JWT" });
    of_the_size(|padding| sign(&header, &account(padding), sign_rs256))
}

/// The token as webgates wants it, signed with ES384.
pub(super) fn webgates_es384() -> String {
    let header = json!({ "alg": "ES384", "typ": "JWT" });
    of_the_size(|padding| sign(&header, &account(padding), sign_es384))
}

/// The claims that webgates wants: an account of its own kind, here one without permissions, which
/// it would write as a list of all the bytes of a bitmap.
fn account(padding: &str) -> Value {
    let now = now();
    json!({
        "iss": ISSUER,
        "iat": now,
        "exp": now + 3600,
        "account_id": "0199a3c4-7b1e-7c52-9d3f-5a6b7c8d9e0f",
        "user_id": format!("{USER}{padding}"),
        "roles": ["User"],
        "groups": [],
        "permissions": { "bitmap": [0, 0, 0, 0, 0, 0, 0, 0] },
    })
}

/// Pads a token until it has the size. It grows by one or two bytes at a time, so one that misses
/// the size has to be made of other claims.
fn of_the_size(token: impl Fn(&str) -> String) -> String {
    (0..SIZE)
        .map(|padding| token(&"x".repeat(padding)))
        .find(|token| token.len() == SIZE)
        .expect("a token of the size")
}

fn sign(header: &Value, claims: &Value, sign: fn(&[u8]) -> Vec<u8>) -> String {
    let message = format!("{}.{}", base64url(header.to_string()), base64url(claims.to_string()));
    let signature = sign(message.as_bytes());
    format!("{message}.{}", base64url(signature))
}

fn sign_rs256(message: &[u8]) -> Vec<u8> {
    let mut signature = vec![0; RSA.public_modulus_len()];
    RSA.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
        .expect("the signature has the key's length");
    signature
}

fn sign_es384(message: &[u8]) -> Vec<u8> {
    P384.sign(&SystemRandom::new(), message).expect("a signature").as_ref().to_vec()
}

fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| str::from_utf8(line).expect("base64")).collect();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
}

fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs()
}
