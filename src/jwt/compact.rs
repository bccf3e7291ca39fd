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

    /// Room for all parts, decoded.
    pub(super) fn buffer(&self) -> Vec<u8> {
        vec![0; self.message.len() + self.signature.len()]
    }

    /// Decodes all parts into the buffer.
    pub(super) fn decode<'b>(&self, buffer: &'b mut [u8]) -> Result<Decoded<'b>, TokenError> {
        let (header, buffer) = decode(Part::Header, self.header, buffer)?;
        let (claims, buffer) = decode(Part::Claims, self.claims, buffer)?;
        let (signature, _) = decode(Part::Signature, self.signature, buffer)?;
        Ok(Decoded { header, claims, signature })
    }
}

/// The parts of a token.
pub(super) struct Decoded<'a> {
    pub(super) header: &'a [u8],
    pub(super) claims: &'a [u8],
    pub(super) signature: &'a [u8],
}

/// Decodes base64url as RFC 7515 wants it: no padding, no other alphabet, no blanks, and no bits
/// set that decode to nothing.
/// Answers with what was decoded, and the rest of the buffer.
fn decode<'b>(
    part: Part,
    encoded: &str,
    buffer: &'b mut [u8],
) -> Result<(&'b [u8], &'b mut [u8]), TokenError> {
    let length = URL_SAFE_NO_PAD
        .decode_slice(encoded, buffer)
        .map_err(|_| TokenError::NotBase64Url { part })?;
    let (decoded, rest) = buffer.split_at_mut(length);
    Ok((decoded, rest))
}
