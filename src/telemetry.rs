//! Tracing spans of calls, and counters of requests (feature `metrics`). Metrics of other modules
//! are defined in those modules.

use tracing::Span;
use tracing::field::Empty;

use crate::context::UserContext;
use crate::propagation::RequestId;
use crate::rejection::reason;

/// The outcome of accepting a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RequestOutcome {
    Accepted,
    Anonymous,
    Public,
    /// The caller left while the authenticator was pending.
    Cancelled,
    /// With the reason code.
    Rejected(&'static str),
}

impl RequestOutcome {
    fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Anonymous => "anonymous",
            Self::Public => "public",
            Self::Cancelled => "cancelled",
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

/// Opens the span around all work of a call.
pub(crate) fn call_span(method: &str, request_id: &RequestId) -> Span {
    tracing::info_span!("call", method, request_id = request_id.as_str())
}

/// Opens the span of authentication. Its fields are recorded as they become known.
pub(crate) fn authenticate_span(method: Option<&str>, request_id: &RequestId) -> Span {
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

/// Records the user's id, and the e-mail address if `with_email`.
pub(crate) fn record_user(span: &Span, user: &UserContext, with_email: bool) {
    if span.is_disabled() {
        return;
    }
    span.record("user.id", user.id());
    if let Some(email) = user.email().filter(|_| with_email) {
        span.record("user.email", email);
    }
}

/// Records the outcome in the span, and counts it.
pub(crate) fn record_outcome(span: &Span, outcome: RequestOutcome) {
    span.record("outcome", outcome.name());
    if let Some(reason) = outcome.reason() {
        span.record("reason", reason);
    }
    count_request(outcome);
}

/// Counts a request by its outcome.
#[cfg_attr(not(feature = "metrics"), expect(unused_variables, reason = "only metrics use it"))]
pub(crate) fn count_request(outcome: RequestOutcome) {
    #[cfg(feature = "metrics")]
    {
        // With labels known at compile time, counting does not allocate.
        macro_rules! requests {
            ($outcome:literal) => {
                metrics::counter!("passport_requests_total", "outcome" => $outcome, "reason" => "")
            };
        }
        let counter = match outcome {
            RequestOutcome::Accepted => requests!("accepted"),
            RequestOutcome::Anonymous => requests!("anonymous"),
            RequestOutcome::Public => requests!("public"),
            RequestOutcome::Cancelled => requests!("cancelled"),
            RequestOutcome::Rejected(reason) => metrics::counter!(
                "passport_requests_total", "outcome" => "rejected", "reason" => reason,
            ),
        };
        counter.increment(1);
    }
}

/// Logs and counts a propagated field that is dropped because it is malformed or too large.
pub(crate) fn field_dropped(name: &'static str) {
    tracing::debug!(name, "field dropped");
    #[cfg(feature = "metrics")]
    metrics::counter!("passport_fields_dropped_total", "name" => name).increment(1);
}

/// Logs and counts a call that ended before its response was complete.
pub(crate) fn call_ended(reason: &'static str) {
    if reason == reason::CALL_CANCELLED {
        // Cancellation is not an error: clients end infinite streams by it.
        tracing::debug!(reason, "call ended early");
    } else {
        tracing::info!(reason, "call ended early");
    }
    #[cfg(feature = "metrics")]
    metrics::counter!("passport_calls_ended_total", "reason" => reason).increment(1);
}
