//! What operators see: fields of tracing spans, and metrics (feature `metrics`).
//!
//! Nothing here is ever shown a token.

use std::sync::Arc;

use tracing::Span;
use tracing::field::Empty;

use crate::context::UserContext;
use crate::propagation::RequestId;
use crate::status;

/// How a request was answered at a service's door.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outcome {
    Accepted,
    Anonymous,
    Public,
    /// For this reason, of those in [`status`].
    Rejected(&'static str),
}

impl Outcome {
    fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Anonymous => "anonymous",
            Self::Public => "public",
            Self::Rejected(_) => "rejected",
        }
    }

    fn reason(self) -> Option<&'static str> {
        match self {
            Self::Rejected(reason) => Some(reason),
            _ => None,
        }
    }
}

/// The span around all that is done for a call.
pub(crate) fn call(method: &str, request_id: &RequestId) -> Span {
    tracing::info_span!("call", method, request_id = request_id.as_str())
}

/// The span in which a caller is identified. Its fields are recorded as they become known.
pub(crate) fn authenticate(method: Option<&str>, request_id: &RequestId) -> Span {
    tracing::info_span!(
        "authenticate",
        method,
        request_id = request_id.as_str(),
        outcome = Empty,
        reason = Empty,
        issuer = Empty,
        key_id = Empty,
        cache_hit = Empty,
        user.id = Empty,
        user.email = Empty,
    )
}

/// Records who is calling; the e-mail address only where that was asked for.
pub(crate) fn record_user(span: &Span, user: &UserContext, with_email: bool) {
    if span.is_disabled() {
        return;
    }
    span.record("user.id", user.id());
    if let Some(email) = user.email().filter(|_| with_email) {
        span.record("user.email", email);
    }
}

/// Records how a request was answered.
pub(crate) fn record_outcome(span: &Span, outcome: Outcome) {
    span.record("outcome", outcome.name());
    if let Some(reason) = outcome.reason() {
        span.record("reason", reason);
    }
    count(outcome);
}

/// Counts how a request was answered.
#[cfg_attr(not(feature = "metrics"), expect(unused_variables, reason = "nothing counts"))]
pub(crate) fn count(outcome: Outcome) {
    #[cfg(feature = "metrics")]
    {
        // With labels that are known when this is compiled, counting allocates nothing.
        macro_rules! requests {
            ($outcome:literal) => {
                metrics::counter!("passport_requests_total", "outcome" => $outcome, "reason" => "")
            };
        }
        let counter = match outcome {
            Outcome::Accepted => requests!("accepted"),
            Outcome::Anonymous => requests!("anonymous"),
            Outcome::Public => requests!("public"),
            Outcome::Rejected(reason) => metrics::counter!(
                "passport_requests_total", "outcome" => "rejected", "reason" => reason,
            ),
        };
        counter.increment(1);
    }
}

/// Counts a call that a policy denied, or would have denied: by the rule with this target, or for
/// want of one.
#[cfg_attr(not(feature = "metrics"), expect(unused_variables, reason = "nothing counts"))]
pub(crate) fn denied(policy: &Arc<str>, target: Option<&Arc<str>>, is_shadow: bool) {
    #[cfg(feature = "metrics")]
    metrics::counter!(
        "passport_policy_denials_total",
        "policy" => Arc::clone(policy),
        // Not what the caller wrote: there is no end to that.
        "method" => target.map_or_else(|| Arc::from(""), Arc::clone),
        "mode" => if is_shadow { "shadow" } else { "enforced" },
    )
    .increment(1);
}

/// Says that a field was malformed or too large, and goes no further.
pub(crate) fn field_dropped(name: &'static str) {
    tracing::debug!(name, "field dropped: malformed or too large");
    #[cfg(feature = "metrics")]
    metrics::counter!("passport_fields_dropped_total", "name" => name).increment(1);
}

/// Says that a call ended before it was answered, or its stream before it was complete: for this
/// reason, of those in [`status`].
pub(crate) fn call_ended(reason: &'static str) {
    if reason == status::reason::CALL_CANCELLED {
        // Clients do that all the time: it is how they end a stream that has no end.
        tracing::debug!(reason, "call ended early");
    } else {
        tracing::info!(reason, "call ended early");
    }
    #[cfg(feature = "metrics")]
    metrics::counter!("passport_calls_ended_total", "reason" => reason).increment(1);
}
