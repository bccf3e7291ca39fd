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

mod support;

// The parts of the sample shop. Not `shop`: this is the name of a module of tests.
use ::shop as sample;

mod ambient;
mod attempts;
mod authenticator;
mod cancellation;
mod claims;
mod clock;
mod combined_authenticators;
mod configuration;
mod corpora;
mod deadlines;
mod destinations;
mod gateway;
mod http1;
mod http_adapter;
mod identity_metadata;
mod isolation;
mod key_sets;
mod keys;
mod neighbours;
mod opentelemetry;
mod policy;
mod policy_start_up;
mod propagated_fields;
mod propagation;
mod real_issuers;
mod revocation;
mod rooms;
mod server_interceptor;
mod server_layer;
mod shop;
mod streams_and_tokens;
mod telemetry;
mod testing;
mod threat_model;
mod three_hops;
mod token_attacks;
mod token_cache;
mod tokens;
mod waiting_authenticators;
mod wire_format;
