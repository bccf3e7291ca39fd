//! How a caller becomes a [`UserContext`]: the [`Authenticator`] trait and its strategies.
//!
//! | strategy | for | trusts |
//! |---|---|---|
//! | [`JwtAuthenticator`] | the edge | a JWT that a [`Verifier`](crate::jwt::Verifier) accepts |
//! | [`ForwardedContext`] | a service in a private network | the `x-user-*` metadata |

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use http::{Extensions, HeaderName, HeaderValue};

use crate::context::{AccessDenied, ContextError, UserContext};
use crate::jwt::TokenError;
use crate::metadata::is_reserved;

mod forwarded_context;
mod jwt;

pub use forwarded_context::ForwardedContext;
pub use jwt::JwtAuthenticator;

/// A way to tell who is calling.
///
/// It decides without waiting: keys and the like are kept at hand, never fetched while a request
/// waits. That is what lets one implementation serve both layers and tonic's interceptors, which
/// are synchronous.
///
/// A closure will do for what needs no more:
///
/// ```
/// use tonic_passport::authenticate::{Credentials, Rejection};
/// use tonic_passport::{ServerLayer, UserContext};
///
/// let by_api_key = |credentials: &Credentials<'_>| {
///     match credentials.single("authorization")?.map(|key| key.as_bytes()) {
///         None => Ok(None),
///         Some(b"ApiKey 3f8c") => Ok(Some(UserContext::builder("importer").build()?)),
///         Some(_) => Err(Rejection::Credential("unknown api key".into())),
///     }
/// };
/// let layer = ServerLayer::new(by_api_key);
/// # drop(layer);
/// ```
///
/// A strategy that is chosen at run time is a `Box<dyn Authenticator>`, or an `Arc`.
pub trait Authenticator: Send + Sync + 'static {
    /// Tells who is calling; `None` when the request brings no credential at all.
    ///
    /// # Errors
    ///
    /// A [`Rejection`] when there is a credential and it is bad. A bad credential is never an
    /// anonymous caller.
    fn authenticate(&self, credentials: &Credentials<'_>)
    -> Result<Option<UserContext>, Rejection>;

    /// Further fields that hold credentials, such as `x-api-key`. They are taken out of the metadata
    /// of every request as `authorization` is, and shown in [`Credentials`].
    fn credential_names(&self) -> &[HeaderName] {
        &[]
    }

    /// What a caller without a credential is told by a method that needs one.
    fn challenge(&self) -> Rejection {
        Rejection::CredentialMissing
    }

    /// What time it is, when the end of a stream is reckoned from when its credential
    /// [expires](UserContext::expires_at).
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

impl<F> Authenticator for F
where
    F: Fn(&Credentials<'_>) -> Result<Option<UserContext>, Rejection> + Send + Sync + 'static,
{
    fn authenticate(
        &self,
        credentials: &Credentials<'_>,
    ) -> Result<Option<UserContext>, Rejection> {
        self(credentials)
    }
}

impl Authenticator for Box<dyn Authenticator> {
    fn authenticate(
        &self,
        credentials: &Credentials<'_>,
    ) -> Result<Option<UserContext>, Rejection> {
        (**self).authenticate(credentials)
    }

    fn credential_names(&self) -> &[HeaderName] {
        (**self).credential_names()
    }

    fn challenge(&self) -> Rejection {
        (**self).challenge()
    }

    fn now(&self) -> SystemTime {
        (**self).now()
    }
}

impl<T: Authenticator + ?Sized> Authenticator for Arc<T> {
    fn authenticate(
        &self,
        credentials: &Credentials<'_>,
    ) -> Result<Option<UserContext>, Rejection> {
        (**self).authenticate(credentials)
    }

    fn credential_names(&self) -> &[HeaderName] {
        (**self).credential_names()
    }

    fn challenge(&self) -> Rejection {
        (**self).challenge()
    }

    fn now(&self) -> SystemTime {
        (**self).now()
    }
}

/// Everything about identity that was taken out of a request: all fields with a
/// [reserved](crate::metadata::is_reserved) name and those that the strategy
/// [named](Authenticator::credential_names), and what the connection knows of its peer.
///
/// No handler sees these fields. `Debug` shows their names only.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    fields: &'a [(&'a HeaderName, &'a HeaderValue)],
    /// The names of the fields that were taken besides the reserved ones.
    further: &'a [HeaderName],
    extensions: &'a Extensions,
}

impl<'a> Credentials<'a> {
    pub(crate) fn new(
        fields: &'a [(&'a HeaderName, &'a HeaderValue)],
        further: &'a [HeaderName],
        extensions: &'a Extensions,
    ) -> Self {
        Self { fields, further, extensions }
    }

    /// All fields, in the order received among those of one name.
    pub fn iter(&self) -> impl Iterator<Item = (&'a HeaderName, &'a HeaderValue)> + use<'a> {
        self.fields.iter().copied()
    }

    /// The values of a field, whose name is compared without regard to case.
    pub fn get_all(&self, name: &str) -> impl Iterator<Item = &'a HeaderValue> {
        let is_called = move |own: &HeaderName| own.as_str().eq_ignore_ascii_case(name);
        self.iter().filter(move |(own, _)| is_called(own)).map(|(_, value)| value)
    }

    /// The one value of a field; `None` when it is not there.
    ///
    /// # Errors
    ///
    /// [`Rejection::CredentialRepeated`] when there are several: which one would count?
    /// [`Rejection::Unavailable`] for a field that is never here, because its name is not
    /// [reserved](crate::metadata::is_reserved) and not among
    /// [`credential_names`](Authenticator::credential_names): it is no proof of an anonymous caller.
    pub fn single(&self, name: &str) -> Result<Option<&'a HeaderValue>, Rejection> {
        let named = self.further.iter().any(|own| own.as_str().eq_ignore_ascii_case(name));
        if !named && !is_reserved(name) {
            let problem = format!("{name} is not among credential_names, and is never here");
            return Err(Rejection::Unavailable(problem.into()));
        }
        let mut values = self.get_all(name);
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            (_, Some(_)) => Err(Rejection::CredentialRepeated),
        }
    }

    /// The request's extensions, where tonic keeps what it knows of the connection.
    pub fn extensions(&self) -> &'a Extensions {
        self.extensions
    }
}

impl fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|(name, _)| name)).finish()
    }
}

/// Why a request was turned away before it reached a handler.
///
/// The message says what an operator needs to know; the caller gets a short and generic
/// `tonic::Status` made from it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// The forwarded context is malformed, or too large.
    #[error("invalid user context")]
    Context(#[from] ContextError),

    /// No context was forwarded.
    #[error("no user context")]
    ContextMissing,

    /// A credential of another kind is bad: for strategies of your own.
    #[error("invalid credential")]
    Credential(#[source] Box<dyn Error + Send + Sync>),

    /// No credential was sent: for strategies of your own.
    #[error("no credential")]
    CredentialMissing,

    /// A credential was sent more than once.
    #[error("a credential is repeated")]
    CredentialRepeated,

    /// The call's deadline had passed when it arrived.
    #[error("the deadline has passed")]
    DeadlineExceeded,

    /// A client sent identity metadata of its own, to an edge that
    /// [rejects](JwtAuthenticator::reject_forged_metadata) it.
    #[error("{name} is forged: clients must not send it")]
    Forged {
        /// The field's name.
        name: HeaderName,
    },

    /// The policy does not let the caller call the method.
    #[error("the policy denies it")]
    #[non_exhaustive]
    PolicyDenied {
        /// What is missing.
        #[source]
        denied: AccessDenied,
        /// Whether the caller is told that.
        is_told: bool,
    },

    /// A handler demands that a policy has let its caller in, and none has.
    #[error("no policy has decided about the call")]
    PolicyMissing,

    /// The field `grpc-timeout` is there more than once, or is no timeout: one to eight digits and
    /// one of the units `H`, `M`, `S`, `m`, `u`, `n` (gRPC over HTTP/2).
    #[error("grpc-timeout is not a timeout")]
    TimeoutInvalid,

    /// The bearer token was refused.
    #[error("invalid token")]
    Token(#[from] TokenError),

    /// The `authorization` field is there, but does not hold one bearer token.
    #[error("the authorization field does not hold one bearer token")]
    TokenMalformed,

    /// No token was sent.
    #[error("no token")]
    TokenMissing,

    /// It cannot be told at the moment who is calling: for strategies of your own.
    #[error("callers cannot be authenticated at the moment")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
}
