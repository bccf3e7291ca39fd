//! Decoder of `passport.v1.Rule` messages, guided by the field declarations of the descriptor set.

use super::field::{Field, Fields};
use super::wire::{self, Message, Value};
use crate::policy::error::InvalidRule;
use crate::policy::rule::{MAX_DEPTH, Rule};

/// Full name of the type of both options.
pub(super) const RULE_TYPE: &str = "passport.v1.Rule";

/// Full name of the type of groups.
pub(super) const REQUIREMENTS_TYPE: &str = "passport.v1.Requirements";

/// Field declarations of the messages that make up a rule.
///
/// Fields are identified by name. A field that is unknown, or has another type, is an error: a
/// newer version may have added a requirement, and skipping it would allow more than was declared.
#[derive(Default)]
pub(super) struct RuleSchema<'a> {
    pub(super) rule: Fields<'a>,
    pub(super) requirements: Fields<'a>,
}

impl RuleSchema<'_> {
    /// Decodes a `passport.v1.Rule`.
    pub(super) fn decode_rule(&self, bytes: &[u8]) -> Result<Rule, InvalidRule> {
        let mut decoded: Option<(&str, Rule)> = None;
        for (number, values) in read_message(bytes)?.fields() {
            let field = declared_field(&self.rule, number)?;
            if field.is_repeated {
                return Err(unknown_field(field.name));
            }
            let rule = match (field.name, FieldType::of(field)) {
                ("all_of", FieldType::Requirements) => {
                    let bytes = join_pieces(values, field.name)?;
                    Some(Rule::all_of(self.decode_requirements(&bytes, 0)?))
                }
                ("any_of", FieldType::Requirements) => {
                    let bytes = join_pieces(values, field.name)?;
                    Some(Rule::any_of(self.decode_requirements(&bytes, 0)?))
                }
                ("authenticated", FieldType::Bool) => {
                    decode_flag(field, values)?.then(Rule::authenticated)
                }
                ("optional", FieldType::Bool) => decode_flag(field, values)?.then(Rule::optional),
                ("permission", FieldType::String) => {
                    decode_name(field, values)?.map(Rule::permission)
                }
                ("public", FieldType::Bool) => decode_flag(field, values)?.then(Rule::public),
                ("role", FieldType::String) => decode_name(field, values)?.map(Rule::role),
                _ => return Err(unknown_field(field.name)),
            };
            match (&decoded, rule) {
                (_, None) => {}
                (None, Some(rule)) => decoded = Some((field.name, rule)),
                (Some((first, _)), Some(_)) => return Err(conflict(first, field.name)),
            }
        }
        decoded.map(|(_, rule)| rule).ok_or(InvalidRule::Empty)
    }

    /// Decodes a `passport.v1.Requirements`.
    fn decode_requirements(&self, bytes: &[u8], depth: usize) -> Result<Vec<Rule>, InvalidRule> {
        if depth == MAX_DEPTH {
            return Err(InvalidRule::TooDeep { max_depth: MAX_DEPTH });
        }
        let mut rules = Vec::new();
        for (number, values) in read_message(bytes)?.fields() {
            let field = declared_field(&self.requirements, number)?;
            if !field.is_repeated {
                return Err(unknown_field(field.name));
            }
            for &value in values {
                rules.push(match (field.name, FieldType::of(field)) {
                    ("all_of", FieldType::Requirements) => {
                        let bytes = bytes_of(value, field.name)?;
                        Rule::all_of(self.decode_requirements(bytes, depth + 1)?)
                    }
                    ("any_of", FieldType::Requirements) => {
                        let bytes = bytes_of(value, field.name)?;
                        Rule::any_of(self.decode_requirements(bytes, depth + 1)?)
                    }
                    ("permissions", FieldType::String) => {
                        Rule::permission(decode_string(value, field.name)?)
                    }
                    ("roles", FieldType::String) => Rule::role(decode_string(value, field.name)?),
                    _ => return Err(unknown_field(field.name)),
                });
            }
        }
        Ok(rules)
    }
}

/// Field types that rules use.
enum FieldType {
    Bool,
    Requirements,
    String,
    Other,
}

impl FieldType {
    fn of(field: &Field<'_>) -> Self {
        if field.is_bool() {
            Self::Bool
        } else if field.is_string() {
            Self::String
        } else if field.is_message(REQUIREMENTS_TYPE) {
            Self::Requirements
        } else {
            Self::Other
        }
    }
}

fn read_message(bytes: &[u8]) -> Result<Message<'_>, InvalidRule> {
    Message::read(bytes).map_err(|_| InvalidRule::Malformed)
}

fn declared_field<'f, 'a>(
    fields: &'f Fields<'a>,
    number: u32,
) -> Result<&'f Field<'a>, InvalidRule> {
    fields.get(&number).ok_or_else(|| unknown_field(&format!("field {number}")))
}

/// Merges the occurrences of a message field, as every protocol buffer decoder does.
fn join_pieces(pieces: &[Value<'_>], field: &str) -> Result<Vec<u8>, InvalidRule> {
    wire::joined(pieces).map_err(|_| unknown_field(field))
}

fn bytes_of<'a>(value: Value<'a>, field: &str) -> Result<&'a [u8], InvalidRule> {
    value.bytes().map_err(|_| unknown_field(field))
}

/// Decodes a bool that occurs once. A decoder would let the last of several occurrences win, which
/// hides a contradiction.
fn decode_flag(field: &Field<'_>, values: &[Value<'_>]) -> Result<bool, InvalidRule> {
    match *values {
        [Value::Number(number)] => Ok(number != 0),
        [_] => Err(unknown_field(field.name)),
        _ => Err(conflict(field.name, field.name)),
    }
}

/// Decodes the name of a permission or role that occurs once. An empty string counts as not set,
/// because compilers do not write it.
fn decode_name<'a>(
    field: &Field<'_>,
    values: &[Value<'a>],
) -> Result<Option<&'a str>, InvalidRule> {
    match *values {
        [value] => Ok(Some(decode_string(value, field.name)?).filter(|name| !name.is_empty())),
        _ => Err(conflict(field.name, field.name)),
    }
}

fn decode_string<'a>(value: Value<'a>, field: &str) -> Result<&'a str, InvalidRule> {
    let bytes = bytes_of(value, field)?;
    std::str::from_utf8(bytes).map_err(|_| InvalidRule::Malformed)
}

fn unknown_field(field: &str) -> InvalidRule {
    InvalidRule::UnknownField { field: field.to_owned() }
}

fn conflict(first: &str, second: &str) -> InvalidRule {
    InvalidRule::ConflictingFields { first: first.to_owned(), second: second.to_owned() }
}
