//! A flood of random tokens: the full size of the test in `tests/it/token_cache.rs`.

use crate::support::random_tokens::assert_random_tokens_are_refused;

#[test]
fn a_million_random_tokens_never_hit_the_cache() {
    assert_random_tokens_are_refused(1_000_000);
}
