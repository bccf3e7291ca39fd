//! Declarations of fields and extensions.

use std::collections::BTreeMap;

use super::file::File;
use super::wire::{Message, WireError};
use crate::policy::error::PolicyError;

/// A `google.protobuf.FieldDescriptorProto`.
pub(super) struct Field<'a> {
    pub(super) name: &'a str,
    /// The type that an extension extends, with a leading dot.
    pub(super) extendee: &'a str,
    pub(super) number: u32,
    pub(super) is_repeated: bool,
    kind: u64,
    /// The message or enum type, with a leading dot.
    type_name: &'a str,
}

/// Fields of a message, by number.
pub(super) type Fields<'a> = BTreeMap<u32, Field<'a>>;

/// Extension field, with its full name.
pub(super) struct Extension<'a> {
    pub(super) name: String,
    pub(super) field: Field<'a>,
}

impl<'a> Field<'a> {
    fn read(field: &Message<'a>) -> Result<Self, WireError> {
        Ok(Self {
            name: field.name(1)?,
            extendee: field.name(2)?,
            number: u32::try_from(field.number(3)?).map_err(|_| WireError::Malformed)?,
            is_repeated: field.number(4)? == LABEL_REPEATED,
            kind: field.number(5)?,
            type_name: field.name(6)?,
        })
    }

    pub(super) fn is_bool(&self) -> bool {
        self.kind == TYPE_BOOL
    }

    pub(super) fn is_string(&self) -> bool {
        self.kind == TYPE_STRING
    }

    /// Returns whether the field holds messages of the type with this full name.
    pub(super) fn is_message(&self, type_name: &str) -> bool {
        self.kind == TYPE_MESSAGE && self.type_name.strip_prefix('.') == Some(type_name)
    }
}

/// Reads the fields that a `google.protobuf.DescriptorProto` declares.
pub(super) fn fields_of<'a>(message: &Message<'a>) -> Result<Fields<'a>, WireError> {
    let mut fields = Fields::new();
    for value in message.all(FIELD) {
        let field = Field::read(&Message::read(value.bytes()?)?)?;
        if fields.insert(field.number, field).is_some() {
            return Err(WireError::Malformed);
        }
    }
    Ok(fields)
}

/// Reads all extensions that a file declares, including those inside of messages.
pub(super) fn extensions_of<'a>(file: &File<'a>) -> Result<Vec<Extension<'a>>, PolicyError> {
    let malformed = |error: WireError| file.invalid(error);
    let read = |scope: Option<&str>, field: &Message<'a>| {
        let field = Field::read(field)?;
        let name = scope
            .map_or_else(|| file.full_name(field.name), |scope| format!("{scope}.{}", field.name));
        Ok(Extension { name, field })
    };
    let top_level = file.extensions.iter().map(|field| read(None, field));
    let mut extensions = top_level.collect::<Result<Vec<_>, _>>().map_err(malformed)?;

    // An explicit stack instead of recursion: the nesting depth of the input is not bounded.
    let name = |message: &Message<'a>| message.name(1).map(|name| file.full_name(name));
    let messages = file.messages.iter().map(|message| Ok((name(message)?, message.clone())));
    let mut pending = messages.collect::<Result<Vec<_>, _>>().map_err(malformed)?;
    while let Some((scope, message)) = pending.pop() {
        for value in message.all(EXTENSION) {
            let field = value.bytes().and_then(Message::read).map_err(malformed)?;
            extensions.push(read(Some(&scope), &field).map_err(malformed)?);
        }
        for value in message.all(NESTED_TYPE) {
            let nested = value.bytes().and_then(Message::read).map_err(malformed)?;
            let name = nested.name(1).map_err(malformed)?;
            pending.push((format!("{scope}.{name}"), nested));
        }
    }
    Ok(extensions)
}

// Field numbers of `google.protobuf.DescriptorProto`.
const FIELD: u32 = 2;
const NESTED_TYPE: u32 = 3;
const EXTENSION: u32 = 6;

/// Value of `google.protobuf.FieldDescriptorProto.Label`.
const LABEL_REPEATED: u64 = 3;

// Values of `google.protobuf.FieldDescriptorProto.Type`.
const TYPE_BOOL: u64 = 8;
const TYPE_STRING: u64 = 9;
const TYPE_MESSAGE: u64 = 11;
