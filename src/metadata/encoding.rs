//! Values and lists of values, percent-encoded.

use http::{HeaderName, HeaderValue};

use crate::context::{ContextError, Hash, Item, ItemVec, List, Text, equal, splat, word_at, words};

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Encodes one value.
pub(super) fn encode(key: &HeaderName, value: String) -> Result<Text, ContextError> {
    if is_plain(value.as_bytes()) {
        return Ok(Text::plain(header_value(key, value)?));
    }
    let mut out = String::with_capacity(value.len());
    escape(key, &value, None, &mut out)?;
    Ok(Text::escaped(header_value(key, out)?, value))
}

/// Encodes a list, which must not be empty.
pub(super) fn encode_list(key: &HeaderName, list: &[String]) -> Result<List, ContextError> {
    let commas = list.len().saturating_sub(1);
    let length = list.iter().map(String::len).sum::<usize>() + commas;
    let mut out = String::with_capacity(length);
    let mut items = ItemVec::with_capacity(list.len());
    let mut end = 0;
    for (index, item) in list.iter().enumerate() {
        if index > 0 {
            out.push(',');
            end += 1;
        }
        escape(key, item, Some(b','), &mut out)?;
        end += item.len();
        items.push(Item::new(Hash::of(item.as_bytes()), end));
    }
    // An escape is longer than what it stands for.
    let is_plain = out.len() == length;
    let value = header_value(key, out)?;
    let text = if is_plain { Text::plain(value) } else { Text::escaped(value, list.join(",")) };
    Ok(List { text, items })
}

/// Decodes one value.
#[inline]
pub(super) fn decode(key: &HeaderName, value: &HeaderValue) -> Result<Text, ContextError> {
    if is_plain(value.as_bytes()) {
        return Ok(Text::plain(value.clone()));
    }
    decode_escaped(key, value)
}

/// Decodes a list, to where it is kept: the empty list.
#[inline]
pub(super) fn decode_list(
    key: &HeaderName,
    value: &HeaderValue,
    list: &mut List,
) -> Result<(), ContextError> {
    if plain_items(value.as_bytes(), &mut list.items) {
        list.text = Text::plain(value.clone());
        return Ok(());
    }
    decode_escaped_list(key, value, list)
}

#[cold]
fn decode_escaped(key: &HeaderName, value: &HeaderValue) -> Result<Text, ContextError> {
    Ok(Text::escaped(value.clone(), unescape(key, value.as_bytes())?))
}

#[cold]
fn decode_escaped_list(
    key: &HeaderName,
    value: &HeaderValue,
    list: &mut List,
) -> Result<(), ContextError> {
    let mut text = String::with_capacity(value.len());
    list.items.clear();
    for (index, item) in value.as_bytes().split(|byte| *byte == b',').enumerate() {
        if index > 0 {
            text.push(',');
        }
        let item = unescape(key, item)?;
        text.push_str(&item);
        list.items.push(Item::new(Hash::of(item.as_bytes()), text.len()));
    }
    list.text = Text::escaped(value.clone(), text);
    Ok(())
}

/// Whether a value stands for itself.
fn is_plain(raw: &[u8]) -> bool {
    is_trimmed(raw) && words(raw, b'.').fold(0, |found, word| found | not_plain(word)) == 0
}

/// Tells the items of a list; `false` unless each of them stands for itself.
fn plain_items(raw: &[u8], items: &mut ItemVec) -> bool {
    let mut start = 0;
    // As if a comma were behind the last item, too.
    while start <= raw.len() {
        let (mut hash, mut at, mut found) = (Hash::default(), start, 0);
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
        items.push(Item::new(hash, end));
        start = end + 1;
    }
    true
}

/// Whether there is something, and no space at either end of it.
#[inline]
fn is_trimmed(raw: &[u8]) -> bool {
    raw.first().is_some_and(|byte| *byte != b' ') && raw.last() != Some(&b' ')
}

/// Not 0 when a byte of the word is outside of 0x20-0x7E, or `%`.
#[inline]
fn not_plain(word: u64) -> u64 {
    // What a byte beyond ASCII does to the next one does not matter: it is found in any case.
    let not_ascii = word;
    let below_space = !word.wrapping_add(splat(0x80 - 0x20));
    let del = word.wrapping_add(splat(0x80 - 0x7f));
    (not_ascii | below_space | del | equal(word, b'%')) & splat(0x80)
}

fn header_value(key: &HeaderName, mut encoded: String) -> Result<HeaderValue, ContextError> {
    // What is not used would be kept as long as the value.
    encoded.shrink_to_fit();
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
