//! The trait of authentication strategies, and their outcome.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use http::HeaderName;
use http::header::AUTHORIZATION;

use super::credentials::Credentials;
use crate::context::UserContext;
use crate::rejection::Rejection;

/// Strategy that identifies the caller of a request.
///
/// A closure is a synchronous strategy:
///
/// ```
/// use tonic_passport::authenticate::Credentials;
/// use tonic_passport::{Rejection, ServerLayer, UserContext};
///
/// let by_api_key = |credentials: &Credentials<'_>| {
///     match credentials.get("authorization")?.map(|key| key.as_bytes()) {
///         None => Ok(None),
///         Some(b"ApiKey 3f8c") => Ok(Some(UserContext::builder("importer").build()?)),
///         Some(_) => Err(Rejection::CredentialInvalid("unknown api key".into())),
///     }
/// };
/// let layer = ServerLayer::new(by_api_key);
/// # drop(layer);
/// ```
///
/// An asynchronous strategy returns [`Authentication::pending`];
/// [`LookupAuthenticator`](super::LookupAuthenticator) covers the common case. A strategy chosen at
/// run time is a `Box<dyn Authenticator>` or an `Arc`.
pub trait Authenticator: Send + Sync + 'static {
    /// Identifies the caller; `None` for a request without a credential.
    ///
    /// # Errors
    ///
    /// A [`Rejection`] for a credential that is present and invalid. Its caller is never treated as
    /// anonymous.
    fn authenticate(&self, credentials: &Credentials<'_>) -> Authentication;

    /// The fields that hold credentials, besides `authorization`: `x-api-key`, for example. They
    /// are stripped from every request, in any spelling, and are available in [`Credentials`].
    fn credential_names(&self) -> &[HeaderName] {
        &[]
    }

    /// Whether the request carries a credential for this strategy, valid or not. [`first_of`]
    /// selects by it.
    ///
    /// By default: whether `authorization` or one of the
    /// [`credential_names`](Self::credential_names) is present. A strategy that identifies callers
    /// by the request's extensions, such as a peer certificate, returns `false`.
    ///
    /// [`first_of`]: super::first_of
    fn has_credential(&self, credentials: &Credentials<'_>) -> bool {
        let names = self.credential_names().iter();
        names.chain([&AUTHORIZATION]).any(|name| credentials.contains(name.as_str()))
    }

    /// Returns the rejection for an anonymous caller of a method that requires authentication.
    fn challenge(&self) -> Rejection {
        Rejection::CredentialMissing
    }
}

/// Outcome of [`Authenticator::authenticate`]: a result, or a future.
pub enum Authentication {
    /// The result.
    Ready(Result<Option<UserContext>, Rejection>),
    /// A future that returns the result. It is dropped when the call's deadline elapses or the
    /// caller cancels.
    Pending(PendingAuthentication),
}

/// Future of an asynchronous strategy.
pub(crate) type PendingAuthentication =
    Pin<Box<dyn Future<Output = Result<Option<UserContext>, Rejection>> + Send>>;

impl Authentication {
    /// Creates an outcome that is awaited.
    pub fn pending<F>(future: F) -> Self
    where
        F: Future<Output = Result<Option<UserContext>, Rejection>> + Send + 'static,
    {
        Self::Pending(Box::pin(future))
    }
}

impl From<Result<Option<UserContext>, Rejection>> for Authentication {
    fn from(result: Result<Option<UserContext>, Rejection>) -> Self {
        Self::Ready(result)
    }
}

impl From<Rejection> for Authentication {
    fn from(rejection: Rejection) -> Self {
        Self::Ready(Err(rejection))
    }
}

impl fmt::Debug for Authentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready(result) => f.debug_tuple("Ready").field(result).finish(),
            Self::Pending(_) => f.debug_tuple("Pending").finish_non_exhaustive(),
        }
    }
}

impl<F> Authenticator for F
where
    F: Fn(&Credentials<'_>) -> Result<Option<UserContext>, Rejection> + Send + Sync + 'static,
{
    fn authenticate(&self, credentials: &Credentials<'_>) -> Authentication {
        self(credentials).into()
    }
}

/// Forwards every method to the strategy behind a pointer.
macro_rules! forward_to_pointee {
    () => {
        fn authenticate(&self, credentials: &Credentials<'_>) -> Authentication {
            (**self).authenticate(credentials)
        }

        fn credential_names(&self) -> &[HeaderName] {
            (**self).credential_names()
        }

        fn has_credential(&self, credentials: &Credentials<'_>) -> bool {
            (**self).has_credential(credentials)
        }

        fn challenge(&self) -> Rejection {
            (**self).challenge()
        }
    };
}

impl Authenticator for Box<dyn Authenticator> {
    forward_to_pointee!();
}

impl<T: Authenticator + ?Sized> Authenticator for Arc<T> {
    forward_to_pointee!();
}
