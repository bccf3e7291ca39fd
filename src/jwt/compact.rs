//! Compact serialization of a JWS (RFC 7515, section 3.1).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::error::TokenError;

/// The names of the parts in errors.
pub(super) const HEADER: &str = "header";
pub(super) const CLAIMS: &str = "claims";
const SIGNATURE: &str = "signature";

/// The parts of a token, still encoded.
pub(super) struct Compact<'a> {
    pub(super) header: &'a str,
    pub(super) claims: &'a str,
    pub(super) signature: &'a str,
    /// The signed text: header and claims with the dot between them.
    pub(super) message: &'a str,
}

impl<'a> Compact<'a> {
    /// Splits a token of at most `max_size` bytes. A longer one is refused unread.
    pub(super) fn split(token: &'a str, max_size: usize) -> Result<Self, TokenError> {
        if token.len() > max_size {
            return Err(TokenError::TooLong { max_size });
        }
        let (message, signature) = token.rsplit_once('.').ok_or(TokenError::NotCompact)?;
        let (header, claims) = message.split_once('.').ok_or(TokenError::NotCompact)?;
        if claims.contains('.') {
            return Err(TokenError::NotCompact);
        }
        Ok(Self { header, claims, signature, message })
    }

    /// A buffer that is large enough for all decoded parts.
    pub(super) fn buffer(&self) -> Vec<u8> {
        vec![0; self.message.len() + self.signature.len()]
    }

    /// Decodes all parts into the buffer.
    pub(super) fn decode<'b>(&self, buffer: &'b mut [u8]) -> Result<Decoded<'b>, TokenError> {
        let (header, buffer) = decode(HEADER, self.header, buffer)?;
        let (claims, buffer) = decode(CLAIMS, self.claims, buffer)?;
        let (signature, _) = decode(SIGNATURE, self.signature, buffer)?;
        Ok(Decoded { header, claims, signature })
    }
}

/// The decoded parts of a token.
pub(super) struct Decoded<'a> {
    pub(super) header: &'a [u8],
    pub(super) claims: &'a [u8],
    pub(super) signature: &'a [u8],
}

/// Decodes base64url as RFC 7515 demands it: no padding, no other alphabet, no white space, and no
/// unused bits that are set. So each part has exactly one encoding.
///
/// Returns the decoded bytes, and the rest of the buffer.
fn decode<'b>(
    part: &'static str,
    encoded: &str,
    buffer: &'b mut [u8],
) -> Result<(&'b [u8], &'b mut [u8]), TokenError> {
    let length = URL_SAFE_NO_PAD
        .decode_slice(encoded, buffer)
        .map_err(|_| TokenError::NotBase64Url { part })?;
    let (decoded, rest) = buffer.split_at_mut(length);
    Ok((decoded, rest))
}
