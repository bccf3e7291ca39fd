//! The field that holds a credential.

use http::header::{AUTHORIZATION, HeaderName, HeaderValue};

use super::credentials::Credentials;
use crate::rejection::Rejection;

/// Field of a request that holds a credential, with or without an authentication scheme before it
/// (RFC 9110, section 11.4).
///
/// ```
/// use http::HeaderName;
/// use tonic_passport::authenticate::CredentialField;
///
/// // authorization: Bearer eyJhbGciOi…
/// let bearer = CredentialField::bearer();
/// // authorization: ApiKey 3f8c
/// let api_key = CredentialField::authorization("ApiKey");
/// // x-api-key: 3f8c
/// let own_field = CredentialField::new(HeaderName::from_static("x-api-key"));
/// # drop((bearer, api_key, own_field));
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CredentialField {
    name: HeaderName,
    scheme: Option<String>,
}

/// Why a [`CredentialField`] does not hold exactly one credential.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialFieldError {
    /// The field has another scheme, or does not hold exactly one credential.
    #[error("the field does not hold one credential of the expected scheme")]
    Malformed,

    /// The field is repeated.
    #[error("the field is repeated")]
    Repeated,
}

impl CredentialField {
    /// Field with this name, whose value is the credential without a scheme.
    pub fn new(name: HeaderName) -> Self {
        Self { name, scheme: None }
    }

    /// The field `authorization` with this scheme.
    pub fn authorization(scheme: impl Into<String>) -> Self {
        Self::new(AUTHORIZATION).scheme(scheme)
    }

    /// The field `authorization` with the scheme `Bearer` (RFC 6750, section 2.1).
    pub fn bearer() -> Self {
        Self::authorization("Bearer")
    }

    /// Requires this scheme and one space before the credential. Schemes are compared without
    /// regard to case.
    #[must_use]
    pub fn scheme(mut self, scheme: impl Into<String>) -> Self {
        self.scheme = Some(scheme.into());
        self
    }

    /// The field's name.
    pub fn name(&self) -> &HeaderName {
        &self.name
    }

    /// Whether the request carries a credential in this field, valid or not. A field with another
    /// scheme does not count: it may be for another strategy.
    pub fn is_present(&self, credentials: &Credentials<'_>) -> bool {
        credentials.get_all(self.name.as_str()).any(|value| self.has_scheme(value))
    }

    /// Returns the credential; `None` when the field is absent.
    ///
    /// # Errors
    ///
    /// A [`CredentialFieldError`] when the field is present and does not hold exactly one credential
    /// of the scheme. A credential is visible ASCII without commas.
    pub fn get<'a>(
        &self,
        credentials: &Credentials<'a>,
    ) -> Result<Option<&'a str>, CredentialFieldError> {
        match self.locate(credentials)? {
            Some(credential) if !is_well_formed(credential) => Err(CredentialFieldError::Malformed),
            located => Ok(located),
        }
    }

    /// The credential, whose characters are not checked.
    pub(super) fn locate<'a>(
        &self,
        credentials: &Credentials<'a>,
    ) -> Result<Option<&'a str>, CredentialFieldError> {
        let mut values = credentials.get_all(self.name.as_str());
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => {
                self.without_scheme(value).map(Some).ok_or(CredentialFieldError::Malformed)
            }
            (Some(_), Some(_)) => Err(CredentialFieldError::Repeated),
        }
    }

    fn without_scheme<'a>(&self, value: &'a HeaderValue) -> Option<&'a str> {
        let value = value.as_bytes();
        let credential = match &self.scheme {
            None => value,
            Some(expected) => {
                let (scheme, rest) = value.split_at_checked(expected.len())?;
                let credential = rest.strip_prefix(b" ")?;
                scheme.eq_ignore_ascii_case(expected.as_bytes()).then_some(credential)?
            }
        };
        str::from_utf8(credential).ok()
    }

    fn has_scheme(&self, value: &HeaderValue) -> bool {
        let Some(expected) = &self.scheme else {
            return true;
        };
        let scheme = value.as_bytes().split(|byte| *byte == b' ').next().unwrap_or_default();
        scheme.eq_ignore_ascii_case(expected.as_bytes())
    }
}

/// Whether a credential is visible ASCII without commas, and not empty.
pub(super) fn is_well_formed(credential: &str) -> bool {
    // No early exit, so that the loop is vectorized.
    let invalid = credential.bytes().fold(0, |invalid, byte| {
        invalid | u8::from(!byte.is_ascii_graphic()) | u8::from(byte == b',')
    });
    invalid == 0 && !credential.is_empty()
}

impl From<CredentialFieldError> for Rejection {
    fn from(error: CredentialFieldError) -> Self {
        match error {
            CredentialFieldError::Malformed => Self::CredentialInvalid(Box::new(error)),
            CredentialFieldError::Repeated => Self::CredentialRepeated,
        }
    }
}
