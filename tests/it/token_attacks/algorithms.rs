//! Algorithm confusion: each key is bound to one algorithm, and a token does not choose it (RFC
//! 8725, sections 2.1 and 3.1).

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};
use tonic_passport::jwt::{Algorithm, TokenError};

use super::{Attack, PARTNER_KEYS, alice, attack, header_parameter, mismatch, partners};
use crate::support::token::{SigningKey, base64url, key, key_for};

/// Unsigned tokens, with the algorithm `none` (RFC 7518, section 3.6; CVE-2018-1000531,
/// CVE-2022-23540).
pub(super) fn unsigned() -> Vec<Attack> {
    let unsigned = |alg: &str| alice().header("alg", alg).sign_with(|_| Vec::new());
    let mut attacks: Vec<_> = [
        ("none", "none"),
        // Implementations that compare one spelling and use another.
        ("None", "None"),
        ("NONE", "NONE"),
        ("nOnE", "nOnE"),
        ("none and a blank", "none "),
        ("none and NUL", "none\0"),
        ("none with a Cyrillic o", "n\u{43e}ne"),
        ("none in full-width letters", "\u{ff4e}\u{ff4f}\u{ff4e}\u{ff45}"),
        ("none after a comma", "ES256,none"),
        ("null in a string", "null"),
        ("no letter", ""),
    ]
    .map(|(name, alg)| {
        let name = format!("an unsigned token, alg is {name}");
        attack(name, unsigned(alg), mismatch(Algorithm::ES256))
    })
    .into();

    let nameless = alice().header("alg", "none").without_header("kid");
    let no_key = TokenError::KeyUnknown { key_id: None };
    let minimal = alice().raw_header(r#"{"alg":"none"}"#);
    let of_alg = |value: Value| alice().header("alg", value).sign();
    let in_capitals = alice().without_header("alg").header("ALG", "ES256").sign();
    attacks.extend([
        attack("alg none with a good signature", of_alg(json!("none")), mismatch(Algorithm::ES256)),
        attack("alg none without kid", nameless.sign_with(|_| Vec::new()), no_key.clone()),
        attack("alg none and nothing else", minimal.sign_with(|_| vec![0; 64]), no_key),
        attack("no alg", alice().without_header("alg").sign(), header_parameter("alg")),
        attack("alg in capitals", in_capitals, header_parameter("alg")),
        attack("alg null", of_alg(Value::Null), header_parameter("alg")),
        attack("alg false", of_alg(json!(false)), header_parameter("alg")),
        attack("alg 0", of_alg(json!(0)), header_parameter("alg")),
        attack("alg an array", of_alg(json!(["ES256"])), header_parameter("alg")),
        attack("alg an object", of_alg(json!({ "ES256": "none" })), header_parameter("alg")),
    ]);
    attacks
}

/// Public keys, in each form that a program may have them in, used as the secret of an HMAC
/// (CVE-2015-9235, CVE-2016-5431, CVE-2016-10555, CVE-2017-11424, CVE-2022-29217, CVE-2024-54150).
pub(super) fn public_keys_as_secrets() -> Vec<Attack> {
    let mut attacks = Vec::new();
    for algorithm in [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA] {
        let key = key_for(algorithm);
        for (form, secret) in forms(key) {
            let forged = SigningKey::hmac(Algorithm::HS256, key.key_id(), secret);
            attacks.push(attack(
                format!("HS256 with the {algorithm} key's {form}"),
                alice().signed_by(&forged).sign(),
                mismatch(algorithm),
            ));
        }
    }
    for hash in [Algorithm::HS384, Algorithm::HS512] {
        let rsa = key_for(Algorithm::RS256);
        let forged = SigningKey::hmac(hash, rsa.key_id(), rsa.public_key_pem());
        let token = alice().signed_by(&forged).sign();
        attacks.push(attack(
            format!("{hash} with the RS256 key's PEM"),
            token,
            mismatch(Algorithm::RS256),
        ));
    }

    // Without kid: the issuer has no secret that could be found.
    let pem = SigningKey::hmac(Algorithm::HS256, "", key().public_key_pem());
    let unnamed = alice().signed_by(&pem).without_header("kid").sign();
    let no_key = TokenError::KeyUnknown { key_id: None };
    attacks.push(attack("HS256 with a PEM and no kid", unnamed, no_key));

    // The partner has a secret, which is another one.
    let [public, secret] = &*PARTNER_KEYS;
    let guesses = [
        ("PEM", public.public_key_pem().into_bytes()),
        ("DER", public.public_key_der()),
        ("JWK", public.jwk().to_string().into_bytes()),
        ("kid", secret.key_id().as_bytes().to_vec()),
        // CVE-2019-20933: an unset secret was an empty one.
        ("emptiness", Vec::new()),
        ("ones", vec![0xff; 32]),
        ("most popular secret", b"secret".to_vec()),
        ("secret in base64url", base64url([7; 32]).into_bytes()),
    ];
    for (form, guess) in guesses {
        let forged = SigningKey::hmac(Algorithm::HS256, secret.key_id(), guess);
        let token = partners().signed_by(&forged).sign();
        let name = format!("HS256 with the partner's {form}");
        attacks.push(attack(name, token, TokenError::SignatureInvalid));
    }
    let forged = SigningKey::hmac(Algorithm::HS256, "", public.public_key_pem());
    let unnamed = partners().signed_by(&forged).without_header("kid").sign();
    attacks.push(attack(
        "HS256 with the partner's PEM and no kid",
        unnamed,
        TokenError::SignatureInvalid,
    ));
    attacks
}

/// The forms of a public key.
fn forms(key: &SigningKey) -> Vec<(&'static str, Vec<u8>)> {
    let (pem, der, jwk) = (key.public_key_pem(), key.public_key_der(), key.jwk());
    let body: String = pem.lines().filter(|line| !line.starts_with("--")).collect();
    let member = ["n", "x"].into_iter().find_map(|name| jwk[name].as_str()).unwrap();
    // RFC 7638, section 3: the required members in alphabetical order.
    let thumbprint = match key.algorithm() {
        Algorithm::EdDSA => json!({ "crv": "Ed25519", "kty": "OKP", "x": jwk["x"] }),
        Algorithm::ES256 => {
            json!({ "crv": "P-256", "kty": "EC", "x": jwk["x"], "y": jwk["y"] })
        }
        _ => json!({ "e": jwk["e"], "kty": "RSA", "n": jwk["n"] }),
    };
    let thumbprint = digest(&SHA256, thumbprint.to_string().as_bytes());
    // A SubjectPublicKeyInfo begins with the algorithm.
    let about = match key.algorithm() {
        Algorithm::EdDSA => 12,
        Algorithm::ES256 => 26,
        _ => 24,
    };
    vec![
        ("PEM", pem.clone().into()),
        ("PEM, trimmed", pem.trim_end().into()),
        ("PEM and a newline more", format!("{pem}\n").into()),
        ("PEM with CRLF", pem.replace('\n', "\r\n").into()),
        ("PEM on one line", pem.replace('\n', "").into()),
        ("PEM with escaped newlines", pem.replace('\n', r"\n").into()),
        ("PEM in base64url", base64url(&pem).into()),
        ("PEM without its label", body.into()),
        ("DER", der.clone()),
        ("DER without its frame", der[about..].to_vec()),
        ("JWK", jwk.to_string().into()),
        ("JWK with white space", format!("{jwk:#}").into()),
        ("JWK in a set", json!({ "keys": [jwk] }).to_string().into()),
        ("JWK's first number", member.into()),
        ("thumbprint", base64url(thumbprint).into()),
    ]
}

pub(super) fn other_algorithms() -> Vec<Attack> {
    let mut attacks = Vec::new();
    // The issuer's key signs with another scheme, and alg names that scheme, or not.
    for (own, used) in [
        (Algorithm::RS256, Algorithm::PS256),
        (Algorithm::PS256, Algorithm::RS256),
        (Algorithm::PS512, Algorithm::RS256),
        (Algorithm::RS512, Algorithm::RS256),
        (Algorithm::PS256, Algorithm::PS384),
    ] {
        let turned = alice().signed_by(&key_for(own).with_algorithm(used));
        let name = format!("{used} with the {own} key");
        attacks.push(attack(&name, turned.clone().sign(), mismatch(own)));
        let silent = turned.header("alg", own.as_str()).sign();
        attacks.push(attack(format!("{name}, in silence"), silent, TokenError::SignatureInvalid));
    }
    // The id of one key and the algorithm of another, signed with the other.
    for (named, signs) in [
        (Algorithm::ES256, Algorithm::ES384),
        (Algorithm::ES384, Algorithm::ES256),
        (Algorithm::ES256, Algorithm::EdDSA),
        (Algorithm::EdDSA, Algorithm::ES256),
        (Algorithm::RS256, Algorithm::ES256),
        (Algorithm::ES512, Algorithm::RS512),
    ] {
        let crossed = alice().signed_by(key_for(signs)).header("kid", key_for(named).key_id());
        let name = format!("{signs} under the id of the {named} key");
        attacks.push(attack(&name, crossed.clone().sign(), mismatch(named)));
        let silent = crossed.header("alg", named.as_str()).sign();
        attacks.push(attack(format!("{name}, in silence"), silent, TokenError::SignatureInvalid));
    }
    for alg in [
        "es256",
        "ES256 ",
        "ES256\0",
        "ES256K",
        "Ed25519",
        "Ed448",
        // SHA-1, and the names of other standards.
        "RS1",
        "SHA256withECDSA",
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
        "1.2.840.10045.4.3.2",
        // RFC 7518, section 4: encryption algorithms. The last makes an implementation hash for
        // minutes (CVE-2022-36083, CVE-2023-52428).
        "dir",
        "RSA-OAEP",
        "PBES2-HS512+A256KW",
    ] {
        let token = alice().header("alg", alg).header("p2c", i32::MAX).sign();
        attacks.push(attack(format!("alg {alg:?}"), token, mismatch(Algorithm::ES256)));
    }

    let [_, secret] = &*PARTNER_KEYS;
    let longer = SigningKey::hmac(Algorithm::HS512, secret.key_id(), [7; 32]);
    let by_secret = partners().signed_by(&longer).sign();
    attacks.push(attack("HS512 with the HS256 secret", by_secret, mismatch(Algorithm::HS256)));
    attacks
}
