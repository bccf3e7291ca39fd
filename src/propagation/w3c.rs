//! Validation of the W3C Trace Context and W3C Baggage fields. Their content is not interpreted.

use http::{HeaderName, HeaderValue};

pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
pub(crate) const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
pub(crate) const BAGGAGE: HeaderName = HeaderName::from_static("baggage");

/// The length of a `traceparent` of version 00.
const PARENT_LENGTH: usize = 55;
/// The maximum length of a `traceparent` of a later version. The standard sets none.
const MAX_PARENT_LENGTH: usize = 256;
/// The maximum length of `tracestate`, in bytes: the length that must be propagated (Trace Context,
/// section 3.3.1.5).
const MAX_STATE_LENGTH: usize = 512;
/// The maximum number of members of `tracestate` (section 3.3.1.1).
const MAX_STATE_MEMBERS: usize = 32;
/// The maximum length of `baggage`, in bytes: the length that must be propagated (Baggage, section
/// 3.3.2).
const MAX_BAGGAGE_LENGTH: usize = 8192;
/// The maximum number of members of `baggage` (section 3.3.2).
const MAX_BAGGAGE_MEMBERS: usize = 64;

/// Whether a value is a valid `traceparent` (Trace Context, section 3.2): version, trace id, parent
/// id and flags in lower-case hexadecimal digits. A later version may append anything after a dash.
pub(crate) fn is_traceparent(value: &HeaderValue) -> bool {
    let value = value.as_bytes();
    let Some((parent, suffix)) = value.split_at_checked(PARENT_LENGTH) else {
        return false;
    };
    let mut format_is_valid = true;
    for (index, byte) in parent.iter().enumerate() {
        format_is_valid &= match index {
            2 | 35 | 52 => *byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        };
    }
    let is_zero = |part: &[u8]| part.iter().all(|byte| *byte == b'0');
    let suffix_is_valid = match &parent[..2] {
        b"00" => suffix.is_empty(),
        b"ff" => false,
        _ => suffix.first().is_none_or(|byte| *byte == b'-'),
    };
    format_is_valid
        && suffix_is_valid
        && value.len() <= MAX_PARENT_LENGTH
        && !is_zero(&parent[3..35])
        && !is_zero(&parent[36..52])
}

/// Whether these values together are a valid `tracestate` (Trace Context, section 3.3): a list of
/// members with a key and a value each.
pub(crate) fn is_tracestate(values: &[&HeaderValue]) -> bool {
    let is_member = |member: &[u8]| {
        let (key, value) = split_once(member, b'=');
        let is_key_byte =
            |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9') || b"_-*/@".contains(byte);
        let is_value_byte = |byte: &u8| matches!(byte, 0x20..=0x7e) && !b",=".contains(byte);
        let value = value.unwrap_or_default();
        !key.is_empty()
            && key.len() <= 256
            && key.iter().all(is_key_byte)
            && (1..=256).contains(&value.len())
            && value.iter().all(is_value_byte)
    };
    // Empty members are allowed in `tracestate` (section 3.3.1.1).
    is_list(values, MAX_STATE_LENGTH, MAX_STATE_MEMBERS, |member| {
        member.is_empty() || is_member(member)
    })
}

/// Whether these values together are a valid `baggage` (Baggage, section 3.3.1): a list of members
/// with a key, a value, and optional properties.
pub(crate) fn is_baggage(values: &[&HeaderValue]) -> bool {
    let is_value = |value: &[u8]| {
        let is_octet = |byte: &u8| matches!(byte, 0x21..=0x7e) && !b"\",;\\".contains(byte);
        value.iter().all(is_octet)
    };
    let is_pair = |part: &[u8], must_have_value: bool| {
        let (key, value) = split_once(part, b'=');
        is_token(key.trim_ascii())
            && value.map_or(!must_have_value, |value| is_value(value.trim_ascii()))
    };
    is_list(values, MAX_BAGGAGE_LENGTH, MAX_BAGGAGE_MEMBERS, |member| {
        let mut parts = member.split(|byte| *byte == b';');
        parts.next().is_some_and(|pair| is_pair(pair, true))
            && parts.all(|property| is_pair(property, false))
    })
}

/// Whether the values of a field, joined by commas (RFC 9110, section 5.3), are a list of valid
/// members within these limits.
fn is_list(
    values: &[&HeaderValue],
    max_length: usize,
    max_members: usize,
    is_member: impl Fn(&[u8]) -> bool,
) -> bool {
    // One comma is counted between two values.
    let length = values.iter().map(|value| value.len() + 1).sum::<usize>().saturating_sub(1);
    let mut members = 0;
    length <= max_length
        && values
            .iter()
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
            .inspect(|_| members += 1)
            .all(|member| is_member(member.trim_ascii()))
        && members <= max_members
}

fn split_once(text: &[u8], separator: u8) -> (&[u8], Option<&[u8]>) {
    match text.iter().position(|byte| *byte == separator) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    }
}

/// Whether a text is a token (RFC 9110, section 5.6.2).
fn is_token(text: &[u8]) -> bool {
    let is_token_byte =
        |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !text.is_empty() && text.iter().all(is_token_byte)
}
