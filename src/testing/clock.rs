//! A manually advanced clock.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// A clock that stands still until a test advances or sets it.
///
/// Clones share the same time.
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
/// use tonic_passport::testing::Clock;
///
/// let clock = Clock::at(UNIX_EPOCH);
/// let now = clock.source();
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(now(), UNIX_EPOCH + Duration::from_secs(60));
/// ```
#[derive(Clone, Debug)]
pub struct Clock {
    now: Arc<Mutex<SystemTime>>,
}

impl Clock {
    /// Creates a clock that shows the current system time.
    pub fn new() -> Self {
        Self::at(SystemTime::now())
    }

    /// Creates a clock that shows this time.
    pub fn at(now: SystemTime) -> Self {
        Self { now: Arc::new(Mutex::new(now)) }
    }

    /// Returns the time that the clock shows.
    pub fn now(&self) -> SystemTime {
        *self.lock()
    }

    /// Advances the clock.
    ///
    /// # Panics
    ///
    /// Panics if the new time cannot be represented.
    pub fn advance(&self, by: Duration) {
        *self.lock() += by;
    }

    /// Sets the clock to this time, which may be earlier than the current one.
    pub fn set(&self, now: SystemTime) {
        *self.lock() = now;
    }

    /// Returns a function that reads the clock, for
    /// [`Verifier::clock`](crate::jwt::Verifier::clock) and the like.
    pub fn source(&self) -> impl Fn() -> SystemTime + Clone + Send + Sync + use<> {
        let clock = self.clone();
        move || clock.now()
    }

    /// Ignores poisoning: the value is written in one step, so a panic leaves it consistent.
    fn lock(&self) -> MutexGuard<'_, SystemTime> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}
