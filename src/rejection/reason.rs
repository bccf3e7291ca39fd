//! The reason codes of rejections, for clients that act on them.

#![expect(missing_docs, reason = "the table of the parent module describes each of them")]

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
