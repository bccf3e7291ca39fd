//! Identities of concurrent callers never mix: the full size of the test in `tests/it/isolation.rs`.

use crate::support::isolation::assert_isolated;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_call_is_ever_answered_with_another_callers_identity() {
    assert_isolated(20_000).await;
}
