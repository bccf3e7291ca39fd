//! One value of a context: what it says, and how it is written.

use http::HeaderValue;

/// A value of a context. One that is written as it is takes up no more than what is written.
pub(crate) struct Text {
    value: HeaderValue,
    /// What the value says, unless that is itself.
    decoded: Option<Box<str>>,
}

impl Default for Text {
    fn default() -> Self {
        Self::plain(HeaderValue::from_static(""))
    }
}

impl Text {
    /// A value that stands for itself: ASCII, and without escapes.
    pub(crate) fn plain(value: HeaderValue) -> Self {
        Self { value, decoded: None }
    }

    /// A value with escapes, and what it says.
    pub(crate) fn escaped(value: HeaderValue, decoded: String) -> Self {
        Self { value, decoded: Some(decoded.into_boxed_str()) }
    }

    /// The text as it is written into metadata.
    pub(crate) fn value(&self) -> &HeaderValue {
        &self.value
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.value.is_empty()
    }

    pub(super) fn as_str(&self) -> &str {
        match &self.decoded {
            Some(text) => text,
            // It is ASCII.
            None => str::from_utf8(self.value.as_bytes()).unwrap_or_default(),
        }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.decoded.as_ref().map_or(self.value.as_bytes(), |text| text.as_bytes())
    }

    /// An upper estimate of the bytes that the text takes up elsewhere.
    pub(super) fn size(&self) -> usize {
        // A value is counted with what sharing it takes.
        let value = heap(self.value.len()) + 2 * heap(0);
        value + self.decoded.as_ref().map_or(0, |text| heap(text.len()))
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

/// The least that an allocator hands out for so many bytes, and what it keeps beside it.
pub(super) fn heap(bytes: usize) -> usize {
    (bytes + 16).max(32)
}
