use std::fmt;
use std::str::FromStr;

use http::{HeaderName, HeaderValue};
use uuid::Uuid;

use crate::util::byte_set::ByteSet;

/// The metadata key of the request's id.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// How long an id may be, in bytes.
const MAX_LENGTH: usize = 128;

/// The bytes that an id may have.
static PLAIN: ByteSet = ByteSet::alphanumeric_and(b"-._~:+/=@");

/// What all calls have in common that are made on behalf of one request: its id, `x-request-id`.
///
/// It is taken over from whoever calls, or made where a request comes in without one, and is in the
/// tracing spans of every service on the way. It is no secret, and proves nothing.
///
/// An id has up to 128 letters, digits and characters of `-._~:+/=@`; one that is made here is a
/// random UUID (RFC 9562, version 4).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct RequestId(HeaderValue);

/// The text is not the id of a request.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not the id of a request: 1 to 128 letters, digits and -._~:+/=@")]
pub struct InvalidRequestId;

impl RequestId {
    /// A new id, unlike all others.
    pub fn random() -> Self {
        let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
        let text = Uuid::new_v4().hyphenated().encode_lower(&mut text);
        // A UUID is digits, letters and dashes.
        Self(HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("unknown")))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        // It was checked when it was made.
        str::from_utf8(self.0.as_bytes()).unwrap_or_default()
    }

    pub(crate) fn from_value(value: &HeaderValue) -> Option<Self> {
        let id = value.as_bytes();
        let good = (1..=MAX_LENGTH).contains(&id.len()) && PLAIN.contains_all(id);
        good.then(|| Self(value.clone()))
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
