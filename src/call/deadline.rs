//! Deadlines of calls, and their wire format `grpc-timeout`.

use std::time::Duration;

use http::{HeaderName, HeaderValue};
use tokio::time::Instant;

/// The metadata key of a call's timeout.
pub(crate) const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// The maximum number of digits of a timeout.
const MAX_DIGITS: usize = 8;
/// The smallest number with more digits.
const NUMBER_LIMIT: u64 = 100_000_000;

/// The maximum time to a deadline: about thirty years, which an `Instant` can represent.
const MAX_TIMEOUT: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// The units of a timeout from the finest to the coarsest, in nanoseconds.
const UNITS: [(u8, u64); 6] = [
    (b'n', 1),
    (b'u', 1_000),
    (b'm', 1_000_000),
    (b'S', 1_000_000_000),
    (b'M', 60_000_000_000),
    (b'H', 3_600_000_000_000),
];

/// Point in time by which a call must be complete.
///
/// A client sends a timeout (`grpc-timeout`), which becomes a deadline when the request arrives.
/// The deadline is part of the [`CallContext`](crate::CallContext), and outgoing calls get the
/// remaining time. Deadlines are ordered: the earlier one is smaller.
///
/// ```
/// use std::time::Duration;
/// use tonic_passport::Deadline;
///
/// let deadline = Deadline::after(Duration::from_secs(5));
/// assert!(!deadline.is_elapsed());
/// assert!(deadline.remaining() <= Duration::from_secs(5));
/// assert!(Deadline::after(Duration::ZERO) < deadline);
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Deadline(Instant);

/// The value is not a timeout as gRPC defines it.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct InvalidTimeout;

impl Deadline {
    /// Deadline after this timeout, counted from now. A timeout of more than thirty years counts as
    /// thirty years.
    pub fn after(timeout: Duration) -> Self {
        Self::from_timeout(Instant::now(), timeout)
    }

    /// Deadline at this instant.
    pub fn at(instant: Instant) -> Self {
        Self(instant)
    }

    pub(crate) fn from_timeout(now: Instant, timeout: Duration) -> Self {
        Self(now.checked_add(timeout.min(MAX_TIMEOUT)).unwrap_or(now))
    }

    /// The instant, for `tokio::time::sleep_until` and the like.
    pub fn instant(self) -> Instant {
        self.0
    }

    /// Time that remains; zero once the deadline has elapsed.
    pub fn remaining(self) -> Duration {
        self.remaining_at(Instant::now())
    }

    pub(crate) fn remaining_at(self, now: Instant) -> Duration {
        self.0.saturating_duration_since(now)
    }

    /// Whether the deadline has elapsed.
    pub fn is_elapsed(self) -> bool {
        Instant::now() >= self.0
    }
}

/// Parses a timeout: one to eight digits and a unit (gRPC over HTTP/2, `Timeout`). Zero is valid:
/// grpc-go sends it when no time remains.
pub(crate) fn parse_timeout(value: &HeaderValue) -> Result<Duration, InvalidTimeout> {
    let (unit, digits) = value.as_bytes().split_last().ok_or(InvalidTimeout)?;
    if digits.is_empty() || digits.len() > MAX_DIGITS {
        return Err(InvalidTimeout);
    }
    let mut number: u64 = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return Err(InvalidTimeout);
        }
        number = number * 10 + u64::from(digit - b'0');
    }
    match unit {
        b'n' => Ok(Duration::from_nanos(number)),
        b'u' => Ok(Duration::from_micros(number)),
        b'm' => Ok(Duration::from_millis(number)),
        b'S' => Ok(Duration::from_secs(number)),
        b'M' => Ok(Duration::from_secs(number * 60)),
        b'H' => Ok(Duration::from_secs(number * 60 * 60)),
        _ => Err(InvalidTimeout),
    }
}

/// Formats a timeout in the finest unit in which it fits into eight digits. Also returns the
/// formatted value, which is less than one unit shorter.
pub(crate) fn write_timeout(timeout: Duration) -> (HeaderValue, Duration) {
    let timeout = timeout.min(MAX_TIMEOUT);
    let nanoseconds = timeout.as_secs() * 1_000_000_000 + u64::from(timeout.subsec_nanos());
    let [finest, ..] = UNITS;
    let unit = UNITS.into_iter().find(|(_, size)| nanoseconds / size < NUMBER_LIMIT);
    // Every timeout fits in hours: thirty years are some 260,000 hours.
    let (unit, size) = unit.unwrap_or(finest);
    let mut number = (nanoseconds / size).min(NUMBER_LIMIT - 1);
    let written = Duration::from_nanos(number * size);

    let mut text = [unit; MAX_DIGITS + 1];
    let mut start = MAX_DIGITS;
    loop {
        start -= 1;
        text[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    // Digits and a letter are a valid header value.
    let value = HeaderValue::from_bytes(&text[start..]);
    (value.unwrap_or(HeaderValue::from_static("0n")), written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_formatted_in_the_finest_unit_that_fits_and_never_longer() {
        let cases = [
            (Duration::ZERO, "0n"),
            (Duration::from_nanos(1), "1n"),
            (Duration::from_nanos(99_999_999), "99999999n"),
            (Duration::from_millis(100), "100000u"),
            (Duration::from_nanos(100_000_999), "100000u"),
            (Duration::from_secs(99), "99000000u"),
            (Duration::from_secs(100), "100000m"),
            (Duration::from_micros(99_999_999_999), "99999999m"),
            (Duration::from_millis(100_000_000_999), "1666666M"),
            (Duration::from_secs(99_999_999), "99999999S"),
            (Duration::from_secs(100_000_000), "1666666M"),
            (MAX_TIMEOUT, "15768000M"),
            (Duration::MAX, "15768000M"),
        ];
        for (timeout, expected) in cases {
            let (value, written) = write_timeout(timeout);
            assert_eq!(value, expected, "{timeout:?}");
            assert_eq!(parse_timeout(&value), Ok(written), "{timeout:?}");
            assert!(written <= timeout, "{timeout:?}");
        }
    }
}
