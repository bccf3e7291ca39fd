//! What auditors see.

use std::sync::Arc;

use super::origin::RuleSource;
use super::rule::Rule;

/// A decision of a policy, which says what gRPC's audit logging says (gRFC A59): who called what,
/// and which rule of which policy let them, or did not.
///
/// Each of them is an event of [tracing] with the target `tonic_passport::audit` and these fields:
/// `call denied` at the level `info`, and `call authorized` at `debug`; of a shadow policy, `call
/// would be denied` and `call would be authorized`. A call that was turned away because its
/// credential was bad is no decision of a policy.
///
/// [tracing]: https://docs.rs/tracing
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct AuditEvent<'a> {
    /// The path of the method: `/package.Service/Method`.
    pub method: &'a str,
    /// The caller's id; `None` for an anonymous one, as all callers of a public method are.
    pub principal: Option<&'a str>,
    /// The policy's name.
    pub policy: &'a str,
    /// The rule that decided; `None` when there is none for the method.
    pub rule: Option<&'a Rule>,
    /// Where the rule comes from.
    pub origin: Option<&'a RuleSource>,
    /// Whether the policy lets the caller call the method.
    pub authorized: bool,
    /// Whether it is a shadow policy: what it says has no effect.
    pub shadow: bool,
}

/// What is shown each decision of a policy.
///
/// The call waits meanwhile, so a sink hands on what it is shown, and does not write it to a disk
/// or a network itself; and a sink that panics ends the call. A closure will do, whose parameter
/// has its type written out:
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
    /// Takes note of a decision.
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
    pub(super) fn trace(&self) {
        // The level of an event is known when it is compiled.
        macro_rules! event {
            ($level:ident, $message:literal) => {
                tracing::$level!(
                    target: "tonic_passport::audit",
                    method = self.method,
                    principal = self.principal,
                    policy = self.policy,
                    rule = self.rule.map(tracing::field::display),
                    origin = self.origin.map(tracing::field::display),
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
