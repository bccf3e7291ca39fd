//! Everything that crosses a socket, one module for each behaviour.
//!
//! One program, so that it is linked once.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "these are tests"
)]

mod support;

mod four_kinds;
