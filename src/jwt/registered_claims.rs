//! The rules for the registered claims (RFC 7519, section 4.1), and for when a token counts.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

use super::error::TokenError;
use super::issuer::Issuer;

/// The latest time that a token may name, in seconds: the end of the year 9999.
const LATEST: u64 = 253_402_300_799;

/// The times of a token, in seconds since 1970.
#[derive(Clone, Copy)]
pub(super) struct Times {
    pub(super) expires_at: u64,
    pub(super) issued_at: Option<u64>,
    not_before: Option<u64>,
}

impl Times {
    /// Reads `exp`, `iat` and `nbf`. What can be told of them without knowing the time is checked.
    pub(super) fn read(issuer: &Issuer, claims: &Map<String, Value>) -> Result<Self, TokenError> {
        let missing = |claim| TokenError::ClaimMissing { claim };
        let expires_at = numeric_date(claims, "exp")?.ok_or_else(|| missing("exp"))?;
        let issued_at = numeric_date(claims, "iat")?;
        let not_before = numeric_date(claims, "nbf")?;
        if let Some(max_lifetime) = issuer.max_lifetime {
            let issued_at = issued_at.ok_or_else(|| missing("iat"))?;
            if expires_at.saturating_sub(issued_at) > max_lifetime.as_secs() {
                return Err(TokenError::LifetimeTooLong);
            }
        }
        Ok(Self { expires_at, issued_at, not_before })
    }

    /// Checks all but the expiry.
    pub(super) fn check(&self, leeway: Duration, now: SystemTime) -> Result<(), TokenError> {
        let latest = seconds(now).saturating_add(leeway.as_secs());
        if self.not_before.is_some_and(|not_before| not_before > latest) {
            return Err(TokenError::NotYetValid);
        }
        if self.issued_at.is_some_and(|issued_at| issued_at > latest) {
            return Err(TokenError::IssuedInFuture);
        }
        Ok(())
    }

    /// Checks the expiry.
    pub(super) fn check_expiry(&self, leeway: Duration, now: SystemTime) -> Result<(), TokenError> {
        if seconds(now) >= self.expires_at.saturating_add(leeway.as_secs()) {
            return Err(TokenError::Expired);
        }
        Ok(())
    }
}

pub(super) fn required_text<'a>(
    claims: &'a Map<String, Value>,
    claim: &'static str,
) -> Result<&'a str, TokenError> {
    match claims.get(claim) {
        None => Err(TokenError::ClaimMissing { claim }),
        Some(Value::String(text)) if !text.is_empty() => Ok(text),
        Some(Value::String(_)) => Err(invalid(claim, "empty")),
        Some(_) => Err(invalid(claim, "not a string")),
    }
}

/// `jti` is a string where it is there. One that is not could not be revoked.
pub(super) fn token_id(claims: &Map<String, Value>) -> Result<Option<String>, TokenError> {
    match claims.get("jti") {
        None => Ok(None),
        Some(Value::String(id)) => Ok(Some(id.clone())),
        Some(_) => Err(invalid("jti", "not a string")),
    }
}

/// `aud` is a string, or an array of strings (RFC 7519, section 4.1.3).
pub(super) fn check_audience(
    issuer: &Issuer,
    claims: &Map<String, Value>,
) -> Result<(), TokenError> {
    let ours = |audience: &str| issuer.audiences.iter().any(|own| own == audience);
    let found = match claims.get("aud") {
        None => return Err(TokenError::ClaimMissing { claim: "aud" }),
        Some(Value::String(audience)) => ours(audience),
        Some(Value::Array(audiences)) => {
            let names: Option<Vec<&str>> = audiences.iter().map(Value::as_str).collect();
            let names = names.ok_or_else(|| invalid("aud", "not an array of strings"))?;
            names.into_iter().any(ours)
        }
        Some(_) => return Err(invalid("aud", "neither a string nor an array")),
    };
    if found { Ok(()) } else { Err(TokenError::AudienceMismatch) }
}

/// A `NumericDate` (RFC 7519, section 2), in whole seconds: fractions are cut off.
fn numeric_date(
    claims: &Map<String, Value>,
    claim: &'static str,
) -> Result<Option<u64>, TokenError> {
    let Some(value) = claims.get(claim) else {
        return Ok(None);
    };
    let Value::Number(number) = value else {
        return Err(invalid(claim, "not a number"));
    };
    let seconds = match (number.as_u64(), number.as_f64()) {
        (Some(seconds), _) => seconds,
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative, and a value beyond u64 saturates, which the limit refuses"
        )]
        (None, Some(seconds)) if seconds >= 0.0 => seconds as u64,
        _ => return Err(invalid(claim, "negative")),
    };
    if seconds > LATEST {
        return Err(invalid(claim, "beyond the year 9999"));
    }
    Ok(Some(seconds))
}

fn invalid(claim: &str, problem: &'static str) -> TokenError {
    TokenError::ClaimInvalid { claim: claim.to_owned(), problem }
}

/// A clock before 1970 is broken: every token then counts as expired.
pub(super) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(u64::MAX, |since| since.as_secs())
}
