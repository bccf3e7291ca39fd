//! Immutable rules of a policy, indexed by method, with a counter for each rule.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ahash::RandomState;

use super::path::service_of;
use super::resolved::{FALLBACK_PATTERN, ResolvedRules, service_pattern};
use super::rule::SourcedRule;
use super::table::{RuleEntry, RuleTable};

/// Rules by method, then by service, then the fallback.
pub(super) struct RuleSet {
    methods: HashMap<Arc<str>, CountedRule, RandomState>,
    /// The known services, each with its default rule, if it has one.
    services: HashMap<Arc<str>, Option<CountedRule>, RandomState>,
    /// The rule for methods of all other services.
    fallback: Option<CountedRule>,
}

/// Rule with its counters.
pub(super) struct CountedRule {
    pub(super) declared: SourcedRule,
    /// Label of the rule in metrics and tables: a method's path, or a pattern.
    pub(super) target: Arc<str>,
    allowed: AtomicU64,
    denied: AtomicU64,
}

impl RuleSet {
    pub(super) fn new(resolved: ResolvedRules) -> Self {
        let methods = resolved.methods.into_iter().filter_map(|(path, rule)| {
            let path: Arc<str> = Arc::from(path.as_str());
            Some((Arc::clone(&path), CountedRule::new(path, rule?)))
        });
        let services = resolved.services.into_iter().map(|(name, rule)| {
            let target = Arc::from(service_pattern(&name));
            (Arc::from(name), rule.map(|rule| CountedRule::new(target, rule)))
        });
        Self {
            methods: methods.collect(),
            services: services.collect(),
            fallback: resolved
                .fallback
                .map(|rule| CountedRule::new(Arc::from(FALLBACK_PATTERN), rule)),
        }
    }

    /// Returns the rule of a method by its exact path.
    pub(super) fn for_method(&self, method: &str) -> Option<&CountedRule> {
        self.methods.get(method)
    }

    /// Returns the rule for a method without its own rule: its service's default, or the fallback
    /// where the service is unknown. The path must be canonical.
    pub(super) fn default_for(&self, method: &str) -> Option<&CountedRule> {
        match self.services.get(service_of(method)) {
            Some(rule) => rule.as_ref(),
            None => self.fallback.as_ref(),
        }
    }

    /// Returns how many methods have their own rule.
    pub(super) fn method_count(&self) -> usize {
        self.methods.len()
    }

    /// Returns all rules with their current counts.
    pub(super) fn table(&self) -> RuleTable {
        let defaults = self.services.values().flatten().chain(&self.fallback);
        RuleTable::new(self.methods.values().chain(defaults).map(CountedRule::entry).collect())
    }
}

impl CountedRule {
    fn new(target: Arc<str>, declared: SourcedRule) -> Self {
        Self { declared, target, allowed: AtomicU64::new(0), denied: AtomicU64::new(0) }
    }

    /// Counts a decision.
    pub(super) fn count(&self, is_allowed: bool) {
        let counter = if is_allowed { &self.allowed } else { &self.denied };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn entry(&self) -> RuleEntry {
        RuleEntry {
            target: self.target.to_string(),
            rule: Some(self.declared.clone()),
            allowed: self.allowed.load(Ordering::Relaxed),
            denied: self.denied.load(Ordering::Relaxed),
        }
    }
}
