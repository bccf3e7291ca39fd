use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// A clock that stands still until a test moves it.
///
/// Clones are the same clock: give one away, and move the other.
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
    /// A clock that shows the present.
    pub fn new() -> Self {
        Self::at(SystemTime::now())
    }

    /// A clock that shows this time.
    pub fn at(now: SystemTime) -> Self {
        Self { now: Arc::new(Mutex::new(now)) }
    }

    /// What the clock shows.
    pub fn now(&self) -> SystemTime {
        *self.lock()
    }

    /// Moves the clock on by this much.
    ///
    /// # Panics
    ///
    /// Panics when there is no such time.
    pub fn advance(&self, by: Duration) {
        *self.lock() += by;
    }

    /// Moves the clock to this time, which may be in the past.
    pub fn set(&self, now: SystemTime) {
        *self.lock() = now;
    }

    /// The clock as a function, for whoever asks for the time.
    pub fn source(&self) -> impl Fn() -> SystemTime + Clone + Send + Sync + use<> {
        let clock = self.clone();
        move || clock.now()
    }

    /// A time is never half written, whatever panicked.
    fn lock(&self) -> MutexGuard<'_, SystemTime> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}
