//! Claims, in tokens that are valid otherwise.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Map, Number, Value};
use tonic_passport::jwt::{TokenError, VerifiedToken, Verifier};
use tonic_passport::{ContextError, UserContext};

use super::json;
use super::token::{
    AUDIENCES, ISSUER, KEY_ID, LEEWAY, MAX_LIFETIME, NOW, base64url, signature, verify,
};

const HEADER: &str = r#"{"alg":"HS256","typ":"at+jwt"}"#;

/// The end of the year 9999, in seconds.
const LATEST: f64 = 253_402_300_799.0;

/// Takes the input as the text of the claims, signed by the issuer.
pub fn holds(input: &[u8]) {
    let message = format!("{}.{}", base64url(HEADER), base64url(input));
    let token = format!("{message}.{}", base64url(signature(&message)));
    match (verify(&token), json::plain_object(input)) {
        (Err(TokenError::TooLong { max_size }), _) => {
            assert!(token.len() > max_size && max_size == Verifier::DEFAULT_MAX_TOKEN_SIZE);
        }
        (Err(TokenError::NotJson { .. }), None) => {}
        (Ok(token), Some(claims)) => assert_says(&token, &claims),
        (Err(error), Some(claims)) => assert_refusable(&claims, &error),
        (Ok(_), None) => panic!("not a strict object, but accepted"),
        (Err(error), None) => panic!("not a strict object, but {error}"),
    }
}

/// Asserts that these claims are acceptable, and that the token has their values.
pub fn assert_says(token: &VerifiedToken, claims: &Map<String, Value>) {
    assert!(is_acceptable(claims), "accepted: {claims:?}");
    let context = token.context();
    assert_eq!(token.issuer(), ISSUER);
    assert_eq!(token.key_id(), Some(KEY_ID));
    let expires_at = Duration::from_secs_f64(seconds(&claims["exp"]).unwrap_or_default());
    assert_eq!(token.expires_at(), UNIX_EPOCH + expires_at);
    assert_eq!(claims["sub"], context.id());
    assert_eq!(claims.get("email").and_then(Value::as_str), context.email());
    assert_eq!(claims.get("tenant_id").and_then(Value::as_str), context.attribute("tenant"));
    assert_eq!(context.attributes().count(), usize::from(context.attribute("tenant").is_some()));
    let roles = claims.get("realm_access").and_then(|realm| realm.get("roles"));
    let roles = roles.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    assert!(context.roles().eq(roles));
    let scope = claims.get("scope").and_then(Value::as_str).unwrap_or_default();
    assert_eq!(scope.replace(' ', ""), context.permissions().collect::<String>());
    assert!(context.permissions().all(|own| !own.contains(' ')));
}

/// Asserts that these claims may be refused with this error.
pub fn assert_refusable(claims: &Map<String, Value>, error: &TokenError) {
    if let TokenError::Context(ContextError::TooLarge { .. }) = error {
        // Percent-encoding triples a byte, and there are five keys.
        let most = 3 * Value::from(claims.clone()).to_string().len() + 5 * 64;
        assert!(most > UserContext::DEFAULT_MAX_SIZE, "{most} bytes are too many");
        return;
    }
    assert!(!is_acceptable(claims), "refused, as {error}: {claims:?}");
    let named = match error {
        TokenError::AudienceMismatch => claims.contains_key("aud"),
        TokenError::ClaimMissing { claim } => !claims.contains_key(*claim),
        // The last check: everything else must be valid.
        TokenError::Expired => {
            let mut fresh = claims.clone();
            fresh.insert("exp".to_owned(), NOW.into());
            fresh.insert("iat".to_owned(), NOW.into());
            is_acceptable(&fresh)
        }
        TokenError::UnknownIssuer { .. } => claims.get("iss") != Some(&ISSUER.into()),
        _ => true,
    };
    assert!(named, "refused, as {error}: {claims:?}");
}

/// All rules for the claims.
fn is_acceptable(claims: &Map<String, Value>) -> bool {
    claims.get("iss") == Some(&ISSUER.into())
        && claims.get("sub").is_some_and(is_value)
        && is_for_us(claims.get("aud"))
        && claims.get("jti").is_none_or(Value::is_string)
        && are_times(claims)
        && is_absent_or(claims.get("email"), is_value)
        && is_absent_or(claims.get("tenant_id"), is_value)
        && is_absent_or(claims.get("scope"), |scope| {
            scope.as_str().is_some_and(|scope| !scope.chars().any(char::is_control))
        })
        && is_absent_or(claims.get("realm_access"), |realm| {
            realm.as_object().is_some_and(|realm| {
                is_absent_or(realm.get("roles"), |roles| {
                    roles.as_array().is_some_and(|roles| roles.iter().all(is_value))
                })
            })
        })
}

fn is_absent_or(claim: Option<&Value>, good: impl Fn(&Value) -> bool) -> bool {
    claim.is_none_or(|value| value.is_null() || good(value))
}

/// Whether it is a string that can be a value of the context.
fn is_value(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty() && !text.chars().any(char::is_control))
}

fn is_for_us(audience: Option<&Value>) -> bool {
    let ours = |audience: &Value| AUDIENCES.iter().any(|own| audience == own);
    match audience {
        Some(Value::Array(audiences)) => {
            audiences.iter().all(Value::is_string) && audiences.iter().any(ours)
        }
        Some(audience) => ours(audience),
        None => false,
    }
}

fn are_times(claims: &Map<String, Value>) -> bool {
    let (now, leeway) = (f64::from(NOW), f64::from(LEEWAY));
    let [exp, iat] = ["exp", "iat"].map(|claim| claims.get(claim).and_then(seconds));
    let (Some(exp), Some(iat)) = (exp, iat) else {
        return false;
    };
    let not_before =
        claims.get("nbf").is_none_or(|nbf| seconds(nbf).is_some_and(|nbf| nbf <= now + leeway));
    now < exp + leeway && iat <= now + leeway && exp - iat <= f64::from(MAX_LIFETIME) && not_before
}

/// A time in whole seconds, if it is one. Rounding down keeps negative times negative.
fn seconds(value: &Value) -> Option<f64> {
    let seconds = value.as_number().and_then(Number::as_f64)?.floor();
    (0.0..=LATEST).contains(&seconds).then_some(seconds)
}
