//! Reader of the protocol buffer wire format, without a schema.
//!
//! It borrows from the input. It neither panics nor recurses on any input.

use std::collections::BTreeMap;

/// Fields of a message, by number. Repeated values keep their order.
#[derive(Clone)]
pub(super) struct Message<'a> {
    fields: BTreeMap<u32, Vec<Value<'a>>>,
}

/// Value of a field.
#[derive(Clone, Copy)]
pub(super) enum Value<'a> {
    /// String, bytes, or message (`LEN`).
    Bytes(&'a [u8]),
    /// Integer, bool, or enum (`VARINT`).
    Number(u64),
    /// Number of a fixed size (`I32`, `I64`), or group; its content is not kept.
    Other,
}

/// Error of reading a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum WireError {
    #[error("the message is truncated")]
    Truncated,
    #[error("not a valid protocol buffer message, or one of another type")]
    Malformed,
}

impl<'a> Message<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, WireError> {
        let mut fields: BTreeMap<u32, Vec<Value<'a>>> = BTreeMap::new();
        for field in (FieldReader { rest: bytes }) {
            let (number, value) = field?;
            fields.entry(number).or_default().push(value);
        }
        Ok(Self { fields })
    }

    /// Iterates over the fields, sorted by number.
    pub(super) fn fields(&self) -> impl Iterator<Item = (u32, &[Value<'a>])> {
        self.fields.iter().map(|(number, values)| (*number, values.as_slice()))
    }

    /// Returns all values of a field; none if it is not set.
    pub(super) fn all(&self, number: u32) -> &[Value<'a>] {
        self.fields.get(&number).map_or(&[], Vec::as_slice)
    }

    /// Returns the name in a singular field. The last occurrence wins; the default is empty.
    pub(super) fn name(&self, number: u32) -> Result<&'a str, WireError> {
        self.all(number).last().map_or(Ok(""), |value| value.name())
    }

    /// Returns the number in a singular field. The last occurrence wins; the default is zero.
    pub(super) fn number(&self, number: u32) -> Result<u64, WireError> {
        self.all(number).last().map_or(Ok(0), |value| value.number())
    }

    /// Returns the merged occurrences of a singular message field.
    pub(super) fn joined(&self, number: u32) -> Result<Vec<u8>, WireError> {
        joined(self.all(number))
    }
}

/// Merges the occurrences of a message, which is the same as concatenating their bytes. Compilers
/// write an option in several pieces when its fields are set in separate statements.
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

    /// Returns a string without control characters, which is safe to show in errors and logs.
    pub(super) fn name(self) -> Result<&'a str, WireError> {
        self.text().and_then(|name| {
            let is_printable = !name.chars().any(char::is_control);
            is_printable.then_some(name).ok_or(WireError::Malformed)
        })
    }

    pub(super) fn text(self) -> Result<&'a str, WireError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| WireError::Malformed)
    }
}

/// Iterator over the fields of an encoded message. It ends after an error.
struct FieldReader<'a> {
    rest: &'a [u8],
}

impl<'a> FieldReader<'a> {
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
                let length = usize::try_from(self.varint()?).map_err(|_| WireError::Truncated)?;
                Ok(Value::Bytes(self.take(length)?))
            }
            FIXED_32 => self.take(4).map(|_| Value::Other),
            _ => Err(WireError::Malformed),
        }
    }

    /// Skips a group and the groups inside of it, with an explicit stack of open groups.
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
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    fn varint(&mut self) -> Result<u64, WireError> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let (byte, rest) = self.rest.split_first().ok_or(WireError::Truncated)?;
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

impl<'a> Iterator for FieldReader<'a> {
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

/// Greatest valid field number.
const MAX_NUMBER: u32 = (1 << 29) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads all fields, and formats each as text.
    fn read(message: &[u8]) -> Result<Vec<String>, WireError> {
        let text = |(number, value)| match value {
            Value::Bytes(bytes) => format!("{number}: {bytes:?}"),
            Value::Number(value) => format!("{number}: {value}"),
            Value::Other => format!("{number}: other"),
        };
        FieldReader { rest: message }.map(|field| field.map(text)).collect()
    }

    #[test]
    fn fields_of_all_wire_types_are_read() {
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
    fn invalid_messages_are_rejected() {
        let cases: [(&str, &[u8], WireError); 14] = [
            ("truncated varint", &[0x08, 0x96], WireError::Truncated),
            ("truncated key", &[0x88], WireError::Truncated),
            ("missing length", &[0x12], WireError::Truncated),
            ("length beyond the end", &[0x12, 0x02, 1], WireError::Truncated),
            ("length of 4 GiB", &[0x12, 0xff, 0xff, 0xff, 0xff, 0x0f], WireError::Truncated),
            ("truncated I64", &[0x09, 1, 2, 3, 4], WireError::Truncated),
            ("truncated I32", &[0x0d, 1, 2], WireError::Truncated),
            ("unterminated group", &[0x0b, 0x08, 0x00], WireError::Truncated),
            ("end without a group", &[0x0c], WireError::Malformed),
            ("end of another group", &[0x0b, 0x14], WireError::Malformed),
            ("field number 0", &[0x00, 0x00], WireError::Malformed),
            (
                "field number above the maximum",
                &[0x80, 0x80, 0x80, 0x80, 0x10, 0x00],
                WireError::Malformed,
            ),
            ("unknown wire type", &[0x0e], WireError::Malformed),
            (
                "varint above 64 bits",
                &[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],
                WireError::Malformed,
            ),
        ];
        for (case, message, expected) in cases {
            assert_eq!(read(message), Err(expected), "{case}");
        }
    }
}
