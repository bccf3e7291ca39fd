//! What a policy lets callers do.

mod answers;
mod callers;
mod decisions;
mod protos;
