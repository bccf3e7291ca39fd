//! The first time that a token comes, against its signature alone.

use tonic_passport::jwt::Algorithm;

use support::bare;
use support::side_by_side::side_by_side;
use support::subject::Subject;
use support::table::{Row, time};

/// In so many rounds, which take about a second.
const ROUNDS: u32 = 200;

/// So many tokens come in turns. Of each hundred, the cache remembers one at most.
const DISTINCT: u32 = 1000;

/// Verifies one token again and again without a cache, and may take `most` times as long as the
/// signature alone. And without a mark, as every token is another: without a cache, and with one
/// that remembers each of them.
pub(crate) fn rows(algorithm: Algorithm, most: f64, effort: u32) -> Vec<Row> {
    let subject = Subject::new(algorithm);
    let tokens: Vec<String> = (0..DISTINCT).map(|number| subject.token(number)).collect();
    let compare = |what: &str, tokens: &[String], cached_tokens| {
        let verifier = subject.verifier().max_cached_tokens(cached_tokens);
        let mut next = tokens.iter().cycle();
        let found =
            side_by_side(ROUNDS * effort, bare::verification(subject.issuer.key(), tokens), || {
                next.next().map(|token| verifier.verify(token).expect("a good token"))
            });
        let row = Row::new(format!("cold {algorithm}{what}"), time(found.other_ns))
            .beside("the signature alone", &time(found.one_ns));
        (row, found.ratio)
    };
    let (row, ratio) = compare("", &tokens[..1], 0);
    let mut rows = vec![row.ratio_at_most(ratio, most)];
    for (what, cached_tokens) in
        [(", every token another", 0), (", every token another, remembered", DISTINCT / 100)]
    {
        let (row, ratio) = compare(what, &tokens, cached_tokens as usize);
        rows.push(row.ratio(ratio));
    }
    rows
}
