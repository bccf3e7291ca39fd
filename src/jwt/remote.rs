//! Key sets over the network.

use std::time::Duration;

use super::algorithm::Algorithm;

mod address;
mod fetch;
mod store;

pub(super) use store::KeyStore;

/// The keys that an issuer publishes: fetched in the background, at hand when a token comes.
///
/// A verifier starts fetching when it is made, whether the issuer can be reached or not, and heals
/// by itself. Verifying never waits for the network: it uses the last good set, until that is
/// [stale](Self::stale_after) because the issuer could not be reached for too long.
///
/// A token that names an unknown key has the set fetched anew, at most once in
/// [`min_interval`](Self::min_interval) for all tokens together.
///
/// Only `https` URLs are fetched, without following redirects, and no address is connected to that
/// is private to the machine or its network, unless its host is [allowed](Self::allow_host). At
/// most 64 KiB are read and 100 keys kept.
///
/// ```no_run
/// use std::time::Duration;
/// use tonic_passport::jwt::{Algorithm, Issuer, RemoteKeys, Verifier};
///
/// # async fn verifier() -> Result<Verifier, Box<dyn std::error::Error>> {
/// let keys = RemoteKeys::discovery()
///     // For issuers whose keys name no algorithm.
///     .algorithm(Algorithm::RS256)
///     .stale_after(Duration::from_secs(4 * 60 * 60));
/// let issuer = Issuer::new("https://id.example.com", keys).audience("shop");
/// let verifier = Verifier::new([issuer])?;
/// # Ok(verifier)
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "remote keys do nothing until an issuer uses them"]
pub struct RemoteKeys {
    /// `None`: what discovery says.
    jwks_uri: Option<String>,
    algorithm: Option<Algorithm>,
    allowed_hosts: Vec<String>,
    refresh_after: Duration,
    stale_after: Duration,
    min_interval: Duration,
}

impl RemoteKeys {
    /// The key set that the issuer's discovery document names (OpenID Connect Discovery 1.0,
    /// section 4). The document's `issuer` must be exactly the issuer's name, which must be a URL.
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

    /// Says which algorithm keys are for that name none in their `alg`. Without it they are left
    /// out.
    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = Some(algorithm);
        self
    }

    /// Allows a host (a name or an address, without a port) to be reached over plain `http`, and at
    /// an address that is private to the machine or its network: for sidecars, and for tests.
    pub fn allow_host(mut self, host: impl Into<String>) -> Self {
        self.allowed_hosts.push(host.into());
        self
    }

    /// Sets after which time the set is fetched anew, less up to a fifth so that many edges do not
    /// fetch at once. 5 minutes by default; it must be less than
    /// [`stale_after`](Self::stale_after).
    pub fn refresh_after(mut self, time: Duration) -> Self {
        self.refresh_after = time;
        self
    }

    /// Sets for how long a set is used when no newer one is to be had. 1 hour by default.
    pub fn stale_after(mut self, time: Duration) -> Self {
        self.stale_after = time;
        self
    }

    /// Sets the least time between two fetches, whether they succeed or not. 30 seconds by default.
    /// As long as there are no keys at all, the next attempt comes after a second already, and then
    /// later and later.
    pub fn min_interval(mut self, time: Duration) -> Self {
        self.min_interval = time;
        self
    }

    /// Tells which setting cannot work.
    fn check(&self) -> Result<(), String> {
        const LEAST: Duration = Duration::from_millis(10);
        const MOST: Duration = Duration::from_secs(365 * 24 * 60 * 60);
        for (setting, time) in [
            ("refresh_after", self.refresh_after),
            ("stale_after", self.stale_after),
            ("min_interval", self.min_interval),
        ] {
            if time < LEAST {
                return Err(format!("{setting} is less than 10 milliseconds"));
            }
            if time > MOST {
                return Err(format!("{setting} is more than a year"));
            }
        }
        if self.refresh_after >= self.stale_after {
            return Err("refresh_after is not less than stale_after".to_owned());
        }
        Ok(())
    }
}
