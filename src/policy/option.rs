//! Reads the options of `passport/v1/policy.proto`.
//!
//! They are known by their names, as the set declares them, not by their numbers: numbers of this
//! range are not anyone's own.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use super::descriptor::File;
use super::error::{InvalidRule, PolicyError};
use super::origin::{Found, RuleSource};
use super::rule::{MAX_DEPTH, Rule};
use super::wire::{self, Message, Value, WireError};

const RULE: &str = "passport.v1.rule";
const DEFAULT_RULE: &str = "passport.v1.default_rule";
const METHOD_OPTIONS: &str = ".google.protobuf.MethodOptions";
const SERVICE_OPTIONS: &str = ".google.protobuf.ServiceOptions";
const RULE_TYPE: &str = "passport.v1.Rule";
const REQUIREMENTS_TYPE: &str = "passport.v1.Requirements";

/// The options as a descriptor set declares them.
#[derive(Default)]
pub(super) struct Options<'a> {
    /// The number of the option of methods.
    rule: Option<u32>,
    /// The number of the option of services.
    default_rule: Option<u32>,
    rule_fields: Declared<'a>,
    requirements_fields: Declared<'a>,
    /// The files that declare them.
    files: BTreeSet<&'a str>,
}

/// The fields of a message that a set declares.
type Declared<'a> = BTreeMap<u32, Field<'a>>;

/// A `google.protobuf.FieldDescriptorProto`.
struct Field<'a> {
    name: &'a str,
    extendee: &'a str,
    number: u32,
    is_repeated: bool,
    kind: u64,
    type_name: &'a str,
}

/// A field that is declared for the message of somebody else.
struct Extension<'a> {
    /// Its full name.
    name: String,
    field: Field<'a>,
}

/// What a field holds, as far as it matters here.
enum Kind {
    Bool,
    Text,
    Requirements,
    Other,
}

impl<'a> Options<'a> {
    /// Looks them up. It is no error that there are none.
    pub(super) fn declared_in(files: &[File<'a>]) -> Result<Self, PolicyError> {
        let mut options = Self::default();
        let mut others = Vec::new();
        for file in files {
            for extension in extensions(file)? {
                let Extension { name, field } = &extension;
                let (extendee, number) = match name.as_str() {
                    RULE => (METHOD_OPTIONS, &mut options.rule),
                    DEFAULT_RULE => (SERVICE_OPTIONS, &mut options.default_rule),
                    // One that looks like ours and is called otherwise is not read.
                    _ if !field.is_rule() => {
                        others.push((file, extension));
                        continue;
                    }
                    _ => return Err(other_option(file, name)),
                };
                let is_ours = field.is_rule() && field.extendee == extendee;
                if !is_ours || number.replace(field.number).is_some() {
                    return Err(other_option(file, name));
                }
                options.files.insert(file.name);
            }
            for message in &file.messages {
                let name = message.name(1).map_err(|error| file.incomplete(error))?;
                let name = file.full_name(name);
                let known = match name.as_str() {
                    RULE_TYPE => &mut options.rule_fields,
                    REQUIREMENTS_TYPE => &mut options.requirements_fields,
                    _ => continue,
                };
                let fields = fields_of(message).map_err(|error| file.incomplete(error))?;
                if !mem::replace(known, fields).is_empty() {
                    return Err(file.incomplete(format_args!("there is another {name}")));
                }
            }
        }
        // What such an option says would be taken for a rule.
        for (file, Extension { name, field }) in others {
            let number = match field.extendee {
                METHOD_OPTIONS => options.rule,
                SERVICE_OPTIONS => options.default_rule,
                _ => continue,
            };
            if number == Some(field.number) {
                let (file, number) = (file.name.to_owned(), field.number);
                return Err(PolicyError::OptionNumber { file, option: name, number });
            }
        }
        Ok(options)
    }

    /// Whether the file imports one that declares them.
    pub(super) fn are_imported_by(&self, file: &File<'_>) -> bool {
        file.imports.iter().any(|import| self.files.contains(import))
    }

    /// The rule of a method, if there is one among its options.
    pub(super) fn rule(
        &self,
        options: &[u8],
        path: &str,
        origin: &RuleSource,
    ) -> Result<Found, PolicyError> {
        self.read(options, self.rule, RULE, path, origin.clone())
    }

    /// The rule for methods that have none, if there is one among their service's options.
    pub(super) fn default_rule(
        &self,
        options: &[u8],
        service: &str,
        origin: &RuleSource,
    ) -> Result<Found, PolicyError> {
        self.read(options, self.default_rule, DEFAULT_RULE, service, origin.clone().of_default())
    }

    fn read(
        &self,
        options: &[u8],
        number: Option<u32>,
        name: &'static str,
        target: &str,
        origin: RuleSource,
    ) -> Result<Found, PolicyError> {
        let rule = read(options).and_then(|options| {
            if !options.all(UNINTERPRETED).is_empty() {
                return Err(InvalidRule::Uninterpreted);
            }
            let values = number.map_or(&[][..], |number| options.all(number));
            if values.is_empty() {
                return Ok(None);
            }
            let rule = self.rule_of(&joined(values, name)?)?;
            rule.validate()?;
            Ok(Some(rule))
        });
        match rule {
            Ok(rule) => Ok(rule.map(|rule| (rule, origin))),
            Err(problem) => {
                let target = target.to_owned();
                Err(PolicyError::InvalidRule { origin, target, problem })
            }
        }
    }

    /// Reads a `passport.v1.Rule`.
    fn rule_of(&self, bytes: &[u8]) -> Result<Rule, InvalidRule> {
        let mut found: Option<(&str, Rule)> = None;
        for (number, values) in read(bytes)?.fields() {
            let field = known(&self.rule_fields, number)?;
            if field.is_repeated {
                return Err(unknown(field.name));
            }
            let rule = match (field.name, field.kind()) {
                ("all_of", Kind::Requirements) => {
                    Some(Rule::all_of(self.requirements(&joined(values, field.name)?, 0)?))
                }
                ("any_of", Kind::Requirements) => {
                    Some(Rule::any_of(self.requirements(&joined(values, field.name)?, 0)?))
                }
                ("authenticated", Kind::Bool) => flag(field, values)?.then(Rule::authenticated),
                ("optional", Kind::Bool) => flag(field, values)?.then(Rule::optional),
                ("permission", Kind::Text) => name(field, values)?.map(Rule::permission),
                ("public", Kind::Bool) => flag(field, values)?.then(Rule::public),
                ("role", Kind::Text) => name(field, values)?.map(Rule::role),
                _ => return Err(unknown(field.name)),
            };
            match (&found, rule) {
                (_, None) => {}
                (None, Some(rule)) => found = Some((field.name, rule)),
                (Some((one, _)), Some(_)) => return Err(contradictory(one, field.name)),
            }
        }
        found.map(|(_, rule)| rule).ok_or(InvalidRule::Empty)
    }

    /// Reads a `passport.v1.Requirements`.
    fn requirements(&self, bytes: &[u8], depth: usize) -> Result<Vec<Rule>, InvalidRule> {
        if depth == MAX_DEPTH {
            return Err(InvalidRule::TooDeep { limit: MAX_DEPTH });
        }
        let mut rules = Vec::new();
        for (number, values) in read(bytes)?.fields() {
            let field = known(&self.requirements_fields, number)?;
            if !field.is_repeated {
                return Err(unknown(field.name));
            }
            for &value in values {
                rules.push(match (field.name, field.kind()) {
                    ("all_of", Kind::Requirements) => {
                        Rule::all_of(self.requirements(message_in(value, field.name)?, depth + 1)?)
                    }
                    ("any_of", Kind::Requirements) => {
                        Rule::any_of(self.requirements(message_in(value, field.name)?, depth + 1)?)
                    }
                    ("permissions", Kind::Text) => Rule::permission(text(value, field.name)?),
                    ("roles", Kind::Text) => Rule::role(text(value, field.name)?),
                    _ => return Err(unknown(field.name)),
                });
            }
        }
        Ok(rules)
    }
}

impl<'a> Field<'a> {
    fn read(field: &Message<'a>) -> Result<Self, WireError> {
        Ok(Self {
            name: field.name(1)?,
            extendee: field.name(2)?,
            number: u32::try_from(field.number(3)?).map_err(|_| WireError::Malformed)?,
            is_repeated: field.number(4)? == REPEATED,
            kind: field.number(5)?,
            type_name: field.name(6)?,
        })
    }

    fn is_rule(&self) -> bool {
        let is_one = self.type_name.strip_prefix('.') == Some(RULE_TYPE);
        is_one && self.kind == MESSAGE && !self.is_repeated
    }

    fn kind(&self) -> Kind {
        match self.kind {
            BOOL => Kind::Bool,
            STRING => Kind::Text,
            MESSAGE if self.type_name.strip_prefix('.') == Some(REQUIREMENTS_TYPE) => {
                Kind::Requirements
            }
            _ => Kind::Other,
        }
    }
}

/// All extensions that a file declares, those within messages included.
fn extensions<'a>(file: &File<'a>) -> Result<Vec<Extension<'a>>, PolicyError> {
    let malformed = |error: WireError| file.incomplete(error);
    let read = |scope: Option<&str>, field: &Message<'a>| {
        let field = Field::read(field)?;
        let name = scope
            .map_or_else(|| file.full_name(field.name), |scope| format!("{scope}.{}", field.name));
        Ok(Extension { name, field })
    };
    let declared = file.extensions.iter().map(|field| read(None, field));
    let mut found = declared.collect::<Result<Vec<_>, _>>().map_err(malformed)?;

    let name = |message: &Message<'a>| message.name(1).map(|name| file.full_name(name));
    let messages = file.messages.iter().map(|message| Ok((name(message)?, message.clone())));
    let mut left = messages.collect::<Result<Vec<_>, _>>().map_err(malformed)?;
    while let Some((scope, message)) = left.pop() {
        for value in message.all(EXTENSION) {
            let field = value.bytes().and_then(Message::read).map_err(malformed)?;
            found.push(read(Some(&scope), &field).map_err(malformed)?);
        }
        for value in message.all(NESTED_TYPE) {
            let nested = value.bytes().and_then(Message::read).map_err(malformed)?;
            let name = nested.name(1).map_err(malformed)?;
            left.push((format!("{scope}.{name}"), nested));
        }
    }
    Ok(found)
}

fn other_option(file: &File<'_>, name: &str) -> PolicyError {
    PolicyError::OptionType { file: file.name.to_owned(), option: name.to_owned() }
}

/// The fields that a `google.protobuf.DescriptorProto` declares.
fn fields_of<'a>(message: &Message<'a>) -> Result<Declared<'a>, WireError> {
    let mut fields = Declared::new();
    for value in message.all(2) {
        let field = Field::read(&Message::read(value.bytes()?)?)?;
        if fields.insert(field.number, field).is_some() {
            return Err(WireError::Malformed);
        }
    }
    Ok(fields)
}

fn read(bytes: &[u8]) -> Result<Message<'_>, InvalidRule> {
    Message::read(bytes).map_err(|_| InvalidRule::Malformed)
}

/// What is not known is an error: it would have asked for more.
fn known<'f, 'a>(fields: &'f Declared<'a>, number: u32) -> Result<&'f Field<'a>, InvalidRule> {
    fields.get(&number).ok_or_else(|| unknown(&format!("field {number}")))
}

fn joined(pieces: &[Value<'_>], field: &str) -> Result<Vec<u8>, InvalidRule> {
    wire::joined(pieces).map_err(|_| unknown(field))
}

fn message_in<'a>(value: Value<'a>, field: &str) -> Result<&'a [u8], InvalidRule> {
    value.bytes().map_err(|_| unknown(field))
}

fn flag(field: &Field<'_>, values: &[Value<'_>]) -> Result<bool, InvalidRule> {
    match *values {
        [Value::Number(number)] => Ok(number != 0),
        [_] => Err(unknown(field.name)),
        _ => Err(contradictory(field.name, field.name)),
    }
}

/// The name of a permission or role. Empty ones are not set: compilers leave them out.
fn name<'a>(field: &Field<'_>, values: &[Value<'a>]) -> Result<Option<&'a str>, InvalidRule> {
    match *values {
        [value] => Ok(Some(text(value, field.name)?).filter(|name| !name.is_empty())),
        _ => Err(contradictory(field.name, field.name)),
    }
}

fn text<'a>(value: Value<'a>, field: &str) -> Result<&'a str, InvalidRule> {
    let bytes = message_in(value, field)?;
    std::str::from_utf8(bytes).map_err(|_| InvalidRule::Malformed)
}

fn unknown(field: &str) -> InvalidRule {
    InvalidRule::Unknown { field: field.to_owned() }
}

fn contradictory(one: &str, other: &str) -> InvalidRule {
    InvalidRule::Contradictory { one: one.to_owned(), other: other.to_owned() }
}

/// The number of `uninterpreted_option` in all options.
const UNINTERPRETED: u32 = 999;

/// Of `google.protobuf.DescriptorProto`.
const NESTED_TYPE: u32 = 3;
const EXTENSION: u32 = 6;

/// Of `google.protobuf.FieldDescriptorProto.Label`.
const REPEATED: u64 = 3;

/// Of `google.protobuf.FieldDescriptorProto.Type`.
const BOOL: u64 = 8;
const STRING: u64 = 9;
const MESSAGE: u64 = 11;
