//! Evaluation of a method's rule for a caller.

use std::sync::Arc;

use super::audit::{AuditEvent, AuditSink};
use super::metrics;
use super::rule::AuthenticationMode;
use super::rule_set::CountedRule;
use crate::context::{AccessDenied, UserContext};
use crate::rejection::Rejection;

/// Settings of a policy that do not depend on the method.
pub(super) struct PolicySettings {
    /// Name of the policy in audit events and metrics.
    pub(super) name: Arc<str>,
    /// Whether a denial names the permission or role that is missing.
    pub(super) expose_requirements: bool,
    pub(super) audit_sinks: Vec<Arc<dyn AuditSink>>,
}

/// Rule of one method, ready to be evaluated for its caller.
#[derive(Clone, Copy)]
pub(crate) struct MethodRule<'a> {
    pub(super) settings: &'a PolicySettings,
    pub(super) method: &'a str,
    /// `None` if the policy has no rule for the method: every call is denied.
    pub(super) rule: Option<&'a CountedRule>,
}

/// Outcome of an evaluation.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Decision {
    Allowed,
    Denied,
    /// The caller is anonymous, and the rule needs an authenticated one.
    Unauthenticated,
}

impl MethodRule<'_> {
    /// Returns whether callers of the method are authenticated.
    ///
    /// For a method without a rule, a credential is verified if present: the call is denied anyway,
    /// but the audit event then names the principal.
    pub(crate) fn authentication_mode(&self) -> AuthenticationMode {
        self.rule
            .map_or(AuthenticationMode::Optional, |rule| rule.declared.rule.authentication_mode())
    }

    /// Evaluates the rule, records the decision, and returns an error unless the call is allowed.
    ///
    /// `challenge` is the error for an anonymous caller of a method that needs an authenticated
    /// one.
    pub(crate) fn enforce(
        &self,
        user: Option<&UserContext>,
        challenge: impl FnOnce() -> Rejection,
    ) -> Result<(), Rejection> {
        match self.decide_and_record(user, false) {
            Decision::Allowed => Ok(()),
            Decision::Denied => Err(Rejection::PolicyDenied {
                denied: self.access_denied(),
                exposed: self.settings.expose_requirements,
            }),
            Decision::Unauthenticated => Err(challenge()),
        }
    }

    /// Evaluates the rule as part of a shadow policy: the decision is recorded, and has no effect.
    pub(crate) fn report(&self, user: Option<&UserContext>) {
        self.decide_and_record(user, true);
    }

    /// Evaluates the rule, updates counters and metrics, and emits the audit event.
    fn decide_and_record(&self, user: Option<&UserContext>, is_shadow: bool) -> Decision {
        let decision = self.decide(user);
        let authorized = decision == Decision::Allowed;
        if let Some(rule) = self.rule {
            rule.count(authorized);
        }
        if !authorized {
            let target = self.rule.map(|rule| &rule.target);
            metrics::denied(&self.settings.name, target, is_shadow);
        }
        let event = AuditEvent {
            method: self.method,
            principal: user.map(UserContext::id),
            policy: &self.settings.name,
            rule: self.rule.map(|rule| &rule.declared.rule),
            source: self.rule.map(|rule| &rule.declared.source),
            authorized,
            shadow: is_shadow,
        };
        event.trace();
        for sink in &self.settings.audit_sinks {
            sink.record(&event);
        }
        decision
    }

    fn decide(&self, user: Option<&UserContext>) -> Decision {
        let Some(CountedRule { declared, .. }) = self.rule else {
            return Decision::Denied;
        };
        match (user, declared.rule.authentication_mode()) {
            (Some(user), _) if declared.rule.is_met_by(user) => Decision::Allowed,
            (Some(_), _) => Decision::Denied,
            (None, AuthenticationMode::Required) => Decision::Unauthenticated,
            (None, AuthenticationMode::Optional | AuthenticationMode::Skipped) => Decision::Allowed,
        }
    }

    /// Returns the requirement that the caller does not meet.
    fn access_denied(&self) -> AccessDenied {
        let Some(CountedRule { declared, .. }) = self.rule else {
            return AccessDenied::RuleMissing { method: self.method.to_owned() };
        };
        if let Some(permission) = declared.rule.as_permission() {
            return AccessDenied::PermissionMissing { permission: permission.to_owned() };
        }
        if let Some(role) = declared.rule.as_role() {
            return AccessDenied::RoleMissing { role: role.to_owned() };
        }
        AccessDenied::RequirementMissing { required: declared.rule.to_string() }
    }
}
