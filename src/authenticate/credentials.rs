//! The credentials of a request, as passed to authenticators.

use std::fmt;

use http::{Extensions, HeaderName, HeaderValue};

use crate::metadata::is_reserved;
use crate::rejection::Rejection;

/// All fields of a request that concern identity: those with a
/// [reserved](crate::metadata::is_reserved) name, and those of the strategy's
/// [`credential_names`](super::Authenticator::credential_names). The request's extensions are
/// available as well.
///
/// No handler sees these fields. `Debug` shows only their names.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    fields: &'a [(&'a HeaderName, &'a HeaderValue)],
    /// The names that the strategy added to the reserved ones.
    names: &'a [HeaderName],
    extensions: &'a Extensions,
}

impl<'a> Credentials<'a> {
    pub(crate) fn new(
        fields: &'a [(&'a HeaderName, &'a HeaderValue)],
        names: &'a [HeaderName],
        extensions: &'a Extensions,
    ) -> Self {
        Self { fields, names, extensions }
    }

    /// All fields. Those of one name are in the order received.
    pub fn iter(&self) -> impl Iterator<Item = (&'a HeaderName, &'a HeaderValue)> + use<'a> {
        self.fields.iter().copied()
    }

    /// The values of a field. Names are compared without regard to case.
    pub fn get_all(&self, name: &str) -> impl Iterator<Item = &'a HeaderValue> {
        let is_named = move |field: &HeaderName| field.as_str().eq_ignore_ascii_case(name);
        self.iter().filter(move |(field, _)| is_named(field)).map(|(_, value)| value)
    }

    /// Whether the field is present.
    pub fn contains(&self, name: &str) -> bool {
        self.get_all(name).next().is_some()
    }

    /// Returns the value of a field, or an error when it is repeated; `None` when it is absent.
    ///
    /// # Errors
    ///
    /// [`Rejection::CredentialRepeated`] when the field is repeated.
    /// [`Rejection::AuthenticationUnavailable`] when the name is neither
    /// [reserved](crate::metadata::is_reserved) nor among
    /// [`credential_names`](super::Authenticator::credential_names): such a field is never passed
    /// to authenticators, so its absence does not mean that the caller is anonymous.
    pub fn get(&self, name: &str) -> Result<Option<&'a HeaderValue>, Rejection> {
        if !self.are_passed(name) {
            let problem = format!("{name} is not among the authenticator's credential_names");
            return Err(Rejection::AuthenticationUnavailable(problem.into()));
        }
        let mut values = self.get_all(name);
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            (_, Some(_)) => Err(Rejection::CredentialRepeated),
        }
    }

    /// The same request with these fields instead.
    pub(super) fn with_fields(
        self,
        fields: &'a [(&'a HeaderName, &'a HeaderValue)],
    ) -> Credentials<'a> {
        Self { fields, ..self }
    }

    /// Whether fields of this name are passed to the strategy at all: the name is reserved, or among
    /// its `credential_names`.
    pub(super) fn are_passed(&self, name: &str) -> bool {
        is_reserved(name)
            || self.names.iter().any(|listed| listed.as_str().eq_ignore_ascii_case(name))
    }

    /// The request's extensions, such as tonic's `TcpConnectInfo`.
    pub fn extensions(&self) -> &'a Extensions {
        self.extensions
    }
}

impl fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|(name, _)| name)).finish()
    }
}
