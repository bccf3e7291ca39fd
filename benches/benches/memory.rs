//! Memory of the token cache, against its limit.
//!
//! `cargo bench -p benches --bench memory` prints a table, and fails when the limit is exceeded. It is
//! a program of its own because counting allocations costs time, which the other limits are about.

#![allow(clippy::expect_used, clippy::panic, reason = "what cannot be set up ends the run")]

use std::process::ExitCode;

use allocation_counter::{AllocationInfo, measure};
use http::HeaderMap;
use tonic_passport::jwt::{Algorithm, Verifier};

use support::subject::Subject;
use support::table::{self, Row, size};

/// Number of distinct tokens.
const TOKENS: u32 = 1_000_000;

/// Number of tokens that are created at a time, outside of the measurement.
const CHUNK: u32 = 10_000;

/// The overhead of an allocation at most: the allocator's own data, and rounding.
const ALLOCATOR_ADDS: u64 = 32;

fn main() -> ExitCode {
    table::print(&[("million tokens", million)])
}

/// A million tokens, each of them once, through a cache that holds ten thousand and has the default
/// size. It does the same each time, so no second attempt finds anything else.
fn million(_effort: u32) -> Vec<Row> {
    let subject = Subject::new(Algorithm::HS256);
    let mut verifier = subject.verifier().max_cached_tokens(0);
    let mut now = Allocated::default();
    // The initial memory of the cache counts too.
    let mut peak = now.add(measure(|| verifier = verifier.clone().max_cached_tokens(10_000)));
    for first in (0..TOKENS).step_by(CHUNK as usize) {
        let tokens: Vec<String> =
            (first..first + CHUNK).map(|number| subject.token(number)).collect();
        peak = peak.max(now.add(measure(|| {
            for token in &tokens {
                // Values that are written come to be shared, which takes up a little more.
                let mut headers = HeaderMap::new();
                let user = verifier.verify(token).expect("a good token");
                user.context().write_to(&mut headers).expect("room for four fields");
            }
        })));
    }
    let kept = verifier.cached_tokens() as u64;
    let each = now.bytes().checked_div(kept).expect("a token is kept");
    vec![
        Row::new(format!("million tokens: memory, of which {kept} are kept"), size(peak))
            .beside("each", &size(each))
            .bytes_at_most(peak, Verifier::DEFAULT_MAX_CACHE_SIZE as u64),
    ]
}

/// The allocated memory.
#[derive(Clone, Copy, Debug, Default)]
struct Allocated {
    bytes: i64,
    count: i64,
}

impl Allocated {
    /// Adds a measurement, and returns the peak in bytes.
    fn add(&mut self, info: AllocationInfo) -> u64 {
        let most = self.bytes() + info.bytes_max + info.count_max * ALLOCATOR_ADDS;
        self.bytes += info.bytes_current;
        self.count += info.count_current;
        most
    }

    /// Returns the number of bytes, including the allocator's overhead.
    fn bytes(self) -> u64 {
        let known = |number: i64| u64::try_from(number).expect("more is allocated than freed");
        known(self.bytes) + known(self.count) * ALLOCATOR_ADDS
    }
}
