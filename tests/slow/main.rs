//! Tests that are slow by nature: floods, load, and waits for real timeouts.
//!
//! `cargo test` leaves them out (`test = false` in `Cargo.toml`). `cargo test --test slow` runs
//! them, and CI does. Where a smaller size of the same property is fast, it is tested in `tests/it`.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "these are tests"
)]

// The parts of the sample shop, under the name that tests/it gives them.
use ::shop as sample;

#[allow(dead_code, reason = "most of the helpers are for the tests in tests/it")]
#[path = "../it/support/mod.rs"]
mod support;

mod cancelled_calls;
mod hostile_issuer;
mod isolation;
#[path = "../it/neighbours.rs"]
mod neighbours;
mod random_tokens;
mod rotation_under_load;
