//! Decides.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ahash::RandomState;

use super::audit::{AuditEvent, AuditSink};
use super::builder::{PolicyBuilder, Resolved};
use super::origin::{Found, RuleSource};
use super::path::{MethodPath, service_of};
use super::rule::{Access, Rule};
use super::table::{RuleEntry, RuleTable};
use crate::context::{AccessDenied, UserContext};
use crate::rejection::Rejection;

/// Which method needs what; see the [module](super).
///
/// Cloning it copies a pointer, and clones count together. Deciding takes the same time however
/// many methods there are.
#[derive(Clone)]
pub struct Policy {
    inner: Arc<Inner>,
}

struct Inner {
    name: Arc<str>,
    methods: HashMap<Arc<str>, Entry, RandomState>,
    /// The services that are known, and the rule for those of their methods that have none.
    services: HashMap<Arc<str>, Option<Entry>, RandomState>,
    /// The rule for methods of all other services.
    others: Option<Entry>,
    expose_requirements: bool,
    sinks: Vec<Arc<dyn AuditSink>>,
}

/// A rule, and how often it was asked.
struct Entry {
    rule: Rule,
    origin: RuleSource,
    /// What it stands for in metrics: a method's path, or a pattern.
    target: Arc<str>,
    allowed: AtomicU64,
    denied: AtomicU64,
}

/// What a policy says of a method.
#[derive(Clone, Copy)]
pub(crate) struct Ruling<'a> {
    policy: &'a Inner,
    method: &'a str,
    entry: Option<&'a Entry>,
}

/// What a policy says of a call.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Verdict {
    Allowed,
    /// It is not known who is calling, and that might be enough.
    Anonymous,
    Denied,
}

impl Policy {
    /// Starts a policy without rules.
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

    pub(super) fn new(
        name: Arc<str>,
        resolved: Resolved,
        expose_requirements: bool,
        sinks: Vec<Arc<dyn AuditSink>>,
    ) -> Self {
        let entry = |target: Arc<str>, found: Found| {
            found.map(|(rule, origin)| Entry {
                rule,
                origin,
                target,
                allowed: AtomicU64::new(0),
                denied: AtomicU64::new(0),
            })
        };
        let methods = resolved.methods.into_iter().filter_map(|(path, found)| {
            let path: Arc<str> = Arc::from(path.as_str());
            Some((Arc::clone(&path), entry(path, found)?))
        });
        let services = resolved.services.into_iter().map(|(name, found)| {
            let target = Arc::from(format!("/{name}/*"));
            (Arc::from(name), entry(target, found))
        });
        Self {
            inner: Arc::new(Inner {
                name,
                methods: methods.collect(),
                services: services.collect(),
                others: entry(Arc::from("*"), resolved.others),
                expose_requirements,
                sinks,
            }),
        }
    }

    /// The policy's name.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Decides whether this caller, `None` for an anonymous one, may call this method:
    /// `/package.Service/Method`. For what is no [`MethodPath`], there is no rule. A
    /// [`ServerLayer`](crate::ServerLayer) does that for each call; this is for entry points of
    /// your own. It counts and reports the decision, as a layer does.
    ///
    /// # Errors
    ///
    /// [`Rejection::CredentialMissing`] where it might help to know who is calling, and
    /// [`Rejection::PolicyDenied`].
    pub fn authorize(&self, method: &str, user: Option<&UserContext>) -> Result<(), Rejection> {
        let policy = &*self.inner;
        // A rule that is for many methods is not for every spelling of one. A layer sees to that.
        let entry = policy.methods.get(method).or_else(|| {
            let is_canonical = MethodPath::is_canonical(method);
            is_canonical.then(|| policy.pattern(method)).flatten()
        });
        Ruling { policy, method, entry }.enforce(user, || Rejection::CredentialMissing)
    }

    /// The rules, and how often each of them was asked.
    pub fn table(&self) -> RuleTable {
        let Inner { methods, services, others, .. } = &*self.inner;
        let entries = methods.values().chain(services.values().flatten()).chain(others);
        RuleTable::new(entries.map(Entry::row).collect())
    }

    /// What is said of a method, whose path is canonical. Nothing is counted yet.
    pub(crate) fn ruling<'a>(&'a self, method: &'a str) -> Ruling<'a> {
        let policy = &*self.inner;
        let entry = policy.methods.get(method).or_else(|| policy.pattern(method));
        Ruling { policy, method, entry }
    }
}

impl Inner {
    /// The rule for a method that has none of its own.
    fn pattern(&self, method: &str) -> Option<&Entry> {
        match self.services.get(service_of(method)) {
            Some(entry) => entry.as_ref(),
            None => self.others.as_ref(),
        }
    }
}

impl Entry {
    fn row(&self) -> RuleEntry {
        RuleEntry {
            method: self.target.to_string(),
            rule: Some((self.rule.clone(), self.origin.clone())),
            allowed: self.allowed.load(Ordering::Relaxed),
            denied: self.denied.load(Ordering::Relaxed),
        }
    }
}

impl Ruling<'_> {
    /// What there must be known of the caller. Who calls a method without a rule is of interest to
    /// those who read the log; it helps nobody to say who they are.
    pub(crate) fn access(&self) -> Access {
        self.entry.map_or(Access::Optional, |entry| entry.rule.access())
    }

    /// Demands that this caller may call the method. `challenge` is what is said to an anonymous
    /// one who may not.
    pub(crate) fn enforce(
        &self,
        user: Option<&UserContext>,
        challenge: impl FnOnce() -> Rejection,
    ) -> Result<(), Rejection> {
        match self.decide(user, false) {
            Verdict::Allowed => Ok(()),
            Verdict::Anonymous => Err(challenge()),
            Verdict::Denied => Err(Rejection::PolicyDenied {
                denied: self.denied(),
                exposed: self.policy.expose_requirements,
            }),
        }
    }

    /// Says what would be, as a shadow of the policy that decides.
    pub(crate) fn report(&self, user: Option<&UserContext>) {
        self.decide(user, true);
    }

    /// Decides, counts, and reports.
    fn decide(&self, user: Option<&UserContext>, is_shadow: bool) -> Verdict {
        let verdict = self.verdict(user);
        let authorized = verdict == Verdict::Allowed;
        if let Some(entry) = self.entry {
            let counter = if authorized { &entry.allowed } else { &entry.denied };
            counter.fetch_add(1, Ordering::Relaxed);
        }
        if !authorized {
            let target = self.entry.map(|entry| &entry.target);
            super::metrics::denied(&self.policy.name, target, is_shadow);
        }
        let event = AuditEvent {
            method: self.method,
            principal: user.map(UserContext::id),
            policy: &self.policy.name,
            rule: self.entry.map(|entry| &entry.rule),
            origin: self.entry.map(|entry| &entry.origin),
            authorized,
            shadow: is_shadow,
        };
        event.trace();
        for sink in &self.policy.sinks {
            sink.record(&event);
        }
        verdict
    }

    fn verdict(&self, user: Option<&UserContext>) -> Verdict {
        let Some(entry) = self.entry else {
            return Verdict::Denied;
        };
        match (user, entry.rule.access()) {
            (Some(user), _) if entry.rule.is_met_by(user) => Verdict::Allowed,
            (Some(_), _) => Verdict::Denied,
            (None, Access::Optional | Access::Public) => Verdict::Allowed,
            (None, Access::Required) => Verdict::Anonymous,
        }
    }

    /// What would have been enough.
    fn denied(&self) -> AccessDenied {
        let Some(Entry { rule, .. }) = self.entry else {
            return AccessDenied::RuleMissing { method: self.method.to_owned() };
        };
        if let Some(permission) = rule.as_permission() {
            return AccessDenied::PermissionMissing { permission: permission.to_owned() };
        }
        if let Some(role) = rule.as_role() {
            return AccessDenied::RoleMissing { role: role.to_owned() };
        }
        AccessDenied::RequirementMissing { required: rule.to_string() }
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let methods = self.inner.methods.len();
        f.debug_struct("Policy").field("name", &self.name()).field("methods", &methods).finish()
    }
}
