//! A single value of a context, kept in encoded and in decoded form.

use http::HeaderValue;

/// A value of a context in the form that metadata has it, with its decoded text.
///
/// The text is stored separately only if it differs from the encoded form, so a value without
/// escapes shares the bytes of the `HeaderValue` that it was read from.
pub(crate) struct EncodedValue {
    encoded: HeaderValue,
    /// The decoded text; `None` if it equals the encoded form.
    decoded: Option<Box<str>>,
}

impl Default for EncodedValue {
    fn default() -> Self {
        Self::plain(HeaderValue::from_static(""))
    }
}

impl EncodedValue {
    /// A value whose encoded form equals its text: printable ASCII without escapes.
    pub(crate) fn plain(value: HeaderValue) -> Self {
        Self { encoded: value, decoded: None }
    }

    /// A value with percent-escapes, and its decoded text.
    pub(crate) fn escaped(encoded: HeaderValue, decoded: String) -> Self {
        Self { encoded, decoded: Some(decoded.into_boxed_str()) }
    }

    /// The encoded form, as it is written into metadata.
    pub(crate) fn encoded(&self) -> &HeaderValue {
        &self.encoded
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.encoded.is_empty()
    }

    /// The decoded text.
    pub(super) fn as_str(&self) -> &str {
        match &self.decoded {
            Some(text) => text,
            // A plain value is ASCII, so the conversion does not fail.
            None => str::from_utf8(self.encoded.as_bytes()).unwrap_or_default(),
        }
    }

    /// The bytes of the decoded text.
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.decoded.as_ref().map_or(self.encoded.as_bytes(), |text| text.as_bytes())
    }

    /// An upper estimate of the heap memory of the value, in bytes.
    pub(super) fn size(&self) -> usize {
        // `Bytes` keeps its reference count in a separate allocation.
        let encoded = allocation_size(self.encoded.len()) + 2 * allocation_size(0);
        encoded + self.decoded.as_ref().map_or(0, |text| allocation_size(text.len()))
    }
}

impl PartialEq for EncodedValue {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

/// The memory that an allocation of this many bytes takes: at least the smallest block that common
/// allocators hand out, and their header.
pub(super) fn allocation_size(bytes: usize) -> usize {
    (bytes + 16).max(32)
}
