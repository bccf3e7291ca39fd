//! Each key is bound to one algorithm, whatever the header of a token says.

use serde_json::{Value, json};
use tonic_passport::jwt::{Algorithm, Issuer, KeySet, TokenError, VerificationKey, Verifier};

use super::Edge;
use crate::support::token::{
    self, AUDIENCE, ISSUER, KEYS, SigningKey, claims, header, header_with, key_for, sign_by,
    sign_raw, token_with, with_member,
};

fn mismatch(expected: Algorithm) -> TokenError {
    TokenError::AlgorithmMismatch { expected: expected.as_str() }
}

fn hs256() -> SigningKey {
    SigningKey::hmac(Algorithm::HS256, "hs256", [7; 32])
}

#[tokio::test]
async fn a_token_of_every_public_algorithm_is_accepted() {
    let edge = Edge::start(token::verifier()).await;
    for key in KEYS.iter() {
        edge.accepts(key.key_id(), &key.token(&claims("alice"))).await;
    }
}

#[tokio::test]
async fn ed25519_has_two_names() {
    let key = token::key_for(Algorithm::EdDSA);
    let renamed = with_alg(key.jwk(), "Ed25519");
    for jwk in [key.jwk(), renamed] {
        let key_of_issuer = VerificationKey::from_jwk(jwk.to_string()).unwrap();
        assert_eq!(key_of_issuer.algorithm(), Algorithm::EdDSA);
        let issuer = Issuer::new(token::ISSUER, key_of_issuer).audience(token::AUDIENCE);
        let edge = Edge::start(Verifier::new([issuer]).unwrap()).await;
        for header in [header(key), with_alg(header(key), "Ed25519")] {
            let token = token_with(key, &header, &token::claims("alice"));
            edge.accepts(&header.to_string(), &token).await;
        }
    }
}

fn with_alg(mut object: Value, alg: &str) -> Value {
    object["alg"] = alg.into();
    object
}

#[tokio::test]
async fn a_token_of_every_symmetric_algorithm_is_accepted() {
    let keys = [
        hs256(),
        SigningKey::hmac(Algorithm::HS384, "hs384", [8; 48]),
        SigningKey::hmac(Algorithm::HS512, "hs512", [9; 64]),
    ];
    let loaded = keys.iter().map(|key| VerificationKey::from_jwk(key.jwk().to_string()).unwrap());
    let issuer = Issuer::new(ISSUER, KeySet::new(loaded).unwrap()).audience(AUDIENCE);
    let edge = Edge::start(Verifier::new([issuer]).unwrap()).await;
    for key in keys {
        edge.accepts(key.key_id(), &key.token(&claims("alice"))).await;
    }
}

#[tokio::test]
async fn an_unsigned_token_is_refused_in_every_spelling_of_none() {
    let edge = Edge::start(token::verifier()).await;
    for alg in ["none", "None", "NONE", "nOnE", "none ", "", "null"] {
        let signed =
            token_with(token::key(), &header_with(json!({ "alg": alg })), &claims("alice"));
        let (message, _) = signed.rsplit_once('.').unwrap();
        let case = format!("{alg:?} with a signature");
        edge.refuses(&case, &signed, mismatch(Algorithm::ES256)).await;
        let case = format!("{alg:?} without a signature");
        edge.refuses(&case, &format!("{message}."), mismatch(Algorithm::ES256)).await;

        let header = json!({ "alg": alg });
        let unsigned = sign_by(header.to_string(), claims("alice").to_string(), |_| Vec::new());
        let case = format!("{alg:?} without a kid");
        edge.refuses(&case, &unsigned, TokenError::KeyUnknown { key_id: None }).await;
    }
}

#[tokio::test]
async fn a_public_key_is_never_used_as_a_secret() {
    let keys = [
        key_for(Algorithm::RS256).jwk(),
        key_for(Algorithm::ES256).jwk(),
        key_for(Algorithm::EdDSA).jwk(),
        hs256().jwk(),
    ];
    let keys = keys.map(|jwk| VerificationKey::from_jwk(jwk.to_string()).unwrap());
    let with_secret = Issuer::new(ISSUER, KeySet::new(keys).unwrap()).audience(AUDIENCE);
    let edges = [
        ("public keys only", Edge::start(token::verifier()).await),
        ("a secret, too", Edge::start(Verifier::new([with_secret]).unwrap()).await),
    ];

    for algorithm in [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA] {
        let key = key_for(algorithm);
        let secrets = [
            ("PEM", key.public_key_pem().into_bytes()),
            ("PEM without its last newline", key.public_key_pem().trim_end().into()),
            ("PEM on one line", key.public_key_pem().replace('\n', "").into()),
            ("DER", key.public_key_der()),
            ("JWK", key.jwk().to_string().into_bytes()),
            ("JWK with white space", format!("{:#}", key.jwk()).into_bytes()),
            ("JWKS", token::jwks()),
            ("nothing", Vec::new()),
        ];
        for (form, secret) in secrets {
            let forged = SigningKey::hmac(Algorithm::HS256, key.key_id(), &secret);
            let named = forged.token(&claims("alice"));
            let unnamed = token_with(&forged, &json!({ "alg": "HS256" }), &claims("alice"));
            for (issuer, edge) in &edges {
                let case = format!("{algorithm} key as {form}, {issuer}");
                edge.refuses(&case, &named, mismatch(algorithm)).await;
            }
            let case = format!("{algorithm} key as {form}, without a kid");
            let unknown = TokenError::KeyUnknown { key_id: None };
            edges[0].1.refuses(&case, &unnamed, unknown).await;
            edges[1].1.refuses(&case, &unnamed, TokenError::SignatureInvalid).await;
        }
    }
}

#[tokio::test]
async fn a_key_of_one_algorithm_verifies_no_other() {
    let edge = Edge::start(token::verifier()).await;
    let cases = [
        (Algorithm::PS512, Algorithm::RS256),
        (Algorithm::PS256, Algorithm::RS256),
        (Algorithm::RS256, Algorithm::RS384),
        (Algorithm::RS256, Algorithm::PS256),
        (Algorithm::PS256, Algorithm::PS384),
    ];
    for (of_key, claimed) in cases {
        let turned = key_for(of_key).with_algorithm(claimed);
        let token = token::token("alice").signed_by(&turned);
        let case = format!("a {of_key} key signs as {claimed}, and says so");
        edge.refuses(&case, &token.clone().sign(), mismatch(of_key)).await;
        let case = format!("a {of_key} key signs as {claimed}, and says {of_key}");
        let silent = token.header("alg", of_key.as_str()).sign();
        edge.refuses(&case, &silent, TokenError::SignatureInvalid).await;
    }
}

#[tokio::test]
async fn an_algorithm_other_than_that_of_the_named_key_is_refused() {
    let edge = Edge::start(token::verifier()).await;
    for alg in ["EdDSA", "ES384", "RS256", "HS256", "ES256K", "es256", "ES256 ", "Ed25519"] {
        let header = header_with(json!({ "alg": alg }));
        for key in KEYS.iter() {
            let case = format!("{alg} signed by {}", key.key_id());
            let token = token_with(key, &header, &claims("alice"));
            edge.refuses(&case, &token, mismatch(Algorithm::ES256)).await;
        }
    }
}

#[tokio::test]
async fn an_algorithm_that_is_missing_or_not_a_string_is_refused() {
    let edge = Edge::start(token::verifier()).await;
    let without = header_with(json!({ "alg": null }));
    let headers = [
        ("missing", without.to_string()),
        ("null", with_member(&without, "alg", "null")),
        ("a number", with_member(&without, "alg", "256")),
        ("an array", with_member(&without, "alg", r#"["ES256"]"#)),
        ("an object", with_member(&without, "alg", r#"{"ES256":1}"#)),
        ("under another name", with_member(&without, "ALG", r#""ES256""#)),
    ];
    for (case, header) in headers {
        let token = sign_raw(token::key(), header, claims("alice").to_string());
        edge.refuses(case, &token, TokenError::HeaderParameter { name: "alg" }).await;
    }
}
