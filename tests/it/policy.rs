//! What a policy lets callers do.

mod callers;
mod decisions;
mod protos;
