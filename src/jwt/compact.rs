//! The compact serialization of a JWS (RFC 7515, section 3.1).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::error::{Part, TokenError};

/// The parts of a token, still encoded.
pub(super) struct Compact<'a> {
    pub(super) header: &'a str,
    pub(super) claims: &'a str,
    pub(super) signature: &'a str,
    /// What is signed: header and claims with the dot between them.
    pub(super) message: &'a str,
}

impl<'a> Compact<'a> {
    /// Splits a token of at most `limit` bytes. What is too long is not looked at.
    pub(super) fn split(token: &'a str, limit: usize) -> Result<Self, TokenError> {
        if token.len() > limit {
            return Err(TokenError::TooLong { limit });
        }
        let (message, signature) = token.rsplit_once('.').ok_or(TokenError::NotCompact)?;
        let (header, claims) = message.split_once('.').ok_or(TokenError::NotCompact)?;
        if claims.contains('.') {
            return Err(TokenError::NotCompact);
        }
        Ok(Self { header, claims, signature, message })
    }
}

/// Decodes base64url as RFC 7515 wants it: no padding, no other alphabet, no blanks, and no bits
/// set that decode to nothing.
pub(super) fn decode(part: Part, encoded: &str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD.decode(encoded).map_err(|_| TokenError::NotBase64Url { part })
}
