//! Percent-encoding and -decoding of single values and lists.
//!
//! - The encoder leaves printable ASCII as it is, except for `%`, a leading or trailing space, and
//!   `,` within an item of a list. Escapes have upper-case digits.
//! - The decoder is strict: it decodes once, and rejects malformed escapes, bytes that must be
//!   escaped, text that is not UTF-8, empty values and control characters. `percent_encoding` has
//!   no such decoder: it passes malformed escapes through.
//! - A value without escapes is not copied: it is checked, and shares the bytes of the field.

use http::{HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::context::{
    ContextError, EncodedList, EncodedValue, ItemHash, ListItem, ListItems, equal, splat, word_at,
    words,
};

/// The ASCII characters that are escaped in a single value. All bytes outside of ASCII are.
const ESCAPED_IN_VALUE: &AsciiSet = &CONTROLS.add(b'%');

/// The ASCII characters that are escaped in an item of a list.
const ESCAPED_IN_ITEM: &AsciiSet = &ESCAPED_IN_VALUE.add(b',');

/// Encodes a single value.
pub(super) fn encode(key: &HeaderName, value: String) -> Result<EncodedValue, ContextError> {
    if is_plain(value.as_bytes()) {
        return Ok(EncodedValue::plain(header_value(key, value)?));
    }
    let mut out = String::with_capacity(value.len());
    escape(key, &value, ESCAPED_IN_VALUE, &mut out)?;
    Ok(EncodedValue::escaped(header_value(key, out)?, value))
}

/// Encodes a list, which must not be empty.
pub(super) fn encode_list(key: &HeaderName, list: &[String]) -> Result<EncodedList, ContextError> {
    let commas = list.len().saturating_sub(1);
    let length = list.iter().map(String::len).sum::<usize>() + commas;
    let mut out = String::with_capacity(length);
    let mut items = ListItems::with_capacity(list.len());
    let mut end = 0;
    for (index, item) in list.iter().enumerate() {
        if index > 0 {
            out.push(',');
            end += 1;
        }
        escape(key, item, ESCAPED_IN_ITEM, &mut out)?;
        end += item.len();
        items.push(ListItem::new(ItemHash::of(item.as_bytes()), end));
    }
    // An escape is longer than the byte that it stands for.
    let is_plain = out.len() == length;
    let encoded = header_value(key, out)?;
    let value = if is_plain {
        EncodedValue::plain(encoded)
    } else {
        EncodedValue::escaped(encoded, list.join(","))
    };
    Ok(EncodedList { value, items })
}

/// Decodes a single value.
#[inline]
pub(super) fn decode(key: &HeaderName, value: &HeaderValue) -> Result<EncodedValue, ContextError> {
    if is_plain(value.as_bytes()) {
        return Ok(EncodedValue::plain(value.clone()));
    }
    decode_escaped(key, value)
}

/// Decodes a list into `list`, which must be empty.
#[inline]
pub(super) fn decode_list(
    key: &HeaderName,
    value: &HeaderValue,
    list: &mut EncodedList,
) -> Result<(), ContextError> {
    if split_plain(value.as_bytes(), &mut list.items) {
        list.value = EncodedValue::plain(value.clone());
        return Ok(());
    }
    decode_escaped_list(key, value, list)
}

#[cold]
fn decode_escaped(key: &HeaderName, value: &HeaderValue) -> Result<EncodedValue, ContextError> {
    Ok(EncodedValue::escaped(value.clone(), unescape(key, value.as_bytes())?))
}

#[cold]
fn decode_escaped_list(
    key: &HeaderName,
    value: &HeaderValue,
    list: &mut EncodedList,
) -> Result<(), ContextError> {
    let mut text = String::with_capacity(value.len());
    // `split_plain` has pushed the items before the first escape.
    list.items.clear();
    for (index, item) in value.as_bytes().split(|byte| *byte == b',').enumerate() {
        if index > 0 {
            text.push(',');
        }
        let item = unescape(key, item)?;
        text.push_str(&item);
        list.items.push(ListItem::new(ItemHash::of(item.as_bytes()), text.len()));
    }
    list.value = EncodedValue::escaped(value.clone(), text);
    Ok(())
}

/// Whether the encoded form of a single value equals its text.
fn is_plain(raw: &[u8]) -> bool {
    is_trimmed(raw) && words(raw, b'.').fold(0, |found, word| found | not_plain(word)) == 0
}

/// Splits a list at its commas, and hashes its items. Returns `false` if the encoded form of an
/// item differs from its text, or an item is empty.
fn split_plain(raw: &[u8], items: &mut ListItems) -> bool {
    let mut start = 0;
    // `word_at` pads with commas, so that the last item ends in one as well.
    while start <= raw.len() {
        let (mut hash, mut at, mut found) = (ItemHash::default(), start, 0);
        let end = loop {
            let word = word_at(raw, at, b',');
            found |= not_plain(word);
            let commas = equal(word, b',');
            if commas != 0 {
                let bits = commas.trailing_zeros() & !7;
                hash = hash.with(word & !(u64::MAX << bits));
                break at + bits as usize / 8;
            }
            hash = hash.with(word);
            at += 8;
        };
        if found != 0 || !is_trimmed(&raw[start..end]) {
            return false;
        }
        items.push(ListItem::new(hash, end));
        start = end + 1;
    }
    true
}

/// Whether a value is not empty, and neither starts nor ends with a space.
#[inline]
fn is_trimmed(raw: &[u8]) -> bool {
    raw.first().is_some_and(|byte| *byte != b' ') && raw.last() != Some(&b' ')
}

/// A mask that is not zero if a byte of the word is outside of 0x20–0x7E, or `%`.
#[inline]
fn not_plain(word: u64) -> u64 {
    // A byte outside of ASCII may carry into the next one. That changes no result, because the
    // byte itself is found in any case.
    let not_ascii = word;
    let below_space = !word.wrapping_add(splat(0x80 - 0x20));
    let del = word.wrapping_add(splat(0x80 - 0x7f));
    (not_ascii | below_space | del | equal(word, b'%')) & splat(0x80)
}

fn header_value(key: &HeaderName, mut encoded: String) -> Result<HeaderValue, ContextError> {
    // The value takes over the allocation, with the unused capacity.
    encoded.shrink_to_fit();
    HeaderValue::try_from(encoded).map_err(|_| ContextError::Unencoded { key: key.to_string() })
}

/// Appends a value, with the characters of `escaped` and a leading or trailing space as escapes.
fn escape(
    key: &HeaderName,
    value: &str,
    escaped: &'static AsciiSet,
    out: &mut String,
) -> Result<(), ContextError> {
    const SPACE: &str = "%20";
    check(key, value)?;
    let inner = value.strip_prefix(' ').unwrap_or(value);
    if inner.len() < value.len() {
        out.push_str(SPACE);
    }
    let trimmed = inner.strip_suffix(' ').unwrap_or(inner);
    out.extend(utf8_percent_encode(trimmed, escaped));
    if trimmed.len() < inner.len() {
        out.push_str(SPACE);
    }
    Ok(())
}

/// Decodes the escapes of a value or item, exactly once. Malformed input is rejected, never
/// repaired.
fn unescape(key: &HeaderName, raw: &[u8]) -> Result<String, ContextError> {
    let is_encoded = raw.iter().all(|byte| (0x20..=0x7e).contains(byte));
    if !is_encoded || raw.first() == Some(&b' ') || raw.last() == Some(&b' ') {
        return Err(ContextError::Unencoded { key: key.to_string() });
    }

    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let Some(([high, low], tail)) = rest.split_first_chunk().map(|(pair, tail)| (*pair, tail))
        else {
            return Err(ContextError::MalformedEscape { key: key.to_string() });
        };
        let (Some(high), Some(low)) = (hex_digit(high), hex_digit(low)) else {
            return Err(ContextError::MalformedEscape { key: key.to_string() });
        };
        bytes.push(high << 4 | low);
        rest = tail;
    }

    let value =
        String::from_utf8(bytes).map_err(|_| ContextError::NotUtf8 { key: key.to_string() })?;
    check(key, &value)?;
    Ok(value)
}

/// Checks the decoded text of a value or item: not empty, and without control characters.
fn check(key: &HeaderName, value: &str) -> Result<(), ContextError> {
    if value.is_empty() {
        return Err(ContextError::Empty { key: key.to_string() });
    }
    if value.chars().any(char::is_control) {
        return Err(ContextError::ControlCharacter { key: key.to_string() });
    }
    Ok(())
}

fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}
