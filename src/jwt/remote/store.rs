//! The keys at hand, and the task that keeps them fresh.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};

use super::RemoteKeys;
use super::fetch::Fetcher;
use crate::jwt::error::{TokenError, excerpt};
use crate::jwt::key::VerificationKey;
use crate::jwt::key_set::KeySet;
use crate::jwt::registered_claims::seconds;
use crate::jwt::telemetry;
use crate::util;

/// The longest that a failed fetch is followed by the next, with keys at hand and without: then
/// nobody is served.
const MAX_BACKOFF: Duration = Duration::from_secs(60);
const MAX_BACKOFF_WITHOUT_KEYS: Duration = Duration::from_secs(10);

/// The last good key set of an issuer. Reading it takes no lock and waits for nothing.
pub(in crate::jwt) struct KeyStore {
    shared: Arc<Shared>,
    /// The least time that callers are told to wait.
    least_wait: Duration,
    task: AbortHandle,
}

struct Shared {
    issuer: String,
    snapshot: ArcSwapOption<Snapshot>,
    /// Set when a token named a key that is not there.
    wanted: AtomicBool,
    /// Told when `wanted` is set.
    want: Notify,
    /// Told when a snapshot was stored.
    stored: Notify,
    /// When the next fetch begins, if a token needs it.
    next_fetch: ArcSwap<Instant>,
}

struct Snapshot {
    keys: KeySet,
    /// Another number whenever they are not the same keys as before.
    version: u64,
    /// When the fetch began.
    fetched_at: Instant,
    stale_at: Instant,
}

impl KeyStore {
    /// Starts fetching. Fails on a configuration that cannot work, and outside of a runtime.
    pub(in crate::jwt) fn start(issuer: &str, keys: &RemoteKeys) -> Result<Self, String> {
        keys.check()?;
        let fetcher = Fetcher::new(issuer, keys)?;
        let runtime = Handle::try_current().map_err(|error| error.to_string())?;
        let shared = Arc::new(Shared {
            issuer: issuer.to_owned(),
            snapshot: ArcSwapOption::empty(),
            wanted: AtomicBool::new(false),
            want: Notify::new(),
            stored: Notify::new(),
            next_fetch: ArcSwap::from_pointee(Instant::now()),
        });
        let task =
            runtime.spawn(refresh(Arc::clone(&shared), fetcher, keys.clone())).abort_handle();
        Ok(Self { shared, least_wait: eager(keys), task })
    }

    /// The version of the keys, if there are any: the set was fetched, and not too long ago.
    pub(in crate::jwt) fn version(&self) -> Option<u64> {
        let snapshot = self.shared.snapshot.load();
        snapshot.as_ref().filter(|snapshot| snapshot.is_usable()).map(|snapshot| snapshot.version)
    }

    /// Waits until there are keys.
    pub(in crate::jwt) async fn wait_until_ready(&self) {
        loop {
            let stored = self.shared.stored.notified();
            if self.shared.has_keys() {
                return;
            }
            stored.await;
        }
    }

    /// The key for a token, and the version of the keys. `issued_by` tells when the token was
    /// issued at the latest, in seconds since 1970; nothing of one that is refused in any case.
    ///
    /// When the set does not have it, it is fetched anew as soon as that is due again. A token that
    /// was issued before the set was fetched is refused; one that was issued after may be signed
    /// with a newer key.
    pub(in crate::jwt) fn find(
        &self,
        key_id: Option<&str>,
        algorithm: &str,
        issued_by: impl FnOnce() -> Option<u64>,
        now: SystemTime,
    ) -> Result<(VerificationKey, u64), TokenError> {
        let snapshot = self.shared.snapshot.load();
        let Some(snapshot) = snapshot.as_ref().filter(|snapshot| snapshot.is_usable()) else {
            return Err(TokenError::KeysUnavailable { retry_after: self.retry_after() });
        };
        if let Some(key) = snapshot.keys.find(key_id, algorithm) {
            return Ok((key.clone(), snapshot.version));
        }
        self.want();
        let fetched_at = now.checked_sub(snapshot.fetched_at.elapsed()).map_or(0, seconds);
        if issued_by().is_some_and(|issued_by| issued_by >= fetched_at) {
            let key_id = key_id.map(excerpt);
            return Err(TokenError::KeyPending { key_id, retry_after: self.retry_after() });
        }
        Err(TokenError::unknown_key(key_id))
    }

    /// When another attempt may have a better answer. While a fetch is under way, soon.
    fn retry_after(&self) -> Duration {
        let next_fetch = **self.shared.next_fetch.load();
        next_fetch.saturating_duration_since(Instant::now()).max(self.least_wait)
    }

    /// Has the set fetched anew. Costs next to nothing, however often it is called.
    fn want(&self) {
        if !self.shared.wanted.swap(true, Ordering::Relaxed) {
            self.shared.want.notify_one();
        }
    }
}

impl Shared {
    fn has_keys(&self) -> bool {
        self.snapshot.load().as_ref().is_some_and(|snapshot| snapshot.is_usable())
    }

    /// When the keys at hand are none any more.
    fn stale_at(&self) -> Option<Instant> {
        let snapshot = self.snapshot.load();
        snapshot.as_ref().filter(|snapshot| snapshot.is_usable()).map(|snapshot| snapshot.stale_at)
    }

    /// The version of these keys, which come after those that are there.
    fn version_of(&self, keys: &KeySet) -> u64 {
        match &*self.snapshot.load() {
            None => 0,
            Some(last) if last.keys.has_same_keys(keys) => last.version,
            Some(last) => last.version + 1,
        }
    }
}

impl Snapshot {
    fn is_usable(&self) -> bool {
        Instant::now() < self.stale_at
    }
}

impl Drop for KeyStore {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for KeyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyStore").field("issuer", &self.shared.issuer).finish_non_exhaustive()
    }
}

/// Fetches for as long as the store lives: one at a time, and with keys at hand never sooner after
/// the last than the least interval, whether that one succeeded or not.
async fn refresh(shared: Arc<Shared>, fetcher: Fetcher, settings: RemoteKeys) {
    let mut failures = 0;
    loop {
        shared.wanted.store(false, Ordering::Relaxed);
        let started = Instant::now();
        let answer = fetcher.fetch().await;
        telemetry::keys_fetched(&shared.issuer, answer.is_ok(), started.elapsed());
        let pause = match answer {
            Ok(keys) => {
                failures = 0;
                let snapshot = Snapshot {
                    version: shared.version_of(&keys),
                    keys,
                    fetched_at: started,
                    stale_at: started + settings.stale_after,
                };
                shared.snapshot.store(Some(Arc::new(snapshot)));
                shared.stored.notify_waiters();
                tracing::debug!(issuer = shared.issuer, "keys fetched");
                jittered(settings.refresh_after)
            }
            Err(error) => {
                failures += 1;
                let error = util::describe(&error);
                tracing::warn!(issuer = shared.issuer, error, failures, "keys not fetched");
                let first = least_interval(&shared, &settings);
                let backoff = first.saturating_mul(2u32.saturating_pow(failures.min(16) - 1));
                let most = if shared.has_keys() {
                    MAX_BACKOFF.max(settings.min_interval)
                } else {
                    MAX_BACKOFF_WITHOUT_KEYS
                };
                jittered(backoff.min(most))
            }
        };
        let earliest = started + least_interval(&shared, &settings);
        let next = (started + pause).min(shared.stale_at().unwrap_or(started + pause));
        let next = next.max(earliest);
        // Without keys, no token can tell that one is missing.
        let soonest = if shared.has_keys() { earliest } else { next };
        shared.next_fetch.store(Arc::new(soonest));
        let _ = timeout_at(next, async {
            shared.want.notified().await;
            tokio::time::sleep_until(earliest).await;
        })
        .await;
    }
}

fn least_interval(shared: &Shared, settings: &RemoteKeys) -> Duration {
    if shared.has_keys() { settings.min_interval } else { eager(settings) }
}

/// Without keys, nobody is served: the next attempt comes soon.
fn eager(settings: &RemoteKeys) -> Duration {
    settings.min_interval.min(Duration::from_secs(1))
}

/// The time less up to a fifth of it, so that not all do the same at the same time.
fn jittered(time: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish() % 1000;
    time.saturating_sub(time * u32::try_from(random).unwrap_or_default() / 5000)
}
