//! Rejections of requests, independent of the protocol, and their reason codes.
//!
//! Each protocol maps [`Rejection`] to its own form. For gRPC, `tonic::Status` implements `From`.
//! Callers receive the [kind](Rejection::kind), the [reason](Rejection::reason) and a short
//! [message](Rejection::message). The `Display` text and the error sources are for the operator's
//! log.
//!
//! | reason | kind | when |
//! |---|---|---|
//! | `ACCESS_DENIED` | permission denied | a check of the application denied the caller |
//! | `AUTHENTICATION_UNAVAILABLE` | unavailable | an [`Authenticator`](crate::Authenticator) cannot decide at the moment |
//! | `AUTHENTICATOR_ASYNCHRONOUS` | internal | an interceptor was given an authenticator that has to wait; the message names the remedy |
//! | `CALL_CANCELLED` | cancelled | a service made a call on behalf of a cancelled one |
//! | `CONTEXT_INVALID` | unauthenticated | a key of the user context is repeated, aliased, malformed or forged |
//! | `CONTEXT_MISSING` | unauthenticated | an internal service was called without a user context |
//! | `CONTEXT_NOT_PROPAGATED` | internal | a service made a call without a user; the message names the remedy |
//! | `CONTEXT_TOO_LARGE` | resource exhausted | the user context exceeds its maximum size |
//! | `CREDENTIAL_INVALID` | unauthenticated | a credential other than a token is invalid, repeated or ambiguous |
//! | `CREDENTIAL_MISSING` | unauthenticated | a credential other than a token is missing, or [`Policy::authorize`](crate::Policy::authorize) was called without a user |
//! | `DEADLINE_EXCEEDED` | deadline exceeded | the deadline elapsed during the call, or before it began |
//! | `DESTINATION_NOT_ALLOWED` | internal | a service made a call to a destination outside of its client layer's list; the message names it |
//! | `KEYS_UNAVAILABLE` | unavailable | the keys of the token's issuer, or its newest key, have not been fetched; with a retry delay |
//! | `METADATA_TOO_LARGE` | resource exhausted | the request's metadata exceeds the 16 KiB that a gateway relays |
//! | `METHOD_PATH_INVALID` | unimplemented | the path is not `/package.Service/Method` |
//! | `PERMISSION_MISSING` | permission denied | the user lacks the permission named in `permission`; or the policy denied the call, and names the requirement in `permission`, `role` or `required` if it [exposes](crate::policy::PolicyBuilder::expose_requirements) them |
//! | `POLICY_MISSING` | internal | a handler requires a policy's permit, and its server has no policy; the message names the remedy |
//! | `ROLE_MISSING` | permission denied | a handler requires the role named in `role`, which the user lacks |
//! | `RULE_MISSING` | permission denied | the policy has no rule for the method |
//! | `SERVICE_UNKNOWN` | unimplemented | a gateway has no route to the service |
//! | `TIMEOUT_INVALID` | invalid argument | `grpc-timeout` is repeated or malformed |
//! | `TOKEN_EXPIRED` | unauthenticated | the token has expired and is valid otherwise, or a stream outlived its token |
//! | `TOKEN_INVALID` | unauthenticated | the token is invalid in any other way |
//! | `TOKEN_MALFORMED` | unauthenticated | the credential field does not hold exactly one token |
//! | `TOKEN_MISSING` | unauthenticated | there is no token |
//! | `TOKEN_REVOKED` | unauthenticated | the token was valid and has been revoked |
//! | `UPSTREAM_UNAVAILABLE` | unavailable | a gateway could not reach the service |

use std::borrow::Cow;
use std::error::Error;
use std::time::Duration;

use http::HeaderName;

use crate::context::{AccessDenied, ContextError};
#[cfg(feature = "jwt")]
use crate::jwt::TokenError;

/// The domain of the reasons: the `domain` of every `google.rpc.ErrorInfo` of this crate.
pub const DOMAIN: &str = "tonic-passport";

/// The reason codes, for clients that act on them.
#[expect(missing_docs, reason = "the table of the module describes each of them")]
pub mod reason {
    pub const ACCESS_DENIED: &str = "ACCESS_DENIED";
    pub const AUTHENTICATION_UNAVAILABLE: &str = "AUTHENTICATION_UNAVAILABLE";
    pub const AUTHENTICATOR_ASYNCHRONOUS: &str = "AUTHENTICATOR_ASYNCHRONOUS";
    pub const CALL_CANCELLED: &str = "CALL_CANCELLED";
    pub const CONTEXT_INVALID: &str = "CONTEXT_INVALID";
    pub const CONTEXT_MISSING: &str = "CONTEXT_MISSING";
    pub const CONTEXT_NOT_PROPAGATED: &str = "CONTEXT_NOT_PROPAGATED";
    pub const CONTEXT_TOO_LARGE: &str = "CONTEXT_TOO_LARGE";
    pub const CREDENTIAL_INVALID: &str = "CREDENTIAL_INVALID";
    pub const CREDENTIAL_MISSING: &str = "CREDENTIAL_MISSING";
    pub const DEADLINE_EXCEEDED: &str = "DEADLINE_EXCEEDED";
    pub const DESTINATION_NOT_ALLOWED: &str = "DESTINATION_NOT_ALLOWED";
    pub const KEYS_UNAVAILABLE: &str = "KEYS_UNAVAILABLE";
    pub const METADATA_TOO_LARGE: &str = "METADATA_TOO_LARGE";
    pub const METHOD_PATH_INVALID: &str = "METHOD_PATH_INVALID";
    pub const PERMISSION_MISSING: &str = "PERMISSION_MISSING";
    pub const POLICY_MISSING: &str = "POLICY_MISSING";
    pub const ROLE_MISSING: &str = "ROLE_MISSING";
    pub const RULE_MISSING: &str = "RULE_MISSING";
    pub const SERVICE_UNKNOWN: &str = "SERVICE_UNKNOWN";
    pub const TIMEOUT_INVALID: &str = "TIMEOUT_INVALID";
    pub const TOKEN_EXPIRED: &str = "TOKEN_EXPIRED";
    pub const TOKEN_INVALID: &str = "TOKEN_INVALID";
    pub const TOKEN_MALFORMED: &str = "TOKEN_MALFORMED";
    pub const TOKEN_MISSING: &str = "TOKEN_MISSING";
    pub const TOKEN_REVOKED: &str = "TOKEN_REVOKED";
    pub const UPSTREAM_UNAVAILABLE: &str = "UPSTREAM_UNAVAILABLE";
}

/// The maximum length in bytes of a message that names a requirement. In the metadata of a response
/// it takes up to six times that, of the 16 KiB that tonic's clients accept.
const MAX_DENIAL_LENGTH: usize = 2 * 1024;

/// Why a request was refused.
///
/// `Display` and the error sources are for the operator. [`message`](Self::message) is what the
/// caller receives.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// A check of the application denied the caller.
    #[error("access denied")]
    AccessDenied(#[from] AccessDenied),

    /// An interceptor was given an [`Authenticator`](crate::Authenticator) that responds with a
    /// future. Interceptors are synchronous.
    #[error("the authenticator responded with a future, which an interceptor cannot await")]
    AuthenticatorAsynchronous,

    /// The forwarded user context is malformed or too large.
    #[error("invalid user context")]
    Context(#[from] ContextError),

    /// No user context was forwarded.
    #[error("no user context")]
    ContextMissing,

    /// A credential is invalid: for an [`Authenticator`](crate::Authenticator) of your own.
    #[error("invalid credential")]
    Credential(#[source] Box<dyn Error + Send + Sync>),

    /// The request carries credentials for two strategies of
    /// [`first_of`](crate::authenticate::first_of).
    #[error("the request carries credentials of two kinds: send one of them")]
    CredentialAmbiguous,

    /// The request carries no credential: for an [`Authenticator`](crate::Authenticator) of your
    /// own.
    #[error("no credential")]
    CredentialMissing,

    /// A credential was sent more than once.
    #[error("a credential is repeated")]
    CredentialRepeated,

    /// The deadline elapsed during the call, or before it began.
    #[error("the deadline has passed")]
    DeadlineExceeded,

    /// A client sent identity metadata of its own to an edge that
    /// [rejects](crate::JwtAuthenticator::reject_forged_metadata) it.
    #[error("{name} is forged: clients must not send it")]
    Forged {
        /// The field's name.
        name: HeaderName,
    },

    /// The request's metadata is larger than a gateway relays.
    #[error("the metadata is too large to be relayed")]
    MetadataTooLarge,

    /// The path is not the canonical path of a gRPC method: see
    /// [`MethodPath`](crate::policy::MethodPath).
    #[error("not the path of a method")]
    MethodPathInvalid,

    /// The policy denied the call.
    #[error("the policy denies it")]
    #[non_exhaustive]
    PolicyDenied {
        /// The requirement that the caller does not meet.
        #[source]
        denied: AccessDenied,
        /// Whether the response names the requirement.
        exposed: bool,
    },

    /// A handler requires a policy's permit, and no policy authorized the call.
    #[error("no policy has decided about the call")]
    PolicyMissing,

    /// A gateway has no route to the service.
    #[error("no route to the service")]
    ServiceUnknown,

    /// A stream outlived the credential that opened it.
    #[error("the credential expired while the call ran")]
    StreamExpired,

    /// The field `grpc-timeout` is repeated, or is not one to eight digits and one of the units
    /// `H`, `M`, `S`, `m`, `u`, `n` (gRPC over HTTP/2).
    #[error("grpc-timeout is not a timeout")]
    TimeoutInvalid,

    /// The token was refused.
    #[cfg(feature = "jwt")]
    #[error("invalid token")]
    Token(#[from] TokenError),

    /// The credential field is present, and does not hold exactly one token.
    #[error("the credential field does not hold exactly one token")]
    TokenMalformed,

    /// No token was sent.
    #[error("no token")]
    TokenMissing,

    /// The caller cannot be authenticated at the moment: for an
    /// [`Authenticator`](crate::Authenticator) of your own.
    #[error("callers cannot be authenticated at the moment")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),

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

/// The part of a rejection that callers receive.
struct Description {
    kind: RejectionKind,
    reason: &'static str,
    message: &'static str,
    /// The value of `www-authenticate`.
    challenge: Option<&'static str>,
}

impl Rejection {
    /// The class of the rejection.
    pub fn kind(&self) -> RejectionKind {
        self.describe().kind
    }

    /// The reason code that the caller receives, one of [`reason`].
    pub fn reason(&self) -> &'static str {
        self.describe().reason
    }

    /// The message that the caller receives: short, and without details of the check.
    pub fn message(&self) -> Cow<'static, str> {
        match self.exposed_denial() {
            Some(denied) => exposed_message(denied),
            None => self.describe().message.into(),
        }
    }

    /// The requirement that the response names, as a key (`permission`, `role` or `required`) and
    /// its value.
    pub fn requirement(&self) -> Option<(&'static str, &str)> {
        let denied = self.exposed_denial().filter(|denied| is_exposable(denied))?;
        match denied {
            AccessDenied::PermissionMissing { permission } => Some(("permission", permission)),
            AccessDenied::RequirementMissing { required } => Some(("required", required)),
            AccessDenied::RoleMissing { role } => Some(("role", role)),
            AccessDenied::NotAllowed | AccessDenied::RuleMissing { .. } => None,
        }
    }

    /// The value of the response's `www-authenticate` field (RFC 6750, section 3), for rejections of
    /// tokens.
    pub fn challenge(&self) -> Option<&'static str> {
        self.describe().challenge
    }

    /// The delay after which the same request may succeed.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            #[cfg(feature = "jwt")]
            Self::Token(
                TokenError::KeyPending { retry_after, .. }
                | TokenError::KeysUnavailable { retry_after },
            ) => Some(*retry_after),
            _ => None,
        }
    }

    /// The denial whose requirement the response names.
    fn exposed_denial(&self) -> Option<&AccessDenied> {
        match self {
            Self::AccessDenied(denied) | Self::PolicyDenied { denied, exposed: true } => {
                Some(denied)
            }
            _ => None,
        }
    }

    fn describe(&self) -> Description {
        use RejectionKind as Kind;

        match self {
            Self::AccessDenied(denied) => describe_denial(denied),
            Self::AuthenticatorAsynchronous => Description::new(
                Kind::Internal,
                reason::AUTHENTICATOR_ASYNCHRONOUS,
                "the authenticator has to wait, which an interceptor cannot do: use a ServerLayer",
            ),
            Self::Context(error) => describe_context_error(error),
            Self::ContextMissing => {
                unauthenticated(reason::CONTEXT_MISSING, "a user context is required")
            }
            Self::Credential(_) | Self::CredentialAmbiguous | Self::CredentialRepeated => {
                unauthenticated(reason::CREDENTIAL_INVALID, "the credential is not valid")
            }
            Self::CredentialMissing => {
                unauthenticated(reason::CREDENTIAL_MISSING, "a credential is required")
            }
            Self::DeadlineExceeded => Description::new(
                Kind::DeadlineExceeded,
                reason::DEADLINE_EXCEEDED,
                "the deadline has passed",
            ),
            Self::Forged { .. } => {
                unauthenticated(reason::CONTEXT_INVALID, "the user context is not valid")
            }
            Self::MetadataTooLarge => Description::new(
                Kind::ResourceExhausted,
                reason::METADATA_TOO_LARGE,
                "more metadata than is relayed",
            ),
            Self::MethodPathInvalid => Description::new(
                Kind::Unimplemented,
                reason::METHOD_PATH_INVALID,
                "the path is not that of a method",
            ),
            Self::PolicyDenied { denied: AccessDenied::RuleMissing { .. }, .. } => {
                Description::new(
                    Kind::PermissionDenied,
                    reason::RULE_MISSING,
                    "there is no rule for the method",
                )
            }
            // One reason for a missing permission and a missing role, exposed or not, so that a
            // client can act on it.
            Self::PolicyDenied { .. } => Description::new(
                Kind::PermissionDenied,
                reason::PERMISSION_MISSING,
                "the caller may not call the method",
            ),
            Self::PolicyMissing => Description::new(
                Kind::Internal,
                reason::POLICY_MISSING,
                "no policy has authorized this call: give one to the ServerLayer of the service",
            ),
            Self::ServiceUnknown => Description::new(
                Kind::Unimplemented,
                reason::SERVICE_UNKNOWN,
                "no such service here",
            ),
            Self::StreamExpired => token_expired(),
            Self::TimeoutInvalid => Description::new(
                Kind::InvalidArgument,
                reason::TIMEOUT_INVALID,
                "grpc-timeout is not a timeout",
            ),
            #[cfg(feature = "jwt")]
            Self::Token(error) => describe_token_error(error),
            Self::TokenMalformed => challenged(
                reason::TOKEN_MALFORMED,
                "the authorization metadata does not hold one bearer token",
                r#"Bearer error="invalid_request""#,
            ),
            Self::TokenMissing => {
                challenged(reason::TOKEN_MISSING, "a bearer token is required", "Bearer")
            }
            Self::Unavailable(_) => Description::new(
                Kind::Unavailable,
                reason::AUTHENTICATION_UNAVAILABLE,
                "callers cannot be authenticated at the moment",
            ),
            Self::UpstreamUnavailable => Description::new(
                Kind::Unavailable,
                reason::UPSTREAM_UNAVAILABLE,
                "the service cannot be reached",
            ),
        }
    }
}

impl Description {
    fn new(kind: RejectionKind, reason: &'static str, message: &'static str) -> Self {
        Self { kind, reason, message, challenge: None }
    }
}

fn unauthenticated(reason: &'static str, message: &'static str) -> Description {
    Description::new(RejectionKind::Unauthenticated, reason, message)
}

fn challenged(reason: &'static str, message: &'static str, challenge: &'static str) -> Description {
    Description { challenge: Some(challenge), ..unauthenticated(reason, message) }
}

fn token_expired() -> Description {
    challenged(
        reason::TOKEN_EXPIRED,
        "the token has expired",
        r#"Bearer error="invalid_token", error_description="the token has expired""#,
    )
}

fn describe_context_error(error: &ContextError) -> Description {
    match error {
        ContextError::NoRoom | ContextError::TooLarge { .. } => Description::new(
            RejectionKind::ResourceExhausted,
            reason::CONTEXT_TOO_LARGE,
            "the user context is too large",
        ),
        _ => unauthenticated(reason::CONTEXT_INVALID, "the user context is not valid"),
    }
}

fn describe_denial(denied: &AccessDenied) -> Description {
    let reason = match denied {
        AccessDenied::NotAllowed => reason::ACCESS_DENIED,
        AccessDenied::PermissionMissing { .. } | AccessDenied::RequirementMissing { .. } => {
            reason::PERMISSION_MISSING
        }
        AccessDenied::RoleMissing { .. } => reason::ROLE_MISSING,
        AccessDenied::RuleMissing { .. } => reason::RULE_MISSING,
    };
    Description::new(RejectionKind::PermissionDenied, reason, "the user may not do this")
}

#[cfg(feature = "jwt")]
fn describe_token_error(error: &TokenError) -> Description {
    match error {
        TokenError::Context(error @ (ContextError::NoRoom | ContextError::TooLarge { .. })) => {
            describe_context_error(error)
        }
        TokenError::Expired => token_expired(),
        TokenError::KeyPending { .. } | TokenError::KeysUnavailable { .. } => Description::new(
            RejectionKind::Unavailable,
            reason::KEYS_UNAVAILABLE,
            "tokens cannot be verified at the moment",
        ),
        TokenError::Revoked => challenged(
            reason::TOKEN_REVOKED,
            "the token has been revoked",
            r#"Bearer error="invalid_token", error_description="the token has been revoked""#,
        ),
        _ => challenged(
            reason::TOKEN_INVALID,
            "the token is not valid",
            r#"Bearer error="invalid_token""#,
        ),
    }
}

/// Whether the text of a denial fits into a response's metadata.
fn is_exposable(denied: &AccessDenied) -> bool {
    denied.to_string().len() <= MAX_DENIAL_LENGTH
}

fn exposed_message(denied: &AccessDenied) -> Cow<'static, str> {
    let exposed = if is_exposable(denied) { denied } else { &AccessDenied::NotAllowed };
    exposed.to_string().into()
}
