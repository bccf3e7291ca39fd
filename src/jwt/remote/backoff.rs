//! Delays between fetches: refresh, exponential backoff, jitter.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

use super::config::RemoteKeys;

/// The maximum delay after a failed fetch, while the last fetched keys are still usable.
const MAX_DELAY: Duration = Duration::from_secs(60);

/// The maximum delay after a failed fetch, while there are no usable keys. It is shorter, as all
/// callers are refused until the next fetch.
const MAX_DELAY_WITHOUT_KEYS: Duration = Duration::from_secs(10);

/// The minimum interval between fetches while there are no usable keys, unless
/// [`RemoteKeys::min_interval`] is less.
const MIN_INTERVAL_WITHOUT_KEYS: Duration = Duration::from_secs(1);

/// Number of doublings after which the smallest minimum interval, 10 milliseconds, exceeds each
/// maximum.
const MAX_DOUBLINGS: u32 = 15;

/// The minimum interval between the starts of two fetches.
pub(super) fn min_interval(config: &RemoteKeys, has_keys: bool) -> Duration {
    if has_keys { config.min_interval } else { config.min_interval.min(MIN_INTERVAL_WITHOUT_KEYS) }
}

/// The delay from the start of a successful fetch to the next.
pub(super) fn refresh_delay(config: &RemoteKeys) -> Duration {
    with_jitter(config.refresh_after)
}

/// The delay from the start of a failed fetch to the next, after this number of consecutive
/// failures: exponential backoff with jitter.
pub(super) fn retry_delay(config: &RemoteKeys, has_keys: bool, failures: u32) -> Duration {
    let min = min_interval(config, has_keys);
    let max = if has_keys { MAX_DELAY.max(config.min_interval) } else { MAX_DELAY_WITHOUT_KEYS };
    // `backon`'s jitter is not used: it adds up to the whole delay, which exceeds the maximum.
    let backoff =
        ExponentialBuilder::new().with_min_delay(min).with_max_delay(max).without_max_times();
    let doublings = failures.saturating_sub(1).min(MAX_DOUBLINGS) as usize;
    with_jitter(backoff.build().nth(doublings).unwrap_or(max))
}

/// Subtracts up to a fifth, so that instances that were started together do not fetch together.
fn with_jitter(delay: Duration) -> Duration {
    delay.saturating_sub((delay / 5).mul_f64(fastrand::f64()))
}

#[cfg(test)]
mod tests {
    use std::iter;

    use super::*;

    /// Enough for the jitter to come close to both of its ends.
    const SAMPLES: usize = 1000;

    /// Asserts that samples spread over the delay less up to a fifth, and never leave that range.
    fn assert_spreads_below(expected: Duration, case: &str, sample: impl Fn() -> Duration) {
        let least = expected.mul_f64(0.8);
        // `backon` computes in `f32`.
        let rounding = expected.mul_f64(1e-6) + Duration::from_nanos(1);
        let samples: Vec<Duration> = iter::repeat_with(sample).take(SAMPLES).collect();
        let (min, max) = (samples.iter().min().unwrap(), samples.iter().max().unwrap());
        assert!(*min + rounding >= least, "{case}: {min:?} is less than {least:?}");
        assert!(*max <= expected + rounding, "{case}: {max:?} is more than {expected:?}");
        assert!(*min < expected.mul_f64(0.85), "{case}: at least {min:?}");
        assert!(*max > expected.mul_f64(0.95), "{case}: at most {max:?}");
    }

    fn config(min_interval: Duration) -> RemoteKeys {
        RemoteKeys::discovery().min_interval(min_interval)
    }

    #[test]
    fn a_refresh_is_earlier_by_up_to_a_fifth() {
        let config = RemoteKeys::discovery().refresh_after(Duration::from_secs(300));
        assert_spreads_below(Duration::from_secs(300), "refresh", || refresh_delay(&config));
    }

    #[test]
    fn delays_after_failures_double_up_to_a_maximum() {
        let seconds = Duration::from_secs;
        let millis = Duration::from_millis;
        // The minimum interval, whether there are keys, and the delays before jitter.
        let cases = [
            (seconds(30), true, vec![seconds(30), seconds(60), seconds(60)]),
            (seconds(30), false, [1, 2, 4, 8, 10, 10].map(seconds).to_vec()),
            (seconds(120), true, vec![seconds(120), seconds(120)]),
            (seconds(120), false, [1, 2, 4, 8, 10].map(seconds).to_vec()),
            (millis(10), true, [10, 20, 40, 80, 160, 320].map(millis).to_vec()),
            (millis(10), false, [10, 20, 40, 80, 160, 320].map(millis).to_vec()),
        ];
        for (min_interval, has_keys, delays) in cases {
            let config = config(min_interval);
            for (failures, expected) in (1..).zip(delays) {
                let case = format!("{min_interval:?}, keys: {has_keys}, failures: {failures}");
                assert_spreads_below(expected, &case, || retry_delay(&config, has_keys, failures));
            }
        }
    }

    #[test]
    fn no_number_of_failures_exceeds_the_maximum() {
        for min_interval in [Duration::from_millis(10), Duration::from_secs(30)] {
            let config = config(min_interval);
            for failures in [16, 17, 1000, u32::MAX] {
                for (has_keys, max) in [(true, 60), (false, 10)] {
                    let case = format!("{min_interval:?}, keys: {has_keys}, failures: {failures}");
                    let sample = || retry_delay(&config, has_keys, failures);
                    assert_spreads_below(Duration::from_secs(max), &case, sample);
                }
            }
        }
    }

    #[test]
    fn without_keys_fetches_are_at_least_a_second_apart_or_the_configured_interval() {
        for (configured, with_keys, without_keys) in
            [(30_000, 30_000, 1000), (1000, 1000, 1000), (50, 50, 50)]
        {
            let config = config(Duration::from_millis(configured));
            assert_eq!(min_interval(&config, true), Duration::from_millis(with_keys));
            assert_eq!(min_interval(&config, false), Duration::from_millis(without_keys));
        }
    }

    #[test]
    fn the_longest_delay_does_not_overflow() {
        assert!(with_jitter(Duration::MAX) >= Duration::MAX / 5 * 4);
        assert_eq!(with_jitter(Duration::ZERO), Duration::ZERO);
    }
}
