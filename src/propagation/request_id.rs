//! The id that all calls on behalf of one request share.

use std::fmt;
use std::str::FromStr;

use http::{HeaderName, HeaderValue};
use uuid::Uuid;

use crate::util::byte_set::ByteSet;

/// The metadata key of the request id.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The maximum length of an id, in bytes.
const MAX_LENGTH: usize = 128;

/// The bytes that an id may contain.
static ID_BYTES: ByteSet = ByteSet::alphanumeric_and(b"-._~:+/=@");

/// Request id (`x-request-id`), shared by all calls that are made on behalf of one request.
///
/// It is taken from the caller, or generated if a request has none, and recorded in the tracing
/// spans of every service. It is not a secret, and must not be used for authentication.
///
/// An id consists of 1 to 128 characters: ASCII letters, digits and `-._~:+/=@`. A generated id is
/// a random UUID (RFC 9562, version 4).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct RequestId(HeaderValue);

/// Error of parsing a [`RequestId`].
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a request id: expected 1 to 128 letters, digits and characters of -._~:+/=@")]
pub struct InvalidRequestId;

impl RequestId {
    /// Generates a unique id: a random UUID.
    pub fn random() -> Self {
        let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
        let text = Uuid::new_v4().hyphenated().encode_lower(&mut text);
        // A UUID consists of digits, letters and dashes, so the conversion does not fail.
        Self(HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("unknown")))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        // Validated on creation, so the conversion does not fail.
        str::from_utf8(self.0.as_bytes()).unwrap_or_default()
    }

    pub(crate) fn from_value(value: &HeaderValue) -> Option<Self> {
        let id = value.as_bytes();
        let is_valid = (1..=MAX_LENGTH).contains(&id.len()) && ID_BYTES.contains_all(id);
        is_valid.then(|| Self(value.clone()))
    }

    pub(crate) fn value(&self) -> &HeaderValue {
        &self.0
    }
}

impl FromStr for RequestId {
    type Err = InvalidRequestId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        HeaderValue::from_str(text)
            .ok()
            .and_then(|value| Self::from_value(&value))
            .ok_or(InvalidRequestId)
    }
}

impl AsRef<str> for RequestId {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
