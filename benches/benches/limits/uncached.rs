//! Verification without the cache, compared with checking the signature alone.

use tonic_passport::jwt::Algorithm;

use support::side_by_side::side_by_side;
use support::signature;
use support::subject::Subject;
use support::table::{Row, time};

/// Number of rounds; they take about a second.
const ROUNDS: u32 = 200;

/// Number of distinct tokens. The cache, where there is one, holds a hundredth of them.
const DISTINCT: u32 = 1000;

/// Verifies one token repeatedly without a cache, which may take `most` times as long as the
/// signature alone. Two rows without a limit verify distinct tokens: one without a cache, and one
/// with a cache into which each token is inserted.
pub(crate) fn rows(algorithm: Algorithm, most: f64, effort: u32) -> Vec<Row> {
    let subject = Subject::new(algorithm);
    let tokens: Vec<String> = (0..DISTINCT).map(|number| subject.token(number)).collect();
    let compare = |what: &str, tokens: &[String], cached_tokens| {
        let verifier = subject.verifier().max_cached_tokens(cached_tokens);
        let mut next = tokens.iter().cycle();
        let found = side_by_side(
            ROUNDS * effort,
            signature::verification(subject.issuer.key(), tokens),
            || next.next().map(|token| verifier.verify(token).expect("a good token")),
        );
        let row = Row::new(format!("cold {algorithm}{what}"), time(found.other_ns))
            .beside("the signature alone", &time(found.one_ns));
        (row, found.ratio)
    };
    let (row, ratio) = compare("", &tokens[..1], 0);
    let mut rows = vec![row.ratio_at_most(ratio, most)];
    for (what, cached_tokens) in
        [(", distinct tokens", 0), (", distinct tokens, cached", DISTINCT / 100)]
    {
        let (row, ratio) = compare(what, &tokens, cached_tokens as usize);
        rows.push(row.ratio(ratio));
    }
    rows
}
