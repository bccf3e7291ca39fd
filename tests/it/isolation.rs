//! Identities of concurrent callers never mix. `tests/slow/isolation.rs` makes many more calls.

use crate::support::isolation::assert_isolated;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_call_is_ever_answered_with_another_callers_identity() {
    assert_isolated(1_000).await;
}
