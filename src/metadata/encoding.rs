//! Values and lists of values, percent-encoded.

use http::{HeaderName, HeaderValue};

use crate::context::ContextError;

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Encodes one value.
pub(super) fn encode(key: &HeaderName, value: &str) -> Result<HeaderValue, ContextError> {
    let mut out = String::with_capacity(value.len());
    escape(key, value, None, &mut out)?;
    header_value(key, out)
}

/// Encodes a list, which must not be empty.
pub(super) fn encode_list(key: &HeaderName, items: &[String]) -> Result<HeaderValue, ContextError> {
    let commas = items.len().saturating_sub(1);
    let mut out = String::with_capacity(items.iter().map(String::len).sum::<usize>() + commas);
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        escape(key, item, Some(b','), &mut out)?;
    }
    header_value(key, out)
}

/// Decodes one value.
pub(super) fn decode(key: &HeaderName, value: &HeaderValue) -> Result<String, ContextError> {
    unescape(key, value.as_bytes())
}

/// Decodes a list.
pub(super) fn decode_list(
    key: &HeaderName,
    value: &HeaderValue,
) -> Result<Vec<String>, ContextError> {
    value.as_bytes().split(|byte| *byte == b',').map(|item| unescape(key, item)).collect()
}

fn header_value(key: &HeaderName, encoded: String) -> Result<HeaderValue, ContextError> {
    HeaderValue::try_from(encoded).map_err(|_| ContextError::Unencoded { key: key.to_string() })
}

/// Appends `value`, escaping what cannot stand for itself, and the separator.
fn escape(
    key: &HeaderName,
    value: &str,
    separator: Option<u8>,
    out: &mut String,
) -> Result<(), ContextError> {
    // Without a separator, that of escapes stands in for it.
    let separator = separator.unwrap_or(b'%');
    let is_plain = |byte: u8| matches!(byte, 0x20..=0x7e) && byte != b'%' && byte != separator;
    let outer_space = value.starts_with(' ') || value.ends_with(' ');
    // Most values are plain to their end: without a way out before it, many bytes are looked at in
    // one step.
    let all_plain = value.bytes().fold(true, |all, byte| all & is_plain(byte));
    if !value.is_empty() && !outer_space && all_plain {
        out.push_str(value);
        return Ok(());
    }
    check(key, value)?;
    let last = value.len() - 1;
    for (index, byte) in value.bytes().enumerate() {
        let outer_space = byte == b' ' && (index == 0 || index == last);
        if is_plain(byte) && !outer_space {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 0x0f)]));
        }
    }
    Ok(())
}

/// Undoes the escapes, exactly once. What is not well-formed is refused, never repaired.
fn unescape(key: &HeaderName, raw: &[u8]) -> Result<String, ContextError> {
    let encoded = raw.iter().all(|byte| (0x20..=0x7e).contains(byte));
    if !encoded || raw.first() == Some(&b' ') || raw.last() == Some(&b' ') {
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

/// What holds for every value, encoded or decoded.
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
