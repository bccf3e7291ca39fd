//! A flood of cancelled calls: the full size of the test in `tests/it/neighbours.rs`.

use crate::neighbours::assert_cancelled_calls_end_no_other;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_cancelled_calls_do_not_end_other_calls() {
    assert_cancelled_calls_end_no_other(30).await;
}
