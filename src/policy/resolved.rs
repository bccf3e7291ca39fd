//! Rules of all methods after resolution of overrides and defaults.

use std::collections::BTreeMap;

use super::path::MethodPath;
use super::rule::SourcedRule;
use super::table::{RuleEntry, RuleTable};

/// Result of [`PolicyBuilder`](super::PolicyBuilder)'s resolution: the rule of each method, and the
/// rules for methods that are not known by name.
#[derive(Default)]
pub(super) struct ResolvedRules {
    /// The methods that are known by name; `None` for a method that lacks a rule.
    pub(super) methods: Vec<(MethodPath, Option<SourcedRule>)>,
    /// The known services, each with the rule for its methods that are not in `methods`. `None`
    /// denies them, and keeps the fallback from applying.
    pub(super) services: BTreeMap<String, Option<SourcedRule>>,
    /// The rule for methods of services that are not in `services`.
    pub(super) fallback: Option<SourcedRule>,
    /// A file that imports the options but sets none of them.
    pub(super) file_without_rules: Option<String>,
}

impl ResolvedRules {
    /// Returns the methods that have no rule, sorted.
    pub(super) fn uncovered_methods(&self) -> Vec<MethodPath> {
        let uncovered = self.methods.iter().filter(|(_, rule)| rule.is_none());
        let mut methods: Vec<MethodPath> = uncovered.map(|(method, _)| method.clone()).collect();
        methods.sort_unstable();
        methods
    }

    /// Converts the rules to a table whose counters are zero.
    pub(super) fn into_table(self) -> RuleTable {
        let entry = |target: String, rule| RuleEntry { target, rule, allowed: 0, denied: 0 };
        let methods = self.methods.into_iter().map(|(path, rule)| entry(path.to_string(), rule));
        let services = self.services.into_iter().filter(|(_, rule)| rule.is_some());
        let services = services.map(|(name, rule)| entry(service_pattern(&name), rule));
        let fallback = self.fallback.map(|rule| entry(FALLBACK_PATTERN.to_owned(), Some(rule)));
        RuleTable::new(methods.chain(services).chain(fallback).collect())
    }
}

/// Name of the fallback rule in tables and metrics.
pub(super) const FALLBACK_PATTERN: &str = "*";

/// Name of a service's default rule in tables and metrics.
pub(super) fn service_pattern(service: &str) -> String {
    format!("/{service}/*")
}
