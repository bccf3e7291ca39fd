//! The bytes of protocol buffers, field by field.
//!
//! Nothing is copied, and whatever the bytes are, nothing here panics or recurses.

use std::collections::BTreeMap;

/// The fields of a message, by number; those of one number in the order in which they are there.
#[derive(Clone)]
pub(super) struct Message<'a> {
    fields: BTreeMap<u32, Vec<Value<'a>>>,
}

/// What a field holds.
#[derive(Clone, Copy)]
pub(super) enum Value<'a> {
    /// Text, bytes, or another message.
    Bytes(&'a [u8]),
    /// A number, or whether something is so.
    Number(u64),
    /// A number of a fixed size, or a group.
    Other,
}

/// Why bytes are no protocol buffer.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum WireError {
    #[error("it is cut short")]
    CutShort,
    #[error("it is no protocol buffer, or another one")]
    Malformed,
}

impl<'a> Message<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, WireError> {
        let mut fields: BTreeMap<u32, Vec<Value<'a>>> = BTreeMap::new();
        for field in (Fields { rest: bytes }) {
            let (number, value) = field?;
            fields.entry(number).or_default().push(value);
        }
        Ok(Self { fields })
    }

    pub(super) fn fields(&self) -> impl Iterator<Item = (u32, &[Value<'a>])> {
        self.fields.iter().map(|(number, values)| (*number, values.as_slice()))
    }

    /// All values of the field; none when it is not set.
    pub(super) fn all(&self, number: u32) -> &[Value<'a>] {
        self.fields.get(&number).map_or(&[], Vec::as_slice)
    }

    /// The name in a field. The last one counts.
    pub(super) fn name(&self, number: u32) -> Result<&'a str, WireError> {
        self.all(number).last().map_or(Ok(""), |value| value.name())
    }

    /// The number in a field. The last one counts.
    pub(super) fn number(&self, number: u32) -> Result<u64, WireError> {
        self.all(number).last().map_or(Ok(0), |value| value.number())
    }

    /// The message in a field, which may be in pieces.
    pub(super) fn joined(&self, number: u32) -> Result<Vec<u8>, WireError> {
        joined(self.all(number))
    }
}

/// A message that may be in pieces, as options are whose fields are set one by one.
pub(super) fn joined(pieces: &[Value<'_>]) -> Result<Vec<u8>, WireError> {
    let pieces = pieces.iter().map(|piece| piece.bytes());
    Ok(pieces.collect::<Result<Vec<_>, _>>()?.concat())
}

impl<'a> Value<'a> {
    pub(super) fn bytes(self) -> Result<&'a [u8], WireError> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::Number(_) | Self::Other => Err(WireError::Malformed),
        }
    }

    pub(super) fn number(self) -> Result<u64, WireError> {
        match self {
            Self::Number(number) => Ok(number),
            Self::Bytes(_) | Self::Other => Err(WireError::Malformed),
        }
    }

    /// A text that is fit to be shown.
    pub(super) fn name(self) -> Result<&'a str, WireError> {
        self.text().and_then(|name| {
            let is_shown = !name.chars().any(char::is_control);
            is_shown.then_some(name).ok_or(WireError::Malformed)
        })
    }

    pub(super) fn text(self) -> Result<&'a str, WireError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| WireError::Malformed)
    }
}

/// The fields of a message, in the order in which they are there. Nothing follows an error.
struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> Result<(u32, Value<'a>), WireError> {
        let (number, wire_type) = self.key()?;
        let value = match wire_type {
            GROUP_START => self.skip_group(number)?,
            GROUP_END => return Err(WireError::Malformed),
            wire_type => self.value(wire_type)?,
        };
        Ok((number, value))
    }

    fn key(&mut self) -> Result<(u32, u8), WireError> {
        let key = self.varint()?;
        let number = u32::try_from(key >> 3).map_err(|_| WireError::Malformed)?;
        if !(1..=MAX_NUMBER).contains(&number) {
            return Err(WireError::Malformed);
        }
        Ok((number, (key & 7) as u8))
    }

    fn value(&mut self, wire_type: u8) -> Result<Value<'a>, WireError> {
        match wire_type {
            VARINT => Ok(Value::Number(self.varint()?)),
            FIXED_64 => self.take(8).map(|_| Value::Other),
            LENGTH_DELIMITED => {
                let length = usize::try_from(self.varint()?).map_err(|_| WireError::CutShort)?;
                Ok(Value::Bytes(self.take(length)?))
            }
            FIXED_32 => self.take(4).map(|_| Value::Other),
            _ => Err(WireError::Malformed),
        }
    }

    /// Skips a group, and those within.
    fn skip_group(&mut self, number: u32) -> Result<Value<'a>, WireError> {
        let mut open = vec![number];
        while let Some(innermost) = open.last() {
            match self.key()? {
                (number, GROUP_START) => open.push(number),
                (number, GROUP_END) if number == *innermost => {
                    open.pop();
                }
                (_, GROUP_END) => return Err(WireError::Malformed),
                (_, wire_type) => {
                    self.value(wire_type)?;
                }
            }
        }
        Ok(Value::Other)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], WireError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(WireError::CutShort)?;
        self.rest = rest;
        Ok(taken)
    }

    fn varint(&mut self) -> Result<u64, WireError> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let (byte, rest) = self.rest.split_first().ok_or(WireError::CutShort)?;
            self.rest = rest;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                return Err(WireError::Malformed);
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(WireError::Malformed)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Value<'a>), WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

const VARINT: u8 = 0;
const FIXED_64: u8 = 1;
const LENGTH_DELIMITED: u8 = 2;
const GROUP_START: u8 = 3;
const GROUP_END: u8 = 4;
const FIXED_32: u8 = 5;

/// The greatest number that a field can have.
const MAX_NUMBER: u32 = (1 << 29) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    /// The fields as text.
    fn read(message: &[u8]) -> Result<Vec<String>, WireError> {
        let text = |(number, value)| match value {
            Value::Bytes(bytes) => format!("{number}: {bytes:?}"),
            Value::Number(value) => format!("{number}: {value}"),
            Value::Other => format!("{number}: other"),
        };
        Fields { rest: message }.map(|field| field.map(text)).collect()
    }

    #[test]
    fn fields_of_every_wire_type_are_read() {
        const MOST: [u8; 10] = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        let cases: [(&[u8], &[&str]); 9] = [
            (&[], &[]),
            (&[0x08, 0x00], &["1: 0"]),
            (&[0x08, 0x96, 0x01], &["1: 150"]),
            (&[&[0x08], &MOST[..]].concat(), &["1: 18446744073709551615"]),
            (&[0x12, 0x02, 1, 2, 0x12, 0x00], &["2: [1, 2]", "2: []"]),
            (&[0x09, 1, 2, 3, 4, 5, 6, 7, 8, 0x0d, 1, 2, 3, 4], &["1: other", "1: other"]),
            (&[0x0b, 0x08, 0x00, 0x13, 0x14, 0x12, 0x01, 0x0c, 0x0c], &["1: other"]),
            (&[0x0b, 0x0c, 0x10, 0x01], &["1: other", "2: 1"]),
            (&[0xf8, 0xff, 0xff, 0xff, 0x0f, 0x01], &["536870911: 1"]),
        ];
        for (message, expected) in cases {
            assert_eq!(read(message).unwrap(), expected, "{message:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_protocol_buffer_are_refused() {
        let cases: [(&str, &[u8], WireError); 14] = [
            ("half a number", &[0x08, 0x96], WireError::CutShort),
            ("half a key", &[0x88], WireError::CutShort),
            ("no length", &[0x12], WireError::CutShort),
            ("less than its length", &[0x12, 0x02, 1], WireError::CutShort),
            ("more than memory", &[0x12, 0xff, 0xff, 0xff, 0xff, 0x0f], WireError::CutShort),
            ("half of 64 bits", &[0x09, 1, 2, 3, 4], WireError::CutShort),
            ("half of 32 bits", &[0x0d, 1, 2], WireError::CutShort),
            ("a group without an end", &[0x0b, 0x08, 0x00], WireError::CutShort),
            ("a group's end without a start", &[0x0c], WireError::Malformed),
            ("another group's end", &[0x0b, 0x14], WireError::Malformed),
            ("field 0", &[0x00, 0x00], WireError::Malformed),
            ("a field too high", &[0x80, 0x80, 0x80, 0x80, 0x10, 0x00], WireError::Malformed),
            ("no wire type", &[0x0e], WireError::Malformed),
            (
                "more than 64 bits",
                &[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],
                WireError::Malformed,
            ),
        ];
        for (case, message, expected) in cases {
            assert_eq!(read(message), Err(expected), "{case}");
        }
    }
}
