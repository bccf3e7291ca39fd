//! Tokens of an issuer are verified with its own keys only.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::json;
use tonic_passport::jwt::{Algorithm, Issuer, KeySet, TokenError, VerificationKey, Verifier};

use super::Edge;
use crate::support::token::{
    self, AUDIENCE, ISSUER, SigningKey, claims, claims_with, header, key, token_with,
};

fn issuer(name: &str, keys: &[&SigningKey]) -> Issuer {
    let keys = keys.iter().map(|key| VerificationKey::from_jwk(key.jwk().to_string()).unwrap());
    Issuer::new(name, KeySet::new(keys).unwrap()).audience(AUDIENCE)
}

#[tokio::test]
async fn one_key_id_under_two_issuers_is_two_keys() {
    let (name_a, name_b) = ("https://a.example", "https://b.example");
    let key_a = SigningKey::generate(Algorithm::ES256, "1");
    let key_b = SigningKey::generate(Algorithm::ES256, "1");
    let issuers = [issuer(name_a, &[&key_a]), issuer(name_b, &[&key_b])];
    let edge = Edge::start(Verifier::new(issuers).unwrap()).await;

    let of = |name: &str| claims_with(json!({ "iss": name }));
    edge.accepts("a by a", &key_a.token(&of(name_a))).await;
    edge.accepts("b by b", &key_b.token(&of(name_b))).await;
    edge.refuses("a by b", &key_b.token(&of(name_a)), TokenError::SignatureInvalid).await;
    edge.refuses("b by a", &key_a.token(&of(name_b)), TokenError::SignatureInvalid).await;
}

#[tokio::test]
async fn a_key_of_one_issuer_is_unknown_to_the_other() {
    let (name_a, name_b) = ("https://a.example", "https://b.example");
    let key_a = SigningKey::generate(Algorithm::ES256, "a");
    let key_b = SigningKey::generate(Algorithm::EdDSA, "b");
    let issuers = [issuer(name_a, &[&key_a]), issuer(name_b, &[&key_b])];
    let edge = Edge::start(Verifier::new(issuers).unwrap()).await;

    let token = key_a.token(&claims_with(json!({ "iss": name_b })));
    let error = TokenError::KeyUnknown { key_id: Some("a".to_owned()) };
    edge.refuses("b by a", &token, error).await;
}

#[tokio::test]
async fn one_issuers_audience_is_not_the_others() {
    let key = SigningKey::generate(Algorithm::ES256, "1");
    let billing = issuer("https://b.example", &[&key]).audience("billing");
    let edge = Edge::start(Verifier::new([issuer(ISSUER, &[&key]), billing]).unwrap()).await;

    let token = key.token(&claims_with(json!({ "aud": "billing" })));
    edge.refuses("another's audience", &token, TokenError::AudienceMismatch).await;
}

#[tokio::test]
async fn an_issuer_is_matched_by_its_exact_name() {
    let edge = Edge::start(token::verifier()).await;
    let names = [
        "https://id.example.com/",
        "https://id.example.co",
        "https://id.example.com.evil.example",
        "https://id.example.com/realms/shop",
        "https://ID.example.com",
        "HTTPS://id.example.com",
        "http://id.example.com",
        "id.example.com",
        "https://id.example.com:443",
        "https://id.example.com#",
        "https://user@id.example.com",
        " https://id.example.com",
        "https://id.example.com\0",
        "https://\u{456}d.example.com",
        "https://id.example.com\r\nx-user-id: admin",
    ];
    for name in names {
        let token = key().token(&claims_with(json!({ "iss": name })));
        let error = TokenError::UnknownIssuer { issuer: name.to_owned() };
        edge.refuses(name, &token, error).await;
    }
}

#[test]
fn a_foreign_issuer_is_shown_shortened_and_escaped() {
    let token = key().token(&claims_with(json!({ "iss": "\n".repeat(1000) })));
    let error = token::verifier().verify(&token).unwrap_err();
    assert_eq!(error, TokenError::UnknownIssuer { issuer: "\n".repeat(120) });
    assert!(!error.to_string().contains('\n'), "{error}");
}

#[tokio::test]
async fn a_token_without_a_key_id_is_verified_with_the_only_key_of_its_algorithm() {
    let [one, two] = ["1", "2"].map(|kid| SigningKey::generate(Algorithm::ES256, kid));
    let eddsa = SigningKey::generate(Algorithm::EdDSA, "3");
    let unnamed = |key: &SigningKey| {
        token_with(key, &json!({ "alg": key.algorithm().as_str() }), &claims("alice"))
    };

    let single = Edge::start(Verifier::new([issuer(ISSUER, &[&one, &eddsa])]).unwrap()).await;
    single.accepts("the only ES256", &unnamed(&one)).await;
    single.accepts("the only EdDSA", &unnamed(&eddsa)).await;
    single.refuses("another key", &unnamed(&two), TokenError::SignatureInvalid).await;

    let several = Edge::start(Verifier::new([issuer(ISSUER, &[&one, &two])]).unwrap()).await;
    let unknown = TokenError::KeyUnknown { key_id: None };
    several.refuses("one of two", &unnamed(&one), unknown).await;
}

#[tokio::test]
async fn a_key_without_an_id_verifies_tokens_that_match_no_other_key() {
    let named = SigningKey::generate(Algorithm::ES256, "named");
    let other = SigningKey::generate(Algorithm::ES256, "other");
    let unnamed = VerificationKey::from_pem(Algorithm::ES256, other.public_key_pem()).unwrap();
    let keys = [VerificationKey::from_jwk(named.jwk().to_string()).unwrap(), unnamed];
    let issuer = Issuer::new(ISSUER, KeySet::new(keys).unwrap()).audience(AUDIENCE);
    let edge = Edge::start(Verifier::new([issuer]).unwrap()).await;

    edge.accepts("named", &named.token(&claims("alice"))).await;
    edge.accepts("with an id of its own", &other.token(&claims("alice"))).await;
    edge.accepts("without id", &token_with(&other, &json!({ "alg": "ES256" }), &claims("alice")))
        .await;
    let posing = token_with(&other, &header(&named), &claims("alice"));
    edge.refuses("with the other's id", &posing, TokenError::SignatureInvalid).await;
}

#[test]
fn a_verified_token_has_its_issuer_key_id_and_expiry() {
    let token = key().token(&claims_with(json!({ "exp": 253_402_300_799_u64 })));
    let verified = token::verifier().verify(&token).unwrap();
    assert_eq!(verified.issuer(), ISSUER);
    assert_eq!(verified.key_id(), Some("es256"));
    assert_eq!(verified.expires_at(), UNIX_EPOCH + Duration::from_secs(253_402_300_799));
    assert_eq!(verified.context().id(), "alice");
    assert_eq!(verified.into_context().id(), "alice");
}
