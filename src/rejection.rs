//! Rejections of requests, independent of the protocol, and their reason codes.
//!
//! Each protocol maps [`Rejection`] to its own form. For gRPC, `tonic::Status` implements `From`.
//! Callers receive the [kind](Rejection::kind), the [reason](Rejection::reason) and a short
//! [message](Rejection::message). The `Display` text and the error sources are for the operator's
//! log.
//!
//! The table also has the reasons of [`OutboundError`](crate::outbound::OutboundError), for which the
//! second column is the gRPC code.
//!
//! | reason | kind | when |
//! |---|---|---|
//! | `ACCESS_DENIED` | permission denied | a check of the application denied the caller |
//! | `AUTHENTICATION_UNAVAILABLE` | unavailable | an [`Authenticator`](crate::Authenticator) cannot decide at the moment |
//! | `AUTHENTICATOR_ASYNCHRONOUS` | internal | an interceptor was given an authenticator that returns a future; the message names the remedy |
//! | `CALL_CANCELLED` | cancelled | a service made a call after its incoming call was cancelled |
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

mod description;
pub mod reason;
mod variants;

pub use variants::{Rejection, RejectionKind};

/// The domain of the reasons: the `domain` of every `google.rpc.ErrorInfo` of this crate.
pub const DOMAIN: &str = "tonic-passport";
