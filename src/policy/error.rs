//! Why there is no policy.

use std::error::Error;

use super::origin::RuleSource;
use super::path::{InvalidMethodPath, MethodPath};

/// Why a policy cannot be built. Its text says all of it: there are no further causes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// The bytes are no descriptor set (a `google.protobuf.FileDescriptorSet`), or one that is cut
    /// short, or lacks files that others import: protoc writes those with `--include_imports`.
    #[error("descriptor set: {problem}")]
    InvalidDescriptorSet {
        /// What is wrong with it.
        problem: Box<dyn Error + Send + Sync>,
    },

    /// A rule is in code for something that is no method's path.
    #[error("in code: {problem}")]
    InvalidMethodPath {
        /// What it is for.
        problem: InvalidMethodPath,
    },

    /// A rule cannot be what was meant.
    #[error("{origin}: {target}: {problem}")]
    InvalidRule {
        /// Where it comes from.
        origin: RuleSource,
        /// The path of the method, or the name of the service, that it is for.
        target: String,
        /// What is wrong with it.
        problem: InvalidRule,
    },

    /// A service's name is not of the form `package.Service`.
    #[error("in code: {name:?} is not the full name of a service")]
    InvalidServiceName {
        /// The name as it was given.
        name: String,
    },

    /// An option has the number of `passport.v1.rule`, or of `passport.v1.default_rule`, so that
    /// nobody can tell which of them is set. Give one of them another: in a copy of
    /// `passport/v1/policy.proto`, the numbers are yours, for its options are known by their names.
    #[error("{file}: the option {option} has the number {number}, which is that of another option")]
    OptionNumber {
        /// The file that declares it.
        file: String,
        /// The option's full name.
        option: String,
        /// The number.
        number: u32,
    },

    /// An option has the name of one of `passport/v1/policy.proto`, or the type, and not both; or
    /// there are two of them.
    #[error("{file}: the option {option} is not the one of passport/v1/policy.proto")]
    OptionType {
        /// The file that declares it.
        file: String,
        /// The option's full name.
        option: String,
    },

    /// There are two rules in code for one method, service, or for all other services.
    #[error("in code: {target} has two rules")]
    RepeatedRule {
        /// The method's path, the service's name, or `fallback_rule`.
        target: String,
    },

    /// A file imports the options, and none of its services and methods has one: the set has been
    /// through something that does not know them and drops them, such as `prost_types`. Rules in
    /// code would take the place of all that were declared.
    #[error("{}", dropped(file))]
    RulesDropped {
        /// The file's name.
        file: String,
    },

    /// Two descriptor sets describe one service, and not in the same way.
    #[error("two descriptor sets differ in {service}")]
    ServiceConflict {
        /// The service's full name.
        service: String,
    },

    /// Methods have no rule.
    #[error("no rule for {}{}", joined(methods), hint(without_rules.as_deref()))]
    #[non_exhaustive]
    Uncovered {
        /// All of them.
        methods: Vec<MethodPath>,
        /// A file that imports the options and has none of them. When it did have some, they were
        /// [dropped](PolicyError::RulesDropped).
        without_rules: Option<String>,
    },

    /// A rule in code is for a method that the service does not have.
    #[error("in code: there is no method {method}")]
    UnknownMethod {
        /// The method's path.
        method: MethodPath,
    },

    /// A rule in code, or the list of [`services`](super::PolicyBuilder::services), names a service
    /// that is in none of the descriptor sets; or a rule names one that is not in the list. Of a
    /// service that is not described, the list holds the name, and there is a
    /// [`default_rule`](super::PolicyBuilder::default_rule) in code.
    #[error("in code: there is no service {service}; known are {}", names(known))]
    #[non_exhaustive]
    UnknownService {
        /// The name as it was given.
        service: String,
        /// The full names of those that are described, or listed.
        known: Vec<String>,
    },
}

fn hint(file: Option<&str>) -> String {
    file.map(|file| format!(" ({})", dropped(file))).unwrap_or_default()
}

fn dropped(file: &str) -> String {
    format!("{file} imports passport/v1/policy.proto and has no rule: were its options dropped?")
}

fn names(known: &[String]) -> String {
    if known.is_empty() { "none".to_owned() } else { known.join(", ") }
}

fn joined(methods: &[MethodPath]) -> String {
    methods.iter().map(MethodPath::as_str).collect::<Vec<_>>().join(", ")
}

/// Why a rule cannot be what was meant.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRule {
    /// Two things are said that do not go together.
    #[error("{one} and {other} contradict each other: a rule has exactly one of them")]
    Contradictory {
        /// A field of `passport.v1.Rule`.
        one: String,
        /// Another one.
        other: String,
    },

    /// Nothing is said.
    #[error("the rule sets nothing (false, and an empty text, count as not set)")]
    Empty,

    /// A group of rules is empty.
    #[error("{group} holds nothing")]
    EmptyGroup {
        /// `any_of` or `all_of`.
        group: &'static str,
    },

    /// Its bytes are not those of a rule.
    #[error("it is no protocol buffer, or another one")]
    Malformed,

    /// A rule that is not about permissions and roles is part of a group.
    #[error("{rule} has no place within any_of and all_of")]
    Misplaced {
        /// `authenticated`, `optional` or `public`.
        rule: &'static str,
    },

    /// No user can have a permission or role of this name: it is empty, or holds a control
    /// character.
    #[error("{name:?} is no name of a permission or role")]
    InvalidName {
        /// The name.
        name: String,
    },

    /// Groups are nested too deeply.
    #[error("it is nested more than {limit} levels deep")]
    TooDeep {
        /// How deep they may be.
        limit: usize,
    },

    /// The rule holds something that this version does not know, or a field of another type.
    #[error("{field} is unknown to this version, or of another type")]
    Unknown {
        /// The field's name, or its number.
        field: String,
    },

    /// The options are there as they were written: no compiler has looked up what they are.
    #[error("its options were not looked up by a compiler")]
    Uninterpreted,
}
