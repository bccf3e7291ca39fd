//! Authentication by a JSON Web Token.

use std::slice;

use http::header::{AUTHORIZATION, HeaderName};

use super::authenticator::{Authentication, Authenticator};
use super::credential_field::{CredentialField, CredentialFieldError, is_well_formed};
use super::credentials::Credentials;
use crate::context::UserContext;
use crate::jwt::Verifier;
use crate::metadata::Reserved;
use crate::rejection::Rejection;

/// Authenticator for a JWT: the strategy of the edge. The token is in `authorization: Bearer …`
/// (RFC 6750, section 2.1), or in another [field](Self::field).
///
/// - The user of a valid token is the caller.
/// - A request without the field is anonymous. Where authentication is required, it is rejected
///   with `TOKEN_MISSING`.
/// - An invalid credential is rejected even where authentication is optional: `TOKEN_MALFORMED` for
///   a field that is repeated or does not hold one token, and `TOKEN_INVALID`, `TOKEN_EXPIRED`,
///   `TOKEN_REVOKED` or `KEYS_UNAVAILABLE` for a token that the verifier refuses.
/// - Identity metadata that the client sent is stripped and logged as a warning, or
///   [rejected](Self::reject_forged_metadata).
#[derive(Clone, Debug)]
pub struct JwtAuthenticator {
    verifier: Verifier,
    field: CredentialField,
    reject_forged_metadata: bool,
}

impl JwtAuthenticator {
    /// Creates an authenticator that accepts the tokens that this verifier accepts.
    pub fn new(verifier: Verifier) -> Self {
        Self { verifier, field: CredentialField::bearer(), reject_forged_metadata: false }
    }

    /// Sets the field that holds the token. Tokens in other fields are ignored.
    ///
    /// ```
    /// use http::HeaderName;
    /// use tonic_passport::JwtAuthenticator;
    /// use tonic_passport::authenticate::CredentialField;
    /// # use tonic_passport::testing::TestIssuer;
    ///
    /// # let verifier = TestIssuer::new("https://id.example.com").verifier();
    /// // Behind Google's Identity-Aware Proxy.
    /// let assertion = HeaderName::from_static("x-goog-iap-jwt-assertion");
    /// let authenticator = JwtAuthenticator::new(verifier).field(CredentialField::new(assertion));
    /// # drop(authenticator);
    /// ```
    #[must_use]
    pub fn field(mut self, field: CredentialField) -> Self {
        self.field = field;
        self
    }

    /// Rejects requests that carry identity metadata (`x-user-*`, `txn-token` and their aliases),
    /// instead of stripping it.
    ///
    /// Clients have no reason to send these fields: a request with one is an attack or a bug.
    #[must_use]
    pub fn reject_forged_metadata(mut self) -> Self {
        self.reject_forged_metadata = true;
        self
    }

    fn verify(&self, credentials: &Credentials<'_>) -> Result<Option<UserContext>, Rejection> {
        if let Some(name) = find_forged(credentials) {
            tracing::warn!(%name, "identity metadata from a client");
            if self.reject_forged_metadata {
                return Err(Rejection::MetadataForged { name: name.clone() });
            }
        }
        let token = match self.field.locate(credentials) {
            Ok(Some(token)) => token,
            Ok(None) => return Ok(None),
            Err(error @ CredentialFieldError::NotPassed) => return Err(error.into()),
            Err(_) => return Err(Rejection::TokenMalformed),
        };
        match self.verifier.verify(token) {
            // The compact form has no character that a credential may not have.
            Ok(verified) => Ok(Some(verified.into_context())),
            Err(_) if !is_well_formed(token) => Err(Rejection::TokenMalformed),
            Err(error) => Err(error.into()),
        }
    }
}

/// Returns the name of identity metadata that a client sent.
fn find_forged<'a>(credentials: &Credentials<'a>) -> Option<&'a HeaderName> {
    credentials.iter().map(|(name, _)| name).find(|name| {
        Reserved::classify(name.as_str()).is_some_and(|kind| kind != Reserved::Credential)
    })
}

impl Authenticator for JwtAuthenticator {
    fn authenticate(&self, credentials: &Credentials<'_>) -> Authentication {
        self.verify(credentials).into()
    }

    fn credential_names(&self) -> &[HeaderName] {
        let name = self.field.name();
        if name == AUTHORIZATION { &[] } else { slice::from_ref(name) }
    }

    fn has_credential(&self, credentials: &Credentials<'_>) -> bool {
        // Forged metadata selects this strategy as well, so that `first_of` rejects it beside every
        // other credential.
        self.field.is_present(credentials)
            || (self.reject_forged_metadata && find_forged(credentials).is_some())
    }

    fn challenge(&self) -> Rejection {
        Rejection::TokenMissing
    }
}
