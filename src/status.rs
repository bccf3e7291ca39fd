//! What a caller is told: every rejection becomes a [`tonic::Status`] here, and nowhere else.
//!
//! | reason | code | when |
//! |---|---|---|
//! | `CONTEXT_INVALID` | `UNAUTHENTICATED` | a context key is repeated, aliased or malformed |
//! | `CONTEXT_MISSING` | `UNAUTHENTICATED` | an internal service was called without a context |
//! | `CONTEXT_NOT_PROPAGATED` | `INTERNAL` | a client layer found no context to propagate |
//! | `CONTEXT_TOO_LARGE` | `RESOURCE_EXHAUSTED` | the context is over its budget |
//! | `CREDENTIAL_INVALID` | `UNAUTHENTICATED` | a strategy of your own refused a credential |
//! | `METHOD_PATH_INVALID` | `UNIMPLEMENTED` | the path is not `/package.Service/Method` |
//! | `PERMISSION_MISSING` | `PERMISSION_DENIED` | the user lacks the permission named in `permission` |
//! | `ROLE_MISSING` | `PERMISSION_DENIED` | the user lacks the role named in `role` |
//! | `SERVICE_UNKNOWN` | `UNIMPLEMENTED` | a gateway has no route to the service |
//! | `TOKEN_EXPIRED` | `UNAUTHENTICATED` | the token is good otherwise |
//! | `TOKEN_INVALID` | `UNAUTHENTICATED` | the token is bad in any other way |
//! | `TOKEN_MALFORMED` | `UNAUTHENTICATED` | `authorization` does not hold one bearer token |
//! | `TOKEN_MISSING` | `UNAUTHENTICATED` | there is no `authorization` |
//! | `UPSTREAM_UNAVAILABLE` | `UNAVAILABLE` | a gateway could not reach the service |
//!
//! Each status carries a `google.rpc.ErrorInfo` with the reason and the domain [`DOMAIN`]. Those
//! about tokens carry `www-authenticate` (RFC 6750, section 3) as well.

use std::collections::HashMap;
use std::error::Error;

use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Status, TimeoutExpired};
use tonic_types::{ErrorDetails, StatusExt};

use crate::authenticate::Rejection;
use crate::client::NotPropagated;
use crate::context::{AccessDenied, ContextError};
use crate::jwt::TokenError;

/// The domain of every `ErrorInfo` of this crate.
pub const DOMAIN: &str = "tonic-passport";

impl From<Rejection> for Status {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::Context(error) | Rejection::Token(TokenError::Context(error))
                if matches!(error, ContextError::NoRoom | ContextError::TooLarge { .. }) =>
            {
                error.into()
            }
            Rejection::Context(error) => error.into(),
            Rejection::ContextMissing => {
                status(Code::Unauthenticated, "CONTEXT_MISSING", "a user context is required", [])
            }
            Rejection::Credential(_) => status(
                Code::Unauthenticated,
                "CREDENTIAL_INVALID",
                "the credential is not valid",
                [],
            ),
            Rejection::Token(TokenError::Expired) => challenge(
                "TOKEN_EXPIRED",
                "the token has expired",
                r#"Bearer error="invalid_token", error_description="the token has expired""#,
            ),
            Rejection::Token(_) => challenge(
                "TOKEN_INVALID",
                "the token is not valid",
                r#"Bearer error="invalid_token""#,
            ),
            Rejection::TokenMalformed => challenge(
                "TOKEN_MALFORMED",
                "the authorization metadata does not hold one bearer token",
                r#"Bearer error="invalid_request""#,
            ),
            Rejection::TokenMissing => {
                challenge("TOKEN_MISSING", "a bearer token is required", "Bearer")
            }
        }
    }
}

impl From<ContextError> for Status {
    fn from(error: ContextError) -> Self {
        match error {
            ContextError::NoRoom | ContextError::TooLarge { .. } => status(
                Code::ResourceExhausted,
                "CONTEXT_TOO_LARGE",
                "the user context is too large",
                [],
            ),
            _ => status(
                Code::Unauthenticated,
                "CONTEXT_INVALID",
                "the user context is not valid",
                [],
            ),
        }
    }
}

impl From<AccessDenied> for Status {
    fn from(denied: AccessDenied) -> Self {
        let message = denied.to_string();
        let (reason, detail) = match denied {
            AccessDenied::PermissionMissing { permission } => {
                ("PERMISSION_MISSING", ("permission", permission))
            }
            AccessDenied::RoleMissing { role } => ("ROLE_MISSING", ("role", role)),
        };
        status(Code::PermissionDenied, reason, &message, [detail])
    }
}

impl From<NotPropagated> for Status {
    fn from(error: NotPropagated) -> Self {
        status(Code::Internal, "CONTEXT_NOT_PROPAGATED", &error.to_string(), [])
    }
}

pub(crate) fn method_path_invalid() -> Status {
    status(Code::Unimplemented, "METHOD_PATH_INVALID", "the path is not that of a method", [])
}

pub(crate) fn service_unknown() -> Status {
    status(Code::Unimplemented, "SERVICE_UNKNOWN", "no such service here", [])
}

/// What a gateway answers when an upstream broke the call off: no answer, or half of one.
pub(crate) fn from_upstream(path: &str, error: &(dyn Error + 'static)) -> Status {
    tracing::warn!(path, error = describe(error), "upstream failed");
    if has_timed_out(error) {
        return Status::deadline_exceeded("the deadline has passed");
    }
    status(Code::Unavailable, "UPSTREAM_UNAVAILABLE", "the service cannot be reached", [])
}

fn has_timed_out(error: &(dyn Error + 'static)) -> bool {
    error.is::<TimeoutExpired>() || error.source().is_some_and(has_timed_out)
}

/// An error with its causes, on one line.
fn describe(error: &(dyn Error + 'static)) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", describe(source)),
        None => error.to_string(),
    }
}

fn challenge(reason: &str, message: &str, challenge: &'static str) -> Status {
    let mut metadata = MetadataMap::new();
    metadata.insert("www-authenticate", MetadataValue::from_static(challenge));
    let details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new());
    Status::with_error_details_and_metadata(Code::Unauthenticated, message, details, metadata)
}

fn status<const N: usize>(
    code: Code,
    reason: &str,
    message: &str,
    metadata: [(&str, String); N],
) -> Status {
    let metadata: HashMap<String, String> =
        metadata.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let details = ErrorDetails::with_error_info(reason, DOMAIN, metadata);
    Status::with_error_details(code, message, details)
}
