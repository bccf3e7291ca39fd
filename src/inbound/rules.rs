//! The rules for a method: enforced, and shadow.

use tracing::Span;

use super::config::InboundConfig;
use crate::authenticate::{Authentication, Credentials};
use crate::context::UserContext;
use crate::policy::{AuthenticationMode, MethodRule, Policy};
use crate::rejection::Rejection;
use crate::telemetry;

/// Rules for a method. If none is enforced, every authenticated caller is allowed.
pub(super) struct MethodRules<'a> {
    enforced: Option<MethodRule<'a>>,
    shadow: Option<MethodRule<'a>>,
}

impl<'a> MethodRules<'a> {
    /// Looks up the rules for a method. There are none for an unknown method.
    pub(super) fn find(config: &'a InboundConfig, method: Option<&'a str>) -> Self {
        let rule = |policy: &'a Option<Policy>| Some(policy.as_ref()?.method_rule(method?));
        Self { enforced: rule(&config.policy), shadow: rule(&config.shadow_policy) }
    }

    /// Whether callers of the method are not authenticated.
    pub(super) fn is_public(&self) -> bool {
        self.enforced.is_some_and(|rule| rule.authentication_mode() == AuthenticationMode::Skipped)
    }

    /// Authenticates the caller, unless the method is public.
    pub(super) fn authenticate(
        &self,
        credentials: &Credentials<'_>,
        authenticate: impl FnOnce(&Credentials<'_>) -> Authentication,
    ) -> Authentication {
        if !self.is_public() {
            return authenticate(credentials);
        }
        match &self.shadow {
            None => {}
            Some(shadow) if shadow.authentication_mode() == AuthenticationMode::Skipped => {
                shadow.report(None);
            }
            // Only the shadow policy needs the caller. The call does not wait for a pending
            // authenticator, which counts as no credential.
            Some(shadow) => {
                let user = match authenticate(credentials) {
                    Authentication::Ready(Ok(user)) => user,
                    Authentication::Ready(Err(_)) | Authentication::Pending(_) => None,
                };
                shadow.report(user.as_ref());
            }
        }
        Authentication::Ready(Ok(None))
    }

    /// Authorizes the call, and returns its user. `challenge` returns the rejection of an anonymous
    /// caller.
    pub(super) fn authorize(
        &self,
        user: Option<UserContext>,
        span: &Span,
        config: &InboundConfig,
        challenge: impl FnOnce() -> Rejection,
    ) -> Result<Option<UserContext>, Rejection> {
        if let Some(user) = &user {
            telemetry::record_user(span, user, config.record_email);
        }
        match &self.shadow {
            Some(shadow) if !self.is_public() => {
                let needs_caller = shadow.authentication_mode() != AuthenticationMode::Skipped;
                shadow.report(user.as_ref().filter(|_| needs_caller));
            }
            _ => {}
        }
        match &self.enforced {
            Some(rule) => rule.enforce(user.as_ref(), challenge)?,
            None if user.is_none() => return Err(challenge()),
            None => {}
        }
        Ok(user)
    }
}
