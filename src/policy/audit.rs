//! Audit events: one for each decision of a policy.

use std::sync::Arc;

use super::rule::Rule;
use super::source::RuleSource;

/// Decision of a policy, with the fields of gRPC's audit logging (gRFC A59).
///
/// Each decision is also a [tracing] event with the target `tonic_passport::audit` and the same
/// fields:
///
/// | decision | enforced | shadow | level |
/// |---|---|---|---|
/// | denied | `call denied` | `call would be denied` | `info` |
/// | authorized | `call authorized` | `call would be authorized` | `debug` |
///
/// A call that is rejected earlier, for an invalid credential for example, has no event.
///
/// [tracing]: https://docs.rs/tracing
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct AuditEvent<'a> {
    /// Path of the method: `/package.Service/Method`.
    pub method: &'a str,
    /// Id of the caller; `None` for an anonymous one. Callers of public methods are anonymous.
    pub principal: Option<&'a str>,
    /// Name of the policy.
    pub policy: &'a str,
    /// Rule that was evaluated; `None` if the method has none.
    pub rule: Option<&'a Rule>,
    /// Where the rule was declared.
    pub source: Option<&'a RuleSource>,
    /// Whether the policy allows the call.
    pub authorized: bool,
    /// Whether the policy is a shadow policy, whose decisions have no effect.
    pub shadow: bool,
}

/// Receiver of audit events.
///
/// A sink runs inside of the call, so it must not block: it passes the event on, to a channel for
/// example. A panic in a sink fails the call. A closure is a sink, if the type of its parameter is
/// written out:
///
/// ```
/// use std::sync::mpsc;
///
/// use tonic_passport::policy::{AuditEvent, HEALTH, PolicyError};
/// use tonic_passport::Policy;
///
/// # fn main() -> Result<(), PolicyError> {
/// let (sender, audited) = mpsc::channel();
/// let policy = Policy::builder()
///     .public(HEALTH)
///     .audit(move |event: &AuditEvent<'_>| {
///         let _ = sender.send((event.method.to_owned(), event.authorized));
///     })
///     .build()?;
///
/// let _ = policy.authorize("/grpc.health.v1.Health/Check", None);
/// assert_eq!(audited.recv(), Ok(("/grpc.health.v1.Health/Check".to_owned(), true)));
/// # Ok(())
/// # }
/// ```
pub trait AuditSink: Send + Sync + 'static {
    /// Records a decision.
    fn record(&self, event: &AuditEvent<'_>);
}

impl<F> AuditSink for F
where
    F: Fn(&AuditEvent<'_>) + Send + Sync + 'static,
{
    fn record(&self, event: &AuditEvent<'_>) {
        self(event);
    }
}

impl AuditSink for Box<dyn AuditSink> {
    fn record(&self, event: &AuditEvent<'_>) {
        (**self).record(event);
    }
}

impl<T: AuditSink + ?Sized> AuditSink for Arc<T> {
    fn record(&self, event: &AuditEvent<'_>) {
        (**self).record(event);
    }
}

impl AuditEvent<'_> {
    /// Emits the tracing event.
    pub(super) fn trace(&self) {
        // The level of a tracing event must be a constant.
        macro_rules! event {
            ($level:ident, $message:literal) => {
                tracing::$level!(
                    target: "tonic_passport::audit",
                    method = self.method,
                    principal = self.principal,
                    policy = self.policy,
                    rule = self.rule.map(tracing::field::display),
                    source = self.source.map(tracing::field::display),
                    authorized = self.authorized,
                    shadow = self.shadow,
                    $message
                )
            };
        }
        match (self.authorized, self.shadow) {
            (true, false) => event!(debug, "call authorized"),
            (true, true) => event!(debug, "call would be authorized"),
            (false, false) => event!(info, "call denied"),
            (false, true) => event!(info, "call would be denied"),
        }
    }
}
