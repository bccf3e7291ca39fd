//! Collects rules, and demands that there is one for each method.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::mem;
use std::sync::Arc;

use super::audit::AuditSink;
use super::descriptor::{self, Service};
use super::engine::Policy;
use super::error::PolicyError;
use super::origin::{Found, RuleSource};
use super::path::{MethodPath, is_service_name};
use super::rule::Rule;
use super::table::{RuleEntry, RuleTable};
use super::{HEALTH, REFLECTION};

/// Collects the rules of a [`Policy`]; see [`Policy::builder`].
///
/// For a method that is described, the first of these that is there is its rule: a rule in code for
/// it, the one that is declared beside it, the default in code for its service, the default that is
/// declared for its service.
#[must_use = "a builder does nothing until `build` is called"]
pub struct PolicyBuilder {
    name: Arc<str>,
    described: BTreeMap<String, Service>,
    services: Option<BTreeSet<String>>,
    rules: BTreeMap<MethodPath, Rule>,
    defaults: BTreeMap<String, Rule>,
    others: Option<Rule>,
    expose_requirements: bool,
    sinks: Vec<Arc<dyn AuditSink>>,
    /// The first thing that was wrong.
    error: Option<PolicyError>,
}

/// The rule of each method.
#[derive(Default)]
pub(super) struct Resolved {
    pub(super) methods: Vec<(MethodPath, Found)>,
    /// The services that are known. Where there is a rule, it is for all methods that have none.
    pub(super) services: BTreeMap<String, Found>,
    /// The rule for methods of all other services.
    pub(super) others: Found,
    /// A file that seems to have lost its rules.
    without_rules: Option<String>,
}

impl Resolved {
    fn table(self) -> RuleTable {
        let row = |method: String, rule| RuleEntry { method, rule, allowed: 0, denied: 0 };
        let methods = self.methods.into_iter().map(|(path, found)| row(path.to_string(), found));
        let services = self.services.into_iter().filter(|(_, found)| found.is_some());
        let services = services.map(|(name, found)| row(format!("/{name}/*"), found));
        let others = self.others.map(|found| row("*".to_owned(), Some(found)));
        RuleTable::new(methods.chain(services).chain(others).collect())
    }
}

impl PolicyBuilder {
    pub(super) fn new() -> Self {
        Self {
            name: Arc::from("policy"),
            described: BTreeMap::new(),
            services: None,
            rules: BTreeMap::new(),
            defaults: BTreeMap::new(),
            others: None,
            expose_requirements: false,
            sinks: Vec::new(),
            error: None,
        }
    }

    /// Names the policy, for audit events and metrics; `policy` by default.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Arc::from(name.into());
        self
    }

    /// Adds the services and methods of a compiled descriptor set (an encoded
    /// `google.protobuf.FileDescriptorSet`, imports included), and the rules that are declared
    /// beside them with the options of `passport/v1/policy.proto`. There may be several sets.
    ///
    /// It takes what a compiler has written. A set that was decoded and encoded by what does not
    /// know the options, as the types of prost, has none of them any more: that is
    /// [an error](PolicyError::RulesDropped) where rules in code would take their place.
    pub fn descriptor_set(mut self, bytes: impl AsRef<[u8]>) -> Self {
        match descriptor::services(bytes.as_ref()) {
            Ok(services) => {
                for service in services {
                    self.describe(service);
                }
            }
            Err(error) => self.fail(error),
        }
        self
    }

    /// Names the services that this server serves, each as `package.Service`. All of their methods
    /// must have a rule; those of other services of the descriptor sets are denied. Without this,
    /// all services of the descriptor sets are served.
    pub fn services<I>(mut self, services: I) -> Self
    where
        I: IntoIterator<Item: Into<String>>,
    {
        self.services.get_or_insert_default().extend(services.into_iter().map(Into::into));
        self
    }

    /// Sets the rule of a method, `/package.Service/Method`.
    pub fn rule(mut self, method: impl AsRef<str>, rule: Rule) -> Self {
        let method = method.as_ref();
        self.check(method, &rule);
        match method.parse::<MethodPath>() {
            Ok(path) => {
                if self.rules.insert(path, rule).is_some() {
                    self.fail(PolicyError::RepeatedRule { target: method.to_owned() });
                }
            }
            Err(problem) => self.fail(PolicyError::InvalidMethodPath { problem }),
        }
        self
    }

    /// Sets the rule of methods to [`Rule::public`]: [`HEALTH`] and [`REFLECTION`], for instance.
    pub fn public<I>(self, methods: I) -> Self
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        methods.into_iter().fold(self, |policy, method| policy.rule(method, Rule::public()))
    }

    /// Sets the rule of all methods of a service that have none of their own. Of a service that is
    /// in no descriptor set, nobody knows the methods: there it is the rule of whatever is called.
    pub fn default_rule(mut self, service: impl Into<String>, rule: Rule) -> Self {
        let service = service.into();
        if !is_service_name(&service) {
            self.fail(PolicyError::InvalidServiceName { name: service.clone() });
        }
        self.check(&service, &rule);
        if self.defaults.insert(service.clone(), rule).is_some() {
            self.fail(PolicyError::RepeatedRule { target: service });
        }
        self
    }

    /// Sets the rule of all methods of services that this policy says nothing of. This is for a
    /// gateway, which relays the calls of services that decide for themselves; everywhere else,
    /// methods that nobody thought of are better denied.
    pub fn fallback_rule(mut self, rule: Rule) -> Self {
        self.check("fallback_rule", &rule);
        if self.others.replace(rule).is_some() {
            self.fail(PolicyError::RepeatedRule { target: "fallback_rule".to_owned() });
        }
        self
    }

    /// Tells callers who are denied what would have been enough. By default they are told that it
    /// was not; and so they are when it takes more than 2 KiB to say.
    pub fn expose_requirements(mut self) -> Self {
        self.expose_requirements = true;
        self
    }

    /// Shows each decision to this sink as well. There may be several.
    pub fn audit(mut self, sink: impl AuditSink) -> Self {
        self.sinks.push(Arc::new(sink));
        self
    }

    /// The rules as they are, methods without one included.
    ///
    /// # Errors
    ///
    /// Those of [`build`](Self::build), but for [`PolicyError::Uncovered`].
    pub fn table(self) -> Result<RuleTable, PolicyError> {
        Ok(self.resolve()?.table())
    }

    /// Builds the policy.
    ///
    /// # Errors
    ///
    /// A [`PolicyError`] that names what is wrong, or all methods that have no rule.
    pub fn build(mut self) -> Result<Policy, PolicyError> {
        let sinks = mem::take(&mut self.sinks);
        let (name, expose_requirements) = (Arc::clone(&self.name), self.expose_requirements);
        let resolved = self.resolve()?;
        let uncovered = resolved.methods.iter().filter(|(_, found)| found.is_none());
        let mut methods: Vec<MethodPath> = uncovered.map(|(method, _)| method.clone()).collect();
        methods.sort_unstable();
        if !methods.is_empty() {
            return Err(PolicyError::Uncovered { methods, without_rules: resolved.without_rules });
        }
        if let Some(file) = resolved.without_rules {
            return Err(PolicyError::RulesDropped { file });
        }
        Ok(Policy::new(name, resolved, expose_requirements, sinks))
    }

    /// Finds the rule of each method.
    fn resolve(mut self) -> Result<Resolved, PolicyError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let mut resolved = Resolved::default();
        if let Some(listed) = &self.services {
            // What is said of a service that is not served is not for another rule to say.
            let (services, others) =
                self.described.into_iter().partition(|(name, _)| listed.contains(name));
            self.described = services;
            resolved.services = others.into_keys().map(|name| (name, None)).collect();
        }
        self.check_names(resolved.services.keys())?;

        let code = |rule: Rule| Some((rule, RuleSource::code()));
        let code_default = |rule: Rule| Some((rule, RuleSource::code().of_default()));
        for (name, service) in self.described {
            resolved.without_rules = resolved.without_rules.or(service.without_rules);
            let default =
                self.defaults.remove(&name).and_then(code_default).or(service.default_rule);
            for method in service.methods {
                let rule = self.rules.remove(&method.path).and_then(code);
                let rule = rule.or(method.rule).or_else(|| default.clone());
                resolved.methods.push((method.path, rule));
            }
            resolved.services.insert(name, None);
        }
        for (method, rule) in self.rules {
            resolved.services.entry(method.service().to_owned()).or_default();
            resolved.methods.push((method, code(rule)));
        }
        for (name, rule) in self.defaults {
            resolved.services.insert(name, code_default(rule));
        }
        resolved.others = self.others.and_then(code_default);
        Ok(resolved)
    }

    /// Demands that what is named in code is there: a rule with a misspelled name would change
    /// nothing. Besides those that are served, these services are described.
    fn check_names<'a>(
        &'a self,
        others: impl Iterator<Item = &'a String>,
    ) -> Result<(), PolicyError> {
        let described: BTreeSet<&String> = self.described.keys().chain(others).collect();
        let unknown = |service: &str, known: &BTreeSet<&String>| PolicyError::UnknownService {
            service: service.to_owned(),
            known: known.iter().map(ToString::to_string).collect(),
        };
        for name in self.services.iter().flatten() {
            if !is_service_name(name) {
                return Err(PolicyError::InvalidServiceName { name: name.clone() });
            }
            let has_rules = self.defaults.contains_key(name)
                || is_exempt(name) && self.rules.keys().any(|method| method.service() == name);
            if !has_rules && !self.described.contains_key(name) {
                return Err(unknown(name, &described));
            }
        }
        if self.services.is_none() && self.described.is_empty() {
            // All that is known of services is what the rules say.
            return Ok(());
        }
        let is_listed = |name: &str| self.services.as_ref().is_some_and(|all| all.contains(name));
        let is_known =
            |name: &str| self.described.contains_key(name) || is_listed(name) || is_exempt(name);
        let services = self.rules.keys().map(MethodPath::service);
        let mut services = services.chain(self.defaults.keys().map(String::as_str));
        if let Some(name) = services.find(|name| !is_known(name)) {
            let served: BTreeSet<&String> = self.services.iter().flatten().collect();
            return Err(unknown(name, if served.is_empty() { &described } else { &served }));
        }
        let is_missing = |method: &&MethodPath| {
            // Not every version of health and reflection has all of these methods.
            let is_ready_made = HEALTH.contains(method) || REFLECTION.contains(method);
            let service = self.described.get(method.service()).filter(|_| !is_ready_made);
            service.is_some_and(|service| service.methods.iter().all(|own| own.path != **method))
        };
        match self.rules.keys().find(is_missing) {
            Some(method) => Err(PolicyError::UnknownMethod { method: method.clone() }),
            None => Ok(()),
        }
    }

    fn describe(&mut self, service: Service) {
        match self.described.get(&service.name) {
            // What two sets share is described in both.
            Some(known) if *known != service => {
                self.fail(PolicyError::ServiceConflict { service: service.name });
            }
            _ => {
                self.described.insert(service.name.clone(), service);
            }
        }
    }

    fn check(&mut self, target: &str, rule: &Rule) {
        if let Err(problem) = rule.validate() {
            let target = target.to_owned();
            self.fail(PolicyError::InvalidRule { origin: RuleSource::code(), target, problem });
        }
    }

    fn fail(&mut self, error: PolicyError) {
        self.error.get_or_insert(error);
    }
}

/// Whether it is a service that this crate has ready-made lists of methods for.
fn is_exempt(service: &str) -> bool {
    HEALTH.iter().chain(REFLECTION).any(|method| method.service() == service)
}

impl fmt::Debug for PolicyBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolicyBuilder").field("name", &self.name).finish_non_exhaustive()
    }
}
