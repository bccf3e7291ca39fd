use std::fmt;
use std::time::Duration;

use super::algorithm::{Algorithm, UnknownAlgorithm};
use crate::context::ContextError;

/// Why a token was refused.
///
/// The message is for the operator's log, exact and without any part of the token but its key id
/// and its issuer, shortened and escaped. A caller is told no more than that the token is invalid,
/// or has expired.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The header's `alg` is not the key's.
    #[error("alg is not {expected}, the algorithm of the key")]
    AlgorithmMismatch {
        /// The name of the key's algorithm.
        expected: &'static str,
    },

    /// `aud` holds no audience of ours.
    #[error("aud does not hold the audience")]
    AudienceMismatch,

    /// A claim has the wrong type, or a value out of bounds.
    #[error("the claim {claim} is invalid: {problem}")]
    ClaimInvalid {
        /// The claim's name or path.
        claim: String,
        /// What is wrong with it.
        problem: &'static str,
    },

    /// A required claim is missing.
    #[error("the claim {claim} is missing")]
    ClaimMissing {
        /// The claim's name.
        claim: &'static str,
    },

    /// The claims do not make a user context.
    #[error("the claims make no user context")]
    Context(#[from] ContextError),

    /// `exp` is past.
    #[error("the token has expired")]
    Expired,

    /// A header parameter is there that is refused, or has the wrong type.
    #[error("the header parameter {name} is not accepted")]
    HeaderParameter {
        /// The parameter's name.
        name: &'static str,
    },

    /// `iat` is ahead of the clock.
    #[error("iat is ahead of the clock")]
    IssuedInFuture,

    /// No key of the issuer's has the token's `kid`. As the token was issued after the keys were
    /// fetched, its key may be too new to be known here: the token may be good.
    #[error("{} is not known yet; the keys are fetched anew", key(.key_id.as_deref()))]
    KeyPending {
        /// The `kid`, shortened.
        key_id: Option<String>,
        /// When another attempt may have a better answer.
        retry_after: Duration,
    },

    /// No key of the issuer's has the token's `kid`.
    #[error("{} is none of the issuer's", key(.key_id.as_deref()))]
    KeyUnknown {
        /// The `kid`, shortened.
        key_id: Option<String>,
    },

    /// The issuer's keys are not to be had: the token may be good.
    #[error("the keys of the issuer are not to be had")]
    KeysUnavailable {
        /// When another attempt may have a better answer.
        retry_after: Duration,
    },

    /// From `iat` to `exp` it is longer than allowed.
    #[error("the lifetime is longer than allowed")]
    LifetimeTooLong,

    /// A part is not base64url without padding.
    #[error("the {part} is not base64url")]
    NotBase64Url {
        /// Which part.
        part: Part,
    },

    /// The token does not have three parts.
    #[error("not a compact JWS of three parts")]
    NotCompact,

    /// A part is not a JSON object without duplicate names.
    #[error("the {part} is not a JSON object without duplicate names")]
    NotJson {
        /// Which part.
        part: Part,
    },

    /// `nbf` is ahead.
    #[error("nbf is ahead of the clock")]
    NotYetValid,

    /// The token was revoked.
    #[error("the token has been revoked")]
    Revoked,

    /// The signature is not the key's.
    #[error("the signature is wrong")]
    SignatureInvalid,

    /// The token is longer than allowed.
    #[error("more than {limit} bytes")]
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },

    /// `typ` is not that of an access token.
    #[error("typ is not accepted")]
    TypeNotAccepted,

    /// `iss` is none of the configured issuers.
    #[error("the issuer {issuer:?} is not configured")]
    UnknownIssuer {
        /// The `iss`, shortened.
        issuer: String,
    },
}

impl TokenError {
    /// A name for metrics.
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

/// A part of a token.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Part {
    /// The second part: the claims.
    Claims,
    /// The first part: the JOSE header.
    Header,
    /// The third part: the signature.
    Signature,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Claims => "claims part",
            Self::Header => "header",
            Self::Signature => "signature",
        })
    }
}

/// Why a key, or a set of keys, cannot be used.
///
/// Each message begins with the name of the parameter or member that is wrong. Secrets and keys
/// are never part of it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Neither the JWK nor the configuration says which algorithm the key is for.
    #[error("alg: the key names no algorithm, and none was configured")]
    AlgorithmMissing,

    /// The algorithm is not one for this type of key, or not for its curve.
    #[error("alg: {algorithm} does not go with a key of type {key_type:?}")]
    AlgorithmMismatch {
        /// The algorithm's name.
        algorithm: &'static str,
        /// The key's `kty`, and its `crv` where it has one.
        key_type: String,
    },

    /// The algorithm is not supported.
    #[error(transparent)]
    AlgorithmUnknown(#[from] UnknownAlgorithm),

    /// Two keys of one algorithm have no id, and a token could not choose between them.
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

    /// A set holds no key.
    #[error("keys: the set is empty")]
    Empty,

    /// The RSA exponent is 1, even, or larger than 33 bits.
    #[error("e: the exponent is not an odd number from 3 to 2^33-1")]
    Exponent,

    /// The key cannot be parsed.
    #[error("{field}: {problem}")]
    Malformed {
        /// The parameter or member that is wrong.
        field: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },

    /// A set holds no key that can be used.
    #[error("keys: none can be used; of the first, {first}")]
    NoneUsable {
        /// Why the first one cannot.
        first: Box<KeyError>,
    },

    /// `use` or `key_ops` do not allow to verify with this key.
    #[error("{field}: the key is not for verifying signatures")]
    NotForVerification {
        /// `use` or `key_ops`.
        field: &'static str,
    },

    /// The key is private. A verifier needs only the public one.
    #[error("{field}: this is a private key; a verifier needs the public one")]
    Private {
        /// The parameter or member that holds the key.
        field: &'static str,
    },

    /// A key set, which is public, holds a symmetric key.
    #[error("kty: a symmetric key has no place in a key set")]
    Symmetric,

    /// The key is shorter than its algorithm demands.
    #[error("{field}: {bits} bits, but {algorithm} needs {minimum} or more")]
    TooShort {
        /// The parameter or member that holds the key.
        field: &'static str,
        /// The algorithm's name.
        algorithm: &'static str,
        /// The key's length in bits.
        bits: usize,
        /// The least length in bits.
        minimum: usize,
    },
}

/// Why a configuration cannot work.
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
    /// The issuer whose configuration is wrong; empty when there is none, or it has no name.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The name of the setting that is wrong, as the method that sets it is called.
    pub fn field(&self) -> &str {
        self.field
    }
}

fn key(key_id: Option<&str>) -> String {
    key_id.map_or_else(|| "a key without an id".to_owned(), |key_id| format!("the key {key_id:?}"))
}

/// The beginning of a text from a token, for an error.
pub(super) fn excerpt(text: &str) -> String {
    text.chars().take(120).collect()
}
