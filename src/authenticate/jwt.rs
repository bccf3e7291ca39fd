use std::time::SystemTime;

use http::HeaderValue;

use super::{Authenticator, Credentials, Rejection};
use crate::context::UserContext;
use crate::jwt::Verifier;
use crate::metadata::Reserved;

/// Authenticates by the JWT in `authorization: Bearer …` (RFC 6750, section 2.1): the strategy of
/// the edge.
///
/// Identity metadata that the client brings along is dropped, unless
/// [`reject_forged_metadata`](Self::reject_forged_metadata) was asked for.
#[derive(Clone, Debug)]
pub struct JwtAuthenticator {
    verifier: Verifier,
    reject_forged_metadata: bool,
}

impl JwtAuthenticator {
    /// Accepts the tokens that this verifier accepts.
    pub fn new(verifier: Verifier) -> Self {
        Self { verifier, reject_forged_metadata: false }
    }

    /// Rejects requests that bring identity metadata of their own (`x-user-*`, `txn-token` and
    /// their aliases), in place of dropping it.
    ///
    /// Honest clients send none, so this shows an attack or a misconfigured client at once.
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

    /// By the verifier's clock.
    fn now(&self) -> SystemTime {
        self.verifier.now()
    }
}

/// The token of a `Bearer` credential: the scheme in any case, exactly one space, and no blank or
/// separator in what follows.
fn bearer(value: &HeaderValue) -> Option<&str> {
    let (scheme, token) = str::from_utf8(value.as_bytes()).ok()?.split_once(' ')?;
    // Looked at to the end rather than to the first, which takes many bytes at once.
    let strange = token.bytes().fold(0, |strange, byte| {
        strange | u8::from(!byte.is_ascii_graphic()) | u8::from(byte == b',')
    });
    let single = !token.is_empty() && strange == 0;
    (scheme.eq_ignore_ascii_case("bearer") && single).then_some(token)
}
