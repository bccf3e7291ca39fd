//! Builder of a policy: collects rules, and requires one for each method.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::audit::AuditSink;
use super::descriptor::{self, Service};
use super::engine::Policy;
use super::error::PolicyError;
use super::method_rule::PolicySettings;
use super::path::{MethodPath, is_service_name};
use super::resolved::ResolvedRules;
use super::rule::{Rule, SourcedRule};
use super::source::RuleSource;
use super::table::RuleTable;
use super::well_known;

/// Builder of a [`Policy`]; see [`Policy::builder`].
///
/// The rule of a method in a descriptor set is the first that exists of:
///
/// 1. the rule in code for the method ([`rule`](Self::rule)),
/// 2. the rule declared for the method (`passport.v1.rule`),
/// 3. the default rule in code for its service ([`default_rule`](Self::default_rule)),
/// 4. the default rule declared for its service (`passport.v1.default_rule`).
#[must_use = "a builder does nothing until `build` is called"]
pub struct PolicyBuilder {
    settings: PolicySettings,
    /// Services of the descriptor sets, by name.
    described: BTreeMap<String, Service>,
    /// Names of the services that the server serves; `None` for all that are described.
    served: Option<BTreeSet<String>>,
    /// Rules in code, by method.
    rules: BTreeMap<MethodPath, Rule>,
    /// Default rules in code, by service.
    default_rules: BTreeMap<String, Rule>,
    fallback: Option<Rule>,
    /// The first error, reported by `build` and `table`.
    error: Option<PolicyError>,
}

impl Policy {
    /// Returns a builder without rules.
    ///
    /// ```
    /// use tonic_passport::policy::HEALTH;
    /// use tonic_passport::{Policy, Rule, UserContext};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let policy = Policy::builder()
    ///     .public(HEALTH)
    ///     .rule("/shop.v1.OrderService/CreateOrder", Rule::permission("orders:create"))
    ///     .build()?;
    ///
    /// let buyer = UserContext::builder("alice").permissions(["orders:create"]).build()?;
    /// let viewer = UserContext::builder("bob").permissions(["orders:read"]).build()?;
    /// assert!(policy.authorize("/shop.v1.OrderService/CreateOrder", Some(&buyer)).is_ok());
    /// assert!(policy.authorize("/shop.v1.OrderService/CreateOrder", Some(&viewer)).is_err());
    /// assert!(policy.authorize("/shop.v1.OrderService/DeleteOrder", Some(&buyer)).is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder() -> PolicyBuilder {
        PolicyBuilder::new()
    }
}

impl PolicyBuilder {
    fn new() -> Self {
        Self {
            settings: PolicySettings {
                name: Arc::from("policy"),
                expose_requirements: false,
                audit_sinks: Vec::new(),
            },
            described: BTreeMap::new(),
            served: None,
            rules: BTreeMap::new(),
            default_rules: BTreeMap::new(),
            fallback: None,
            error: None,
        }
    }

    /// Sets the policy's name in audit events and metrics. The default is `policy`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.settings.name = Arc::from(name.into());
        self
    }

    /// Adds the services of a compiled descriptor set (an encoded
    /// `google.protobuf.FileDescriptorSet`, imports included), with the rules that they declare
    /// with the options of `passport/v1/policy.proto`. May be called several times.
    ///
    /// Pass the bytes as the compiler wrote them. Decoding and encoding with a library that does
    /// not know the options, such as `prost_types`, drops all rules. This is detected, and is an
    /// [error](PolicyError::RulesDropped).
    pub fn descriptor_set(mut self, bytes: impl AsRef<[u8]>) -> Self {
        match descriptor::read_services(bytes.as_ref()) {
            Ok(services) => {
                for service in services {
                    self.add_service(service);
                }
            }
            Err(error) => self.fail(error),
        }
        self
    }

    /// Lists the services that this server serves, each as `package.Service`.
    ///
    /// All of their methods must have a rule. Other services of the descriptor sets need none, and
    /// calls to them are denied. Without a list, all services of the descriptor sets are served.
    pub fn services<I>(mut self, services: I) -> Self
    where
        I: IntoIterator<Item: Into<String>>,
    {
        self.served.get_or_insert_default().extend(services.into_iter().map(Into::into));
        self
    }

    /// Sets the rule of a method, `/package.Service/Method`.
    pub fn rule(mut self, method: impl AsRef<str>, rule: Rule) -> Self {
        let method = method.as_ref();
        self.validate(method, &rule);
        match method.parse::<MethodPath>() {
            Ok(path) => {
                if self.rules.insert(path, rule).is_some() {
                    self.fail(PolicyError::DuplicateRule { target: method.to_owned() });
                }
            }
            Err(problem) => self.fail(PolicyError::InvalidMethodPath { problem }),
        }
        self
    }

    /// Sets the rule of each of these methods to [`Rule::public`].
    ///
    /// [`HEALTH`](super::HEALTH) and [`REFLECTION`](super::REFLECTION) are ready-made lists.
    pub fn public<I>(self, methods: I) -> Self
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        methods.into_iter().fold(self, |policy, method| policy.rule(method, Rule::public()))
    }

    /// Sets the rule of all methods of a service without their own rule.
    ///
    /// If the service is in no descriptor set, its methods are unknown, and the rule applies to
    /// every path of the service.
    pub fn default_rule(mut self, service: impl Into<String>, rule: Rule) -> Self {
        let service = service.into();
        if !is_service_name(&service) {
            self.fail(PolicyError::InvalidServiceName { name: service.clone() });
        }
        self.validate(&service, &rule);
        if self.default_rules.insert(service.clone(), rule).is_some() {
            self.fail(PolicyError::DuplicateRule { target: service });
        }
        self
    }

    /// Sets the rule of all methods of services that this policy does not know.
    ///
    /// Meant for a gateway that relays calls to services with their own policies. A server should
    /// not set it: without a fallback, forgotten methods are denied.
    pub fn fallback_rule(mut self, rule: Rule) -> Self {
        self.validate("fallback_rule", &rule);
        if self.fallback.replace(rule).is_some() {
            self.fail(PolicyError::DuplicateRule { target: "fallback_rule".to_owned() });
        }
        self
    }

    /// Includes the permissions and roles that a method needs in the status of a denial.
    ///
    /// By default a denial does not reveal them. A requirement whose text is longer than 2 KiB is
    /// never included.
    pub fn expose_requirements(mut self) -> Self {
        self.settings.expose_requirements = true;
        self
    }

    /// Adds a sink that receives an event for each decision. May be called several times.
    pub fn audit(mut self, sink: impl AuditSink) -> Self {
        self.settings.audit_sinks.push(Arc::new(sink));
        self
    }

    /// Returns the rules of the policy, including methods that have none.
    ///
    /// # Errors
    ///
    /// The errors of [`build`](Self::build), except [`PolicyError::Uncovered`] and
    /// [`PolicyError::RulesDropped`].
    pub fn table(self) -> Result<RuleTable, PolicyError> {
        Ok(self.resolve()?.1.into_table())
    }

    /// Builds the policy.
    ///
    /// # Errors
    ///
    /// The first [`PolicyError`] of the builder's methods; then [`PolicyError::Uncovered`], which
    /// names all methods that have no rule.
    pub fn build(self) -> Result<Policy, PolicyError> {
        let (settings, rules) = self.resolve()?;
        let methods = rules.uncovered_methods();
        if !methods.is_empty() {
            let without_rules = rules.file_without_rules;
            return Err(PolicyError::Uncovered { methods, without_rules });
        }
        if let Some(file) = rules.file_without_rules {
            return Err(PolicyError::RulesDropped { file });
        }
        Ok(Policy::new(settings, rules))
    }

    /// Determines the rule of each method.
    fn resolve(mut self) -> Result<(PolicySettings, ResolvedRules), PolicyError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let mut resolved = ResolvedRules::default();
        if let Some(served) = &self.served {
            // A service that is described but not served is denied: the fallback must not apply.
            let (described, unserved) =
                self.described.into_iter().partition(|(name, _)| served.contains(name));
            self.described = described;
            resolved.services = unserved.into_keys().map(|name| (name, None)).collect();
        }
        self.check_served(resolved.services.keys())?;
        self.check_targets(resolved.services.keys())?;

        let code = |rule: Rule| Some(SourcedRule { rule, source: RuleSource::code() });
        let code_default =
            |rule: Rule| Some(SourcedRule { rule, source: RuleSource::code().into_default() });
        for (name, service) in self.described {
            resolved.file_without_rules =
                resolved.file_without_rules.or(service.file_without_rules);
            let default =
                self.default_rules.remove(&name).and_then(code_default).or(service.default_rule);
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
        for (name, rule) in self.default_rules {
            resolved.services.insert(name, code_default(rule));
        }
        resolved.fallback = self.fallback.and_then(code_default);
        Ok((self.settings, resolved))
    }

    /// Checks that each served service has a descriptor, or rules in code.
    fn check_served<'a>(
        &'a self,
        unserved: impl Iterator<Item = &'a String>,
    ) -> Result<(), PolicyError> {
        for name in self.served.iter().flatten() {
            if !is_service_name(name) {
                return Err(PolicyError::InvalidServiceName { name: name.clone() });
            }
            let has_rules = self.default_rules.contains_key(name)
                || well_known::contains_service(name)
                    && self.rules.keys().any(|method| method.service() == name);
            if !has_rules && !self.described.contains_key(name) {
                return Err(unknown_service(name, self.described.keys().chain(unserved)));
            }
        }
        Ok(())
    }

    /// Checks that the services and methods of the rules in code exist. A rule with a misspelled
    /// name would have no effect.
    fn check_targets<'a>(
        &'a self,
        unserved: impl Iterator<Item = &'a String>,
    ) -> Result<(), PolicyError> {
        if self.served.is_none() && self.described.is_empty() {
            // There is nothing to compare the names with.
            return Ok(());
        }
        let is_served = |name: &str| self.served.as_ref().is_some_and(|all| all.contains(name));
        let is_known = |name: &str| {
            self.described.contains_key(name)
                || is_served(name)
                || well_known::contains_service(name)
        };
        let services = self.rules.keys().map(MethodPath::service);
        let mut services = services.chain(self.default_rules.keys().map(String::as_str));
        if let Some(name) = services.find(|name| !is_known(name)) {
            return Err(match &self.served {
                Some(served) if !served.is_empty() => unknown_service(name, served.iter()),
                _ => unknown_service(name, self.described.keys().chain(unserved)),
            });
        }
        let is_missing = |method: &&MethodPath| {
            // Older versions of health and reflection lack some of the well-known methods.
            let is_well_known = well_known::contains_method(method);
            let service = self.described.get(method.service()).filter(|_| !is_well_known);
            service
                .is_some_and(|service| service.methods.iter().all(|listed| listed.path != **method))
        };
        match self.rules.keys().find(is_missing) {
            Some(method) => Err(PolicyError::UnknownMethod { method: method.clone() }),
            None => Ok(()),
        }
    }

    fn add_service(&mut self, service: Service) {
        match self.described.get(&service.name) {
            // Descriptor sets may overlap, as long as they agree.
            Some(known) if *known != service => {
                self.fail(PolicyError::ServiceConflict { service: service.name });
            }
            _ => {
                self.described.insert(service.name.clone(), service);
            }
        }
    }

    fn validate(&mut self, target: &str, rule: &Rule) {
        if let Err(problem) = rule.validate() {
            let (declared_in, target) = (RuleSource::code(), target.to_owned());
            self.fail(PolicyError::InvalidRule { declared_in, target, problem });
        }
    }

    /// Records an error, unless there is one already.
    fn fail(&mut self, error: PolicyError) {
        self.error.get_or_insert(error);
    }
}

fn unknown_service<'a>(service: &str, known: impl Iterator<Item = &'a String>) -> PolicyError {
    let known: BTreeSet<&String> = known.collect();
    PolicyError::UnknownService {
        service: service.to_owned(),
        known: known.into_iter().cloned().collect(),
    }
}

impl fmt::Debug for PolicyBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolicyBuilder").field("name", &self.settings.name).finish_non_exhaustive()
    }
}
