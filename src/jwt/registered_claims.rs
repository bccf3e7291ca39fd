//! The rules for the registered claims (RFC 7519, section 4.1), and for when a token counts.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::error::TokenError;
use super::issuer::Issuer;
use super::json::{Json, Object};

/// The latest time that a token may name, in seconds: the end of the year 9999.
const LATEST: u64 = 253_402_300_799;

/// The times of a token, in seconds since 1970.
#[derive(Clone, Copy)]
pub(super) struct Times {
    pub(super) expires_at: u64,
    pub(super) issued_at: Option<u64>,
    not_before: Option<u64>,
}

/// The registered claims of a token, as they are.
#[derive(Default)]
pub(super) struct RegisteredClaims<'a> {
    aud: Option<&'a Json<'a>>,
    exp: Option<&'a Json<'a>>,
    iat: Option<&'a Json<'a>>,
    iss: Option<&'a Json<'a>>,
    jti: Option<&'a Json<'a>>,
    nbf: Option<&'a Json<'a>>,
    sub: Option<&'a Json<'a>>,
}

impl<'a> RegisteredClaims<'a> {
    pub(super) fn of(claims: &'a Object<'a>) -> Self {
        let mut found = Self::default();
        for (name, value) in claims.members() {
            let claim = match name {
                "aud" => &mut found.aud,
                "exp" => &mut found.exp,
                "iat" => &mut found.iat,
                "iss" => &mut found.iss,
                "jti" => &mut found.jti,
                "nbf" => &mut found.nbf,
                "sub" => &mut found.sub,
                _ => continue,
            };
            *claim = Some(value);
        }
        found
    }

    pub(super) fn issuer(&self) -> Result<&'a str, TokenError> {
        required_text(self.iss, "iss")
    }

    pub(super) fn subject(&self) -> Result<&'a str, TokenError> {
        required_text(self.sub, "sub")
    }

    /// When the token was issued at the latest, by our clock, as the issuer's may be behind; `None`
    /// when it does not say, or the claims are refused in any case.
    pub(super) fn issued_by(&self, issuer: &Issuer, now: SystemTime) -> Option<u64> {
        self.subject().and(self.check_audience(issuer)).ok()?;
        let times = Times::read(issuer, self).ok()?;
        times.check(issuer.leeway, now).and(times.check_expiry(issuer.leeway, now)).ok()?;
        Some(times.issued_at?.saturating_add(issuer.leeway.as_secs()))
    }

    /// `jti` is a string where it is there. One that is not could not be revoked.
    pub(super) fn token_id(&self) -> Result<Option<String>, TokenError> {
        match self.jti {
            None => Ok(None),
            Some(Json::Text(id)) => Ok(Some(id.to_string())),
            Some(_) => Err(invalid("jti", "not a string")),
        }
    }

    /// `aud` is a string, or an array of strings (RFC 7519, section 4.1.3).
    pub(super) fn check_audience(&self, issuer: &Issuer) -> Result<(), TokenError> {
        let ours = |audience: &str| issuer.audiences.iter().any(|own| own == audience);
        let mut found = false;
        match self.aud {
            None => return Err(TokenError::ClaimMissing { claim: "aud" }),
            Some(Json::Text(audience)) => found = ours(audience),
            Some(Json::Array(audiences)) => {
                for audience in audiences {
                    let audience = audience.as_str();
                    found |=
                        ours(audience.ok_or_else(|| invalid("aud", "not an array of strings"))?);
                }
            }
            Some(_) => return Err(invalid("aud", "neither a string nor an array")),
        }
        if found { Ok(()) } else { Err(TokenError::AudienceMismatch) }
    }
}

impl Times {
    /// Reads `exp`, `iat` and `nbf`. What can be told of them without knowing the time is checked.
    pub(super) fn read(issuer: &Issuer, claims: &RegisteredClaims<'_>) -> Result<Self, TokenError> {
        let missing = |claim| TokenError::ClaimMissing { claim };
        let expires_at = numeric_date(claims.exp, "exp")?.ok_or_else(|| missing("exp"))?;
        let issued_at = numeric_date(claims.iat, "iat")?;
        let not_before = numeric_date(claims.nbf, "nbf")?;
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

fn required_text<'a>(
    value: Option<&'a Json<'_>>,
    claim: &'static str,
) -> Result<&'a str, TokenError> {
    match value {
        None => Err(TokenError::ClaimMissing { claim }),
        Some(Json::Text(text)) if !text.is_empty() => Ok(text),
        Some(Json::Text(_)) => Err(invalid(claim, "empty")),
        Some(_) => Err(invalid(claim, "not a string")),
    }
}

/// A `NumericDate` (RFC 7519, section 2), in whole seconds: fractions are cut off.
fn numeric_date(value: Option<&Json<'_>>, claim: &'static str) -> Result<Option<u64>, TokenError> {
    let seconds = match value {
        None => return Ok(None),
        Some(Json::Unsigned(seconds)) => *seconds,
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative, and a value beyond u64 saturates, which the limit refuses"
        )]
        Some(Json::Number(seconds)) if *seconds >= 0.0 => *seconds as u64,
        Some(Json::Number(_)) => return Err(invalid(claim, "negative")),
        Some(_) => return Err(invalid(claim, "not a number")),
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

pub(super) fn time(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}
