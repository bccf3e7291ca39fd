//! Authentication by a credential that a function resolves.

use std::fmt;
use std::future::Future;
use std::slice;

use http::HeaderName;

use super::authenticator::{Authentication, Authenticator};
use super::credential_field::CredentialField;
use super::credentials::Credentials;
use crate::context::UserContext;
use crate::rejection::Rejection;

/// Authenticates by a credential that an asynchronous function resolves: an API key in a database,
/// or an opaque token that is introspected (RFC 7662).
///
/// ```
/// use http::HeaderName;
/// use tonic_passport::authenticate::{CredentialField, LookupAuthenticator};
/// use tonic_passport::{Rejection, UserContext};
/// # #[derive(Clone)] struct Database;
/// # impl Database {
/// #     async fn owner_of(&self, _: &str) -> Result<Option<String>, std::io::Error> { Ok(None) }
/// # }
/// # let database = Database;
///
/// let field = CredentialField::new(HeaderName::from_static("x-api-key"));
/// let authenticator = LookupAuthenticator::new(field, move |key: String| {
///     let database = database.clone();
///     async move {
///         match database.owner_of(&key).await {
///             Ok(Some(owner)) => Ok(UserContext::builder(owner).build()?),
///             Ok(None) => Err(Rejection::CredentialInvalid("unknown api key".into())),
///             Err(error) => Err(Rejection::AuthenticationUnavailable(error.into())),
///         }
///     }
/// });
/// # drop(tonic_passport::ServerLayer::new(authenticator));
/// ```
///
/// The function runs for every call, and within the call's deadline. A client need not set one: set
/// [`ServerLayer::timeout`](crate::ServerLayer::timeout), and give the function a timeout and a cache. [`ServerInterceptor`](crate::ServerInterceptor) cannot await it.
#[derive(Clone)]
pub struct LookupAuthenticator<F> {
    field: CredentialField,
    lookup: F,
}

impl<F, Fut> LookupAuthenticator<F>
where
    F: Fn(String) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<UserContext, Rejection>> + Send + 'static,
{
    /// Creates an authenticator that passes the credential in this field to this function. If the
    /// function returns an error, the call is rejected.
    pub fn new(field: CredentialField, lookup: F) -> Self {
        Self { field, lookup }
    }
}

impl<F, Fut> Authenticator for LookupAuthenticator<F>
where
    F: Fn(String) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<UserContext, Rejection>> + Send + 'static,
{
    fn authenticate(&self, credentials: &Credentials<'_>) -> Authentication {
        match self.field.get(credentials) {
            Ok(None) => Authentication::Ready(Ok(None)),
            Ok(Some(credential)) => {
                let lookup = (self.lookup)(credential.to_owned());
                Authentication::pending(async move { lookup.await.map(Some) })
            }
            Err(error) => Rejection::from(error).into(),
        }
    }

    fn credential_names(&self) -> &[HeaderName] {
        slice::from_ref(self.field.name())
    }

    fn has_credential(&self, credentials: &Credentials<'_>) -> bool {
        self.field.is_present(credentials)
    }
}

impl<F> fmt::Debug for LookupAuthenticator<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LookupAuthenticator").field("field", &self.field).finish_non_exhaustive()
    }
}
