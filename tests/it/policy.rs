//! What a policy lets callers do.

mod answers;
mod auditor;
mod callers;
mod decisions;
mod paths;
mod protos;
