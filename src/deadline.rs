//! How long a call may take: `grpc-timeout` on the wire, and the [`Deadline`] that it becomes.

use std::time::Duration;

use http::{HeaderName, HeaderValue};
use tokio::time::Instant;

/// What a client gives a call: how long it will wait for the answer.
pub(crate) const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// The number of digits that a timeout may have.
const DIGITS: usize = 8;
/// One more than the largest number that can be written with them.
const TOO_LARGE: u64 = 100_000_000;

/// What is as good as never, and still a time that can be reckoned with: some thirty years.
const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// The units of a timeout, from the finest to the coarsest, in nanoseconds.
const UNITS: [(u8, u64); 6] = [
    (b'n', 1),
    (b'u', 1_000),
    (b'm', 1_000_000),
    (b'S', 1_000_000_000),
    (b'M', 60_000_000_000),
    (b'H', 3_600_000_000_000),
];

/// The time by which a call must be answered.
///
/// A client says how long it will wait; from the moment when the request arrives, that is a point
/// in time. It goes along with the call as part of its [`CallContext`](crate::CallContext), and
/// every call that is made on behalf of it gets what then remains. The earlier of two deadlines is
/// the lesser one.
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

/// The text is not a timeout as gRPC writes one.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct InvalidTimeout;

impl Deadline {
    /// So far from now. What is beyond all reckoning is some thirty years away.
    pub fn after(timeout: Duration) -> Self {
        Self::counted_from(Instant::now(), timeout)
    }

    /// At this time.
    pub fn at(time: Instant) -> Self {
        Self(time)
    }

    pub(crate) fn counted_from(now: Instant, timeout: Duration) -> Self {
        Self(now.checked_add(timeout.min(FAR)).unwrap_or(now))
    }

    /// The time, for `tokio::time::sleep_until` and the like.
    pub fn instant(self) -> Instant {
        self.0
    }

    /// How long it is until then; nothing once it has passed.
    pub fn remaining(self) -> Duration {
        self.remaining_at(Instant::now())
    }

    pub(crate) fn remaining_at(self, now: Instant) -> Duration {
        self.0.saturating_duration_since(now)
    }

    /// Whether it has come.
    pub fn is_elapsed(self) -> bool {
        Instant::now() >= self.0
    }
}

/// Reads a timeout: up to eight digits, and a unit (gRPC over HTTP/2, `Timeout`). Zero is one, since
/// that is what clients in Go send when nothing is left.
pub(crate) fn parse_timeout(value: &HeaderValue) -> Result<Duration, InvalidTimeout> {
    let (unit, digits) = value.as_bytes().split_last().ok_or(InvalidTimeout)?;
    if digits.is_empty() || digits.len() > DIGITS {
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

/// Writes a timeout in the finest unit that has room for it, and tells what was written: up to a
/// unit less, never more.
pub(crate) fn write_timeout(timeout: Duration) -> (HeaderValue, Duration) {
    let timeout = timeout.min(FAR);
    let nanoseconds = timeout.as_secs() * 1_000_000_000 + u64::from(timeout.subsec_nanos());
    let [finest, ..] = UNITS;
    let unit = UNITS.into_iter().find(|(_, size)| nanoseconds / size < TOO_LARGE);
    // There is always one: thirty years are some 260,000 hours.
    let (unit, size) = unit.unwrap_or(finest);
    let mut number = (nanoseconds / size).min(TOO_LARGE - 1);
    let written = Duration::from_nanos(number * size);

    let mut text = [unit; DIGITS + 1];
    let mut start = DIGITS;
    loop {
        start -= 1;
        text[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    // Digits and a letter are always the value of a field.
    let value = HeaderValue::from_bytes(&text[start..]);
    (value.unwrap_or(HeaderValue::from_static("0n")), written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_written_in_the_finest_unit_that_has_room_for_it_and_never_longer() {
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
            (FAR, "15768000M"),
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
