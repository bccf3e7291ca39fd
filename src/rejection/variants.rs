//! The kinds of rejections.

use std::error::Error;

use http::HeaderName;

use crate::context::{AccessDenied, ContextError};
#[cfg(feature = "jwt")]
use crate::jwt::TokenError;

/// Reason why a request was refused.
///
/// `Display` and the error sources are for the operator's log. The caller receives the
/// [`message`](Self::message).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// A check of the application denied the caller.
    #[error("access denied")]
    AccessDenied(#[from] AccessDenied),

    /// An interceptor was given an [`Authenticator`](crate::Authenticator) that returns a future.
    /// Interceptors are synchronous.
    #[error("the authenticator returned a future, which an interceptor cannot await")]
    AuthenticatorAsynchronous,

    /// The forwarded user context is malformed or too large.
    #[error("invalid user context")]
    ContextInvalid(#[from] ContextError),

    /// No user context was forwarded.
    #[error("no user context")]
    ContextMissing,

    /// A credential is invalid; for custom [`Authenticator`](crate::Authenticator)s.
    #[error("invalid credential")]
    CredentialInvalid(#[source] Box<dyn Error + Send + Sync>),

    /// The request carries credentials for two strategies of
    /// [`first_of`](crate::authenticate::first_of).
    #[error("the request carries credentials of two kinds: send one of them")]
    CredentialAmbiguous,

    /// The request carries no credential; for custom [`Authenticator`](crate::Authenticator)s.
    #[error("no credential")]
    CredentialMissing,

    /// A credential was sent more than once.
    #[error("a credential is repeated")]
    CredentialRepeated,

    /// The deadline elapsed during the call, or before it began.
    #[error("the deadline has passed")]
    DeadlineExceeded,

    /// A client sent identity metadata, and the edge
    /// [rejects](crate::JwtAuthenticator::reject_forged_metadata) it.
    #[error("{name} is forged: clients must not send it")]
    MetadataForged {
        /// The field's name.
        name: HeaderName,
    },

    /// The request's metadata is larger than a gateway relays.
    #[error("the metadata is too large to be relayed")]
    MetadataTooLarge,

    /// The path is not the canonical path of a gRPC method: see
    /// [`MethodPath`](crate::policy::MethodPath).
    #[error("the path is not of the form /package.Service/Method")]
    MethodPathInvalid,

    /// The policy denied the call.
    #[error("the policy denied the call")]
    #[non_exhaustive]
    PolicyDenied {
        /// The requirement that the caller does not meet.
        #[source]
        denied: AccessDenied,
        /// Whether the response names the requirement.
        exposed: bool,
    },

    /// A handler requires a policy's permit, and no policy authorized the call.
    #[error("no policy authorized the call")]
    PolicyMissing,

    /// A gateway has no route to the service.
    #[error("no route to the service")]
    ServiceUnknown,

    /// A stream outlived the credential that opened it.
    #[error("the credential expired while the call ran")]
    TokenExpired,

    /// The field `grpc-timeout` is repeated, or does not consist of one to eight digits and one of
    /// the units `H`, `M`, `S`, `m`, `u`, `n` (gRPC over HTTP/2).
    #[error("grpc-timeout is repeated or malformed")]
    TimeoutInvalid,

    /// The token was refused.
    #[cfg(feature = "jwt")]
    #[error("invalid token")]
    TokenInvalid(#[from] TokenError),

    /// The credential field is present, and does not hold exactly one token.
    #[error("the credential field does not hold exactly one token")]
    TokenMalformed,

    /// No token was sent.
    #[error("no token")]
    TokenMissing,

    /// The caller cannot be authenticated at the moment; for custom
    /// [`Authenticator`](crate::Authenticator)s.
    #[error("callers cannot be authenticated at the moment")]
    AuthenticationUnavailable(#[source] Box<dyn Error + Send + Sync>),

    /// A gateway could not reach the service.
    #[error("the service cannot be reached")]
    UpstreamUnavailable,
}

/// The class of a [`Rejection`], which each protocol maps to its own code.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum RejectionKind {
    /// The deadline elapsed.
    DeadlineExceeded,
    /// The server is configured in a way that cannot work.
    Internal,
    /// The request is malformed.
    InvalidArgument,
    /// The caller is known and not allowed to do this.
    PermissionDenied,
    /// A size limit is exceeded.
    ResourceExhausted,
    /// The caller is not known.
    Unauthenticated,
    /// The same request may succeed later.
    Unavailable,
    /// There is no such method or service.
    Unimplemented,
}
