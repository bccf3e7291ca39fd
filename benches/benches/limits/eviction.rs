//! A million distinct tokens through a cache of ten thousand: whether eviction delays a call.

use std::time::Instant;

use cpu_time::ThreadTime;
use tonic_passport::jwt::{Algorithm, Verifier};

use support::subject::Subject;
use support::table::{Row, time};

/// Number of distinct tokens.
const TOKENS: u32 = 1_000_000;

/// Number of tokens that are created at a time, outside of the measurement.
const CHUNK: u32 = 10_000;

/// Maximum CPU time of a call, in nanoseconds.
const MOST_NS: f64 = 1e6;

/// Verifies a million tokens with a cache, compared with the same without one. The limit is for the
/// CPU time of a call, because wall-clock time includes other programs.
///
/// More effort means more passes, each with a new cache. The pass with the shortest longest call
/// counts: the cache's own delays occur in every pass, and those of the machine do not.
pub(crate) fn rows(effort: u32) -> Vec<Row> {
    // HS256 tokens are quick to create and to verify, so the cache is most of the work.
    let subject = Subject::new(Algorithm::HS256);
    let (mut cached, mut uncached) = (0..effort)
        .map(|_| pass(&subject))
        .min_by(|(one, _), (other, _)| one.busy.longest().total_cmp(&other.busy.longest()))
        .expect("some effort");

    let busy = cached.busy.longest();
    let mut rows = vec![
        Row::new("million tokens: the longest call keeps the thread busy", time(busy))
            .beside("without a cache", &time(uncached.busy.longest()))
            .time_at_most(busy, MOST_NS),
    ];
    for (what, longer) in [
        ("half of the calls", TOKENS / 2),
        ("all calls but 1 %", TOKENS / 100),
        ("all calls but 100", 100),
        ("all calls", 0),
    ] {
        let row =
            Row::new(format!("million tokens: {what}, at most"), time(cached.clock.but(longer)))
                .beside("without a cache", &time(uncached.clock.but(longer)));
        rows.push(row);
    }
    rows
}

/// All tokens once, with a cache and without.
fn pass(subject: &Subject) -> (Calls, Calls) {
    let mut cached = Calls::of(subject.verifier().max_cached_tokens(10_000));
    let mut uncached = Calls::of(subject.verifier().max_cached_tokens(0));
    for first in (0..TOKENS).step_by(CHUNK as usize) {
        let tokens: Vec<String> =
            (first..first + CHUNK).map(|number| subject.token(number)).collect();
        cached.verify(&tokens);
        uncached.verify(&tokens);
    }
    (cached, uncached)
}

/// Times of a verifier's calls.
struct Calls {
    verifier: Verifier,
    /// CPU times of the thread.
    busy: Times,
    /// Wall-clock times.
    clock: Times,
}

impl Calls {
    fn of(verifier: Verifier) -> Self {
        let times = || Times(Vec::with_capacity(TOKENS as usize));
        Self { verifier, busy: times(), clock: times() }
    }

    fn verify(&mut self, tokens: &[String]) {
        for token in tokens {
            let (started, busy) = (Instant::now(), ThreadTime::now());
            let verified = self.verifier.verify(token);
            let (busy, clock) = (busy.elapsed(), started.elapsed());
            drop(verified.expect("a good token"));
            self.busy.0.push(busy.as_secs_f64() * 1e9);
            self.clock.0.push(clock.as_secs_f64() * 1e9);
        }
    }
}

/// Times in nanoseconds.
struct Times(Vec<f64>);

impl Times {
    fn longest(&self) -> f64 {
        self.0.iter().copied().fold(0.0, f64::max)
    }

    /// Returns the longest time after the `longer` longest ones.
    fn but(&mut self, longer: u32) -> f64 {
        let index = self.0.len().saturating_sub(1 + longer as usize);
        *self.0.select_nth_unstable_by(index, f64::total_cmp).1
    }
}
