//! Authentication with a JWT: the strategy of the edge.

use std::time::SystemTime;

use http::HeaderValue;

use super::{Authenticator, Credentials, Rejection};
use crate::context::UserContext;
use crate::jwt::Verifier;
use crate::metadata::Reserved;

/// Authenticator for the JWT in `authorization: Bearer …` (RFC 6750, section 2.1): the strategy of
/// the edge.
///
/// - The user of a valid token is the caller.
/// - A request without `authorization` has no caller. Where one is required, it is rejected with
///   `TOKEN_MISSING`.
/// - An invalid credential is rejected even where authentication is optional: `TOKEN_MALFORMED` for
///   an `authorization` that is repeated or not a bearer token, and `TOKEN_INVALID`,
///   `TOKEN_EXPIRED`, `TOKEN_REVOKED` or `KEYS_UNAVAILABLE` for a token that the verifier refuses.
/// - Identity metadata that the client sent is stripped and logged as a warning, or
///   [rejected](Self::reject_forged_metadata).
#[derive(Clone, Debug)]
pub struct JwtAuthenticator {
    verifier: Verifier,
    reject_forged_metadata: bool,
}

impl JwtAuthenticator {
    /// Creates an authenticator that accepts the tokens that this verifier accepts.
    pub fn new(verifier: Verifier) -> Self {
        Self { verifier, reject_forged_metadata: false }
    }

    /// Rejects requests with identity metadata of the client (`x-user-*`, `txn-token` and their
    /// aliases), instead of stripping it.
    ///
    /// Legitimate clients send none, so that such a request is an attack or a misconfiguration.
    #[must_use]
    pub fn reject_forged_metadata(mut self) -> Self {
        self.reject_forged_metadata = true;
        self
    }
}

impl Authenticator for JwtAuthenticator {
    fn authenticate(
        &self,
        credentials: &Credentials<'_>,
    ) -> Result<Option<UserContext>, Rejection> {
        let forged = credentials.iter().map(|(name, _)| name).find(|name| {
            Reserved::classify(name.as_str()).is_some_and(|kind| kind != Reserved::Credential)
        });
        if let Some(name) = forged {
            tracing::warn!(%name, "identity metadata from a client");
            if self.reject_forged_metadata {
                return Err(Rejection::Forged { name: name.clone() });
            }
        }

        let mut values = credentials.get_all("authorization");
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => {
                let token = bearer(value).ok_or(Rejection::TokenMalformed)?;
                Ok(Some(self.verifier.verify(token)?.into_context()))
            }
            (Some(_), Some(_)) => Err(Rejection::TokenMalformed),
        }
    }

    fn challenge(&self) -> Rejection {
        Rejection::TokenMissing
    }

    /// The current time of the verifier's clock.
    fn now(&self) -> SystemTime {
        self.verifier.now()
    }
}

/// The token of a `Bearer` credential: the scheme in any case, exactly one space, and a token of
/// visible ASCII characters without commas.
fn bearer(value: &HeaderValue) -> Option<&str> {
    let (scheme, token) = str::from_utf8(value.as_bytes()).ok()?.split_once(' ')?;
    // Without an early exit, so that the compiler can vectorize the loop.
    let strange = token.bytes().fold(0, |strange, byte| {
        strange | u8::from(!byte.is_ascii_graphic()) | u8::from(byte == b',')
    });
    let single = !token.is_empty() && strange == 0;
    (scheme.eq_ignore_ascii_case("bearer") && single).then_some(token)
}
