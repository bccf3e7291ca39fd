//! What a caller is told: every rejection becomes a `tonic::Status` here, and nowhere else.
//!
//! | reason | code | when |
//! |---|---|---|
//! | `ACCESS_DENIED` | `PERMISSION_DENIED` | a check of your own says so |
//! | `AUTHENTICATION_UNAVAILABLE` | `UNAVAILABLE` | a strategy of your own cannot tell at the moment |
//! | `CALL_CANCELLED` | `CANCELLED` | a service made a call on behalf of one that was cancelled |
//! | `CONTEXT_INVALID` | `UNAUTHENTICATED` | a context key is repeated, aliased, malformed or forged |
//! | `CONTEXT_MISSING` | `UNAUTHENTICATED` | an internal service was called without a context |
//! | `CONTEXT_NOT_PROPAGATED` | `INTERNAL` | a service made a call without a user; the message tells its developer how to mend it |
//! | `CONTEXT_TOO_LARGE` | `RESOURCE_EXHAUSTED` | the context is over its budget |
//! | `CREDENTIAL_INVALID` | `UNAUTHENTICATED` | a strategy of your own refused a credential |
//! | `CREDENTIAL_MISSING` | `UNAUTHENTICATED` | a strategy of your own was shown no credential, or [`Policy::authorize`](crate::Policy::authorize) no caller |
//! | `DEADLINE_EXCEEDED` | `DEADLINE_EXCEEDED` | the call was not answered in time, or no time was left to make it |
//! | `DESTINATION_NOT_ALLOWED` | `INTERNAL` | a service made a call to a destination that its client layer is not for; the message names it |
//! | `KEYS_UNAVAILABLE` | `UNAVAILABLE` | the keys of the token's issuer, or the newest of them, are not to be had yet; with a `RetryInfo` |
//! | `METADATA_TOO_LARGE` | `RESOURCE_EXHAUSTED` | more than a gateway relays: 16 KiB |
//! | `METHOD_PATH_INVALID` | `UNIMPLEMENTED` | the path is not `/package.Service/Method` |
//! | `PERMISSION_MISSING` | `PERMISSION_DENIED` | the user lacks the permission named in `permission`; or the policy does not let them call the method, and names what is missing in `permission`, `role` or `required` where it is to [tell](crate::policy::PolicyBuilder::expose_requirements) |
//! | `POLICY_MISSING` | `INTERNAL` | a handler demands that a policy has let its caller in, and its server has none; the message tells its developer how to mend it |
//! | `ROLE_MISSING` | `PERMISSION_DENIED` | a handler demands the role named in `role`, which the user lacks |
//! | `RULE_MISSING` | `PERMISSION_DENIED` | the policy has no rule for the method |
//! | `SERVICE_UNKNOWN` | `UNIMPLEMENTED` | a gateway has no route to the service |
//! | `TIMEOUT_INVALID` | `INVALID_ARGUMENT` | `grpc-timeout` is repeated, or no timeout |
//! | `TOKEN_EXPIRED` | `UNAUTHENTICATED` | the token is good otherwise; or it was, and a stream has outlived it |
//! | `TOKEN_INVALID` | `UNAUTHENTICATED` | the token is bad in any other way |
//! | `TOKEN_MALFORMED` | `UNAUTHENTICATED` | `authorization` does not hold one bearer token |
//! | `TOKEN_MISSING` | `UNAUTHENTICATED` | there is no `authorization` |
//! | `TOKEN_REVOKED` | `UNAUTHENTICATED` | the token was good, and has been revoked |
//! | `UPSTREAM_UNAVAILABLE` | `UNAVAILABLE` | a gateway could not reach the service |
//!
//! Each of them carries a `google.rpc.ErrorInfo` with the reason and the domain [`DOMAIN`]. Those
//! about tokens carry `www-authenticate` (RFC 6750, section 3) as well.

use std::collections::HashMap;
use std::error::Error;
use std::time::Duration;

use http::HeaderMap;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Status, TimeoutExpired};
use tonic_types::{ErrorDetails, StatusExt};

use crate::authenticate::Rejection;
use crate::context::{AccessDenied, ContextError};
use crate::jwt::TokenError;
use crate::util::describe;

/// The domain of every `ErrorInfo` of this crate.
pub const DOMAIN: &str = "tonic-passport";

/// The reasons, for clients that act on them.
#[expect(missing_docs, reason = "the table above says what each means")]
pub mod reason {
    pub const ACCESS_DENIED: &str = "ACCESS_DENIED";
    pub const AUTHENTICATION_UNAVAILABLE: &str = "AUTHENTICATION_UNAVAILABLE";
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

/// The longest text, in bytes, that says what is missing. In an answer's metadata it takes up to
/// six times that, and tonic's clients accept 16 KiB there.
const LONGEST_DENIAL: usize = 2 * 1024;

/// What a caller is told.
struct Answer {
    code: Code,
    reason: &'static str,
    message: &'static str,
    /// The value of `www-authenticate`.
    challenge: Option<&'static str>,
}

impl Rejection {
    /// The reason that a caller is told.
    pub(crate) fn reason(&self) -> &'static str {
        self.answer().reason
    }

    fn answer(&self) -> Answer {
        let answer = |code, reason, message| Answer { code, reason, message, challenge: None };
        let unauthenticated = |reason, message| answer(Code::Unauthenticated, reason, message);
        let challenge = |reason, message, challenge| Answer {
            challenge: Some(challenge),
            ..unauthenticated(reason, message)
        };
        match self {
            Self::Context(ContextError::NoRoom | ContextError::TooLarge { .. })
            | Self::Token(TokenError::Context(
                ContextError::NoRoom | ContextError::TooLarge { .. },
            )) => answer(
                Code::ResourceExhausted,
                reason::CONTEXT_TOO_LARGE,
                "the user context is too large",
            ),
            Self::Context(_) | Self::Forged { .. } => {
                unauthenticated(reason::CONTEXT_INVALID, "the user context is not valid")
            }
            Self::ContextMissing => {
                unauthenticated(reason::CONTEXT_MISSING, "a user context is required")
            }
            Self::Credential(_) | Self::CredentialRepeated => {
                unauthenticated(reason::CREDENTIAL_INVALID, "the credential is not valid")
            }
            Self::CredentialMissing => {
                unauthenticated(reason::CREDENTIAL_MISSING, "a credential is required")
            }
            Self::DeadlineExceeded => {
                answer(Code::DeadlineExceeded, reason::DEADLINE_EXCEEDED, "the deadline has passed")
            }
            Self::PolicyDenied { denied: AccessDenied::RuleMissing { .. }, .. } => answer(
                Code::PermissionDenied,
                reason::RULE_MISSING,
                "there is no rule for the method",
            ),
            // The same for a permission and a role, told or not, so that a client can act on it.
            Self::PolicyDenied { .. } => answer(
                Code::PermissionDenied,
                reason::PERMISSION_MISSING,
                "the caller may not call the method",
            ),
            Self::PolicyMissing => answer(
                Code::Internal,
                reason::POLICY_MISSING,
                "no policy has let this call in: give one to the ServerLayer in front of the service",
            ),
            Self::TimeoutInvalid => answer(
                Code::InvalidArgument,
                reason::TIMEOUT_INVALID,
                "grpc-timeout is not a timeout",
            ),
            Self::Token(TokenError::Expired) => challenge(
                reason::TOKEN_EXPIRED,
                "the token has expired",
                r#"Bearer error="invalid_token", error_description="the token has expired""#,
            ),
            Self::Token(TokenError::KeyPending { .. } | TokenError::KeysUnavailable { .. }) => {
                answer(
                    Code::Unavailable,
                    reason::KEYS_UNAVAILABLE,
                    "tokens cannot be verified at the moment",
                )
            }
            Self::Token(TokenError::Revoked) => challenge(
                reason::TOKEN_REVOKED,
                "the token has been revoked",
                r#"Bearer error="invalid_token", error_description="the token has been revoked""#,
            ),
            Self::Token(_) => challenge(
                reason::TOKEN_INVALID,
                "the token is not valid",
                r#"Bearer error="invalid_token""#,
            ),
            Self::TokenMalformed => challenge(
                reason::TOKEN_MALFORMED,
                "the authorization metadata does not hold one bearer token",
                r#"Bearer error="invalid_request""#,
            ),
            Self::TokenMissing => {
                challenge(reason::TOKEN_MISSING, "a bearer token is required", "Bearer")
            }
            Self::Unavailable(_) => answer(
                Code::Unavailable,
                reason::AUTHENTICATION_UNAVAILABLE,
                "callers cannot be authenticated at the moment",
            ),
        }
    }

    /// When another attempt may have a better answer.
    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Token(
                TokenError::KeyPending { retry_after, .. }
                | TokenError::KeysUnavailable { retry_after },
            ) => Some(*retry_after),
            _ => None,
        }
    }
}

impl From<Rejection> for Status {
    fn from(rejection: Rejection) -> Self {
        let Answer { code, reason, message, challenge } = rejection.answer();
        if let Rejection::PolicyDenied { denied, is_told: true } = rejection {
            return denied_for(reason, denied);
        }
        let mut details = error_info(reason, []);
        if let Some(retry_after) = rejection.retry_after() {
            details.set_retry_info(Some(retry_after));
        }
        let mut metadata = MetadataMap::new();
        if let Some(challenge) = challenge {
            metadata.insert("www-authenticate", MetadataValue::from_static(challenge));
        }
        Status::with_error_details_and_metadata(code, message, details, metadata)
    }
}

impl From<AccessDenied> for Status {
    fn from(denied: AccessDenied) -> Self {
        denied_for(denied.reason(), denied)
    }
}

/// Says what is missing.
fn denied_for(reason: &str, denied: AccessDenied) -> Status {
    let code = Code::PermissionDenied;
    let message = denied.to_string();
    if message.len() > LONGEST_DENIAL {
        return status(code, reason, &AccessDenied::NotAllowed.to_string(), []);
    }
    let (name, value) = match denied {
        AccessDenied::NotAllowed | AccessDenied::RuleMissing { .. } => {
            return status(code, reason, &message, []);
        }
        AccessDenied::PermissionMissing { permission } => ("permission", permission),
        AccessDenied::RequirementMissing { required } => ("required", required),
        AccessDenied::RoleMissing { role } => ("role", role),
    };
    status(code, reason, &message, [(name, value)])
}

impl AccessDenied {
    /// The reason that a caller is told.
    fn reason(&self) -> &'static str {
        match self {
            Self::NotAllowed => reason::ACCESS_DENIED,
            Self::PermissionMissing { .. } | Self::RequirementMissing { .. } => {
                reason::PERMISSION_MISSING
            }
            Self::RoleMissing { .. } => reason::ROLE_MISSING,
            Self::RuleMissing { .. } => reason::RULE_MISSING,
        }
    }
}

/// Says to the developer of a service how to mend it.
pub(crate) fn not_propagated() -> Status {
    let message = "no user context to propagate: start the task with tonic_passport::spawn, make the \
                   call within CallContext::scope or UserContext::scope, put a UserContext into the \
                   request's extensions, or allow anonymous calls";
    status(Code::Internal, reason::CONTEXT_NOT_PROPAGATED, message, [])
}

/// Says to the developer of a service where its client layer may be used.
pub(crate) fn destination_not_allowed(destination: Option<&str>) -> Status {
    let message = match destination {
        Some(name) => format!(
            "the destination {name:?} is none of those that the user context may be sent to"
        ),
        None => "it is not known where the call goes, and the user context may not be sent \
                 anywhere: wrap the channel with ClientLayer::wrap_with_origin, or give the client an origin"
            .to_owned(),
    };
    status(Code::Internal, reason::DESTINATION_NOT_ALLOWED, &message, [])
}

pub(crate) fn call_cancelled() -> Status {
    let message = "the call on whose behalf this one is made was cancelled";
    status(Code::Cancelled, reason::CALL_CANCELLED, message, [])
}

pub(crate) fn method_path_invalid() -> Status {
    status(Code::Unimplemented, reason::METHOD_PATH_INVALID, "the path is not that of a method", [])
}

pub(crate) fn metadata_too_large() -> Status {
    let message = "more metadata than is relayed";
    status(Code::ResourceExhausted, reason::METADATA_TOO_LARGE, message, [])
}

pub(crate) fn service_unknown() -> Status {
    status(Code::Unimplemented, reason::SERVICE_UNKNOWN, "no such service here", [])
}

/// What is told of a call that was not answered in time, by whoever waited for it.
pub(crate) fn deadline_exceeded() -> Status {
    Rejection::DeadlineExceeded.into()
}

/// A status as the trailers that end a stream.
pub(crate) fn trailers(status: &Status) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    // It is one of this crate's, which all have their place in headers.
    if status.add_header(&mut trailers).is_err() {
        trailers.insert(Status::GRPC_STATUS, u16::from(status.code() as u8).into());
    }
    trailers
}

/// What a gateway answers when an upstream broke the call off: no answer, or half of one.
pub(crate) fn from_upstream(path: &str, error: &(dyn Error + 'static)) -> Status {
    tracing::warn!(path, error = describe(error), "upstream failed");
    if has_timed_out(error) {
        return deadline_exceeded();
    }
    status(Code::Unavailable, reason::UPSTREAM_UNAVAILABLE, "the service cannot be reached", [])
}

fn has_timed_out(error: &(dyn Error + 'static)) -> bool {
    error.is::<TimeoutExpired>() || error.source().is_some_and(has_timed_out)
}

fn status<const N: usize>(
    code: Code,
    reason: &str,
    message: &str,
    metadata: [(&str, String); N],
) -> Status {
    Status::with_error_details(code, message, error_info(reason, metadata))
}

fn error_info<const N: usize>(reason: &str, metadata: [(&str, String); N]) -> ErrorDetails {
    let metadata: HashMap<String, String> =
        metadata.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    ErrorDetails::with_error_info(reason, DOMAIN, metadata)
}
