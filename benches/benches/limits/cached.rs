//! Verification of a cached token, and writing the metadata of its user.

use tonic_passport::jwt::Algorithm;

use support::job::verify_and_write;
use support::side_by_side::side_by_side;
use support::subject::Subject;
use support::table::{Row, time};

/// Number of rounds; they take about a second.
const ROUNDS: u32 = 300;

/// Maximum time for verifying and writing, in nanoseconds.
const MOST_NS: f64 = 600.0;

/// Verifies a cached token and writes four keys, compared with the same without a cache.
pub(crate) fn rows(effort: u32) -> Vec<Row> {
    let subject = Subject::new(Algorithm::RS256);
    let token = subject.token(0);
    let warm = verify_and_write(subject.verifier(), token.clone());
    let cold = verify_and_write(subject.verifier().max_cached_tokens(0), token);
    let found = side_by_side(ROUNDS * effort, cold, warm);
    vec![
        Row::new("warm, and written", time(found.other_ns))
            .beside("cold, and written", &time(found.one_ns))
            .ratio(found.ratio)
            .time_at_most(found.other_ns, MOST_NS),
    ]
}
