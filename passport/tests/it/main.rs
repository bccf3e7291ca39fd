//! The program `passport`, run as reviews and CI run it.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "these are tests"
)]

mod policy_check;
mod shop_rules;
mod support;
