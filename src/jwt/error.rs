//! Errors of tokens, keys and configurations.

use std::fmt;
use std::time::Duration;

use super::algorithm::{Algorithm, UnknownAlgorithm};
use crate::context::ContextError;

/// Reason why a token was refused.
///
/// The message is for the operator's log. It is exact, and contains no part of the token except its
/// key id and its issuer, shortened and escaped. The caller receives a generic message: that the
/// token is invalid, has expired, was revoked, or cannot be verified at the moment.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// `alg` is not the algorithm of the key.
    #[error("alg is not {expected}, the algorithm of the key")]
    AlgorithmMismatch {
        /// The name of the key's algorithm.
        expected: &'static str,
    },

    /// `aud` contains none of the [audiences](super::Issuer::audience) of the issuer.
    #[error("aud does not contain an accepted audience")]
    AudienceMismatch,

    /// A claim has the wrong type, or its value is out of bounds.
    #[error("the claim {claim} is invalid: {problem}")]
    ClaimInvalid {
        /// The claim's name or path.
        claim: String,
        /// The problem.
        problem: &'static str,
    },

    /// A required claim is missing.
    #[error("the claim {claim} is missing")]
    ClaimMissing {
        /// The claim's name.
        claim: &'static str,
    },

    /// The claims do not form a valid user context.
    #[error("the claims do not form a valid user context")]
    Context(#[from] ContextError),

    /// `exp` is past.
    #[error("the token has expired")]
    Expired,

    /// A header parameter is forbidden, missing, or of the wrong type.
    #[error("the header parameter {name} is not accepted")]
    HeaderParameter {
        /// The parameter's name.
        name: &'static str,
    },

    /// `iat` is in the future.
    #[error("iat is in the future")]
    IssuedInFuture,

    /// The issuer has no key with the token's `kid`, but the token was issued after the key set was
    /// fetched. It may be valid, and signed with a newer key; the key set is being refetched.
    #[error("{} yet; its key set is being refetched", no_key(.key_id.as_deref()))]
    KeyPending {
        /// The `kid`, shortened.
        key_id: Option<String>,
        /// When to try again.
        retry_after: Duration,
    },

    /// The issuer has no key with the token's `kid`.
    #[error("{}", no_key(.key_id.as_deref()))]
    KeyUnknown {
        /// The `kid`, shortened.
        key_id: Option<String>,
    },

    /// The keys of the issuer have not been fetched yet, or are stale. The token may be valid.
    #[error("the keys of the issuer are unavailable")]
    KeysUnavailable {
        /// When to try again.
        retry_after: Duration,
    },

    /// The lifetime, from `iat` to `exp`, is longer than the
    /// [maximum](super::Issuer::max_lifetime).
    #[error("the lifetime is longer than allowed")]
    LifetimeTooLong,

    /// A part is not base64url without padding.
    #[error("the {part} part is not base64url without padding")]
    NotBase64Url {
        /// The part: `header`, `claims` or `signature`.
        part: &'static str,
    },

    /// The token does not have three parts.
    #[error("not a compact JWS of three parts")]
    NotCompact,

    /// A part is not a JSON object without duplicate names.
    #[error("the {part} part is not a JSON object without duplicate names")]
    NotJson {
        /// The part: `header` or `claims`.
        part: &'static str,
    },

    /// `nbf` is in the future.
    #[error("nbf is in the future")]
    NotYetValid,

    /// The token was revoked.
    #[error("the token has been revoked")]
    Revoked,

    /// The signature was not made with the key.
    #[error("the signature is invalid")]
    SignatureInvalid,

    /// The token is longer than the [maximum](super::Verifier::max_token_size).
    #[error("the token is longer than {max_size} bytes")]
    TooLong {
        /// The maximum length in bytes.
        max_size: usize,
    },

    /// `typ` is not an [accepted type](super::Issuer::token_types).
    #[error("typ is not an accepted token type")]
    TypeNotAccepted,

    /// `iss` is not the name of a configured issuer.
    #[error("the issuer {issuer:?} is not configured")]
    UnknownIssuer {
        /// The `iss`, shortened.
        issuer: String,
    },
}

impl TokenError {
    /// The value of the metric label `error`.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::AlgorithmMismatch { .. } => "algorithm_mismatch",
            Self::AudienceMismatch => "audience_mismatch",
            Self::ClaimInvalid { .. } => "claim_invalid",
            Self::ClaimMissing { .. } => "claim_missing",
            Self::Context(_) => "context",
            Self::Expired => "expired",
            Self::HeaderParameter { .. } => "header_parameter",
            Self::IssuedInFuture => "issued_in_future",
            Self::KeyPending { .. } => "key_pending",
            Self::KeyUnknown { .. } => "key_unknown",
            Self::KeysUnavailable { .. } => "keys_unavailable",
            Self::LifetimeTooLong => "lifetime_too_long",
            Self::NotBase64Url { .. } => "not_base64url",
            Self::NotCompact => "not_compact",
            Self::NotJson { .. } => "not_json",
            Self::NotYetValid => "not_yet_valid",
            Self::Revoked => "revoked",
            Self::SignatureInvalid => "signature_invalid",
            Self::TooLong { .. } => "too_long",
            Self::TypeNotAccepted => "type_not_accepted",
            Self::UnknownIssuer { .. } => "unknown_issuer",
        }
    }

    pub(super) fn unknown_key(key_id: Option<&str>) -> Self {
        Self::KeyUnknown { key_id: key_id.map(excerpt) }
    }
}

/// Reason why a key, or a set of keys, cannot be used.
///
/// Each message begins with the name of the invalid parameter or member. It never contains a secret
/// or a key.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The JWK has no `alg`, and no algorithm is configured for such keys.
    #[error("alg: the key names no algorithm, and none was configured")]
    AlgorithmMissing,

    /// The algorithm cannot be used with a key of this type, or on this curve.
    #[error("alg: {algorithm} cannot be used with a key of type {key_type:?}")]
    AlgorithmMismatch {
        /// The algorithm's name.
        algorithm: &'static str,
        /// The key's `kty`, and its `crv` if it has one.
        key_type: String,
    },

    /// The algorithm is not supported.
    #[error(transparent)]
    AlgorithmUnknown(#[from] UnknownAlgorithm),

    /// Two keys of one algorithm have no id, so that no token can choose between them.
    #[error("kid: two keys for {algorithm} have no id")]
    Ambiguous {
        /// The algorithm of both.
        algorithm: Algorithm,
    },

    /// Two keys of a set have the same `kid`.
    #[error("kid: two keys of the set have the id {key_id:?}")]
    DuplicateKeyId {
        /// The id.
        key_id: String,
    },

    /// A set contains no key.
    #[error("keys: the set is empty")]
    Empty,

    /// The RSA exponent is 1, even, or larger than 33 bits.
    #[error("e: the exponent is not an odd number from 3 to 2^33-1")]
    Exponent,

    /// The key cannot be parsed.
    #[error("{field}: {problem}")]
    Malformed {
        /// The invalid parameter or member.
        field: &'static str,
        /// The problem.
        problem: &'static str,
    },

    /// A set contains no usable key.
    #[error("keys: none is usable; the first was rejected: {first}")]
    NoneUsable {
        /// Reason why the first key was rejected.
        first: Box<KeyError>,
    },

    /// `use` or `key_ops` do not allow verifying signatures with the key.
    #[error("{field}: the key is not for verifying signatures")]
    NotForVerification {
        /// `use` or `key_ops`.
        field: &'static str,
    },

    /// The key is private. A verifier needs the public key only.
    #[error("{field}: a private key; provide the public key")]
    Private {
        /// The parameter or member that holds the key.
        field: &'static str,
    },

    /// A key set, which is public, contains a symmetric key.
    #[error("kty: a key set must not contain a symmetric key")]
    Symmetric,

    /// The key is shorter than its algorithm requires.
    #[error("{field}: {bits} bits, but {algorithm} requires at least {minimum}")]
    TooShort {
        /// The parameter or member that holds the key.
        field: &'static str,
        /// The algorithm's name.
        algorithm: &'static str,
        /// The key's length in bits.
        bits: usize,
        /// The minimum length in bits.
        minimum: usize,
    },
}

/// Invalid setting of a [`Verifier`](super::Verifier) or an [`Issuer`](super::Issuer).
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub struct ConfigError {
    pub(super) issuer: String,
    pub(super) field: &'static str,
    pub(super) problem: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.issuer.is_empty() {
            write!(f, "issuer {:?}: ", self.issuer)?;
        }
        write!(f, "{}: {}", self.field, self.problem)
    }
}

impl ConfigError {
    /// The issuer with the invalid setting; empty when there is no issuer, or it has no name.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The name of the invalid setting: the name of the method that sets it.
    pub fn field(&self) -> &str {
        self.field
    }
}

fn no_key(key_id: Option<&str>) -> String {
    match key_id {
        Some(key_id) => format!("the issuer has no key with the id {key_id:?}"),
        None => "the issuer has no key for a token without a kid".to_owned(),
    }
}

/// The beginning of a text that a token or an issuer sent, for an error message.
pub(super) fn excerpt(text: &str) -> String {
    text.chars().take(120).collect()
}
