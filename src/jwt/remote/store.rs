//! Store of fetched keys, and the background task that refreshes it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};

use super::backoff::{min_interval, refresh_delay, retry_delay};
use super::config::RemoteKeys;
use super::fetch::Fetcher;
use crate::jwt::error::{TokenError, excerpt};
use crate::jwt::key::VerificationKey;
use crate::jwt::key_set::KeySet;
use crate::jwt::telemetry;
use crate::jwt::time::to_unix_seconds;
use crate::util::describe;

/// The last fetched key set of an issuer. Reads take no lock.
///
/// Dropping it stops the background task.
pub(in crate::jwt) struct KeyStore {
    shared: Arc<Shared>,
    /// The minimum of `retry_after` in errors.
    min_retry_after: Duration,
    task: AbortHandle,
}

/// State that is shared with the background task.
struct Shared {
    issuer: String,
    snapshot: ArcSwapOption<Snapshot>,
    /// Set when a token had an unknown `kid`.
    refetch_requested: AtomicBool,
    /// Notifies the background task that `refetch_requested` was set.
    refetch: Notify,
    /// Notifies waiting tasks that a snapshot was stored.
    stored: Notify,
    /// The earliest start of the next fetch.
    next_fetch: ArcSwap<Instant>,
}

struct Snapshot {
    keys: KeySet,
    /// Changes whenever the keys do.
    version: u64,
    /// When the fetch started.
    fetched_at: Instant,
    stale_at: Instant,
}

impl KeyStore {
    /// Starts the background task. Fails on invalid settings, and outside of a Tokio runtime.
    pub(in crate::jwt) fn start(issuer: &str, config: &RemoteKeys) -> Result<Self, String> {
        config.check()?;
        let fetcher = Fetcher::new(issuer, config)?;
        let runtime = Handle::try_current().map_err(|error| error.to_string())?;
        let shared = Arc::new(Shared {
            issuer: issuer.to_owned(),
            snapshot: ArcSwapOption::empty(),
            refetch_requested: AtomicBool::new(false),
            refetch: Notify::new(),
            stored: Notify::new(),
            next_fetch: ArcSwap::from_pointee(Instant::now()),
        });
        let task = runtime
            .spawn(refresh_periodically(Arc::clone(&shared), fetcher, config.clone()))
            .abort_handle();
        Ok(Self { shared, min_retry_after: min_interval(config, false), task })
    }

    /// The version of the keys; `None` if they have not been fetched yet, or are stale.
    pub(in crate::jwt) fn version(&self) -> Option<u64> {
        let snapshot = self.shared.snapshot.load();
        snapshot.as_ref().filter(|snapshot| snapshot.is_usable()).map(|snapshot| snapshot.version)
    }

    /// Waits until there are usable keys.
    pub(in crate::jwt) async fn wait_until_available(&self) {
        loop {
            let stored = self.shared.stored.notified();
            if self.shared.has_keys() {
                return;
            }
            stored.await;
        }
    }

    /// Finds the key for a token, and the version of the keys.
    ///
    /// If the set does not contain it, a refetch is requested. A token that was issued before the
    /// set was fetched is then refused as invalid. One that can have been issued later
    /// (`latest_issue_time`, in seconds since 1970) may be signed with a newer key, and is refused
    /// with [`TokenError::KeyPending`]. `latest_issue_time` returns `None` for a token that no key
    /// can make valid.
    pub(in crate::jwt) fn find(
        &self,
        key_id: Option<&str>,
        algorithm: &str,
        latest_issue_time: impl FnOnce() -> Option<u64>,
        now: SystemTime,
    ) -> Result<(VerificationKey, u64), TokenError> {
        let snapshot = self.shared.snapshot.load();
        let Some(snapshot) = snapshot.as_ref().filter(|snapshot| snapshot.is_usable()) else {
            return Err(TokenError::KeysUnavailable { retry_after: self.retry_after() });
        };
        if let Some(key) = snapshot.keys.find(key_id, algorithm) {
            return Ok((key.clone(), snapshot.version));
        }
        self.request_refetch();
        let fetched_at = now.checked_sub(snapshot.fetched_at.elapsed()).map_or(0, to_unix_seconds);
        if latest_issue_time().is_some_and(|issued_at| issued_at >= fetched_at) {
            let key_id = key_id.map(excerpt);
            return Err(TokenError::KeyPending { key_id, retry_after: self.retry_after() });
        }
        Err(TokenError::unknown_key(key_id))
    }

    /// The time until the next fetch. It has a minimum, as that fetch then takes a while.
    fn retry_after(&self) -> Duration {
        let next_fetch = **self.shared.next_fetch.load();
        next_fetch.saturating_duration_since(Instant::now()).max(self.min_retry_after)
    }

    /// Requests a refetch as soon as the minimum interval allows one. Requests until then are
    /// merged into one; each costs an atomic operation.
    fn request_refetch(&self) {
        if !self.shared.refetch_requested.swap(true, Ordering::Relaxed) {
            self.shared.refetch.notify_one();
        }
    }
}

impl Shared {
    fn has_keys(&self) -> bool {
        self.snapshot.load().as_ref().is_some_and(|snapshot| snapshot.is_usable())
    }

    /// When the usable keys become stale.
    fn stale_at(&self) -> Option<Instant> {
        let snapshot = self.snapshot.load();
        snapshot.as_ref().filter(|snapshot| snapshot.is_usable()).map(|snapshot| snapshot.stale_at)
    }

    /// Stores the keys of a fetch that started at `fetched_at`.
    fn store(&self, keys: KeySet, fetched_at: Instant, stale_after: Duration) {
        let version = match &*self.snapshot.load() {
            None => 0,
            Some(last) if last.keys.has_same_keys(&keys) => last.version,
            Some(last) => last.version + 1,
        };
        let stale_at = fetched_at + stale_after;
        let snapshot = Snapshot { keys, version, fetched_at, stale_at };
        self.snapshot.store(Some(Arc::new(snapshot)));
        self.stored.notify_waiters();
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

/// Fetches until the task is aborted: one fetch at a time, with the minimum interval between the
/// starts of two.
async fn refresh_periodically(shared: Arc<Shared>, fetcher: Fetcher, config: RemoteKeys) {
    let mut failures: u32 = 0;
    loop {
        shared.refetch_requested.store(false, Ordering::Relaxed);
        let started = Instant::now();
        let result = fetcher.fetch().await;
        telemetry::record_key_fetch(&shared.issuer, result.is_ok(), started.elapsed());
        let delay = match result {
            Ok(keys) => {
                failures = 0;
                shared.store(keys, started, config.stale_after);
                tracing::debug!(issuer = shared.issuer, "keys fetched");
                refresh_delay(&config)
            }
            Err(error) => {
                failures = failures.saturating_add(1);
                let error = describe(&error);
                tracing::warn!(issuer = shared.issuer, error, failures, "fetching keys failed");
                retry_delay(&config, shared.has_keys(), failures)
            }
        };
        let earliest = started + min_interval(&config, shared.has_keys());
        let next = (started + delay).min(shared.stale_at().unwrap_or(started + delay));
        let next = next.max(earliest);
        // Only a lookup in usable keys can request a refetch.
        let soonest = if shared.has_keys() { earliest } else { next };
        shared.next_fetch.store(Arc::new(soonest));
        let _ = timeout_at(next, async {
            shared.refetch.notified().await;
            tokio::time::sleep_until(earliest).await;
        })
        .await;
    }
}
