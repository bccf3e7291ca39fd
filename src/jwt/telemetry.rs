//! tmp
use std::sync::Arc;
#[cfg(feature = "metrics")]
use std::time::Instant;
use tracing::Span;

/// One verification of a token, and what has become known of it so far.
pub(crate) struct Verification<'a> {
    issuer: Option<&'a Arc<str>>,
    key_id: Option<Arc<str>>,
    #[cfg(feature = "metrics")]
    started: Instant,
}

impl<'a> Verification<'a> {
    pub(crate) fn start() -> Self {
        Self {
            issuer: None,
            key_id: None,
            #[cfg(feature = "metrics")]
            started: Instant::now(),
        }
    }

    /// The issuer is one that is configured.
    pub(crate) fn of_issuer(&mut self, issuer: &'a Arc<str>) {
        self.issuer = Some(issuer);
    }

    /// The key is one of the issuer's.
    pub(crate) fn with_key(&mut self, key_id: Option<Arc<str>>) {
        self.key_id = key_id;
    }

    /// The token was found in the cache.
    pub(crate) fn recalled(self, issuer: &str, key_id: Option<&str>) {
        record(Some(issuer), key_id, true);
        self.measure(issuer, "hit", "");
    }

    /// The token was verified anew: with this error, or none.
    pub(crate) fn finished(self, error: &'static str) {
        let issuer = self.issuer.map(|issuer| &**issuer);
        record(issuer, self.key_id.as_deref(), false);
        self.measure(issuer.unwrap_or_default(), "miss", error);
    }

    #[cfg_attr(
        not(feature = "metrics"),
        expect(clippy::unused_self, unused_variables, reason = "nothing measures")
    )]
    fn measure(&self, issuer: &str, cache: &'static str, error: &'static str) {
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

/// Records in the current span, where that has such fields.
fn record(issuer: Option<&str>, key_id: Option<&str>, cache_hit: bool) {
    let span = Span::current();
    if span.is_disabled() {
        return;
    }
    span.record("issuer", issuer);
    span.record("key_id", key_id);
    span.record("cache_hit", cache_hit);
}

/// Counts a fetch of an issuer's keys, and how long it took.
#[cfg(feature = "remote-keys")]
#[cfg_attr(not(feature = "metrics"), expect(unused_variables, reason = "nothing measures"))]
pub(crate) fn keys_fetched(issuer: &str, succeeded: bool, duration: std::time::Duration) {
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
