//! Errors of building a policy.

use std::error::Error;

use super::path::{InvalidMethodPath, MethodPath};
use super::source::RuleSource;

/// Error of [`PolicyBuilder::build`](super::PolicyBuilder::build).
///
/// The message is complete: [`Error::source`] is always `None`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// One method, one service, or the fallback has two rules in code.
    #[error("in code: {target} has two rules")]
    DuplicateRule {
        /// The method's path, the service's name, or `fallback_rule`.
        target: String,
    },

    /// The bytes are not a complete `google.protobuf.FileDescriptorSet`: they have another format,
    /// are truncated, or lack an imported file. `protoc` includes imports with `--include_imports`.
    #[error("descriptor set: {problem}")]
    InvalidDescriptorSet {
        /// Description of the defect.
        problem: Box<dyn Error + Send + Sync>,
    },

    /// A rule in code names something that is not a method path.
    #[error("in code: {problem}")]
    InvalidMethodPath {
        /// The rejected text.
        problem: InvalidMethodPath,
    },

    /// A rule is empty, contradictory, or otherwise meaningless.
    #[error("{declared_in}: {target}: {problem}")]
    InvalidRule {
        /// Where the rule was declared.
        declared_in: RuleSource,
        /// Path of the method, or name of the service, that the rule is for.
        target: String,
        /// Description of the defect.
        problem: InvalidRule,
    },

    /// A service's name is not of the form `package.Service`.
    #[error("in code: {name:?} is not the full name of a service")]
    InvalidServiceName {
        /// The rejected name.
        name: String,
    },

    /// Another option has the field number of `passport.v1.rule` or `passport.v1.default_rule`, so
    /// that the two cannot be distinguished in encoded options.
    ///
    /// Change one of the numbers. A copy of `passport/v1/policy.proto` may use other numbers,
    /// because its options are identified by name.
    #[error("{file}: the option {option} has the number {number}, which is that of another option")]
    OptionNumberConflict {
        /// File that declares the other option.
        file: String,
        /// Full name of the other option.
        option: String,
        /// The shared number.
        number: u32,
    },

    /// An option has the name of an option of `passport/v1/policy.proto` but another type, or its
    /// type but another name; or it is declared twice.
    #[error("{file}: the option {option} is not the one of passport/v1/policy.proto")]
    OptionTypeMismatch {
        /// File that declares the option.
        file: String,
        /// Full name of the option.
        option: String,
    },

    /// A file imports the options, but none of its services and methods sets one.
    ///
    /// This is a sign that the descriptor set was decoded and encoded again by a library that drops
    /// unknown options, such as `prost_types`. Rules in code would silently replace the declared
    /// ones, so this is an error even where they cover every method.
    #[error("{}", options_dropped(file))]
    RulesDropped {
        /// The file's name.
        file: String,
    },

    /// Two descriptor sets contain different definitions of one service.
    #[error("two descriptor sets differ in {service}")]
    ServiceConflict {
        /// Full name of the service.
        service: String,
    },

    /// Methods have no rule.
    #[error("no rule for {}{}", join_paths(methods), dropped_hint(without_rules.as_deref()))]
    #[non_exhaustive]
    Uncovered {
        /// All methods without a rule, sorted.
        methods: Vec<MethodPath>,
        /// A file that imports the options but sets none of them: its rules may have been
        /// [dropped](PolicyError::RulesDropped).
        without_rules: Option<String>,
    },

    /// A rule in code names a method that the service does not have.
    #[error("in code: there is no method {method}")]
    UnknownMethod {
        /// The method's path.
        method: MethodPath,
    },

    /// A rule in code, or the list of [`services`](super::PolicyBuilder::services), names a service
    /// that no descriptor set contains; or a rule in code names a service that is not in the list.
    ///
    /// A service without a descriptor set needs an entry in the list, and a
    /// [`default_rule`](super::PolicyBuilder::default_rule) in code.
    #[error("in code: there is no service {service}; known services: {}", join_names(known))]
    #[non_exhaustive]
    UnknownService {
        /// The unknown name.
        service: String,
        /// Full names of the services that are listed or in a descriptor set.
        known: Vec<String>,
    },
}

fn dropped_hint(file: Option<&str>) -> String {
    file.map(|file| format!(" ({})", options_dropped(file))).unwrap_or_default()
}

fn options_dropped(file: &str) -> String {
    format!("{file} imports passport/v1/policy.proto and has no rule: were its options dropped?")
}

fn join_names(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn join_paths(methods: &[MethodPath]) -> String {
    methods.iter().map(MethodPath::as_str).collect::<Vec<_>>().join(", ")
}

/// Defect of a single [`Rule`](super::Rule).
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRule {
    /// Two fields are set that exclude each other, or one field is set twice.
    #[error("{first} and {second} contradict each other: a rule has exactly one of them")]
    ConflictingFields {
        /// A field of `passport.v1.Rule`.
        first: String,
        /// The field that conflicts with it.
        second: String,
    },

    /// No field is set.
    #[error("the rule sets nothing (false and an empty string count as not set)")]
    Empty,

    /// A group contains no rules.
    #[error("{group} is empty")]
    EmptyGroup {
        /// `any_of` or `all_of`.
        group: &'static str,
    },

    /// A permission or role has a name that no user can have: it is empty, or contains a control
    /// character.
    #[error("{name:?} is not a valid name of a permission or role")]
    InvalidName {
        /// The rejected name.
        name: String,
    },

    /// The bytes of the option are not a protocol buffer message.
    #[error("not a valid protocol buffer message")]
    Malformed,

    /// A group contains a rule that is not about permissions and roles.
    #[error("{rule} is not allowed inside any_of and all_of")]
    Misplaced {
        /// `authenticated`, `optional` or `public`.
        rule: &'static str,
    },

    /// Groups are nested too deeply.
    #[error("groups are nested more than {max_depth} levels deep")]
    TooDeep {
        /// Maximum depth.
        max_depth: usize,
    },

    /// The options are uninterpreted (`uninterpreted_option`): the descriptor set was written by a
    /// parser, without the compiler's step that resolves options.
    #[error("its options are uninterpreted: write the descriptor set with a compiler")]
    Uninterpreted,

    /// The rule sets a field that this version does not know, or that has another type.
    #[error("{field} is unknown to this version, or has another type")]
    UnknownField {
        /// The field's name, or its number.
        field: String,
    },
}
