//! Integration tests, most of them over real sockets: one module for each behaviour.
//!
//! They are one test target, which links faster than many. Slow tests are in `tests/slow`.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "these are tests"
)]

#[allow(dead_code, reason = "more is measured than is counted here")]
#[path = "../../benches/support/job.rs"]
mod job;
/// Calls in process, with layers around and without.
#[allow(dead_code, reason = "more is measured than is counted here")]
#[path = "../../benches/support/layers.rs"]
mod layers;
/// The parts of the sample shop.
#[allow(dead_code, reason = "programs do more than these tests")]
#[path = "../../examples/shop"]
mod sample {
    pub mod access_log;
    pub mod behind_gateway;
    pub mod gateway;
    pub mod identity_provider;
    pub mod inventory_service;
    pub mod operations;
    pub mod order_service;
    pub mod proto;
    pub mod shop;
    pub mod startup;
    pub mod user_service;
}
mod support;

mod allocations;
mod ambient;
mod attempts;
mod authenticator;
mod cancellation;
mod claims;
mod clock;
mod configuration;
mod corpora;
mod deadlines;
mod destinations;

mod gateway;
mod http1;
mod identity_metadata;
mod isolation;
mod key_sets;
mod keys;
mod neighbours;
mod opentelemetry;
mod passport_command;
mod policy;
mod policy_start_up;
mod propagated_fields;
mod propagation;
mod real_issuers;
mod revocation;
mod server_interceptor;
mod server_layer;
mod shop;
mod shop_rules;
mod streams_and_tokens;
mod telemetry;
mod testing;
mod threat_model;
mod three_hops;
mod token_attacks;
mod token_cache;
mod tokens;
mod wire_format;
