//! Policy evaluation: the [`Policy`].

use std::fmt;
use std::sync::Arc;

use super::method_rule::{MethodRule, PolicySettings};
use super::path::MethodPath;
use super::resolved::ResolvedRules;
use super::rule_set::RuleSet;
use super::table::RuleTable;
use crate::context::UserContext;
use crate::rejection::Rejection;

/// Authorization policy: one [`Rule`](super::Rule) for each method. See the [module](super).
///
/// Cloning is cheap, and clones share their counters. The cost of a decision does not depend on the
/// number of methods.
#[derive(Clone)]
pub struct Policy {
    shared: Arc<Shared>,
}

struct Shared {
    settings: PolicySettings,
    rules: RuleSet,
}

impl Policy {
    pub(super) fn new(settings: PolicySettings, rules: ResolvedRules) -> Self {
        Self { shared: Arc::new(Shared { settings, rules: RuleSet::new(rules) }) }
    }

    /// Returns the policy's name.
    pub fn name(&self) -> &str {
        &self.shared.settings.name
    }

    /// Decides whether a caller may call a method; `user` is `None` for an anonymous caller.
    ///
    /// [`ServerLayer`](crate::ServerLayer) does this for each call. Other entry points call it
    /// themselves, with the method's path, `/package.Service/Method`. If the text is not a
    /// [`MethodPath`], the call is denied. Decisions are counted and reported like those of the
    /// layer.
    ///
    /// # Errors
    ///
    /// - [`Rejection::CredentialMissing`] if the caller is anonymous, and the rule needs an
    ///   authenticated one.
    /// - [`Rejection::PolicyDenied`] if the caller does not meet the rule, or there is none.
    pub fn authorize(&self, method: &str, user: Option<&UserContext>) -> Result<(), Rejection> {
        let Shared { settings, rules } = &*self.shared;
        // Defaults apply to canonical paths only. For calls, the layer has checked that already.
        let rule = rules.for_method(method).or_else(|| {
            let is_canonical = MethodPath::is_canonical(method);
            is_canonical.then(|| rules.default_for(method)).flatten()
        });
        MethodRule { settings, method, rule }.enforce(user, || Rejection::CredentialMissing)
    }

    /// Returns all rules, and how many calls each of them has allowed and denied.
    pub fn table(&self) -> RuleTable {
        self.shared.rules.table()
    }

    /// Looks up the rule of a method, whose path must be canonical. Counts nothing.
    pub(crate) fn method_rule<'a>(&'a self, method: &'a str) -> MethodRule<'a> {
        let Shared { settings, rules } = &*self.shared;
        let rule = rules.for_method(method).or_else(|| rules.default_for(method));
        MethodRule { settings, method, rule }
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let methods = self.shared.rules.method_count();
        f.debug_struct("Policy").field("name", &self.name()).field("methods", &methods).finish()
    }
}
