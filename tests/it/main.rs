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
mod hostile_issuer;
mod http1;
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
mod rotation_under_load;
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
