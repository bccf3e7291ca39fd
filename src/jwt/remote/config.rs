//! Settings of remote keys.

use std::time::Duration;

use crate::jwt::algorithm::Algorithm;

/// Settings for keys that an issuer publishes as a JWK Set (RFC 7517, section 5).
///
/// The set is fetched in the background, and verification never waits for the network:
///
/// - Fetching starts when the verifier is created, and is retried with exponential backoff until it
///   succeeds. The verifier can be created while the issuer is unreachable.
/// - The set is refreshed [periodically](Self::refresh_after). If that fails, the last fetched set
///   is used until it is [stale](Self::stale_after).
/// - A token with an unknown `kid` triggers a refetch, at most one in
///   [`min_interval`](Self::min_interval) for all tokens together.
/// - Only `https` URLs are fetched, and redirects are not followed.
/// - Addresses that are not public (loopback, private and link-local ones, cloud metadata services)
///   are not connected to, so that a discovery document cannot make the server send requests there,
///   unless their host is [allowed](Self::allow_host).
/// - At most 64 KiB are read, and at most 100 keys are kept.
///
/// ```no_run
/// use std::time::Duration;
/// use tonic_passport::jwt::{Algorithm, Issuer, RemoteKeys, Verifier};
///
/// # async fn verifier() -> Result<Verifier, Box<dyn std::error::Error>> {
/// let keys = RemoteKeys::discovery()
///     // For issuers whose keys have no `alg`.
///     .algorithm(Algorithm::RS256)
///     .stale_after(Duration::from_secs(4 * 60 * 60));
/// let issuer = Issuer::remote("https://id.example.com", keys).audience("shop");
/// let verifier = Verifier::new([issuer])?;
/// # Ok(verifier)
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "remote keys do nothing until an issuer uses them"]
pub struct RemoteKeys {
    /// `None`: the one in the discovery document.
    pub(super) jwks_uri: Option<String>,
    pub(super) algorithm: Option<Algorithm>,
    pub(super) allowed_hosts: Vec<String>,
    pub(super) refresh_after: Duration,
    pub(super) stale_after: Duration,
    pub(super) min_interval: Duration,
}

impl RemoteKeys {
    /// The key set whose URL is the `jwks_uri` of the issuer's discovery document (OpenID Connect
    /// Discovery 1.0, section 4). The name of the issuer must be a URL, and equal to the document's
    /// `issuer`.
    pub fn discovery() -> Self {
        Self {
            jwks_uri: None,
            algorithm: None,
            allowed_hosts: Vec::new(),
            refresh_after: Duration::from_secs(5 * 60),
            stale_after: Duration::from_secs(60 * 60),
            min_interval: Duration::from_secs(30),
        }
    }

    /// The key set at this URL.
    pub fn at(jwks_uri: impl Into<String>) -> Self {
        Self { jwks_uri: Some(jwks_uri.into()), ..Self::discovery() }
    }

    /// Sets the algorithm of keys without `alg`. Without this setting, such keys are unusable.
    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = Some(algorithm);
        self
    }

    /// Allows a host (a name or an address, without a port) to be fetched from over plain `http`,
    /// and at addresses that are not public: for sidecars, and for tests.
    pub fn allow_host(mut self, host: impl Into<String>) -> Self {
        self.allowed_hosts.push(host.into());
        self
    }

    /// Sets the interval between refreshes: 5 minutes by default. Each is shortened by a random
    /// jitter of up to a fifth. It must be less than [`stale_after`](Self::stale_after).
    pub fn refresh_after(mut self, time: Duration) -> Self {
        self.refresh_after = time;
        self
    }

    /// Sets for how long a set is used after it was fetched: 1 hour by default. After that, the
    /// keys are unavailable until a fetch succeeds.
    pub fn stale_after(mut self, time: Duration) -> Self {
        self.stale_after = time;
        self
    }

    /// Sets the minimum interval between two fetches, whether they succeed or not: 30 seconds by
    /// default. After a failure it is doubled, up to a minute. While the keys are unavailable, it
    /// starts with 1 second if this setting is longer, and is doubled up to 10 seconds.
    pub fn min_interval(mut self, time: Duration) -> Self {
        self.min_interval = time;
        self
    }

    /// Checks the settings.
    pub(super) fn check(&self) -> Result<(), String> {
        const MIN: Duration = Duration::from_millis(10);
        const MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);
        for (setting, time) in [
            ("refresh_after", self.refresh_after),
            ("stale_after", self.stale_after),
            ("min_interval", self.min_interval),
        ] {
            if time < MIN {
                return Err(format!("{setting} is less than 10 milliseconds"));
            }
            if time > MAX {
                return Err(format!("{setting} is more than a year"));
            }
        }
        if self.refresh_after >= self.stale_after {
            return Err("refresh_after is not less than stale_after".to_owned());
        }
        Ok(())
    }
}
