//! Why there is no policy.

use std::error::Error;

use super::origin::RuleOrigin;
use super::path::{InvalidMethodPath, MethodPath};

/// Why a policy cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// The bytes are no descriptor set (a `google.protobuf.FileDescriptorSet`), or one that is cut
    /// short, or lacks files that others import: protoc writes those with `--include_imports`.
    #[error("not a complete descriptor set")]
    InvalidDescriptorSet {
        /// What is wrong with it.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },

    /// A rule is in code for something that is no method's path.
    #[error("code: a rule is for no method")]
    InvalidMethodPath {
        /// What it is for.
        #[source]
        source: InvalidMethodPath,
    },

    /// A rule cannot be what was meant.
    #[error("{origin}: {target}")]
    InvalidRule {
        /// Where it comes from.
        origin: RuleOrigin,
        /// The path of the method, or the name of the service, that it is for.
        target: String,
        /// What is wrong with it.
        #[source]
        source: InvalidRule,
    },

    /// A service's name is not of the form `package.Service`.
    #[error("code: {name:?} is not the full name of a service")]
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
    #[error("code: {target} has two rules")]
    RepeatedRule {
        /// The method's path, the service's name, or `other_services`.
        target: String,
    },

    /// A file imports the options, and none of its services and methods has one: the set has been
    /// through something that does not know them and drops them, such as `prost_types`. Rules in
    /// code would take the place of all that were declared.
    #[error(
        "{file}: it imports passport/v1/policy.proto and has no rule: were its options dropped?"
    )]
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

    /// Methods have no rule. When their files have, the descriptor set has
    /// [lost](PolicyError::RulesDropped) it.
    #[error("no rule for {}", joined(methods))]
    Uncovered {
        /// All of them.
        methods: Vec<MethodPath>,
    },

    /// A rule in code is for a method that the service does not have.
    #[error("code: there is no method {method}")]
    UnknownMethod {
        /// The method's path.
        method: MethodPath,
    },

    /// A rule in code, or the list of services, names a service that is in none of the descriptor
    /// sets. Of one that is not described, [`services`](super::PolicyBuilder::services) holds the
    /// name, and there is a [`default_rule`](super::PolicyBuilder::default_rule) in code.
    #[error("code: {service} is not described, or not one of the services of this policy")]
    UnknownService {
        /// The service's full name.
        service: String,
    },
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
    #[error("it says nothing")]
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
    #[error("{field} is unknown here, or of another type")]
    Unknown {
        /// The field's name, or its number.
        field: String,
    },

    /// The options are there as they were written: no compiler has looked up what they are.
    #[error("its options were not looked up by a compiler")]
    Uninterpreted,
}
