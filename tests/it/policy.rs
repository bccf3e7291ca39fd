//! Policies in front of a running service.

mod audit;
mod authorized;
mod decisions;
mod denials;
mod harness;
mod order_protos;
mod paths;
mod properties;
mod recording_sink;
mod shadow;
