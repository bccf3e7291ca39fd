//! Options of `passport/v1/policy.proto`, as a descriptor set declares them.
//!
//! They are identified by full name, not by number: their numbers are of the range for private use,
//! and a copy of the file may change them.

use std::collections::BTreeSet;
use std::mem;

use super::field::{Extension, Field, extensions_of, fields_of};
use super::file::File;
use super::rule::{REQUIREMENTS_TYPE, RULE_TYPE, RuleSchema};
use super::wire::{self, Message};
use crate::policy::error::{InvalidRule, PolicyError};
use crate::policy::rule::{Rule, SourcedRule};
use crate::policy::source::RuleSource;

const RULE: &str = "passport.v1.rule";
const DEFAULT_RULE: &str = "passport.v1.default_rule";
const METHOD_OPTIONS: &str = ".google.protobuf.MethodOptions";
const SERVICE_OPTIONS: &str = ".google.protobuf.ServiceOptions";

/// Field number of `uninterpreted_option` in the options of any kind.
const UNINTERPRETED_OPTION: u32 = 999;

/// Options of `passport/v1/policy.proto` in one descriptor set.
#[derive(Default)]
pub(super) struct PolicyOptions<'a> {
    /// Number of `passport.v1.rule`, if it is declared.
    rule: Option<u32>,
    /// Number of `passport.v1.default_rule`, if it is declared.
    default_rule: Option<u32>,
    schema: RuleSchema<'a>,
    /// Names of the files that declare the options.
    files: BTreeSet<&'a str>,
}

impl<'a> PolicyOptions<'a> {
    /// Finds the options. A descriptor set without them is valid.
    ///
    /// Declarations that could be confused with the options are errors: one with the right name and
    /// another type, one with the right type and another name, and one with the same number.
    pub(super) fn declared_in(files: &[File<'a>]) -> Result<Self, PolicyError> {
        let mut options = Self::default();
        let mut others = Vec::new();
        for file in files {
            for extension in extensions_of(file)? {
                let Extension { name, field } = &extension;
                let (extendee, number) = match name.as_str() {
                    RULE => (METHOD_OPTIONS, &mut options.rule),
                    DEFAULT_RULE => (SERVICE_OPTIONS, &mut options.default_rule),
                    _ if !is_rule(field) => {
                        others.push((file, extension));
                        continue;
                    }
                    // Has the type of a rule, but would be ignored because of its name.
                    _ => return Err(type_mismatch(file, name)),
                };
                let is_valid = is_rule(field) && field.extendee == extendee;
                if !is_valid || number.replace(field.number).is_some() {
                    return Err(type_mismatch(file, name));
                }
                options.files.insert(file.name);
            }
            options.read_schema(file)?;
        }
        options.check_numbers(&others)?;
        Ok(options)
    }

    /// Reads the field declarations of `passport.v1.Rule` and `passport.v1.Requirements`.
    fn read_schema(&mut self, file: &File<'a>) -> Result<(), PolicyError> {
        for message in &file.messages {
            let name = message.name(1).map_err(|error| file.invalid(error))?;
            let name = file.full_name(name);
            let known = match name.as_str() {
                RULE_TYPE => &mut self.schema.rule,
                REQUIREMENTS_TYPE => &mut self.schema.requirements,
                _ => continue,
            };
            let fields = fields_of(message).map_err(|error| file.invalid(error))?;
            if !mem::replace(known, fields).is_empty() {
                return Err(file.invalid(format_args!("there is another {name}")));
            }
        }
        Ok(())
    }

    /// Checks that no other option has the number of one of these: in encoded options, its value
    /// would be taken for a rule.
    fn check_numbers(&self, others: &[(&File<'a>, Extension<'a>)]) -> Result<(), PolicyError> {
        for (file, Extension { name, field }) in others {
            let number = match field.extendee {
                METHOD_OPTIONS => self.rule,
                SERVICE_OPTIONS => self.default_rule,
                _ => continue,
            };
            if number == Some(field.number) {
                return Err(PolicyError::OptionNumberConflict {
                    file: file.name.to_owned(),
                    option: name.clone(),
                    number: field.number,
                });
            }
        }
        Ok(())
    }

    /// Returns whether a file imports one that declares the options.
    pub(super) fn are_imported_by(&self, file: &File<'_>) -> bool {
        file.imports.iter().any(|import| self.files.contains(import))
    }

    /// Reads the rule in a method's options (`google.protobuf.MethodOptions`).
    pub(super) fn rule(
        &self,
        options: &[u8],
        method: &str,
        source: &RuleSource,
    ) -> Result<Option<SourcedRule>, PolicyError> {
        let rule = self.read(options, self.rule, RULE);
        with_source(rule, method, source.clone())
    }

    /// Reads the default rule in a service's options (`google.protobuf.ServiceOptions`).
    pub(super) fn default_rule(
        &self,
        options: &[u8],
        service: &str,
        source: &RuleSource,
    ) -> Result<Option<SourcedRule>, PolicyError> {
        let rule = self.read(options, self.default_rule, DEFAULT_RULE);
        with_source(rule, service, source.clone().into_default())
    }

    /// Reads the option of this number and name.
    fn read(
        &self,
        options: &[u8],
        number: Option<u32>,
        name: &str,
    ) -> Result<Option<Rule>, InvalidRule> {
        let options = Message::read(options).map_err(|_| InvalidRule::Malformed)?;
        if !options.all(UNINTERPRETED_OPTION).is_empty() {
            return Err(InvalidRule::Uninterpreted);
        }
        let pieces = number.map_or(&[][..], |number| options.all(number));
        if pieces.is_empty() {
            return Ok(None);
        }
        let unknown = |_| InvalidRule::UnknownField { field: name.to_owned() };
        let rule = self.schema.decode_rule(&wire::joined(pieces).map_err(unknown)?)?;
        rule.validate()?;
        Ok(Some(rule))
    }
}

/// Returns whether a field holds one `passport.v1.Rule`.
fn is_rule(field: &Field<'_>) -> bool {
    field.is_message(RULE_TYPE) && !field.is_repeated
}

/// Adds the source to a rule, or to the error of reading it.
fn with_source(
    rule: Result<Option<Rule>, InvalidRule>,
    target: &str,
    source: RuleSource,
) -> Result<Option<SourcedRule>, PolicyError> {
    match rule {
        Ok(rule) => Ok(rule.map(|rule| SourcedRule { rule, source })),
        Err(problem) => Err(PolicyError::InvalidRule {
            declared_in: source,
            target: target.to_owned(),
            problem,
        }),
    }
}

fn type_mismatch(file: &File<'_>, name: &str) -> PolicyError {
    PolicyError::OptionTypeMismatch { file: file.name.to_owned(), option: name.to_owned() }
}
