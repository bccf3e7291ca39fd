//! Checks of the registered claims (RFC 7519, section 4.1), including the validity times.

use std::time::{Duration, SystemTime};

use super::error::TokenError;
use super::issuer::Issuer;
use super::json::{Json, Object};
use super::time::to_unix_seconds;

/// The latest time that a token may contain, in seconds: the end of the year 9999.
const MAX_TIME: u64 = 253_402_300_799;

/// The times of a token, in seconds since 1970.
#[derive(Clone, Copy)]
pub(super) struct Times {
    pub(super) expires_at: u64,
    pub(super) issued_at: Option<u64>,
    not_before: Option<u64>,
}

/// The registered claims of a token, unchecked.
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
    pub(super) fn find(claims: &'a Object<'a>) -> Self {
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

    /// The latest time at which the token can have been issued, by this server's clock: `iat` and
    /// the leeway, as the issuer's clock may be behind. `None` without `iat`, and for claims that
    /// are refused with any signature.
    pub(super) fn latest_issue_time(&self, issuer: &Issuer, now: SystemTime) -> Option<u64> {
        self.subject().and(self.check_audience(issuer)).ok()?;
        let times = Times::read(issuer, self).ok()?;
        times.check_start(issuer.leeway, now).and(times.check_expiry(issuer.leeway, now)).ok()?;
        Some(times.issued_at?.saturating_add(issuer.leeway.as_secs()))
    }

    /// `jti`: optional, and a string. A token with another `jti` could not be revoked.
    pub(super) fn token_id(&self) -> Result<Option<String>, TokenError> {
        match self.jti {
            None => Ok(None),
            Some(Json::Text(id)) => Ok(Some(id.to_string())),
            Some(_) => Err(invalid("jti", "not a string")),
        }
    }

    /// Checks `aud`: a string, or an array of strings (RFC 7519, section 4.1.3).
    pub(super) fn check_audience(&self, issuer: &Issuer) -> Result<(), TokenError> {
        let is_accepted =
            |audience: &str| issuer.audiences.iter().any(|accepted| accepted == audience);
        let mut found = false;
        match self.aud {
            None => return Err(TokenError::ClaimMissing { claim: "aud" }),
            Some(Json::Text(audience)) => found = is_accepted(audience),
            Some(Json::Array(audiences)) => {
                for audience in audiences {
                    let audience = audience.as_str();
                    found |= is_accepted(
                        audience.ok_or_else(|| invalid("aud", "not an array of strings"))?,
                    );
                }
            }
            Some(_) => return Err(invalid("aud", "neither a string nor an array")),
        }
        if found { Ok(()) } else { Err(TokenError::AudienceMismatch) }
    }
}

impl Times {
    /// Reads `exp`, `iat` and `nbf`, and checks the maximum lifetime.
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

    /// Checks `nbf` and `iat`.
    pub(super) fn check_start(&self, leeway: Duration, now: SystemTime) -> Result<(), TokenError> {
        let latest = to_unix_seconds(now).saturating_add(leeway.as_secs());
        if self.not_before.is_some_and(|not_before| not_before > latest) {
            return Err(TokenError::NotYetValid);
        }
        if self.issued_at.is_some_and(|issued_at| issued_at > latest) {
            return Err(TokenError::IssuedInFuture);
        }
        Ok(())
    }

    /// Checks `exp`.
    pub(super) fn check_expiry(&self, leeway: Duration, now: SystemTime) -> Result<(), TokenError> {
        if to_unix_seconds(now) >= self.expires_at.saturating_add(leeway.as_secs()) {
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

/// Reads a `NumericDate` (RFC 7519, section 2) in whole seconds. Fractions are cut off.
fn numeric_date(value: Option<&Json<'_>>, claim: &'static str) -> Result<Option<u64>, TokenError> {
    let seconds = match value {
        None => return Ok(None),
        Some(Json::Unsigned(seconds)) => *seconds,
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is not negative; a value above u64::MAX saturates, and MAX_TIME is less"
        )]
        Some(Json::Number(seconds)) if *seconds >= 0.0 => *seconds as u64,
        Some(Json::Number(_)) => return Err(invalid(claim, "negative")),
        Some(_) => return Err(invalid(claim, "not a number")),
    };
    if seconds > MAX_TIME {
        return Err(invalid(claim, "beyond the year 9999"));
    }
    Ok(Some(seconds))
}

fn invalid(claim: &str, problem: &'static str) -> TokenError {
    TokenError::ClaimInvalid { claim: claim.to_owned(), problem }
}
