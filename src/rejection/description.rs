//! The part of a rejection that the caller receives.

use std::borrow::Cow;
use std::time::Duration;

use super::reason;
use super::variants::{Rejection, RejectionKind};
use crate::context::{AccessDenied, ContextError};
#[cfg(feature = "jwt")]
use crate::jwt::TokenError;

/// The maximum length in bytes of a message that names a requirement. Encoded in the metadata of a
/// response it has up to six times that length, and tonic's clients accept 16 KiB of metadata.
const MAX_DENIAL_LENGTH: usize = 2 * 1024;

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
    pub fn www_authenticate(&self) -> Option<&'static str> {
        self.describe().challenge
    }

    /// The delay after which the same request may succeed.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            #[cfg(feature = "jwt")]
            Self::TokenInvalid(
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
                "the authenticator returned a future, which an interceptor cannot await: use a ServerLayer",
            ),
            Self::ContextInvalid(error) => describe_context_error(error),
            Self::ContextMissing => {
                unauthenticated(reason::CONTEXT_MISSING, "a user context is required")
            }
            Self::CredentialInvalid(_) | Self::CredentialAmbiguous | Self::CredentialRepeated => {
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
            Self::MetadataForged { .. } => {
                unauthenticated(reason::CONTEXT_INVALID, "the user context is not valid")
            }
            Self::MetadataTooLarge => Description::new(
                Kind::ResourceExhausted,
                reason::METADATA_TOO_LARGE,
                "the metadata is too large to be relayed",
            ),
            Self::MethodPathInvalid => Description::new(
                Kind::Unimplemented,
                reason::METHOD_PATH_INVALID,
                "the path is not of the form /package.Service/Method",
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
                "no policy authorized this call: set one with ServerLayer::policy",
            ),
            Self::ServiceUnknown => Description::new(
                Kind::Unimplemented,
                reason::SERVICE_UNKNOWN,
                "the service is unknown",
            ),
            Self::TokenExpired => token_expired(),
            Self::TimeoutInvalid => Description::new(
                Kind::InvalidArgument,
                reason::TIMEOUT_INVALID,
                "grpc-timeout is repeated or malformed",
            ),
            #[cfg(feature = "jwt")]
            Self::TokenInvalid(error) => describe_token_error(error),
            Self::TokenMalformed => challenged(
                reason::TOKEN_MALFORMED,
                "the credential field does not hold exactly one token",
                r#"Bearer error="invalid_request""#,
            ),
            Self::TokenMissing => {
                challenged(reason::TOKEN_MISSING, "a token is required", "Bearer")
            }
            Self::AuthenticationUnavailable(_) => Description::new(
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
        ContextError::HeadersFull | ContextError::TooLarge { .. } => Description::new(
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
        TokenError::Context(
            error @ (ContextError::HeadersFull | ContextError::TooLarge { .. }),
        ) => describe_context_error(error),
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
