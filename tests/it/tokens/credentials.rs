//! A caller with an invalid credential is never treated as anonymous.

use serde_json::json;
use tonic_passport::jwt::TokenError;

use super::{EXPIRED, Edge, INVALID, MALFORMED, MISSING, Told};
use crate::support::token::{
    self, base64url, claims, claims_with, good, header_with, key, now, token_with,
};

/// Values that are not a bearer token, each with the response to it.
fn bad_credentials() -> Vec<(&'static str, Vec<String>, Told)> {
    let token = good("alice");
    let bearer = format!("Bearer {token}");
    let expired = token::token("alice").expired().sign();
    let one = |case, value: String| (case, vec![value], MALFORMED);
    vec![
        one("empty", String::new()),
        one("another scheme", "Basic YWxpY2U6c2VjcmV0".to_owned()),
        one("another scheme's token", format!("DPoP {token}")),
        one("a longer scheme", format!("Bearers {token}")),
        one("the scheme alone", "Bearer".to_owned()),
        one("the scheme and a blank", "Bearer ".to_owned()),
        one("the token alone", token.clone()),
        one("two blanks", format!("Bearer  {token}")),
        one("a tab", format!("Bearer\t{token}")),
        one("a blank and a tab", format!("Bearer \t{token}")),
        one("a colon", format!("Bearer: {token}")),
        one("a blank in front", format!(" {bearer}")),
        one("a blank behind", format!("{bearer} ")),
        one("a tab behind", format!("{bearer}\t")),
        one("two tokens", format!("{bearer} {token}")),
        one("two credentials", format!("{bearer},{bearer}")),
        one("two credentials and a blank", format!("{bearer}, {bearer}")),
        one("a parameter", format!("{bearer}, scope=\"admin\"")),
        ("twice the same", vec![bearer.clone(), bearer.clone()], MALFORMED),
        ("good and bad", vec![bearer.clone(), "Bearer bad".to_owned()], MALFORMED),
        ("bad and good", vec!["Bearer bad".to_owned(), bearer.clone()], MALFORMED),
        ("two schemes", vec!["Basic YTpi".to_owned(), bearer.clone()], MALFORMED),
        ("empty and good", vec![String::new(), bearer], MALFORMED),
        ("quotes", vec![format!("Bearer \"{token}\"")], INVALID),
        ("no token at all", vec!["Bearer bad".to_owned()], INVALID),
        ("a changed token", vec![format!("Bearer {token}A")], INVALID),
        ("an expired token", vec![format!("Bearer {expired}")], EXPIRED),
    ]
}

#[tokio::test]
async fn a_bad_credential_is_refused() {
    let edge = Edge::start(token::verifier()).await;
    for (case, values, told) in bad_credentials() {
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        edge.turns_away(case, &values, told).await;
    }
}

#[tokio::test]
async fn a_bad_credential_is_refused_where_authentication_is_optional_too() {
    let edge = Edge::start_optional(token::verifier()).await;
    for (case, values, told) in bad_credentials() {
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        edge.turns_away(case, &values, told).await;
    }
}

#[tokio::test]
async fn no_credential_is_refused_unless_authentication_is_optional() {
    let edge = Edge::start(token::verifier()).await;
    edge.turns_away("nothing sent", &[], MISSING).await;

    let edge = Edge::start_optional(token::verifier()).await;
    assert_eq!(edge.call(&[]).await.unwrap(), "");
    let seen = edge.probe.take_one();
    assert_eq!((seen.user, seen.current), (None, None));
}

#[tokio::test]
async fn a_valid_credential_is_used_where_authentication_is_optional() {
    let edge = Edge::start_optional(token::verifier()).await;
    edge.accepts("good", &good("alice")).await;
}

#[tokio::test]
async fn a_public_method_ignores_credentials() {
    let edge = Edge::start_public(token::verifier()).await;
    let good = ("good", vec![format!("Bearer {}", good("alice"))], MISSING);
    for (case, values, _) in bad_credentials().into_iter().chain([good]) {
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        assert_eq!(edge.call(&values).await.unwrap(), "", "{case}");
        let seen = edge.probe.take_one();
        assert_eq!((seen.user, seen.current), (None, None), "{case}");
        assert!(!seen.metadata.contains_key("authorization"), "{case}");
    }
}

#[tokio::test]
async fn the_scheme_is_case_insensitive() {
    let edge = Edge::start(token::verifier()).await;
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        let user = edge.call(&[&format!("{scheme} {}", good("alice"))]).await;
        assert_eq!(user.unwrap(), "alice", "{scheme}");
        edge.probe.take_one();
    }
}

#[tokio::test]
async fn every_invalid_token_gets_the_same_response() {
    let edge = Edge::start(token::verifier()).await;
    let token = good("alice");
    let (message, _) = token.rsplit_once('.').unwrap();
    let with_header = |header| token_with(key(), &header_with(header), &claims("alice"));
    let with_claims = |changes| key().token(&claims_with(changes));
    let tokens = [
        ("not compact", "bad".to_owned()),
        ("too long", "A".repeat(9000)),
        ("a wrong signature", format!("{message}.{}", base64url([7; 64]))),
        ("an unknown key", with_header(json!({ "kid": "unknown" }))),
        ("another algorithm", with_header(json!({ "alg": "none" }))),
        ("another type", with_header(json!({ "typ": "dpop+jwt" }))),
        ("an unknown issuer", with_claims(json!({ "iss": "https://else.example" }))),
        ("another audience", with_claims(json!({ "aud": "billing" }))),
        ("not valid yet", with_claims(json!({ "nbf": now() + 300 }))),
        ("no such roles", with_claims(json!({ "roles": "admin" }))),
        ("an empty role", with_claims(json!({ "roles": [""] }))),
    ];
    let mut first = None;
    for (case, token) in tokens {
        let status = edge.call(&[&format!("Bearer {token}")]).await.expect_err(case);
        let mut metadata = status.metadata().clone().into_headers();
        metadata.remove("date");
        let told =
            (status.code(), status.message().to_owned(), status.details().to_vec(), metadata);
        assert_eq!(*first.get_or_insert_with(|| told.clone()), told, "{case}");
    }
}

#[test]
fn no_error_contains_a_part_of_the_token() {
    let verifier = token::verifier();
    let changed = format!("{}A", good("alice"));
    let expired = token::token("alice").expired().sign();
    let foreign = key().token(&claims_with(json!({ "iss": "https://else.example" })));
    for token in [changed, expired, foreign] {
        let error: TokenError = verifier.verify(&token).unwrap_err();
        let shown = format!("{error} {error:?}");
        for part in token.split('.') {
            assert!(!shown.contains(part), "{shown}");
        }
    }
}
