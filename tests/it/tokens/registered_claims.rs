//! Audience, times and subject of a token are checked.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};
use tonic_passport::jwt::{TokenError, Verifier};

use super::{EXPIRED, Edge, INVALID};
use crate::support::token::{
    self, ISSUER, claims_with, header, issuer, key, now, sign_raw, verifier, with_member,
};

/// An arbitrary time in seconds, for tests that set the clock.
const NOON: u64 = 1_800_000_000;

fn with(changes: Value) -> String {
    key().token(&claims_with(changes))
}

/// A token with this further claim, as JSON text.
fn with_raw(name: &str, value: &str) -> String {
    let claims = with_member(&claims_with(json!({ (name): null })), name, value);
    sign_raw(key(), header(key()).to_string(), claims)
}

fn invalid(claim: &str, problem: &'static str) -> TokenError {
    TokenError::ClaimInvalid { claim: claim.to_owned(), problem }
}

/// The result at this time for a token with these claims.
fn at(verifier: &Verifier, seconds: u64, claims: Value) -> Result<(), TokenError> {
    let time = UNIX_EPOCH + Duration::from_secs(seconds);
    verifier.verify_at(&with(claims), time).map(drop)
}

#[tokio::test]
async fn a_token_without_a_required_claim_is_refused() {
    let edge = Edge::start(verifier()).await;
    for claim in ["iss", "sub", "aud", "exp"] {
        let token = with(json!({ (claim): null }));
        edge.refuses(claim, &token, TokenError::ClaimMissing { claim }).await;
    }
}

#[tokio::test]
async fn issuer_and_subject_are_non_empty_strings() {
    let edge = Edge::start(verifier()).await;
    for claim in ["iss", "sub"] {
        edge.refuses(claim, &with_raw(claim, r#""""#), invalid(claim, "empty")).await;
        let array = json!([ISSUER]).to_string();
        for value in ["null", "1", "true", "[]", "{}", &array] {
            let case = format!("{claim}: {value}");
            let error = invalid(claim, "not a string");
            edge.refuses(&case, &with_raw(claim, value), error).await;
        }
    }
}

#[tokio::test]
async fn a_token_for_several_audiences_is_accepted_when_one_is_ours() {
    let edge = Edge::start(verifier()).await;
    for audience in [json!("shop"), json!(["shop"]), json!(["billing", "shop"])] {
        let case = audience.to_string();
        edge.accepts(&case, &with(json!({ "aud": audience }))).await;
    }
}

#[tokio::test]
async fn a_token_for_another_audience_is_refused() {
    let edge = Edge::start(verifier()).await;
    let others = [
        json!(""),
        json!("billing"),
        json!("SHOP"),
        json!("shop "),
        json!("shop2"),
        json!("sho"),
        json!("shop billing"),
        json!("shop,billing"),
        json!([]),
        json!(["billing", "SHOP"]),
    ];
    for audience in others {
        let case = audience.to_string();
        let token = with(json!({ "aud": audience }));
        edge.refuses(&case, &token, TokenError::AudienceMismatch).await;
    }
}

#[tokio::test]
async fn an_audience_of_another_type_is_refused() {
    let edge = Edge::start(verifier()).await;
    let not_texts = invalid("aud", "not an array of strings");
    for value in [r#"["shop",1]"#, r#"["shop",null]"#, r#"[["shop"]]"#, r#"[{"shop":1}]"#] {
        edge.refuses(value, &with_raw("aud", value), not_texts.clone()).await;
    }
    let neither = invalid("aud", "neither a string nor an array");
    for value in ["null", "1", "true", r#"{"shop":1}"#] {
        edge.refuses(value, &with_raw("aud", value), neither.clone()).await;
    }
}

#[tokio::test]
async fn a_time_is_a_number_up_to_the_year_9999() {
    let edge = Edge::start(verifier()).await;
    let soon = format!("\"{}\"", now() + 300);
    let values = [
        (&*soon, "not a number"),
        (r#""""#, "not a number"),
        ("null", "not a number"),
        ("true", "not a number"),
        ("{}", "not a number"),
        ("[9999999999]", "not a number"),
        ("-1", "negative"),
        ("-0.5", "negative"),
        ("-1e300", "negative"),
        ("-9223372036854775809", "negative"),
        ("253402300800", "beyond the year 9999"),
        ("1e18", "beyond the year 9999"),
        ("1e300", "beyond the year 9999"),
        ("18446744073709551615", "beyond the year 9999"),
        ("18446744073709551616", "beyond the year 9999"),
    ];
    for claim in ["exp", "nbf", "iat"] {
        for (value, problem) in values {
            let case = format!("{claim}: {value}");
            edge.refuses(&case, &with_raw(claim, value), invalid(claim, problem)).await;
        }
        for value in ["1e400", "NaN", "Infinity", "0x7fffffff", "01", "1_000"] {
            let case = format!("{claim}: {value}");
            let error = TokenError::NotJson { part: "claims" };
            edge.refuses(&case, &with_raw(claim, value), error).await;
        }
    }
}

#[tokio::test]
async fn a_time_may_have_a_fraction() {
    let edge = Edge::start(verifier()).await;
    edge.accepts("exp", &with_raw("exp", &format!("{}.5", now() + 300))).await;
    edge.accepts("nbf", &with_raw("nbf", &format!("{}.5", now() - 300))).await;
    edge.accepts("iat", &with_raw("iat", "1.7e9")).await;
}

#[tokio::test]
async fn expired_is_reported_only_for_tokens_that_are_valid_otherwise() {
    let edge = Edge::start(verifier()).await;
    let expired = |changes: Value| {
        let mut claims = claims_with(changes);
        claims["exp"] = json!(now() - 31);
        key().token(&claims)
    };
    let good = expired(json!({}));
    edge.refuses("good otherwise", &good, TokenError::Expired).await;
    edge.turns_away("good otherwise", &[&format!("Bearer {good}")], EXPIRED).await;

    let (message, _) = good.rsplit_once('.').unwrap();
    let forged = format!("{message}.{}", token::base64url([7; 64]));
    let elsewhere = TokenError::UnknownIssuer { issuer: "https://else.example".to_owned() };
    let bad = [
        ("forged", forged, TokenError::SignatureInvalid),
        ("foreign", expired(json!({ "iss": "https://else.example" })), elsewhere),
        ("for another", expired(json!({ "aud": "billing" })), TokenError::AudienceMismatch),
        ("not valid yet", expired(json!({ "nbf": now() + 300 })), TokenError::NotYetValid),
        ("not a user", expired(json!({ "roles": 1 })), invalid("roles", "not an array of strings")),
    ];
    for (case, token, error) in bad {
        edge.refuses(case, &token, error).await;
        edge.turns_away(case, &[&format!("Bearer {token}")], INVALID).await;
    }
}

#[tokio::test]
async fn a_token_from_the_future_is_refused() {
    let edge = Edge::start(verifier()).await;
    let ahead = now() + 300;
    edge.refuses("nbf", &with(json!({ "nbf": ahead })), TokenError::NotYetValid).await;
    edge.refuses("iat", &with(json!({ "iat": ahead })), TokenError::IssuedInFuture).await;
}

#[test]
fn a_token_expires_to_the_second() {
    let verifier = verifier();
    let claims = json!({ "exp": NOON, "iat": NOON - 300 });
    assert_eq!(at(&verifier, NOON + 29, claims.clone()), Ok(()));
    assert_eq!(at(&verifier, NOON + 30, claims), Err(TokenError::Expired));
}

#[test]
fn a_token_becomes_valid_to_the_second() {
    let verifier = verifier();
    let claims = |name: &str| json!({ "exp": NOON + 300, "iat": null, (name): NOON });
    assert_eq!(at(&verifier, NOON - 30, claims("nbf")), Ok(()));
    assert_eq!(at(&verifier, NOON - 31, claims("nbf")), Err(TokenError::NotYetValid));
    assert_eq!(at(&verifier, NOON - 30, claims("iat")), Ok(()));
    assert_eq!(at(&verifier, NOON - 31, claims("iat")), Err(TokenError::IssuedInFuture));
}

#[test]
fn without_leeway_times_are_exact() {
    let verifier = Verifier::new([issuer().leeway(Duration::ZERO)]).unwrap();
    let claims = json!({ "nbf": NOON, "iat": NOON, "exp": NOON + 1 });
    assert_eq!(at(&verifier, NOON - 1, claims.clone()), Err(TokenError::NotYetValid));
    assert_eq!(at(&verifier, NOON, claims.clone()), Ok(()));
    assert_eq!(at(&verifier, NOON + 1, claims), Err(TokenError::Expired));
}

#[test]
fn a_clock_before_1970_refuses_all_tokens() {
    let before = UNIX_EPOCH - Duration::from_secs(1);
    let answer = verifier().verify_at(&token::good("alice"), before);
    assert_eq!(answer.err(), Some(TokenError::Expired));
}

#[tokio::test]
async fn the_maximum_lifetime_is_enforced() {
    let limited = issuer().max_lifetime(Duration::from_secs(600));
    let edge = Edge::start(Verifier::new([limited]).unwrap()).await;
    let issued = now() - 10;
    let with_lifetime = |lifetime: u64| with(json!({ "iat": issued, "exp": issued + lifetime }));
    edge.accepts("at the limit", &with_lifetime(600)).await;
    edge.refuses("a second more", &with_lifetime(601), TokenError::LifetimeTooLong).await;
    let forever = with(json!({ "exp": 253_402_300_799_u64 }));
    edge.refuses("to the year 9999", &forever, TokenError::LifetimeTooLong).await;
    let unsaid = with(json!({ "iat": null }));
    edge.refuses("without iat", &unsaid, TokenError::ClaimMissing { claim: "iat" }).await;
}

#[tokio::test]
async fn claims_about_the_user_must_have_their_type() {
    let edge = Edge::start(verifier()).await;
    for claim in ["roles", "permissions"] {
        let not_texts = invalid(claim, "not an array of strings");
        for value in [r#""admin""#, "1", "true", "{}", r#"["buyer",1]"#, r#"[["admin"]]"#, "[null]"]
        {
            let case = format!("{claim}: {value}");
            edge.refuses(&case, &with_raw(claim, value), not_texts.clone()).await;
        }
    }
    for value in ["1", "true", "{}", "[]", r#"["alice@example.com"]"#] {
        let case = format!("email: {value}");
        edge.refuses(&case, &with_raw("email", value), invalid("email", "not a string")).await;
    }
}
