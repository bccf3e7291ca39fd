//! Many keys, and many issuers, against one.

use tonic_passport::jwt::{Algorithm, Verifier};

use support::many;
use support::side_by_side::side_by_side;
use support::subject::Subject;
use support::table::{Row, time};

/// Number of rounds; they take about half a second.
const ROUNDS: u32 = 150;

/// Maximum ratio to the time with one.
const MOST: f64 = 1.1;

/// 10 and 100 keys in a set.
pub(crate) fn keys(effort: u32) -> Vec<Row> {
    rows("keys", many::keys, effort)
}

/// 10 and 100 issuers, with a key each.
pub(crate) fn issuers(effort: u32) -> Vec<Row> {
    rows("issuers", many::issuers, effort)
}

fn rows(what: &str, verifier: fn(&Subject, u32) -> Verifier, effort: u32) -> Vec<Row> {
    // HS256 takes the least time of all algorithms, so that the lookup weighs most.
    let subject = Subject::new(Algorithm::HS256);
    let token = subject.token(0);
    let mut rows = Vec::new();
    for count in [10, 100] {
        for (state, cached) in [("cold", 0), ("warm", Verifier::DEFAULT_MAX_CACHED_TOKENS)] {
            let one = verifier(&subject, 1).max_cached_tokens(cached);
            let many = verifier(&subject, count).max_cached_tokens(cached);
            let found = side_by_side(
                ROUNDS * effort,
                || one.verify(&token).expect("a good token"),
                || many.verify(&token).expect("a good token"),
            );
            rows.push(
                Row::new(format!("{count} {what}, {state}"), time(found.other_ns))
                    .beside("one", &time(found.one_ns))
                    .ratio_at_most(found.ratio, MOST),
            );
        }
    }
    rows
}
