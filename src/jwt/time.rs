//! `NumericDate` (RFC 7519, section 2): times as whole seconds since 1970.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Converts a time to seconds. A clock before 1970 is broken, and gives [`u64::MAX`]: every token
/// then counts as expired.
pub(super) fn to_unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(u64::MAX, |since| since.as_secs())
}

/// Converts seconds to a time.
pub(super) fn from_unix_seconds(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}
