//! Span fields and metrics (feature `metrics`) of token verification and key fetches.
//!
//! No function here takes a token, so that none can be logged.

use std::sync::Arc;
#[cfg(feature = "metrics")]
use std::time::Instant;

use tracing::Span;

/// Telemetry of one verification: collects the issuer and the key while they become known, and
/// records them once, when the result is known.
pub(super) struct VerificationRecord<'a> {
    issuer: Option<&'a Arc<str>>,
    key_id: Option<Arc<str>>,
    #[cfg(feature = "metrics")]
    started: Instant,
}

impl<'a> VerificationRecord<'a> {
    pub(super) fn start() -> Self {
        Self {
            issuer: None,
            key_id: None,
            #[cfg(feature = "metrics")]
            started: Instant::now(),
        }
    }

    /// Sets the issuer. Only a configured one: as a metric label, the `iss` of arbitrary tokens
    /// would have unbounded cardinality.
    pub(super) fn set_issuer(&mut self, issuer: &'a Arc<str>) {
        self.issuer = Some(issuer);
    }

    /// Sets the key id, only if it is that of a configured key.
    pub(super) fn set_key_id(&mut self, key_id: Option<Arc<str>>) {
        self.key_id = key_id;
    }

    /// Records a token that was found in the cache.
    pub(super) fn record_cache_hit(self, issuer: &str, key_id: Option<&str>) {
        record_span_fields(Some(issuer), key_id, true);
        self.record_metrics(issuer, "hit", "");
    }

    /// Records a token that was verified. `error` is the name of the error, or empty.
    pub(super) fn record_cache_miss(self, error: &'static str) {
        let issuer = self.issuer.map(|issuer| &**issuer);
        record_span_fields(issuer, self.key_id.as_deref(), false);
        self.record_metrics(issuer.unwrap_or_default(), "miss", error);
    }

    #[cfg_attr(
        not(feature = "metrics"),
        expect(clippy::unused_self, unused_variables, reason = "only metrics need them")
    )]
    fn record_metrics(&self, issuer: &str, cache: &'static str, error: &'static str) {
        #[cfg(feature = "metrics")]
        {
            metrics::counter!(
                "passport_tokens_total",
                "issuer" => issuer.to_owned(),
                "outcome" => if error.is_empty() { "accepted" } else { "rejected" },
                "error" => error,
                "cache" => cache,
            )
            .increment(1);
            metrics::histogram!("passport_token_verification_duration_seconds", "cache" => cache)
                .record(self.started.elapsed());
        }
    }
}

/// Records the fields in the current span. `tracing` ignores those that the span does not have.
fn record_span_fields(issuer: Option<&str>, key_id: Option<&str>, cache_hit: bool) {
    let span = Span::current();
    if span.is_disabled() {
        return;
    }
    span.record("issuer", issuer);
    span.record("key_id", key_id);
    span.record("cache_hit", cache_hit);
}

/// Counts a fetch of an issuer's key set, and records its duration.
#[cfg(feature = "remote-keys")]
#[cfg_attr(not(feature = "metrics"), expect(unused_variables, reason = "only metrics need them"))]
pub(super) fn record_key_fetch(issuer: &str, succeeded: bool, duration: std::time::Duration) {
    #[cfg(feature = "metrics")]
    {
        let outcome = if succeeded { "succeeded" } else { "failed" };
        let issuer = issuer.to_owned();
        metrics::counter!(
            "passport_key_fetches_total", "issuer" => issuer.clone(), "outcome" => outcome,
        )
        .increment(1);
        metrics::histogram!("passport_key_fetch_duration_seconds", "issuer" => issuer)
            .record(duration);
    }
}
