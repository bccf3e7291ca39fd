//! JSON Web Keys, alone and in sets.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use tonic_passport::jwt::{Algorithm, KeySet, VerificationKey};

use super::json;

/// Takes the input as a set, and as a single key.
pub fn holds(input: &[u8]) {
    check_set(KeySet::from_jwks(input).ok(), input, None);
    let default = Algorithm::ES256;
    check_set(KeySet::from_jwks_for(default, input).ok(), input, Some(default));

    if let Ok(key) = VerificationKey::from_jwk(input) {
        let jwk = json::plain_object(input).expect("a key is an object");
        assert!(is_key(&jwk, &key, None), "{key:?} was accepted");
    }
}

fn check_set(set: Option<KeySet>, input: &[u8], default: Option<Algorithm>) {
    let Some(set) = set else {
        return;
    };
    let object = json::plain_object(input).expect("a set is an object");
    let members = object["keys"].as_array().expect("keys are an array");
    assert_eq!(set.keys().count() + set.rejected().count(), members.len(), "a key is missing");
    assert_ne!(set.keys().count(), 0, "a set without keys");

    for key in set.keys() {
        let namesakes = set.keys().filter(|other| other.key_id() == key.key_id());
        // Without an id, there may be one for each algorithm.
        let equals = namesakes
            .filter(|other| key.key_id().is_some() || other.algorithm() == key.algorithm());
        assert_eq!(equals.count(), 1, "{key:?} is ambiguous");
        let public = |jwk: &&Map<String, Value>| jwk.get("kty") != Some(&"oct".into());
        let mut candidates = members.iter().filter_map(Value::as_object).filter(public);
        assert!(candidates.any(|jwk| is_key(jwk, key, default)), "{key:?} was accepted");
    }
}

/// Whether the key can be that of this JWK: its id, its algorithm, a suitable type, the minimum
/// size, nothing private, and a purpose that allows verification.
fn is_key(jwk: &Map<String, Value>, key: &VerificationKey, default: Option<Algorithm>) -> bool {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?).ok();
    let named = match jwk.get("alg") {
        None => default == Some(key.algorithm()),
        Some(Value::String(name)) => {
            name == key.algorithm().as_str()
                || (name == "Ed25519" && key.algorithm() == Algorithm::EdDSA)
        }
        Some(_) => false,
    };
    let verifies = jwk.get("use").is_none_or(|purpose| purpose == "sig")
        && jwk.get("key_ops").is_none_or(|operations| {
            operations.as_array().is_some_and(|all| all.iter().any(|one| one == "verify"))
        });
    let curve = |name: &str, length: usize| {
        text("kty") == Some("EC")
            && text("crv") == Some(name)
            && ["x", "y"].iter().all(|axis| bytes(axis).is_some_and(|all| all.len() == length))
    };
    let secret = |length: usize| {
        text("kty") == Some("oct") && bytes("k").is_some_and(|secret| secret.len() >= length)
    };
    let sized = match key.algorithm() {
        Algorithm::ES256 => curve("P-256", 32),
        Algorithm::ES384 => curve("P-384", 48),
        Algorithm::ES512 => curve("P-521", 66),
        Algorithm::EdDSA => {
            text("kty") == Some("OKP")
                && text("crv") == Some("Ed25519")
                && bytes("x").is_some_and(|point| point.len() == 32)
        }
        Algorithm::HS256 => secret(32),
        Algorithm::HS384 => secret(48),
        Algorithm::HS512 => secret(64),
        _ => {
            let exponent = bytes("e").is_some_and(|e| {
                e.last().is_some_and(|last| last % 2 == 1) && bits(&e) > 1 && bits(&e) <= 33
            });
            let modulus = bytes("n").is_some_and(|n| (2048..=8192).contains(&bits(&n)));
            text("kty") == Some("RSA") && exponent && modulus
        }
    };
    let id = jwk.get("kid").is_none_or(Value::is_string) && text("kid") == key.key_id();
    let public = text("kty") == Some("oct") || !jwk.contains_key("d");
    id && named && verifies && sized && public
}

/// The length of a number in bits.
fn bits(number: &[u8]) -> usize {
    let zeros: usize = number
        .iter()
        .scan(true, |leading, byte| {
            let zeros = byte.leading_zeros();
            std::mem::replace(leading, zeros == 8).then_some(zeros as usize)
        })
        .sum();
    number.len() * 8 - zeros
}
